"""A vertebral body as regions need it: how deep points lie inside of its mask, and where its surfaces are."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import VertebralFrame
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.volume import FloatArray, Geometry, Volume, bounding_box

#: Depth that points far from the body get.  [mm]
FAR_OUTSIDE_MM = -50.0

#: Points no deeper lie on the surface, which is outside, however the order of the voxels rounds them.  [mm]
ON_SURFACE_MM = 1e-4

#: Background around the crop, so that distances and linear interpolation end outside.  [voxels]
_BORDER = 2

#: Grid on which the endplate surfaces are sampled, and the step along the columns.  [mm]
SURFACE_STEP_MM = 1.0
COLUMN_STEP_MM = 0.5

#: Around the axis, the endplate surface is the median within this radius.  [mm]
SURFACE_RADIUS_MM = 6.0


#: Height (superior coordinate) of an endplate over points (left, posterior) of a frame.  [mm]
Endplate = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class EndplateSurfaces:
    """Height of the two endplate surfaces over a (posterior, left) grid in the vertebral frame.

    `superior_mm` and `inferior_mm` have shape (len(posterior_mm), len(left_mm)) and are NaN beside the body; heights
    are superior coordinates in the frame.
    """

    left_mm: FloatArray
    posterior_mm: FloatArray
    superior_mm: FloatArray
    inferior_mm: FloatArray

    def near(self, left_mm: float, posterior_mm: float, radius_mm: float) -> NDArray[np.bool_]:
        """The grid points within `radius_mm` of a point that lie over the body."""
        distance = np.hypot(self.left_mm[None, :] - left_mm, self.posterior_mm[:, None] - posterior_mm)
        return np.asarray((distance <= radius_mm) & np.isfinite(self.superior_mm))


class FittedEndplates(Protocol):
    """Endplate surfaces from elsewhere than the mask."""

    def in_place_of(self, surfaces: EndplateSurfaces, frame: VertebralFrame) -> EndplateSurfaces:
        """The mask's surfaces in `frame`, with the better ones where they are known."""

    def pair(self, frame: VertebralFrame) -> tuple[Endplate, Endplate] | None:
        """The superior and the inferior endplate in `frame`, their edges unrounded; None unless both are known."""


class VertebralBody:
    """The mask of one body in a crop of the scan, with its frame.

    Depth is the distance to the centre of the nearest voxel outside the mask (a label map places its surface between
    voxel centres and no better), interpolated linearly between voxel centres.  Its zero lies midway between the last
    voxel inside and the first outside.
    """

    def __init__(
        self,
        mask: NDArray[np.bool_],
        lower_zyx: tuple[int, int, int],
        grid: Geometry,
        frame: VertebralFrame,
        endplates: FittedEndplates | None = None,
    ) -> None:
        """`mask` (z, y, x) is the crop of the body that starts at `lower_zyx` on `grid`, the grid of the scan.

        `endplates` are surfaces that are known better than the mask shows them.
        """
        self.frame = frame
        self.endplates = endplates
        self.grid = grid
        self.lower = lower_zyx
        depth, rows, columns = (low + size for low, size in zip(lower_zyx, mask.shape, strict=True))
        self.upper = (depth, rows, columns)
        # A border of background: the body ends where the scan ends.
        self._inside = np.pad(mask, _BORDER)
        self._origin_zyx = np.asarray(lower_zyx) - _BORDER
        self._fields: dict[Hashable, NDArray[np.float32]] = {}

    @classmethod
    def of_label(
        cls, bodies: Volume, label: int, frame: VertebralFrame, crop: tuple[slice, ...] | None = None
    ) -> VertebralBody:
        """The body with `label` in a label map; `crop` is its bounding box, if it is known.

        Raises `ValueError` when the label map does not hold the label.
        """
        if crop is None:
            lower, upper = bounding_box(bodies.voxels == label)
            crop = tuple(slice(int(low), int(high)) for low, high in zip(lower, upper, strict=True))
        z, y, x = (part.start for part in crop)
        return cls(bodies.voxels[crop] == label, (z, y, x), bodies.geometry, frame)

    def refined(self, frame: VertebralFrame, endplates: FittedEndplates) -> VertebralBody:
        """The same mask with another frame and with endplates that are known better than the mask shows them."""
        other = VertebralBody(self.mask, self.lower, self.grid, frame, endplates)
        other.__dict__["_signed_depth"] = self._signed_depth  # the frame does not change it, and it takes long
        return other

    def label_in(self, labels: Volume) -> int:
        """The integer of this mask in the label map, on the same grid, that it was taken from."""
        return int(labels.voxels[tuple(self.voxels[0])])

    @property
    def voxel_count(self) -> int:
        return int(self._inside.sum())

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask between `lower` and `upper`, (z, y, x)."""
        return self.unpadded(self._inside)

    @property
    def padded_mask(self) -> NDArray[np.bool_]:
        """The mask with a border of background, the grid of all fields on the crop."""
        return self._inside

    def unpadded(self, field: NDArray[Any]) -> NDArray[Any]:
        """The part of a field on the padded crop between `lower` and `upper`."""
        return field[_BORDER:-_BORDER, _BORDER:-_BORDER, _BORDER:-_BORDER]

    def kept_field(self, name: Hashable, made: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """The field of that name on the padded crop, made when it is first asked for."""
        if name not in self._fields:
            self._fields[name] = made()
        return self._fields[name]

    @property
    def touches_the_edge(self) -> bool:
        """Whether the mask reaches the first or last voxel of the grid along any axis."""
        return any(low == 0 for low in self.lower) or any(
            high == size for high, size in zip(self.upper, self.grid.shape, strict=True)
        )

    @cached_property
    def _signed_depth(self) -> NDArray[np.float32]:
        sampling = self.grid.spacing_mm[::-1]
        inside = ndimage.distance_transform_edt(self._inside, sampling=sampling)
        outside = ndimage.distance_transform_edt(~self._inside, sampling=sampling)
        return np.asarray(inside - outside, dtype=np.float32)

    def depth_mm(self, points_mm: FloatArray) -> FloatArray:
        """Depth of LPS points, shape (..., 3), inside the body, negative outside.  [mm]"""
        return self.interpolated(self._signed_depth, points_mm)

    def interpolated(self, field: NDArray[np.float32], points_mm: FloatArray) -> FloatArray:
        """A field on the padded crop at LPS points, shape (..., 3), linearly interpolated."""
        indices = np.moveaxis(self.grid.indices_zyx(points_mm) - self._origin_zyx, -1, 0)
        values = ndimage.map_coordinates(field, indices, order=1, mode="constant", cval=FAR_OUTSIDE_MM)
        return np.asarray(values, dtype=np.float64)

    @cached_property
    def voxels(self) -> NDArray[np.int64]:
        """The mask's voxels on the grid of the scan in C order, shape (n, 3), (z, y, x)."""
        return np.asarray(np.argwhere(self._inside) + self._origin_zyx)

    def all_voxels(self) -> VoxelWeights:
        """Every voxel of the mask with weight 1."""
        indices = np.ravel_multi_index(tuple(self.voxels.T), self.grid.shape).astype(np.int64)
        return VoxelWeights(indices, np.ones(len(indices), np.float32))

    def depth_below_endplate_mm(self, points_mm: FloatArray, is_superior: bool) -> FloatArray:
        """Distance of LPS points, shape (..., 3), below an endplate's surface along the superior axis.  [mm]

        Positive inside; strongly negative beside the body.
        """
        local, surfaces = self.frame.to_local_mm(points_mm), self.surfaces
        height = surfaces.superior_mm if is_superior else surfaces.inferior_mm
        places = np.stack(
            [
                (local[..., 1] - surfaces.posterior_mm[0]) / SURFACE_STEP_MM,
                (local[..., 0] - surfaces.left_mm[0]) / SURFACE_STEP_MM,
            ]
        )
        surface = ndimage.map_coordinates(height, places, order=1, mode="constant", cval=np.nan)
        below = (surface - local[..., 2]) * (1.0 if is_superior else -1.0)
        return np.where(np.isfinite(below), below, FAR_OUTSIDE_MM)

    @cached_property
    def local_extent_mm(self) -> FloatArray:
        """Lowest and highest frame coordinates (left, posterior, superior) of the body's voxels, shape (2, 3)."""
        return np.stack([self.local_voxels_mm.min(axis=0), self.local_voxels_mm.max(axis=0)])

    @cached_property
    def local_voxels_mm(self) -> FloatArray:
        """Frame coordinates (left, posterior, superior) of the mask's voxels in C order, shape (n, 3)."""
        return self.frame.to_local_mm(self.grid.points_mm(self.voxels))

    @cached_property
    def surfaces(self) -> EndplateSurfaces:
        """Superior and inferior surface over the body, where columns along the superior axis enter and leave it."""
        (left_low, posterior_low, low), (left_high, posterior_high, high) = self.local_extent_mm
        slack = max(self.grid.spacing_mm)
        left = np.arange(np.floor(left_low), np.ceil(left_high) + SURFACE_STEP_MM, SURFACE_STEP_MM)
        posterior = np.arange(np.floor(posterior_low), np.ceil(posterior_high) + SURFACE_STEP_MM, SURFACE_STEP_MM)
        heights = np.arange(low - slack, high + slack + COLUMN_STEP_MM, COLUMN_STEP_MM)
        columns = np.stack(np.meshgrid(posterior, left, heights, indexing="ij"), axis=-1)[..., [1, 0, 2]]
        depth = self.depth_mm(self.frame.to_lps_mm(columns))
        superior = first_inside(depth[..., ::-1], heights[::-1])
        inferior = first_inside(depth, heights)
        of_mask = EndplateSurfaces(left, posterior, superior, inferior)
        return of_mask if self.endplates is None else self.endplates.in_place_of(of_mask, self.frame)

    def surface_on_axis_mm(self, is_superior: bool, radius_mm: float = SURFACE_RADIUS_MM) -> float:
        """Height of an endplate surface around the body's axis: the median within `radius_mm` of it.  [mm]

        The surface itself, not the plane fitted to it: endplates are concave by 2 mm and more.
        """
        near = self.surfaces.near(0.0, 0.0, radius_mm)
        surface = self.surfaces.superior_mm if is_superior else self.surfaces.inferior_mm
        return float(np.median(surface[near]))

    @cached_property
    def midline_edges_mm(self) -> tuple[float, float]:
        """Posterior coordinates at which the midline at mid-height enters and leaves the body.  [mm]"""
        (_, front, _), (_, back, _) = self.local_extent_mm
        slack = 2.0 * max(self.grid.spacing_mm)
        posterior = np.arange(front - slack, back + slack, COLUMN_STEP_MM)
        height = (self.surface_on_axis_mm(is_superior=True) + self.surface_on_axis_mm(is_superior=False)) / 2
        line = np.stack([np.zeros_like(posterior), posterior, np.full_like(posterior, height)], axis=-1)
        depth = self.depth_mm(self.frame.to_lps_mm(line))
        return float(first_inside(depth, posterior)), float(first_inside(depth[::-1], posterior[::-1]))


def first_inside(depth: FloatArray, heights: FloatArray) -> FloatArray:
    """Height where columns, shape (..., n), first become positive from their start; NaN where they never do."""
    is_inside = depth > ON_SURFACE_MM
    first = is_inside.argmax(axis=-1)
    before = np.maximum(first - 1, 0)
    depth_in = np.take_along_axis(depth, first[..., None], axis=-1)[..., 0]
    depth_out = np.take_along_axis(depth, before[..., None], axis=-1)[..., 0]
    share = depth_in / np.where(depth_in > depth_out, depth_in - depth_out, 1.0)
    crossing = heights[first] + share * (heights[before] - heights[first])
    return np.asarray(np.where(is_inside.any(axis=-1), crossing, np.nan))


def bounding_boxes(labels: Volume) -> dict[int, tuple[slice, ...]]:
    """Bounding box (z, y, x) of every label that occurs."""
    lower, window = [], labels.voxels
    for axis in range(3):
        # Axis by axis: the spine fills a small part of a scan, and the search is slow on empty voxels.
        marked = np.flatnonzero(window.any(axis=tuple(other for other in range(3) if other != axis)))
        if not marked.size:
            return {}
        lower.append(int(marked[0]))
        window = window[tuple(slice(marked[0], marked[-1] + 1) if k == axis else slice(None) for k in range(3))]
    boxes = ndimage.find_objects(window)
    return {
        label: tuple(slice(part.start + low, part.stop + low) for part, low in zip(box, lower, strict=True))
        for label, box in enumerate(boxes, start=1)
        if box is not None
    }


def voxel_extent_mm(geometry: Geometry, direction: FloatArray) -> float:
    """Width of a voxel seen along a unit LPS direction.  [mm]"""
    return float(np.abs(np.asarray(geometry.direction).T @ direction) @ np.asarray(geometry.spacing_mm))


def require_one_grid(volume: Volume, *label_maps: Volume) -> None:
    """Raises `ValueError` when a label map does not lie on the grid of the scan."""
    if not all(labels.geometry.is_same_as(volume.geometry) for labels in label_maps):
        raise ValueError("the label maps must lie on the grid of the scan")
