"""Correlation tables: one marker against several outcomes, with the line that predicts each outcome from the marker."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import estimate_interval, number, p_value, whole
from spongiosa.statistics.association import Correlation, pearson, spearman
from spongiosa.statistics.linear import linear_regression
from spongiosa.studies.result import attempt


def correlation_table(
    key: str,
    title: str,
    frame: pd.DataFrame,
    marker: str,
    outcomes: Mapping[str, str],
    *,
    marker_label: str,
    unit: str,
    confidence: float,
) -> TableExhibit:
    """Pearson, Spearman and least squares of each outcome (column -> label) on `marker`; slopes per 10 `unit`."""
    footnotes = Footnotes()
    rows = [
        _row(frame[marker], frame[column], column, label, marker_label, unit, confidence, footnotes)
        for column, label in outcomes.items()
    ]
    return TableExhibit(
        key=key,
        title=title,
        frame=pd.DataFrame.from_records([record for record, _ in rows]),
        printed=pd.DataFrame([cells for _, cells in rows]),
        caption=f"The line predicts the value from {marker_label} by least squares.",
        notes=(
            f"{confidence:.0%} intervals: Fisher's z (Pearson), Bonett and Wright (Spearman), t (slope).",
            *footnotes.notes(),
        ),
    )


def _row(
    marker: pd.Series,
    outcome: pd.Series,
    column: str,
    label: str,
    marker_label: str,
    unit: str,
    confidence: float,
    footnotes: Footnotes,
) -> tuple[dict[str, object], dict[str, str]]:
    r, r_reason = attempt(pearson, marker, outcome, confidence=confidence)
    rho, rho_reason = attempt(spearman, marker, outcome, confidence=confidence)
    fit, fit_reason = attempt(linear_regression, outcome, {"marker": marker}, confidence=confidence)
    slope = fit.coefficients[1] if fit else None
    n = int((marker.notna() & outcome.notna()).sum())
    record: dict[str, object] = {
        "outcome": column,
        "n": n,
        **{f"pearson_{name}": value for name, value in _numbers(r).items()},
        **{f"spearman_{name}": value for name, value in _numbers(rho).items()},
        "intercept": fit.coefficients[0].estimate if fit else math.nan,
        "slope": slope.estimate if slope else math.nan,
        "slope_ci_low": slope.ci_low if slope else math.nan,
        "slope_ci_high": slope.ci_high if slope else math.nan,
        "r_squared": fit.r_squared if fit else math.nan,
        "residual_sd": fit.residual_sd if fit else math.nan,
        "reason": r_reason or rho_reason or fit_reason,
    }
    cells = {
        f"{marker_label} against": label,
        "n": whole(n),
        "Pearson r (CI)": _cell(r, r_reason, footnotes),
        "Pearson P": p_value(r.p_value) if r else "",
        "Spearman ρ (CI)": _cell(rho, rho_reason, footnotes),
        "Spearman P": p_value(rho.p_value) if rho else "",
        f"Slope per 10 {unit} (CI)": estimate_interval(10 * slope.estimate, 10 * slope.ci_low, 10 * slope.ci_high)
        if slope
        else footnotes.gap(fit_reason),
        "R²": number(fit.r_squared, 3) if fit else "",
        "Residual SD": number(fit.residual_sd, 3) if fit else "",
    }
    return record, cells


def _numbers(correlation: Correlation | None) -> dict[str, float]:
    names = ("estimate", "ci_low", "ci_high", "p_value")
    return {name: getattr(correlation, name) if correlation else math.nan for name in names}


def _cell(correlation: Correlation | None, reason: str, footnotes: Footnotes) -> str:
    if correlation is None:
        return footnotes.gap(reason)
    text = estimate_interval(correlation.estimate, correlation.ci_low, correlation.ci_high)
    return f"{text} {footnotes.mark(correlation.reason)}" if correlation.reason else text
