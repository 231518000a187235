"""Tables as the page shows them: text cells, which columns hold numbers, and how many rows are shown at first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from spongiosa.report.exhibits import TableExhibit
from spongiosa.report.study_files import WrittenTable

#: The beginning of a printed number: comparison sign, sign, digit.
_NUMBER = re.compile(r"^[≤≥<>]?\s*[-+−]?\d")


@dataclass(frozen=True)
class Column:
    """A column's heading and whether its cells are numbers (set flush right and sorted as numbers)."""

    heading: str
    is_number: bool


@dataclass(frozen=True)
class Cell:
    """A cell's text, and the address that it links to where there is one (relative to the page)."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class TableView:
    """A table ready for the template; rows beyond `shown` are folded away at first.

    `left_out` counts rows that the page does not hold; they are in the file `source` (relative to the page).
    """

    key: str
    title: str
    caption: str
    notes: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    shown: int
    left_out: int = 0
    source: str = ""

    @property
    def is_long(self) -> bool:
        return len(self.rows) > self.shown


def table_view(table: TableExhibit | WrittenTable, *, prefix: str = "", shown: int = 1000) -> TableView:
    """The printed form of a table as a view; `prefix` keeps the keys of several studies apart on one page."""
    return view_of_frame(f"{prefix}{table.key}", table.title, table.printed, table.caption, table.notes, shown=shown)


def view_of_frame(
    key: str, title: str, printed: pd.DataFrame, caption: str = "", notes: Sequence[str] = (), *, shown: int = 1000
) -> TableView:
    """A view of a frame whose cells are text or `Cell`."""
    rows = tuple(
        tuple(cell if isinstance(cell, Cell) else Cell(str(cell)) for cell in row)
        for row in printed.itertuples(index=False, name=None)
    )
    columns = tuple(
        Column(str(heading).strip(), _are_numbers([row[position].text for row in rows]))
        for position, heading in enumerate(printed.columns)
    )
    return TableView(key, title, caption, tuple(notes), columns, rows, shown)


def _are_numbers(texts: Sequence[str]) -> bool:
    """Whether the cells that say something are numbers; gaps with a footnote ("– (a)") do not count."""
    filled = [text for text in texts if text and not text.startswith("–")]
    return bool(filled) and all(_NUMBER.match(text) for text in filled)
