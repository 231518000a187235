"""How much of each voxel a shape covers.

A shape answers, for points in LPS mm, how far inside of it they lie: `depth_mm(points)` is positive inside, negative
outside, and changes by at most 1 mm per mm.  Voxels that are surely inside or outside are decided by their centre; the
others are divided into cells of about half a millimetre, and their weight is the share of cells that lie inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spongiosa.volume import FloatArray, Geometry

#: Edge of the cells into which a boundary voxel is divided.  [mm]
CELL_MM = 0.5

#: Cells along the smallest edge of a voxel that an oblique plane cuts; fewer alias with the voxels.
CELLS_PER_VOXEL = 4


class Shape(Protocol):
    """Anything that can say how deep points lie inside of it."""

    def depth_mm(self, points_mm: FloatArray) -> FloatArray:
        """Depth of LPS points, shape (n, 3), inside the shape: positive inside, 1-Lipschitz.  [mm]"""


@dataclass(frozen=True)
class PlaneAxes:
    """A plane with its own coordinates: axes u (towards the patient's left) and v (posterior)."""

    point_mm: FloatArray
    u: FloatArray
    v: FloatArray

    @property
    def normal(self) -> FloatArray:
        """Unit normal, superior for u = left and v = posterior."""
        return np.cross(self.u, self.v)

    def coordinates_mm(self, points_mm: FloatArray) -> FloatArray:
        """(u, v, along the normal) of LPS points, shape (..., 3)."""
        return np.asarray((points_mm - self.point_mm) @ np.stack([self.u, self.v, self.normal]).T)

    def points_mm(self, u_mm: FloatArray, v_mm: FloatArray) -> FloatArray:
        """LPS points of in-plane coordinates, shape (..., 3)."""
        return np.asarray(self.point_mm + u_mm[..., None] * self.u + v_mm[..., None] * self.v)


@dataclass(frozen=True)
class VoxelWeights:
    """Sub-voxel weights on a grid: flat C-order indices into (z, y, x) and the covered share of each, in (0, 1]."""

    indices: NDArray[np.int64]
    weights: NDArray[np.float32]

    @property
    def effective_voxels(self) -> float:
        """Sum of the weights.  [voxels]"""
        return float(self.weights.sum(dtype=np.float64))


@dataclass(frozen=True)
class Box:
    """A box of voxels `lower:upper` (upper exclusive, (z, y, x)); a grid of one slice is one voxel thick."""

    lower: tuple[int, int, int]
    upper: tuple[int, int, int]

    @classmethod
    def around(cls, points_mm: FloatArray, geometry: Geometry) -> Box:
        """The voxels that the bounding box of LPS points, shape (n, 3), touches, clipped to the grid."""
        indices = geometry.indices_zyx(points_mm)
        shape = np.asarray(geometry.shape)
        low = np.clip(np.floor(indices.min(axis=0) + 0.5).astype(int), 0, shape)
        high = np.clip(np.floor(indices.max(axis=0) + 0.5).astype(int) + 1, low, shape)
        return cls((int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2])))

    def restricted(self, axis: int, index: int) -> Box:
        """The one slice `index` along `axis` of this box."""
        lower, upper = list(self.lower), list(self.upper)
        lower[axis], upper[axis] = index, index + 1
        return Box((lower[0], lower[1], lower[2]), (upper[0], upper[1], upper[2]))

    def voxel_indices(self) -> NDArray[np.int64]:
        """All voxels of the box, shape (n, 3), (z, y, x)."""
        ranges = [np.arange(low, high) for low, high in zip(self.lower, self.upper, strict=True)]
        return np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.int64)


def coverage(shape: Shape, geometry: Geometry, box: Box, flat_axis: int | None = None) -> VoxelWeights:
    """Weights of the voxels of `box` that `shape` covers.

    `flat_axis` (an index axis, z = 0) makes the measurement planar: a voxel's weight is then the covered share of its
    central section across that axis, as a region drawn on a displayed slice has no thickness of its own.
    """
    return coverage_among(shape, geometry, box.voxel_indices(), flat_axis)


def coverage_among(
    shape: Shape, geometry: Geometry, voxels: NDArray[np.int64], flat_axis: int | None = None
) -> VoxelWeights:
    """Weights of those of `voxels`, shape (n, 3) as (z, y, x) in C order, that `shape` covers; see `coverage`."""
    if voxels.size == 0:
        return VoxelWeights(np.empty(0, np.int64), np.empty(0, np.float32))
    spacing_zyx = np.asarray(geometry.spacing_mm)[::-1].copy()
    if flat_axis is not None:
        spacing_zyx[flat_axis] = 0.0
    half_diagonal_mm = float(np.linalg.norm(spacing_zyx)) / 2

    depth = shape.depth_mm(geometry.points_mm(voxels))
    weights = (depth >= half_diagonal_mm).astype(np.float32)
    boundary = np.flatnonzero(np.abs(depth) < half_diagonal_mm)
    if boundary.size:
        cells = _cell_offsets(spacing_zyx)
        points = geometry.points_mm((voxels[boundary, None, :] + cells[None, :, :]).reshape(-1, 3))
        inside = (shape.depth_mm(points) >= 0).reshape(boundary.size, len(cells))
        weights[boundary] = inside.mean(axis=1)

    covered = np.flatnonzero(weights)
    indices = np.ravel_multi_index(tuple(voxels[covered].T), geometry.shape).astype(np.int64)
    return VoxelWeights(indices, weights[covered])


def plane_coverage(shape: Shape, plane: PlaneAxes, outline_mm: FloatArray, geometry: Geometry) -> VoxelWeights:
    """Weights of the voxels that an oblique plane cuts inside `shape`, bounded by the LPS points `outline_mm`.

    A voxel's weight is the area that the plane and the shape share with it, in units of the largest section of a voxel
    with a plane of this tilt.
    """
    local = plane.coordinates_mm(outline_mm)
    (u_low, v_low), (u_high, v_high) = local[:, :2].min(axis=0), local[:, :2].max(axis=0)
    step = min(geometry.spacing_mm) / CELLS_PER_VOXEL
    u, v = np.meshgrid(np.arange(u_low, u_high + step, step), np.arange(v_low, v_high + step, step))
    points = plane.points_mm(u.reshape(-1), v.reshape(-1))
    points = points[shape.depth_mm(points) >= 0]
    voxels = np.rint(geometry.indices_zyx(points)).astype(np.int64)
    voxels = voxels[((voxels >= 0) & (voxels < geometry.shape)).all(axis=1)]
    indices, counts = np.unique(np.ravel_multi_index(tuple(voxels.T), geometry.shape), return_counts=True)
    tilt = np.abs(np.asarray(geometry.direction).T @ plane.normal)
    across = int(np.argmax(tilt))
    section_mm2 = geometry.voxel_volume_mm3 / geometry.spacing_mm[across] / tilt[across]
    weights = np.minimum(counts * step**2 / section_mm2, 1.0)
    return VoxelWeights(indices.astype(np.int64), weights.astype(np.float32))


def _cell_offsets(spacing_zyx: FloatArray) -> FloatArray:
    """Centres of the cells of a voxel as offsets from its centre, shape (n, 3), in voxels."""
    axes = []
    for spacing in spacing_zyx:
        count = 1 if spacing == 0 else max(2, int(np.ceil(spacing / CELL_MM)))
        axes.append((np.arange(count) + 0.5) / count - 0.5)
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
