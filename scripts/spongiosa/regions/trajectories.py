"""The screw trajectory: a cylinder through pedicle and body, and its planar rectangle."""

from __future__ import annotations

import numpy as np

from spongiosa.anatomy.frame import unit_vector
from spongiosa.outcome import Reason
from spongiosa.regions.coverage import Box, PlaneAxes, coverage, plane_coverage
from spongiosa.regions.pedicle_axes import SIDES, Pedicle
from spongiosa.regions.pedicle_bone import PedicleBone
from spongiosa.regions.pedicles import Inside, partial_volume_flags
from spongiosa.regions.region import Region
from spongiosa.regions.shapes import Cylinder, Intersection
from spongiosa.regions.site import BoneAxis, Site

NAMES = ("trajectory", "trajectory_rectangle")

#: How far behind the isthmus the axis is followed to where it leaves the bone.  [mm]
LONGEST_WAY_TO_ENTRY_MM = 35.0
STEP_MM = 0.25

#: A given screw of which less than this share lies in its vertebra belongs to another, or to other coordinates.
SMALLEST_SHARE_IN_BONE = 0.5


def place_trajectories(site: Site) -> list[Region]:
    """Cylinder and rectangle along the screw of each side, or along the pedicle's axis where no screw is given.

    The anatomical axis enters where the line through the pedicle leaves the bone behind it.  With a
    margin, both regions leave out what lies near the outer surface of the vertebra (entry and pedicle walls).  The
    rectangle lies in the plane of the axis and the transverse direction, as it is drawn on an oblique axial image.
    Source: region C of study 002, screw-trajectory HU of study 003.
    """
    regions: list[Region] = []
    for side in SIDES:
        axis = site.screws.get(side)
        if axis is None and site.bone is not None and side in site.pedicles:
            axis = anatomical_axis(site.bone, site.pedicles[side])
        regions += _place(site, side, axis)
    return regions


def anatomical_axis(bone: PedicleBone, pedicle: Pedicle) -> BoneAxis | None:
    """The pedicle's axis from its entry behind; None when the line does not leave the bone within reach."""
    way = np.arange(0.0, LONGEST_WAY_TO_ENTRY_MM, STEP_MM)
    # The map itself: smoothed, the convex bone behind the pedicle would end 0.2 mm too early.
    depth = bone.solid.depth_mm(pedicle.isthmus_mm - way[:, None] * pedicle.direction)
    if depth[0] <= 0 or (depth > 0).all():
        return None
    first = int((depth <= 0).argmax())
    share = depth[first - 1] / (depth[first - 1] - depth[first])
    entry = pedicle.isthmus_mm - (way[first - 1] + share * STEP_MM) * pedicle.direction
    return BoneAxis(entry, pedicle.direction)


def _place(site: Site, side: str, axis: BoneAxis | None) -> list[Region]:
    if axis is None or site.bone is None:
        detail = f"No axis was found for the {side} trajectory of {site.level}."
        return [site.missing(name, Reason.FRAME_UNCERTAIN, detail, side=side) for name in NAMES]
    elsewhere = _is_elsewhere(site, site.bone, side, axis)
    if elsewhere is not None:
        return [site.missing(name, Reason.SCREW_ELSEWHERE, elsewhere, side=side) for name in NAMES]
    settings, grid = site.settings.trajectory, site.body.grid
    length_mm, diameter_mm = axis.length_mm or settings.length_mm, axis.diameter_mm or settings.diameter_mm
    cylinder = Cylinder(axis.entry_mm, axis.direction, length_mm, diameter_mm / 2)
    clear_of_cortex = (Inside(site.bone.solid, settings.margin_mm),) if settings.margin_mm > 0 else ()
    inside = Intersection((cylinder, *clear_of_cortex))
    left = site.body.frame.left
    across = unit_vector(left - (left @ axis.direction) * axis.direction)
    plane = PlaneAxes(axis.entry_mm, across, -axis.direction)
    half = diameter_mm / 2 * across
    tip = axis.entry_mm + length_mm * axis.direction
    corners = np.stack([axis.entry_mm - half, axis.entry_mm + half, tip - half, tip + half])
    weights = {
        "trajectory": coverage(inside, grid, Box.around(cylinder.corners_mm(), grid)),
        "trajectory_rectangle": plane_coverage(inside, plane, corners, grid),
    }
    flags = partial_volume_flags(site.body)
    return [site.region(name, weights[name], side=side, trajectory_source=axis.source, flags=flags) for name in NAMES]


def _is_elsewhere(site: Site, bone: PedicleBone, side: str, axis: BoneAxis) -> str | None:
    """A sentence when a given screw does not run through this side of this vertebra: other coordinates or a mix-up."""
    if axis.length_mm is None:
        return None
    way = np.arange(0.0, axis.length_mm + STEP_MM, STEP_MM)
    points = axis.entry_mm + way[:, None] * axis.direction
    share = float((bone.solid.depth_mm(points) > 0).mean())
    if share < SMALLEST_SHARE_IN_BONE:
        return (
            f"{share:.0%} of the {side} screw of {site.level} lie in this vertebra; its entry and tip must be LPS "
            "coordinates of this scan, in mm."
        )
    is_left = site.body.frame.to_local_mm(points[:1])[0, 0] > 0
    if is_left != (side == "left"):
        return f"The screw given for the {side} side of {site.level} enters on the other side."
    return None
