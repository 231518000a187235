"""Every region of every level of a scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from spongiosa.anatomy.frame import SpineDescription, Vertebra
from spongiosa.anatomy.levels import CRANIAL_TO_CAUDAL, FIRST_UNNUMBERED
from spongiosa.config.regions import RegionsSettings
from spongiosa.outcome import Reason
from spongiosa.regions import mid_slice, trajectories, volumes
from spongiosa.regions.body import SURFACE_RADIUS_MM, VertebralBody, bounding_boxes, require_one_grid
from spongiosa.regions.findings import find_findings
from spongiosa.regions.mid_slice import place_mid_slice_shapes
from spongiosa.regions.pedicle_axes import SIDES
from spongiosa.regions.pedicles import place_pedicles
from spongiosa.regions.region import Region, RegionSet
from spongiosa.regions.site import BoneAxis, Site
from spongiosa.regions.slices import HEIGHTS, place_ellipses
from spongiosa.regions.trajectories import place_trajectories
from spongiosa.volume import Volume

#: Screws that are known, by level and side.
Screws = Mapping[tuple[str, str], BoneAxis]


@dataclass(frozen=True)
class Family:
    """Regions that are placed together: their names and sides, and how."""

    names: tuple[str, ...]
    place: Callable[[Site], list[Region]]
    sides: tuple[str, ...] = ("none",)


#: The catalogue, in the order of the tables.
CATALOGUE: tuple[Family, ...] = (
    Family(tuple(f"ellipse_{height}" for height in HEIGHTS), place_ellipses),
    Family(mid_slice.NAMES, place_mid_slice_shapes),
    Family(("body_trabecular",), volumes.place_body_trabecular),
    Family(("body_central",), volumes.place_body_central),
    Family(("pedicle",), place_pedicles, tuple(SIDES)),
    Family(trajectories.NAMES, place_trajectories, tuple(SIDES)),
    Family(("endplate_superior", "endplate_inferior"), volumes.place_endplate_layers),
    Family(volumes.QUADRANTS, volumes.place_quadrants),
    Family(("body_whole",), volumes.place_body_whole),
)


def place_regions(
    volume: Volume,
    vertebrae: Volume,
    bodies: Volume,
    spine: SpineDescription,
    settings: RegionsSettings,
    screws: Screws | None = None,
) -> RegionSet:
    """All regions of the configured levels, with the reason for each that could not be placed.

    `vertebrae` and `bodies` are label maps on the grid of `volume`; `spine` describes the same labels; `screws` are
    the axes of inserted or planned screws, where the pedicle's own axis does not serve.
    Raises `ValueError` when a map lies on another grid.
    """
    require_one_grid(volume, vertebrae, bodies)
    by_level = {vertebra.level: vertebra for vertebra in spine.vertebrae}
    is_unnumbered = any(vertebra.label >= FIRST_UNNUMBERED for vertebra in spine.vertebrae)
    findings = find_findings(volume, bodies, spine, settings)
    marked = _MarkedVertebrae(vertebrae, bodies)
    regions: list[Region] = []
    for level in (level.name for level in CRANIAL_TO_CAUDAL if level.name in settings.levels):
        vertebra = by_level.get(level)
        if vertebra is None:
            reason = Reason.LEVEL_UNKNOWN if is_unnumbered else Reason.LEVEL_NOT_IN_VIEW
            regions += _all_missing(level, settings, reason, f"{level} is not among the vertebrae that were found.")
            continue
        found = marked.shapes_of(vertebra)
        if isinstance(found, _Unusable):
            regions += _all_missing(level, settings, found.reason, found.detail)
            continue
        body, whole = found
        axes = {side: axis for (of_level, side), axis in (screws or {}).items() if of_level == level}
        for variant, parameters, names in _variants(settings):
            site = Site(level, body, whole, parameters, variant, axes, findings[vertebra.label].flags)
            placed = (region for family in CATALOGUE if names & set(family.names) for region in family.place(site))
            regions += [region for region in placed if region.name in names]
    return RegionSet(volume.geometry, tuple(regions))


@dataclass(frozen=True)
class _Unusable:
    """Why nothing can be placed in a vertebra."""

    reason: Reason
    detail: str


class _MarkedVertebrae:
    """The label maps of a scan, by vertebra."""

    def __init__(self, vertebrae: Volume, bodies: Volume) -> None:
        self._vertebrae, self._bodies = vertebrae, bodies
        self._vertebra_boxes, self._body_boxes = bounding_boxes(vertebrae), bounding_boxes(bodies)

    def shapes_of(self, vertebra: Vertebra) -> tuple[VertebralBody, VertebralBody | None] | _Unusable:
        """Body and whole vertebra (None when only bodies are marked), or why they cannot be used."""
        level, label, frame = vertebra.level, vertebra.label, vertebra.frame
        if vertebra.is_truncated:
            return _Unusable(Reason.LEVEL_TRUNCATED, f"{level} is cut by the edge of the scan.")
        if frame is None:
            return _Unusable(Reason.FRAME_UNCERTAIN, f"No anatomical frame could be fitted to {level}.")
        if label not in self._body_boxes:
            return _Unusable(Reason.FRAME_UNCERTAIN, f"No vertebral body is marked at {level}.")
        body = VertebralBody.of_label(self._bodies, label, frame, self._body_boxes[label])
        if body.touches_the_edge:
            return _Unusable(Reason.LEVEL_TRUNCATED, f"The body of {level} reaches the edge of the scan.")
        if not body.surfaces.near(0.0, 0.0, SURFACE_RADIUS_MM).any():
            return _Unusable(Reason.FRAME_UNCERTAIN, f"The frame of {level} lies outside of its body.")
        if label not in self._vertebra_boxes:
            return body, None
        return body, VertebralBody.of_label(self._vertebrae, label, frame, self._vertebra_boxes[label])


def _variants(settings: RegionsSettings) -> list[tuple[str, RegionsSettings, set[str]]]:
    """Name, parameters and region names of every variant, the default first."""
    variants = [("default", settings, set(settings.measured))]
    for name, variant in settings.variants.items():
        variants.append((name, settings.with_variant(variant), set(variant.measured)))
    return variants


def _all_missing(level: str, settings: RegionsSettings, reason: Reason, detail: str) -> list[Region]:
    return [
        Region(level, name, side=side, variant=variant, reason=reason, detail=detail)
        for variant, _, names in _variants(settings)
        for family in CATALOGUE
        for side in family.sides
        for name in family.names
        if name in names
    ]
