"""Loosening per screw: screws share their patient, so errors allow for clusters; beside it the same per patient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import count_share, estimate_interval, number, p_value, whole
from spongiosa.statistics.clustered import clustered_logistic_regression
from spongiosa.statistics.clustered_roc import ClusteredAuc, auc_clustered
from spongiosa.statistics.logistic import LogisticCoefficient, LogisticFit
from spongiosa.statistics.mixed_logistic import random_intercept_logistic
from spongiosa.statistics.terms import Linear, build_design
from spongiosa.studies.result import attempt, record_where

#: Columns of cohort/screws.parquet -> the patient's column of the same density, with label.
SCREW_DENSITIES = {
    "body_vbmd_mg_cm3": ("l5_body_vbmd_mg_cm3", "A: body"),
    "pedicle_vbmd_mg_cm3": ("l5_pedicle_vbmd_mg_cm3", "B: pedicle"),
    "trajectory_vbmd_mg_cm3": ("l5_trajectory_vbmd_mg_cm3", "C: trajectory"),
}
RATIO = ("odds_ratio", "ci_low", "ci_high", "p_value")
METHODS = (
    " Per screw, with the density of the screw's own level and side: logistic models with errors robust to patients as "
    "clusters (Liang and Zeger, factor G / (G - 1)), and with a random intercept per patient (adaptive Gauss-Hermite "
    "quadrature), whose odds ratios hold within a patient and so lie farther from 1; AUC with Obuchowski's error for "
    "clusters."
)


def loosening_of_patients(screws: pd.DataFrame) -> pd.Series:
    """Per patient whether any screw is loose: 1, 0, or missing where no screw has a known outcome."""
    known = screws[screws["loosening"].notna()]
    return known.groupby("patient_id")["loosening"].max().astype("float64")


def screw_cohort(screws: pd.DataFrame, patients: pd.DataFrame, t_score: str) -> pd.DataFrame:
    """Screws of the analysed patients with known outcome and all three densities, and the patient's T-score."""
    columns = ["patient_id", *([t_score] if t_score in patients else [])]
    of_patients = patients[columns].astype({"patient_id": "str"})
    frame = screws.astype({"patient_id": "str"}).merge(of_patients, on="patient_id")
    needed = ["loosening", *SCREW_DENSITIES]
    frame = frame.dropna(subset=[name for name in needed if name in frame]).reset_index(drop=True)
    numeric: dict[str, Any] = dict.fromkeys(["loosening", *SCREW_DENSITIES, *columns[1:]], "float64")
    return frame.astype(numeric)


def per_screw_tables(
    frame: pd.DataFrame,
    t_score: str,
    models: Mapping[str, tuple[LogisticFit | None, str]],
    per_patient: pd.DataFrame,
    *,
    confidence: float,
) -> tuple[TableExhibit, ...]:
    """Counts of screws, and every density per patient (`models` by column, `per_patient` with AUCs) and per screw."""
    return (_counts(frame), _side_by_side(frame, t_score, models, per_patient, confidence))


def screw_audit(frame: pd.DataFrame) -> dict[str, Any]:
    """Counts of the per-screw analysis."""
    return {
        "screws": len(frame),
        "loose": int(frame["loosening"].sum()),
        "patients": int(frame["patient_id"].nunique()),
        "most_screws_of_a_patient": int(frame.groupby("patient_id").size().max()) if len(frame) else 0,
    }


def _counts(frame: pd.DataFrame) -> TableExhibit:
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for (level, side), part in frame.groupby(["level", "side"], sort=True):
        loose = int(part["loosening"].sum())
        means = {name: float(part[name].mean()) for name in SCREW_DENSITIES}
        records.append({"level": level, "side": side, "screws": len(part), "loose": loose, **means})
        printed.append(
            {"Level": str(level), "Side": str(side), "Screws": whole(len(part)), "Loose": count_share(loose, len(part))}
            | {f"Mean vBMD {label} [mg/cm³]": number(means[name]) for name, (_, label) in SCREW_DENSITIES.items()}
        )
    return TableExhibit(
        key="t6a_screws",
        title="Table 6a. Screws by level and side",
        frame=pd.DataFrame.from_records(records),
        printed=pd.DataFrame(printed),
        caption=f"{len(frame)} screws of {frame['patient_id'].nunique()} patients; outcome and all densities known.",
    )


def _side_by_side(
    frame: pd.DataFrame,
    t_score: str,
    models: Mapping[str, tuple[LogisticFit | None, str]],
    per_patient: pd.DataFrame,
    confidence: float,
) -> TableExhibit:
    footnotes = Footnotes()
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    adjusted = [t_score] if t_score in frame and frame[t_score].notna().any() else []
    for name, (of_patient, label) in SCREW_DENSITIES.items():
        columns = [*adjusted, name]
        design = build_design(frame[columns], [Linear(column) for column in columns])
        robust, no_robust = attempt(
            clustered_logistic_regression, design, frame["loosening"], frame["patient_id"], confidence=confidence
        )
        mixed, no_mixed = attempt(
            random_intercept_logistic, design, frame["loosening"], frame["patient_id"], confidence=confidence
        )
        area, no_area = attempt(
            auc_clustered, frame[name], frame["loosening"], frame["patient_id"], direction="low", confidence=confidence
        )
        model, no_model = models[of_patient]
        patient_row = record_where(per_patient, "marker", of_patient)
        units: list[tuple[str, LogisticCoefficient | None, str, str, dict[str, object]]] = [
            ("patient", model.coefficients[-1] if model else None, no_model, "per patient", {}),
            ("screw", robust.coefficients[-1] if robust else None, no_robust, "per screw, robust to clusters", {}),
            (
                "screw", mixed.coefficients[-1] if mixed else None, no_mixed, "per screw, random intercept",
                {"between_sd": mixed.between_sd if mixed else math.nan, "icc": mixed.icc if mixed else math.nan},
            ),
        ]  # fmt: skip
        for place, (unit, one, reason, analysis, further) in enumerate(units):
            is_patient = unit == "patient"
            n = int(patient_row["n"]) if is_patient else len(frame)
            events = int(patient_row["events"]) if is_patient else int(frame["loosening"].sum())
            record: dict[str, object] = {
                "density": name, "analysis": analysis, "n": n, "events": events,
                "clusters": n if is_patient else int(frame["patient_id"].nunique()),
                **{key: getattr(one, key) if one else math.nan for key in RATIO},
                **_area_numbers(patient_row if is_patient else area), **further,
                "reason": reason or ("" if is_patient else no_area),
            }  # fmt: skip
            records.append(record)
            ratio = estimate_interval(one.odds_ratio, one.ci_low, one.ci_high) if one else footnotes.gap(reason)
            spread = number(float(str(further["between_sd"])), 2) if "between_sd" in further else ""
            printed.append(
                {
                    "vBMD": label if place == 0 else "",
                    "Analysis": analysis,
                    "n / events": f"{n} / {events}",
                    "OR per mg/cm³ (CI)": ratio,
                    "P": p_value(one.p_value) if one else "",
                    "SD between patients [logit]": spread,
                    "AUC (CI)": _area_text(record) if place < 2 else "",
                }
            )
    given = "total hip T-score and " if adjusted else ""
    caption = (
        f"Models of {given}one density each; {confidence:.0%} intervals. Event: loosening of the patient (any "
        "screw) or of the screw."
    )
    return TableExhibit.of_rows(
        "t6b_per_screw",
        "Table 6b. Each density per patient and per screw",
        caption,
        records,
        printed,
        footnotes.notes(),
    )


def _area_numbers(found: ClusteredAuc | Mapping[str, Any] | None) -> dict[str, float]:
    if isinstance(found, ClusteredAuc):
        return {"auc": found.estimate, "auc_ci_low": found.ci_low, "auc_ci_high": found.ci_high}
    if found is None:
        return dict.fromkeys(("auc", "auc_ci_low", "auc_ci_high"), math.nan)
    return {
        "auc": float(found["auc_estimate"]),
        "auc_ci_low": float(found["auc_ci_low"]),
        "auc_ci_high": float(found["auc_ci_high"]),
    }


def _area_text(record: Mapping[str, object]) -> str:
    area, low, high = (float(str(record[name])) for name in ("auc", "auc_ci_low", "auc_ci_high"))
    return estimate_interval(area, low, high)
