"""Slices that do not form a regular orthogonal grid, put on one.

Each step interpolates only in the direction that needs it: a tilted gantry within the planes, uneven or missing slices
between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spongiosa.volume import FloatArray


def fill_gaps(voxels: NDArray[Any], steps: Sequence[int]) -> NDArray[Any]:
    """Slices (n, rows, columns) whose neighbours are `steps` (n - 1) usual distances apart, gaps filled linearly.

    Measured slices stay as they are.
    """
    numbers = np.concatenate([[0], np.cumsum(steps)])
    return resample_planes(voxels, numbers.astype(float), np.arange(numbers[-1] + 1, dtype=float))


def resample_planes(voxels: NDArray[Any], locations: FloatArray, wanted: FloatArray) -> NDArray[Any]:
    """Planes at `wanted` places from planes (n, rows, columns) at ascending `locations`, by linear interpolation.

    Every wanted place lies between the first and last location.
    """
    result = np.empty((len(wanted), *voxels.shape[1:]), dtype=voxels.dtype)
    for index, place in enumerate(wanted):
        above = int(np.clip(np.searchsorted(locations, place), 1, len(locations) - 1))
        weight = (place - locations[above - 1]) / (locations[above] - locations[above - 1])
        if weight <= 0.0 or weight >= 1.0:
            result[index] = voxels[above - 1 if weight <= 0.0 else above]
            continue
        blend = (1.0 - weight) * voxels[above - 1] + weight * voxels[above].astype(np.float64)
        result[index] = np.rint(blend) if np.issubdtype(voxels.dtype, np.integer) else blend
    return result


def shift_planes(
    voxels: NDArray[Any], offsets_px: FloatArray, outside: float
) -> tuple[NDArray[Any], tuple[float, float]]:
    """Planes (n, rows, columns) moved by `offsets_px` (n, 2: rows, columns) within themselves, on a common raster.

    The raster is widened to hold them all; what no plane covers becomes `outside`.  Also returns where its first pixel
    lies, in pixels from the unshifted one.  Linear interpolation in each direction.
    """
    lower = np.floor(offsets_px.min(axis=0))
    upper = np.ceil(offsets_px.max(axis=0))
    rows, columns = (int(size) for size in np.asarray(voxels.shape[1:]) + (upper - lower))
    result = np.full((len(voxels), rows, columns), outside, dtype=voxels.dtype)
    for plane, offset, target in zip(voxels, offsets_px - lower, result, strict=True):
        _place(plane, offset, target, outside)
    return result, (float(lower[0]), float(lower[1]))


def _place(plane: NDArray[Any], offset_px: FloatArray, target: NDArray[Any], outside: float) -> None:
    """Draw `plane` into `target` with its first pixel at the fractional index `offset_px`."""
    moved: NDArray[Any] = plane
    starts: list[int] = []
    for axis in (0, 1):
        start = int(np.floor(offset_px[axis]))
        fraction = float(offset_px[axis] - start)
        starts.append(start)
        if fraction > 0.0:
            # A pixel of the target lies `fraction` behind a pixel of the plane: it blends that one and the one before.
            edge = np.full_like(np.take(moved, [0], axis=axis), outside, dtype=np.float64)
            before = np.concatenate([edge, moved], axis=axis)
            behind = np.concatenate([moved, edge], axis=axis)
            moved = fraction * before + (1.0 - fraction) * behind
    if np.issubdtype(target.dtype, np.integer) and moved.dtype != target.dtype:
        moved = np.rint(moved)
    rows = min(moved.shape[0], target.shape[0] - starts[0])
    columns = min(moved.shape[1], target.shape[1] - starts[1])
    target[starts[0] : starts[0] + rows, starts[1] : starts[1] + columns] = moved[:rows, :columns]
