"""Correlation tables: markers against outcomes, with the line that predicts the outcome from the marker."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import estimate_interval, number, p_value, whole
from spongiosa.statistics.association import Correlation, pearson, spearman
from spongiosa.statistics.linear import linear_regression
from spongiosa.studies.result import attempt


@dataclass(frozen=True)
class Pair:
    """A marker and an outcome (columns), with the words that a table prints for them."""

    marker: str
    outcome: str
    label: str


def correlation_table(
    key: str, title: str, frame: pd.DataFrame, pairs: Sequence[Pair], *, unit: str, confidence: float
) -> TableExhibit:
    """Pearson, Spearman and least squares of the outcome on the marker, one row per pair; slopes per 10 `unit`."""
    footnotes = Footnotes()
    rows = [_row(frame, pair, unit, confidence, footnotes) for pair in pairs]
    return TableExhibit(
        key=key,
        title=title,
        frame=pd.DataFrame.from_records([record for record, _ in rows]),
        printed=pd.DataFrame([cells for _, cells in rows]),
        caption="The line predicts the second from the first by least squares.",
        notes=(
            f"{confidence:.0%} intervals: Fisher's z (Pearson), Bonett and Wright (Spearman), t (slope).",
            *footnotes.notes(),
        ),
    )


def _row(
    frame: pd.DataFrame, pair: Pair, unit: str, confidence: float, footnotes: Footnotes
) -> tuple[dict[str, object], dict[str, str]]:
    marker, outcome = frame[pair.marker], frame[pair.outcome]
    r, r_reason = attempt(pearson, marker, outcome, confidence=confidence)
    rho, rho_reason = attempt(spearman, marker, outcome, confidence=confidence)
    fit, fit_reason = attempt(linear_regression, outcome, {"marker": marker}, confidence=confidence)
    slope = fit.coefficients[1] if fit else None
    n = int((marker.notna() & outcome.notna()).sum())
    record: dict[str, object] = {
        "marker": pair.marker,
        "outcome": pair.outcome,
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
        "Pair": pair.label,
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
