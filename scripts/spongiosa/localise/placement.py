"""Whether a label map lies on its vertebrae: the image's word on the map mirrored, and on the map moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from spongiosa.anatomy.frame import FloatArray
from spongiosa.volume import Volume, bounding_box

#: HU are clipped to this range, so that metal and air do not outweigh bone and soft tissue.
CLIPPED_HU = (-100.0, 400.0)
#: Voxels nearer than about 3 mm share their noise and their tissue: so much volume makes one observation, mm3.
OBSERVATION_MM3 = 27.0
#: The image decides between two places of a map from this difference on: HU, and standard errors.
DECIDING_HU, DECIDING_ERRORS = 20.0, 2.5
#: The map is moved by up to this in every direction, in steps of this; less than half a vertebral pitch, mm.
SEARCHED_MM, STEP_MM = 18.0, 3.0
#: Width of the shell about the vertebrae that is compared with what lies inside, mm.
SHELL_MM = 6.0
#: A move of less than this is within the errors of maps and of the search, mm; a longer one is believed when bone
#: stands out from its surroundings by so much more there.
LEAST_MOVE_MM, GAIN, GAIN_HU = 6.0, 1.25, 10.0


@dataclass(frozen=True)
class Mirrored:
    """A map against its mirror image, in the voxels where they differ by more than a voxel.

    `volume_mm3`: how much of the map that is; `hu_difference`: mean HU of the map's part minus that of the mirror's;
    `error_hu`: its standard error; `own`, `other`: the voxels (z, y, x) of the scan in which only the map, and only
    its mirror image, lies.
    """

    volume_mm3: float
    hu_difference: float
    error_hu: float
    own: tuple[NDArray[np.intp], ...]
    other: tuple[NDArray[np.intp], ...]

    @property
    def is_preferred(self) -> bool:
        """Whether the image says that the mirror image is the right one."""
        return self.hu_difference < -self._decides_hu

    @property
    def is_undecided(self) -> bool:
        """Whether the image says nothing about which of the two is right."""
        return abs(self.hu_difference) <= self._decides_hu

    @property
    def _decides_hu(self) -> float:
        return max(DECIDING_HU, DECIDING_ERRORS * self.error_hu)


def mirrored(scan: Volume, vertebrae: Volume) -> list[Mirrored]:
    """The map against its mirror images about the middle of the scan's grid and about its own.

    These are what an exchanged left and right makes of a map of the whole field and of a crop, whether in the voxels or
    in the sign of the header.  Labels of vertebrae have no side, so that a mirror image that differs nowhere by more
    than a voxel is left out: no image could tell it, and no measurement would change.
    """
    axis = 2 - int(np.abs(np.asarray(scan.geometry.direction)[0]).argmax())  # the array's axis from right to left
    lower, upper = bounding_box(vertebrae.voxels > 0)
    middles = {scan.geometry.shape[axis] - 1, int(lower[axis] + upper[axis]) - 1}
    found = [_against_mirror(scan, vertebrae, axis, twice_the_middle) for twice_the_middle in sorted(middles)]
    return [comparison for comparison in found if comparison is not None]


def _against_mirror(scan: Volume, vertebrae: Volume, axis: int, twice_the_middle: int) -> Mirrored | None:
    lower, upper = bounding_box(vertebrae.voxels > 0)
    size = vertebrae.voxels.shape[axis]
    first = max(min(int(lower[axis]), twice_the_middle - int(upper[axis]) + 1), 0)
    last = min(max(int(upper[axis]), twice_the_middle - int(lower[axis]) + 1), size)
    start, stop = lower.copy(), upper.copy()
    start[axis], stop[axis] = first, last
    box = tuple(slice(int(low), int(high)) for low, high in zip(start, stop, strict=True))
    mask = vertebrae.voxels[box] > 0
    from_index = twice_the_middle - np.arange(first, last)
    inside = (from_index >= 0) & (from_index < size)
    whole = list(box)
    whole[axis] = slice(None)
    taken = np.take(vertebrae.voxels[tuple(whole)], np.clip(from_index, 0, size - 1), axis=axis) > 0
    shape = [1, 1, 1]
    shape[axis] = -1
    mirror = taken & inside.reshape(shape)
    own = np.nonzero(mask & ~_widened(mirror))
    other = np.nonzero(mirror & ~_widened(mask))
    if len(own[0]) == 0 or len(other[0]) == 0:
        return None
    hu = scan.voxels[box]
    values = [np.clip(hu[part].astype(np.float64), *CLIPPED_HU) for part in (own, other)]
    voxel_mm3 = vertebrae.geometry.voxel_volume_mm3
    variances = [part.var() / max(len(part) * voxel_mm3 / OBSERVATION_MM3, 1.0) for part in values]
    return Mirrored(
        volume_mm3=len(own[0]) * voxel_mm3,
        hu_difference=float(values[0].mean() - values[1].mean()),
        error_hu=float(np.sqrt(sum(variances))),
        own=tuple(index + side for index, side in zip(own, start, strict=True)),
        other=tuple(index + side for index, side in zip(other, start, strict=True)),
    )


def _widened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask with every voxel that touches it."""
    wide: NDArray[np.uint8] = ndimage.maximum_filter(mask.astype(np.uint8), size=3)
    return wide > 0


@dataclass(frozen=True)
class BestPlace:
    """The move of a map by which bone stands out most from its surroundings: LPS mm, and the contrasts in HU."""

    move_mm: FloatArray
    contrast_here_hu: float
    contrast_there_hu: float

    @property
    def is_elsewhere(self) -> bool:
        """Whether the image says that the map belongs elsewhere."""
        is_far = float(np.linalg.norm(self.move_mm)) >= LEAST_MOVE_MM
        return is_far and self.contrast_there_hu > GAIN * max(self.contrast_here_hu, 0.0) + GAIN_HU


def best_place(scan: Volume, vertebrae: Volume) -> BestPlace:
    """Where the map fits the image best when it is moved as a whole by up to `SEARCHED_MM` along each axis of the grid.

    The fit is the contrast of the vertebrae: mean HU inside minus mean HU in a shell of `SHELL_MM` about them, both
    clipped; for all moves at once by one convolution on a grid of about `STEP_MM`.
    """
    spacing = np.array(scan.geometry.spacing_mm[::-1])
    stride = np.maximum(1, np.rint(STEP_MM / spacing)).astype(int)
    step_mm = spacing * stride
    reach = np.floor(SEARCHED_MM / step_mm).astype(int)
    shell = np.ceil(SHELL_MM / step_mm).astype(int)
    lower, upper = bounding_box(vertebrae.voxels > 0)
    # Both crops begin at the same voxel of the decimated grid; outside of the scan there is what its edge shows.
    near_low = lower // stride - shell
    near_high = -(-upper // stride) + shell + 1
    mask = _decimated(vertebrae.voxels, near_low, near_high, stride, fill=0) > 0
    hu = np.clip(_decimated(scan.voxels, near_low - reach, near_high + reach, stride, fill=None), *CLIPPED_HU)
    distance = ndimage.distance_transform_edt(~mask, sampling=step_mm)
    around = (distance > 0) & (distance <= SHELL_MM)
    kernel = mask / max(mask.sum(), 1) - around / max(around.sum(), 1)
    contrast = signal.fftconvolve(hu - hu.mean(), kernel[::-1, ::-1, ::-1], mode="valid")
    best = np.unravel_index(int(contrast.argmax()), contrast.shape)
    move_zyx = (np.array(best) - reach) * step_mm
    return BestPlace(
        move_mm=np.asarray(scan.geometry.direction, dtype=np.float64) @ move_zyx[::-1],
        contrast_here_hu=float(contrast[tuple(reach)]),
        contrast_there_hu=float(contrast[best]),
    )


def _decimated(
    voxels: NDArray[np.generic],
    low: NDArray[np.intp],
    high: NDArray[np.intp],
    stride: NDArray[np.intp],
    fill: int | None,
) -> FloatArray:
    """Every `stride`-th voxel from index `low` to below `high` of the decimated grid, padded by `fill` or the edge."""
    indices = [np.arange(first, last) * step for first, last, step in zip(low, high, stride, strict=True)]
    clipped = [np.clip(index, 0, size - 1) for index, size in zip(indices, voxels.shape, strict=True)]
    part = voxels[np.ix_(*clipped)].astype(np.float64)
    if fill is not None:
        for axis, (index, size) in enumerate(zip(indices, voxels.shape, strict=True)):
            outside = np.flatnonzero((index < 0) | (index >= size))
            part[(slice(None),) * axis + (outside,)] = fill
    return part


def shares(volume: Volume, places: Iterable[tuple[NDArray[np.intp], ...]]) -> list[float]:
    """Share of each set of voxels that is labelled in `volume`."""
    return [float((volume.voxels[place] > 0).mean()) for place in places]
