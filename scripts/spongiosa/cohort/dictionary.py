"""The clinical data dictionary: every column that the workflow understands, with type, unit and possible values."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

#: The dictionary lies with the configuration, where users look it up.
DICTIONARY = Path(__file__).resolve().parents[3] / "config" / "data_dictionary.tsv"

SEX = {"f": "female", "female": "female", "m": "male", "male": "male"}
BOOLEAN = {"yes": True, "true": True, "1": True, "y": True, "no": False, "false": False, "0": False, "n": False}


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
        """The value of a cell.  A single comma counts as decimal point.  Raises `ImpossibleValue`."""
        if self.kind in ("number", "integer"):
            return self._number(text)
        if self.kind == "boolean":
            return _one_of(text.lower(), BOOLEAN, text, "yes, no, true, false, 1, 0")
        if self.name == "sex":
            return _one_of(text.lower(), SEX, text, "female, male, f, m (a coding as 0/1/2 is ambiguous)")
        if self.kind == "category":
            return _one_of(text.lower(), {item.lower(): item for item in self.allowed}, text, ", ".join(self.allowed))
        return text

    def _number(self, text: str) -> float | int:
        try:
            value = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
        except ValueError as error:
            raise ImpossibleValue(f"'{text}' is not a number.") from error
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
