"""The rendered scans of the accuracy table with their levels and frames, kept in a folder where one is given."""

from __future__ import annotations

import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from accuracy_patients import Case

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.config.localise import LocaliseSettings
from spongiosa.localise.scan import localise_scan
from spongiosa.synthetic.image import SyntheticImage
from spongiosa.synthetic.noise import Reconstruction
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import RenderedScan, render_ct
from spongiosa.volume import FloatArray, Geometry, Volume, write_volume


@dataclass(frozen=True)
class LocalisedScan:
    """A synthetic scan and what the localiser says of its true label maps."""

    scan: RenderedScan
    spine: SpineDescription

    @property
    def volumes(self) -> tuple[Volume, Volume, Volume]:
        """Scan, vertebrae and bodies."""
        return as_volume(self.scan.ct), as_volume(self.scan.vertebrae), as_volume(self.scan.bodies)


def localised_scan(case: Case, folder: Path | None = None) -> LocalisedScan:
    """The scan of a case, read from `folder` where it was kept, and kept there otherwise (None keeps nothing)."""
    path = None if folder is None else folder / f"{case.seed:08d}.pickle"
    if path is not None and path.is_file():
        kept = pickle.loads(path.read_bytes())
        assert isinstance(kept, LocalisedScan)
        return kept
    scan = render_ct(build_patient(case.patient, case.seed), case.scanner, case.seed)
    made = LocalisedScan(scan, localised(as_volume(scan.ct), as_volume(scan.vertebrae), as_volume(scan.bodies)))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(pickle.dumps(made))
        part.rename(path)
    return made


def noise_alone(case: Case, slices: int) -> FloatArray:
    """The noise of a scan of that many slices without patient, HU, shape (z, y, x).

    Filtering is linear and the noise is drawn from the scan's seed, so this is what was added to the patient but for
    rounding to whole HU.
    """
    scanner = case.scanner
    overlap = max(0.0, 1.0 - scanner.slice_spacing_mm / scanner.slice_thickness_mm)
    shape = (scanner.rows, scanner.columns)
    filtered = Reconstruction(
        scanner.kernel, shape, scanner.pixel_spacing_mm, scanner.noise_sd_hu, overlap, seed=case.seed
    )
    empty = np.zeros(shape, np.float32)
    return np.stack([filtered.slice(empty) for _ in range(slices)]).astype(np.float64)


def localised(ct: Volume, vertebrae: Volume, bodies: Volume) -> SpineDescription:
    """Levels and frames from the label maps, as a run finds them."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("vertebrae.nii.gz", "bodies.nii.gz")]
        write_volume(vertebrae, paths[0])
        write_volume(bodies, paths[1])
        found = localise_scan(ct, LocaliseSettings(), labels=paths[0], body_labels=paths[1], label_scheme="verse")
    return found.description


def as_volume(image: SyntheticImage) -> Volume:
    """An image of the generator as a volume of the library."""
    voxels = np.asarray(image.voxels)
    geometry = Geometry(voxels.shape, image.spacing_mm, image.origin_mm, np.asarray(image.direction))
    return Volume(voxels, geometry)
