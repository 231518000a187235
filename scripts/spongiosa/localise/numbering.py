"""Joint search for the endplates and the levels along the column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray
from spongiosa.localise.appearance import Appearance
from spongiosa.localise.evidence import PEDICLE_DEPTH_MM, PIVOT_MM, ColumnEvidence

#: Height of the body and thickness of the disc below it on the axis of the bodies, mm, for a person of middle size.
#: Their sums are the pitches that a feasibility study measured on real scans (T8-L5: 24 to 37 mm, SD 3.2).
BODY_AND_DISC_MM: dict[str, tuple[float, float]] = {
    "C5": (13.0, 4.5),
    "C6": (13.0, 4.5),
    "C7": (14.5, 4.5),
    "T1": (16.0, 4.0),
    "T2": (17.0, 4.0),
    "T3": (17.0, 4.0),
    "T4": (17.5, 4.0),
    "T5": (18.0, 4.0),
    "T6": (18.5, 4.0),
    "T7": (19.0, 4.5),
    "T8": (19.5, 4.5),
    "T9": (20.0, 5.0),
    "T10": (21.5, 5.5),
    "T11": (22.5, 6.5),
    "T12": (24.5, 6.5),
    "L1": (26.0, 7.5),
    "L2": (27.0, 8.5),
    "L3": (27.0, 9.5),
    "L4": (27.0, 10.0),
    "L5": (26.5, 10.0),
    "S1": (28.0, 3.0),
}
LEVELS = tuple(BODY_AND_DISC_MM)
BODY_RANGE_MM, DISC_RANGE_MM = (12, 42), (2, 20)
_HEIGHTS_MM = np.arange(BODY_RANGE_MM[0], BODY_RANGE_MM[1] + 1)
_THICKNESSES_MM = np.arange(DISC_RANGE_MM[0], DISC_RANGE_MM[1] + 1)
HEIGHT_SD_MM, DISC_SD_MM = 3.8, 3.4
#: A fracture or a bony bridge must not cost more than the first; nothing makes a body or a disc grow, which costs up to
#: the second.
LOSS_COST, GROWTH_COST = 3.0, 12.0
SCALES = np.array([0.74, 0.80, 0.86, 0.92, 0.98, 1.04, 1.10, 1.16])
SCALE_SD = 0.12
#: A pedicle springs from the upper half of its body, its foramen lies at the lower end of the body (shares of height).
PEDICLE_PLACE, FORAMEN_PLACE = 0.32, 0.98
WEIGHT_PLATE, WEIGHT_INNER, WEIGHT_PEDICLE = 3.0, 2.5, 2.0
WEIGHT_RIB, WEIGHT_ALA = 3.0, 3.0
#: Per millimetre of sacrum without alae, and of column that is too long to be the sacrum.
WEIGHT_SACRUM = 0.3
LONGEST_SACRUM_MM = 110
#: Evidence of alae where the scan does not show the place: little, so that the sacrum must be seen.
UNSEEN_ALA = 0.3
START_COST = 1.0
_NEVER = 1.0e9


@dataclass(frozen=True)
class Segment:
    """One vertebra along the column: places of its plates (mm from the cranial end of the curve) and their tilts.

    A plate beyond the visible column is None.  For the sacrum only the superior plate is given.
    """

    level: str
    superior_mm: float | None
    inferior_mm: float | None
    superior_tilt_deg: float
    inferior_tilt_deg: float


@dataclass(frozen=True)
class Numbering:
    """The best chain of vertebrae from cranial to caudal, its cost, its scale, and the cost of each other numbering.

    `cost_by_shift[n]` is the cost of the best chain in which the lowest vertebra bears the level n steps
    further caudal.
    """

    segments: tuple[Segment, ...]
    cost: float
    scale: float
    cost_by_shift: dict[int, float]


def number_column(evidence: ColumnEvidence, appearance: Appearance | None = None) -> Numbering | None:
    """The chain of vertebrae that explains the column at the least cost, or None when nothing fits.

    A semi-Markov dynamic programme: superior and inferior endplates are states of their own, with a height for the body
    and a thickness for the disc under each label, so that no chain can take discs for bodies.  All terms are penalties:
    missing plates, strong plates inside a body or disc, pedicles out of phase, sizes unlike the label's at a common
    scale, ribs below T12, alae above S1, and what does not look like the given bodies and discs.  Every millimetre of
    the visible column is explained.
    """
    visible = np.flatnonzero(evidence.visible)
    if visible.size < 20:
        return None
    first, last = int(visible[0]), int(visible[-1])
    body, disc = body_costs(evidence), disc_costs(evidence)
    if appearance is not None:
        starts = np.arange(len(evidence.plate), dtype=np.float64)[:, None]
        body = body + appearance.against_bodies(starts, starts + _HEIGHTS_MM)
        disc = disc + appearance.against_discs(starts, starts + _THICKNESSES_MM)
    best: tuple[float, float, list[_Node]] | None = None
    ends: dict[str, float] = {}
    for scale in SCALES:
        search = _Search(evidence, float(scale), first, last, body, disc)
        prior = 0.5 * ((scale - 1.0) / SCALE_SD) ** 2
        for cost, level, chain in search.ends():
            total = cost + prior
            ends[level] = min(ends.get(level, _NEVER), total)
            if best is None or total < best[0]:
                best = (total, float(scale), chain)
    if best is None or best[0] >= _NEVER / 2:
        return None
    lowest = LEVELS.index(best[2][-1].level)
    shifts = {LEVELS.index(level) - lowest: cost for level, cost in ends.items() if cost < _NEVER / 2}
    return Numbering(tuple(_segment(node, evidence) for node in best[2]), best[0], best[1], shifts)


@dataclass(frozen=True)
class _Node:
    level: str
    superior: int | None
    inferior: int | None


def _segment(node: _Node, evidence: ColumnEvidence) -> Segment:
    def tilt(place: int | None) -> float:
        return 0.0 if place is None else float(evidence.tilt_deg[place])

    return Segment(
        node.level,
        None if node.superior is None else float(node.superior),
        None if node.inferior is None else float(node.inferior),
        tilt(node.superior),
        tilt(node.inferior),
    )


def _at(profile: FloatArray, places: FloatArray) -> FloatArray:
    index = np.clip(np.rint(places), 0, len(profile) - 1).astype(int)
    values: FloatArray = profile[index]
    return values


def _largest_inside(profile: FloatArray, starts: NDArray[np.int_], lengths: NDArray[np.int_]) -> FloatArray:
    """Maximum of `profile[start : start + length]` for every start (rows) and length (columns); 0 for empty ones."""
    result = np.zeros((len(starts), len(lengths)))
    padded = np.concatenate([profile, np.zeros(int(max(lengths.max(), 0)) + 1)])
    running = np.zeros(len(starts))
    filled = 0
    for column, length in enumerate(lengths):
        while filled < length:
            running = np.maximum(running, padded[np.clip(starts + filled, 0, len(padded) - 1)])
            filled += 1
        result[:, column] = running
    return result


def front_line(evidence: ColumnEvidence, depth_mm: float) -> FloatArray:
    """Where the plate through every place of the pivot crosses another depth: place + tan(tilt) (depth - pivot)."""
    places: FloatArray = np.arange(len(evidence.plate)) + np.tan(np.radians(evidence.tilt_deg)) * (depth_mm - PIVOT_MM)
    return places


def body_costs(evidence: ColumnEvidence) -> FloatArray:
    """Cost of a body from superior plate a (rows) with height BODY_RANGE_MM[0] + k (columns), without its label."""
    size = len(evidence.plate)
    heights = np.arange(BODY_RANGE_MM[0], BODY_RANGE_MM[1] + 1)
    a = np.arange(size)
    b = a[:, None] + heights
    plate = evidence.plate
    inferior = np.where(b < size, plate[np.clip(b, 0, size - 1)], 0.0)
    cost = WEIGHT_PLATE * ((1.0 - plate)[:, None] + (1.0 - inferior))
    cost += WEIGHT_INNER * _largest_inside(plate, a + 5, heights - 9)
    near_canal = front_line(evidence, float(np.mean(PEDICLE_DEPTH_MM)))
    top = near_canal[a][:, None]
    bottom = near_canal[np.clip(b, 0, size - 1)]
    pedicle = np.nan_to_num(ndimage.uniform_filter1d(np.nan_to_num(evidence.pedicle), 5))
    rise = _at(pedicle, top + PEDICLE_PLACE * (bottom - top)) - _at(pedicle, top + FORAMEN_PLACE * (bottom - top))
    return cost + WEIGHT_PEDICLE * np.clip(1.0 - rise / 1.2, 0.0, 2.0)


def disc_costs(evidence: ColumnEvidence) -> FloatArray:
    """Cost of a disc from inferior plate b (rows) with thickness DISC_RANGE_MM[0] + k (columns), without its label."""
    thicknesses = np.arange(DISC_RANGE_MM[0], DISC_RANGE_MM[1] + 1)
    return WEIGHT_INNER * _largest_inside(evidence.plate, np.arange(len(evidence.plate)) + 4, thicknesses - 7)


class _Search:
    """The dynamic programme at one scale."""

    def __init__(
        self,
        evidence: ColumnEvidence,
        scale: float,
        first: int,
        last: int,
        body: FloatArray,
        disc: FloatArray,
    ) -> None:
        self.evidence, self.first, self.last = evidence, first, last
        self.size = len(evidence.plate)
        self.heights = np.arange(BODY_RANGE_MM[0], BODY_RANGE_MM[1] + 1)
        self.thicknesses = np.arange(DISC_RANGE_MM[0], DISC_RANGE_MM[1] + 1)
        self.body, self.disc, self.scale = body, disc, scale
        # Where the scan does not show the sides, half a rib and no ala are assumed: neither counts for or against much.
        self.rib = np.nan_to_num(_running_max(evidence.rib), nan=0.5)
        self.ala = ndimage.uniform_filter1d(np.nan_to_num(evidence.ala), 11)
        self.superior: dict[str, FloatArray] = {}
        self.inferior: dict[str, FloatArray] = {}
        self.from_disc: dict[str, NDArray[np.int_]] = {}
        self.from_body: dict[str, NDArray[np.int_]] = {}
        self._run()

    def _size_cost(self, values: NDArray[np.int_], expected: float, sd: float) -> FloatArray:
        excess = values - expected * self.scale
        cost: FloatArray = np.minimum(0.5 * (excess / sd) ** 2, np.where(excess < 0, LOSS_COST, GROWTH_COST))
        return cost

    def _anchor_cost(self, level: str, tops: NDArray[Any], bottoms: NDArray[Any]) -> FloatArray:
        """Cost of ribs and alae at vertebrae between tops and bottoms (same shape), NaN-free."""
        rib = _at(self.rib, tops + 0.25 * (bottoms - tops))
        ala = _at(self.ala, (tops + bottoms) / 2)
        if level[0] in "CT":
            # The twelfth rib may be short or missing, and its absence says less than its presence.
            missing = WEIGHT_RIB * (0.5 if level == "T12" else 1.0)
            return missing * (1.0 - rib) + WEIGHT_ALA * ala
        return WEIGHT_RIB * rib + WEIGHT_ALA * np.clip(ala - 0.3, 0.0, None) * (0.5 if level == "L5" else 1.0)

    def _run(self) -> None:
        places = np.arange(self.size)
        for number, level in enumerate(LEVELS):
            height, _ = BODY_AND_DISC_MM[level]
            top = np.full(self.size, _NEVER)
            origin = np.full(self.size, -1)
            # The column may begin inside the disc above this vertebra.
            starts = (places >= self.first) & (places <= self.first + DISC_RANGE_MM[1])
            top[starts] = START_COST
            if number > 0:
                above = LEVELS[number - 1]
                _, thickness = BODY_AND_DISC_MM[above]
                size_cost = self._size_cost(self.thicknesses, thickness, DISC_SD_MM)
                for k, step in enumerate(self.thicknesses):
                    arriving = np.full(self.size, _NEVER)
                    arriving[step:] = self.inferior[above][:-step] + self.disc[:-step, k] + size_cost[k]
                    better = arriving < top
                    top[better], origin[better] = arriving[better], places[better] - step
            self.superior[level], self.from_disc[level] = top, origin
            bottom = np.full(self.size, _NEVER)
            came = np.full(self.size, -1)
            if level != "S1":
                # The column may begin inside this vertebra.
                tallest = min(BODY_RANGE_MM[1], 1.3 * height * self.scale)
                partial = (places > self.first) & (places <= self.first + tallest)
                bottom[partial] = (
                    START_COST
                    + WEIGHT_PLATE * (1.0 - self.evidence.plate[partial])
                    + WEIGHT_INNER
                    * _largest_inside(
                        self.evidence.plate, np.array([self.first + 3]), np.maximum(places[partial] - self.first - 7, 0)
                    )[0]
                )
                starts_at = np.minimum(float(self.first), places[partial] - 0.6 * height * self.scale)
                bottom[partial] += self._anchor_cost(level, starts_at, places[partial].astype(np.float64))
                size_cost = self._size_cost(self.heights, height, HEIGHT_SD_MM)
                for k, step in enumerate(self.heights):
                    leaving = top[:-step] + self.body[:-step, k] + size_cost[k]
                    leaving = leaving + self._anchor_cost(level, places[:-step], places[step:])
                    better = leaving < bottom[step:]
                    bottom[step:][better] = leaving[better]
                    came[step:][better] = places[:-step][better]
            self.inferior[level], self.from_body[level] = bottom, came

    def ends(self) -> list[tuple[float, str, list[_Node]]]:
        """The best end of the column under every lowest label: cost, that label, and the chain."""
        found = []
        places = np.arange(self.size)
        for level in LEVELS:
            if level == "S1":
                cost = self.superior[level] + self._sacrum_cost()
                place = int(np.argmin(cost))
                if cost[place] < _NEVER / 2:
                    found.append((float(cost[place]), level, self._chain(level, place, None)))
                continue
            height, _ = BODY_AND_DISC_MM[level]
            in_disc = np.where(places >= self.last - DISC_RANGE_MM[1], self.inferior[level], _NEVER)
            place = int(np.argmin(in_disc))
            if in_disc[place] < _NEVER / 2:
                found.append((float(in_disc[place]) + START_COST, level, self._chain(level, None, place)))
            tallest = min(BODY_RANGE_MM[1], 1.3 * height * self.scale)
            cut = (places >= self.last - tallest) & (places < self.last)
            lengths = np.maximum(self.last - places - 8, 0)
            plate = self.evidence.plate
            inner = np.array([plate[p + 5 : p + 5 + n].max(initial=0.0) for p, n in zip(places, lengths, strict=True)])
            cost = self.superior[level] + WEIGHT_PLATE * (1.0 - self.evidence.plate) + WEIGHT_INNER * inner
            cost = cost + START_COST + self._anchor_cost(level, places, np.minimum(places + height, self.last))
            cost = np.where(cut, cost, _NEVER)
            place = int(np.argmin(cost))
            if cost[place] < _NEVER / 2:
                found.append((float(cost[place]), level, self._chain(level, place, None)))
        return found

    def _sacrum_cost(self) -> FloatArray:
        """Cost of the sacrum's superior plate at every place: the plate, missing alae below it, and too long a rest."""
        plate = WEIGHT_PLATE * (1.0 - self.evidence.plate)
        seen = np.clip(self.evidence.ala / 0.7, 0.0, 1.0)
        seen = np.concatenate([np.where(np.isfinite(seen), seen, UNSEEN_ALA), np.full(40, UNSEEN_ALA)])
        missing = np.concatenate([[0.0], np.cumsum(1.0 - seen)])
        places = np.arange(self.size)
        start, stop = places + 3, places + 31
        rest = np.clip(self.last - places - LONGEST_SACRUM_MM, 0, None)
        cost: FloatArray = plate + WEIGHT_SACRUM * (missing[stop] - missing[start] + rest)
        return cost

    def _chain(self, level: str, superior: int | None, inferior: int | None) -> list[_Node]:
        chain: list[_Node] = []
        number = LEVELS.index(level)
        while True:
            current = LEVELS[number]
            if inferior is not None:
                start = int(self.from_body[current][inferior])
                superior = None if start < 0 else start
            chain.append(_Node(current, superior, inferior))
            if superior is None:
                break
            above = int(self.from_disc[current][superior])
            if above < 0:
                break
            number, inferior = number - 1, above
        return chain[::-1]


def _running_max(profile: FloatArray) -> FloatArray:
    """Largest value within 8 mm; NaN where nothing is seen."""
    largest = ndimage.maximum_filter1d(np.nan_to_num(profile, nan=0.0), 17)
    return np.where(np.isfinite(profile), largest, np.nan)
