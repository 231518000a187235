"""The embedded localiser as a second opinion on vertebrae that came from a label map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from spongiosa.anatomy.frame import Vertebra
from spongiosa.anatomy.levels import FIRST_UNNUMBERED, Level
from spongiosa.localise.label_files import voxel_counts
from spongiosa.localise.repair import split_at_discs
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume

#: Two sources that mark the same body agree at least this well (Dice); good maps of one body reach 0.85 and more.
SAME_BODY_DICE = 0.70
#: Confidence that a map keeps when the second opinion names other levels, and what a body that differs loses.
CONFLICT_CONFIDENCE, DIFFERENT_BODY_LOSS = 0.6, 0.25


@dataclass(frozen=True)
class _Match:
    """The body of the second opinion that overlaps a body most, and how well (Dice)."""

    label: int
    dice: float


def second_opinion(scan: Volume) -> LocalisedSpine | Reason:
    """What the embedded localiser says of the scan, or the reason for which it says nothing."""
    from spongiosa.localise.embedded import localise_embedded

    try:
        return localise_embedded(scan)
    except Excluded as refusal:
        return refusal.reason


def with_second_opinion(spine: LocalisedSpine, opinion: LocalisedSpine | Reason) -> LocalisedSpine:
    """The imported spine, mixed neighbours split, with agreement or conflict in its gates, flags and confidences.

    A level that differs cannot be decided here: both sources may be wrong, so the map keeps its levels, with the flag
    `second_opinion_other_level` and a confidence that asks for a reader.
    """
    if isinstance(opinion, Reason):
        gates = {**spine.description.gates, "second_opinion": str(opinion)}
        return replace(spine, description=replace(spine.description, gates=gates))
    spine = split_at_discs(spine, opinion)
    matches = _matches(spine.bodies, opinion.bodies)
    other_level = [
        label
        for label, match in matches.items()
        if match.dice >= SAME_BODY_DICE and match.label < FIRST_UNNUMBERED and match.label != label
    ]
    vertebrae = tuple(_judged(vertebra, matches, bool(other_level)) for vertebra in spine.description.vertebrae)
    agreeing = [match.dice for label, match in matches.items() if match.label == label]
    gates = {
        **spine.description.gates,
        "second_opinion": "other_level" if other_level else "ok",
        "second_opinion_dice": round(float(np.mean(agreeing)), 3) if agreeing else None,
    }
    description = replace(
        spine.description,
        vertebrae=vertebrae,
        confidence=min(vertebra.confidence for vertebra in vertebrae),
        flags=(*spine.description.flags, *(("second_opinion_other_level",) if other_level else ())),
        gates=gates,
    )
    return replace(spine, description=description)


def _matches(bodies: Volume, others: Volume) -> dict[int, _Match]:
    """For every label of `bodies`, the label of `others` (0: none) with the largest overlap, and its Dice."""
    sizes, other_sizes = voxel_counts(bodies), voxel_counts(others)
    both = (bodies.voxels > 0) & (others.voxels > 0)
    pairs, counts = np.unique(bodies.voxels[both].astype(np.int32) * 256 + others.voxels[both], return_counts=True)
    matches: dict[int, _Match] = {int(label): _Match(0, 0.0) for label in np.flatnonzero(sizes) if label}
    for pair, count in zip(pairs, counts, strict=True):
        label, other = divmod(int(pair), 256)
        if label and other:
            dice = 2.0 * float(count) / float(sizes[label] + other_sizes[other])
            if dice > matches[label].dice:
                matches[label] = _Match(other, dice)
    return matches


def _judged(vertebra: Vertebra, matches: Mapping[int, _Match], has_conflict: bool) -> Vertebra:
    """The vertebra with what the second opinion means for it."""
    confidence = min(vertebra.confidence, CONFLICT_CONFIDENCE) if has_conflict else vertebra.confidence
    flags = vertebra.flags
    compared = not vertebra.is_truncated and vertebra.label != Level.S1
    if compared and matches[vertebra.label].dice < SAME_BODY_DICE:
        flags = (*flags, "differs_from_second_opinion")
        confidence = max(confidence - DIFFERENT_BODY_LOSS, 0.1)
    return replace(vertebra, confidence=round(confidence, 4), flags=flags)
