"""Bland-Altman comparison of two methods: bias, limits of agreement with their intervals, proportional bias."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from spongiosa.statistics.linear import Coefficient, linear_regression
from spongiosa.statistics.samples import (
    FloatArray,
    StatisticsError,
    Values,
    complete_cases,
    normal_quantile,
    two_sided_t_p,
)


@dataclass(frozen=True)
class Limit:
    """A number with its interval."""

    estimate: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class BlandAltman:
    """`differences` = first - second and `means` of the pairs, shape (n,); proportional bias is the regression of
    the differences on the means (None with a `reason` when it cannot be fitted)."""

    bias: Limit
    lower_limit: Limit
    upper_limit: Limit
    sd_of_differences: float
    p_bias: float
    proportional_slope: Coefficient | None
    proportional_intercept: Coefficient | None
    means: FloatArray
    differences: FloatArray
    n: int
    method: str
    reason: str = ""


def bland_altman(first: Values, second: Values, *, confidence: float = 0.95) -> BlandAltman:
    """Bias and 95 % limits of agreement, mean +- 1.96 SD, on complete pairs.

    Intervals of the limits: SE = SD sqrt(1 / n + 1.96^2 / (2 (n - 1))), t with n - 1 df.
    Source: Bland and Altman, Stat Methods Med Res 8 (1999) 135-160, section 2.
    Raises `StatisticsError` with fewer than 3 pairs.
    """
    normal_quantile(confidence)
    a, b = complete_cases(first, second, names=("first", "second"), at_least=3)
    differences, means = a - b, (a + b) / 2
    n = differences.size
    bias, sd = float(differences.mean()), float(differences.std(ddof=1))
    # Rounding of values near 100 leaves differences that "vary" by 1e-14.
    if sd <= 1e-12 * float(np.abs(means).max(initial=0.0)):
        sd = 0.0
    t = float(stats.t.ppf((1 + confidence) / 2, n - 1))
    multiple = normal_quantile(0.95)
    margin_bias = t * sd / math.sqrt(n)
    margin_limit = t * sd * math.sqrt(1 / n + multiple**2 / (2 * (n - 1)))
    reason, slope, intercept, p_bias = "", None, None, math.nan
    if sd == 0:
        reason = "All differences are equal: the limits of agreement have no width."
    else:
        p_bias = two_sided_t_p(bias / (sd / math.sqrt(n)), n - 1)
        try:
            intercept, slope = linear_regression(
                differences, {"mean of both": means}, confidence=confidence
            ).coefficients
        except StatisticsError as error:
            reason = f"Proportional bias: {error}"
    low, high = bias - multiple * sd, bias + multiple * sd
    return BlandAltman(
        bias=Limit(bias, bias - margin_bias, bias + margin_bias),
        lower_limit=Limit(low, low - margin_limit, low + margin_limit),
        upper_limit=Limit(high, high - margin_limit, high + margin_limit),
        sd_of_differences=sd,
        p_bias=p_bias,
        proportional_slope=slope,
        proportional_intercept=intercept,
        means=means,
        differences=differences,
        n=n,
        method=f"bias and bias +- 1.96 SD, {confidence:.0%} t intervals; proportional bias by regression on the means",
        reason=reason,
    )
