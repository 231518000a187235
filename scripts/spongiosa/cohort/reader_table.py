"""Manual measurements by readers: the table checked row by row, and joined with what the workflow measured."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spongiosa.anatomy.levels import Level
from spongiosa.cohort.faults import Fault, InputFaults
from spongiosa.cohort.manifest import pseudonym
from spongiosa.cohort.tables import check_columns, numbered_rows, read_user_table
from spongiosa.config.regions import REGION_NAMES

if TYPE_CHECKING:
    import pandas as pd

_TABLE = "readers"
SCAN = ["patient_id", "session", "modality"]
REQUIRED = ("patient_id", "reader", "level", "region", "quantity", "value")
#: What stands for an empty cell, or for a column that the table does not have.
DEFAULTS = {"session": "preop", "modality": "ct", "trial": "1", "side": "none"}
KEY = (*SCAN, "reader", "trial", "level", "region", "side", "quantity")

#: What a reader may measure, with the range of possible values.
QUANTITIES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("hu_mean", "hu_median", "hu_referenced_mean"), (-1024.0, 3072.0)),
    "hu_sd": (0.0, 2000.0),
    "vbmd_mean_mg_cm3": (-200.0, 1500.0),
    "signal_mean": (0.0, 1e6),
    "area_mm2": (0.0, 5000.0),
    "volume_mm3": (0.0, 200_000.0),
}

#: Regions of MR, beside those of the configuration.
MR_REGIONS = ("pedicle_marrow", "body_marrow", "csf")


def read_readers(
    path: Path, scans: Collection[tuple[str, str, str]], pseudonym_key: bytes | None = None
) -> pd.DataFrame:
    """The manual measurements with columns `KEY` and `value` (float64), sorted by them.

    `reader` is a name or a number, `trial` a whole number from 1 for readers who measured more than once.
    Raises `InputFaults` with every unknown column, scan, level, region, side, quantity, impossible value, repetition.
    """
    import pandas as pd

    table = read_user_table(path, _TABLE)
    known = (*KEY, "value")
    check_columns(table, _TABLE, known, REQUIRED)
    faults: list[Fault] = []
    rows = []
    first_row_of: dict[tuple[str, ...], int] = {}
    for number, given in numbered_rows(table):
        cells = {column: given.get(column, "") or DEFAULTS.get(column, "") for column in known}
        if pseudonym_key is not None and cells["patient_id"]:
            cells["patient_id"] = pseudonym(cells["patient_id"], pseudonym_key)
        value, of_row = _checked(number, cells, scans)
        faults += of_row
        identity = tuple(cells[column] for column in KEY)
        if not of_row and identity in first_row_of:
            sentence = f"the same measurement stands in row {first_row_of[identity]}; number repetitions in 'trial'."
            faults.append(Fault(_TABLE, number, "trial", sentence))
        first_row_of.setdefault(identity, number)
        rows.append({**{column: cells[column] for column in KEY}, "value": value})
    if faults:
        raise InputFaults(faults)
    readings = pd.DataFrame(rows, columns=list(known)).astype(dict.fromkeys(KEY, "string"))
    readings = readings.astype({"trial": "int64", "value": "float64"})
    return readings.sort_values(list(KEY), ignore_index=True)


def join_readers(readings: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    """Each reading with `software_value`, what the workflow measured there, and `software_reason` where nothing.

    A reading of side `none` in a region with two sides is compared with the mean of both.
    """
    import pandas as pd

    from spongiosa.outcome import Reason, Status

    place = [*SCAN, "level", "region", "side"]
    quantities = sorted(set(readings["quantity"]))
    rows = measurements[measurements["variant"] == "default"]
    kept = rows[[*place, "status", "reason", *(name for name in quantities if name in rows)]]
    both = kept[kept["side"] != "none"]
    averaged = both.groupby([c for c in place if c != "side"], observed=True).agg(
        {"status": "max", "reason": "first", **{name: "mean" for name in quantities if name in rows}}
    )
    # "ok" sorts after "excluded": a mean of the sides needs one that was measured.
    whole = pd.concat([kept, averaged.reset_index().assign(side="none")], ignore_index=True)
    whole = whole.drop_duplicates(place)
    long = whole.melt(id_vars=[*place, "status", "reason"], var_name="quantity", value_name="software_value")
    long["software_value"] = long["software_value"].astype("Float64").astype("float64")
    long.loc[long["status"] != Status.OK, "software_value"] = math.nan
    types: dict[str, Any] = dict.fromkeys([*place, "quantity"], "string")
    long = long.astype(types).rename(columns={"reason": "software_reason"}).drop(columns="status")
    joined = readings.astype(types).merge(long, how="left", on=[*place, "quantity"])
    reason = joined["software_reason"].astype("string").fillna(str(Reason.NOT_MEASURED))
    joined["software_reason"] = reason.mask(joined["software_value"].notna())
    return joined.sort_values(list(KEY), ignore_index=True)


def _checked(number: int, cells: dict[str, str], scans: Collection[tuple[str, str, str]]) -> tuple[float, list[Fault]]:
    faults = []

    def fault(column: str, sentence: str) -> None:
        faults.append(Fault(_TABLE, number, column, sentence))

    scan = (cells["patient_id"], cells["session"], cells["modality"])
    if scan not in scans:
        fault("patient_id", f"no scan {', '.join(scan)} in the cohort.")
    if not cells["reader"]:
        fault("reader", "the reader is empty.")
    if not (cells["trial"].isdigit() and int(cells["trial"]) >= 1):
        fault("trial", f"'{cells['trial']}' is not a whole number from 1.")
    if cells["level"] not in Level.__members__:
        fault("level", f"'{cells['level']}' is not a vertebral level (T1 ... T12, L1 ... L6, S1).")
    if cells["region"] not in (*REGION_NAMES, *MR_REGIONS):
        fault("region", f"'{cells['region']}' is not a region; known are {', '.join(REGION_NAMES)}.")
    if cells["side"] not in ("left", "right", "none"):
        fault("side", f"'{cells['side']}' is not one of left, right, none.")
    if cells["quantity"] not in QUANTITIES:
        fault("quantity", f"'{cells['quantity']}' is not one of {', '.join(QUANTITIES)}.")
    return _value(cells, fault), faults


def _value(cells: dict[str, str], fault: Any) -> float:
    text = cells["value"]
    try:
        value = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    except ValueError:
        fault("value", f"'{text}' is not a number.")
        return math.nan
    lowest, highest = QUANTITIES.get(cells["quantity"], (-math.inf, math.inf))
    if not lowest <= value <= highest:
        fault("value", f"{text} is not between {lowest:g} and {highest:g}.")
    return value
