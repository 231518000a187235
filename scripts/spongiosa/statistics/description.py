"""Description of one variable: mean and SD, median and quartiles, counts and shares, missing values, normality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from spongiosa.statistics.samples import FloatArray, StatisticsError, Values, as_floats, observed

QuantileMethod = Literal["weibull", "linear"]


@dataclass(frozen=True)
class NumericSummary:
    """Summary of the observed values; `sd` is NaN with a `reason` when only one value is observed."""

    n: int
    missing: int
    mean: float
    sd: float
    median: float
    q1: float
    q3: float
    minimum: float
    maximum: float
    method: str
    reason: str = ""


@dataclass(frozen=True)
class CategoryCount:
    """How many of the observed values are `category`."""

    category: str
    count: int
    share: float


@dataclass(frozen=True)
class CategoricalSummary:
    """Counts per category; shares refer to the observed values, not to the missing ones."""

    n: int
    missing: int
    categories: tuple[CategoryCount, ...]
    reason: str = ""


@dataclass(frozen=True)
class Missingness:
    """How much of a column is missing."""

    n: int
    missing: int
    share: float


@dataclass(frozen=True)
class NormalityTest:
    """Shapiro-Wilk test; `is_normal` is P > alpha, and None with a `reason` where it cannot be computed."""

    statistic: float
    p_value: float
    n: int
    is_normal: bool | None
    method: str
    reason: str = ""


def quantiles(values: Values, probabilities: Sequence[float], method: QuantileMethod = "weibull") -> FloatArray:
    """Quantiles of the observed values.

    "weibull" interpolates at position (n + 1) p, as SPSS (HAVERAGE) and R's type 6 do; "linear" at 1 + (n - 1) p, as
    R's default type 7.  Raises `StatisticsError` when nothing is observed.
    """
    return np.asarray(np.quantile(observed(values), np.asarray(probabilities), method=method), dtype=np.float64)


def summarise_numeric(values: Values, method: QuantileMethod = "weibull") -> NumericSummary:
    """Mean, sample SD (n - 1), median, quartiles and range of the observed values.

    Raises `StatisticsError` when nothing is observed.
    """
    everything = as_floats(values)
    kept = observed(everything)
    q1, median, q3 = quantiles(kept, (0.25, 0.5, 0.75), method)
    alone = kept.size == 1
    return NumericSummary(
        n=kept.size,
        missing=everything.size - kept.size,
        mean=float(kept.mean()),
        sd=math.nan if alone else float(kept.std(ddof=1)),
        median=float(median),
        q1=float(q1),
        q3=float(q3),
        minimum=float(kept.min()),
        maximum=float(kept.max()),
        method="quartiles at (n + 1) p (SPSS)" if method == "weibull" else "quartiles at 1 + (n - 1) p (R type 7)",
        reason="One value has no standard deviation." if alone else "",
    )


def summarise_categorical(values: Values, categories: Sequence[object] | None = None) -> CategoricalSummary:
    """Counts and shares per category, in the order of `categories` (default: sorted as text).

    Raises `StatisticsError` when a value is not among the `categories` given.
    """
    series = pd.Series(values)
    kept = series[series.notna()]
    texts = kept.map(category_text)
    order = sorted(texts.unique()) if categories is None else [category_text(category) for category in categories]
    strange = sorted(set(texts) - set(order))
    if strange:
        raise StatisticsError(f"Values outside the categories {', '.join(order)}: {', '.join(strange)}.")
    counts = texts.value_counts()
    n = int(kept.size)
    rows = tuple(
        CategoryCount(category, int(counts.get(category, 0)), counts.get(category, 0) / n if n else math.nan)
        for category in order
    )
    reason = "" if n else "Nothing is observed, so there are no shares."
    return CategoricalSummary(n=n, missing=int(series.size - n), categories=rows, reason=reason)


def category_text(category: object) -> str:
    """The name of a category: whole numbers lose their ".0", which a missing value elsewhere gives them."""
    if isinstance(category, float | np.floating) and float(category).is_integer():
        return str(int(category))
    return str(category)


def missingness(values: Values) -> Missingness:
    """Count and share of missing values; raises `StatisticsError` for a column without rows."""
    series = pd.Series(values)
    if series.size == 0:
        raise StatisticsError("The column has no rows, so no share of them is missing.")
    missing = int(series.isna().sum())
    return Missingness(n=int(series.size), missing=missing, share=missing / series.size)


def normality(values: Values, alpha: float = 0.05) -> NormalityTest:
    """Shapiro-Wilk test of the observed values (3 to 5,000 of them; Royston's algorithm AS R94, as in R).

    Outside that range, and for a constant column, `is_normal` is None and `reason` says why.
    """
    kept = observed(values, at_least=0)
    method = f"Shapiro-Wilk, alpha {alpha:g}"
    reason = ""
    if kept.size < 3:
        reason = f"Shapiro-Wilk needs at least 3 values, but {kept.size} are observed."
    elif kept.size > 5000:
        reason = f"Shapiro-Wilk's P is not calibrated beyond 5,000 values, and there are {kept.size}."
    elif np.ptp(kept) == 0:
        reason = "All values are equal."
    if reason:
        return NormalityTest(math.nan, math.nan, kept.size, None, method, reason)
    statistic, p_value = stats.shapiro(kept)
    return NormalityTest(float(statistic), float(p_value), kept.size, bool(p_value > alpha), method)


def standardised_difference(a: Values, b: Values) -> float:
    """(mean a - mean b) / sqrt((var a + var b) / 2), the difference in SDs that does not grow with n.

    Raises `StatisticsError` with fewer than two values in a group or without any spread.
    Source: Austin, Stat Med 28 (2009) 3083-3107, equation 1.
    """
    first, second = observed(a, "first group", 2), observed(b, "second group", 2)
    pooled_sd = math.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    if pooled_sd == 0:
        raise StatisticsError("Neither group varies, so a difference in standard deviations has no meaning.")
    return float((first.mean() - second.mean()) / pooled_sd)


def standardised_difference_of_shares(shares_a: Sequence[float], shares_b: Sequence[float]) -> float:
    """Multivariate standardised difference of two lists of shares over the same K categories.

    sqrt(d' S^-1 d) over the first K - 1 categories, S the mean of the two multinomial covariances.  For two
    categories it is |p_a - p_b| / sqrt((p_a q_a + p_b q_b) / 2).
    Source: Yang and Dalton, SAS Global Forum 2012, paper 335.
    """
    p, q = np.asarray(shares_a, dtype=np.float64)[:-1], np.asarray(shares_b, dtype=np.float64)[:-1]
    covariance = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    difference = p - q
    # A category that is absent from both groups has a zero row; it carries no difference either.
    present = np.diag(covariance) > 0
    if not present.any():
        if np.any(difference != 0):
            raise StatisticsError("The groups lie in different categories entirely; the difference is infinite.")
        return 0.0
    block = covariance[np.ix_(present, present)]
    squared = difference[present] @ np.linalg.pinv(block) @ difference[present]
    return math.sqrt(max(float(squared), 0.0))
