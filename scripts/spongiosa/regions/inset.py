"""A vertebral body without its outer millimetres: what lies deep enough below its wall and below its endplates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.regions.body import SURFACE_STEP_MM, VertebralBody
from spongiosa.volume import FloatArray, Geometry

#: Along every voxel axis an inset keeps at least this many voxels.
FEWEST_VOXELS = 1.5

#: Slopes of an endplate are taken from its surface smoothed by this much: a label map's surface has steps.  [mm]
SLOPE_SMOOTHING_MM = 2.0


def axis_margins_mm(geometry: Geometry, margin_mm: float) -> tuple[float, float, float]:
    """Inset along each voxel axis (x, y, z): `margin_mm`, but at least `FEWEST_VOXELS` voxels of that axis.  [mm]

    A voxel whose centre lies one and a half voxels below the surface ends a whole voxel below it; partial volume and
    the kernel smear the cortex less far.  On a scan of 0.7 x 0.7 x 5 mm that matters along one axis only: the inset is
    an ellipsoid with these semi-axes, rolled along the inside of the body's surface.
    """
    x, y, z = (max(margin_mm, FEWEST_VOXELS * step) for step in geometry.spacing_mm)
    return x, y, z


def margin_along_mm(geometry: Geometry, direction: FloatArray, margins_mm: tuple[float, float, float]) -> FloatArray:
    """Radius of the inset's ellipsoid along unit LPS directions, shape (..., 3).  [mm]"""
    along_axes = direction @ np.asarray(geometry.direction)
    return np.asarray(1.0 / np.linalg.norm(along_axes / np.asarray(margins_mm), axis=-1))


@dataclass(frozen=True)
class Inset:
    """The points of a body at least a margin per voxel axis (x, y, z) away from its outer surface.

    Below an endplate the surface is that of the image where it was found there, otherwise the label map's; beside the
    wall it is the label map's.
    """

    body: VertebralBody
    field: NDArray[np.float32]
    margins_mm: tuple[float, float, float]

    @classmethod
    def of(cls, body: VertebralBody, margins_mm: tuple[float, float, float]) -> Inset:
        """The inset of one body; a body is looked at once for all margins in the same ratio."""
        smallest = min(margins_mm)
        x, y, z = (round(margin / smallest, 6) for margin in margins_mm)
        field = body.kept_field(("inset", x, y, z), lambda: _depth_in_margins(body, (x, y, z)))
        return cls(body, field, margins_mm)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The voxels between the body's `lower` and `upper` whose centres lie inside."""
        return np.asarray(self.body.unpadded(self.field) >= min(self.margins_mm))

    def voxels(self) -> NDArray[np.int64]:
        """The voxels on the scan's grid whose centres lie inside, shape (n, 3), (z, y, x).

        A voxel whose centre lies outside shows more of what lies beside the inset than of it: by its covered share, the
        dense bone below a crushed endplate would count up to a voxel beyond the margin.
        """
        return np.asarray(np.argwhere(self.mask) + np.asarray(self.body.lower))

    def depth_mm(self, points_mm: FloatArray) -> FloatArray:
        """Depth of LPS points, shape (n, 3), inside the inset; negative outside.  [mm]"""
        return self.body.interpolated(self.field, points_mm) - min(self.margins_mm)


def inset_mask(body: VertebralBody, margin_mm: float) -> NDArray[np.bool_]:
    """The voxels between `lower` and `upper` whose centres lie inside the inset of `axis_margins_mm`."""
    return Inset.of(body, axis_margins_mm(body.grid, margin_mm)).mask


def _depth_in_margins(body: VertebralBody, ratios: tuple[float, float, float]) -> NDArray[np.float32]:
    """Depth of the voxel centres of the padded crop in units of an ellipsoid with semi-axes `ratios`; 0 outside.  [mm]

    An inset of k times the ellipsoid is what reaches k.
    """
    inside = body.padded_mask
    # To the centre of the nearest voxel outside: along a curved wall one of them always lies near the surface.
    sampling = [step / ratio for step, ratio in zip(body.grid.spacing_mm, ratios, strict=True)][::-1]
    wall = ndimage.distance_transform_edt(inside, sampling=sampling)
    field = np.zeros(inside.shape, np.float32)
    field[inside] = np.minimum(wall[inside], _depth_below_endplates(body, ratios))
    return field


def _depth_below_endplates(body: VertebralBody, ratios: tuple[float, float, float]) -> NDArray[np.float32]:
    """Depth of the mask's voxel centres below the nearer endplate, in units of the ellipsoid, shape (n,).

    Below a surface with unit normal n the ellipsoid reaches sqrt(sum (ratio_i n_i)^2), i over the voxel axes.
    """
    surfaces, local = body.surfaces, body.local_voxels_mm
    places = (local[:, 1::-1] - np.array([surfaces.posterior_mm[0], surfaces.left_mm[0]])).T / SURFACE_STEP_MM
    depth = np.full(len(local), np.inf)
    for sign, heights in ((1.0, surfaces.superior_mm), (-1.0, surfaces.inferior_mm)):
        surface = _completed(heights)
        smooth = ndimage.gaussian_filter(surface, SLOPE_SMOOTHING_MM / SURFACE_STEP_MM, mode="nearest")
        by_posterior, by_left = np.gradient(smooth, SURFACE_STEP_MM)
        normals = np.stack([-by_left, -by_posterior, np.ones_like(smooth)], axis=-1)
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        in_voxel_axes = normals @ body.frame.axes @ np.asarray(body.grid.direction)
        share = normals[..., 2] / np.linalg.norm(in_voxel_axes * np.asarray(ratios), axis=-1)
        height, factor = (ndimage.map_coordinates(each, places, order=1, mode="nearest") for each in (surface, share))
        depth = np.minimum(depth, sign * (height - local[:, 2]) * factor)
    return np.asarray(np.maximum(depth, 0.0), dtype=np.float32)


def _completed(heights: FloatArray) -> FloatArray:
    """Heights with those of the nearest column where there are none."""
    missing = np.isnan(heights)
    rows, columns = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    return np.asarray(heights[rows, columns])
