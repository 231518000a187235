"""Corrections of levels by a reader: renumbering an already localised spine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from spongiosa.anatomy.levels import CRANIAL_TO_CAUDAL, Level, level_name
from spongiosa.localise.describe import describe
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume

#: Levels in the order in which a shift counts; T13 and L6 are given only by `set_level` or by the localiser.
_REGULAR: list[Level] = [level for level in CRANIAL_TO_CAUDAL if level not in (Level.T13, Level.L6)]
_READER_CONFIDENCE = 1.0


def apply_corrections(spine: LocalisedSpine, corrections: Iterable[Sequence[str]]) -> LocalisedSpine:
    """The spine with its vertebrae renumbered, in the order of the corrections.

    A correction is a pair: ("shift_levels", whole number; +1 moves every vertebra one level further caudal) or
    ("set_level", level of the most cranial vertebra).  What is renumbered has confidence 1 and the flag
    `level_set_by_reader`; `level_unknown` of the scan is lifted.
    Raises `Excluded(LABELS_IMPLAUSIBLE)` when a vertebra would leave T1-S1 or a shift meets unnumbered vertebrae, and
    `ValueError` for another action.
    """
    for action, value in corrections:
        labels = [vertebra.label for vertebra in spine.description.vertebrae]
        if action == "shift_levels":
            renumbered = {label: _shifted(label, int(value)) for label in labels}
        elif action == "set_level":
            renumbered = _counted_from(_level(value), labels)
        else:
            raise ValueError(f"not a correction of levels: {action}")
        spine = _renumbered(spine, renumbered)
    return spine


def _level(name: str) -> Level:
    if name not in Level.__members__:
        raise Excluded(Reason.LABELS_IMPLAUSIBLE, "The override names a level that does not exist.")
    return Level[name]


def _shifted(label: int, steps: int) -> int:
    if label not in [int(level) for level in _REGULAR]:
        raise Excluded(
            Reason.LABELS_IMPLAUSIBLE,
            f"Vertebra {level_name(label)} cannot be shifted by steps; use `set_level` for the most cranial vertebra.",
        )
    place = _REGULAR.index(Level(label)) + steps
    if not 0 <= place < len(_REGULAR):
        raise Excluded(
            Reason.LABELS_IMPLAUSIBLE, f"A shift by {steps:+d} moves {level_name(label)} beyond the spine T1 to S1."
        )
    return int(_REGULAR[place])


def _counted_from(first: Level, labels: list[int]) -> dict[int, int]:
    """Count caudally from the most cranial vertebra; gaps of numbered maps stay gaps."""
    from spongiosa.localise.checks import steps_between

    order = [first, *_REGULAR[_REGULAR.index(first) + 1 :]] if first in _REGULAR else _after_extra(first)
    renumbered = {}
    for label in labels:
        place = steps_between(labels[0], label)
        if not 0 <= place < len(order):
            raise Excluded(
                Reason.LABELS_IMPLAUSIBLE,
                f"Counting from {first.name} gives {len(labels)} vertebrae, which end below S1.",
            )
        renumbered[label] = int(order[place])
    return renumbered


def _after_extra(first: Level) -> list[Level]:
    place = CRANIAL_TO_CAUDAL.index(first)
    return [level for level in CRANIAL_TO_CAUDAL[place:] if level is first or level in _REGULAR]


def _renumbered(spine: LocalisedSpine, new_label_by_old: dict[int, int]) -> LocalisedSpine:
    table = np.arange(256, dtype=np.uint8)
    for old, new in new_label_by_old.items():
        table[old] = new
    vertebrae = Volume(table[spine.vertebrae.voxels], spine.vertebrae.geometry)
    bodies = Volume(table[spine.bodies.voxels], spine.bodies.geometry)
    described = []
    for vertebra in spine.description.vertebrae:
        label = new_label_by_old[vertebra.label]
        flags = tuple(flag for flag in vertebra.flags if flag != "level_set_by_reader")
        described.append(
            replace(
                vertebra,
                label=label,
                level=level_name(label),
                confidence=_READER_CONFIDENCE,
                flags=(*flags, "level_set_by_reader"),
            )
        )
    # A segment that becomes or ceases to be the sacrum gains or loses its frame.
    if any((old == Level.S1) != (new == Level.S1) for old, new in new_label_by_old.items()):
        fresh = describe(
            vertebrae,
            bodies,
            frozenset(vertebra.label for vertebra in described if vertebra.is_truncated),
            {vertebra.label: _READER_CONFIDENCE for vertebra in described},
            {},
        )
        frames = {vertebra.label: vertebra.frame for vertebra in fresh}
        described = [replace(vertebra, frame=frames[vertebra.label]) for vertebra in described]
    description = replace(
        spine.description,
        vertebrae=tuple(described),
        confidence=_READER_CONFIDENCE,
        flags=tuple(flag for flag in spine.description.flags if flag != "level_unknown"),
        gates={**spine.description.gates, "levels_set_by_reader": True},
    )
    return LocalisedSpine(vertebrae, bodies, description)
