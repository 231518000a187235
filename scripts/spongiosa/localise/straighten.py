"""The straightened column: the scan resampled along the bodies, with the canal as its origin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray
from spongiosa.localise.canal import CanalTrack
from spongiosa.volume import AIR_HU, Volume

STEP_MM = 1.0
#: Smoothing of the tracked path (Gaussian SD, mm): the path wavers with the pedicles, and a waver fans the planes.
LATERAL_SMOOTHING_MM, SAGITTAL_SMOOTHING_MM = 16.0, 15.0
#: How far the curve is continued straight beyond the tracked canal, mm: the plates near the end are tilted to it.
CONTINUATION_MM = 25.0
#: Distance from the canal to the axis of the bodies, and smoothing of that axis, mm.
BODY_AXIS_MM = 26.0
AXIS_SMOOTHING_MM = 10.0


@dataclass(frozen=True)
class ColumnCurve:
    """The smooth column: at 1 mm steps along the axis of the bodies, from cranial to caudal, the middle of the canal
    (LPS points) and unit vectors left, posterior and superior across and along the bodies.

    All arrays have shape (n, 3); `is_tracked` marks the part that is not a continuation.
    """

    points_mm: FloatArray
    left: FloatArray
    posterior: FloatArray
    superior: FloatArray
    is_tracked: NDArray[np.bool_]

    def lps_mm(self, along: FloatArray, left_mm: FloatArray, anterior_mm: FloatArray) -> FloatArray:
        """LPS points at continuous positions along the curve (mm from its cranial end) and offsets in its planes."""
        place = np.clip(np.asarray(along) / STEP_MM, 0, len(self.points_mm) - 1)
        count = np.arange(len(self.points_mm))
        centre = np.stack([np.interp(place, count, column) for column in self.points_mm.T], axis=-1)
        nearest = np.clip(np.rint(place).astype(int), 0, len(self.points_mm) - 1)
        points: FloatArray = (
            centre
            + np.asarray(left_mm)[..., None] * self.left[nearest]
            - np.asarray(anterior_mm)[..., None] * self.posterior[nearest]
        )
        return points


def column_curve(track: CanalTrack) -> ColumnCurve:
    """Smooth the tracked canal and straighten along the bodies in front of it.

    The canal gives the place of the bodies, but not their direction: at L5 and S1 it runs up to 40 degrees off their
    axis.  A curve `BODY_AXIS_MM` in front of the canal runs through the bodies whatever its planes' tilt, and its own
    planes are those of the bodies.
    """
    path = track.points_mm[::-1]  # cranial first
    slice_mm = float(np.abs(np.median(np.diff(path[:, 2])))) if len(path) > 1 else 1.0
    canal = np.column_stack(
        [
            _smoothed(path[:, 0], LATERAL_SMOOTHING_MM / slice_mm),
            _smoothed(path[:, 1], SAGITTAL_SMOOTHING_MM / slice_mm),
            path[:, 2],
        ]
    )
    canal = _continued(_even_steps(canal))
    _, posterior, _ = _frames(canal)
    axis = _even_steps(np.column_stack([_smoothed(c, AXIS_SMOOTHING_MM) for c in (canal - BODY_AXIS_MM * posterior).T]))
    left, posterior, superior = _frames(axis)
    return ColumnCurve(*_on_canal(axis, left, posterior, superior, canal, track))


def _on_canal(
    axis: FloatArray,
    left: FloatArray,
    posterior: FloatArray,
    superior: FloatArray,
    canal: FloatArray,
    track: CanalTrack,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, NDArray[np.bool_]]:
    """Where the planes of the axis cut the canal, their frames, and whether the canal was tracked there."""
    offsets = canal[None] - axis[:, None]
    height = np.einsum("aci,ai->ac", offsets, superior)
    far = np.linalg.norm(offsets, axis=2) > 2.0 * BODY_AXIS_MM
    nearest = np.argmin(np.abs(height) + 1e3 * far, axis=1)
    cut = offsets[np.arange(len(axis)), nearest]
    behind = ndimage.gaussian_filter1d((cut * posterior).sum(axis=1), 10.0, mode="nearest")
    beside = ndimage.gaussian_filter1d((cut * left).sum(axis=1), 10.0, mode="nearest")
    points = axis + behind[:, None] * posterior + beside[:, None] * left
    z = track.points_mm[:, 2]
    tracked = (points[:, 2] >= z.min()) & (points[:, 2] <= z.max())
    return points, left, posterior, superior, tracked


def _even_steps(path: FloatArray) -> FloatArray:
    """The path at steps of 1 mm of its length."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    along = np.arange(0.0, length[-1] + STEP_MM / 2, STEP_MM)
    return np.column_stack([np.interp(along, length, column) for column in path.T])


def _continued(path: FloatArray) -> FloatArray:
    """The path with a straight continuation at both ends."""
    reach = min(len(path) - 1, 20)
    up = (path[0] - path[reach]) / max(float(np.linalg.norm(path[0] - path[reach])), 1e-6)
    down = (path[-1] - path[-1 - reach]) / max(float(np.linalg.norm(path[-1] - path[-1 - reach])), 1e-6)
    steps = np.arange(1, round(CONTINUATION_MM / STEP_MM) + 1)[:, None] * STEP_MM
    return np.concatenate([(path[0] + steps * up)[::-1], path, path[-1] + steps * down])


def _frames(path: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Unit vectors left, posterior and superior of a path from cranial to caudal."""
    tangent = ndimage.gaussian_filter1d(np.gradient(path, axis=0), 8.0, axis=0, mode="nearest")
    superior = -tangent / np.linalg.norm(tangent, axis=1, keepdims=True)
    across = np.array([1.0, 0.0, 0.0]) - superior[:, :1] * superior
    left = across / np.linalg.norm(across, axis=1, keepdims=True)
    return left, np.cross(superior, left), superior


def _smoothed(values: FloatArray, sigma: float) -> FloatArray:
    """Gaussian smoothing whose ends continue the line of the data, so that they do not bend to the last value."""
    pad = int(3 * sigma) + 1
    count = min(len(values), max(3, int(2 * sigma)))
    places = np.arange(len(values))
    first = np.polyfit(places[:count], values[:count], 1)
    last = np.polyfit(places[-count:], values[-count:], 1)
    before = np.polyval(first, np.arange(-pad, 0))
    after = np.polyval(last, np.arange(len(values), len(values) + pad))
    padded = np.concatenate([before, values, after])
    smooth: FloatArray = ndimage.gaussian_filter1d(padded, sigma)[pad : pad + len(values)]
    return smooth


@dataclass(frozen=True)
class StraightColumn:
    """HU in the column's frame: axis 0 along (1 mm, from cranial), 1 anterior to the canal, 2 to the patient's left.

    `anterior_mm` and `left_mm` are the offsets of the samples; NaN marks points outside of the scan.
    """

    hu: NDArray[np.float32]
    anterior_mm: FloatArray
    left_mm: FloatArray
    curve: ColumnCurve


def straightened(
    working: Volume, curve: ColumnCurve, anterior_mm: tuple[float, float], lateral_mm: float, step_mm: float = 2.0
) -> StraightColumn:
    """Resample the working copy (trilinear) along the curve, `step_mm` apart in its planes."""
    anterior = np.arange(anterior_mm[0], anterior_mm[1] + step_mm / 2, step_mm)
    left = np.arange(-lateral_mm, lateral_mm + step_mm / 2, step_mm)
    indices = [
        working.geometry.indices_zyx(point + left[None, :, None] * sideways - anterior[:, None, None] * backwards)
        for point, sideways, backwards in zip(curve.points_mm, curve.left, curve.posterior, strict=True)
    ]
    stacked = np.moveaxis(np.stack(indices), -1, 0)
    hu = ndimage.map_coordinates(working.voxels, stacked, order=1, mode="nearest", output=np.float32)
    last = np.array(working.voxels.shape)[:, None, None, None] - 0.5
    hu[((stacked < -0.5) | (stacked > last)).any(axis=0)] = np.nan
    hu[hu <= AIR_HU] = np.nan
    return StraightColumn(hu, anterior, left, curve)
