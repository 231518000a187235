"""The image and the embedded localiser as second opinions on vertebrae that came from a label map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from spongiosa.anatomy.frame import Vertebra
from spongiosa.anatomy.levels import FIRST_UNNUMBERED, Level
from spongiosa.localise.label_files import voxel_counts
from spongiosa.localise.placement import BestPlace, Mirrored, best_place, mirrored, shares
from spongiosa.localise.repair import split_at_discs
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume

#: Two sources that mark the same body agree at least this well (Dice); good maps of one body reach 0.85 and more.
SAME_BODY_DICE = 0.70
#: Below the first Dice (median of the complete lumbar and thoracic bodies) two sources mark different places; from the
#: second on the same to within about 6 mm, whatever the contrast of poor bone prefers.
OTHER_PLACE_DICE, SAME_PLACE_DICE = 0.50, 0.85
#: Confidence that a map keeps when the second opinion names other levels or the image another place, what a body that
#: differs loses, and what it loses besides per unit of Dice below `SAME_BODY_DICE`.
CONFLICT_CONFIDENCE, DIFFERENT_BODY_LOSS, LOSS_PER_DICE = 0.6, 0.25, 0.8


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


def with_second_opinion(scan: Volume, spine: LocalisedSpine, opinion: LocalisedSpine | Reason) -> LocalisedSpine:
    """The imported spine, mixed neighbours split, with agreement or conflict in its gates, flags and confidences.

    A level that differs cannot be decided here: both sources may be wrong, so the map keeps its levels, with the flag
    `second_opinion_other_level` and a confidence that asks for a reader.  Nor can a place be decided by one witness:
    where only the image contradicts, the map is flagged `fits_better_mirrored` or `fits_better_moved`.
    Raises `Excluded(LABELS_OFF_GRID)` where image and second opinion agree that the map lies elsewhere.
    """
    place = best_place(scan, spine.vertebrae)
    mirrors = mirrored(scan, spine.vertebrae)
    gates: dict[str, float | bool | str | None] = {
        **spine.description.gates,
        "best_move_mm": round(float(np.linalg.norm(place.move_mm)), 1),
        "contrast_of_bone_hu": round(place.contrast_here_hu, 1),
        "mirror_image": _word_on_mirrors(mirrors),
    }
    if isinstance(opinion, Reason):
        gates["second_opinion"] = str(opinion)
        place_flags = _place_flags(place.is_elsewhere, mirrors)
        vertebrae = spine.description.vertebrae
        if place_flags:
            vertebrae = tuple(_in_conflict(vertebra) for vertebra in vertebrae)
        return _described(spine, vertebrae, place_flags, gates)
    matches = _matches(spine.bodies, opinion.bodies)
    overlap = _median_dice(spine, matches)
    _refuse_if_elsewhere(opinion, place, mirrors, overlap)
    place_flags = _place_flags(place.is_elsewhere and overlap < SAME_PLACE_DICE, mirrors)
    spine = split_at_discs(spine, opinion)
    matches = _matches(spine.bodies, opinion.bodies)
    other_level = [
        label
        for label, match in matches.items()
        if match.dice >= SAME_BODY_DICE and match.label < FIRST_UNNUMBERED and match.label != label
    ]
    has_conflict = bool(other_level or place_flags)
    vertebrae = tuple(_judged(vertebra, matches, has_conflict) for vertebra in spine.description.vertebrae)
    agreeing = [match.dice for label, match in matches.items() if match.label == label]
    gates |= {
        "second_opinion": "other_level" if other_level else "ok",
        "second_opinion_dice": round(float(np.mean(agreeing)), 3) if agreeing else None,
    }
    flags = (*place_flags, *(("second_opinion_other_level",) if other_level else ()))
    return _described(spine, vertebrae, flags, {**spine.description.gates, **gates})


def _described(
    spine: LocalisedSpine,
    vertebrae: tuple[Vertebra, ...],
    flags: tuple[str, ...],
    gates: dict[str, float | bool | str | None],
) -> LocalisedSpine:
    """The spine with another description of its vertebrae, further flags and these gates."""
    description = replace(
        spine.description,
        vertebrae=vertebrae,
        confidence=min(vertebra.confidence for vertebra in vertebrae),
        flags=(*spine.description.flags, *flags),
        gates=gates,
    )
    return replace(spine, description=description)


def _word_on_mirrors(mirrors: list[Mirrored]) -> str:
    """What the image says of the map against its mirror images, for the gate."""
    if not mirrors:
        return "the same"
    if any(mirror.is_preferred for mirror in mirrors):
        return "fits better"
    return "undecided" if any(mirror.is_undecided for mirror in mirrors) else "fits worse"


def _place_flags(is_elsewhere: bool, mirrors: list[Mirrored]) -> tuple[str, ...]:
    moved = ("fits_better_moved",) if is_elsewhere else ()
    if any(mirror.is_preferred for mirror in mirrors):
        return (*moved, "fits_better_mirrored")
    # A mirror image that the image cannot tell from the map: nothing says that left is left.
    return (*moved, "side_undecided") if any(mirror.is_undecided for mirror in mirrors) else moved


def _median_dice(spine: LocalisedSpine, matches: Mapping[int, _Match]) -> float:
    """Median overlap of the complete bodies, without the sacrum's, with those of the second opinion; 0 without any."""
    whole = [vertebra for vertebra in spine.description.vertebrae if vertebra.label != Level.S1]
    complete = [vertebra for vertebra in whole if not vertebra.is_truncated]
    return float(np.median([matches[vertebra.label].dice for vertebra in complete or whole] or [0.0]))


def _refuse_if_elsewhere(opinion: LocalisedSpine, place: BestPlace, mirrors: list[Mirrored], overlap: float) -> None:
    """Raises `Excluded(LABELS_OFF_GRID)` where the image and the second opinion both place the map elsewhere."""
    for mirror in mirrors:
        here, there = shares(opinion.vertebrae, (mirror.own, mirror.other))
        if mirror.is_preferred and there > here:
            raise Excluded(
                Reason.LABELS_OFF_GRID,
                f"The mirror image of the label map lies on the vertebrae, {-mirror.hu_difference:.0f} HU brighter "
                "where the two differ: left and right are exchanged in its voxels or in its header.",
            )
    if place.is_elsewhere and overlap < OTHER_PLACE_DICE:
        raise Excluded(
            Reason.LABELS_OFF_GRID,
            f"The label map fits the scan {np.linalg.norm(place.move_mm):.0f} mm from where it lies, and the vertebrae "
            f"that the image shows overlap with its own by {100 * overlap:.0f} % only; is it the "
            "map of another scan, or of another grid?",
        )


def _in_conflict(vertebra: Vertebra) -> Vertebra:
    return replace(vertebra, confidence=min(vertebra.confidence, CONFLICT_CONFIDENCE))


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
    confidence = _in_conflict(vertebra).confidence if has_conflict else vertebra.confidence
    flags = vertebra.flags
    compared = not vertebra.is_truncated and vertebra.label != Level.S1
    if compared and matches[vertebra.label].dice < SAME_BODY_DICE:
        flags = (*flags, "differs_from_second_opinion")
        missing = SAME_BODY_DICE - matches[vertebra.label].dice
        confidence = max(confidence - DIFFERENT_BODY_LOSS - LOSS_PER_DICE * missing, 0.1)
    return replace(vertebra, confidence=round(confidence, 4), flags=flags)
