"""Agreement of two classifications beyond chance: Cohen's kappa, unweighted and weighted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from spongiosa.statistics.samples import FloatArray, StatisticsError, normal_quantile, two_sided_normal_p

Weights = Literal["unweighted", "linear", "quadratic"]


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa; `standard_error` is for the interval, `null_standard_error` (kappa = 0) for the P."""

    estimate: float
    ci_low: float
    ci_high: float
    standard_error: float
    null_standard_error: float
    p_value: float
    observed_agreement: float
    expected_agreement: float
    n: int
    method: str
    reason: str = ""


def cohen_kappa(table: Any, *, weights: Weights = "unweighted", confidence: float = 0.95) -> Kappa:
    """Kappa of a square table of counts (k, k), rows one classification, columns the other, in the same order.

    kappa = (p_o - p_e) / (1 - p_e) with agreement weights w_ij: 1 on the diagonal and 0 off it; 1 - |i - j| / (k - 1)
    (linear); 1 - (i - j)^2 / (k - 1)^2 (quadratic).  Asymptotic standard errors under the alternative (interval) and
    under kappa = 0 (P), as printed by SPSS and `vcd::Kappa`.
    Source: Fleiss, Cohen and Everitt, Psychol Bull 72 (1969) 323-327, equations 9, 10, 14 and 15.
    Raises `StatisticsError` for a table that is not square or is empty.  When all rests in one category kappa is
    undefined: the result is NaN with a `reason`.
    """
    quantile = normal_quantile(confidence)
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.shape[0] < 2:
        raise StatisticsError("Kappa needs a square table of at least two categories.")
    if (counts < 0).any() or counts.sum() == 0:
        raise StatisticsError("Kappa needs counts of at least 0, and not all of them 0.")
    n = float(counts.sum())
    shares, weight = counts / n, agreement_weights(counts.shape[0], weights)
    row, column = shares.sum(axis=1), shares.sum(axis=0)
    agreed = float((weight * shares).sum())
    expected = float(row @ weight @ column)
    method = f"Cohen's kappa, {weights}, Fleiss-Cohen-Everitt standard error, {confidence:.0%}"
    if math.isclose(expected, 1.0, abs_tol=1e-15):
        nan = math.nan
        reason = "Both classifications put everybody into one category, so agreement beyond chance is undefined."
        return Kappa(nan, nan, nan, nan, nan, nan, agreed, expected, int(n), method, reason)
    kappa = (agreed - expected) / (1 - expected)
    marginal = (weight @ column)[:, np.newaxis] + (row @ weight)[np.newaxis, :]
    variance = float((shares * (weight - marginal * (1 - kappa)) ** 2).sum()) - (kappa - expected * (1 - kappa)) ** 2
    null_variance = float((np.outer(row, column) * (weight - marginal) ** 2).sum()) - expected**2
    standard_error = math.sqrt(max(variance, 0.0) / n) / (1 - expected)
    null_error = math.sqrt(max(null_variance, 0.0) / n) / (1 - expected)
    reason = ""
    if null_error == 0:
        reason = "One classification uses a single category, so kappa is 0 by construction and has no test."
    elif kappa == 1:
        reason = "Agreement is perfect, so the interval has no width."
    return Kappa(
        estimate=kappa,
        ci_low=kappa - quantile * standard_error,
        ci_high=kappa + quantile * standard_error,
        standard_error=standard_error,
        null_standard_error=null_error,
        p_value=two_sided_normal_p(kappa / null_error) if null_error > 0 else math.nan,
        observed_agreement=agreed,
        expected_agreement=expected,
        n=int(n),
        method=method,
        reason=reason,
    )


def agreement_weights(categories: int, weights: Weights) -> FloatArray:
    """Agreement weights, shape (categories, categories), 1 on the diagonal."""
    distance = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories))) / (categories - 1)
    if weights == "linear":
        return np.asarray(1 - distance, dtype=np.float64)
    if weights == "quadratic":
        return np.asarray(1 - distance**2, dtype=np.float64)
    return np.eye(categories)
