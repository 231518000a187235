"""The brightest parenchyma beside the spine: with contrast medium in it, that is the kidney."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spongiosa.regions.tissue_grid import Mask, TissueGrid
from spongiosa.regions.trunk_outline import TrunkOutline
from spongiosa.regions.vessels import SpineInSlices

#: Where kidneys lie: to either side of the spine's middle and behind the front of its bodies.  [mm]
SIDE_MM, BEHIND_MM = (38.0, 105.0), (-25.0, 60.0)

#: HU of parenchyma, from native to the arterial phase of its cortex.
PARENCHYMA_HU = (10.0, 450.0)

#: Distance from its edge, within the slice, so that the fat around it, vessels and thin muscles drop out.  [mm]
CORE_MM = 7.0

#: Smoothing before the brightest are chosen, which would be the noisiest otherwise (SD of the Gaussian).  [mm]
SMOOTH_MM = 3.5

#: Share of the core that is taken, from the brightest down.
BRIGHTEST_SHARE = 0.25


def brightest_parenchyma(grid: TissueGrid, trunk: TrunkOutline, spine: SpineInSlices) -> Mask:
    """The brightest quarter of the thick soft tissue where the kidneys lie.

    Only above the body of L5, below which the iliac wings lie in the same place.  Without contrast medium that is any
    organ or the psoas, 30 to 60 HU; with it, the kidney outshines them all.
    """
    _, dy, dx = grid.spacing_mm
    side = np.abs(np.arange(grid.hu.shape[2])[None, :] - spine.column[:, None]) * dx
    behind = (np.arange(grid.hu.shape[1])[None, :] - spine.front_row[:, None]) * dy
    near = ((side >= SIDE_MM[0]) & (side <= SIDE_MM[1]))[:, None, :] & (
        (behind >= BEHIND_MM[0]) & (behind <= BEHIND_MM[1])
    )[:, :, None]
    soft = trunk.inside & (grid.smooth_hu > PARENCHYMA_HU[0]) & (grid.smooth_hu < PARENCHYMA_HU[1])
    core = near & (grid.depth_mm(soft) > CORE_MM) & (grid.vertebrae == 0)
    core &= spine.is_above_fork[:, None, None]
    if not core.any():
        return core
    sizes = tuple(SMOOTH_MM / size for size in grid.spacing_mm)
    quiet = ndimage.gaussian_filter(np.clip(grid.hu, *PARENCHYMA_HU), sizes)
    return np.asarray(core & (quiet >= np.quantile(quiet[core], 1.0 - BRIGHTEST_SHARE)), dtype=bool)
