"""HU depend on scanner and protocol: concordance per site, manufacturer, tube voltage, kernel and slice thickness."""

from __future__ import annotations

import math

import pandas as pd

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import count_share, estimate_interval, whole
from spongiosa.statistics.accuracy import AccuracyIndices, accuracy_indices, confusion
from spongiosa.statistics.roc import auc_delong
from spongiosa.studies.hu_dxa_groups import ConcordanceCohort
from spongiosa.studies.hu_dxa_tables import kappa_text
from spongiosa.studies.result import attempt

#: Columns of the patient table that part the cohort, where they are given, with unit.
STRATA = {
    "site": ("Site", ""),
    "manufacturer": ("Manufacturer", ""),
    "kvp": ("Tube voltage", " kVp"),
    "kernel": ("Kernel", ""),
    "slice_thickness_mm": ("Slice thickness", " mm"),
}


def strata_table(cohort: ConcordanceCohort, confidence: float) -> TableExhibit | None:
    """One row per value of each column that has more than one, and one with the most frequent value only.

    None where no column parts the cohort.
    """
    footnotes = Footnotes()
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for column, (title, unit) in STRATA.items():
        if column not in cohort.frame:
            continue
        values = cohort.frame[column].map(lambda value, unit=unit: f"{value}{unit}", na_action="ignore")
        values = values.fillna("not stated").astype("str")
        counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        if len(counts) < 2:
            continue
        for position, (value, _) in enumerate(counts.items()):
            row, cells = _row(cohort.frame[values == value], confidence, footnotes)
            sensitivity = " (sensitivity analysis: this one alone)" if position == 0 else ""
            records.append({"column": column, "value": value, "is_most_frequent": position == 0, **row})
            printed.append({"Stratum": title if position == 0 else "", "Value": f"{value}{sensitivity}", **cells})
    if not records:
        return None
    return TableExhibit(
        key="t10_strata",
        title="Table 10. Concordance by scanner and site",
        frame=pd.DataFrame.from_records(records),
        printed=pd.DataFrame(printed),
        caption="A cut-off in HU holds for one protocol: strata that differ should not be pooled blindly.",
        notes=footnotes.notes(),
    )


def _row(part: pd.DataFrame, confidence: float, footnotes: Footnotes) -> tuple[dict[str, object], dict[str, str]]:
    found, reason = attempt(_agreement, part, confidence)
    area, no_area = attempt(
        auc_delong, part["index_hu"], part["is_dxa_positive"], direction="low", confidence=confidence
    )
    agreeing, events = int(part["is_concordant"].sum()), int(part["is_dxa_positive"].sum())
    kappa = found.kappa if found else None
    gap = reason or (kappa.reason if kappa and math.isnan(kappa.estimate) else "")
    record: dict[str, object] = {
        "patients": len(part),
        "dxa_positive": events,
        "concordant": agreeing,
        "mean_hu": float(part["index_hu"].mean()),
        "kappa": kappa.estimate if kappa else math.nan,
        "auc": area.estimate if area else math.nan,
        "auc_ci_low": area.ci_low if area else math.nan,
        "auc_ci_high": area.ci_high if area else math.nan,
        "reason": gap or no_area,
    }
    cells = {
        "Patients": whole(len(part)),
        "Mean HU": f"{part['index_hu'].mean():.1f}",
        "DXA+": count_share(events, len(part)),
        "Concordant n (%)": count_share(agreeing, len(part)),
        "Kappa (CI)": kappa_text(kappa) if kappa and not gap else footnotes.gap(gap),
        "AUC (CI)": estimate_interval(area.estimate, area.ci_low, area.ci_high) if area else footnotes.gap(no_area),
    }
    return record, cells


def _agreement(part: pd.DataFrame, confidence: float) -> AccuracyIndices:
    return accuracy_indices(confusion(part["is_hu_positive"], part["is_dxa_positive"]), confidence=confidence)
