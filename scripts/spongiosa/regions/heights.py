"""Heights of a vertebral body at its anterior edge, in the middle and at its posterior edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spongiosa.regions.body import EndplateSurfaces, VertebralBody
from spongiosa.regions.rims import rim_points_mm
from spongiosa.volume import Volume

#: Half the width of the mid-sagittal strip in which the middle height is measured, and of that in which the rims are
#: sought: the posterior wall is indented in the midline, where the rim is missing.  [mm]
STRIP_HALF_WIDTH_MM, RIM_HALF_WIDTH_MM = 4.0, 8.0

#: The middle height is the mean over this share of the body's depth.
MIDDLE_BAND = (0.42, 0.58)

#: The rims are sought in this share of the depth at either end.
RIM_SHARE = 0.25

#: The rim of an endplate is the point that lies furthest towards the endplate and, this much weighed, towards the
#: edge: enough that a concave or wedged endplate does not draw it inwards, little enough that a rounded edge does not
#: draw it down.
EDGE_WEIGHT = 0.4


@dataclass(frozen=True)
class BodyHeights:
    """Heights along the superior axis in the mid-sagittal strip, rim to rim in front and behind, and the depth.  [mm]

    After Genant et al., J Bone Miner Res 1993; 8: 1137-1148 (anterior, middle and posterior height).
    """

    anterior_mm: float
    middle_mm: float
    posterior_mm: float
    depth_mm: float


def measure_heights(body: VertebralBody, scan: Volume | None = None) -> BodyHeights | None:
    """Heights of a body; None when its frame lies beside it.  `scan` is its image, where there is one."""
    surfaces = body.surfaces
    over_body = np.isfinite(surfaces.superior_mm) & np.isfinite(surfaces.inferior_mm)
    middle_strip = over_body & (np.abs(surfaces.left_mm) <= STRIP_HALF_WIDTH_MM)
    if not middle_strip.any():
        return None
    start, end = body.midline_edges_mm
    share = np.broadcast_to(((surfaces.posterior_mm - start) / (end - start))[:, None], over_body.shape)
    in_middle = middle_strip & (share >= MIDDLE_BAND[0]) & (share <= MIDDLE_BAND[1])
    rim_strip = over_body & (np.abs(surfaces.left_mm) <= RIM_HALF_WIDTH_MM)
    in_front, behind = rim_strip & (share <= RIM_SHARE), rim_strip & (share >= 1.0 - RIM_SHARE)
    if not (in_middle.any() and in_front.any() and behind.any()):
        return None
    middle = float(np.mean((surfaces.superior_mm - surfaces.inferior_mm)[in_middle]))
    depth = end - start
    anterior, posterior = (
        _rim_height(body, where, towards, RIM_SHARE * depth, scan)
        for where, towards in ((in_front, -1.0), (behind, 1.0))
    )
    return BodyHeights(anterior, middle, posterior, depth)


def _rim_height(
    body: VertebralBody, where: NDArray[np.bool_], towards: float, reach_mm: float, scan: Volume | None
) -> float:
    """Distance between the rims of both endplates at one end of the body (`towards` -1 anterior, +1 posterior).

    From the image where it shows both endplates, otherwise from the label map.  The median over sagittal lines: of a
    single line, the furthest point of a label map is a voxel's corner.
    """
    lines = np.flatnonzero(where.any(axis=0))
    endplates = None if body.endplates is None else body.endplates.pair(body.frame)
    if endplates is not None:
        left = body.surfaces.left_mm[lines]
        top, bottom = rim_points_mm(body, endplates, left, towards, (reach_mm, EDGE_WEIGHT), scan)
        return float(np.median(top - bottom))
    return _rim_height_of_mask(body.surfaces, where, lines, towards)


def _rim_height_of_mask(
    surfaces: EndplateSurfaces, where: NDArray[np.bool_], lines: NDArray[np.intp], towards: float
) -> float:
    edge = EDGE_WEIGHT * towards * surfaces.posterior_mm[:, None]
    superior, inferior = (np.where(where, each, np.nan) for each in (surfaces.superior_mm, surfaces.inferior_mm))
    top = np.nanargmax(superior[:, lines] + edge, axis=0)
    bottom = np.nanargmax(edge - inferior[:, lines], axis=0)
    return float(np.median(superior[top, lines] - inferior[bottom, lines]))
