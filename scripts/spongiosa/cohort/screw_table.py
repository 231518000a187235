"""Outcomes of single screws: the table checked row by row, and joined with the bone around each screw."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from spongiosa.anatomy.levels import Level
from spongiosa.cohort.dictionary import BOOLEAN, SIDES, ClinicalColumn, ImpossibleValue, parsed_cell
from spongiosa.cohort.faults import Fault, InputFaults
from spongiosa.cohort.manifest import pseudonym
from spongiosa.cohort.tables import check_columns, numbered_rows, read_user_table

if TYPE_CHECKING:
    import pandas as pd

_TABLE = "screws"
COLUMNS: dict[str, ClinicalColumn] = {
    "loosening": ClinicalColumn("loosening", "boolean", "", None, None, (), "The screw is loose at follow-up"),
    "lucency_mm": ClinicalColumn("lucency_mm", "number", "mm", 0.0, 20.0, (), "Widest lucent zone around the screw"),
    "screw_diameter_mm": ClinicalColumn("screw_diameter_mm", "number", "mm", 3.0, 12.0, (), "Diameter of the screw"),
    "screw_length_mm": ClinicalColumn("screw_length_mm", "number", "mm", 15.0, 120.0, (), "Length of the screw"),
}
KEY = ("patient_id", "level", "side")
#: What is measured around a screw: column -> region, and whether the region has a side.
DENSITIES = {"body": ("body_central", False), "pedicle": ("pedicle", True), "trajectory": ("trajectory", True)}


def read_screws(
    path: Path, patients: Collection[str], pseudonym_key: bytes | None = None, *, allow_unmatched: bool = False
) -> pd.DataFrame:
    """One row per screw of the cohort: `patient_id, level, side, loosening` and what else of `COLUMNS` is given.

    Raises `InputFaults` with every unknown column, patient, level, side, impossible value and repeated screw.
    """
    import pandas as pd

    table = read_user_table(path, _TABLE)
    known = (*KEY, *COLUMNS)
    check_columns(table, _TABLE, known, (*KEY, "loosening"))
    faults: list[Fault] = []
    rows = []
    first_row_of: dict[tuple[str, ...], int] = {}
    for number, cells in numbered_rows(table):
        if pseudonym_key is not None and cells["patient_id"]:
            cells["patient_id"] = pseudonym(cells["patient_id"], pseudonym_key)
        row, of_row = _parsed(number, cells, None if allow_unmatched else patients)
        screw = tuple(str(row[column]) for column in KEY)
        if not of_row and screw in first_row_of:
            of_row.append(Fault(_TABLE, number, "side", f"this screw stands in row {first_row_of[screw]} already."))
        first_row_of.setdefault(screw, number)
        faults += of_row
        rows.append(row)
    if faults:
        raise InputFaults(faults)
    given = [name for name in COLUMNS if name in table.columns]
    types = dict.fromkeys(KEY, "string") | {name: COLUMNS[name].dtype for name in given}
    screws = pd.DataFrame(rows, columns=[*KEY, *given]).astype(types)
    return screws[screws["patient_id"].isin(list(patients))].sort_values(list(KEY), ignore_index=True)


def join_screws(screws: pd.DataFrame, measurements: pd.DataFrame, session: str) -> pd.DataFrame:
    """Each screw with HU and vBMD of the body, pedicle and trajectory of its level and side.

    Adds `body_hu, body_vbmd_mg_cm3, pedicle_hu, ...`, null where the region was not measured in the CT of `session`.
    """
    from spongiosa.outcome import Status

    rows = measurements[
        (measurements["session"] == session)
        & (measurements["modality"] == "ct")
        & (measurements["variant"] == "default")
        & (measurements["status"] == Status.OK)
    ]
    joined = screws
    for name, (region, has_sides) in DENSITIES.items():
        of_region = rows[rows["region"] == region]
        place = ["patient_id", "level", *(["side"] if has_sides else [])]
        values = of_region[[*place, "hu_mean", "vbmd_mean_mg_cm3"]].drop_duplicates(place)
        values = values.astype(
            dict.fromkeys(place, "string") | dict.fromkeys(("hu_mean", "vbmd_mean_mg_cm3"), "Float64")
        )
        renamed = {"hu_mean": f"{name}_hu", "vbmd_mean_mg_cm3": f"{name}_vbmd_mg_cm3"}
        joined = joined.merge(values.rename(columns=renamed), how="left", on=place)
    return joined.sort_values(list(KEY), ignore_index=True)


def _parsed(
    number: int, cells: dict[str, str], patients: Collection[str] | None
) -> tuple[dict[str, object], list[Fault]]:
    row: dict[str, object] = {"patient_id": cells["patient_id"]}
    faults = []

    def fault(column: str, sentence: str) -> None:
        faults.append(Fault(_TABLE, number, column, sentence))

    if not cells["patient_id"]:
        fault("patient_id", "the id is empty.")
    elif patients is not None and cells["patient_id"] not in patients:
        fault("patient_id", f"no patient {cells['patient_id']} in the cohort.")
    row["level"] = cells["level"].upper()
    if row["level"] not in Level.__members__:
        fault("level", f"'{cells['level']}' is not a vertebral level (T1 ... T12, L1 ... L6, S1).")
    row["side"] = SIDES.get(cells["side"].lower())
    if row["side"] is None:
        fault("side", f"'{cells['side']}' is not one of left, right, l, r.")
    for name, column in COLUMNS.items():
        if name not in cells:
            continue
        try:
            row[name] = parsed_cell(column, cells[name])
        except ImpossibleValue as error:
            fault(name, str(error))
    if cells["loosening"] == "":
        fault("loosening", f"the outcome is empty; allowed are {', '.join(BOOLEAN)}.")
    return row, faults
