"""Precision of repeated measurement: within-subject SD, RMS-CV, least significant change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from spongiosa.statistics.samples import StatisticsError, normal_quantile


@dataclass(frozen=True)
class Repeatability:
    """Precision of one measurement, in the unit of the measurement and in per cent.

    `least_significant_change` is what two single measurements of one patient must differ by to be a change at the
    confidence level of the interval (1.96 sqrt(2) = 2.77 times the within-subject SD at 95 %).
    """

    within_subject_sd: float
    ci_low: float
    ci_high: float
    rms_cv_percent: float
    least_significant_change: float
    least_significant_change_percent: float
    n: int
    measurements: int
    df: int
    method: str
    reason: str = ""


def repeatability(measurements: Any, *, confidence: float = 0.95) -> Repeatability:
    """Precision from `measurements` of shape (n_subjects, repeats), NaN where a repeat is missing.

    Within-subject SD = sqrt(sum of squares within / df), RMS-CV = sqrt(mean of (SD_i / mean_i)^2 over df), so that a
    subject with three measurements weighs twice one with two; interval from chi-square.  Subjects with fewer than two
    measurements are left out.  `rms_cv_percent` is NaN with a `reason` when a subject's mean is not positive: a CV
    has no meaning for HU around 0.
    Source: Glüer et al., Osteoporos Int 5 (1995) 262-270; ISCD Official Positions 2019.
    Raises `StatisticsError` when no subject was measured twice.
    """
    z = normal_quantile(confidence)
    table = np.asarray(measurements, dtype=np.float64)
    if table.ndim != 2 or np.isinf(table).any():
        raise StatisticsError("Measurements need the shape (subjects, repeats) and finite values.")
    repeats = (~np.isnan(table)).sum(axis=1)
    table, repeats = table[repeats >= 2], repeats[repeats >= 2]
    if repeats.size == 0:
        raise StatisticsError("No subject was measured twice.")
    means = np.nanmean(table, axis=1)
    variances = np.nanvar(table, axis=1, ddof=1)
    weights = repeats - 1
    df = int(weights.sum())
    sum_of_squares = float((weights * variances).sum())
    sd = math.sqrt(sum_of_squares / df)
    low = math.sqrt(sum_of_squares / stats.chi2.ppf((1 + confidence) / 2, df))
    high = math.sqrt(sum_of_squares / stats.chi2.ppf((1 - confidence) / 2, df))
    rms_cv, reason = math.nan, ""
    if (means > 0).all():
        rms_cv = 100 * math.sqrt(float((weights * variances / means**2).sum()) / df)
    else:
        reason = f"{int((means <= 0).sum())} subject(s) have a mean of 0 or less, for which a CV has no meaning."
    factor = z * math.sqrt(2)
    return Repeatability(
        within_subject_sd=sd,
        ci_low=low,
        ci_high=high,
        rms_cv_percent=rms_cv,
        least_significant_change=factor * sd,
        least_significant_change_percent=factor * rms_cv,
        n=int(repeats.size),
        measurements=int(repeats.sum()),
        df=df,
        method=f"pooled within-subject SD, chi-square {confidence:.0%} CI; RMS-CV over subjects",
        reason=reason,
    )
