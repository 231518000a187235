"""Intraclass correlation for two-way designs, always named by McGraw and Wong's form.

(A, ...) asks for absolute agreement, (C, ...) for consistency; (., 1) is the reliability of one reader's value and
(., k) that of the mean of the k readers.  Shrout and Fleiss's ICC(2,1) is (A,1) and their ICC(3,1) is (C,1); SPSS's
"two-way mixed, absolute agreement, single measures" is (A,1) as well, so "ICC(3,1), absolute agreement" contradicts
itself.
Source: McGraw and Wong, Psychol Methods 1 (1996) 30-46, tables 4 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from spongiosa.statistics.samples import StatisticsError, as_floats, normal_quantile


@dataclass(frozen=True)
class IntraclassCorrelation:
    """One form of the ICC with its F-based interval; the P tests ICC = 0."""

    form: str
    meaning: str
    estimate: float
    ci_low: float
    ci_high: float
    f_statistic: float
    df_subjects: int
    df_error: int
    p_value: float
    n: int
    raters: int
    method: str
    reason: str = ""


@dataclass(frozen=True)
class IccTable:
    """All four two-way forms and the mean squares that they are made of."""

    a_1: IntraclassCorrelation
    a_k: IntraclassCorrelation
    c_1: IntraclassCorrelation
    c_k: IntraclassCorrelation
    mean_square_subjects: float
    mean_square_raters: float
    mean_square_error: float
    n: int
    dropped: int


def intraclass_correlations(ratings: Any, *, confidence: float = 0.95) -> IccTable:
    """The four forms for `ratings` of shape (n_subjects, k_raters).

    Subjects with a missing rating are left out and counted in `dropped`.  Raises `StatisticsError` with fewer than
    two subjects or raters, or when the subjects do not differ.
    """
    normal_quantile(confidence)
    table = np.asarray(ratings)
    if table.ndim != 2 or table.shape[1] < 2:
        raise StatisticsError("Ratings need the shape (subjects, raters) with at least two raters.")
    values = np.column_stack([as_floats(table[:, rater], f"rater {rater + 1}") for rater in range(table.shape[1])])
    complete = values[~np.isnan(values).any(axis=1)]
    n, k = complete.shape
    if n < 2:
        raise StatisticsError(f"{n} subject(s) were rated by all {k} raters; at least 2 needed.")
    grand = complete.mean()
    subjects, raters = complete.mean(axis=1), complete.mean(axis=0)
    msr = float(k * ((subjects - grand) ** 2).sum() / (n - 1))
    msc = float(n * ((raters - grand) ** 2).sum() / (k - 1))
    residual = complete - subjects[:, None] - raters[None, :] + grand
    mse = float((residual**2).sum() / ((n - 1) * (k - 1)))
    size = float((complete**2).mean())
    if msr <= 1e-24 * size:
        raise StatisticsError("The subjects do not differ, so there is nothing to tell apart.")
    # What rounding leaves of a difference that is none.
    mse = 0.0 if mse <= 1e-24 * size else mse
    msc = 0.0 if msc <= 1e-24 * size else msc
    a_1, a_k = _agreement(msr, msc, mse, n, k, confidence)
    c_1, c_k = _consistency(msr, mse, n, k, confidence)
    return IccTable(a_1, a_k, c_1, c_k, msr, msc, mse, n, int(values.shape[0] - n))


def _consistency(
    msr: float, mse: float, n: int, k: int, confidence: float
) -> tuple[IntraclassCorrelation, IntraclassCorrelation]:
    df1, df2 = n - 1, (n - 1) * (k - 1)
    single, average = (msr - mse) / (msr + (k - 1) * mse), (msr - mse) / msr
    if mse == 0:
        limits = [(1.0, 1.0), (1.0, 1.0)]
    else:
        f = msr / mse
        tail = (1 + confidence) / 2
        low, high = f / stats.f.ppf(tail, df1, df2), f * stats.f.ppf(tail, df2, df1)
        limits = [((low - 1) / (low + k - 1), (high - 1) / (high + k - 1)), (1 - 1 / low, 1 - 1 / high)]
    return (
        _form("(C,1)", "consistency of a single rating", single, limits[0], msr, mse, n, k, confidence),
        _form("(C,k)", f"consistency of the mean of {k} ratings", average, limits[1], msr, mse, n, k, confidence),
    )


def _agreement(
    msr: float, msc: float, mse: float, n: int, k: int, confidence: float
) -> tuple[IntraclassCorrelation, IntraclassCorrelation]:
    single = (msr - mse) / (msr + (k - 1) * mse + k * (msc - mse) / n)
    average = (msr - mse) / (msr + (msc - mse) / n)
    if mse == 0 and msc <= 0:
        low = high = 1.0
    else:
        # Satterthwaite's df of the combined error a MSC + b MSE (McGraw and Wong, table 7, case 2A and 3A).
        a = k * single / (n * (1 - single))
        b = 1 + k * single * (n - 1) / (n * (1 - single))
        df = (a * msc + b * mse) ** 2 / ((a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1)))
        tail = (1 + confidence) / 2
        f_low, f_high = float(stats.f.ppf(tail, n - 1, df)), float(stats.f.ppf(tail, df, n - 1))
        error = k * msc + (k * n - k - n) * mse
        low = n * (msr - f_low * mse) / (f_low * error + n * msr)
        high = n * (f_high * msr - mse) / (error + n * f_high * msr)
    stepped = [limit * k / (1 + limit * (k - 1)) for limit in (low, high)]
    return (
        _form("(A,1)", "absolute agreement of a single rating", single, (low, high), msr, mse, n, k, confidence),
        _form(
            "(A,k)", f"absolute agreement of the mean of {k} ratings", average, (stepped[0], stepped[1]),
            msr, mse, n, k, confidence,
        ),
    )  # fmt: skip


def _form(
    form: str,
    meaning: str,
    estimate: float,
    limits: tuple[float, float],
    msr: float,
    mse: float,
    n: int,
    k: int,
    confidence: float,
) -> IntraclassCorrelation:
    df1, df2 = n - 1, (n - 1) * (k - 1)
    f = msr / mse if mse > 0 else float("inf")
    reason = "" if mse > 0 else "There is no residual between the ratings, so F is infinite."
    return IntraclassCorrelation(
        form=form,
        meaning=meaning,
        estimate=float(estimate),
        ci_low=float(limits[0]),
        ci_high=float(limits[1]),
        f_statistic=f,
        df_subjects=df1,
        df_error=df2,
        p_value=float(stats.f.sf(f, df1, df2)),
        n=n,
        raters=k,
        method=f"ICC{form}, two-way, McGraw and Wong 1996, {confidence:.0%} F interval",
        reason=reason,
    )
