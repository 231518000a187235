"""Correlation of two numbers: Pearson and Spearman, with confidence intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from spongiosa.statistics.samples import (
    FloatArray,
    StatisticsError,
    Values,
    complete_cases,
    normal_quantile,
    two_sided_t_p,
)


@dataclass(frozen=True)
class Correlation:
    """A correlation coefficient; with n = 3 the limits are NaN and `reason` says so."""

    estimate: float
    ci_low: float
    ci_high: float
    statistic: float
    p_value: float
    n: int
    method: str
    reason: str = ""


def pearson(x: Values, y: Values, *, confidence: float = 0.95) -> Correlation:
    """Pearson's r, P from t = r sqrt((n - 2) / (1 - r^2)), interval by Fisher's z with SE 1 / sqrt(n - 3).

    Pairs with a missing value are dropped.  Raises `StatisticsError` with fewer than 3 pairs or a constant column.
    """
    first, second = complete_cases(x, y, names=("x", "y"), at_least=3)
    return _correlation(first, second, confidence, 1.0, "Pearson's r, Fisher z interval")


def spearman(x: Values, y: Values, *, confidence: float = 0.95) -> Correlation:
    """Spearman's rho (midranks), P from the t approximation (SPSS, R with exact = FALSE).

    The interval is Fisher's z with the variance (1 + rho^2 / 2) / (n - 3) of Bonett and Wright, which keeps its
    coverage for strong correlations where 1 / (n - 3) does not.  Pairs with a missing value are dropped.
    Source: Bonett and Wright, Psychometrika 65 (2000) 23-28.
    Raises `StatisticsError` with fewer than 3 pairs or a constant column.
    """
    first, second = complete_cases(x, y, names=("x", "y"), at_least=3)
    ranks = stats.rankdata(first), stats.rankdata(second)
    rho = _coefficient(*ranks)
    return _correlation(*ranks, confidence, 1 + rho**2 / 2, "Spearman's rho, Bonett-Wright interval")


def correlation_difference(first: Correlation, second: Correlation) -> float:
    """P of equal correlations in two independent samples (Fisher's z, SE sqrt(1/(n1-3) + 1/(n2-3)))."""
    if min(first.n, second.n) < 4 or max(abs(first.estimate), abs(second.estimate)) >= 1:
        raise StatisticsError("Fisher's z needs at least 4 pairs and correlations short of 1.")
    difference = math.atanh(first.estimate) - math.atanh(second.estimate)
    standard_error = math.sqrt(1 / (first.n - 3) + 1 / (second.n - 3))
    return float(2 * stats.norm.sf(abs(difference) / standard_error))


def _coefficient(first: FloatArray, second: FloatArray) -> float:
    for name, column in (("x", first), ("y", second)):
        if np.ptp(column) == 0:
            raise StatisticsError(
                f"{name} is constant over the {column.size} complete pairs; it correlates with nothing."
            )
    a, b = first - first.mean(), second - second.mean()
    r = float(a @ b / math.sqrt(float(a @ a) * float(b @ b)))
    # Rounding takes a perfect correlation to 1 +- 2e-16, and 1 + 2e-16 has no Fisher z.
    return math.copysign(1.0, r) if abs(r) > 1 - 1e-14 else r


def _correlation(
    first: FloatArray, second: FloatArray, confidence: float, variance_factor: float, method: str
) -> Correlation:
    r, n = _coefficient(first, second), first.size
    quantile = normal_quantile(confidence)
    label = f"{method}, {confidence:.0%}"
    if abs(r) == 1.0:
        reason = "A perfect correlation: the interval has no width and t is infinite."
        return Correlation(r, r, r, math.copysign(math.inf, r), 0.0, n, label, reason)
    t = r * math.sqrt((n - 2) / (1 - r * r))
    p_value = two_sided_t_p(t, n - 2)
    if n == 3:
        return Correlation(r, math.nan, math.nan, t, p_value, n, label, "Three pairs give no interval by Fisher's z.")
    margin = quantile * math.sqrt(variance_factor / (n - 3))
    z = math.atanh(r)
    return Correlation(r, math.tanh(z - margin), math.tanh(z + margin), t, p_value, n, label)
