"""Where the trunk ends: its outline against air and table, and the air beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.regions.tissue_grid import Mask, TissueGrid

#: Above this, a block is not air.  Midway between air and skin, which partial volume draws down.  [HU]
SOLID_HU = -400.0

#: Everything thinner than twice this is no trunk: the shells of a table, clothes, tubes.  [mm]
THINNEST_MM = 5.0

#: Air is taken at this distance from skin and anything solid: beyond the blur, and near enough to share the scatter.
AIR_NEAREST_MM, AIR_FARTHEST_MM = 6.0, 45.0

#: Foam of tables and pads lies above this; noise of single blocks must not decide.  [HU]
AIR_HIGHEST_HU = -945.0

#: Air is taken this far in front of the back, which lies on the table.  [mm]
ABOVE_THE_BACK_MM = 15.0


@dataclass(frozen=True)
class TrunkOutline:
    """The trunk, filled, and its depth below the skin in the slice."""

    inside: Mask
    depth_mm: NDArray[np.float32]


def find_trunk(grid: TissueGrid) -> TrunkOutline:
    """The connected solid that holds the vertebral bodies, with its gas-filled hollows."""
    solid = (grid.hu > SOLID_HU) & grid.is_image
    kept = _opened(grid, solid, THINNEST_MM)
    components, _ = ndimage.label(kept)
    names = components[(grid.bodies > 0) & kept]
    if names.size == 0:
        return TrunkOutline(np.zeros_like(solid), np.zeros(solid.shape, dtype=np.float32))
    trunk = components == int(np.bincount(names).argmax())
    inside = np.stack([ndimage.binary_fill_holes(section) for section in trunk])
    return TrunkOutline(inside, grid.depth_mm(inside))


def air_beside(grid: TissueGrid, trunk: TrunkOutline) -> Mask:
    """Blocks of free air next to the skin: neither padding, nor gas in the bowel, nor in or under the table."""
    outside = ~trunk.inside
    thick = (grid.hu > SOLID_HU) & grid.is_image | trunk.inside
    away = grid.depth_mm(~thick)
    from_skin = grid.depth_mm(outside)
    air = outside & grid.is_image & (grid.smooth_hu < AIR_HIGHEST_HU)
    air &= (away >= AIR_NEAREST_MM) & (from_skin <= AIR_FARTHEST_MM) & np.isfinite(from_skin)
    rows = np.flatnonzero(trunk.inside.any(axis=(0, 2)))
    if rows.size:
        air[:, max(int(rows[-1] - ABOVE_THE_BACK_MM / grid.spacing_mm[1]), 0) :] = False
    # padding blurs into its neighbours
    return np.asarray(air & ndimage.binary_erosion(grid.is_image, np.ones((1, 5, 5), dtype=bool), border_value=1))


def _opened(grid: TissueGrid, mask: Mask, radius_mm: float) -> Mask:
    """Morphological opening with a disc in each slice; the trunk may leave the image, so its edge erodes nothing."""
    core = grid.depth_mm(mask) > radius_mm
    grown = np.zeros_like(mask)
    for k, section in enumerate(core):
        if section.any():
            grown[k] = ndimage.distance_transform_edt(~section, sampling=grid.spacing_mm[1:]) <= radius_mm
    return np.asarray(grown & mask)
