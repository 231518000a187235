"""What a reader is shown: a table or a figure, with its numbers beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

_MARKS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class TableExhibit:
    """A table twice: `frame` for machines (unrounded, snake_case columns) and `printed` for people (text only).

    `key` is the file stem.  `notes` stand below the table: what was left out, and why a number is missing.
    """

    key: str
    title: str
    frame: pd.DataFrame
    printed: pd.DataFrame
    caption: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of_rows(
        cls,
        key: str,
        title: str,
        caption: str,
        records: Sequence[Mapping[str, object]],
        printed: Sequence[Mapping[str, str]],
        notes: tuple[str, ...],
    ) -> TableExhibit:
        """The table with the rows `records` for machines and `printed` for people; a cell that a row lacks is empty."""
        frame, shown = pd.DataFrame.from_records(list(records)), pd.DataFrame(list(printed)).fillna("")
        return cls(key, title, frame, shown, caption, notes)


@dataclass(frozen=True)
class FigureExhibit:
    """A figure and the numbers it is drawn from; `alt` says in one sentence what it shows for screen readers."""

    key: str
    title: str
    figure: Figure
    data: pd.DataFrame
    caption: str
    alt: str
    notes: tuple[str, ...] = ()


@dataclass
class Footnotes:
    """Collects why numbers are missing, so that a cell can show a mark instead of an unexplained gap."""

    reasons: list[str] = field(default_factory=list)

    def gap(self, reason: str) -> str:
        """The text of a cell whose number could not be computed: a dash and the mark of its footnote."""
        return "\N{EN DASH} " + self.mark(reason)

    def mark(self, reason: str) -> str:
        """The mark of a footnote; the same sentence keeps its mark."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        return f"({_letters(self.reasons.index(reason))})"

    def notes(self) -> tuple[str, ...]:
        """The footnotes in the order of their marks."""
        return tuple(f"({_letters(position)}) {reason}" for position, reason in enumerate(self.reasons))


def _letters(position: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    before, last = divmod(position, len(_MARKS))
    return (_letters(before - 1) if before else "") + _MARKS[last]
