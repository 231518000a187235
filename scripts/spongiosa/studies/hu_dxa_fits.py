"""What the HU-DXA study fits: relations of HU and T-scores (no threshold), and discrimination of DXA osteoporosis."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from spongiosa.anatomy.levels import L1_TO_L4
from spongiosa.config.studies import HuDxaConcordanceSettings
from spongiosa.report.formatting import number
from spongiosa.report.variables import SITE_LABELS, Variable, index_label, present
from spongiosa.statistics.cutoff import youden
from spongiosa.statistics.linear import linear_regression
from spongiosa.studies.agreement import agreement
from spongiosa.studies.audit import roc_checks
from spongiosa.studies.correlations import Pair, correlation_table
from spongiosa.studies.discrimination import Marker, roc_points, roc_table
from spongiosa.studies.fit import Fit, FitFunction, FitThresholds
from spongiosa.studies.hu_dxa_groups import analysed_patients
from spongiosa.studies.readings import Target
from spongiosa.studies.result import attempt
from spongiosa.studies.strata import strata_areas

SLICES = ("ellipse_superior", "ellipse_mid", "ellipse_inferior")
VOLUME = "hu_3d_l1_l4"


def fit_association(
    patients: pd.DataFrame,
    settings: HuDxaConcordanceSettings,
    _thresholds: FitThresholds,
    _seed: int,
    readers: pd.DataFrame | None = None,
) -> Fit:
    """Correlations and lines of HU with every DXA column, residuals of the lowest T-score, reliability of readers."""
    frame, _, sites = analysed_patients(patients, settings)
    if frame.empty:
        return Fit()
    pairs = [Pair("index_hu", column, f"HU and {label}") for column, label in dxa_outcomes(frame, sites).items()]
    table = correlation_table(
        "t6_correlations", "Table 6. Correlation of HU with DXA", frame, pairs, unit="HU",
        confidence=settings.confidence,
    )  # fmt: skip
    line, reason = attempt(linear_regression, frame["low_t_score"], {"hu": frame["index_hu"]})
    found = agreement(
        readers, (target(settings),), frame["patient_id"].tolist(), "t11", "11", confidence=settings.confidence
    )
    values: dict[str, Any] = {
        "line_reason": reason,
        "shapiro_p": line.diagnostics.shapiro_p if line else math.nan,
        "residual_sd": line.residual_sd if line else math.nan,
    }
    tables = {"t6_correlations": table} | {made.key: made for made in (found.tables if found else ())}
    return Fit(tables, {"agreement_pairs": found.pairs} if found else {}, values)


def fit_discrimination(
    patients: pd.DataFrame, settings: HuDxaConcordanceSettings, thresholds: FitThresholds, seed: int
) -> Fit:
    """ROC curves, cut-offs and bootstraps for DXA osteoporosis, the same per stratum, and their identities."""
    frame, _, _ = analysed_patients(patients, settings)
    if frame.empty:
        return Fit()
    cut_off = thresholds["t_osteoporosis"]
    event = frame["low_t_score"] <= cut_off
    all_markers = markers(frame, settings)
    table = roc_table(
        "t7_roc", "Table 7. Discrimination of DXA osteoporosis",
        f"Event: lowest T-score ≤ {number(cut_off)}. Low HU means the event.", frame, event, all_markers,
        confidence=settings.confidence, draws=settings.bootstrap_draws, seed=seed,
    )  # fmt: skip
    best, reason = attempt(youden, frame["index_hu"], event, direction="low")
    return Fit(
        tables={"t7_roc": table},
        frames={
            "roc_points": roc_points(frame, event, all_markers[:1]),
            "strata": strata_areas(frame, event, all_markers[:1], confidence=settings.confidence),
        },
        values={"checks": roc_checks(frame, event, all_markers), "youden_note": best.reason if best else reason},
    )


FITS: dict[str, FitFunction] = {"association": fit_association, "discrimination": fit_discrimination}


def markers(frame: pd.DataFrame, settings: HuDxaConcordanceSettings) -> list[Marker]:
    """The index and each of L1-L4, raw or phantom-referenced as configured."""
    ending = "_hu" if settings.hu == "raw" else "_hu_referenced"
    columns = {f"{level.name.lower()}{ending}": f"{level.name.lower()}_hu" for level in L1_TO_L4}
    levels = present([Variable(column, "") for column in columns], frame)
    return [
        Marker("index_hu", "HU index", "HU", "low"),
        *(Marker(level.column, index_label(columns[level.column]), "HU", "low") for level in levels),
    ]


def dxa_outcomes(frame: pd.DataFrame, sites: tuple[str, ...]) -> dict[str, str]:
    """The DXA columns that HU are related to, with their words."""
    outcomes = {"low_t_score": "lowest T-score"}
    for site in sites:
        outcomes[f"t_score_{site}"] = f"{SITE_LABELS[site].lower()} T-score"
        if present([Variable(f"bmd_{site}_g_cm2", "")], frame):
            outcomes[f"bmd_{site}_g_cm2"] = f"{SITE_LABELS[site].lower()} BMD"
    return outcomes


def target(settings: HuDxaConcordanceSettings) -> Target:
    """What readers measured again: the three ellipses of L1-L4, or the trabecular volume where that is the index."""
    quantity = "hu_mean" if settings.hu == "raw" else "hu_referenced_mean"
    levels = tuple(level.name for level in L1_TO_L4)
    if settings.index == VOLUME:
        return Target(VOLUME, "3D-HU", "HU", quantity, ("body_trabecular",), levels)
    if settings.index.endswith("_hu") and settings.index.removesuffix("_hu").upper() in levels:
        levels = (settings.index.removesuffix("_hu").upper(),)
    return Target(settings.index, "HU of the three slices", "HU", quantity, SLICES, levels)
