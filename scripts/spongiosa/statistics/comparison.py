"""Comparison of a number between two groups: Student, Welch and Mann-Whitney, in SPSS's and R's variants."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from spongiosa.statistics.samples import (
    FloatArray,
    StatisticsError,
    Values,
    normal_quantile,
    observed,
    two_sided_normal_p,
    two_sided_t_p,
)


@dataclass(frozen=True)
class MeanDifference:
    """Mean of a minus mean of b with a t test; `levene_p` is NaN where only summary statistics are known."""

    estimate: float
    ci_low: float
    ci_high: float
    statistic: float
    df: float
    p_value: float
    n: int
    n_a: int
    n_b: int
    levene_f: float
    levene_p: float
    method: str
    reason: str = ""


@dataclass(frozen=True)
class RankComparison:
    """Mann-Whitney U of group a; `probability_a_greater` is P(a > b) + P(a = b) / 2 (the AUC)."""

    u_statistic: float
    z: float
    p_value: float
    probability_a_greater: float
    n: int
    n_a: int
    n_b: int
    method: str


@dataclass(frozen=True)
class VarianceComparison:
    """Levene's test of equal variances."""

    statistic: float
    df_between: int
    df_within: int
    p_value: float
    n: int
    method: str


def levene(*groups: Values) -> VarianceComparison:
    """Levene's test with deviations from the group means, as SPSS prints it beside Student's t.

    Raises `StatisticsError` with fewer than two groups, a group of fewer than two values, or no spread anywhere.
    Source: Levene 1960; Brown and Forsythe's variant centres at the median instead.
    """
    samples = [observed(group, f"group {index + 1}", 2) for index, group in enumerate(groups)]
    if len(samples) < 2:
        raise StatisticsError("Levene's test needs at least two groups.")
    deviations = [np.abs(sample - sample.mean()) for sample in samples]
    if all(_is_constant(deviation) for deviation in deviations):
        raise StatisticsError("The deviations from the group means do not vary, so variances cannot be compared.")
    statistic, p_value = stats.levene(*samples, center="mean")
    n = sum(sample.size for sample in samples)
    return VarianceComparison(
        float(statistic), len(samples) - 1, n - len(samples), float(p_value), n, "Levene, centred at the means"
    )


def student_t(a: Values, b: Values, *, confidence: float = 0.95) -> MeanDifference:
    """Two-sample t test with a pooled variance; Levene's test reported beside it.  Missing values are dropped.

    Raises `StatisticsError` with fewer than two values in a group or when neither group varies.
    """
    first, second = _two_samples(a, b)
    difference = student_t_from_summary(
        float(first.mean()), _sd(first), first.size, float(second.mean()), _sd(second), second.size, confidence
    )
    return _with_levene(difference, first, second)


def welch_t(a: Values, b: Values, *, confidence: float = 0.95) -> MeanDifference:
    """Two-sample t test without equal variances (Welch-Satterthwaite df).  Missing values are dropped.

    Raises `StatisticsError` with fewer than two values in a group or when neither group varies.
    """
    first, second = _two_samples(a, b)
    difference = welch_t_from_summary(
        float(first.mean()), _sd(first), first.size, float(second.mean()), _sd(second), second.size, confidence
    )
    return _with_levene(difference, first, second)


def student_t_from_summary(
    mean_a: float, sd_a: float, n_a: int, mean_b: float, sd_b: float, n_b: int, confidence: float = 0.95
) -> MeanDifference:
    """Student's t test from printed means, SDs and group sizes."""
    _check_summary(sd_a, n_a, sd_b, n_b)
    df = n_a + n_b - 2
    pooled_variance = ((n_a - 1) * sd_a**2 + (n_b - 1) * sd_b**2) / df
    standard_error = math.sqrt(pooled_variance * (1 / n_a + 1 / n_b))
    return _t_test(mean_a - mean_b, standard_error, df, n_a, n_b, confidence, "Student's t, equal variances")


def welch_t_from_summary(
    mean_a: float, sd_a: float, n_a: int, mean_b: float, sd_b: float, n_b: int, confidence: float = 0.95
) -> MeanDifference:
    """Welch's t test from printed means, SDs and group sizes."""
    _check_summary(sd_a, n_a, sd_b, n_b)
    part_a, part_b = sd_a**2 / n_a, sd_b**2 / n_b
    df = (part_a + part_b) ** 2 / (part_a**2 / (n_a - 1) + part_b**2 / (n_b - 1))
    return _t_test(mean_a - mean_b, math.sqrt(part_a + part_b), df, n_a, n_b, confidence, "Welch's t")


def mann_whitney(a: Values, b: Values) -> RankComparison:
    """Mann-Whitney U test: asymptotic, corrected for ties, without continuity correction (SPSS).

        Z = (U - n_a n_b / 2) / sqrt(n_a n_b / 12 * (N + 1 - sum(t^3 - t) / (N (N - 1))))

    Missing values are dropped.  Raises `StatisticsError` for an empty group or when all values are tied.
    """
    first, second = observed(a, "first group"), observed(b, "second group")
    n_a, n_b, n = first.size, second.size, first.size + second.size
    pooled = np.concatenate([first, second])
    ranks = stats.rankdata(pooled)
    u = float(ranks[:n_a].sum() - n_a * (n_a + 1) / 2)
    variance = n_a * n_b / 12 * (n + 1 - tie_sum(pooled) / (n * (n - 1)))
    if variance <= 0:
        raise StatisticsError(f"All {n} values are tied, so the groups cannot be ranked.")
    z = (u - n_a * n_b / 2) / math.sqrt(variance)
    return RankComparison(
        u_statistic=u,
        z=z,
        p_value=two_sided_normal_p(z),
        probability_a_greater=u / (n_a * n_b),
        n=n,
        n_a=n_a,
        n_b=n_b,
        method="Mann-Whitney U, asymptotic, tie-corrected, no continuity correction",
    )


def tie_sum(values: FloatArray) -> float:
    """Sum of t^3 - t over the groups of tied values, the quantity of every tie correction."""
    counts = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float((counts**3 - counts).sum())


def _two_samples(a: Values, b: Values) -> tuple[FloatArray, FloatArray]:
    return observed(a, "first group", 2), observed(b, "second group", 2)


def _sd(sample: FloatArray) -> float:
    # Rounding leaves an SD of about 1e-16 in a constant column, which would give a t in the billions.
    return 0.0 if _is_constant(sample) else float(sample.std(ddof=1))


def _is_constant(sample: FloatArray) -> bool:
    return bool(np.ptp(sample) <= 1e-12 * np.abs(sample).max(initial=0.0))


def _check_summary(sd_a: float, n_a: int, sd_b: float, n_b: int) -> None:
    if min(n_a, n_b) < 2:
        raise StatisticsError(f"A t test needs two values per group, but there are {n_a} and {n_b}.")
    if sd_a < 0 or sd_b < 0:
        raise StatisticsError("A standard deviation cannot be negative.")
    if sd_a == 0 and sd_b == 0:
        raise StatisticsError("Neither group varies, so t has no standard error.")


def _t_test(
    difference: float, standard_error: float, df: float, n_a: int, n_b: int, confidence: float, method: str
) -> MeanDifference:
    normal_quantile(confidence)
    t = difference / standard_error
    margin = float(stats.t.ppf(0.5 + confidence / 2, df)) * standard_error
    return MeanDifference(
        estimate=difference,
        ci_low=difference - margin,
        ci_high=difference + margin,
        statistic=t,
        df=df,
        p_value=two_sided_t_p(t, df),
        n=n_a + n_b,
        n_a=n_a,
        n_b=n_b,
        levene_f=math.nan,
        levene_p=math.nan,
        method=f"{method}, {confidence:.0%} CI",
        reason="Levene's test needs the values themselves.",
    )


def _with_levene(difference: MeanDifference, first: FloatArray, second: FloatArray) -> MeanDifference:
    try:
        test = levene(first, second)
    except StatisticsError as error:
        return replace(difference, reason=str(error))
    return replace(difference, levene_f=test.statistic, levene_p=test.p_value, reason="")
