"""The pedicle's region and what a screw trajectory keeps of the bone, on the generator's own surface.

Both follow the definitions of docs/regions.md.  The pedicle's region is an elliptic cylinder about the isthmus: the
middle of the narrow stretch of the filleted surface, 1 to 4 mm in front of the middle of the bar that the pedicle is
made of.  A trajectory leaves out what lies near the surface, by Euclidean distance.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.placed import Ellipse
from spongiosa.synthetic.posterior_elements import PedicleAxis
from spongiosa.synthetic.sampling import Window
from spongiosa.synthetic.vertebra import Vertebra

Floats = NDArray[np.float64]

#: Distance to the outer surface, what it gives way to in a narrow pedicle, the semi-axis that it then leaves, and the
#: smallest semi-axis of a region.  [mm]
MARGIN_MM: Final = 3.5
LEAST_MARGIN_MM: Final = 2.75
KEPT_MM: Final = 0.75
SMALLEST_MM: Final = 0.5
#: Length along the axis.  [mm]
LENGTH_MM: Final = 10.0
#: The narrow stretch: sections up to this factor of the narrowest, which lies this near to the middle of the bar.
STRETCH: Final = 1.25
NEAR_MM: Final = 8.0
_STEP_MM: Final = 0.25
_REACH_MM: Final = 14.0
#: Directions in which the surface is looked for, evenly about a sphere, and the most by which the generator's distance
#: (along rays of elliptic bars) exceeds the Euclidean one.
_DIRECTIONS: Final = 60
_RAY_EXCESS: Final = 2.5


def pedicle_region(vertebra: Vertebra, side: str) -> Ellipse | None:
    """The elliptic cylinder of a side; None where the inset leaves nothing.  Raises `KeyError` for an unknown side."""
    bar = vertebra.pedicles[side]
    narrow = min(bar.half_width_mm, bar.half_height_mm)
    inset = min(MARGIN_MM, max(LEAST_MARGIN_MM, narrow - KEPT_MM))
    if narrow - inset < SMALLEST_MM:
        return None
    across, up = _directions_across(bar)
    axes = vertebra.frame.axes
    centre = vertebra.frame.to_lps(isthmus_mm(vertebra, bar)[None])[0]
    width, height = bar.half_width_mm - inset, bar.half_height_mm - inset
    return Ellipse(centre, axes @ (across * width), axes @ (up * height), LENGTH_MM)


def isthmus_mm(vertebra: Vertebra, bar: PedicleAxis) -> Floats:
    """Middle of the narrow stretch on the true axis, in the vertebra's frame, shape (3,)."""
    offsets = np.arange(-12.0, 12.0 + _STEP_MM, 2.0 * _STEP_MM)
    angles = np.arange(0.0, 2.0 * np.pi, np.pi / 24.0)
    radii = np.arange(0.0, _REACH_MM, _STEP_MM)
    across, up = _directions_across(bar)
    rays = np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * up
    points = (
        bar.isthmus_mm
        + offsets[:, None, None, None] * bar.direction
        + radii[None, None, :, None] * rays[None, :, None, :]
    )
    is_bone = _distance(vertebra, points.reshape(-1, 3)).reshape(points.shape[:3]) < 0.0
    # Along a ray, bone ends where it first ends: what lies beyond a gap is another part.
    reach = np.cumprod(is_bone, axis=-1).sum(axis=-1) * _STEP_MM
    areas = np.square(reach).sum(axis=1)
    near = np.abs(offsets) <= NEAR_MM
    narrowest = int(np.flatnonzero(near)[areas[near].argmin()])
    is_wide = areas > STRETCH * areas[narrowest]
    behind, ahead = np.flatnonzero(is_wide[:narrowest]), np.flatnonzero(is_wide[narrowest:])
    first = offsets[behind[-1] + 1] if behind.size else offsets[0]
    last = offsets[narrowest + ahead[0] - 1] if ahead.size else offsets[-1]
    return np.asarray(bar.isthmus_mm + (first + last) / 2.0 * bar.direction)


def lies_below_surface(vertebra: Vertebra, points_lps_mm: Floats, margin_mm: float) -> NDArray[np.bool_]:
    """Which LPS points, shape (n, 3), lie in the vertebra at least a Euclidean `margin_mm` away from its surface."""
    local = vertebra.frame.to_local(points_lps_mm)
    distance = _distance(vertebra, local)
    is_below = distance <= -margin_mm
    unsure = np.flatnonzero(is_below & (distance > -_RAY_EXCESS * margin_mm))
    # Fibonacci's spiral spreads directions evenly about a sphere.
    height = 1.0 - (2.0 * np.arange(_DIRECTIONS) + 1.0) / _DIRECTIONS
    turn = np.arange(_DIRECTIONS) * np.pi * (3.0 - np.sqrt(5.0))
    radius = np.sqrt(1.0 - height**2)
    for direction in np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1):
        inside = _distance(vertebra, local[unsure] + margin_mm * direction) < 0.0
        is_below[unsure[~inside]] = False
        unsure = unsure[inside]
    return np.asarray(is_below)


def _distance(vertebra: Vertebra, local_mm: Floats) -> Floats:
    """The generator's signed distance of points in the vertebra's frame, shape (n, 3), to the whole vertebra."""
    u, v, w = local_mm.astype(np.float32).T
    return vertebra.distances(Window(u, v, w, 0.0, None, None))[0].astype(np.float64)


def _directions_across(bar: PedicleAxis) -> tuple[Floats, Floats]:
    """Unit vectors across the axis: to the side and upwards."""
    side = np.array([1.0, 0.0, 0.0])
    side = side - (side @ bar.direction) * bar.direction
    side /= np.linalg.norm(side)
    return side, np.cross(bar.direction, side)
