"""Every region of every level of a scan."""

from __future__ import annotations

from collections.abc import Callable

from spongiosa.anatomy.frame import SpineDescription, Vertebra
from spongiosa.anatomy.levels import CRANIAL_TO_CAUDAL, FIRST_UNNUMBERED
from spongiosa.config.regions import RegionsSettings
from spongiosa.outcome import Reason
from spongiosa.regions.body import SURFACE_RADIUS_MM, VertebralBody, bounding_boxes, require_one_grid
from spongiosa.regions.region import Region, RegionSet
from spongiosa.regions.slices import place_ellipse
from spongiosa.regions.volumes import place_body_trabecular
from spongiosa.volume import Volume

#: How each region of the catalogue is placed in a body: name -> (body, level, settings) -> region.
PLACERS: dict[str, Callable[[VertebralBody, str, RegionsSettings], Region]] = {
    "ellipse_superior": lambda body, level, s: place_ellipse(body, level, "superior", s.plane, s.ellipse),
    "ellipse_mid": lambda body, level, s: place_ellipse(body, level, "mid", s.plane, s.ellipse),
    "ellipse_inferior": lambda body, level, s: place_ellipse(body, level, "inferior", s.plane, s.ellipse),
    "body_trabecular": lambda body, level, s: place_body_trabecular(body, level, s.trabecular),
}


def place_regions(
    volume: Volume, vertebrae: Volume, bodies: Volume, spine: SpineDescription, settings: RegionsSettings
) -> RegionSet:
    """All regions of the configured levels, with the reason for each that could not be placed.

    `vertebrae` and `bodies` are label maps on the grid of `volume`; `spine` describes the same labels.
    Raises `ValueError` when a map lies on another grid.
    """
    require_one_grid(volume, vertebrae, bodies)
    by_level = {vertebra.level: vertebra for vertebra in spine.vertebrae}
    is_unnumbered = any(vertebra.label >= FIRST_UNNUMBERED for vertebra in spine.vertebrae)
    crops = bounding_boxes(bodies)
    regions: list[Region] = []
    for level in (level.name for level in CRANIAL_TO_CAUDAL if level.name in settings.levels):
        vertebra = by_level.get(level)
        if vertebra is None:
            reason = Reason.LEVEL_UNKNOWN if is_unnumbered else Reason.LEVEL_NOT_IN_VIEW
            regions += _all_missing(level, reason, f"{level} is not among the vertebrae that were found.")
            continue
        regions += place_level(bodies, vertebra, crops.get(vertebra.label), settings)
    return RegionSet(volume.geometry, tuple(regions))


def place_level(
    bodies: Volume, vertebra: Vertebra, crop: tuple[slice, ...] | None, settings: RegionsSettings
) -> list[Region]:
    """The regions of one vertebra."""
    level = vertebra.level
    if vertebra.is_truncated:
        return _all_missing(level, Reason.LEVEL_TRUNCATED, f"{level} is cut by the edge of the scan.")
    if vertebra.frame is None:
        return _all_missing(level, Reason.FRAME_UNCERTAIN, f"No anatomical frame could be fitted to {level}.")
    if crop is None:
        return _all_missing(level, Reason.FRAME_UNCERTAIN, f"No vertebral body is marked at {level}.")
    body = VertebralBody.of_label(bodies, vertebra.label, vertebra.frame, crop)
    if body.touches_the_edge:
        return _all_missing(level, Reason.LEVEL_TRUNCATED, f"The body of {level} reaches the edge of the scan.")
    if not body.surfaces.near(0.0, 0.0, SURFACE_RADIUS_MM).any():
        return _all_missing(level, Reason.FRAME_UNCERTAIN, f"The frame of {level} lies outside of its body.")
    return [place(body, level, settings) for place in PLACERS.values()]


def _all_missing(level: str, reason: Reason, detail: str) -> list[Region]:
    return [Region(level, name, reason=reason, detail=detail) for name in PLACERS]
