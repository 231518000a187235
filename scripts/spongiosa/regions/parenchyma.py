"""The brightest parenchyma beside the spine: with contrast medium in it, that is the kidney."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spongiosa.regions.spine_in_slices import SpineInSlices
from spongiosa.regions.tissue_grid import Mask, TissueGrid
from spongiosa.regions.trunk_outline import TrunkOutline

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
    near = spine.beside(grid, SIDE_MM, BEHIND_MM)
    soft = trunk.inside & (grid.smooth_hu > PARENCHYMA_HU[0]) & (grid.smooth_hu < PARENCHYMA_HU[1])
    core = near & (grid.depth_mm(soft) > CORE_MM) & (grid.vertebrae == 0)
    core &= spine.is_above_fork[:, None, None]
    if not core.any():
        return np.zeros_like(trunk.inside)
    sizes = tuple(SMOOTH_MM / size for size in grid.spacing_mm)
    quiet = ndimage.gaussian_filter(np.clip(grid.hu, *PARENCHYMA_HU), sizes)
    least = float(np.quantile(quiet[core], 1.0 - BRIGHTEST_SHARE))
    return np.asarray(core & (quiet >= least), dtype=np.bool_)
