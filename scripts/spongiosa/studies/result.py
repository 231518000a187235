"""The result of a study and its folder: every table and figure with its numbers, and the audit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from spongiosa.report import theme
from spongiosa.report.exhibits import FigureExhibit, TableExhibit
from spongiosa.report.study_files import AUDIT_NAME, PRINTED_SUFFIX
from spongiosa.statistics.samples import StatisticsError
from spongiosa.studies.workbook import write_workbook

Value = TypeVar("Value")
Arguments = ParamSpec("Arguments")


@dataclass(frozen=True)
class StudyResult:
    """What a study found, in the order in which a reader should see it.

    `headline` is one sentence; `methods` one paragraph that names every variant used; `omitted` lists the figures
    that could not be drawn as (title, reason); `audit` holds directions, counts, missing values and seeds; `documents`
    are further files as (name, text), such as the page of a calculator.
    """

    name: str
    title: str
    headline: str
    methods: str
    tables: tuple[TableExhibit, ...]
    figures: tuple[FigureExhibit, ...]
    omitted: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    audit: dict[str, Any] = field(default_factory=dict)
    documents: tuple[tuple[str, str], ...] = ()


def attempt(
    compute: Callable[Arguments, Value], *arguments: Arguments.args, **named: Arguments.kwargs
) -> tuple[Value | None, str]:
    """The value of `compute(...)` and "", or None and the sentence that says why these data do not determine it."""
    try:
        return compute(*arguments, **named), ""
    except StatisticsError as error:
        return None, str(error)


def drawn_figures(drawn: Mapping[str, tuple[FigureExhibit | None, str]]) -> tuple[FigureExhibit, ...]:
    """The figures that were drawn.  `drawn` says per title the figure, or None with the reason why there is none."""
    return tuple(figure for figure, _ in drawn.values() if figure is not None)


def omitted_figures(drawn: Mapping[str, tuple[FigureExhibit | None, str]]) -> tuple[tuple[str, str], ...]:
    """Title and reason of each figure that could not be drawn."""
    return tuple((title, reason) for title, (figure, reason) in drawn.items() if figure is None)


def write_study(result: StudyResult, folder: Path) -> list[Path]:
    """Write a result below `folder` and return the files; equal results give equal bytes.

    Files of an earlier result that this one does not have are removed; folders (fits, pictures) stay.

    Per table `<key>.csv` and `.parquet` (unrounded) and `<key>_printed.csv` (as the report shows it), all of them in
    `<study>.xlsx`; per figure `<key>.svg` and `.png` (300 dpi), and `<key>.csv` and `.parquet` with the numbers drawn;
    `audit.json` with titles, captions, notes, methods, headline and the audit.  Missing numbers are empty in CSV and
    XLSX and null in JSON and Parquet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for table in result.tables:
        written += _write_frame(table.frame, folder, table.key)
        written.append(_write_csv(table.printed, folder / f"{table.key}{PRINTED_SUFFIX}.csv"))
    for figure in result.figures:
        written += write_figure(figure, folder, result.name)
    workbook = folder / f"{result.name}.xlsx"
    write_workbook(result.title, result.tables, workbook)
    written.append(workbook)
    for name, text in result.documents:
        document = folder / name
        document.write_text(text, encoding="utf-8")
        written.append(document)
    path = folder / AUDIT_NAME
    path.write_text(
        json.dumps(_description(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )
    written.append(path)
    for other in folder.iterdir():
        if other.is_file() and other not in written:
            other.unlink()
    return written


def write_figure(figure: FigureExhibit, folder: Path, study: str) -> list[Path]:
    """Write a figure of a study as `<key>.svg` and `.png` (300 dpi), and its numbers as `<key>.csv` and `.parquet`."""
    written = _write_frame(figure.data, folder, figure.key)
    path = folder / f"{figure.key}.svg"
    path.write_text(theme.svg_text(figure.figure, f"{study}/{figure.key}"), encoding="utf-8")
    picture = folder / f"{figure.key}.png"
    picture.write_bytes(theme.png_bytes(figure.figure))
    return [*written, path, picture]


def describe_figure(figure: FigureExhibit) -> dict[str, Any]:
    """The words around a figure, as they stand in the JSON of its folder."""
    return {
        "key": figure.key,
        "title": figure.title,
        "caption": figure.caption,
        "alt": figure.alt,
        "notes": list(figure.notes),
    }


def record_where(frame: pd.DataFrame, column: str, value: object) -> dict[str, Any]:
    """The first row of a table whose `column` holds `value`, by the names of its columns."""
    row = frame[frame[column] == value].iloc[0]
    return {str(name): cell for name, cell in row.items()}


def json_ready(value: Any) -> Any:
    """`value` in JSON's types: numpy numbers as Python's, NaN and infinities as null, tuples as lists."""
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, np.generic):
        return json_ready(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _description(result: StudyResult) -> dict[str, Any]:
    described = {
        "study": result.name,
        "title": result.title,
        "headline": result.headline,
        "methods": result.methods,
        "notes": list(result.notes),
        "tables": [
            {"key": table.key, "title": table.title, "caption": table.caption, "notes": list(table.notes)}
            for table in result.tables
        ],
        "figures": [describe_figure(figure) for figure in result.figures],
        "omitted": [{"title": title, "reason": reason} for title, reason in result.omitted],
        "documents": [name for name, _ in result.documents],
        "audit": result.audit,
    }
    ready: dict[str, Any] = json_ready(described)
    return ready


def _write_frame(frame: pd.DataFrame, folder: Path, key: str) -> list[Path]:
    parquet = folder / f"{key}.parquet"
    frame.reset_index(drop=True).to_parquet(parquet, index=False)
    return [_write_csv(frame, folder / f"{key}.csv"), parquet]


def _write_csv(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False, lineterminator="\n")
    return path
