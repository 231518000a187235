"""The patient of the ingest tests: a few slices of a body in air, small enough to be written a hundred times."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.assembly import AssembledScan, assemble_input
from spongiosa.dicom.index import index_input
from spongiosa.synthetic.dicom_writer import CtSeries, StudyIdentity
from spongiosa.synthetic.image import SyntheticImage

SLICES, ROWS, COLUMNS = 12, 36, 44
SPACING_MM = (0.8, 0.8, 2.0)
ORIGIN_MM = (-17.25, -30.5, -412.0)
PATIENT = StudyIdentity(patient="P1", seed=7, sex="F", age_years=61.0)
OTHER_PATIENT = StudyIdentity(patient="P2", seed=8, sex="M", age_years=70.0)
SERIES = CtSeries()


def body_image(
    slices: int = SLICES, spacing_mm: tuple[float, float, float] = SPACING_MM, seed: int = 1
) -> SyntheticImage:
    """Fat, muscle and a bone of 150 to 300 HU in air, whole HU, every slice different; LPS axes."""
    generator = np.random.default_rng(seed)
    z, y, x = np.indices((slices, ROWS, COLUMNS), dtype=float)
    radius = np.hypot((y - ROWS / 2) / (ROWS / 2.3), (x - COLUMNS / 2) / (COLUMNS / 2.3))
    hu = np.full(z.shape, -1000.0)
    hu[radius < 1.0] = -100.0
    hu[radius < 0.8] = 45.0
    hu[np.hypot(y - 24, x - 20) < 6] = 150.0
    hu += 10.0 * z * (radius < 0.8) + generator.normal(0, 8, hu.shape)
    hu = np.maximum(hu, -1024.0)  # what unsigned 12 bits with the usual intercept can hold
    return SyntheticImage(np.rint(hu).astype(np.int16), spacing_mm, ORIGIN_MM, np.eye(3))


@dataclass(frozen=True)
class Ingest:
    """Index and convert with these settings, as the two stages do one after the other."""

    series: SeriesSettings = field(default_factory=SeriesSettings)
    convert: ConvertSettings = field(default_factory=ConvertSettings)
    modality: str = "ct"

    def __call__(self, path: Path) -> AssembledScan:
        """Raises `Excluded` as the stages do."""
        records = index_input(path, self.modality, self.series)
        (chosen,) = [record for record in records if record.is_chosen]
        return assemble_input(path, self.modality, chosen.series_key, self.series, self.convert)


def sampled(scan: AssembledScan, image: SyntheticImage) -> np.ndarray:
    """Values of the scan at the voxel centres of `image` (nearest voxel), NaN where the scan does not reach.

    Asserts that each of those points is a voxel centre of the scan too, within a hundredth of a voxel.
    """
    indices = np.stack(np.indices(image.voxels.shape), axis=-1).reshape(-1, 3).astype(float)
    found = scan.volume.geometry.indices_zyx(image.points_mm(indices))
    nearest = np.rint(found).astype(int)
    assert np.abs(found - nearest).max() < 0.01
    inside = np.all((nearest >= 0) & (nearest < scan.volume.voxels.shape), axis=1)
    values = np.full(len(indices), np.nan)
    values[inside] = scan.volume.voxels[tuple(nearest[inside].T)]
    return values.reshape(image.voxels.shape)


def assert_same_voxels(scan: AssembledScan, image: SyntheticImage) -> None:
    """The scan holds the image, value by value and place by place, and nothing else."""
    assert scan.volume.voxels.size == image.voxels.size
    np.testing.assert_array_equal(sampled(scan, image), image.voxels)
