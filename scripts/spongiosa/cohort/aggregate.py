"""From the tables of the units to those of the cohort: who was measured, who left, where and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from spongiosa.cohort.handover import COLUMNS_OF_STAGE
from spongiosa.cohort.schemas import SCAN_COLUMNS, TABLES, completed
from spongiosa.outcome import MEANING, Reason, Status
from spongiosa.provenance import read_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

SCAN = list(SCAN_COLUMNS)

#: The stage name under which corrections by readers appear in the exclusions.
REVIEW = "review"

#: The tables of a unit that hold what its stages wrote per scan, and by which columns the rows of a scan are sorted.
ROW_TABLES = {
    "series": ["series_key"],
    "vertebrae": ["label"],
    "calibration": [],
    "measurements": ["level", "region", "side", "variant"],
}

_TEXT: Literal["string"] = "string"


@dataclass(frozen=True)
class UnitTables:
    """The tables of units, each in the folder of its unit: one per stage with a row per scan, and `ROW_TABLES`.

    With `patients`, the rows of other patients are left out.
    """

    folders: list[Path]
    stages: tuple[str, ...] = tuple(COLUMNS_OF_STAGE)
    patients: frozenset[str] | None = None

    def paths(self, name: str) -> list[Path]:
        """Where the table of this name lies, unit by unit."""
        return [folder / f"{name}.parquet" for folder in self.folders]

    def read(self, name: str) -> pd.DataFrame:
        """The rows of the table of this name of all these units."""
        table = read_tables(self.paths(name))
        if self.patients is None or table.empty:
            return table
        return table[table["patient_id"].isin(self.patients)].reset_index(drop=True)


@dataclass(frozen=True)
class CohortTables:
    """The tables of the cohort, each in an order that does not depend on the units."""

    scans: pd.DataFrame
    series: pd.DataFrame
    vertebrae: pd.DataFrame
    calibration: pd.DataFrame
    measurements: pd.DataFrame
    exclusions: pd.DataFrame


def aggregate_cohort(tables: UnitTables, overrides: Sequence[dict[str, str]]) -> CohortTables:
    """Join the units and apply the corrections `exclude_scan`, `exclude_level` and `accept`.

    A correction never removes a value: the rows of an excluded level stay, with their status and reason.
    """
    scans = _with_review(_scan_outcomes([tables.read(stage) for stage in tables.stages]), overrides)
    rows = {name: _sorted(_in_full(tables.read(name), name), keys) for name, keys in ROW_TABLES.items()}
    measurements = _with_excluded_levels(rows.pop("measurements"), overrides)
    return CohortTables(scans=scans, measurements=measurements, exclusions=_exclusions(scans, measurements), **rows)


def with_left_out_levels(cohort: CohortTables, left_out: pd.DataFrame, session: str) -> CohortTables:
    """The cohort with a row in `exclusions` for every measured vertebra that enters no index.

    `left_out` has the columns patient_id, level and why; values and status of the vertebra stay as they are.
    """
    if left_out.empty or cohort.measurements.empty:
        return cohort
    rows = cohort.measurements
    of_session = rows[(rows["session"] == session) & (rows["modality"] == "ct")]
    measured = of_session[[*SCAN, "level"]].drop_duplicates().astype("str")
    found = measured.merge(left_out, on=["patient_id", "level"])
    sentence = MEANING[Reason.LEVEL_LEFT_OUT]
    added = found[[*SCAN, "level"]].assign(
        stage="aggregate_cohort",
        reason=str(Reason.LEVEL_LEFT_OUT),
        detail=[f"{level}: {sentence} ({why})" for level, why in zip(found["level"], found["why"], strict=True)],
    )
    exclusions = pd.concat([cohort.exclusions, added.astype(_TEXT)], ignore_index=True)
    exclusions = exclusions.sort_values([*SCAN, "level", "reason"], na_position="first", ignore_index=True)
    return replace(cohort, exclusions=exclusions)


def _scan_outcomes(outcomes: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row per scan: the first stage at which it left, the flags of all stages, and the review picture.

    The stages form no single chain (the picture does not wait for the measurement), so each is asked.
    """
    last = outcomes[-1].set_index(SCAN)
    left = pd.concat([outcome[outcome["status"] != Status.OK] for outcome in outcomes])
    first = left.drop_duplicates(SCAN).set_index(SCAN).reindex(last.index)
    flags = pd.concat([outcome[[*SCAN, "flags"]] for outcome in outcomes]).explode("flags").dropna(subset="flags")
    flags_of = flags.groupby(SCAN)["flags"].agg(lambda values: sorted(set(values))).to_dict()
    pictures = last["outputs"].map(
        lambda paths: next((path for path in paths if path.endswith("_desc-review.png")), None)
    )
    scans = pd.DataFrame(
        {
            "unit": last["unit"].astype(_TEXT),
            "status": first["status"].astype(_TEXT).fillna(str(Status.OK)),
            "stage": first["left_at"].astype(_TEXT),
            "reason": first["reason"].astype(_TEXT),
            "detail": first["detail"].astype(_TEXT),
            "flags": [list(flags_of.get(scan, [])) for scan in last.index],
            "review_picture": pictures.astype(_TEXT),
        },
        index=last.index,
    )
    return scans.reset_index().sort_values(SCAN, ignore_index=True)


def _with_review(scans: pd.DataFrame, overrides: Sequence[dict[str, str]]) -> pd.DataFrame:
    """Scans that a reader excluded leave here; what a reader accepted is noted in the column `review`."""
    scans = scans.assign(review=pd.Series(pd.NA, index=scans.index, dtype=_TEXT))
    for override in overrides:
        of_scan = _is_scan(scans, override)
        if override["action"] == "accept":
            scans.loc[of_scan, "review"] = "accepted"
        if override["action"] == "exclude_scan":
            scans.loc[of_scan, "review"] = "excluded"
            leaving = of_scan & (scans["status"] == Status.OK)
            outcome = (Status.EXCLUDED, REVIEW, Reason.REVIEW_EXCLUDED, _review_sentence(override))
            scans.loc[leaving, ["status", "stage", "reason", "detail"]] = [str(value) for value in outcome]
    return scans


def _with_excluded_levels(measurements: pd.DataFrame, overrides: Sequence[dict[str, str]]) -> pd.DataFrame:
    if measurements.empty:
        return measurements
    measurements = measurements.copy()
    for override in overrides:
        if override["action"] == "exclude_level":
            of_level = _is_scan(measurements, override) & (measurements["level"] == override["level"])
            measurements.loc[of_level, ["status", "reason"]] = [str(Status.EXCLUDED), str(Reason.REVIEW_EXCLUDED)]
    return measurements


def _is_scan(table: pd.DataFrame, override: dict[str, str]) -> pd.Series[bool]:
    matches = [table[column] == override[column] for column in SCAN]
    return matches[0] & matches[1] & matches[2]


def _review_sentence(override: dict[str, str]) -> str:
    by = f" ({override['reader']})" if override["reader"] else ""
    why = f": {override['reason']}" if override["reason"] else "."
    return f"A reader{by} excluded it in the review{why}"


def _exclusions(scans: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    """One row per scan that left, and one per level and reason of the scans that stayed."""
    left = scans[scans["status"] != Status.OK]
    of_scans = left[[*SCAN, "stage", "reason", "detail"]].assign(level=None)
    parts = [of_scans]
    if not measurements.empty:
        kept = measurements.merge(scans.loc[scans["status"] == Status.OK, SCAN])
        # a reference tissue that is not in view, which belongs to no level, is no loss of the scan
        lost = kept[(kept["status"] != Status.OK) & kept["level"].notna()]
        grouped = lost.groupby([*SCAN, "level", "reason"], dropna=False)["region"]
        levels = grouped.agg(lambda regions: ", ".join(sorted(set(regions)))).reset_index()
        levels["detail"] = [
            f"{level}: {MEANING[Reason(str(reason))]} ({regions})"
            for level, reason, regions in zip(levels["level"], levels["reason"], levels["region"], strict=True)
        ]
        levels["stage"] = [
            REVIEW if reason == Reason.REVIEW_EXCLUDED else "extract_density" for reason in levels["reason"]
        ]
        parts.append(levels)
    columns = ["patient_id", "session", "modality", "level", "stage", "reason", "detail"]
    exclusions = pd.concat([part[columns].astype(_TEXT) for part in parts], ignore_index=True)
    return exclusions.sort_values([*SCAN, "level", "reason"], na_position="first", ignore_index=True)


def _in_full(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The table with all its columns; what is found out of a series has no fixed ones."""
    return completed(table, name) if name in TABLES else table


def _sorted(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    if table.empty:
        return table
    keys: list[Any] = [column for column in [*SCAN, *columns] if column in table.columns]
    return table.sort_values(keys, kind="stable", ignore_index=True)
