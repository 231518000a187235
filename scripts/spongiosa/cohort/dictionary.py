"""The clinical data dictionary: every column that the workflow understands, with type, unit and possible values."""

from __future__ import annotations

import csv
import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from spongiosa.anatomy.levels import Level

#: The dictionary lies with the configuration, where users look it up.
DICTIONARY = Path(__file__).resolve().parents[3] / "config" / "data_dictionary.tsv"

SEX = {"f": "female", "female": "female", "m": "male", "male": "male"}
SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
BOOLEAN = {"yes": True, "true": True, "1": True, "y": True, "no": False, "false": False, "0": False, "n": False}

#: What other programs write for a missing number, category or date; an error of a spreadsheet is none of them.
MISSING_WORDS = frozenset({"na", "n/a", "nan", "null", "none", "#n/a"})

#: Day 0 of a spreadsheet's dates (Excel's 1900 system counts a 29 February 1900 that never was).
SPREADSHEET_DAY_0 = datetime.date(1899, 12, 30)
#: Serial numbers that can be a date of this workflow: 1990-01-01 to 2064-04-08.
SPREADSHEET_DAYS = (32_874, 60_000)

Meaning = TypeVar("Meaning", str, bool)


class ImpossibleValue(ValueError):
    """A cell that cannot be what its column means; the message is a sentence for a person."""


@dataclass(frozen=True)
class ClinicalColumn:
    """One column of the dictionary."""

    name: str
    kind: str
    unit: str
    lowest: float | None
    highest: float | None
    allowed: tuple[str, ...]
    meaning: str

    @property
    def dtype(self) -> str:
        """The pandas type of the column, which can hold missing values."""
        return {"number": "Float64", "integer": "Int64", "boolean": "boolean"}.get(self.kind, "string")

    def parsed(self, text: str) -> str | float | int | bool:
        """The value of a cell.  A single comma counts as decimal point, dates come as ISO text, levels as names
        separated by blanks.  Raises `ImpossibleValue`."""
        if self.kind in ("number", "integer"):
            return self._number(text)
        if self.kind == "boolean":
            return _one_of(text.lower(), BOOLEAN, text, "yes, no, true, false, 1, 0")
        if self.name == "sex":
            return _one_of(text.lower(), SEX, text, "female, male, f, m (a coding as 0/1/2 is ambiguous)")
        if self.kind == "category":
            return _one_of(text.lower(), {item.lower(): item for item in self.allowed}, text, ", ".join(self.allowed))
        if self.kind == "date":
            return _date(text).isoformat()
        if self.kind == "levels":
            return _levels(text)
        return text

    def _number(self, text: str) -> float | int:
        plain = text.replace("\N{MINUS SIGN}", "-")
        try:
            value = float(plain.replace(",", ".") if plain.count(",") == 1 and "." not in plain else plain)
        except ValueError as error:
            raise ImpossibleValue(f"'{text}' is not a number.{_hint(text)}") from error
        if not (self.lowest is not None and self.highest is not None and self.lowest <= value <= self.highest):
            raise ImpossibleValue(
                f"{text} {self.unit} is not between {self.lowest:g} and {self.highest:g} {self.unit}."
            )
        if self.kind == "integer":
            if not value.is_integer():
                raise ImpossibleValue(f"{text} is not a whole number.")
            return int(value)
        return value


def _one_of(key: str, meanings: Mapping[str, Meaning], text: str, allowed: str) -> Meaning:
    if key not in meanings:
        raise ImpossibleValue(f"'{text}' is not one of: {allowed}.")
    return meanings[key]


def parsed_cell(column: ClinicalColumn, text: str) -> Any:
    """The value of a cell, `pandas.NA` where it is empty or says that it is missing.  Raises `ImpossibleValue`."""
    import pandas as pd

    if text == "" or (column.kind not in ("text", "id") and text.lower() in MISSING_WORDS):
        return pd.NA
    return column.parsed(text)


def _hint(text: str) -> str:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}.*", text):
        return " A spreadsheet may have turned a number into a date."
    if re.fullmatch(r"[-+]?\d+([.,]\d+)?\s*[^\d\s.,].*", text):
        return " Units belong into the heading, not into the cell."
    return ""


def _date(text: str) -> datetime.date:
    """A day: 2024-03-31, 31.03.2024, or the serial number that a spreadsheet shows for an unformatted date."""
    if re.fullmatch(r"\d{5}", text) and SPREADSHEET_DAYS[0] <= int(text) <= SPREADSHEET_DAYS[1]:
        return SPREADSHEET_DAY_0 + datetime.timedelta(days=int(text))
    iso = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})(?:[ T]00:00(?::00)?)?", text)
    dotted = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text)
    parts = iso.groups() if iso else dotted.groups()[::-1] if dotted else None
    if parts is None:
        raise ImpossibleValue(
            f"'{text}' is not a date of the form 2024-03-31 (day and month in 3/4/2024 are ambiguous)."
        )
    try:
        return datetime.date(*(int(part) for part in parts))
    except ValueError as error:
        raise ImpossibleValue(f"'{text}' is not a day of the calendar.") from error


def _levels(text: str) -> str:
    """Names of vertebral levels, separated by blanks, commas, semicolons or plus signs."""
    names = [name for name in re.split(r"[\s,;+]+", text.upper()) if name]
    unknown = [name for name in names if name not in Level.__members__]
    if unknown:
        raise ImpossibleValue(f"'{unknown[0]}' is not a vertebral level (T1 ... T12, L1 ... L6, S1).")
    return " ".join(dict.fromkeys(names))


@cache
def clinical_dictionary() -> dict[str, ClinicalColumn]:
    """All columns of the dictionary by name, in its order."""
    with DICTIONARY.open(encoding="utf-8", newline="") as handle:
        return {row["column"]: _column(row) for row in csv.DictReader(handle, delimiter="\t")}


def _column(row: dict[str, str]) -> ClinicalColumn:
    return ClinicalColumn(
        name=row["column"],
        kind=row["type"],
        unit=row["unit"],
        lowest=float(row["lowest"]) if row["lowest"] else None,
        highest=float(row["highest"]) if row["highest"] else None,
        allowed=tuple(row["allowed"].split("|")) if row["allowed"] else (),
        meaning=row["meaning"],
    )
