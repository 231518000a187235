"""Independent gates on a localisation: each a measured value with its limits, and what they make of the confidence."""

from __future__ import annotations

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
#: Alae below S1 and ribs at T12: the share that must be seen for an anchor.
ALA_SEEN, RIB_SEEN = 0.55, 0.4
#: The stretch above the lower edge of the view that shows whether it is thorax, the share of it at which ribs leave the
#: spine there, and the room that a complete vertebra below the lowest rib would need, mm.
THORAX_MM, THORAX_RIB_SHARE, VERTEBRA_BELOW_RIB_MM = 100, 0.35, 40


@dataclass(frozen=True)
class Anchors:
    """What fixes the count of the levels, each None where the scan does not show it.

    `sacrum` is the level that the alae give to the lowest vertebra of the chain that is given a level by them (S1), and
    `ribs` whether the lowest rib lies at T12 in the chosen numbering: steps by which it is off (0: agrees).
    """

    has_sacrum: bool
    lowest_rib_offset: int | None


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
    """Whether alae are seen below the chain's S1, and where the lowest rib lies against its T12."""
    has_sacrum = False
    offset: int | None = None
    levels = list(BODY_AND_DISC_MM)
    with_rib = []
    for segment in numbering.segments:
        if segment.level == "S1" and segment.superior_mm is not None:
            below = evidence.ala[int(segment.superior_mm) + 4 : int(segment.superior_mm) + 30]
            has_sacrum = bool(np.isfinite(below).sum() >= 8 and np.nanmean(below) >= ALA_SEEN)
            continue
        if rib_at(segment, evidence) >= RIB_SEEN:
            with_rib.append(levels.index(segment.level))
    if with_rib and _shows_vertebra_below(numbering, evidence, levels, max(with_rib)):
        offset = max(with_rib) - levels.index("T12")
    return Anchors(has_sacrum, offset)


def rib_at(segment: Segment, evidence: ColumnEvidence) -> float:
    """Rib evidence at the pedicles of a vertebra: 1 both sides, 0.5 one, 0 none or not seen."""
    if segment.superior_mm is None and segment.inferior_mm is None:
        return 0.0
    top = segment.superior_mm if segment.superior_mm is not None else (segment.inferior_mm or 0.0) - 24.0
    bottom = segment.inferior_mm if segment.inferior_mm is not None else top + 24.0
    place = top + 0.25 * (bottom - top)
    part = evidence.rib[max(int(place) - 8, 0) : int(place) + 9]
    return float(np.nanmax(part)) if np.isfinite(part).any() else 0.0


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
        "sacrum_seen": anchors.has_sacrum,
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
