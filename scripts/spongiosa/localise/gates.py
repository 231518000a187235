"""Independent gates on a localisation: each a measured value with its limits, and what they make of the confidence."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from spongiosa.localise.canal import CanalTrack
from spongiosa.localise.evidence import ColumnEvidence
from spongiosa.localise.numbering import BODY_AND_DISC_MM, Numbering, Segment

#: Below the first value a gate is shut, above the second fully open (or the reverse).
CANAL_SCORE = (0.50, 0.70)
PEDICLE_SWING_HU = (40.0, 90.0)
PLATES_SEEN = (0.30, 0.60)
PHASE_AGREEMENT = (0.2, 0.7)
#: Median width, depth and height of thoracolumbar bodies, mm: the published means of T10-L5 with about three SD on
#: either side (Berry et al., Spine 1987; Panjabi et al., Spine 1991 and 1992).  Outside: children, wrong spacing.
WIDTH_MM, DEPTH_MM, HEIGHT_MM = (31.0, 63.0), (21.0, 46.0), (15.0, 38.0)
#: Alae beside S1 and ribs at T12: the share that must be seen for an anchor, and for the alae over how many mm.
ALA_SEEN, ALA_LENGTH_MM, RIB_SEEN = 0.5, 10, 0.4
#: The alae begin within the first distance below the superior plate of S1; up to the second, S1 is one segment further
#: down than the chain says.  They are looked for from this far above the plate, mm.
ALA_ONSET_MM, ALA_ABOVE_MM = (24.0, 58.0), 8
#: Bone between the processes of L5 and the alae, least share along the way.
JOINED_ALA = 0.35
#: Least share of bone along the way where the processes themselves pass: synthetic sacralised vertebrae have 0.67 and
#: more, others up to 0.17.
JOINED_PROCESS = 0.4
#: A costal process of the first lumbar vertebra reaches up to 44 mm from the canal, and hardly further than that of the
#: second; ribs of 45 mm reached 50 to 68 mm (25 synthetic patients).
SHORT_RIB_MM, SHORT_RIB_EXCESS_MM = 48.0, 12.0
#: So many vertebrae in a row may seem to have no rib between two that have one.
MOST_MISSED_RIBS = 2
#: No disc is wider than this in its middle, mm.
WIDEST_DISC_MM = 20.0
#: The stretch above the lower edge of the view that shows whether it is thorax, the share of it at which ribs leave the
#: spine there, and the room that a complete vertebra below the lowest rib would need, mm.
THORAX_MM, THORAX_RIB_SHARE, VERTEBRA_BELOW_RIB_MM = 100, 0.35, 40


@dataclass(frozen=True)
class Anchors:
    """What fixes the count of the levels.

    `has_sacrum`: alae are seen beside the lowest segment of the chain that it calls S1; `has_vertebra_above_sacrum`:
    they are seen one segment further down, so that this one is a vertebra; `lowest_rib_offset`: how many levels below
    the chain's T12 the lowest rib lies (0: agrees), None where the scan does not show it; `is_transitional`: bone joins
    the processes of the lowest lumbar vertebra to the alae; `has_short_rib`: the vertebra below the lowest rib bears
    something longer than a costal process and shorter than a rib.
    """

    has_sacrum: bool
    lowest_rib_offset: int | None
    has_vertebra_above_sacrum: bool = False
    is_transitional: bool = False
    has_short_rib: bool = False

    @property
    def count(self) -> int:
        """How many anchors are seen."""
        return int(self.has_sacrum or self.has_vertebra_above_sacrum) + int(self.lowest_rib_offset is not None)


def opened(value: float, limits: tuple[float, float]) -> float:
    """0 where a gate is shut, 1 where it is open, linear between."""
    return float(np.clip((value - limits[0]) / (limits[1] - limits[0]), 0.0, 1.0))


def phase_agreement(segments: tuple[Segment, ...], evidence: ColumnEvidence) -> float:
    """Mean rise of the pedicle profile from the foramina to the pedicles of the chain, in units of its swing."""
    rises = []
    for segment in segments:
        if segment.superior_mm is None or segment.inferior_mm is None:
            continue
        height = segment.inferior_mm - segment.superior_mm
        upper = slice(int(segment.superior_mm), int(segment.superior_mm + 0.6 * height) + 1)
        lower = slice(int(segment.superior_mm + 0.85 * height), int(segment.superior_mm + 1.2 * height) + 1)
        high, low = evidence.pedicle[upper], evidence.pedicle[lower]
        if np.isfinite(high).any() and np.isfinite(low).any():
            rises.append(float(np.nanmax(high) - np.nanmin(low)) / 2.0)
    return float(np.mean(rises)) if rises else 0.0


def plates_seen(segments: tuple[Segment, ...], evidence: ColumnEvidence) -> float:
    """Mean strength of the plates of the chain, 0-1."""
    places = [
        place for segment in segments for place in (segment.superior_mm, segment.inferior_mm) if place is not None
    ]
    strengths = [evidence.plate[max(int(p) - 1, 0) : int(p) + 2].max(initial=0.0) for p in places]
    return float(np.mean(strengths)) if strengths else 0.0


def find_anchors(numbering: Numbering, evidence: ColumnEvidence) -> Anchors:
    """Where the alae begin against the chain's S1, and where the lowest rib lies against its T12."""
    onset: float | None = None
    offset: int | None = None
    is_transitional = False
    levels = list(BODY_AND_DISC_MM)
    with_rib = []
    for place, segment in enumerate(numbering.segments):
        if segment.level == "S1" and segment.superior_mm is not None:
            onset = ala_onset_mm(evidence, segment.superior_mm)
            above = numbering.segments[place - 1] if place > 0 else None
            is_transitional = above is not None and _is_joined(evidence, above, segment.superior_mm)
            continue
        if rib_at(segment, evidence) >= RIB_SEEN:
            with_rib.append(levels.index(segment.level))
    lowest = lowest_rib(with_rib)
    if lowest is not None and _shows_vertebra_below(numbering, evidence, levels, lowest):
        offset = lowest - levels.index("T12")
    return Anchors(
        has_sacrum=onset is not None and onset <= ALA_ONSET_MM[0],
        lowest_rib_offset=offset,
        has_vertebra_above_sacrum=onset is not None and ALA_ONSET_MM[0] < onset <= ALA_ONSET_MM[1],
        is_transitional=is_transitional,
        has_short_rib=lowest is not None and _bears_short_rib(numbering, evidence, levels[lowest + 1 :]),
    )


def lowest_rib(with_rib: list[int]) -> int | None:
    """The lowest of the vertebrae with a rib, from cranial to caudal: ribs follow each other, and what looks like one
    further down than ribs are missed is an iliac crest or a bowel with contrast medium.
    """
    lowest: int | None = None
    for level in with_rib:
        if lowest is not None and level - lowest > MOST_MISSED_RIBS + 1:
            break
        lowest = level
    return lowest


def _bears_short_rib(numbering: Numbering, evidence: ColumnEvidence, lumbar: list[str]) -> bool:
    """Whether on either side the first lumbar vertebra reaches further out than any costal process, and much further
    than the second: costal processes grow longer down to L3.
    """
    by_level = {segment.level: segment for segment in numbering.segments}
    if len(lumbar) < 2 or not {lumbar[0], lumbar[1]} <= by_level.keys():
        return False
    beside, below = (
        evidence.reach_mm[:, _near_pedicles(by_level[level])].max(axis=1, initial=0.0) for level in lumbar[:2]
    )
    return bool(np.any((beside >= SHORT_RIB_MM) & (beside >= below + SHORT_RIB_EXCESS_MM)))


def ala_onset_mm(evidence: ColumnEvidence, superior_mm: float) -> float | None:
    """How far below the superior plate of the chain's S1 the alae begin, mm; None where none are seen."""
    first = max(round(superior_mm) - ALA_ABOVE_MM, 0)
    last = min(round(superior_mm) + round(ALA_ONSET_MM[1]), len(evidence.ala) - ALA_LENGTH_MM)
    for place in range(first, last):
        window = evidence.ala[place : place + ALA_LENGTH_MM]
        if np.isfinite(window).all() and window.mean() >= ALA_SEEN:
            return place - superior_mm
    return None


def _is_joined(evidence: ColumnEvidence, above: Segment, superior_mm: float) -> bool:
    """Whether bone lies beside the column all the way from the middle of a vertebra to the sacrum below it, where the
    alae or where transverse processes are (Castellvi types II to IV on both sides).
    """
    if above.superior_mm is None or above.inferior_mm is None:
        return False
    way = slice(round((above.superior_mm + above.inferior_mm) / 2), round(superior_mm) + 6)
    return any(
        len(part) > 0 and np.isfinite(part).all() and bool(part.min() >= least)
        for part, least in ((evidence.ala[way], JOINED_ALA), (evidence.process[way], JOINED_PROCESS))
    )


def rib_at(segment: Segment, evidence: ColumnEvidence) -> float:
    """Rib evidence at the pedicles of a vertebra: 1 both sides, 0.5 one, 0 none or not seen."""
    part = evidence.rib[_near_pedicles(segment)]
    return float(np.nanmax(part)) if np.isfinite(part).any() else 0.0


def _near_pedicles(segment: Segment) -> slice:
    """The stretch of the column in which ribs and costal processes of a vertebra leave it; empty without a plate."""
    if segment.superior_mm is None and segment.inferior_mm is None:
        return slice(0)
    top = segment.superior_mm if segment.superior_mm is not None else (segment.inferior_mm or 0.0) - 24.0
    bottom = segment.inferior_mm if segment.inferior_mm is not None else top + 24.0
    place = int(top + 0.25 * (bottom - top))
    return slice(max(place - 8, 0), max(place + 9, 0))


def ribs_to_the_end(numbering: Numbering, evidence: ColumnEvidence) -> bool:
    """Whether the lowest complete vertebra still bears a rib: then nothing below the thorax is complete in view."""
    complete = [item for item in numbering.segments if item.superior_mm is not None and item.inferior_mm is not None]
    if not complete or numbering.segments[-1].level == "S1":
        return False
    # Two in a row: a costal process may be taken for a rib, but hardly on the lowest two vertebrae.
    return all(rib_at(segment, evidence) >= RIB_SEEN for segment in complete[-2:])


def is_thorax_to_the_end(evidence: ColumnEvidence) -> bool:
    """Whether ribs leave the spine down to the lower edge of the view, whatever the numbering makes of the vertebrae.

    The numbering knows no vertebra above the lower thoracic spine and may force a chest into a chain of its own.
    """
    seen = np.flatnonzero(np.isfinite(evidence.rib))
    if seen.size < THORAX_MM:
        return False
    lowest = evidence.rib[seen[-THORAX_MM:]]
    with_rib = np.flatnonzero(lowest >= RIB_SEEN)
    share = with_rib.size / THORAX_MM
    return bool(share >= THORAX_RIB_SHARE and THORAX_MM - 1 - with_rib[-1] < VERTEBRA_BELOW_RIB_MM)


def _shows_vertebra_below(numbering: Numbering, evidence: ColumnEvidence, levels: list[str], lowest: int) -> bool:
    """Whether the vertebra below the lowest rib is in view to both sides, so that its missing rib means something."""
    for segment in numbering.segments:
        if levels.index(segment.level) == lowest + 1 and segment.superior_mm is not None:
            part = evidence.rib[int(segment.superior_mm) : int(segment.superior_mm) + 16]
            return bool(len(part) > 0 and np.isfinite(part).mean() > 0.8)
    return False


def gate_values(
    track: CanalTrack, numbering: Numbering, evidence: ColumnEvidence, anchors: Anchors
) -> dict[str, float | bool | str | None]:
    """Every gate's value, for the sidecar."""
    other = [cost - numbering.cost for shift, cost in numbering.cost_by_shift.items() if shift != 0]
    return {
        "canal_score": round(float(np.median(track.scores)), 3),
        "canal_length_mm": round(track.length_mm, 1),
        "pedicle_swing_hu": round(evidence.pedicle_swing_hu, 1),
        "pedicle_phase": round(phase_agreement(numbering.segments, evidence), 3),
        "plates_seen": round(plates_seen(numbering.segments, evidence), 3),
        "scale": round(numbering.scale, 3),
        "chain_cost_per_vertebra": round(float(numbering.cost) / max(len(numbering.segments), 1), 3),
        "margin_to_other_numbering": round(float(min(other)), 3) if other else None,
        "sacrum_seen": anchors.has_sacrum or anchors.has_vertebra_above_sacrum,
        "lowest_rib_offset": anchors.lowest_rib_offset,
    }


def chain_confidence(gates: dict[str, float | bool | str | None]) -> float:
    """How well the vertebrae themselves are found (not their levels), 0-1: the product of the open gates."""
    confidence = 1.0
    for name, limits in (
        ("canal_score", CANAL_SCORE),
        ("pedicle_swing_hu", PEDICLE_SWING_HU),
        ("plates_seen", PLATES_SEEN),
        ("pedicle_phase", PHASE_AGREEMENT),
    ):
        value = gates[name]
        confidence *= 0.4 + 0.6 * opened(float(value or 0.0), limits)
    return confidence


def lacks_vertebra(heights_mm: list[float | None], gaps_mm: list[float]) -> bool:
    """Whether a vertebra is missing between two neighbours: their plates are further apart than any disc is thick and
    than a body that lost height leaves room for.

    `heights_mm` of the bodies from cranial to caudal, None for those not complete; `gaps_mm` between them, one fewer.
    """
    usual_mm = float(np.median([height for height in heights_mm if height is not None]))
    for gap, pair in zip(gaps_mm, itertools.pairwise(heights_mm), strict=True):
        lost_mm = max((usual_mm - height for height in pair if height is not None), default=0.0)
        if gap > WIDEST_DISC_MM + max(lost_mm, 0.0):
            return True
    return False
