"""Rows that belong together (screws or levels of one patient): standard errors that allow for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from spongiosa.statistics.linear import Coefficient, solve_least_squares
from spongiosa.statistics.logistic import LogisticFit, coefficient, complete_design, logistic_regression
from spongiosa.statistics.samples import FloatArray, StatisticsError, Values, as_floats, normal_quantile, two_sided_t_p
from spongiosa.statistics.terms import Design


@dataclass(frozen=True)
class ClusteredLinearFit:
    """Least squares with cluster-robust errors; t with clusters - 1 df."""

    coefficients: tuple[Coefficient, ...]
    covariance: FloatArray
    n: int
    clusters: int
    method: str


def clustered_logistic_regression(
    design: Design, event: Values, cluster: Values, *, confidence: float = 0.95
) -> LogisticFit:
    """Logistic regression with the sandwich covariance over clusters, times G / (G - 1) (Stata's factor).

    The likelihood figures are those of the plain model and are set to NaN for its tests, because dependent rows have
    no such likelihood.  Raises as `logistic_regression`; `StatisticsError` with fewer than two clusters or when the
    cluster of a complete row is missing.
    Source: Liang and Zeger, Biometrika 73 (1986) 13-22 (independence working model).
    """
    plain = logistic_regression(design, event)
    matrix, events, complete = complete_design(design, event)
    groups = _codes(cluster, complete)
    count = int(groups.max()) + 1
    scores = matrix * (events - expit(plain.linear_predictor))[:, np.newaxis]
    covariance = sandwich(plain.covariance, scores, groups) * count / (count - 1)
    quantile = normal_quantile(confidence)
    rows = tuple(
        coefficient(
            name, float(b), math.sqrt(v), float(b - quantile * math.sqrt(v)), float(b + quantile * math.sqrt(v))
        )
        for name, b, v in zip(("intercept", *design.columns), plain.beta, np.diag(covariance), strict=True)
    )
    return replace(
        plain,
        intercept=rows[0],
        coefficients=rows[1:],
        terms=(),
        covariance=covariance,
        likelihood_ratio=math.nan,
        likelihood_ratio_p=math.nan,
        aic=math.nan,
        method=f"maximum likelihood, cluster-robust Wald {confidence:.0%} CI, {count} clusters, factor G / (G - 1)",
        reason="Rows of a cluster depend on each other: likelihood-ratio figures do not apply.",
    )


def clustered_linear_regression(
    design: Design, outcome: Values, cluster: Values, *, confidence: float = 0.95
) -> ClusteredLinearFit:
    """Least squares with cluster-robust errors, factor G / (G - 1) * (n - 1) / (n - p) (R's CR1 `vcovCL`, Stata).

    Raises `StatisticsError` with fewer than two clusters dependent columns, or no residual.
    """
    y = as_floats(outcome, "outcome")
    complete = ~np.isnan(design.matrix).any(axis=1) & ~np.isnan(y)
    x = np.column_stack([np.ones(int(complete.sum())), design.matrix[complete]])
    groups = _codes(cluster, complete)
    count, (n, p) = int(groups.max()) + 1, x.shape
    if n <= p:
        raise StatisticsError(f"{n} complete rows are too few for {p} coefficients.")
    beta, bread, _ = solve_least_squares(x, y[complete], ("intercept", *design.columns))
    residuals = y[complete] - x @ beta
    if float(residuals @ residuals) <= 1e-24 * float(y[complete] @ y[complete]):
        raise StatisticsError("The predictors explain the outcome without residual.")
    scores = x * residuals[:, np.newaxis]
    covariance = sandwich(bread, scores, groups) * count / (count - 1) * (n - 1) / (n - p)
    errors = np.sqrt(np.diag(covariance))
    margin = float(stats.t.ppf((1 + confidence) / 2, count - 1)) * errors
    rows = tuple(
        Coefficient(name, float(b), float(e), float(b - m), float(b + m), float(b / e), two_sided_t_p(b / e, count - 1))
        for name, b, e, m in zip(("intercept", *design.columns), beta, errors, margin, strict=True)
    )
    return ClusteredLinearFit(rows, covariance, n, count, f"least squares, cluster-robust (CR1), {confidence:.0%} t CI")


def sandwich(bread: FloatArray, scores: FloatArray, groups: np.ndarray) -> FloatArray:
    """bread (sum over clusters of s s') bread with s the summed scores (n, p) of a cluster."""
    sums = np.zeros((int(groups.max()) + 1, scores.shape[1]))
    np.add.at(sums, groups, scores)
    return np.asarray(bread @ (sums.T @ sums) @ bread, dtype=np.float64)


def _codes(cluster: Values, complete: np.ndarray) -> np.ndarray:
    labels = pd.Series(cluster).reset_index(drop=True)
    if labels.size != complete.size:
        raise StatisticsError(f"{complete.size} rows but {labels.size} cluster labels.")
    kept = labels[complete]
    if kept.isna().any():
        raise StatisticsError(f"{int(kept.isna().sum())} complete row(s) have no cluster.")
    codes = np.asarray(pd.factorize(kept)[0])
    if codes.size == 0 or codes.max() < 1:
        raise StatisticsError("At least two clusters are needed.")
    return codes
