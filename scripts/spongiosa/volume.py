"""Images and their place in the patient.

Conventions, said once: arrays are `(z, y, x)`, i.e. (slice, row, column); points are LPS millimetres `(x, y, z)`;
continuous voxel indices are `(z, y, x)` with voxel centres at whole numbers; `spacing_mm`, `origin_mm` and the columns
of `direction` are in `(x, y, z)` order, the convention of ITK.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spongiosa.detached_data import SUFFIXES as DETACHABLE
from spongiosa.detached_data import refuse_foreign_data
from spongiosa.nifti_integrity import refuse_damaged_nifti
from spongiosa.provenance import written_whole

FloatArray = NDArray[np.float64]
Interpolation = Literal["linear", "nearest", "cubic"]

AIR_HU = -1024


@dataclass(frozen=True)
class Geometry:
    """A regular grid in the patient: `shape` is (z, y, x), everything else as in the module's text."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: FloatArray

    @property
    def steps_mm(self) -> FloatArray:
        """3 x 3, its columns the LPS vectors of one step along the x, y and z index."""
        steps: FloatArray = np.asarray(self.direction) * np.asarray(self.spacing_mm)
        return steps

    @property
    def voxel_volume_mm3(self) -> float:
        return float(np.prod(self.spacing_mm))

    def points_mm(self, indices_zyx: NDArray[Any]) -> FloatArray:
        """LPS points, shape (..., 3), of continuous indices, shape (..., 3) in (z, y, x) order."""
        along_axes = np.asarray(indices_zyx, dtype=np.float64)[..., ::-1]
        points: FloatArray = along_axes @ self.steps_mm.T + np.asarray(self.origin_mm)
        return points

    def indices_zyx(self, points_mm: NDArray[Any]) -> FloatArray:
        """Continuous indices, shape (..., 3) in (z, y, x) order, of LPS points, shape (..., 3)."""
        offset = np.asarray(points_mm, dtype=np.float64) - np.asarray(self.origin_mm)
        indices: FloatArray = (offset @ np.linalg.inv(self.steps_mm).T)[..., ::-1]
        return indices

    def is_same_as(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids have the same voxels in the same places."""
        if self.shape != other.shape:
            return False
        corners = np.array(
            [[z, y, x] for z in (0, self.shape[0]) for y in (0, self.shape[1]) for x in (0, self.shape[2])]
        )
        return bool(np.abs(self.points_mm(corners) - other.points_mm(corners)).max() <= tolerance_mm)

    def cropped(self, lower_zyx: NDArray[Any], upper_zyx: NDArray[Any]) -> Geometry:
        """The grid of `array[lower:upper]` (upper exclusive)."""
        depth, rows, columns = (int(high - low) for low, high in zip(lower_zyx, upper_zyx, strict=True))
        x, y, z = (float(value) for value in self.points_mm(np.asarray(lower_zyx)))
        return replace(self, shape=(depth, rows, columns), origin_mm=(x, y, z))


@dataclass(frozen=True)
class Volume:
    """Voxels `(z, y, x)` on a grid."""

    voxels: NDArray[Any]
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.voxels.shape != self.geometry.shape:
            raise ValueError(f"voxels {self.voxels.shape} do not fill the grid {self.geometry.shape}")

    def cropped(self, lower_zyx: NDArray[Any], upper_zyx: NDArray[Any]) -> Volume:
        """The part `lower:upper` (upper exclusive), clipped to the volume; a view."""
        lower = np.clip(np.asarray(lower_zyx, dtype=int), 0, self.voxels.shape)
        upper = np.clip(np.asarray(upper_zyx, dtype=int), lower, self.voxels.shape)
        part = self.voxels[tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))]
        return Volume(part, self.geometry.cropped(lower, upper))


def bounding_box(mask: NDArray[np.bool_], margin: int = 0) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Lower and (exclusive) upper index of the true voxels, widened by `margin` voxels within the array.

    Raises `ValueError` when no voxel is true.
    """
    lower, upper = [], []
    for axis in range(mask.ndim):
        occupied = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        if occupied.size == 0:
            raise ValueError("the mask is empty")
        lower.append(max(int(occupied[0]) - margin, 0))
        upper.append(min(int(occupied[-1]) + 1 + margin, mask.shape[axis]))
    return np.array(lower), np.array(upper)


def read_volume(path: Path | str) -> Volume:
    """Read one NIfTI, NRRD or MHA volume with ITK.

    Raises `OSError` when it cannot be read, is cut short or damaged, names data elsewhere, or is not 3-D.
    """
    import SimpleITK as sitk

    refuse_unsound_file(Path(path))
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise OSError(f"not a readable volume: {Path(path).name}") from error
    return from_sitk(image)


def refuse_unsound_file(path: Path) -> None:
    """Raises `OSError` for a file that ITK would read wrongly without a word, or wait for without an end."""
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")) and path.is_file():
        refuse_damaged_nifti(path)
    if name.endswith(DETACHABLE) and path.is_file():
        refuse_foreign_data(path)


def write_volume(volume: Volume, path: Path | str) -> None:
    """Write a volume (format by suffix), whole or not at all."""
    import SimpleITK as sitk

    with written_whole(Path(path)) as part:
        sitk.WriteImage(to_sitk(volume), str(part), useCompression=True)


def from_sitk(image: Any) -> Volume:
    """A SimpleITK image as a Volume.  Raises `OSError` when it is not a scalar 3-D image."""
    import SimpleITK as sitk

    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise OSError(f"expected one scalar 3-D volume, found {image.GetDimension()} dimensions")
    voxels = sitk.GetArrayFromImage(image)
    geometry = Geometry(
        shape=voxels.shape,
        spacing_mm=image.GetSpacing(),
        origin_mm=image.GetOrigin(),
        direction=np.asarray(image.GetDirection()).reshape(3, 3),
    )
    return Volume(voxels, geometry)


def to_sitk(volume: Volume) -> Any:
    """A Volume as a SimpleITK image (boolean voxels become uint8)."""
    import SimpleITK as sitk

    voxels = volume.voxels.astype(np.uint8) if volume.voxels.dtype == np.bool_ else volume.voxels
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels))
    image.SetSpacing([float(value) for value in volume.geometry.spacing_mm])
    image.SetOrigin([float(value) for value in volume.geometry.origin_mm])
    image.SetDirection([float(value) for value in np.asarray(volume.geometry.direction).ravel()])
    return image


def resampled(volume: Volume, geometry: Geometry, interpolation: Interpolation, outside: float) -> Volume:
    """`volume` on another grid; points outside of it become `outside`.

    Interpolated values of whole-number images are rounded: ITK would cut them off, which lowers HU by half a unit.
    """
    import SimpleITK as sitk

    kind = volume.voxels.dtype
    is_rounded = interpolation != "nearest" and np.issubdtype(kind, np.integer)
    source = Volume(volume.voxels.astype(np.float32), volume.geometry) if is_rounded else volume
    interpolator = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor, "cubic": sitk.sitkBSpline}
    image = sitk.Resample(
        to_sitk(source),
        [int(count) for count in geometry.shape[::-1]],
        sitk.Transform(),
        interpolator[interpolation],
        [float(value) for value in geometry.origin_mm],
        [float(value) for value in geometry.spacing_mm],
        [float(value) for value in np.asarray(geometry.direction).ravel()],
        float(outside),
    )
    result = from_sitk(image)
    if not is_rounded:
        return result
    limits = np.iinfo(kind)
    return Volume(np.clip(np.rint(result.voxels), limits.min, limits.max).astype(kind), result.geometry)


def oriented_lps(volume: Volume) -> Volume:
    """The same voxels with axes permuted and flipped so that x, y, z run closest to left, posterior, superior.

    No value is interpolated: an oblique grid stays oblique.
    """
    import SimpleITK as sitk

    return from_sitk(sitk.DICOMOrient(to_sitk(volume), "LPS"))
