"""Linear regression by least squares, with the diagnostics of its residuals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import linalg, stats

from spongiosa.statistics.samples import (
    FloatArray,
    StatisticsError,
    Values,
    complete_cases,
    normal_quantile,
    two_sided_t_p,
)


@dataclass(frozen=True)
class Coefficient:
    """One coefficient of a regression with its interval."""

    name: str
    estimate: float
    standard_error: float
    ci_low: float
    ci_high: float
    statistic: float
    p_value: float


@dataclass(frozen=True)
class ResidualDiagnostics:
    """Shape (n,) arrays per complete row, in the order of the complete rows.

    `standardised` are the internally studentised residuals.  Breusch-Pagan (Koenker's studentised form) asks for
    equal spread, Durbin-Watson for serial correlation, Shapiro-Wilk for normal residuals.
    """

    residuals: FloatArray
    standardised: FloatArray
    leverage: FloatArray
    cooks_distance: FloatArray
    shapiro_p: float
    breusch_pagan: float
    breusch_pagan_p: float
    durbin_watson: float
    reason: str = ""


@dataclass(frozen=True)
class LinearFit:
    """Least-squares fit; `coefficients[0]` is the intercept; `fitted` and the diagnostics have shape (n,)."""

    coefficients: tuple[Coefficient, ...]
    r_squared: float
    adjusted_r_squared: float
    residual_sd: float
    f_statistic: float
    f_p_value: float
    df_residual: int
    n: int
    fitted: FloatArray
    covariance: FloatArray
    diagnostics: ResidualDiagnostics
    method: str
    reason: str = ""


def linear_regression(outcome: Values, predictors: dict[str, Values], *, confidence: float = 0.95) -> LinearFit:
    """Ordinary least squares of `outcome` on the named `predictors` and an intercept.

    Rows with a missing value are dropped.  Raises `StatisticsError` when fewer than p + 2 rows are complete, when a
    predictor is constant or when predictors are linearly dependent.
    """
    normal_quantile(confidence)
    names = tuple(predictors)
    if not names:
        raise StatisticsError("A regression needs at least one predictor.")
    columns = complete_cases(outcome, *predictors.values(), names=("outcome", *names), at_least=len(names) + 2)
    y, x = columns[0], np.column_stack([np.ones(columns[0].size), *columns[1:]])
    beta, bread, leverage = solve_least_squares(x, y, ("intercept", *names))
    fitted = x @ beta
    residuals = y - fitted
    df = y.size - beta.size
    total = float(((y - y.mean()) ** 2).sum())
    if total == 0:
        raise StatisticsError("The outcome is constant, so there is nothing to regress.")
    rss = float(residuals @ residuals)
    variance = rss / df
    covariance = variance * bread
    margin = float(stats.t.ppf(0.5 + confidence / 2, df))
    diagnostics = _diagnose(x, residuals, leverage, variance)
    explained = total - rss
    f_statistic = explained / (beta.size - 1) / variance if variance > 0 else math.inf
    return LinearFit(
        coefficients=tuple(
            _coefficient(name, float(b), float(se), margin, df)
            for name, b, se in zip(("intercept", *names), beta, np.sqrt(np.diag(covariance)), strict=True)
        ),
        r_squared=explained / total,
        adjusted_r_squared=1 - (rss / df) / (total / (y.size - 1)),
        residual_sd=math.sqrt(variance),
        f_statistic=f_statistic,
        f_p_value=float(stats.f.sf(f_statistic, beta.size - 1, df)),
        df_residual=df,
        n=y.size,
        fitted=fitted,
        covariance=covariance,
        diagnostics=diagnostics,
        method=f"ordinary least squares, {confidence:.0%} t intervals",
        reason="" if math.isfinite(f_statistic) else "The fit is perfect: t and F are infinite.",
    )


def solve_least_squares(
    x: FloatArray, y: FloatArray, names: tuple[str, ...]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Coefficients (p,), (X'X)^-1 (p, p) and leverages (n,) of `x` (n, p) with its intercept column, by QR.

    Raises `StatisticsError` naming a column that is constant or follows from those before it: what is left of it is
    less than 1e-10 of its length.
    """
    q, r = linalg.qr(x, mode="economic")
    scale = np.abs(np.diag(r)) / np.maximum(np.linalg.norm(x, axis=0), np.finfo(np.float64).tiny)
    if x.shape[0] < x.shape[1] or scale.min() < 1e-10:
        raise StatisticsError(f"{names[int(scale.argmin())]} is constant or follows from the others.")
    beta = np.asarray(linalg.solve_triangular(r, q.T @ y), dtype=np.float64)
    r_inverse = linalg.solve_triangular(r, np.eye(r.shape[0]))
    return beta, np.asarray(r_inverse @ r_inverse.T, dtype=np.float64), np.asarray((q**2).sum(axis=1))


def _coefficient(name: str, estimate: float, standard_error: float, margin: float, df: int) -> Coefficient:
    t = estimate / standard_error if standard_error > 0 else math.copysign(math.inf, estimate)
    half_width = margin * standard_error
    return Coefficient(
        name, estimate, standard_error, estimate - half_width, estimate + half_width, t, two_sided_t_p(t, df)
    )


def _diagnose(x: FloatArray, residuals: FloatArray, leverage: FloatArray, variance: float) -> ResidualDiagnostics:
    n, p = x.shape
    # Relative to the outcome's size: a line through all points leaves residuals of rounding only.
    if variance <= 1e-24 * float((x**2).sum()):
        nothing = np.full(n, math.nan)
        return ResidualDiagnostics(
            residuals,
            nothing,
            leverage,
            nothing,
            math.nan,
            math.nan,
            math.nan,
            math.nan,
            "The fit is perfect: there are no residuals to diagnose.",
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        standardised = residuals / np.sqrt(variance * (1 - leverage))
        cooks_distance = standardised**2 * leverage / (1 - leverage) / p
    squared = residuals**2
    auxiliary = x @ np.linalg.lstsq(x, squared, rcond=None)[0]
    spread = float(((squared - squared.mean()) ** 2).sum())
    breusch_pagan = n * (1 - float(((squared - auxiliary) ** 2).sum()) / spread) if spread > 0 else 0.0
    return ResidualDiagnostics(
        residuals=residuals,
        standardised=standardised,
        leverage=leverage,
        cooks_distance=cooks_distance,
        shapiro_p=float(stats.shapiro(residuals)[1]) if 3 <= n <= 5000 else math.nan,
        breusch_pagan=breusch_pagan,
        breusch_pagan_p=float(stats.chi2.sf(breusch_pagan, p - 1)),
        durbin_watson=float((np.diff(residuals) ** 2).sum() / squared.sum()),
        reason="" if n <= 5000 else "Shapiro-Wilk's P is not calibrated beyond 5,000 values.",
    )
