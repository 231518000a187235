"""Rubin's rules: one estimate from m completed data sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from spongiosa.statistics.samples import FloatArray, StatisticsError, normal_quantile, two_sided_t_p

DegreesOfFreedom = Literal["rubin", "barnard-rubin"]


@dataclass(frozen=True)
class Pooled:
    """A pooled estimate; both degrees of freedom are given and `method` names the one of the interval and the P.

    `fraction_missing` is the fraction of information that is missing (Rubin 1987, equation 3.1.10),
    `variance_increase` = (1 + 1/m) B / U.
    """

    estimate: float
    standard_error: float
    ci_low: float
    ci_high: float
    statistic: float
    p_value: float
    df_rubin: float
    df_barnard_rubin: float
    within: float
    between: float
    variance_increase: float
    fraction_missing: float
    m: int
    method: str
    reason: str = ""


def pool(
    estimates: Sequence[float] | FloatArray,
    variances: Sequence[float] | FloatArray,
    *,
    complete_df: float = math.inf,
    df: DegreesOfFreedom = "rubin",
    confidence: float = 0.95,
) -> Pooled:
    """Pool m estimates with their squared standard errors.

        T = U + (1 + 1/m) B;   Rubin 1987 (SPSS): df = (m - 1)(1 + U / ((1 + 1/m) B))^2
        Barnard and Rubin, Biometrika 86 (1999) 948-955 (mice): 1 / df = 1 / df_rubin + 1 / df_observed,
        df_observed = (v + 1) / (v + 3) v (1 - lambda) with v = `complete_df` = n - p of the complete data

    Raises `StatisticsError` with fewer than two imputations or without a positive variance.
    """
    q, u = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    m = q.size
    if m < 2 or u.size != m:
        raise StatisticsError(f"Rubin's rules need at least two estimates with their variances, not {m} and {u.size}.")
    if not (np.isfinite(q).all() and np.isfinite(u).all() and (u > 0).all()):
        raise StatisticsError("An imputation has an infinite estimate or no positive variance.")
    within, between = float(u.mean()), float(q.var(ddof=1))
    extra = (1 + 1 / m) * between
    total = within + extra
    share = extra / total
    increase = extra / within
    df_rubin = (m - 1) / share**2 if share > 0 else math.inf
    if math.isinf(complete_df):
        df_small = df_rubin
    else:
        df_observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
        df_small = df_observed if math.isinf(df_rubin) else df_rubin * df_observed / (df_rubin + df_observed)
    used = df_rubin if df == "rubin" else df_small
    estimate, error = float(q.mean()), math.sqrt(total)
    margin = normal_quantile(confidence) if math.isinf(used) else float(stats.t.ppf((1 + confidence) / 2, used))
    statistic = estimate / error
    missing = (increase + (0.0 if math.isinf(used) else 2 / (used + 3))) / (1 + increase)
    return Pooled(
        estimate=estimate,
        standard_error=error,
        ci_low=estimate - margin * error,
        ci_high=estimate + margin * error,
        statistic=statistic,
        p_value=two_sided_t_p(statistic, used) if math.isfinite(used) else float(2 * stats.norm.sf(abs(statistic))),
        df_rubin=df_rubin,
        df_barnard_rubin=df_small,
        within=within,
        between=between,
        variance_increase=increase,
        fraction_missing=missing,
        m=m,
        method=f"Rubin's rules, m = {m}, {'Rubin 1987' if df == 'rubin' else 'Barnard-Rubin 1999'} degrees of freedom, "
        f"{confidence:.0%} CI",
        reason="" if between > 0 else "The imputations agree: nothing that matters here was missing.",
    )


def pool_share(shares: Sequence[float], standard_errors: Sequence[float], *, confidence: float = 0.95) -> Pooled:
    """Pool AUCs (or other shares) on the logit scale, where SE becomes SE / (A (1 - A)), and turn the result back.

    `standard_error` of the result is on the original scale; `within` and `between` stay on the logit scale.
    Raises `StatisticsError` when a share is 0 or 1, which has no logit.
    """
    values, errors = np.asarray(shares, dtype=np.float64), np.asarray(standard_errors, dtype=np.float64)
    if ((values <= 0) | (values >= 1)).any():
        raise StatisticsError("A share of exactly 0 or 1 cannot be pooled on the logit scale.")
    slope = values * (1 - values)
    on_logit = pool(logit(values), (errors / slope) ** 2, confidence=confidence)
    centre = float(expit(on_logit.estimate))
    return replace(
        on_logit,
        estimate=centre,
        standard_error=on_logit.standard_error * centre * (1 - centre),
        ci_low=float(expit(on_logit.ci_low)),
        ci_high=float(expit(on_logit.ci_high)),
        method=on_logit.method + ", on the logit scale",
    )


def pooled_wald(estimates: FloatArray, covariances: FloatArray) -> tuple[float, float, float, float]:
    """Joint test that k coefficients are 0: `estimates` (m, k), `covariances` (m, k, k); (F, df1, df2, P).

    D1 of Li, Raghunathan and Rubin, J Am Stat Assoc 86 (1991) 1065-1073, with its large-sample df.
    """
    m, k = estimates.shape
    if m < 2:
        raise StatisticsError("Rubin's rules need at least two imputations.")
    mean, within = estimates.mean(axis=0), covariances.mean(axis=0)
    between = np.atleast_2d(np.cov(estimates, rowvar=False))
    r = (1 + 1 / m) * float(np.trace(between @ np.linalg.inv(within))) / k
    f = float(mean @ np.linalg.solve(within, mean)) / (k * (1 + r))
    t = k * (m - 1)
    if r <= 0:
        return f, float(k), math.inf, float(stats.chi2.sf(f * k, k))
    df2 = 4 + (t - 4) * (1 + (1 - 2 / t) / r) ** 2 if t > 4 else t * (1 + 1 / k) * (1 + 1 / r) ** 2 / 2
    return f, float(k), df2, float(stats.f.sf(f, k, df2))
