"""Reading back the folder of a study, as `studies.result.write_study` wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from spongiosa.report.calculator import DOCUMENT_NAME

AUDIT_NAME = "audit.json"
PRINTED_SUFFIX = "_printed"


@dataclass(frozen=True)
class WrittenTable:
    """A table as printed; `key` names its files."""

    key: str
    title: str
    caption: str
    notes: tuple[str, ...]
    printed: pd.DataFrame


@dataclass(frozen=True)
class WrittenFigure:
    """A figure as SVG text, with its words."""

    key: str
    title: str
    caption: str
    alt: str
    notes: tuple[str, ...]
    svg: str


@dataclass(frozen=True)
class WrittenStudy:
    """Everything that a report shows of a study; `calculator` is the document of its risk calculator, if it has one."""

    name: str
    title: str
    headline: str
    methods: str
    notes: tuple[str, ...]
    tables: tuple[WrittenTable, ...]
    figures: tuple[WrittenFigure, ...]
    omitted: tuple[tuple[str, str], ...]
    audit: dict[str, Any]
    calculator: dict[str, Any] | None = None


def read_study(folder: Path) -> WrittenStudy:
    """Read the folder of a study.  Raises `FileNotFoundError` when a file that its audit.json names is missing."""
    described = json.loads((folder / AUDIT_NAME).read_text(encoding="utf-8"))
    return WrittenStudy(
        name=described["study"],
        title=described["title"],
        headline=described["headline"],
        methods=described["methods"],
        notes=tuple(described["notes"]),
        tables=tuple(
            WrittenTable(
                key=table["key"],
                title=table["title"],
                caption=table["caption"],
                notes=tuple(table["notes"]),
                printed=read_printed(folder / f"{table['key']}{PRINTED_SUFFIX}.csv"),
            )
            for table in described["tables"]
        ),
        figures=tuple(
            WrittenFigure(
                key=figure["key"],
                title=figure["title"],
                caption=figure["caption"],
                alt=figure["alt"],
                notes=tuple(figure["notes"]),
                svg=(folder / f"{figure['key']}.svg").read_text(encoding="utf-8"),
            )
            for figure in described["figures"]
        ),
        omitted=tuple((figure["title"], figure["reason"]) for figure in described["omitted"]),
        audit=described["audit"],
        calculator=_calculator(folder) if DOCUMENT_NAME in described.get("documents", ()) else None,
    )


def _calculator(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / DOCUMENT_NAME).read_text(encoding="utf-8"))
    return document


def read_printed(path: Path) -> pd.DataFrame:
    """A printed table: text in every cell, as it was written; one that could not be computed has no column."""
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
