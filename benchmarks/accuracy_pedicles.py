"""The pedicle region as docs/regions.md defines it, on the generator's own geometry.

The generator's ideal pedicle is a round cylinder of its own length about the middle of the bar that the pedicle is
made of.  The region of the documentation is an elliptic cylinder about the isthmus, the middle of the narrow stretch of
the filleted surface, which lies 1 to 4 mm further forward.  Here it is laid out on the true axis, the true half axes
and the exact surface; nothing here has seen the image or its grid, or shares code with what is measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.placed import Ellipse
from spongiosa.synthetic.posterior_elements import PedicleAxis
from spongiosa.synthetic.sampling import Window
from spongiosa.synthetic.scanner import RenderedScan
from spongiosa.synthetic.vertebra import Vertebra

#: Distance to the outer surface, and length along the axis.  [mm]
MARGIN_MM, LENGTH_MM = 2.5, 8.0
#: A pedicle whose semi-axis is smaller than this after the margin has no region.  [mm]
SMALLEST_MM = 0.5
#: The narrow stretch: sections up to this factor of the narrowest, which lies this near to the middle of the bar.
STRETCH, NEAR_MM = 1.25, 8.0
_STEP_MM, _REACH_MM = 0.25, 14.0
#: Step of the samples of the field.  [mm]
SAMPLE_STEP_MM = 0.4


def pedicle_hu(scan: RenderedScan, level: str, side: str) -> float:
    """Mean of the continuous field over the pedicle as it is defined; NaN where the margin leaves nothing."""
    shape = defined_pedicle(scan.patient.vertebrae[level], side)
    if shape is None:
        return float("nan")
    points, _ = shape.samples(SAMPLE_STEP_MM)
    return float(np.mean(scan.patient.vertebra_values_at(level, points, scan.patient.tissues(scan.truth.kvp))))


def defined_pedicle(vertebra: Vertebra, side: str) -> Ellipse | None:
    """The elliptic cylinder of a side; None where the margin leaves nothing."""
    bar = vertebra.pedicles[side]
    width, height = bar.half_width_mm - MARGIN_MM, bar.half_height_mm - MARGIN_MM
    if min(width, height) < SMALLEST_MM:
        return None
    across, up = _directions_across(bar)
    axes = vertebra.frame.axes
    centre = vertebra.frame.to_lps(isthmus_mm(vertebra, bar)[None])[0]
    return Ellipse(centre, axes @ (across * width), axes @ (up * height), LENGTH_MM)


def isthmus_mm(vertebra: Vertebra, bar: PedicleAxis) -> NDArray[np.float64]:
    """Middle of the narrow stretch on the true axis, in the vertebra's frame."""
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
    u, v, w = points.reshape(-1, 3).astype(np.float32).T
    is_bone = vertebra.distances(Window(u, v, w, 0.0, None, None))[0].reshape(points.shape[:3]) < 0.0
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


def _directions_across(bar: PedicleAxis) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors across the axis: to the side and upwards."""
    side = np.array([1.0, 0.0, 0.0])
    side = side - (side @ bar.direction) * bar.direction
    side /= np.linalg.norm(side)
    return side, np.cross(bar.direction, side)
