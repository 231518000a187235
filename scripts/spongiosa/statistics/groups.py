"""More than two groups, or one group measured several times, with post-hoc comparisons and their multiplicity."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from spongiosa.statistics.comparison import mann_whitney, tie_sum, welch_t
from spongiosa.statistics.samples import (
    FloatArray,
    StatisticsError,
    Values,
    as_floats,
    observed,
    two_sided_normal_p,
)

Adjustment = Literal["none", "bonferroni", "holm", "benjamini-hochberg"]


@dataclass(frozen=True)
class GroupTest:
    """A test that all groups (or all repeated conditions) are alike; a test on ranks has no `df_within`."""

    statistic: float
    df_between: int
    df_within: int | None
    p_value: float
    n: int
    effect_size: float
    method: str


@dataclass(frozen=True)
class PairwiseTest:
    """One pair of groups; `p_adjusted` takes account of the number of pairs, `reason` tells why a pair has no test."""

    first: str
    second: str
    statistic: float
    p_value: float
    p_adjusted: float
    n: int
    method: str
    reason: str = ""


def one_way_anova(groups: Mapping[str, Values]) -> GroupTest:
    """One-way analysis of variance; effect size eta squared.  Missing values are dropped.

    Raises `StatisticsError` with fewer than two groups, with no residual degree of freedom or without any spread
    within the groups.
    """
    samples = _samples(groups, 1)
    n, k = sum(sample.size for sample in samples), len(samples)
    grand_mean = np.concatenate(samples).mean()
    between = sum(sample.size * (sample.mean() - grand_mean) ** 2 for sample in samples)
    within = sum(float(((sample - sample.mean()) ** 2).sum()) for sample in samples)
    if n <= k:
        raise StatisticsError(f"{n} values in {k} groups leave no degree of freedom within the groups.")
    if within <= 1e-24 * float((np.concatenate(samples) ** 2).sum()):
        raise StatisticsError("Nothing varies within the groups, so F has no denominator.")
    f = float((between / (k - 1)) / (within / (n - k)))
    return GroupTest(
        f, k - 1, n - k, float(stats.f.sf(f, k - 1, n - k)), n, float(between / (between + within)),
        "one-way ANOVA (effect size: eta squared)",
    )  # fmt: skip


def kruskal_wallis(groups: Mapping[str, Values]) -> GroupTest:
    """Kruskal-Wallis H with tie correction, P from chi-square; effect size epsilon squared = H / (n - 1).

    Missing values are dropped.  Raises `StatisticsError` with fewer than two groups or when all values are tied.
    """
    samples = _samples(groups, 1)
    pooled = np.concatenate(samples)
    n = pooled.size
    if np.ptp(pooled) == 0:
        raise StatisticsError(f"All {n} values are tied, so the groups cannot be ranked.")
    mean_ranks, sizes = _mean_ranks(samples)
    h = 12 / (n * (n + 1)) * float((sizes * (mean_ranks - (n + 1) / 2) ** 2).sum())
    h /= 1 - tie_sum(pooled) / (n**3 - n)
    df = len(samples) - 1
    return GroupTest(
        h, df, None, float(stats.chi2.sf(h, df)), n, h / (n - 1),
        "Kruskal-Wallis H, tie-corrected (effect size: epsilon squared)",
    )  # fmt: skip


def dunn(groups: Mapping[str, Values], adjustment: Adjustment = "bonferroni") -> tuple[PairwiseTest, ...]:
    """Dunn's comparisons of mean ranks after Kruskal-Wallis, on the ranks of all groups together.

        z = (R_i - R_j) / sqrt((N (N + 1) / 12 - sum(t^3 - t) / (12 (N - 1))) (1 / n_i + 1 / n_j))

    Source: Dunn, Technometrics 6 (1964) 241-252.
    """
    samples, names = _samples(groups, 1), tuple(groups)
    pooled = np.concatenate(samples)
    n = pooled.size
    variance = n * (n + 1) / 12 - tie_sum(pooled) / (12 * (n - 1))
    if variance <= 0:
        raise StatisticsError(f"All {n} values are tied, so the groups cannot be ranked.")
    mean_ranks, sizes = _mean_ranks(samples)
    pairs = list(itertools.combinations(range(len(samples)), 2))
    z = [float(mean_ranks[i] - mean_ranks[j]) / math.sqrt(variance * (1 / sizes[i] + 1 / sizes[j])) for i, j in pairs]
    p_values = [two_sided_normal_p(value) for value in z]
    adjusted = adjust(p_values, adjustment)
    return tuple(
        PairwiseTest(
            names[i], names[j], z[row], p_values[row], float(adjusted[row]), int(sizes[i] + sizes[j]),
            f"Dunn's z, two-sided, {adjustment}",
        )
        for row, (i, j) in enumerate(pairs)
    )  # fmt: skip


def pairwise_mann_whitney(
    groups: Mapping[str, Values], adjustment: Adjustment = "bonferroni"
) -> tuple[PairwiseTest, ...]:
    """Every pair of groups by Mann-Whitney, ranked pair by pair; a pair without a test is left out of the count."""
    return _pairwise(groups, "Mann-Whitney", adjustment)


def pairwise_welch(groups: Mapping[str, Values], adjustment: Adjustment = "bonferroni") -> tuple[PairwiseTest, ...]:
    """Every pair of groups by Welch's t test; a pair without a test is left out of the count."""
    return _pairwise(groups, "Welch's t", adjustment)


def friedman(conditions: Mapping[str, Values]) -> GroupTest:
    """Friedman's test of k conditions on the same patients (regions or levels); effect size Kendall's W.

    Patients who lack a condition are left out.  Ties within a patient get midranks, and

        Q = (k - 1) sum_j (R_j - n (k + 1) / 2)^2 / (sum r^2 - n k (k + 1)^2 / 4)

    with r the ranks and R_j their sums (Conover's form, equal to the tie-corrected one).
    Raises `StatisticsError` with fewer than two conditions or two patients, or when every patient's values are tied.
    """
    columns = [as_floats(values, name) for name, values in conditions.items()]
    if len(columns) < 2 or len({column.size for column in columns}) != 1:
        raise StatisticsError("Friedman's test needs at least two conditions of the same patients.")
    table = np.column_stack(columns)
    table = table[~np.isnan(table).any(axis=1)]
    n, k = table.shape
    if n < 2:
        raise StatisticsError(f"{n} patient(s) have all {k} conditions; at least 2 needed.")
    ranks = stats.rankdata(table, axis=1)
    spread = float((ranks**2).sum()) - n * k * (k + 1) ** 2 / 4
    if spread <= 0:
        raise StatisticsError("Within every patient all conditions are tied.")
    q = (k - 1) * float(((ranks.sum(axis=0) - n * (k + 1) / 2) ** 2).sum()) / spread
    return GroupTest(
        q, k - 1, None, float(stats.chi2.sf(q, k - 1)), n, q / (n * (k - 1)),
        "Friedman's chi-square, tie-corrected (effect size: Kendall's W)",
    )  # fmt: skip


def adjust(p_values: Sequence[float], adjustment: Adjustment) -> FloatArray:
    """P values adjusted for their number, in the order given; NaN stays NaN and does not count.

    Bonferroni; Holm, Scand J Stat 6 (1979) 65-70; Benjamini and Hochberg, J R Stat Soc B 57 (1995) 289-300.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    adjusted = raw.copy()
    known = np.flatnonzero(~np.isnan(raw))
    p, m = raw[known], known.size
    if m == 0 or adjustment == "none":
        return adjusted
    if adjustment == "bonferroni":
        adjusted[known] = np.minimum(p * m, 1)
        return adjusted
    order = np.argsort(p, kind="stable")
    rank = np.arange(1, m + 1)
    if adjustment == "holm":
        ordered = np.maximum.accumulate(p[order] * (m - rank + 1))
    elif adjustment == "benjamini-hochberg":
        ordered = np.minimum.accumulate((p[order] * m / rank)[::-1])[::-1]
    else:
        raise StatisticsError(f"Unknown adjustment {adjustment!r}.")
    adjusted[known[order]] = np.minimum(ordered, 1)
    return adjusted


def _samples(groups: Mapping[str, Values], at_least: int) -> list[FloatArray]:
    if len(groups) < 2:
        raise StatisticsError("A comparison needs at least two groups.")
    return [observed(values, f"group {name}", at_least) for name, values in groups.items()]


def _mean_ranks(samples: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    sizes = np.array([sample.size for sample in samples], dtype=np.float64)
    ranks = np.split(stats.rankdata(np.concatenate(samples)), np.cumsum(sizes[:-1]).astype(int))
    return np.array([rank.mean() for rank in ranks]), sizes


def _pairwise(groups: Mapping[str, Values], test: str, adjustment: Adjustment) -> tuple[PairwiseTest, ...]:
    rows: list[tuple[str, str, float, float, int, str]] = []
    for first, second in itertools.combinations(groups, 2):
        try:
            if test == "Mann-Whitney":
                ranks = mann_whitney(groups[first], groups[second])
                rows.append((first, second, ranks.z, ranks.p_value, ranks.n, ""))
            else:
                means = welch_t(groups[first], groups[second])
                rows.append((first, second, means.statistic, means.p_value, means.n, ""))
        except StatisticsError as error:
            rows.append((first, second, math.nan, math.nan, 0, str(error)))
    adjusted = adjust([row[3] for row in rows], adjustment)
    return tuple(
        PairwiseTest(first, second, statistic, p, float(adjusted[row]), n, f"{test}, {adjustment}", reason)
        for row, (first, second, statistic, p, n, reason) in enumerate(rows)
    )
