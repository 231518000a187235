"""From the continuous field to a CT image: field of view, voxels, kernel, noise, number range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.artefacts import add_artefacts
from spongiosa.synthetic.image import SyntheticImage
from spongiosa.synthetic.noise import Reconstruction
from spongiosa.synthetic.parameters import PatientPosition, ScannerParameters
from spongiosa.synthetic.patient import AIR_HU, SyntheticPatient
from spongiosa.synthetic.phantoms import PlacedPhantom, phantom_of
from spongiosa.synthetic.posture import Moved
from spongiosa.synthetic.sampling import Grid, GridCanvas
from spongiosa.synthetic.table import TABLE_THICKNESS_MM, Table
from spongiosa.synthetic.truth import Truth

_COLUMN_AND_ROW: dict[PatientPosition, tuple[tuple[float, float], float]] = {
    # LPS signs of the column and row direction, and of the slice direction
    "HFS": ((1.0, 1.0), 1.0),
    "FFS": ((-1.0, 1.0), -1.0),
    "HFP": ((-1.0, -1.0), 1.0),
    "FFP": ((1.0, -1.0), -1.0),
}


_RECONSTRUCTION = ("kernel", "noise_sd_hu", "padding_hu", "clips_to_12_bit")


@dataclass(frozen=True)
class RenderedScan:
    """A CT of a synthetic patient with its label maps and truth; all three images share one grid."""

    ct: SyntheticImage
    vertebrae: SyntheticImage
    bodies: SyntheticImage
    patient: SyntheticPatient
    scanner: ScannerParameters

    @cached_property
    def truth(self) -> Truth:
        """True geometry and HU, evaluated on first use."""
        return Truth.of(self.patient, self.scanner.kvp, self.ct)


def scan_grid(patient: SyntheticPatient, scanner: ScannerParameters) -> Grid:
    """The voxels of a scan.

    Raises `ValueError` when a limiting level does not exist in this spine or the limits leave no slice.
    """
    for level in (scanner.cranial_level, scanner.caudal_level):
        if level not in patient.vertebrae:
            raise ValueError(
                f"the field of view is limited by {level!r}; this spine has {', '.join(patient.vertebrae)}"
            )
    top = _end_z(patient, scanner.cranial_level, superior=True) + scanner.cranial_margin_mm
    bottom = _end_z(patient, scanner.caudal_level, superior=False) - scanner.caudal_margin_mm
    slices = int((top - bottom) // scanner.slice_spacing_mm) + 1
    if slices < 1:
        raise ValueError(f"the field of view from {top:.0f} down to {bottom:.0f} mm holds no slice")
    (column_sign, row_sign), slice_sign = _COLUMN_AND_ROW[scanner.patient_position]
    tilt = np.radians(scanner.gantry_tilt_deg)
    column = np.array([column_sign, 0.0, 0.0])
    row = np.array([0.0, row_sign * np.cos(tilt), row_sign * np.sin(tilt)])
    step = np.array([0.0, 0.0, slice_sign])
    spacing = scanner.pixel_spacing_mm
    shift_x = patient.parameters.posture.shift_mm[0]
    centre = np.array([scanner.off_centre_mm[0] + shift_x, _middle_y(patient) + scanner.off_centre_mm[1], 0.0])
    half = (scanner.columns - 1) / 2.0 * spacing * column + (scanner.rows - 1) / 2.0 * spacing * row
    origin = centre - half
    origin[2] += bottom if slice_sign > 0 else bottom + (slices - 1) * scanner.slice_spacing_mm
    steps = np.column_stack([column * spacing, row * spacing, step * scanner.slice_spacing_mm])
    return Grid(origin, steps, (slices, scanner.rows, scanner.columns), scanner.slice_thickness_mm)


def render_ct(patient: SyntheticPatient, scanner: ScannerParameters, seed: int) -> RenderedScan:
    """Scan a patient; equal patient, scanner and seed give the same bytes.

    The image is int16 HU, shape (slices, rows, columns); the label maps are uint8 in the VerSe convention.
    """
    return render_reconstructions(patient, [scanner], [seed])[0]


def render_reconstructions(
    patient: SyntheticPatient, scanners: Sequence[ScannerParameters], seeds: Sequence[int]
) -> list[RenderedScan]:
    """Several reconstructions of one acquisition: the anatomy is painted once, kernels and noise differ.

    Raises `ValueError` when the scanners differ in more than kernel, noise, padding and clipping.
    """
    first = scanners[0]
    for other in scanners[1:]:
        allowed = {name: getattr(first, name) for name in _RECONSTRUCTION}
        if replace(other, **allowed) != first:
            raise ValueError(f"reconstructions of one acquisition may differ in {', '.join(_RECONSTRUCTION)} only")
    grid = scan_grid(patient, first)
    tissues = patient.tissues(first.kvp)
    canvas = GridCanvas(grid, AIR_HU)
    table = _table(patient, first)
    if first.has_table:
        Moved(table, patient.position_mm).paint(canvas, tissues)
    phantom = placed_phantom(patient, first)
    if phantom is not None:
        Moved(phantom, patient.position_mm).paint(canvas, tissues)
    patient.paint(canvas, tissues)
    field = np.asarray(canvas.values, dtype=np.float32)
    artefact_seed = np.random.SeedSequence(seeds[0]).spawn(1)[0]
    add_artefacts(
        field,
        first.pixel_spacing_mm,
        metal=first.has_metal_artefacts,
        beam_hardening=first.beam_hardening,
        rng=np.random.default_rng(artefact_seed),
    )
    return [
        RenderedScan(
            ct=grid.image(_reconstruct(field, scanner, seed)),
            vertebrae=grid.image(canvas.vertebrae),
            bodies=grid.image(canvas.bodies),
            patient=patient,
            scanner=scanner,
        )
        for scanner, seed in zip(scanners, seeds, strict=True)
    ]


def _table(patient: SyntheticPatient, scanner: ScannerParameters) -> Table:
    phantom = phantom_of(scanner.phantom)
    is_prone = scanner.patient_position in ("HFP", "FFP")
    is_on_table = phantom is not None and not phantom.placement.is_under_table
    return Table.under(patient.trunk, is_prone, gap_mm=phantom.height_mm if phantom and is_on_table else 0.0)


def placed_phantom(patient: SyntheticPatient, scanner: ScannerParameters) -> PlacedPhantom | None:
    """The phantom of a scan between patient and table, or under it, before the shift of the posture; None without."""
    phantom = phantom_of(scanner.phantom)
    if phantom is None:
        return None
    table = _table(patient, scanner)
    height = -(phantom.height_mm / 2.0 + 4.0)
    if phantom.placement.is_under_table:
        height = TABLE_THICKNESS_MM + phantom.height_mm / 2.0 + 2.0
    return PlacedPhantom(phantom, table.surface_y_mm + table.away * height)


def _reconstruct(field: NDArray[np.float32], scanner: ScannerParameters, seed: int) -> NDArray[np.int16]:
    overlap = max(0.0, 1.0 - scanner.slice_spacing_mm / scanner.slice_thickness_mm)
    reconstruction = Reconstruction(
        scanner.kernel, (scanner.rows, scanner.columns), scanner.pixel_spacing_mm, scanner.noise_sd_hu, overlap, seed
    )
    outside = _outside_circle(scanner) if scanner.padding_hu is not None else None
    lowest, highest = (-1024, 3071) if scanner.clips_to_12_bit else (-32768, 32767)
    image = np.empty(field.shape, dtype=np.int16)
    for k, hu in enumerate(field):
        image[k] = np.clip(np.rint(reconstruction.slice(hu)), lowest, highest)
        if outside is not None:
            image[k][outside] = scanner.padding_hu
    return image


def _outside_circle(scanner: ScannerParameters) -> NDArray[np.bool_]:
    """Pixels beyond the largest circle that fits the matrix."""
    y, x = np.ogrid[: scanner.rows, : scanner.columns]
    radius = min(scanner.rows, scanner.columns) / 2.0
    away: NDArray[np.bool_] = np.hypot(y - (scanner.rows - 1) / 2.0, x - (scanner.columns - 1) / 2.0) > radius
    return away


def _end_z(patient: SyntheticPatient, level: str, superior: bool) -> float:
    """Height of the outermost rim of a body's endplate."""
    vertebra = patient.vertebrae[level]
    points = vertebra.frame.to_lps(vertebra.body.box(margin_mm=0.0).corners())
    return float(points[:, 2].max() if superior else points[:, 2].min())


def _middle_y(patient: SyntheticPatient) -> float:
    trunk = patient.trunk
    return trunk.back_mm - float(trunk.half_axes(np.array(0.0))[1]) + patient.parameters.posture.shift_mm[1]
