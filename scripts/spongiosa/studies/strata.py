"""HU depend on scanner and protocol: discrimination per site, manufacturer, kVp, kernel, slice thickness, contrast."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import count_share, estimate_interval, mean_sd, whole
from spongiosa.statistics.roc import auc_delong
from spongiosa.studies.discrimination import Marker
from spongiosa.studies.result import attempt, record_where

#: Columns of the patient table that part the cohort, where they are given, with unit.
STRATA = {
    "site": ("Site", ""),
    "manufacturer": ("Manufacturer", ""),
    "kvp": ("Tube voltage", " kVp"),
    "kernel_class": ("Sharpness of the kernel", ""),
    "kernel": ("Kernel", ""),
    "slice_thickness_mm": ("Slice thickness", " mm"),
    "contrast_phase": ("Contrast", ""),
}
ALL, USUAL = "all", "without_rarer"
METHODS = (
    "Discrimination is repeated per site, manufacturer, tube voltage, kernel, slice thickness and contrast phase where "
    "they differ, and as sensitivity analysis in the patients who have the most frequent value of each."
)


@dataclass(frozen=True)
class Stratum:
    """Patients who share a value of a column; `column` is `all` for everybody, `without_rarer` for those who have the
    most frequent value of every column."""

    column: str
    title: str
    value: str
    members: pd.Series[bool]
    is_most_frequent: bool

    @property
    def place(self) -> tuple[str, str]:
        return (self.column, self.value)


def strata_of(frame: pd.DataFrame) -> list[Stratum]:
    """Everybody; every value of each column that has more than one, the most frequent first; and those without a rarer
    value.  Empty where no column parts the patients.  A value that is not stated is a stratum of its own."""
    found: list[Stratum] = []
    usual = pd.Series(True, index=frame.index)
    for column, (title, unit) in STRATA.items():
        if column not in frame:
            continue
        values = _in_words(frame[column], unit)
        counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        if len(counts) < 2:
            continue
        for position, value in enumerate(counts.index):
            found.append(Stratum(column, title, str(value), values == value, position == 0))
        usual &= values == counts.index[0]
    if not found:
        return []
    everybody = Stratum(ALL, "All patients", "", pd.Series(True, index=frame.index), False)
    return [everybody, *found, Stratum(USUAL, "Sensitivity analysis", "without the rarer values", usual, False)]


def strata_areas(
    frame: pd.DataFrame, event: pd.Series, markers: Sequence[Marker], *, confidence: float
) -> pd.DataFrame:
    """One row per stratum and marker: counts, mean and SD of the marker, AUC with DeLong's interval."""
    records: list[dict[str, object]] = []
    for stratum in strata_of(frame):
        part, events = frame[stratum.members], event[stratum.members]
        for marker in markers:
            values = part[marker.column].astype("float64")
            area, reason = attempt(auc_delong, values, events, direction=marker.direction, confidence=confidence)
            records.append(
                {
                    "column": stratum.column,
                    "value": stratum.value,
                    "is_most_frequent": stratum.is_most_frequent,
                    "patients": len(part),
                    "events": int(events.sum()),
                    "marker": marker.column,
                    "n": int(values.notna().sum()),
                    "mean": float(values.mean()),
                    "sd": float(values.std()),
                    "auc": area.estimate if area else math.nan,
                    "auc_ci_low": area.ci_low if area else math.nan,
                    "auc_ci_high": area.ci_high if area else math.nan,
                    "reason": reason,
                }
            )
    return pd.DataFrame.from_records(records)


def strata_exhibit(
    key: str,
    title: str,
    areas: pd.DataFrame,
    markers: Sequence[Marker],
    event_label: str,
    further: Mapping[tuple[str, str], tuple[dict[str, object], dict[str, str]]] | None = None,
) -> TableExhibit | None:
    """The rows of `strata_areas` as a table, None where there are none; the mean is that of the first marker.

    `further` adds numbers and cells to the row of a stratum, by its column and value.
    """
    if areas.empty:
        return None
    footnotes = Footnotes()
    printed: list[dict[str, str]] = []
    extra: list[dict[str, object]] = []
    shown = ""
    places = [(str(row["column"]), str(row["value"])) for row in areas.to_dict("records")]
    for column, value in dict.fromkeys(places):
        rows = areas[(areas["column"] == column) & (areas["value"] == value)]
        first = record_where(rows, "column", column)
        heading = {ALL: "All patients", USUAL: "Sensitivity analysis"}.get(column) or STRATA[column][0]
        numbers, cells = (further or {}).get((column, value), ({}, {}))
        extra += [numbers] * len(rows)
        row = {
            "Stratum": heading if heading != shown else "",
            "Value": f"{value} (most frequent)" if first["is_most_frequent"] else value,
            "Patients": whole(int(first["patients"])),
            event_label: count_share(int(first["events"]), int(first["patients"])),
            f"{markers[0].label}, mean ± SD": mean_sd(float(first["mean"]), float(first["sd"]), markers[0].decimals),
            **cells,
        }
        shown = heading
        for marker in markers:
            found = record_where(rows, "marker", marker.column)
            text = estimate_interval(float(found["auc"]), float(found["auc_ci_low"]), float(found["auc_ci_high"]))
            row[f"AUC of {marker.label} (CI)"] = footnotes.gap(str(found["reason"])) if found["reason"] else text
        printed.append(row)
    frame = areas.reset_index(drop=True)
    if any(extra):
        frame = frame.join(pd.DataFrame.from_records(extra))
    return TableExhibit(
        key=key,
        title=title,
        frame=frame,
        printed=pd.DataFrame(printed).fillna(""),
        caption="A cut-off in HU holds for one protocol: strata that differ should not be pooled blindly. The last row "
        "keeps the patients who have the most frequent value of every column above.",
        notes=footnotes.notes(),
    )


def strata_table(
    key: str,
    title: str,
    frame: pd.DataFrame,
    event: pd.Series,
    markers: Sequence[Marker],
    event_label: str,
    *,
    confidence: float,
) -> tuple[TableExhibit, ...]:
    """The table of strata for `StudyResult.tables`: one, or none where no column parts the patients."""
    made = strata_exhibit(key, title, strata_areas(frame, event, markers, confidence=confidence), markers, event_label)
    return () if made is None else (made,)


def _in_words(values: pd.Series, unit: str) -> pd.Series:
    def word(value: object) -> str:
        if pd.isna(value):  # type: ignore[call-overload]
            return "not stated"
        return f"{value:g}{unit}" if isinstance(value, int | float) else f"{value}{unit}"

    return pd.Series([word(value) for value in values.astype(object)], index=values.index, dtype="str")
