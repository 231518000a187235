"""The walls of a vertebral body: radius by angle and height about its axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray
from spongiosa.localise.local_box import STEP_MM, LocalBox, fall_half_mm, outer_shift, relative_fall
from spongiosa.localise.matching import semi_global

ANGLES = 72
RADIAL_STEP_MM = 0.5
#: Angles from the back, on either side of the midline, between which the pedicles hide the wall, and up to which they
#: may do so where they leave the body at its side, as at L5 (degrees).
PEDICLE_ANGLES_DEG, WIDEST_PEDICLE_DEG = (18.0, 62.0), 82.0
#: A direction in which HU fall less than this share of a clear edge in the upper half of the body runs into a pedicle.
OPEN_FALL = 0.4
#: A wall is looked for this far on either side of its expectation, mm.
WALL_REACH_MM = 6.0
PRIOR_PER_MM2 = 0.006
#: Where the posterior wall is expected behind the rough centre (26 mm in front of the canal), and its weight.
POSTERIOR_WALL_MM, PRIOR_BACK_PER_MM2 = 16.0, 0.003
#: Weight of an ellipse that is expected (that of the neighbours, or of the first look), and the most that it counts
#: for: what the image shows clearly elsewhere is stronger.
PRIOR_NEIGHBOUR_PER_MM2, MOST_FOR_NEIGHBOUR = 0.004, 0.12
#: Behind the pedicles the side wall leans by no more than this (mm sideways per mm back); sharpness of the corner.
SIDE_SLOPES = (-0.6, 0.1)
CORNER_EXPONENT = 4.0
#: Below the pedicles the corner itself is seen: between these shares of the height from the lower plate.  It counts
#: where HU fall by this share of a clear edge, within these shares of the rounded corner, up to the first share of the
#: height, and less and less up to the second.
BELOW_PEDICLES, SEEN_FALL, CORNER_SHARES = (0.12, 0.38), 0.3, (0.75, 1.06)
UP_TO = (0.40, 0.60)


@dataclass(frozen=True)
class Ellipse:
    """Super-ellipse of a body at mid-height: centre (left, posterior) and half axes in the local frame, mm."""

    left_mm: float
    back_mm: float
    half_width_mm: float
    half_depth_mm: float

    def as_array(self) -> FloatArray:
        return np.array([self.left_mm, self.back_mm, self.half_width_mm, self.half_depth_mm])


@dataclass(frozen=True)
class Walls:
    """Radius at (angles, heights) about an axis (left, posterior mm); the mean fall of HU there; the ellipse before."""

    axis_mm: tuple[float, float]
    heights_mm: FloatArray
    radius_mm: FloatArray
    fall_hu: float
    ellipse: Ellipse


def find_walls(box: LocalBox, top_mm: float, bottom_mm: float, near: Ellipse | None = None) -> Walls:
    """The walls of the body between two heights of a box.

    First the super-ellipse along which the mid-height image falls most (`near` draws it to that of the neighbours),
    then at every angle and height where HU fall most on the way out, whatever the marrow: the shell is brighter than
    what lies outside of it at every density.  Neighbouring directions are joined by semi-global matching.
    """
    middle = box.mean_between(0.7 * bottom_mm + 0.3 * top_mm, 0.3 * bottom_mm + 0.7 * top_mm)
    ellipse = _best_ellipse(middle, box, near)
    axis = (ellipse.left_mm, ellipse.back_mm)
    heights = np.arange(np.floor(bottom_mm), np.ceil(top_mm) + STEP_MM, STEP_MM)
    section = _ellipse_radii(np.array([ellipse.half_width_mm]), np.array([ellipse.half_depth_mm]))[0]
    expected = np.repeat(section[:, None], len(heights), axis=1)
    ends = (PEDICLE_ANGLES_DEG[1], PEDICLE_ANGLES_DEG[1])
    hidden = _hidden_by_pedicles(ends)
    share = (heights - bottom_mm) / (top_mm - bottom_mm)
    below = _below(share)
    radius, strength, full_hu = _matched(box, axis, heights, expected, WALL_REACH_MM, _unseen(hidden, below))
    ends = _ends_of_pedicles(strength)
    hidden = _hidden_by_pedicles(ends)
    corner = _behind_pedicles(radius, strength, ends, share)
    expected = ndimage.gaussian_filter(corner, (1.5, 3.0), mode=("wrap", "nearest"))
    radius, strength, full_hu = _matched(box, axis, heights, expected, WALL_REACH_MM / 2, _unseen(hidden, below))
    fall = float(strength[~hidden].mean() * full_hu)
    radius = _on_outer_face(box, axis, heights, radius, _unseen(hidden, below))
    ring = np.concatenate([radius[-1:], radius, radius[:1]])
    radius = ndimage.median_filter(ring, size=(3, 5), mode="nearest")[1:-1]
    return Walls(axis, heights, _behind_pedicles(radius, strength, ends, share), fall, ellipse)


def _directions() -> FloatArray:
    angles: FloatArray = np.arange(ANGLES) * 2 * np.pi / ANGLES
    return angles


def _from_back_deg() -> FloatArray:
    """Signed angle of every direction from straight backwards, degrees."""
    angles: FloatArray = np.degrees(np.mod(_directions() - np.pi / 2 + np.pi, 2 * np.pi) - np.pi)
    return angles


def _hidden_by_pedicles(ends_deg: tuple[float, float]) -> NDArray[np.bool_]:
    """The angles at which the pedicles leave the body: no wall is to be seen there.

    `ends_deg` are the angles from the back at which the pedicles end on the right and on the left side.
    """
    from_back = _from_back_deg()
    end = np.where(from_back > 0, ends_deg[0], ends_deg[1])
    hidden: NDArray[np.bool_] = (np.abs(from_back) > PEDICLE_ANGLES_DEG[0]) & (np.abs(from_back) < end)
    return hidden


def _below(share: FloatArray) -> NDArray[np.bool_]:
    """The heights, as shares of the body's from its lower plate, at which no pedicle hides the wall."""
    below: NDArray[np.bool_] = (share > BELOW_PEDICLES[0]) & (share < BELOW_PEDICLES[1])
    return below


def _unseen(hidden: NDArray[np.bool_], below: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The (angles, heights) at which pedicles hide the wall: the hidden angles, but not below the pedicles."""
    unseen: NDArray[np.bool_] = hidden[:, None] & ~below[None, :]
    return unseen


def _ends_of_pedicles(strength: FloatArray) -> tuple[float, float]:
    """Angles from the back, either side, up to which bone goes on outwards in the upper part of the body."""
    from_back = _from_back_deg()
    upper = np.median(strength[:, strength.shape[1] // 2 :], axis=1)
    ends = []
    for side in (1.0, -1.0):
        end = PEDICLE_ANGLES_DEG[1]
        for angle in np.arange(end, WIDEST_PEDICLE_DEG, 360.0 / ANGLES):
            if upper[np.argmin(np.abs(side * from_back - angle))] < OPEN_FALL:
                end = float(angle) + 360.0 / ANGLES
        ends.append(end)
    return ends[0], ends[1]


def _ellipse_radii(half_widths: FloatArray, half_depths: FloatArray) -> FloatArray:
    """Radius (ellipses, angles) of super-ellipses with exponent 2.4, which fits lumbar bodies (feasibility study)."""
    angles = _directions()
    inverse = (
        np.abs(np.cos(angles) / half_widths[:, None]) ** 2.4 + np.abs(np.sin(angles) / half_depths[:, None]) ** 2.4
    )
    radius: FloatArray = inverse ** (-1 / 2.4)
    return radius


def _best_ellipse(middle: NDArray[np.float32], box: LocalBox, near: Ellipse | None) -> Ellipse:
    """The super-ellipse along which the mid-height image falls most."""
    seen = np.flatnonzero(~_hidden_by_pedicles((PEDICLE_ANGLES_DEG[1], PEDICLE_ANGLES_DEG[1])))
    radii = np.arange(7.0, 38.0, STEP_MM)
    widths, depths = (grid.ravel() for grid in np.meshgrid(np.arange(12.0, 35.0), np.arange(8.0, 26.0)))
    plausible = (widths / depths >= 1.05) & (widths / depths <= 1.9)
    widths, depths = widths[plausible], depths[plausible]
    places = np.clip(np.rint(_ellipse_radii(widths, depths)[:, seen] - radii[0]), 0, len(radii) - 1).astype(int)
    best = (-np.inf, Ellipse(0.0, 0.0, 22.0, 16.0))
    for left in np.arange(-10.0, 10.1, 2.0):
        for back in np.arange(-10.0, 10.1, 2.0):
            fall = _radial_fall(middle, box, left, back, radii)
            scores = fall[seen, places].mean(axis=1)
            scores -= PRIOR_BACK_PER_MM2 * (back + depths - POSTERIOR_WALL_MM) ** 2
            if near is not None:
                own = np.stack([np.full_like(widths, left), np.full_like(widths, back), widths, depths], axis=1)
                away = ((own - near.as_array()) ** 2).sum(axis=1)
                scores -= np.minimum(PRIOR_NEIGHBOUR_PER_MM2 * away, MOST_FOR_NEIGHBOUR)
            first = int(np.argmax(scores))
            if scores[first] > best[0]:
                found = Ellipse(float(left), float(back), float(widths[first]), float(depths[first]))
                best = (float(scores[first]), found)
    return best[1]


def _radial_fall(middle: NDArray[np.float32], box: LocalBox, left: float, back: float, radii: FloatArray) -> FloatArray:
    """Fall of HU outwards at (angles, radii) in an image (left, posterior)."""
    angles = _directions()[:, None]

    def at(radius: FloatArray) -> FloatArray:
        x = left + radius * np.cos(angles) - box.start_mm[0]
        y = back + radius * np.sin(angles) - box.start_mm[1]
        values: FloatArray = ndimage.map_coordinates(middle, [x, y], order=1, mode="nearest", output=np.float64)
        return values

    half = fall_half_mm(box.across_mm)
    return relative_fall(at(radii - half) - at(radii + half))[0]


def _matched(
    box: LocalBox,
    axis: tuple[float, float],
    heights: FloatArray,
    expected: FloatArray,
    reach_mm: float,
    hidden: NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray, float]:
    """Radius of the wall at (angles, heights) about the axis, the fall of HU there (0-1), and what 1 is in HU."""
    offsets = np.arange(-reach_mm, reach_mm + RADIAL_STEP_MM / 2, RADIAL_STEP_MM)
    radius = expected[:, :, None] + offsets
    angles = _directions()[:, None, None]
    up = np.broadcast_to(heights[None, :, None], radius.shape)

    def at(r: FloatArray) -> FloatArray:
        return box.at(axis[0] + r * np.cos(angles), axis[1] + r * np.sin(angles), up)

    half = fall_half_mm(box.across_mm)
    fall, full_hu = relative_fall(at(radius - half) - at(radius + half))
    weight = np.where(hidden, 0.15, 1.0)[:, :, None]
    # The rim near either plate curls; the waist is what the eye follows.
    cost = 1.0 - weight * fall + PRIOR_PER_MM2 * offsets**2
    chosen = semi_global(cost, wraps=True)
    found = np.take_along_axis(radius, chosen[:, :, None], axis=2)[:, :, 0]
    strength = np.take_along_axis(fall, chosen[:, :, None], axis=2)[:, :, 0]
    return found, strength, full_hu


def _on_outer_face(
    box: LocalBox, axis: tuple[float, float], heights: FloatArray, radius: FloatArray, hidden: NDArray[np.bool_]
) -> FloatArray:
    """The walls moved to the outer face of the shell; where the pedicles hide it, by the median of that height."""
    offsets = np.arange(-6.0, 4.01, RADIAL_STEP_MM)
    angles = _directions()[:, None, None]
    along = radius[:, :, None] + offsets
    profile = box.at(
        axis[0] + along * np.cos(angles),
        axis[1] + along * np.sin(angles),
        np.broadcast_to(heights[:, None], along.shape),
    )
    profile = ndimage.gaussian_filter(profile, (1.0, 1.0, 0.0), mode=("wrap", "nearest", "nearest"))
    shift = outer_shift(profile, offsets, box.across_mm)
    by_height = np.nanmedian(np.where(hidden, np.nan, shift), axis=0)
    return radius + np.where(hidden, by_height, shift)


def _behind_pedicles(
    radius: FloatArray, strength: FloatArray, ends_deg: tuple[float, float], share: FloatArray
) -> FloatArray:
    """The radius with the hidden part between side and back made of what is seen on either side of it and below it.

    The posterior wall is carried on sideways as a plane, the side walls backwards along their own slope; they meet in a
    rounded corner.  Below the pedicles the corner is as round as it is seen there; `share` is the share of the body's
    height at each of the heights.  The wall in the midline is the median of its directions at each height, smoothed
    over the heights.
    """
    from_back = _from_back_deg()
    turn = np.radians(np.abs(from_back))[:, None]
    central = np.abs(from_back) <= PEDICLE_ANGLES_DEG[0]
    wall = np.median(radius[central] * np.cos(turn[central]), axis=0)
    wall = ndimage.gaussian_filter1d(ndimage.median_filter(wall, size=5, mode="nearest"), 1.5, mode="nearest")
    result = radius.copy()
    flat = wall / np.cos(turn[central])
    result[central] = np.clip(radius[central], flat - 1.5, flat + 1.5)
    for side, end in ((1.0, ends_deg[0]), (-1.0, ends_deg[1])):
        hidden = (side * from_back > PEDICLE_ANGLES_DEG[0]) & (side * from_back < end)
        rear = (side * from_back >= end) & (side * from_back < end + 15.0)
        middle = (side * from_back >= end + 18.0) & (side * from_back <= end + 33.0)
        across, back = radius * np.sin(turn), radius * np.cos(turn)
        x_rear, y_rear = across[rear].mean(axis=0), back[rear].mean(axis=0)
        run = np.maximum(y_rear - back[middle].mean(axis=0), 2.0)
        slope = np.clip((x_rear - across[middle].mean(axis=0)) / run, *SIDE_SLOPES)
        to_side = (x_rear - slope * y_rear) / np.maximum(np.sin(turn[hidden]) - slope * np.cos(turn[hidden]), 0.1)
        to_back = wall / np.cos(turn[hidden])
        corner = (np.maximum(to_side, 1.0) ** -CORNER_EXPONENT + to_back**-CORNER_EXPONENT) ** (-1 / CORNER_EXPONENT)
        seen = _seen_share(radius[hidden], corner, strength[hidden], _below(share))
        result[hidden] = corner * (1.0 + np.interp(share, UP_TO, (1.0, 0.0)) * (seen[:, None] - 1.0))
    return result


def _seen_share(radius: FloatArray, corner: FloatArray, strength: FloatArray, below: NDArray[np.bool_]) -> FloatArray:
    """The wall seen below the pedicles as a share of the rounded corner, by angle; 1 where it is not seen."""
    if not below.any():
        return np.ones(len(radius))
    seen = strength[:, below] >= SEEN_FALL
    shares = np.where(seen, radius[:, below] / corner[:, below], np.nan)
    enough = seen.mean(axis=1) >= 0.5
    usual = np.ones(len(radius))
    usual[enough] = np.nanmedian(shares[enough], axis=1)
    return np.clip(ndimage.gaussian_filter1d(usual, 1.0, mode="nearest"), *CORNER_SHARES)
