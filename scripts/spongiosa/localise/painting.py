"""Found surfaces as voxels of the scan."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from spongiosa.anatomy.frame import FloatArray
from spongiosa.localise.surfaces import BodySurface
from spongiosa.volume import Geometry, Volume


def painted(geometry: Geometry, surfaces: Iterable[tuple[int, BodySurface]]) -> Volume:
    """The bodies, each a label and its surface, on a grid; where two overlap, the voxel stays with the first.

    Only the voxels of the box about a body are looked at; local coordinates are linear in the index of the slice, the
    row and the column, and are added up from three short arrays.
    """
    voxels = np.zeros(geometry.shape, dtype=np.uint8)
    for label, surface in surfaces:
        lower, upper = _box_about(geometry, surface)
        if (upper <= lower).any():
            continue
        view = voxels[tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))]
        view[_inside(geometry.cropped(lower, upper), surface) & (view == 0)] = label
    return Volume(voxels, geometry)


def _box_about(geometry: Geometry, surface: BodySurface) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Lower and (exclusive) upper index of the voxels that can lie inside of a surface."""
    low_mm, high_mm = surface.bounds_mm
    corners = np.array(list(itertools.product(*zip(low_mm, high_mm, strict=True))))
    indices = geometry.indices_zyx(corners @ surface.axes + surface.centre_mm)
    lower = np.clip(np.floor(indices.min(axis=0)).astype(int), 0, geometry.shape)
    upper = np.clip(np.ceil(indices.max(axis=0)).astype(int) + 1, 0, geometry.shape)
    return lower, upper


def _inside(geometry: Geometry, surface: BodySurface) -> NDArray[np.bool_]:
    """Which voxels of a grid lie in the body, shape (z, y, x)."""
    start = surface.axes @ (np.asarray(geometry.origin_mm) - surface.centre_mm)
    steps = surface.axes @ geometry.steps_mm  # rows left, posterior, superior; columns x, y, z index
    depth, rows, columns = (np.arange(count) for count in geometry.shape)

    def local(axis: int) -> FloatArray:
        along_z, along_y, along_x = (steps[axis, 2] * depth, steps[axis, 1] * rows, steps[axis, 0] * columns)
        sums: FloatArray = (start[axis] + along_z)[:, None, None] + along_y[:, None] + along_x
        return sums

    low_mm, high_mm = surface.bounds_mm
    left, back, up = local(0), local(1), local(2)
    widest_mm = float(surface.radius_mm.max())
    near = np.hypot(left - surface.axis_mm[0], back - surface.axis_mm[1]) <= widest_mm
    near &= (up >= low_mm[2]) & (up <= high_mm[2])
    inside = np.zeros(geometry.shape, dtype=np.bool_)
    inside[near] = surface.holds(left[near], back[near], up[near])
    return inside
