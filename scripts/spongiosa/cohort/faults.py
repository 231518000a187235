"""Faults of the input tables, collected so that a person can mend them all at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Fault:
    """One fault: table, row (as a spreadsheet counts: the header is row 1), column, and what is wrong."""

    table: str
    row: int | None
    column: str | None
    sentence: str

    def __str__(self) -> str:
        place = [self.table]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column is not None:
            place.append(f"column '{self.column}'")
        return f"{', '.join(place)}: {self.sentence}"


class InputFaults(Exception):
    """The inputs are unusable; the message lists every fault."""

    #: More would hide the first ones on a terminal.
    SHOWN = 40

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        lines = [f"  - {fault}" for fault in faults[: self.SHOWN]]
        if len(faults) > self.SHOWN:
            lines.append(f"  ... and {len(faults) - self.SHOWN} more")
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"The inputs have {count}; nothing was run.\n" + "\n".join(lines))
