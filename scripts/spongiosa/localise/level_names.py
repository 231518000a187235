"""The names of a chain of vertebrae: what its anchors say, how surely, and with which flags."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spongiosa.localise.evidence import ColumnEvidence
from spongiosa.localise.gates import Anchors
from spongiosa.localise.numbering import BODY_AND_DISC_MM, Numbering, Segment

#: A numbering whose rival is cheaper than this much more is not certain.
SMALLEST_MARGIN = 1.5
#: A chain that costs more than this per vertebra may have taken two vertebrae for one; over 270 synthetic patients
#: right chains cost up to 3.8, all but one less than 3.4.
WORST_COST = 3.5
#: Both anchors agree; one anchor only, which nothing checks; a count by convention, or a rival nearly as good.
BOTH_ANCHORS, ONE_ANCHOR, DOUBTED = 0.97, 0.85, 0.6
#: A lumbar vertebra that is joined to the sacrum is there, but a reader may call it otherwise.
TRANSITIONAL = 0.8
USUAL_LUMBAR_COUNT = 5
#: Where the inferior plate of a vertebra above the sacrum lies below its superior one, and the next plate below that.
BODY_MM, DISC_MM = (16, 38), (3, 16)

_NAMES = [*(name for name in BODY_AND_DISC_MM if name != "S1"), "L6"]


@dataclass(frozen=True)
class NamedChain:
    """A chain with its final names (when `is_known`), the confidence in them, and flags of the scan."""

    numbering: Numbering
    is_known: bool
    confidence: float
    flags: tuple[str, ...]


def named(numbering: Numbering, evidence: ColumnEvidence, anchors: Anchors, margin: float) -> NamedChain:
    """Name a chain by its anchors.

    By convention the vertebra of the lowest rib is T12 and the count goes down from there; the sacrum keeps its name.
    A count to the sacrum other than five is flagged.  Without ribs the count goes up from the sacrum.  Without either
    the levels are not known.
    """
    offset = anchors.lowest_rib_offset
    has_sacrum = anchors.has_sacrum or anchors.has_vertebra_above_sacrum
    below_t12 = USUAL_LUMBAR_COUNT
    if anchors.has_vertebra_above_sacrum:
        numbering, below_t12 = with_lower_sacrum(numbering, evidence), USUAL_LUMBAR_COUNT + 1
    if not has_sacrum and offset is None:
        return NamedChain(numbering, False, 0.0, ("level_unknown",))
    flags: list[str] = []
    if has_sacrum and offset is None:
        shift, confidence = USUAL_LUMBAR_COUNT - below_t12, ONE_ANCHOR
    elif not has_sacrum:
        shift, confidence = -(offset or 0), ONE_ANCHOR
        if abs(shift) > 1:
            return NamedChain(numbering, False, 0.0, ("level_unknown",))
        if shift:
            flags.append("numbering_ambiguous")
        if numbering.segments[-1].level == "S1":
            flags.append("sacrum_not_confirmed")
            numbering = replace(numbering, segments=numbering.segments[:-1])
    else:
        shift, confidence = -(offset or 0), BOTH_ANCHORS
        count = below_t12 + shift
        if not 4 <= count <= 6:
            return NamedChain(numbering, False, 0.0, ("level_unknown", "anchors_disagree"))
        if count != USUAL_LUMBAR_COUNT:
            flags += ["anchors_disagree", "four_lumbar_vertebrae" if count == 4 else "six_lumbar_vertebrae"]
    if margin < SMALLEST_MARGIN or numbering.cost > WORST_COST * len(numbering.segments):
        flags.append("numbering_ambiguous")
    if flags:
        confidence = min(confidence, DOUBTED)
    if anchors.is_transitional and has_sacrum:
        flags.append("transitional_vertebra")
        confidence = min(confidence, TRANSITIONAL)
    if anchors.has_short_rib:
        flags.append("short_rib")
        confidence = min(confidence, TRANSITIONAL)
    return NamedChain(shifted(numbering, shift), True, confidence, tuple(dict.fromkeys(flags)))


def shifted(numbering: Numbering, steps: int) -> Numbering:
    """The chain with every vertebra named `steps` levels further down; the sacrum keeps its name."""
    segments = tuple(
        segment
        if segment.level == "S1"
        else replace(segment, level=_NAMES[int(np.clip(_NAMES.index(segment.level) + steps, 0, len(_NAMES) - 1))])
        for segment in numbering.segments
    )
    return replace(numbering, segments=segments)


def with_lower_sacrum(numbering: Numbering, evidence: ColumnEvidence) -> Numbering:
    """The chain whose S1 is a sixth lumbar vertebra; its lower plate and the sacrum's are the strongest ones there."""
    last = numbering.segments[-1]
    if last.superior_mm is None:
        return numbering
    inferior = _strongest(evidence, last.superior_mm + BODY_MM[0], last.superior_mm + BODY_MM[1])
    superior = _strongest(evidence, inferior + DISC_MM[0], inferior + DISC_MM[1])

    def tilt(place: float) -> float:
        return float(evidence.tilt_deg[min(int(place), len(evidence.tilt_deg) - 1)])

    sixth = Segment("L6", last.superior_mm, inferior, last.superior_tilt_deg, tilt(inferior))
    sacrum = Segment("S1", superior, None, tilt(superior), 0.0)
    return replace(numbering, segments=(*numbering.segments[:-1], sixth, sacrum))


def _strongest(evidence: ColumnEvidence, first_mm: float, last_mm: float) -> float:
    """Place of the strongest plate between two places of the column, mm."""
    first = min(int(first_mm), len(evidence.plate) - 1)
    part = evidence.plate[first : max(int(last_mm), first + 1)]
    return float(first + int(np.argmax(part)))
