"""Which spot is which rod: the layout of a phantom laid over the spots of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from spongiosa.config.calibration import PhantomDetectionSettings
from spongiosa.config.phantoms import PhantomSettings
from spongiosa.density.phantom_lines import MINDWAYS_SLOPE_SHIFT, RodFit, fit_rods
from spongiosa.density.phantom_rings import Spot
from spongiosa.volume import FloatArray

#: How far a spot may lie from where the layout puts its rod.  [mm]
OFF_LAYOUT_MM = 2.5

#: Step at the edge of a rod below which it may well leave no spot.  [HU]
FAINT_HU = 15.0

#: Least roundness of a spot that may be a rod; a perfect disc has 0.93.
ROD_ROUNDNESS = 0.7

#: Scatter within the core of a rod: some of it is noise, and that is alike in all rods.
UNEVEN_RATIO, UNEVEN_HU = 3.0, 10.0

#: The rods lie in one plastic: what is around them may differ by this much.  [HU]
ONE_PLASTIC_HU = 60.0

#: A spot this round and this different from the plastic is a rod beyond doubt.
SURE_ROUNDNESS, SURE_CONTRAST_HU = 0.85, 25.0

#: How far from a rod of the phantom a further rod is looked for, in distances between neighbours.
FURTHER_RODS_WITHIN = 1.5

#: A faint spot is a rod only where its core differs from its surroundings by this much, in HU and in standard errors.
LEAST_STEP_HU, LEAST_STEP_SE = 2.0, 4.0

#: Directions in which the other rod of a pair is looked for when it is as dark as its plastic, and how near its HU and
#: that of the plastic around both must then be.
DIRECTIONS = 120
SAME_PLASTIC_HU = 8.0

#: Two assignments whose lines differ by less at either HU are the same calibration.
SAME_LINE_MG_CM3 = 2.0
SAME_LINE_AT_HU = (0.0, 200.0)


@dataclass(frozen=True)
class Disc:
    """What an image shows at a place: mean, SD and standard error of a rod's core, the SD of its whole section, and
    what is around the rod.  [HU]"""

    hu: float
    sd_hu: float
    se_hu: float
    section_sd_hu: float
    around_hu: float


Look = Callable[[FloatArray], Disc | None]
"""What lies at a place (u, v) in mm, or None where the core of a rod would not lie wholly in the image."""


@dataclass(frozen=True)
class Match:
    """Rods found: places (u, v) in mm and HU by rod, NaN for a rod that is not in view or was not believed.

    `is_seen` marks rods that stand out as a spot of their own; others lie where the layout puts them.  `roundness` is
    summed over the rods seen; `plastic_range_hu` is how far apart the surroundings of the rods are.
    """

    places_mm: FloatArray
    hu: FloatArray
    is_seen: NDArray[np.bool_]
    fit: RodFit
    layout_error_mm: float
    radius_mm: float
    roundness: float
    plastic_range_hu: float

    @property
    def rank(self) -> tuple[int, float, float]:
        """Larger is better: rods in view, how round those that are seen are in all, and how well the line fits."""
        return int(self.is_used.sum()), round(self.roundness, 2), -self.fit.rms_mg_cm3

    @property
    def is_used(self) -> NDArray[np.bool_]:
        return np.isfinite(self.hu)


def matches(
    spots: Sequence[Spot], phantom: PhantomSettings, look: Look, rules: PhantomDetectionSettings
) -> list[Match]:
    """Assignments of rods to places, the best first (`Match.rank`); `is_credible` says which may be right."""
    ranges = hu_ranges(phantom, rules)
    rods = [spot for spot in spots if spot.roundness >= ROD_ROUNDNESS and not _is_noise(spot, look)]
    found: dict[tuple[int, ...], Match | None] = {}
    for places in _poses(rods, phantom, ranges):
        assigned = _assigned(places, rods, ranges)
        key = tuple(assigned)
        if key not in found and sum(index >= 0 for index in assigned) >= 2:
            found[key] = _measured(assigned, _laid_over_spots(assigned, rods, phantom), rods, phantom, look, ranges)
    kept = [match for match in found.values() if match is not None]
    if len(phantom.rods) == 2:
        kept += _pairs_with_a_faint_rod(rods, phantom, look, ranges)
    return sorted(kept, key=lambda match: match.rank, reverse=True)


def hu_ranges(phantom: PhantomSettings, rules: PhantomDetectionSettings) -> FloatArray:
    """Lowest and highest HU of each rod that a credible line can give it, shape (n, 2)."""
    slopes = np.array(rules.slope_hu_per_mg_cm3)
    if phantom.is_in_plastic:
        slopes = slopes - MINDWAYS_SLOPE_SHIFT
    density = np.array([rod.density_mg_cm3 for rod in phantom.rods])
    water = np.array([(rod.water_mg_cm3 or 1000.0) - 1000.0 for rod in phantom.rods])
    ends = water[:, None] + density[:, None] * slopes
    slack = rules.maximum_offset_hu
    return np.column_stack([ends.min(axis=1) - slack, ends.max(axis=1) + slack])


def is_credible(match: Match, phantom: PhantomSettings, rules: PhantomDetectionSettings) -> bool:
    """Whether enough rods lie on a line that a CT scanner can have."""
    return bool(match.is_used.sum() >= rules.rods_needed(phantom)) and incredible(match.fit, rules) is None


def incredible(fit: RodFit, rules: PhantomDetectionSettings) -> str | None:
    """What is wrong with a fit, as the middle of a sentence; None for a credible one."""
    low, high = rules.slope_hu_per_mg_cm3
    if not low <= fit.slope_hu_per_mg_cm3 <= high:
        return f"the slope of {fit.slope_hu_per_mg_cm3:.2f} HU per mg/cm3 is not between {low:g} and {high:g}"
    if abs(fit.offset_hu) > rules.maximum_offset_hu:
        return f"water would have {fit.offset_hu:.0f} HU"
    if fit.r2 < rules.minimum_r2:
        return f"r2 is {fit.r2:.4f}, below {rules.minimum_r2:g}"
    if fit.rms_mg_cm3 > rules.maximum_residual_mg_cm3:
        return f"the rods scatter by {fit.rms_mg_cm3:.1f} mg/cm3 about their line"
    return None


def further_rods(match: Match, spots: Sequence[Spot], look: Look) -> int:
    """Rods in the same plastic that the phantom does not have: it is another phantom, or the layout is wrong."""
    used = match.places_mm[match.is_used]
    between = np.hypot(*(used[:, None, :] - used[None, :, :]).transpose(2, 0, 1))
    reach = FURTHER_RODS_WITHIN * float(between[between > 0].min(initial=np.inf)) if len(used) > 1 else 0.0
    plastic = [disc.around_hu for disc in map(look, used) if disc is not None]
    count = 0
    for spot in spots:
        distance = float(np.hypot(*(used - spot.place_mm).T).min())
        is_sure = spot.roundness >= SURE_ROUNDNESS and abs(spot.contrast_hu) >= SURE_CONTRAST_HU
        if not is_sure or not match.radius_mm < distance <= reach:
            continue
        disc = look(spot.place_mm)
        if disc is not None and plastic and abs(disc.around_hu - float(np.median(plastic))) <= ONE_PLASTIC_HU / 2:
            count += 1
    return count


def is_rival(best: Match, other: Match) -> bool:
    """Whether another assignment has as many rods in view as the best and gives another line."""
    if other.is_used.sum() < best.is_used.sum():
        return False
    of_best, of_other = (
        [(hu - match.fit.offset_hu) / match.fit.slope_hu_per_mg_cm3 for hu in SAME_LINE_AT_HU]
        for match in (best, other)
    )
    return max(abs(one - two) for one, two in zip(of_best, of_other, strict=True)) > SAME_LINE_MG_CM3


def _poses(spots: Sequence[Spot], phantom: PhantomSettings, ranges: FloatArray) -> Iterator[FloatArray]:
    """Places of all rods, shape (n, 2), for every way to take two spots for two rods, mirrored too.

    The cross-section of a phantom that was turned end for end is the mirror image of what it was.
    """
    layout = np.array([rod.position_mm for rod in phantom.rods])
    complex_layouts = [layout[:, 0] + 1j * layout[:, 1], layout[:, 0] - 1j * layout[:, 1]]
    can_be = [[spot for spot in spots if low <= spot.hu <= high] for low, high in ranges]
    for one, other in combinations(range(len(layout)), 2):
        apart = abs(complex_layouts[0][other] - complex_layouts[0][one])
        for first in can_be[one]:
            for second in can_be[other]:
                step = complex(*(second.place_mm - first.place_mm))
                if first is second or abs(abs(step) / apart - 1.0) > phantom.layout_tolerance + OFF_LAYOUT_MM / apart:
                    continue
                for placed in complex_layouts:
                    turn = step / (placed[other] - placed[one])
                    poses = complex(*first.place_mm) + turn * (placed - placed[one])
                    yield np.column_stack([poses.real, poses.imag])


def _pairs_with_a_faint_rod(
    spots: Sequence[Spot], phantom: PhantomSettings, look: Look, ranges: FloatArray
) -> list[Match]:
    """Matches of a phantom of two rods of which one is as dark as the plastic: at the nominal distance all around."""
    (x, y), (u, v) = (rod.position_mm for rod in phantom.rods)
    apart = float(np.hypot(u - x, v - y))
    ring = apart * np.exp(1j * np.linspace(0.0, 2 * np.pi, DIRECTIONS, endpoint=False))
    found: list[Match] = []
    for number, spot in enumerate(spots):
        for rod, (low, high) in enumerate(ranges):
            if not low <= spot.hu <= high:
                continue
            around: list[Match] = []
            for step in ring:
                places = np.array([spot.place_mm, spot.place_mm])
                places[1 - rod] += np.array([step.real, step.imag])
                disc = look(places[1 - rod])
                if disc is None or abs(disc.hu - disc.around_hu) > SAME_PLASTIC_HU:
                    continue
                assigned = [-1, -1]
                assigned[rod] = number
                match = _measured(assigned, places, spots, phantom, look, ranges)
                if match is not None and match.is_used.all() and match.plastic_range_hu <= SAME_PLASTIC_HU:
                    around.append(match)
            # The plastic is one; where it is not, its darker and its brighter parts are rivals.
            around.sort(key=lambda match: float(match.hu[1 - rod]))
            count = len(around)
            found += [around[count // 2], around[count // 10], around[-1 - count // 10]] if around else []
    return found


def _is_noise(spot: Spot, look: Look) -> bool:
    """Whether a faint spot is no clearer than the noise within it."""
    if abs(spot.contrast_hu) >= FAINT_HU:
        return False
    disc = look(spot.place_mm)
    return disc is None or abs(disc.hu - disc.around_hu) < max(LEAST_STEP_HU, LEAST_STEP_SE * disc.se_hu)


def _assigned(places: FloatArray, spots: Sequence[Spot], ranges: FloatArray) -> list[int]:
    """The spot nearest to each place that its rod can be, or -1; a spot serves one place only."""
    centres = np.array([spot.place_mm for spot in spots])
    hu = np.array([spot.hu for spot in spots])
    distance = np.hypot(*(places[:, None, :] - centres[None, :, :]).transpose(2, 0, 1))
    distance[(hu < ranges[:, :1]) | (hu > ranges[:, 1:])] = np.inf
    assigned: list[int] = []
    for row in distance:
        nearest = int(row.argmin())
        assigned.append(nearest if row[nearest] <= OFF_LAYOUT_MM and nearest not in assigned else -1)
    return assigned


def _laid_over_spots(assigned: Sequence[int], spots: Sequence[Spot], phantom: PhantomSettings) -> FloatArray:
    layout = np.array([rod.position_mm for rod in phantom.rods])
    known = np.array([index >= 0 for index in assigned])
    centres = np.array([spots[index].place_mm if index >= 0 else (np.nan, np.nan) for index in assigned])
    return _laid_over(layout, centres, known)


def _measured(
    assigned: Sequence[int],
    laid_mm: FloatArray,
    spots: Sequence[Spot],
    phantom: PhantomSettings,
    look: Look,
    ranges: FloatArray,
) -> Match | None:
    """The match of an assignment, with the rods that are no spots at `laid_mm`; None when it cannot be."""
    known = np.array([index >= 0 for index in assigned])
    centres = np.array([spots[index].place_mm if index >= 0 else (np.nan, np.nan) for index in assigned])
    error = float(np.hypot(*(laid_mm[known] - centres[known]).T).max())
    if error > OFF_LAYOUT_MM:
        return None
    places = np.where(known[:, None], centres, laid_mm)
    discs = [look(place) for place in places]
    of_spots = [disc for disc, is_known in zip(discs, known, strict=True) if disc is not None and is_known]
    if not of_spots:
        return None
    evenness = max(UNEVEN_RATIO * min(disc.sd_hu for disc in of_spots), UNEVEN_HU)
    hu = np.full(len(places), np.nan)
    for number, disc in enumerate(discs):
        if disc is None:
            continue
        # Nothing may be seen in a rod that is not seen: neither its own edge nor that of the plastic that it lies in.
        sd_hu = disc.sd_hu if known[number] else disc.section_sd_hu
        is_even = sd_hu <= evenness and ranges[number, 0] <= disc.hu <= ranges[number, 1]
        if is_even and (known[number] or abs(disc.hu - disc.around_hu) <= FAINT_HU):
            hu[number] = disc.hu
        elif not known[number]:
            return None  # a rod that must be seen there is not
    around = [disc.around_hu for disc, value in zip(discs, hu, strict=True) if disc is not None and np.isfinite(value)]
    if not around or max(around) - min(around) > ONE_PLASTIC_HU:
        return None
    try:
        fit = fit_rods(hu, phantom)
    except ValueError:
        return None
    is_used = np.isfinite(hu)
    roundness = sum(
        spots[index].roundness for index, used in zip(assigned, is_used, strict=True) if index >= 0 and used
    )
    radius = float(np.median([spots[index].radius_mm for index in assigned if index >= 0]))
    places = np.where(is_used[:, None], places, np.nan)
    return Match(places, hu, known & is_used, fit, error, radius, float(roundness), max(around) - min(around))


def _laid_over(layout: FloatArray, centres: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    """The layout moved, turned, scaled and, if that fits better, mirrored, so that its known rods fall on `centres`.

    Least squares for points of a plane as complex numbers: z -> a z + b, or a conj(z) + b.
    """
    target = centres[known, 0] + 1j * centres[known, 1]
    best, least = layout, np.inf
    for mirror in (1.0, -1.0):
        source = layout[:, 0] + 1j * mirror * layout[:, 1]
        from_mean, to_mean = source[known].mean(), target.mean()
        moved = source[known] - from_mean
        turn = np.vdot(moved, target - to_mean) / np.vdot(moved, moved)
        placed = to_mean + turn * (source - from_mean)
        miss = float((np.abs(placed[known] - target) ** 2).sum())
        if miss < least - 1e-9:
            best, least = np.column_stack([placed.real, placed.imag]), miss
    return best
