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

#: A voxel that an oblique plane cuts reaches a whole voxel beyond it, and a label map misplaces the endplate by half.
VOXELS_FROM_ENDPLATE = 1.5


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


def measurement_plane(body: VertebralBody, height: Height, kind: PlaneKind, endplate_offset_mm: float) -> SlicePlane:
    """The plane near an endplate or at mid-height of a body.

    Near an endplate the plane lies `endplate_offset_mm` from the endplate's surface on the body's axis.  Of native
    slices, the first that is not nearer is taken: a thick slice that is nearer would contain the endplate.  An oblique
    plane, whose voxels reach up to a whole voxel beyond it, keeps clear of the endplate likewise.
    """
    frame = body.frame
    superior_mm, inferior_mm = (body.surface_on_axis_mm(is_superior) for is_superior in (True, False))
    if height == "mid":
        point = frame.to_lps_mm(np.array([0.0, 0.0, (superior_mm + inferior_mm) / 2]))
        return _oblique(body, point, frame.superior) if kind == "endplate" else _native(body, point, 0.0)
    is_superior = height == "superior"
    normal = (frame.superior_endplate if is_superior else frame.inferior_endplate).normal
    surface = frame.to_lps_mm(np.array([0.0, 0.0, superior_mm if is_superior else inferior_mm]))
    inward = -1.0 if is_superior else 1.0
    if kind == "endplate":
        reach_mm = VOXELS_FROM_ENDPLATE * voxel_extent_mm(body.grid, normal)
        offset_mm = max(endplate_offset_mm, reach_mm + ENDPLATE_THICKNESS_MM)
        return _oblique(body, surface + inward * offset_mm * normal, normal)
    slice_normal, _ = _slice_normal(body.grid)
    along_slices_mm = endplate_offset_mm / max(float(slice_normal @ normal), 0.5)
    return _native(body, surface + inward * along_slices_mm * slice_normal, inward)


def _oblique(body: VertebralBody, point_mm: FloatArray, normal: FloatArray) -> SlicePlane:
    return SlicePlane(_plane_axes(body, point_mm, normal), body.grid)


def _native(body: VertebralBody, point_mm: FloatArray, inward: float) -> SlicePlane:
    """The slice at `point_mm`, rounded in the direction `inward` (-1 inferior, 0 nearest, +1 superior)."""
    geometry = body.grid
    normal, axis = _slice_normal(geometry)
    step = float(np.asarray(geometry.direction)[2, 2 - axis])
    position = float(geometry.indices_zyx(point_mm)[axis])
    # A hundredth of a slice of tolerance: a plane that lies on a slice must not fall to the next by rounding.
    towards = inward * np.sign(step)
    index = round(position) if towards == 0 else int(np.ceil(position * towards - 0.01) * towards)
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
