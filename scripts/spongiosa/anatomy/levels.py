"""The vertebral levels, their integers in label maps (VerSe convention) and their order."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """A vertebral level; the value is its integer in every label map of ours.

    Source: the VerSe challenge's convention (T1-T12 = 8-19, L1-L5 = 20-24, L6 = 25, S1 = 26, T13 = 28).
    """

    T1 = 8
    T2 = 9
    T3 = 10
    T4 = 11
    T5 = 12
    T6 = 13
    T7 = 14
    T8 = 15
    T9 = 16
    T10 = 17
    T11 = 18
    T12 = 19
    L1 = 20
    L2 = 21
    L3 = 22
    L4 = 23
    L5 = 24
    L6 = 25
    S1 = 26
    T13 = 28


#: Label of the most cranial vertebra of an unnumbered scan; the next ones count up caudally.
FIRST_UNNUMBERED = 101

LUMBAR: tuple[Level, ...] = (Level.L1, Level.L2, Level.L3, Level.L4, Level.L5, Level.L6)

#: The levels over which the studies average.
L1_TO_L4: tuple[Level, ...] = (Level.L1, Level.L2, Level.L3, Level.L4)

#: From cranial to caudal; T13 and L6 stand where they occur.
CRANIAL_TO_CAUDAL: tuple[Level, ...] = (*(Level(code) for code in range(8, 20)), Level.T13, *LUMBAR, Level.S1)


def level_name(label: int) -> str:
    """Name of a label: `L3`, or `V1`, `V2`, ... for the unnumbered vertebrae 101, 102, ..."""
    if label >= FIRST_UNNUMBERED:
        return f"V{label - FIRST_UNNUMBERED + 1}"
    return Level(label).name
