"""A chain of vertebrae whose plates are sought twice: by lines, and then also by what bodies and discs look like."""

from __future__ import annotations

import itertools
from dataclasses import replace

from spongiosa.localise.appearance import learnt_appearance
from spongiosa.localise.evidence import ColumnEvidence
from spongiosa.localise.numbering import Numbering, Segment, number_column

#: A plate that the second search moves by less than the first was found well enough; by more than the second it is that
#: of another vertebra, mm.
MOVED_MM, SAME_PLACE_MM = 5.0, 20.0


def refined_numbering(evidence: ColumnEvidence) -> Numbering | None:
    """The chain by lines, with the plates moved that a chain by lines and appearance has elsewhere.

    Levels, cost and rivals remain those of the first: what bodies look like moves plates, and levels are the business
    of ribs, sacrum and sizes alone.  None when nothing fits.
    """
    first = number_column(evidence)
    appearance = None if first is None else learnt_appearance(evidence.middle_hu, *stretches_mm(first.segments))
    if first is None or appearance is None:
        return first
    second = number_column(evidence, appearance)
    if second is None or not _continues(first.segments, second.segments):
        return first
    return replace(first, segments=_with_moved_plates(first.segments, second.segments))


def stretches_mm(segments: tuple[Segment, ...]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Places of the plates of every complete body, and of those on either side of every disc, mm."""
    bodies = [
        (segment.superior_mm, segment.inferior_mm)
        for segment in segments
        if segment.superior_mm is not None and segment.inferior_mm is not None
    ]
    discs = [
        (upper.inferior_mm, lower.superior_mm)
        for upper, lower in itertools.pairwise(segments)
        if upper.inferior_mm is not None and lower.superior_mm is not None
    ]
    return bodies, discs


def _continues(first: tuple[Segment, ...], second: tuple[Segment, ...]) -> bool:
    """Whether the second chain names the same vertebrae as the first, but for more of them at its cranial end."""
    if len(second) < len(first) or [s.level for s in second[-len(first) :]] != [s.level for s in first]:
        return False
    return all(
        own is None or other is None or abs(own - other) < SAME_PLACE_MM
        for old, new in zip(first, second[-len(first) :], strict=True)
        for own, other in ((old.superior_mm, new.superior_mm), (old.inferior_mm, new.inferior_mm))
    )


def _with_moved_plates(first: tuple[Segment, ...], second: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """The second chain with the first one's places of all plates but those that it moved far into their body.

    Lines tell a place better than appearance does, and what they are deceived by is a disc within a body.
    """
    new = len(second) - len(first)
    merged = list(second[:new])
    for place, (old, moved) in enumerate(zip(first, second[new:], strict=True)):
        is_below_new = place == 0 and new > 0
        if not is_below_new and not _is_beyond(moved.superior_mm, old.superior_mm):
            moved = replace(moved, superior_mm=old.superior_mm, superior_tilt_deg=old.superior_tilt_deg)
        if not _is_beyond(old.inferior_mm, moved.inferior_mm):
            moved = replace(moved, inferior_mm=old.inferior_mm, inferior_tilt_deg=old.inferior_tilt_deg)
        merged.append(moved)
    return tuple(merged)


def _is_beyond(place_mm: float | None, other_mm: float | None) -> bool:
    """Whether both chains have the plate, the first place well caudal of the other."""
    return place_mm is not None and other_mm is not None and place_mm - other_mm >= MOVED_MM
