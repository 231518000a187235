"""Corrections that readers made in the review: wrong levels, bad vertebrae, other series."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from spongiosa.anatomy.levels import Level
from spongiosa.cohort.faults import Fault, InputFaults
from spongiosa.cohort.tables import check_columns, numbered_rows, read_user_table

ACTIONS = ("exclude_scan", "exclude_level", "shift_levels", "set_level", "choose_series", "accept")
COLUMNS = ("patient_id", "session", "modality", "action", "level", "value", "reader", "reason")

#: Which action changes which stage; the others act when the cohort is aggregated.
STAGE_OF_ACTION = {
    "choose_series": "index_series",
    "shift_levels": "localise_vertebrae",
    "set_level": "localise_vertebrae",
}


@dataclass(frozen=True, order=True)
class Override:
    """One correction of one scan."""

    patient_id: str
    session: str
    modality: str
    action: str
    level: str = ""
    value: str = ""
    reader: str = ""
    reason: str = ""

    @property
    def scan_id(self) -> tuple[str, str, str]:
        return (self.patient_id, self.session, self.modality)


def read_overrides(path: Path, scans: Collection[tuple[str, str, str]]) -> list[Override]:
    """All corrections, in the order of the file.

    Raises `InputFaults` listing unknown columns, actions, scans and impossible values.
    """
    table = read_user_table(path, "overrides")
    check_columns(table, "overrides", COLUMNS, ("patient_id", "action"))
    faults: list[Fault] = []
    overrides = []
    for number, cells in numbered_rows(table):
        override = Override(
            **{column: cells.get(column, "") for column in COLUMNS}
            | {"session": cells.get("session") or "preop", "modality": cells.get("modality") or "ct"}
        )
        faults += _faults_of(number, override, scans)
        overrides.append(override)
    if faults:
        raise InputFaults(faults)
    return overrides


def _faults_of(number: int, override: Override, scans: Collection[tuple[str, str, str]]) -> list[Fault]:
    faults = []

    def fault(column: str, sentence: str) -> None:
        faults.append(Fault("overrides", number, column, sentence))

    if override.scan_id not in scans:
        fault("patient_id", f"no scan {', '.join(override.scan_id)} in the cohort.")
    if override.action not in ACTIONS:
        fault("action", f"'{override.action}' is not one of {', '.join(ACTIONS)}.")
    needs_level = override.action in ("exclude_level", "set_level")
    named = override.level or (override.value if override.action == "set_level" else "")
    if needs_level and named not in Level.__members__:
        fault("level", f"'{named}' is not a vertebral level (T1 ... T12, L1 ... L6).")
    if override.action == "shift_levels" and not _is_shift(override.value):
        fault("value", f"'{override.value}' is not a whole number from -5 to 5 other than 0.")
    if override.action == "choose_series" and not override.value:
        fault("value", "choose_series needs the series_key that cohort/series.parquet shows.")
    return faults


def _is_shift(text: str) -> bool:
    try:
        return 1 <= abs(int(text)) <= 5
    except ValueError:
        return False


def corrections_of_stage(overrides: Iterable[Override], stage: str) -> list[list[str]]:
    """The corrections that a per-scan stage applies, as `[action, value]` pairs in their order.

    Readers and their reasons are left out: a better explanation recomputes nothing.
    """
    return [
        [override.action, override.level or override.value]
        if override.action == "set_level"
        else [override.action, override.value]
        for override in overrides
        if STAGE_OF_ACTION.get(override.action) == stage
    ]
