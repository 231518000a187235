"""Where the continuous anatomy is looked at: the voxels of a scan, or single points.

Anatomy is painted, structure over structure, through a `Canvas`. On a grid the boundary of a structure covers a
fraction of a voxel (partial volume); on points it is a step, which gives the noise-free continuous field itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.image import SyntheticImage

Floats = NDArray[np.floating[Any]]
Index = tuple[slice, ...] | slice | NDArray[np.intp]
_SLAB_SAMPLES = 1_500_000


@dataclass(frozen=True)
class Frame:
    """A local right-handed frame: `origin_mm` in LPS, `axes` 3 x 3 with the local axes in LPS as columns.

    In the frame of a vertebra the axes point to the patient's left (u), posterior (v) and superior (w).
    """

    origin_mm: NDArray[np.float64]
    axes: NDArray[np.float64]

    def to_lps(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """LPS positions of local points, both of shape (n, 3), mm."""
        return np.asarray(points, dtype=np.float64) @ self.axes.T + self.origin_mm

    def to_local(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Local positions of LPS points, both of shape (n, 3), mm."""
        local: NDArray[np.float64] = (np.asarray(points, dtype=np.float64) - self.origin_mm) @ self.axes
        return local


PATIENT_FRAME = Frame(np.zeros(3), np.eye(3))


@dataclass(frozen=True)
class Box:
    """A box in a local frame: lower and upper corner, mm."""

    lower: tuple[float, float, float]
    upper: tuple[float, float, float]

    def corners(self) -> NDArray[np.float64]:
        """The eight corners, shape (8, 3)."""
        return np.array(
            [[(self.lower, self.upper)[(k >> axis) & 1][axis] for axis in range(3)] for k in range(8)], dtype=np.float64
        )


@dataclass(frozen=True)
class Window:
    """The part of a sampling that a box touches, and the coordinates there.

    Coordinates have shape (slices, sub-slices, rows, columns) on a grid and (points,) on points.
    """

    u: Floats
    v: Floats
    w: Floats
    width_mm: float
    _basis: NDArray[np.float64] | None
    _offset: NDArray[np.float64] | None

    def crop(self, box: Box) -> Index:
        """Index of the part of the window's arrays that a box in the same frame touches."""
        if self._basis is None or self._offset is None:
            inside = np.ones(self.u.shape, dtype=bool)
            for c, low, high in zip((self.u, self.v, self.w), box.lower, box.upper, strict=True):
                inside &= (c >= low) & (c <= high)
            return np.flatnonzero(inside)
        lower, upper = _index_range(box.corners(), self._basis, self._offset, margin=1.0)
        shape = (self.u.shape[3], self.u.shape[2], self.u.shape[0])
        x, y, z = (slice(max(lower[k], 0), max(min(upper[k], shape[k]), 0)) for k in range(3))
        return (z, slice(None), y, x)

    def coverage(self, distance_mm: Floats) -> Floats:
        """Fraction of each sample inside a surface, from the signed distance (negative inside).

        A plane across a voxel of width h leaves clip(1/2 - d/h, 0, 1) inside; for points h is 0.
        """
        if self.width_mm == 0.0:
            return (distance_mm < 0.0).astype(np.float32)
        return np.asarray(np.clip(np.float32(0.5) - distance_mm * np.float32(1.0 / self.width_mm), 0.0, 1.0))


def _index_range(
    corners: NDArray[np.float64], basis: NDArray[np.float64], offset: NDArray[np.float64], margin: float
) -> tuple[list[int], list[int]]:
    """Half-open range of (x, y, z) indices whose positions `basis @ index + offset` may lie among the corners."""
    indices = np.linalg.solve(basis, (corners - offset).T)
    lower = np.floor(indices.min(axis=1) - margin).astype(int)
    upper = np.ceil(indices.max(axis=1) + margin).astype(int) + 1
    return lower.tolist(), upper.tolist()


@dataclass(frozen=True)
class Grid:
    """Voxel centres `origin_mm + steps_mm @ (column, row, slice)` and the slice profile around them.

    `steps_mm` is 3 x 3; its columns are the steps per column, row and slice. A slice is a box `thickness_mm` thick
    along `normal`, looked at in sub-slices no thicker than about the in-plane voxel.
    """

    origin_mm: NDArray[np.float64]
    steps_mm: NDArray[np.float64]
    shape: tuple[int, int, int]
    thickness_mm: float

    @cached_property
    def normal(self) -> NDArray[np.float64]:
        """Unit normal of the slices."""
        normal = np.cross(self.steps_mm[:, 0], self.steps_mm[:, 1])
        unit: NDArray[np.float64] = normal / np.linalg.norm(normal)
        return unit

    @property
    def in_plane_mm(self) -> float:
        return float(np.linalg.norm(self.steps_mm[:, 0]))

    def image(self, voxels: NDArray[np.generic]) -> SyntheticImage:
        """Voxels of this grid, shape (slices, rows, columns), as an image."""
        spacing = np.linalg.norm(self.steps_mm, axis=0)
        x, y, z = (float(s) for s in spacing)
        a, b, c = (float(o) for o in self.origin_mm)
        return SyntheticImage(voxels, (x, y, z), (a, b, c), self.steps_mm / spacing)

    def sub_slice_offsets_mm(self) -> NDArray[np.float64]:
        """Positions of the sub-slices across one slice, mm along the normal."""
        count = max(1, round(self.thickness_mm / max(self.in_plane_mm, 1.0)))
        return ((np.arange(count) + 0.5) / count - 0.5) * self.thickness_mm


class Canvas:
    """Samples of the anatomy being painted. One of the two subclasses below."""

    values: Floats

    def window(self, frame: Frame, box: Box, fine: bool = True) -> tuple[Window, Index] | None:
        """The window that a box of a local frame touches, with its place in `values`; None when they do not meet."""
        raise NotImplementedError

    def average(self, samples: Floats) -> Floats:
        """Samples of a window brought to the resolution of `values`."""
        raise NotImplementedError

    def paint(self, place: Index, coverage: Floats, contribution: Floats) -> None:
        """Lay a structure over what is there: values = (1 - coverage) values + contribution, after averaging."""
        target = self.values[place]
        target *= 1.0 - self.average(coverage)
        target += self.average(contribution)
        self.values[place] = target

    def mark(self, place: Index, vertebra: Floats, body: Floats, label: int) -> None:
        """Note a vertebra in the label maps, where the canvas has any."""

    def slabs(self, frame: Frame, box: Box) -> Iterator[tuple[Window, Index]]:
        """The coarse window of a large box, in pieces that bound the memory; each sample comes once."""
        found = self.window(frame, box, fine=False)
        if found is not None:
            yield found


class GridCanvas(Canvas):
    """The voxels of a scan, float32, shape (slices, rows, columns)."""

    def __init__(self, grid: Grid, fill: float) -> None:
        self.grid = grid
        self.values = np.full(grid.shape, fill, dtype=np.float32)
        self.vertebrae = np.zeros(grid.shape, dtype=np.uint8)
        self.bodies = np.zeros(grid.shape, dtype=np.uint8)
        self._offsets = grid.sub_slice_offsets_mm()

    def window(self, frame: Frame, box: Box, fine: bool = True) -> tuple[Window, Index] | None:
        ranges = self._ranges(frame, box)
        return None if ranges is None else self._window(frame, *ranges, fine)

    def slabs(self, frame: Frame, box: Box) -> Iterator[tuple[Window, Index]]:
        ranges = self._ranges(frame, box)
        if ranges is None:
            return
        x, y, z = ranges
        step = max(1, _SLAB_SAMPLES // (len(x) * len(y)))
        for start in range(z.start, z.stop, step):
            yield self._window(frame, x, y, range(start, min(start + step, z.stop)), fine=False)

    def _ranges(self, frame: Frame, box: Box) -> tuple[range, range, range] | None:
        basis = frame.axes.T @ self.grid.steps_mm
        offset = frame.axes.T @ (self.grid.origin_mm - frame.origin_mm)
        lower, upper = _index_range(box.corners(), basis, offset, margin=1.0 + self._slice_margin())
        nz, ny, nx = self.grid.shape
        x, y, z = (range(max(lo, 0), min(hi, n)) for lo, hi, n in zip(lower, upper, (nx, ny, nz), strict=True))
        return (x, y, z) if len(x) and len(y) and len(z) else None

    def _window(self, frame: Frame, x: range, y: range, z: range, fine: bool) -> tuple[Window, Index]:
        basis = frame.axes.T @ self.grid.steps_mm
        offset = frame.axes.T @ (self.grid.origin_mm - frame.origin_mm)
        offsets = self._offsets if fine else np.zeros(1)
        along = frame.axes.T @ self.grid.normal
        coordinates = [
            (
                (basis[k, 2] * np.asarray(z) + offset[k]).astype(np.float32)[:, None, None, None]
                + (along[k] * offsets).astype(np.float32)[None, :, None, None]
                + (basis[k, 1] * np.asarray(y)).astype(np.float32)[None, None, :, None]
                + (basis[k, 0] * np.asarray(x)).astype(np.float32)[None, None, None, :]
            )
            for k in range(3)
        ]
        start = np.array([x.start, y.start, z.start], dtype=np.float64)
        thickness = self.grid.thickness_mm / len(offsets)
        width = float(np.cbrt(self.grid.in_plane_mm**2 * min(thickness, 3.0)))
        u, v, w = coordinates
        window = Window(u, v, w, width, basis, offset + basis @ start)
        return window, (slice(z.start, z.stop), slice(y.start, y.stop), slice(x.start, x.stop))

    def _slice_margin(self) -> float:
        return self.grid.thickness_mm / 2.0 / float(np.abs(self.grid.normal @ self.grid.steps_mm[:, 2]))

    def mark(self, place: Index, vertebra: Floats, body: Floats, label: int) -> None:
        """Voxels at least half filled take the label; a vertebra does not overwrite its cranial neighbour."""
        for labels, coverage in ((self.vertebrae, vertebra), (self.bodies, body)):
            target = labels[place]
            target[(self.average(coverage) >= 0.5) & (target == 0)] = label
            labels[place] = target

    def average(self, samples: Floats) -> Floats:
        return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)


class PointCanvas(Canvas):
    """Single points of the continuous field; `points_lps_mm` has shape (n, 3)."""

    def __init__(self, points_lps_mm: NDArray[np.float64], fill: float) -> None:
        self.points = np.asarray(points_lps_mm, dtype=np.float64)
        self.values = np.full(len(self.points), fill, dtype=np.float32)
        self._extent = (self.points.min(axis=0), self.points.max(axis=0)) if len(self.points) else None

    def window(self, frame: Frame, box: Box, fine: bool = True) -> tuple[Window, Index] | None:  # noqa: ARG002
        if self._extent is None:
            return None
        corners = frame.to_lps(box.corners())
        if np.any(corners.max(axis=0) < self._extent[0]) or np.any(corners.min(axis=0) > self._extent[1]):
            return None
        local = frame.to_local(self.points)
        inside = np.flatnonzero(np.all((local >= box.lower) & (local <= box.upper), axis=1))
        if len(inside) == 0:
            return None
        u, v, w = np.ascontiguousarray(local[inside].T, dtype=np.float32)
        return Window(u, v, w, 0.0, None, None), inside

    def average(self, samples: Floats) -> Floats:
        return samples
