"""The table of planned or seen screws: where each enters and ends, in the coordinates of its scan."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spongiosa.anatomy.levels import Level
from spongiosa.cohort.dictionary import SIDES
from spongiosa.cohort.faults import Fault, InputFaults
from spongiosa.cohort.manifest import pseudonym
from spongiosa.cohort.tables import check_columns, numbered_rows, read_user_table

_TABLE = "screw axes"
ENTRY = ("entry_x_mm", "entry_y_mm", "entry_z_mm")
TIP = ("tip_x_mm", "tip_y_mm", "tip_z_mm")
REQUIRED = ("patient_id", "level", "side", *ENTRY, *TIP)
COLUMNS = (*REQUIRED, "session", "diameter_mm", "source")
SOURCES = ("planned", "screw")
#: No screw of a vertebra is shorter or longer, thinner or thicker.  [mm]
LENGTHS_MM, DIAMETERS_MM = (15.0, 120.0), (3.0, 12.0)


@dataclass(frozen=True, order=True)
class ScrewAxis:
    """A screw of one CT: entry and tip in LPS mm (DICOM patient coordinates); `source` is `planned` or `screw`."""

    patient_id: str
    session: str
    level: str
    side: str
    entry_mm: tuple[float, float, float]
    tip_mm: tuple[float, float, float]
    diameter_mm: float | None = None
    source: str = "planned"

    @property
    def scan_id(self) -> tuple[str, str, str]:
        return (self.patient_id, self.session, "ct")

    def for_stage(self) -> dict[str, Any]:
        """What the stage that places the regions needs, as plain data."""
        return {
            "level": self.level,
            "side": self.side,
            "entry_mm": list(self.entry_mm),
            "tip_mm": list(self.tip_mm),
            "diameter_mm": self.diameter_mm,
            "source": self.source,
        }


def read_screw_axes(
    path: Path, scans: Collection[tuple[str, str, str]], pseudonym_key: bytes | None = None
) -> list[ScrewAxis]:
    """All screws of the table, in an order of their own: rows may change places and nothing is measured again.

    Raises `InputFaults` with every unknown or missing column, scan, level and side, every coordinate that is no number,
    every impossible length or diameter, and every screw that stands twice.
    """
    table = read_user_table(path, _TABLE)
    check_columns(table, _TABLE, COLUMNS, REQUIRED)
    faults: list[Fault] = []
    axes: list[ScrewAxis] = []
    first_row_of: dict[tuple[str, ...], int] = {}
    for number, cells in numbered_rows(table):
        if pseudonym_key is not None and cells["patient_id"]:
            cells["patient_id"] = pseudonym(cells["patient_id"], pseudonym_key)
        axis, of_row = _parsed(number, cells, scans)
        faults += of_row
        if axis is None:
            continue
        key = (*axis.scan_id, axis.level, axis.side)
        if key in first_row_of:
            faults.append(Fault(_TABLE, number, "side", f"this screw stands in row {first_row_of[key]} already."))
        first_row_of.setdefault(key, number)
        axes.append(axis)
    if faults:
        raise InputFaults(faults)
    return sorted(axes, key=lambda axis: (axis.scan_id, axis.level, axis.side))


def _parsed(
    number: int, cells: dict[str, str], scans: Collection[tuple[str, str, str]]
) -> tuple[ScrewAxis | None, list[Fault]]:
    faults: list[Fault] = []

    def fault(column: str, sentence: str) -> None:
        faults.append(Fault(_TABLE, number, column, sentence))

    def number_in(column: str) -> float:
        try:
            value = float(cells[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            fault(column, f"'{cells[column]}' is not a number of mm.")
        return value

    level = cells["level"].upper()
    if level not in Level.__members__:
        fault("level", f"'{cells['level']}' is not a vertebral level (T1 ... T12, L1 ... L6, S1).")
    side = SIDES.get(cells["side"].lower())
    if side is None:
        fault("side", f"'{cells['side']}' is not one of left, right, l, r.")
    source = cells.get("source") or "planned"
    if source not in SOURCES:
        fault("source", f"'{source}' is not one of {', '.join(SOURCES)}.")
    entry, tip = (tuple(number_in(column) for column in columns) for columns in (ENTRY, TIP))
    length = math.dist(entry, tip)
    if math.isfinite(length) and not LENGTHS_MM[0] <= length <= LENGTHS_MM[1]:
        fault("tip_x_mm", f"entry and tip are {length:.1f} mm apart; a screw has 15 to 120 mm.")
    diameter = number_in("diameter_mm") if cells.get("diameter_mm") else None
    if diameter is not None and math.isfinite(diameter) and not DIAMETERS_MM[0] <= diameter <= DIAMETERS_MM[1]:
        fault("diameter_mm", f"{diameter:g} mm is no diameter of a screw; it has 3 to 12 mm.")
    scan = (cells["patient_id"], cells.get("session") or "preop", "ct")
    if scan not in scans:
        fault("patient_id", f"no scan {', '.join(scan)} in the cohort.")
    if faults or side is None:
        return None, faults
    (x, y, z), (tip_x, tip_y, tip_z) = entry, tip
    return ScrewAxis(scan[0], scan[1], level, side, (x, y, z), (tip_x, tip_y, tip_z), diameter, source), faults
