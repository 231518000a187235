"""The three-slice ellipses: below the superior endplate, at mid-height, above the inferior endplate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spongiosa.config.regions import EllipseSettings
from spongiosa.outcome import Reason
from spongiosa.regions.body import VertebralBody, voxel_extent_mm
from spongiosa.regions.planes import ENDPLATE_THICKNESS_MM, Height, SlicePlane, measurement_plane, next_slice
from spongiosa.regions.region import Region
from spongiosa.regions.sections import Section, cut, largest_ellipse
from spongiosa.regions.shapes import EllipticCylinder
from spongiosa.regions.site import Site

#: What a region keeps from the endplates where a tilted slice cuts them: half the smallest allowed offset of the
#: plane, or half a slice and the thickness of an endplate.  [mm]
ENDPLATE_CLEARANCE_MM = 2.0

#: A native slice whose ellipse is smaller than this share of the next slice's loses it to the endplate and gives way.
KEPT_SHARE = 0.6

HEIGHTS: tuple[Height, ...] = ("superior", "mid", "inferior")


def place_ellipses(site: Site) -> list[Region]:
    """The largest ellipse in the trabecular area of each of the three slices.

    Source: three-slice method of opportunistic CT (Schreiber et al., J Bone Joint Surg Am 2011; 93: 1057-1063); the
    planes' offset, margin and exclusion are configuration.
    """
    return [_place_ellipse(site, height) for height in HEIGHTS]


def _place_ellipse(site: Site, height: Height) -> Region:
    name, settings, kind = f"ellipse_{height}", site.settings.ellipse, site.settings.plane
    plane = measurement_plane(site.body, height, kind, settings.endplate_offset_mm)
    ellipse = _ellipse_in(site.body, plane, height, settings)
    deeper = next_slice(plane, site.body) if height != "mid" else None
    if deeper is not None:
        other = _ellipse_in(site.body, deeper, height, settings)
        if other is not None and (ellipse is None or ellipse.area_mm2 < KEPT_SHARE * other.area_mm2):
            plane, ellipse = deeper, other
    if ellipse is None:
        detail = f"The trabecular area of {site.level} in the plane of {name} has no room for an ellipse."
        return site.missing(name, Reason.REGION_TOO_SMALL, detail, plane=kind)
    weights = plane.weights(ellipse, ellipse.outline_mm())
    return site.region(name, weights, plane=kind, area_mm2=ellipse.area_mm2)


def _ellipse_in(
    body: VertebralBody, plane: SlicePlane, height: Height, settings: EllipseSettings
) -> EllipticCylinder | None:
    """The ellipse of a plane, or None when the plane misses the body or leaves no room."""
    section = clear_section(body, plane, settings.margin_mm)
    if section is None:
        return None
    area = in_front_of_the_vein(section, settings.posterior_exclusion) if height == "mid" else section.trabecular
    return largest_ellipse(section, area, settings.fraction)


def in_front_of_the_vein(section: Section, posterior_share: float) -> NDArray[np.bool_]:
    """The trabecular area without the posterior share of the body's depth, where the basivertebral vein enters."""
    anterior, posterior = section.depth_range_mm
    limit = posterior - posterior_share * (posterior - anterior)
    return np.asarray(section.trabecular & (section.v_mm[:, None] <= limit))


def clear_section(body: VertebralBody, plane: SlicePlane, margin_mm: float) -> Section | None:
    """The section of a body in a plane, its trabecular area clear of cortex and endplates."""
    half_slice_mm = voxel_extent_mm(body.grid, plane.axes.normal) / 2
    return cut(body, plane, margin_mm, max(ENDPLATE_CLEARANCE_MM, half_slice_mm + ENDPLATE_THICKNESS_MM))
