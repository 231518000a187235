"""The cross-section of a body in a plane, its trabecular area, and the largest ellipse in an area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.regions.body import ON_SURFACE_MM, VertebralBody
from spongiosa.regions.inset import Inset, axis_margins_mm, margin_along_mm
from spongiosa.regions.planes import SlicePlane
from spongiosa.regions.shapes import EllipticCylinder
from spongiosa.volume import FloatArray, bounding_box

#: Grid on which sections are sampled, and half its size: wide enough for the widest L5.  [mm]
SECTION_STEP_MM = 0.5
SECTION_HALF_SIZE_MM = 42.0

#: Ratios of the semi-axes (left-right to antero-posterior) that are tried for the largest ellipse, first
#: coarsely, then around the best.
ASPECTS = np.arange(0.6, 2.61, 0.2)
ASPECT_STEPS = np.arange(-0.15, 0.16, 0.05)

#: An ellipse with a smaller semi-axis is no measurement.  [mm]
SMALLEST_SEMI_AXIS_MM = 3.0


@dataclass(frozen=True)
class Section:
    """A body cut by a plane on a grid of `u_mm` (left) and `v_mm` (posterior); masks have shape (len(v), len(u))."""

    plane: SlicePlane
    u_mm: FloatArray
    v_mm: FloatArray
    body: NDArray[np.bool_]
    trabecular: NDArray[np.bool_]

    @property
    def depth_range_mm(self) -> tuple[float, float]:
        """Anterior and posterior edge of the body on its midline (the middle 6 mm), v coordinates."""
        rows = np.flatnonzero(self.body[:, np.abs(self.u_mm) <= 3.0].any(axis=1))
        return float(self.v_mm[rows[0]]), float(self.v_mm[rows[-1]])


def cut(body: VertebralBody, plane: SlicePlane, margin_mm: float, endplate_clearance_mm: float) -> Section | None:
    """The section of a body and its trabecular area; None when the plane misses the body's axis.

    The trabecular area is the section inset by `margin_mm` (see `axis_margins_mm`), without what lies nearer than
    `endplate_clearance_mm` to any surface of the body: an axial slice through a tilted vertebra meets the endplate at
    an acute angle, where an inset within the slice keeps too little distance.
    """
    v_mm = u_mm = np.arange(-SECTION_HALF_SIZE_MM, SECTION_HALF_SIZE_MM + SECTION_STEP_MM, SECTION_STEP_MM)
    vv, uu = np.meshgrid(v_mm, u_mm, indexing="ij")
    depth = body.depth_mm(plane.axes.points_mm(uu, vv))
    parts, _ = ndimage.label(depth > ON_SURFACE_MM)
    centre = len(u_mm) // 2
    if parts[centre, centre] == 0:
        return None
    inside = parts == parts[centre, centre]

    margins = axis_margins_mm(body.grid, margin_mm)
    sampling = [
        SECTION_STEP_MM / max(float(margin_along_mm(body.grid, direction, margins)), SECTION_STEP_MM)
        for direction in (plane.axes.v, plane.axes.u)
    ]
    trabecular = ndimage.distance_transform_edt(inside, sampling=sampling) >= 1.0
    clear = Inset.of(body, (endplate_clearance_mm,) * 3)
    trabecular[trabecular] = clear.depth_mm(plane.axes.points_mm(uu[trabecular], vv[trabecular])) >= 0
    return Section(plane, u_mm, v_mm, inside, trabecular)


def largest_ellipse(section: Section, area: NDArray[np.bool_], fraction: float) -> EllipticCylinder | None:
    """The largest ellipse inside `area` with axes along u and v, scaled by `fraction`; None when there is no room.

    For a given ratio of its axes, an ellipse is a circle after scaling u, so that a distance transform with that
    scaling gives the largest one around every centre at once.
    """
    if not area.any():
        return None
    lower, upper = bounding_box(area, margin=1)
    window = (slice(int(lower[0]), int(upper[0])), slice(int(lower[1]), int(upper[1])))
    coarse = max(ASPECTS, key=lambda aspect: _ellipse_size(area[window], float(aspect)))
    aspect = float(max(coarse + ASPECT_STEPS, key=lambda aspect: _ellipse_size(area[window], float(aspect))))
    room = _room(area[window], aspect)
    radius = float(room.max()) - SECTION_STEP_MM / 2
    if min(radius, radius * aspect) < SMALLEST_SEMI_AXIS_MM:
        return None
    rows, columns = np.nonzero(room >= room.max() - 1e-6)
    centre_uv = float(section.u_mm[window[1]][columns].mean()), float(section.v_mm[window[0]][rows].mean())
    semi_axes = (fraction * radius * aspect, fraction * radius)
    return EllipticCylinder(section.plane.axes, centre_uv, semi_axes)


def _room(area: NDArray[np.bool_], aspect: float) -> FloatArray:
    """Antero-posterior semi-axis of the largest ellipse of this aspect around every point.  [mm]"""
    return np.asarray(ndimage.distance_transform_edt(area, sampling=(SECTION_STEP_MM, SECTION_STEP_MM / aspect)))


def _ellipse_size(area: NDArray[np.bool_], aspect: float) -> float:
    """Product of the semi-axes of the largest ellipse of this aspect.  [mm2]"""
    return aspect * max(float(_room(area, aspect).max()) - SECTION_STEP_MM / 2, 0.0) ** 2
