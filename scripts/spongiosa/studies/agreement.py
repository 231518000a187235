"""Agreement of readers with each other, with themselves and with the workflow: ICC, repeatability, Bland-Altman."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spongiosa.report import figures, theme
from spongiosa.report.exhibits import FigureExhibit, Footnotes, TableExhibit
from spongiosa.report.formatting import estimate_interval, number, p_value, whole
from spongiosa.report.theme import GroupStyle
from spongiosa.statistics.bland_altman import bland_altman
from spongiosa.statistics.icc import intraclass_correlations
from spongiosa.statistics.repeatability import repeatability
from spongiosa.studies.readings import SOFTWARE, RaterTable, Target, rater_tables
from spongiosa.studies.result import attempt

COMPARISONS = {"inter": "Between readers", "intra": "Within a reader", SOFTWARE: "Readers and workflow"}
SUBJECTS = {"patient": "patients", "place": "regions"}
METHODS = (
    " Readers were compared by intraclass correlations for two-way designs, named by McGraw and Wong: (A,1) is the "
    "absolute agreement of a single reading, (A,k) that of the mean of the k readings, (C,1) the consistency of a "
    "single one (Shrout and Fleiss's ICC(3,1)); the mean of the readers' first trials was compared with the workflow "
    "in the same way, and by Bland and Altman's bias and limits of agreement. Patients are the subjects; rows with "
    "single regions as subjects ignore that regions share a patient."
)


@dataclass(frozen=True)
class Agreement:
    """Tables and numbers of an agreement analysis; `frames` hold the ratings that figures are drawn from."""

    tables: tuple[TableExhibit, ...]
    pairs: pd.DataFrame


def agreement(
    readers: pd.DataFrame | None,
    targets: Sequence[Target],
    patients: Sequence[str],
    prefix: str,
    title: str,
    *,
    confidence: float,
) -> Agreement | None:
    """ICCs (`<prefix>a_reliability`) and Bland-Altman figures (`<prefix>b_bland_altman`), None without readings."""
    if readers is None:
        return None
    tables = [table for target in targets for table in rater_tables(readers, target, patients)]
    if not tables:
        return None
    return Agreement(
        (
            _reliability(f"{prefix}a_reliability", f"Table {title}a. Reliability of readings", tables, confidence),
            _bland_altman(
                f"{prefix}b_bland_altman", f"Table {title}b. Bias and limits of agreement", tables, confidence
            ),
        ),
        _pairs(tables),
    )


def _reliability(key: str, title: str, tables: Sequence[RaterTable], confidence: float) -> TableExhibit:
    footnotes = Footnotes()
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for table in tables:
        ratings = table.ratings.to_numpy(dtype=float)
        found, reason = attempt(intraclass_correlations, ratings, confidence=confidence)
        precision, no_precision = attempt(repeatability, ratings, confidence=confidence)
        record: dict[str, object] = {**_identity(table), "raters": ratings.shape[1], "reason": reason}
        cells = {**_names(table), "n": whole(len(ratings))}
        for form, label in (("a_1", "ICC(A,1)"), ("a_k", "ICC(A,k)"), ("c_1", "ICC(C,1)")):
            one = getattr(found, form) if found else None
            for name in ("estimate", "ci_low", "ci_high"):
                record[f"icc_{form}_{name}"] = getattr(one, name) if one else math.nan
            cells[f"{label} (CI)"] = (
                estimate_interval(one.estimate, one.ci_low, one.ci_high) if one else footnotes.gap(reason)
            )
        record["within_subject_sd"] = precision.within_subject_sd if precision else math.nan
        record["rms_cv_percent"] = precision.rms_cv_percent if precision else math.nan
        spread = f"Within-subject SD [{table.target.unit}]"
        cells[spread] = number(precision.within_subject_sd) if precision else footnotes.gap(no_precision)
        no_precision = no_precision or (precision.reason if precision else "")
        is_known = precision is not None and not precision.reason
        variation = number(precision.rms_cv_percent) if precision else ""
        cells["RMS-CV [%]"] = variation if is_known else footnotes.gap(no_precision)
        records.append(record)
        printed.append(cells)
    return TableExhibit(
        key=key,
        title=title,
        frame=pd.DataFrame.from_records(records),
        printed=_merged(pd.DataFrame(printed).fillna("")),
        caption=f"Two-way intraclass correlations with {confidence:.0%} F intervals, McGraw and Wong's names.",
        notes=(
            "(A,1): absolute agreement of a single reading; (A,k): of the mean of the readings, which counts where "
            "only that mean is analysed; (C,1): consistency, Shrout and Fleiss's ICC(3,1).",
            *footnotes.notes(),
        ),
    )


def _bland_altman(key: str, title: str, tables: Sequence[RaterTable], confidence: float) -> TableExhibit:
    footnotes = Footnotes()
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for table in tables:
        names = [str(name) for name in table.ratings.columns]
        for first in range(len(names)):
            for second in range(first + 1, len(names)):
                found, reason = attempt(
                    bland_altman, table.ratings.iloc[:, first], table.ratings.iloc[:, second], confidence=confidence
                )
                reason = reason or (found.reason if found else "")
                record: dict[str, object] = {**_identity(table), "first": names[first], "second": names[second]}
                pair = f"{names[first]} − {names[second]}"
                cells = {**_names(table), "Difference": pair, "n": whole(len(table.ratings))}
                if found is None:
                    cells["Bias (CI)"] = footnotes.gap(reason)
                else:
                    for name in ("bias", "lower_limit", "upper_limit"):
                        limit = getattr(found, name)
                        record |= {
                            name: limit.estimate,
                            f"{name}_ci_low": limit.ci_low,
                            f"{name}_ci_high": limit.ci_high,
                        }
                    slope = found.proportional_slope
                    record |= {
                        "p_bias": found.p_bias,
                        "proportional_slope": slope.estimate if slope else math.nan,
                        "p_proportional": slope.p_value if slope else math.nan,
                    }
                    cells |= {
                        "Bias (CI)": _limit(found.bias),
                        "P": p_value(found.p_bias),
                        "Lower limit (CI)": _limit(found.lower_limit),
                        "Upper limit (CI)": _limit(found.upper_limit),
                        "P of proportional bias": p_value(slope.p_value) if slope else "",
                    }
                records.append({**record, "reason": reason})
                printed.append(cells)
    return TableExhibit(
        key=key,
        title=title,
        frame=pd.DataFrame.from_records(records),
        printed=_merged(pd.DataFrame(printed).fillna("")),
        caption=f"First minus second in the unit of the quantity, bias ± 1.96 SD, {confidence:.0%} t intervals.",
        notes=footnotes.notes(),
    )


def agreement_figure(key: str, title: str, pairs: pd.DataFrame) -> tuple[FigureExhibit | None, str]:
    """Bland-Altman plots of the readers' mean against the workflow, one panel per target, patients as points."""
    shown = pairs[(pairs["comparison"] == SOFTWARE) & (pairs["subject"] == "patient")]
    panels, data = [], []
    for label, rows in shown.groupby("label", sort=False):
        means = (rows["first"] + rows["second"]).to_numpy(dtype=float) / 2
        differences = (rows["first"] - rows["second"]).to_numpy(dtype=float)
        found, _ = attempt(bland_altman, rows["first"], rows["second"])
        if found is None:
            continue
        limits = (found.lower_limit.estimate, found.bias.estimate, found.upper_limit.estimate)
        words = f"bias {number(limits[1])}, n = {len(rows)}\nlimits {number(limits[0])} to {number(limits[2])}"
        unit = str(rows["unit"].iloc[0])
        panels.append(
            figures.ScatterPanel(
                title=str(label),
                x=means,
                y=differences,
                group=np.full(means.size, "pair"),
                x_label=f"Mean [{unit}]",
                y_label=f"Difference [{unit}]",
                line=(limits[1], 0.0),
                band=(limits[2] - limits[0]) / 2,
                remark=words,
                names=[str(name) for name in rows["patient_id"]],
            )
        )
        data.append(rows.assign(mean=means, difference=differences))
    if not panels:
        return None, "No patient was measured by a reader and by the workflow."
    remarks = "; ".join(f"{panel.title}: {panel.remark}" for panel in panels).replace("\n", ", ")
    return FigureExhibit(
        key=key,
        title=title,
        figure=figures.scatter(panels, {"pair": GroupStyle("Patient", theme.BLUE, "o")}),
        data=pd.concat(data, ignore_index=True),
        caption="Readers' mean minus workflow over the mean of both, one point per patient. Line: bias. Band: limits "
        "of agreement, bias ± 1.96 SD.",
        alt=f"Bland-Altman plots of readers against the workflow. {remarks}.",
    ), ""


def _pairs(tables: Sequence[RaterTable]) -> pd.DataFrame:
    """First and second rating of every table of two raters, long: what the figure is drawn from."""
    parts = []
    for table in tables:
        if table.ratings.shape[1] != 2:
            continue
        values = table.ratings.reset_index()
        parts.append(
            pd.DataFrame(
                {
                    "patient_id": values["patient_id"].astype("str"),
                    "target": table.target.key,
                    "label": table.target.label,
                    "unit": table.target.unit,
                    "comparison": table.comparison,
                    "subject": table.subject,
                    "first": table.ratings.iloc[:, 0].to_numpy(dtype=float),
                    "second": table.ratings.iloc[:, 1].to_numpy(dtype=float),
                }
            )
        )
    columns = ["patient_id", "target", "label", "unit", "comparison", "subject", "first", "second"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _identity(table: RaterTable) -> dict[str, object]:
    return {
        "target": table.target.key,
        "comparison": table.comparison,
        "compared": table.label,
        "subject": table.subject,
        "n": len(table.ratings),
    }


def _names(table: RaterTable) -> dict[str, str]:
    return {
        "Quantity": table.target.label,
        "Comparison": f"{COMPARISONS[table.comparison]} ({table.label})",
        "Subjects": SUBJECTS[table.subject],
    }


def _merged(printed: pd.DataFrame) -> pd.DataFrame:
    """The table with a repeated quantity or comparison printed once."""
    shown = printed.copy()
    repeats_quantity = printed["Quantity"] == printed["Quantity"].shift()
    repeats_comparison = repeats_quantity & (printed["Comparison"] == printed["Comparison"].shift())
    shown["Quantity"] = printed["Quantity"].mask(repeats_quantity, "")
    shown["Comparison"] = printed["Comparison"].mask(repeats_comparison, "")
    return shown


def _limit(limit: object) -> str:
    estimate, low, high = (float(getattr(limit, name)) for name in ("estimate", "ci_low", "ci_high"))
    return estimate_interval(estimate, low, high, 1)
