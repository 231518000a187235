"""Regions of a single slice: the three-slice ellipses."""

from __future__ import annotations

from spongiosa.config.regions import EllipseSettings
from spongiosa.outcome import Reason
from spongiosa.regions.body import VertebralBody, voxel_extent_mm
from spongiosa.regions.planes import ENDPLATE_THICKNESS_MM, Height, PlaneKind, SlicePlane, measurement_plane, next_slice
from spongiosa.regions.region import Region
from spongiosa.regions.sections import cut, largest_ellipse
from spongiosa.regions.shapes import EllipticCylinder

#: What a region keeps from the endplates where a tilted slice cuts them: half the smallest allowed offset of the
#: plane, or half a slice and the thickness of an endplate.  [mm]
ENDPLATE_CLEARANCE_MM = 2.0

#: A native slice whose ellipse is smaller than this share of the next slice's loses it to the endplate and gives way.
KEPT_SHARE = 0.6


def place_ellipse(
    body: VertebralBody, level: str, height: Height, kind: PlaneKind, settings: EllipseSettings
) -> Region:
    """The largest ellipse in the trabecular area below the superior endplate, at mid-height or above the inferior one.

    Source: three-slice method of opportunistic CT (Schreiber et al., J Bone Joint Surg Am 2011; 93: 1057-1063); the
    plane's offset, margin and exclusion are configuration.
    """
    name = f"ellipse_{height}"
    plane = measurement_plane(body, height, kind, settings.endplate_offset_mm)
    ellipse = _ellipse_in(body, plane, height, settings)
    deeper = next_slice(plane, body) if height != "mid" else None
    if deeper is not None:
        other = _ellipse_in(body, deeper, height, settings)
        if other is not None and (ellipse is None or ellipse.area_mm2 < KEPT_SHARE * other.area_mm2):
            plane, ellipse = deeper, other
    if ellipse is None:
        detail = f"The trabecular area of {level} in the plane of {name} has no room for an ellipse."
        return Region(level, name, plane=kind, reason=Reason.REGION_TOO_SMALL, detail=detail)
    weights = plane.weights(ellipse, ellipse.outline_mm())
    return Region(level, name, plane=kind, weights=weights, area_mm2=ellipse.area_mm2)


def _ellipse_in(
    body: VertebralBody, plane: SlicePlane, height: Height, settings: EllipseSettings
) -> EllipticCylinder | None:
    """The ellipse of a plane, or None when the plane misses the body or leaves no room."""
    half_slice_mm = voxel_extent_mm(body.grid, plane.axes.normal) / 2
    clearance_mm = max(ENDPLATE_CLEARANCE_MM, half_slice_mm + ENDPLATE_THICKNESS_MM)
    section = cut(body, plane, settings.margin_mm, clearance_mm)
    if section is None:
        return None
    area = section.trabecular
    if height == "mid":
        anterior, posterior = section.depth_range_mm
        limit = posterior - settings.posterior_exclusion * (posterior - anterior)
        area = area & (section.v_mm[:, None] <= limit)
    return largest_ellipse(section, area, settings.fraction)
