"""Regression of one measuring method on another when both have error: Deming and Passing-Bablok."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from spongiosa.statistics.samples import FloatArray, StatisticsError, Values, complete_cases, normal_quantile


@dataclass(frozen=True)
class MethodLine:
    """second = intercept + slope * first; equal methods have slope 1 and intercept 0 inside the intervals."""

    slope: float
    slope_ci_low: float
    slope_ci_high: float
    intercept: float
    intercept_ci_low: float
    intercept_ci_high: float
    n: int
    method: str
    reason: str = ""


def deming(first: Values, second: Values, *, variance_ratio: float = 1.0, confidence: float = 0.95) -> MethodLine:
    """Deming's regression with `variance_ratio` = error variance of `first` / error variance of `second`.

        slope = (u + sqrt(u^2 + 4 s_xy^2 / r)) / (2 s_xy),   u = s_yy - s_xx / r

    with r the ratio; intervals by the jackknife with n - 2 degrees of freedom.  Complete pairs are used.
    Sources: Linnet, Stat Med 9 (1990) 1463-1473; Linnet, Clin Chem 39 (1993) 424-432.
    Raises `StatisticsError` with fewer than 4 pairs, or when the methods do not covary.
    """
    normal_quantile(confidence)
    if variance_ratio <= 0:
        raise StatisticsError(f"variance_ratio must be positive, but is {variance_ratio}.")
    x, y = complete_cases(first, second, names=("first", "second"), at_least=4)
    n = x.size
    slope, intercept = _deming_line(x, y, variance_ratio)
    kept = ~np.eye(n, dtype=bool)
    without = np.array([_deming_line(x[row], y[row], variance_ratio) for row in kept])
    pseudo = n * np.array([slope, intercept]) - (n - 1) * without
    errors = pseudo.std(axis=0, ddof=1) / math.sqrt(n)
    margin = float(stats.t.ppf((1 + confidence) / 2, n - 2)) * errors
    return MethodLine(
        slope, slope - margin[0], slope + margin[0], intercept, intercept - margin[1], intercept + margin[1], n,
        f"Deming, error variance ratio {variance_ratio:g}, jackknife {confidence:.0%} CI",
    )  # fmt: skip


def passing_bablok(first: Values, second: Values, *, confidence: float = 0.95) -> MethodLine:
    """Passing and Bablok's regression: the shifted median of the slopes of all pairs of points.

    Slopes of -1 and of identical points are left out; the median is shifted by K, the number of slopes below -1.
    Memory grows with n^2: 5,000 patients need about 700 MB.  Complete pairs are used.
    Source: Passing and Bablok, J Clin Chem Clin Biochem 21 (1983) 709-720.
    Raises `StatisticsError` with fewer than 3 pairs, when a method is constant, or when the methods run against each
    other, so that the shift leaves the list of slopes.
    """
    quantile = normal_quantile(confidence)
    x, y = complete_cases(first, second, names=("first", "second"), at_least=3)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise StatisticsError("A method gives the same value for every patient.")
    n = x.size
    i, j = np.triu_indices(n, 1)
    dx, dy = x[j] - x[i], y[j] - y[i]
    distinct = (dx != 0) | (dy != 0)
    with np.errstate(divide="ignore"):
        # Vertical pairs count as +inf or -inf by the sign of dy (dx = +0).
        slopes = np.sort(dy[distinct] / np.where(dx[distinct] == 0, 0.0, dx[distinct]))
    slopes = slopes[slopes != -1]
    shift = int((slopes < -1).sum())
    count = slopes.size
    slope = _shifted_median(slopes, shift)
    width = quantile * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    lower = round((count - width) / 2)
    upper = count - lower + 1
    reason = ""
    if lower < 1 or upper + shift > count:
        low = high = math.nan
        reason = f"{n} pairs are too few for an interval of {confidence:.0%}."
    else:
        low, high = float(slopes[lower + shift - 1]), float(slopes[upper + shift - 1])
    return MethodLine(
        slope, low, high,
        float(np.median(y - slope * x)),
        float(np.median(y - high * x)) if math.isfinite(high) else math.nan,
        float(np.median(y - low * x)) if math.isfinite(low) else math.nan,
        n, f"Passing-Bablok, {confidence:.0%} CI", reason,
    )  # fmt: skip


def _shifted_median(slopes: FloatArray, shift: int) -> float:
    count = slopes.size
    last = (count + 1) // 2 + shift if count % 2 else count // 2 + 1 + shift
    if count == 0 or last > count:
        raise StatisticsError("The methods run against each other; Passing-Bablok needs a positive relation.")
    slope = float(slopes[last - 1] if count % 2 else (slopes[last - 2] + slopes[last - 1]) / 2)
    if not math.isfinite(slope):
        raise StatisticsError("The median slope is vertical; the first method hardly varies.")
    return slope


def _deming_line(x: FloatArray, y: FloatArray, ratio: float) -> tuple[float, float]:
    dx, dy = x - x.mean(), y - y.mean()
    sxx, syy, sxy = float(dx @ dx), float(dy @ dy), float(dx @ dy)
    if abs(sxy) <= 1e-12 * math.sqrt(sxx * syy) or sxx == 0:
        raise StatisticsError("The two methods do not covary, so no line relates them.")
    u = syy - sxx / ratio
    slope = (u + math.sqrt(u * u + 4 * sxy**2 / ratio)) / (2 * sxy)
    return slope, float(y.mean() - slope * x.mean())
