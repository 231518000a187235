"""The voxels about an endplate that tell where it lies: clear of the wall, of spurs and of the next vertebra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.regions.body import SURFACE_STEP_MM, VertebralBody, voxel_extent_mm
from spongiosa.regions.coverage import Box
from spongiosa.regions.endplate_surface import EndplateSurface, rim_drop_mm
from spongiosa.regions.thinning import is_kept
from spongiosa.regions.wall_sections import WallSections
from spongiosa.volume import FloatArray, Volume

#: Voxels so near to the wall are left out: their HU are half of the cortex and of the fat beside it.  [mm, voxels]
LEFT_OUT_MM, LEFT_OUT_VOXELS = 1.0, 0.6

#: Voxels so far outside and inside of the label map's surface are fitted.  [mm]
OUTSIDE_MM, INSIDE_MM = 5.0, 7.0

#: Voxels that a surface is fitted to at least and at most.
FEWEST_VOXELS, MOST_VOXELS = 120, 3000


@dataclass(frozen=True)
class EndplateVoxels:
    """Voxels about an endplate: frame coordinates, shape (n, 3), HU and drop of the rounded rim there, shape (n,)."""

    local_mm: FloatArray
    hu: FloatArray
    drop_mm: FloatArray


def left_out_mm(body: VertebralBody) -> float:
    """What a plate's voxels keep from the wall of a body."""
    return max(LEFT_OUT_MM, LEFT_OUT_VOXELS * float(sorted(body.grid.spacing_mm)[1]))


def voxels_about(
    volume: Volume,
    bodies: Volume,
    body: VertebralBody,
    start: EndplateSurface,
    footprint: NDArray[np.bool_],
    outward: float,
) -> EndplateVoxels | None:
    """The voxels over `footprint` (posterior, left) near the surface `start`, or None when there are too few.

    `outward` is 1 for a superior endplate and -1 for an inferior one.
    """
    surfaces = body.surfaces
    rows, columns = np.nonzero(footprint)
    across = np.stack([surfaces.left_mm[columns], surfaces.posterior_mm[rows]], axis=1)
    heights = start.height_mm(across[:, 0], across[:, 1])[:, None]
    ends = [np.hstack([across, heights + outward * reach]) for reach in (OUTSIDE_MM, -INSIDE_MM)]
    box = Box.around(body.frame.to_lps_mm(np.concatenate(ends)), body.grid)
    indices = box.voxel_indices()
    local = body.frame.to_local_mm(body.grid.points_mm(indices))
    # Rounded half up with a margin: rounding errors differ with the order in which a scan is stored.
    column, row = (
        np.floor((local[:, axis] - first) / SURFACE_STEP_MM + 0.5 + 1e-6).astype(int)
        for axis, first in ((0, surfaces.left_mm[0]), (1, surfaces.posterior_mm[0]))
    )
    inside = (row >= 0) & (row < footprint.shape[0]) & (column >= 0) & (column < footprint.shape[1])
    inside[inside] = footprint[row[inside], column[inside]]
    kept = np.flatnonzero(inside)
    depth = outward * (start.height_mm(local[kept, 0], local[kept, 1]) - local[kept, 2])
    kept = kept[(depth > -OUTSIDE_MM) & (depth < INSIDE_MM)]

    window = tuple(slice(low, high) for low, high in zip(box.lower, box.upper, strict=True))
    labels = bodies.voxels[window].reshape(-1)
    is_other = (labels > 0) & (labels != body.label_in(bodies))
    others = np.flatnonzero(is_other & inside & (outward * local[:, 2] > 0))
    if others.size:
        # The neighbour's plate begins half a voxel before its label.
        gap = np.full(footprint.shape, np.inf)
        np.minimum.at(gap, (row[others], column[others]), outward * local[others, 2])
        gap = ndimage.minimum_filter(gap, size=3)
        clearance = voxel_extent_mm(body.grid, body.frame.superior) / 2 + 1.0
        kept = kept[outward * local[kept, 2] < gap[row[kept], column[kept]] - clearance]

    walls = WallSections.below(body, start.height_mm, outward)
    left, posterior, height = local[kept].T
    depth = outward * (start.height_mm(left, posterior) - height)
    kept = kept[walls.inwards_at_mm(left, posterior, depth) > left_out_mm(body)]
    if kept.size < FEWEST_VOXELS:
        return None
    kept = kept[is_kept(local[kept], MOST_VOXELS)]
    left, posterior, _ = local[kept].T
    at_the_rim = walls.inwards_at_mm(left, posterior, np.zeros(len(kept)))
    hu = np.asarray(volume.voxels[window], dtype=np.float64).reshape(-1)[kept]
    return EndplateVoxels(local[kept], hu, rim_drop_mm(at_the_rim))
