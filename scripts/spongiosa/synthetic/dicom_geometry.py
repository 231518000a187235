"""From an image in LPS millimetres to the planes of DICOM, and to how a scanner would lay them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from spongiosa.synthetic.dicom_file import decimal, decimals
from spongiosa.synthetic.image import SyntheticImage

PatientPosition = Literal["HFS", "HFP", "FFS", "FFP"]

_FLIPPED_AXES: Final[dict[PatientPosition, tuple[int, ...]]] = {
    "HFS": (),
    "HFP": (0, 1),
    "FFS": (0, 2),
    "FFP": (1, 2),
}
"""Axes (x, y, z) along which a scanner's raster runs against LPS; it looks from the foot of the table (PS3.3
C.7.3.1.1.2)."""


@dataclass(frozen=True)
class SlicePlanes:
    """The planes of an image: shared orientation, and one position (LPS mm of the first voxel's centre) per slice."""

    orientation: NDArray[np.float64]
    positions_mm: NDArray[np.float64]
    pixel_spacing_mm: tuple[float, float]
    spacing_mm: float
    rows: int
    columns: int

    @property
    def normal(self) -> NDArray[np.float64]:
        return np.cross(self.orientation[:3], self.orientation[3:])

    @property
    def locations_mm(self) -> NDArray[np.float64]:
        """Distance of each plane from the origin along the shared normal."""
        return self.positions_mm @ self.normal

    def centre_mm(self, index: int) -> NDArray[np.float64]:
        """Middle of the plane `index`, LPS mm."""
        along_row = self.orientation[:3] * self.pixel_spacing_mm[1] * (self.columns - 1) / 2.0
        along_column = self.orientation[3:] * self.pixel_spacing_mm[0] * (self.rows - 1) / 2.0
        return np.asarray(self.positions_mm[index] + along_row + along_column)


def slice_planes(image: SyntheticImage) -> SlicePlanes:
    """Planes of `image`; the slice direction may be oblique to the normal (gantry tilt), rows and columns may not.

    Raises `ValueError` where the row and column directions are not orthonormal: DICOM has no way to say it.
    """
    rows, columns, step = (np.asarray(image.direction, dtype=np.float64)[:, axis] for axis in range(3))
    if not np.allclose([rows @ rows, columns @ columns, rows @ columns], [1.0, 1.0, 0.0], atol=1e-6):
        raise ValueError("The in-plane directions of the image are not orthonormal")
    indices = np.arange(image.voxels.shape[0], dtype=np.float64)
    return SlicePlanes(
        orientation=np.concatenate([rows, columns]),
        positions_mm=np.asarray(image.origin_mm) + indices[:, None] * image.spacing_mm[2] * step,
        pixel_spacing_mm=(image.spacing_mm[1], image.spacing_mm[0]),
        spacing_mm=float(image.spacing_mm[2]),
        rows=image.voxels.shape[1],
        columns=image.voxels.shape[2],
    )


def gantry_tilt_degrees(planes: SlicePlanes) -> float:
    """Angle between the planes' normal and the table, the line through the slice positions; 0 for a single slice."""
    if len(planes.positions_mm) < 2:
        return 0.0
    table = planes.positions_mm[-1] - planes.positions_mm[0]
    cosine = abs(float(table @ planes.normal)) / float(np.linalg.norm(table))
    angle = float(np.degrees(np.arccos(min(cosine, 1.0))))
    return angle if angle > 1e-3 else 0.0


def as_scanned(image: SyntheticImage, position: PatientPosition) -> SyntheticImage:
    """The same voxels in the same places of the patient, in the raster order of a patient lying in `position`.

    Expects an image whose axes run along +L, +P and +S, the raster of head first supine.
    """
    voxels, origin = image.voxels, np.asarray(image.origin_mm, dtype=np.float64)
    direction = np.array(image.direction, dtype=np.float64)
    for axis in _FLIPPED_AXES[position]:
        extent_mm = (image.voxels.shape[2 - axis] - 1) * image.spacing_mm[axis]
        origin = origin + direction[:, axis] * extent_mm
        direction[:, axis] *= -1.0
        voxels = np.flip(voxels, axis=2 - axis)
    return SyntheticImage(voxels, image.spacing_mm, (origin[0], origin[1], origin[2]), direction)


def add_plane_module(dataset: Dataset, planes: SlicePlanes, slice_thickness_mm: float) -> None:
    """Image Plane module (PS3.3 C.7.6.2) but for what differs from slice to slice."""
    dataset.PixelSpacing = decimals(planes.pixel_spacing_mm)
    dataset.ImageOrientationPatient = decimals(planes.orientation)
    dataset.SliceThickness = decimal(slice_thickness_mm)


def set_slice_position(dataset: Dataset, planes: SlicePlanes, index: int) -> None:
    dataset.ImagePositionPatient = decimals(planes.positions_mm[index])
    dataset.SliceLocation = decimal(round(float(planes.locations_mm[index]), 4))
