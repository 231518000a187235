"""The planes in which slice regions lie: native axial slices, or oblique planes parallel to an endplate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from spongiosa.anatomy.frame import unit_vector
from spongiosa.regions.body import VertebralBody, voxel_extent_mm
from spongiosa.regions.coverage import Box, PlaneAxes, Shape, VoxelWeights, coverage, plane_coverage
from spongiosa.volume import FloatArray, Geometry

Height = Literal["superior", "mid", "inferior"]
PlaneKind = Literal["axial", "endplate"]

#: Bony endplate with its subchondral bone that no plane of measurement may touch.  [mm]
ENDPLATE_THICKNESS_MM = 1.0

#: How far a label map may misplace a surface.  [mm]
LABEL_ERROR_MM = 0.5

#: A voxel that an oblique plane cuts reaches a whole voxel beyond it, and a label map misplaces the endplate by half.
OBLIQUE_REACH_VOXELS = 1.5

#: A native slice reaches half a slice beyond its middle; the further quarter keeps a tilted body's ellipse large.
NATIVE_REACH_VOXELS = 0.75


@dataclass(frozen=True)
class SlicePlane:
    """A plane of measurement; `slice_axis` and `slice_index` say which slice of the grid it is, if it is one."""

    axes: PlaneAxes
    geometry: Geometry
    slice_axis: int | None = None
    slice_index: int | None = None

    def weights(self, shape: Shape, outline_mm: FloatArray) -> VoxelWeights:
        """What `shape`, bounded by the LPS points `outline_mm`, covers in this plane.

        On a native slice the weights are those of the displayed slice; in an oblique plane, the share of each voxel's
        section with the plane.
        """
        if self.slice_axis is not None and self.slice_index is not None:
            box = Box.around(outline_mm, self.geometry).restricted(self.slice_axis, self.slice_index)
            return coverage(shape, self.geometry, box, flat_axis=self.slice_axis)
        return plane_coverage(shape, self.axes, outline_mm, self.geometry)


def next_slice(plane: SlicePlane, body: VertebralBody) -> SlicePlane | None:
    """The native slice beside `plane`, towards the middle of the body; None for an oblique plane."""
    if plane.slice_axis is None or plane.slice_index is None:
        return None
    step = body.grid.steps_mm[:, 2 - plane.slice_axis]
    towards = 1 if (body.frame.centre_mm - plane.axes.point_mm) @ step > 0 else -1
    axes = _plane_axes(body, plane.axes.point_mm + towards * step, plane.axes.normal)
    return SlicePlane(axes, plane.geometry, plane.slice_axis, plane.slice_index + towards)


def measurement_plane(body: VertebralBody, height: Height, kind: PlaneKind, endplate_offset_mm: float) -> SlicePlane:
    """The plane near an endplate or at mid-height of a body.

    Near an endplate the plane lies `endplate_offset_mm` from the fitted endplate, on the body's axis, but always so
    deep that its voxels cannot reach the endplate's actual surface, which is concave: a native slice by half its
    thickness, an oblique plane by the whole voxels that it cuts.  Of native slices, the nearest that keeps this
    distance is taken.
    """
    if height == "mid":
        middle_mm = (body.surface_on_axis_mm(is_superior=True) + body.surface_on_axis_mm(is_superior=False)) / 2
        point = body.frame.to_lps_mm(np.array([0.0, 0.0, middle_mm]))
        return _oblique(body, point, body.frame.superior) if kind == "endplate" else _native(body, point, None)
    target = _below_endplate(body, height, endplate_offset_mm)
    if kind == "endplate":
        reach_mm = OBLIQUE_REACH_VOXELS * voxel_extent_mm(body.grid, target.normal)
        return _oblique(body, target.at_least(reach_mm + ENDPLATE_THICKNESS_MM), target.normal)
    slice_normal, _ = _slice_normal(body.grid)
    reach_mm = NATIVE_REACH_VOXELS * voxel_extent_mm(body.grid, slice_normal)
    nearest_allowed = target.surface_point(reach_mm + ENDPLATE_THICKNESS_MM + LABEL_ERROR_MM)
    return _native(body, target.at_least(0.0), _Bound(nearest_allowed, target.inward))


@dataclass(frozen=True)
class _Target:
    """The wanted place below an endplate on the body's axis; heights are superior coordinates in the frame."""

    body: VertebralBody
    normal: FloatArray
    inward: float
    wanted_mm: float
    surface_mm: float

    def surface_point(self, depth_mm: float) -> FloatArray:
        """The point of the axis at a depth below the endplate's surface, LPS."""
        height = self.surface_mm + self.inward * depth_mm / float(self.normal @ self.body.frame.superior)
        return self.body.frame.to_lps_mm(np.array([0.0, 0.0, height]))

    def at_least(self, depth_mm: float) -> FloatArray:
        """The wanted point, or the one at `depth_mm` below the surface where that is deeper, LPS."""
        wanted = self.body.frame.to_lps_mm(np.array([0.0, 0.0, self.wanted_mm]))
        allowed = self.surface_point(depth_mm)
        is_deeper = (allowed - wanted) @ self.normal * self.inward > 0
        return allowed if is_deeper else wanted


def _below_endplate(body: VertebralBody, height: Height, offset_mm: float) -> _Target:
    frame = body.frame
    is_superior = height == "superior"
    plane = frame.superior_endplate if is_superior else frame.inferior_endplate
    inward = -1.0 if is_superior else 1.0
    tilt = float(plane.normal @ frame.superior)
    fitted_mm = float((plane.point_mm - frame.centre_mm) @ plane.normal) / tilt
    wanted_mm = fitted_mm + inward * offset_mm / tilt
    return _Target(body, plane.normal, inward, wanted_mm, body.surface_on_axis_mm(is_superior))


def _oblique(body: VertebralBody, point_mm: FloatArray, normal: FloatArray) -> SlicePlane:
    return SlicePlane(_plane_axes(body, point_mm, normal), body.grid)


@dataclass(frozen=True)
class _Bound:
    """The point beyond which a slice must lie, seen `inward` (-1 inferior, +1 superior)."""

    point_mm: FloatArray
    inward: float


def _native(body: VertebralBody, point_mm: FloatArray, bound: _Bound | None) -> SlicePlane:
    """The slice nearest to `point_mm` that does not lie before `bound`."""
    geometry = body.grid
    normal, axis = _slice_normal(geometry)
    position = float(geometry.indices_zyx(point_mm)[axis])
    index = round(position)
    if bound is not None:
        limit = float(geometry.indices_zyx(bound.point_mm)[axis])
        towards = bound.inward * np.sign(np.asarray(geometry.direction)[2, 2 - axis])
        if (index - limit) * towards < 0:
            # A hundredth of a slice of tolerance: a slice that lies on the bound must not fall behind by rounding.
            index = int(np.ceil(limit * towards - 0.01) * towards)
    index = int(np.clip(index, 0, geometry.shape[axis] - 1))
    on_slice = point_mm + (index - position) * geometry.steps_mm[:, 2 - axis]
    return SlicePlane(_plane_axes(body, on_slice, normal), geometry, axis, index)


def _slice_normal(geometry: Geometry) -> tuple[FloatArray, int]:
    """Superior unit normal of the axial slices of a grid in any orientation, and their index axis (z = 0)."""
    column = int(np.argmax(np.abs(np.asarray(geometry.direction)[2])))
    direction = np.asarray(geometry.direction)[:, column]
    return unit_vector(direction * np.sign(direction[2])), 2 - column


def _plane_axes(body: VertebralBody, point_mm: FloatArray, normal: FloatArray) -> PlaneAxes:
    """Axes of a plane, its origin where the body's axis meets it, u as near to the patient's left as can be."""
    frame = body.frame
    along = float((point_mm - frame.centre_mm) @ normal / (frame.superior @ normal))
    left = unit_vector(frame.left - (frame.left @ normal) * normal)
    return PlaneAxes(frame.centre_mm + along * frame.superior, left, np.cross(normal, left))
