"""Counts against counts: chi-square without Yates' correction, and Fisher's exact test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import gammaln

from spongiosa.statistics.samples import FloatArray, IntArray, StatisticsError, Values


@dataclass(frozen=True)
class ContingencyTest:
    """Test of independence of rows and columns; `standard_error` is that of a Monte-Carlo P, else 0."""

    statistic: float
    df: int
    p_value: float
    n: int
    smallest_expected: float
    standard_error: float
    method: str
    reason: str = ""


@dataclass(frozen=True)
class OddsRatio:
    """Odds ratio of a 2 x 2 table."""

    estimate: float
    ci_low: float
    ci_high: float
    p_value: float
    n: int
    method: str


def cross_tabulate(rows: Values, columns: Values) -> pd.DataFrame:
    """Counts of the pairs of which neither is missing; raises `StatisticsError` if lengths differ."""
    first, second = pd.Series(rows).reset_index(drop=True), pd.Series(columns).reset_index(drop=True)
    if first.size != second.size:
        raise StatisticsError(f"The columns differ in length: {first.size} and {second.size}.")
    kept = first.notna() & second.notna()
    return pd.crosstab(first[kept], second[kept])


def chi_square(table: Any) -> ContingencyTest:
    """Pearson's chi-square of a table of counts (r, c), without Yates' correction (SPSS's first line).

    Empty rows and columns are left out, as a category nobody has says nothing.  Raises `StatisticsError` when fewer
    than two rows or columns are left.
    """
    counts = _counts(table)
    expected = expected_counts(counts)
    statistic = float(((counts - expected) ** 2 / expected).sum())
    df = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    return ContingencyTest(
        statistic=statistic,
        df=df,
        p_value=float(stats.chi2.sf(statistic, df)),
        n=int(counts.sum()),
        smallest_expected=float(expected.min()),
        standard_error=0.0,
        method="Pearson chi-square without continuity correction",
    )


def fisher_exact(table: Any) -> ContingencyTest:
    """Fisher's exact test of a 2 x 2 table, two-sided by summing the tables that are no more likely.

    Raises `StatisticsError` for other shapes or an empty margin; larger tables: `fisher_monte_carlo`.
    """
    counts = _counts(table)
    if counts.shape != (2, 2):
        raise StatisticsError(f"The exact test is for 2 x 2 tables, this one is {counts.shape[0]} x {counts.shape[1]}.")
    odds_ratio, p_value = stats.fisher_exact(counts)
    is_finite = math.isfinite(odds_ratio)
    return ContingencyTest(
        statistic=float(odds_ratio),
        df=1,
        p_value=float(p_value),
        n=int(counts.sum()),
        smallest_expected=float(expected_counts(counts).min()),
        standard_error=0.0,
        method="Fisher's exact test, two-sided (statistic: sample odds ratio)",
        reason="" if is_finite else "A cell of the table is 0, so the sample odds ratio is infinite.",
    )


def fisher_monte_carlo(table: Any, *, seed: int, draws: int = 100_000) -> ContingencyTest:
    """Fisher's test of an r x c table by Monte Carlo: tables with the same margins, drawn by permutation.

    P = (1 + number of drawn tables no more likely than the observed one) / (draws + 1); `standard_error` is its
    Monte-Carlo standard error.  Source: Patefield, Appl Stat 30 (1981) 91-97 (random tables); the P is R's
    `fisher.test(simulate.p.value = TRUE)`.
    """
    counts = _counts(table)
    rng = np.random.default_rng(seed)
    sampler = stats.random_table(counts.sum(axis=1), counts.sum(axis=0))
    observed_log = _log_weight(counts[np.newaxis])[0]
    as_extreme = 0
    # Blocks bound the memory: a block of 10,000 tables of 10 x 10 counts is 8 MB.
    for start in range(0, draws, 10_000):
        drawn = sampler.rvs(size=min(10_000, draws - start), random_state=rng)
        # R's relative tolerance: tables of equal probability must not be split by rounding.
        as_extreme += int((_log_weight(drawn) <= observed_log + 1e-7).sum())
    p_value = (1 + as_extreme) / (draws + 1)
    return ContingencyTest(
        statistic=math.nan,
        df=(counts.shape[0] - 1) * (counts.shape[1] - 1),
        p_value=p_value,
        n=int(counts.sum()),
        smallest_expected=float(expected_counts(counts).min()),
        standard_error=math.sqrt(p_value * (1 - p_value) / draws),
        method=f"Fisher's test by Monte Carlo, {draws:,} draws, seed {seed}",
        reason="Fisher's test of a larger table has no statistic but its P.",
    )


def association_test(table: Any, *, seed: int, draws: int = 100_000) -> ContingencyTest:
    """Chi-square, or Fisher's test when any expected count is below 5 (exact for 2 x 2, else Monte Carlo)."""
    test = chi_square(table)
    if test.smallest_expected >= 5:
        return test
    if _counts(table).shape == (2, 2):
        return fisher_exact(table)
    return fisher_monte_carlo(table, seed=seed, draws=draws)


def conditional_odds_ratio(table: Any, *, confidence: float = 0.95) -> OddsRatio:
    """Conditional maximum-likelihood odds ratio of a 2 x 2 table with its exact interval (R's `fisher.test`)."""
    counts = _counts(table)
    if counts.shape != (2, 2):
        raise StatisticsError("An odds ratio needs a 2 x 2 table without empty margins.")
    result = stats.contingency.odds_ratio(counts, kind="conditional")
    low, high = result.confidence_interval(confidence)
    return OddsRatio(
        float(result.statistic),
        float(low),
        float(high),
        fisher_exact(counts).p_value,
        int(counts.sum()),
        f"conditional maximum likelihood, exact {confidence:.0%} CI, Fisher's P",
    )


def expected_counts(counts: IntArray) -> FloatArray:
    """Row total x column total / n, shape (r, c)."""
    return np.asarray(np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum(), dtype=np.float64)


def _counts(table: Any) -> IntArray:
    raw = np.asarray(table)
    if raw.ndim != 2:
        raise StatisticsError("A table of counts has two dimensions.")
    counts = raw.astype(np.int64)
    if (counts < 0).any() or not np.array_equal(counts, raw):
        raise StatisticsError("A table of counts holds whole numbers of at least 0.")
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:
        raise StatisticsError("Independence needs at least two rows and two columns that are not empty.")
    return np.asarray(counts, dtype=np.int64)


def _log_weight(tables: IntArray | FloatArray) -> FloatArray:
    """Log probability given the margins, up to a constant: -sum(log cell!)."""
    return np.asarray(-gammaln(tables + 1.0).sum(axis=(1, 2)), dtype=np.float64)
