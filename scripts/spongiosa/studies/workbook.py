"""The tables of a study as one XLSX workbook, the same bytes for the same tables."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from spongiosa.report.exhibits import TableExhibit

#: XLSX allows no longer names of sheets.
LONGEST_SHEET_NAME = 31
#: The time that stands in the file instead of that of writing, which would differ from run to run.
FIXED_TIME = "2000-01-01T00:00:00Z"
_WIDEST = 60
_RULE = Side(style="thin")


def write_workbook(title: str, tables: Iterable[TableExhibit], path: Path) -> None:
    """Two sheets per table: as printed, with title, caption and notes; and unrounded (`<key> data`).

    Text stays text: a cell that begins with "=" is no formula.
    """
    book = Workbook()
    book.remove(book.worksheets[0])
    book.properties.title, book.properties.creator = title, "Spongiosa"
    for table in tables:
        _printed_sheet(book.create_sheet(_sheet_name(table.key, "")), table)
        _data_sheet(book.create_sheet(_sheet_name(table.key, " data")), table.frame)
    if not book.worksheets:
        _put(book.create_sheet("no tables"), 1, 1, f"{title}: no table could be made.")
    buffer = io.BytesIO()
    book.save(buffer)
    path.write_bytes(_with_fixed_times(buffer.getvalue()))


def _sheet_name(key: str, ending: str) -> str:
    return key[: LONGEST_SHEET_NAME - len(ending)] + ending


def _printed_sheet(sheet: Worksheet, table: TableExhibit) -> None:
    _put(sheet, 1, 1, table.title).font = Font(bold=True, size=12)
    _put(sheet, 2, 1, table.caption).font = Font(italic=True)
    for column, heading in enumerate(table.printed.columns, start=1):
        cell = _put(sheet, 4, column, str(heading).strip())
        cell.font = Font(bold=True)
        cell.border = Border(top=_RULE, bottom=_RULE)
        cell.alignment = Alignment(wrap_text=True, vertical="bottom")
    for row, cells in enumerate(table.printed.itertuples(index=False, name=None), start=5):
        for column, text in enumerate(cells, start=1):
            _put(sheet, row, column, str(text))
    below = 6 + len(table.printed)
    for row, note in enumerate(table.notes, start=below):
        _put(sheet, row, 1, note).font = Font(size=9)
    _fit_columns(sheet, [str(c) for c in table.printed.columns], table.printed)
    sheet.freeze_panes = "B5"


def _data_sheet(sheet: Worksheet, frame: pd.DataFrame) -> None:
    for column, heading in enumerate(frame.columns, start=1):
        _put(sheet, 1, column, str(heading)).font = Font(bold=True)
    for row, cells in enumerate(frame.itertuples(index=False, name=None), start=2):
        for column, value in enumerate(cells, start=1):
            _put(sheet, row, column, value)
    sheet.freeze_panes = "A2"


def _put(sheet: Worksheet, row: int, column: int, value: object):  # type: ignore[no-untyped-def]
    """Write one value; missing and infinite numbers leave the cell empty, text is never read as a formula."""
    cell = sheet.cell(row, column)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return cell
    cell.value = value if isinstance(value, bool | int | float) else str(value)
    if isinstance(value, str):
        cell.data_type = "s"
    return cell


def _fit_columns(sheet: Worksheet, headings: list[str], printed: pd.DataFrame) -> None:
    for position, heading in enumerate(headings):
        texts = [str(text) for text in printed.iloc[:, position]]
        widest = max([len(heading) // 2, *(len(text) for text in texts)], default=8)
        sheet.column_dimensions[get_column_letter(position + 1)].width = min(_WIDEST, max(9, widest + 2))


def _with_fixed_times(archive: bytes) -> bytes:
    """The archive without the time of its writing, which stands at every entry and in the properties."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            fixed = zipfile.ZipInfo(entry.filename, date_time=(1980, 1, 1, 0, 0, 0))
            fixed.compress_type = zipfile.ZIP_DEFLATED
            content = old.read(entry.filename)
            if entry.filename == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + FIXED_TIME.encode(), content)
                content = re.sub(rb"(<dcterms:created[^>]*>)[^<]*", rb"\g<1>" + FIXED_TIME.encode(), content)
            new.writestr(fixed, content)
    return buffer.getvalue()
