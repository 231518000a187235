"""Every region of every level of a scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.anatomy.levels import CRANIAL_TO_CAUDAL, FIRST_UNNUMBERED
from spongiosa.config.regions import RegionsSettings
from spongiosa.outcome import Reason
from spongiosa.regions import mid_slice, trajectories, volumes
from spongiosa.regions.avoidance import avoiding, rejected_voxels
from spongiosa.regions.mid_slice import place_mid_slice_shapes
from spongiosa.regions.pedicle_axes import SIDES
from spongiosa.regions.pedicles import place_pedicles
from spongiosa.regions.region import Region, RegionSet
from spongiosa.regions.site import BoneAxis, Site
from spongiosa.regions.slices import HEIGHTS, place_ellipses
from spongiosa.regions.survey import Survey, Unusable, survey_spine
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
    return place_surveyed(survey_spine(volume, vertebrae, bodies, spine, settings), settings, screws)


def place_surveyed(survey: Survey, settings: RegionsSettings, screws: Screws | None = None) -> RegionSet:
    """All regions of the configured levels of a surveyed spine; see `place_regions`."""
    by_level = {found.vertebra.level: found for found in survey.vertebrae}
    is_unnumbered = any(found.vertebra.label >= FIRST_UNNUMBERED for found in survey.vertebrae)
    regions: list[Region] = []
    for level in (level.name for level in CRANIAL_TO_CAUDAL if level.name in settings.levels):
        found = by_level.get(level)
        if found is None:
            reason = Reason.LEVEL_UNKNOWN if is_unnumbered else Reason.LEVEL_NOT_IN_VIEW
            regions += _all_missing(level, settings, reason, f"{level} is not among the vertebrae that were found.")
            continue
        if found.unusable is not None or found.body is None:
            unusable = found.unusable or Unusable(Reason.FRAME_UNCERTAIN, f"{level} has no body.")
            regions += _all_missing(level, settings, unusable.reason, unusable.detail)
            continue
        axes = {side: axis for (of_level, side), axis in (screws or {}).items() if of_level == level}
        for variant, parameters, names in _variants(settings):
            site = Site(level, found.body, found.arch, parameters, variant, axes, found.flags)
            placed = (region for family in CATALOGUE if names & set(family.names) for region in family.place(site))
            placed_here = [region for region in placed if region.name in names]
            if parameters.avoidance.method != "none":
                rejected = rejected_voxels(survey.volume, found.body, parameters.avoidance)
                placed_here = [avoiding(region, rejected) for region in placed_here]
            regions += placed_here
    return RegionSet(survey.volume.geometry, tuple(regions))


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
