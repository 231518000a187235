"""Heights of a vertebral body at its anterior edge, in the middle and at its posterior edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spongiosa.regions.body import VertebralBody
from spongiosa.volume import FloatArray

#: Half the width of the mid-sagittal strip in which heights are measured.  [mm]
STRIP_HALF_WIDTH_MM = 4.0

#: Where each height is taken, as fractions of the body's depth from its anterior edge.  The outermost twentieth is
#: the rounded rim.
ANTERIOR_BAND = (0.05, 0.15)
MIDDLE_BAND = (0.42, 0.58)
POSTERIOR_BAND = (0.85, 0.95)


@dataclass(frozen=True)
class BodyHeights:
    """Distances between the endplate surfaces along the superior axis in the mid-sagittal strip, and the depth.  [mm]

    After Genant et al., J Bone Miner Res 1993; 8: 1137-1148 (anterior, middle and posterior height).
    """

    anterior_mm: float
    middle_mm: float
    posterior_mm: float
    depth_mm: float


def measure_heights(body: VertebralBody) -> BodyHeights | None:
    """Heights of a body; None when its frame lies beside it."""
    surfaces = body.surfaces
    strip = np.abs(surfaces.left_mm) <= STRIP_HALF_WIDTH_MM
    heights = (surfaces.superior_mm - surfaces.inferior_mm)[:, strip]
    occupied = np.flatnonzero(np.isfinite(heights).all(axis=1)) if strip.any() else np.empty(0, int)
    if occupied.size < 3:
        return None
    start, end = body.midline_edges_mm
    depth_mm = end - start
    share = (surfaces.posterior_mm[occupied] - start) / depth_mm
    profile = np.median(heights[occupied], axis=1)
    anterior, middle, posterior = (
        _mean_in_band(share, profile, band) for band in (ANTERIOR_BAND, MIDDLE_BAND, POSTERIOR_BAND)
    )
    return BodyHeights(anterior, middle, posterior, depth_mm)


def _mean_in_band(share: FloatArray, profile: FloatArray, band: tuple[float, float]) -> float:
    """Mean of the profile over a band, also where no grid point falls into it."""
    return float(np.interp(np.linspace(*band, 9), share, profile).mean())
