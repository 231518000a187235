"""Reading back the folder of a study, as `studies.result.write_study` wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from spongiosa.report.calculator import DOCUMENT_NAME

AUDIT_NAME = "audit.json"
#: Folder of a study's pictures, and the words around them.
PICTURES_FOLDER, PICTURES_NAME = "pictures", "pictures.json"
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
    """A figure as SVG text, with its words; `folder` holds its files, below that of the study."""

    key: str
    title: str
    caption: str
    alt: str
    notes: tuple[str, ...]
    svg: str
    folder: str = ""

    @property
    def path(self) -> str:
        """Its files without their endings, below the folder of the study."""
        return f"{self.folder}/{self.key}" if self.folder else self.key


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
    pictures = _pictures(folder)
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
        figures=(
            *(_figure(figure, folder, PICTURES_FOLDER) for figure in pictures["figures"]),
            *(_figure(figure, folder, "") for figure in described["figures"]),
        ),
        omitted=tuple((figure["title"], figure["reason"]) for figure in [*pictures["omitted"], *described["omitted"]]),
        audit=described["audit"],
        calculator=_calculator(folder) if DOCUMENT_NAME in described.get("documents", ()) else None,
    )


def _pictures(folder: Path) -> dict[str, Any]:
    """The words of the study's pictures; none where the study has no pictures."""
    path = folder / PICTURES_FOLDER / PICTURES_NAME
    if not path.is_file():
        return {"figures": [], "omitted": []}
    described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return described


def _figure(described: dict[str, Any], study: Path, folder: str) -> WrittenFigure:
    return WrittenFigure(
        key=described["key"],
        title=described["title"],
        caption=described["caption"],
        alt=described["alt"],
        notes=tuple(described["notes"]),
        svg=(study / folder / f"{described['key']}.svg").read_text(encoding="utf-8"),
        folder=folder,
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
