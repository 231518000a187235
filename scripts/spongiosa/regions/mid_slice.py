"""The five shapes of the slice at mid-height: oval, round, front, left and right."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spongiosa.outcome import Reason
from spongiosa.regions.coverage import Shape
from spongiosa.regions.planes import measurement_plane
from spongiosa.regions.region import Region
from spongiosa.regions.sections import Section, largest_ellipse
from spongiosa.regions.shapes import EllipticCylinder, PlanarArea
from spongiosa.regions.site import Site
from spongiosa.regions.slices import clear_section
from spongiosa.volume import FloatArray

NAMES = ("shape_oval", "shape_round", "shape_front", "shape_left", "shape_right")

#: Half the width of the strip in which the inner depth is measured.  [mm]
MIDLINE_HALF_WIDTH_MM = 3.0


def place_mid_slice_shapes(site: Site) -> list[Region]:
    """The five regions of the slice at mid-height.

    The inner depth runs from the anterior to the posterior edge of the trabecular area on the midline; its anterior
    two-thirds bear the oval (largest ellipse), the round (a circle from the anterior edge to the line at two-thirds)
    and the front (the central third of the width).  Left and right are the patient's lateral thirds, bounded by the
    side lines of the front extended backwards.
    Source: the five shapes of study 001; the widths, which it does not state, are configuration.
    """
    kind = site.settings.plane
    plane = measurement_plane(site.body, "mid", kind, site.settings.ellipse.endplate_offset_mm)
    section = clear_section(site.body, plane, site.settings.mid_slice.margin_mm)
    shapes = {} if section is None else dict(_shapes(section, site))
    regions = []
    for name in NAMES:
        if name not in shapes:
            detail = f"The trabecular area of {site.level} at mid-height has no room for {name}."
            regions.append(site.missing(name, Reason.REGION_TOO_SMALL, detail, plane=kind))
            continue
        shape, outline_mm, area_mm2 = shapes[name]
        regions.append(site.region(name, plane.weights(shape, outline_mm), plane=kind, area_mm2=area_mm2))
    return regions


def _shapes(section: Section, site: Site) -> Iterator[tuple[str, tuple[Shape, FloatArray, float]]]:
    """Each shape that has room, with points around it and its area."""
    settings = site.settings.mid_slice
    trabecular = section.trabecular
    on_midline = trabecular[:, np.abs(section.u_mm) <= MIDLINE_HALF_WIDTH_MM].any(axis=1)
    if not on_midline.any():
        return
    front, back = section.v_mm[on_midline][[0, -1]]
    limit = front + settings.anterior_share * (back - front)
    anterior = trabecular & (section.v_mm[:, None] <= limit)
    width = section.u_mm[trabecular.any(axis=0)]
    half_front = settings.front_share * (width[-1] - width[0]) / 2
    # The middle is the area's centre: its outermost points are single voxels of the label map.
    middle = float(section.u_mm[np.nonzero(trabecular)[1]].mean())

    oval = largest_ellipse(section, anterior, 1.0)
    if oval is not None:
        yield "shape_oval", (oval, oval.outline_mm(), oval.area_mm2)
    radius = float(limit - front) / 2
    if radius > 0:
        centre = (float(middle), float(front + limit) / 2)
        circle = EllipticCylinder(section.plane.axes, centre, (radius, radius))
        yield "shape_round", (circle, circle.outline_mm(), circle.area_mm2)
    u_mm = section.u_mm[None, :] - middle
    zones: dict[str, NDArray[np.bool_]] = {
        "shape_front": anterior & (np.abs(u_mm) <= half_front),
        "shape_left": trabecular & (u_mm > half_front),
        "shape_right": trabecular & (u_mm < -half_front),
    }
    for name, zone in zones.items():
        if zone.any():
            area = PlanarArea.of(section.plane.axes, section.u_mm, section.v_mm, zone)
            yield name, (area, area.outline_mm(), area.area_mm2)
