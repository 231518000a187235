"""Logistic regression by maximum likelihood with Wald or profile-likelihood intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, stats

from spongiosa.statistics.logistic_solver import (
    LogisticSolution,
    SeparationError,
    covariance_of,
    separating_columns,
    solve_logistic,
)
from spongiosa.statistics.samples import (
    BoolArray,
    FloatArray,
    StatisticsError,
    Values,
    as_events,
    as_floats,
    normal_quantile,
    two_sided_normal_p,
)
from spongiosa.statistics.terms import Design

Interval = Literal["wald", "profile"]


@dataclass(frozen=True)
class LogisticCoefficient:
    """A log odds ratio (`estimate`) and the odds ratio with its interval (`ci_low`, `ci_high` on its scale)."""

    name: str
    estimate: float
    standard_error: float
    odds_ratio: float
    ci_low: float
    ci_high: float
    statistic: float
    p_value: float


@dataclass(frozen=True)
class TermTest:
    """Joint tests of all columns of a term: Wald, and likelihood ratio against the model without the term."""

    name: str
    df: int
    wald: float
    wald_p: float
    likelihood_ratio: float
    likelihood_ratio_p: float


@dataclass(frozen=True)
class LogisticFit:
    """A fitted model; `covariance` (p + 1, p + 1) and `beta` (p + 1,) have the intercept first.

    `complete_rows` (n_total,) marks the rows that were used; `linear_predictor` (n,) belongs to those.  Nagelkerke's R2
    is None for a penalised fit.
    """

    intercept: LogisticCoefficient
    coefficients: tuple[LogisticCoefficient, ...]
    terms: tuple[TermTest, ...]
    beta: FloatArray
    covariance: FloatArray
    log_likelihood: float
    null_log_likelihood: float
    likelihood_ratio: float
    likelihood_ratio_p: float
    aic: float
    nagelkerke_r_squared: float | None
    events_per_parameter: float
    linear_predictor: FloatArray
    complete_rows: BoolArray
    n: int
    events: int
    method: str
    reason: str = ""


def logistic_regression(
    design: Design, event: Values, *, interval: Interval = "wald", confidence: float = 0.95
) -> LogisticFit:
    """Fit on the rows in which event and all predictors are known.

    `events_per_parameter` is min(events, non-events) / p.  Raises `SeparationError` (with the names of the columns)
    when events and non-events do not overlap: use `firth.firth_regression`; `SingularError` when a column is
    constant or follows from others; `StatisticsError` when a class is absent.
    """
    normal_quantile(confidence)
    matrix, events, complete = complete_design(design, event)
    outcome = events.astype(np.float64)
    solution = fit_or_explain(matrix, events, design.columns)
    covariance = covariance_of(solution)
    names = ("intercept", *design.columns)
    if interval == "profile":
        limits = [_profile_limits(matrix, outcome, solution, covariance, j, confidence) for j in range(len(names))]
        method = f"maximum likelihood, profile-likelihood {confidence:.0%} CI, Wald P"
    else:
        margin = normal_quantile(confidence) * np.sqrt(np.diag(covariance))
        limits = [(float(b - m), float(b + m)) for b, m in zip(solution.beta, margin, strict=True)]
        method = f"maximum likelihood, Wald {confidence:.0%} CI"
    coefficients = tuple(
        coefficient(name, float(b), math.sqrt(v), low, high)
        for name, b, v, (low, high) in zip(names, solution.beta, np.diag(covariance), limits, strict=True)
    )
    tests = tuple(
        _term_test(design, position, matrix, outcome, solution, covariance) for position in range(len(design.terms))
    )
    return summarise_fit(coefficients, tests, solution, covariance, matrix, events, complete, method)


def complete_design(design: Design, event: Values) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Design with intercept (n, p + 1) and events (n,) of the complete rows, and which rows those are (n_total,).

    Raises `StatisticsError` when a class is absent from the complete rows.
    """
    flags = as_floats(event, "event")
    if flags.size != design.matrix.shape[0]:
        raise StatisticsError(f"{design.matrix.shape[0]} rows of predictors but {flags.size} events.")
    complete = ~np.isnan(design.matrix).any(axis=1) & ~np.isnan(flags)
    events = as_events(flags[complete])
    if events.size == 0 or events.all() or not events.any():
        raise StatisticsError(
            f"Both classes are needed, but the {events.size} complete rows hold {int(events.sum())} events."
        )
    return np.column_stack([np.ones(events.size), design.matrix[complete]]), events, complete


def fit_or_explain(matrix: FloatArray, events: BoolArray, columns: tuple[str, ...]) -> LogisticSolution:
    """The maximum-likelihood solution; `SeparationError` naming the columns when there is none."""
    solution = solve_logistic(matrix, events.astype(np.float64))
    if solution.is_suspicious:
        separating = separating_columns(matrix, events)
        if separating:
            names = [columns[column - 1] for column in separating if column > 0]
            raise SeparationError(
                f"{', '.join(names)} separate(s) the {int(events.sum())} events from the {int((~events).sum())} "
                "others, so the odds ratio is infinite; use Firth's penalised likelihood or merge categories."
            )
    return solution


def coefficient(name: str, estimate: float, standard_error: float, low: float, high: float) -> LogisticCoefficient:
    """A row of the table from a log odds ratio and limits on the log scale; P by Wald's z."""
    z = estimate / standard_error
    return LogisticCoefficient(
        name, estimate, standard_error, _exp(estimate), _exp(low), _exp(high), z, two_sided_normal_p(z)
    )


def summarise_fit(
    coefficients: tuple[LogisticCoefficient, ...],
    tests: tuple[TermTest, ...],
    solution: LogisticSolution,
    covariance: FloatArray,
    matrix: FloatArray,
    events: BoolArray,
    complete: BoolArray,
    method: str,
) -> LogisticFit:
    """Collect a fit and what follows from its likelihood."""
    n, count = events.size, int(events.sum())
    share = count / n
    null = count * math.log(share) + (n - count) * math.log(1 - share)
    ratio = 2 * (solution.log_likelihood - null)
    parameters = matrix.shape[1] - 1
    cox_snell = 1 - math.exp(-ratio / n)
    return LogisticFit(
        intercept=coefficients[0],
        coefficients=coefficients[1:],
        terms=tests,
        beta=solution.beta,
        covariance=covariance,
        log_likelihood=solution.log_likelihood,
        null_log_likelihood=null,
        likelihood_ratio=ratio,
        likelihood_ratio_p=float(stats.chi2.sf(ratio, parameters)),
        aic=2 * (parameters + 1) - 2 * solution.log_likelihood,
        nagelkerke_r_squared=cox_snell / (1 - math.exp(2 * null / n)),
        events_per_parameter=min(count, n - count) / parameters,
        linear_predictor=matrix @ solution.beta,
        complete_rows=complete,
        n=n,
        events=count,
        method=method,
    )


def wald_chi_square(beta: FloatArray, covariance: FloatArray) -> float:
    """b' V^-1 b of a block of coefficients."""
    return float(beta @ np.linalg.solve(covariance, beta))


def bracketed_limit(excess: Callable[[float], float], estimate: float, step: float) -> float:
    """Where `excess` (negative at the estimate) crosses 0, searched outwards in growing steps.

    +-inf when it stays negative up to 1,000 standard errors: the likelihood is flat on that side.
    """
    inner, width = estimate, step
    for _ in range(24):
        outer = inner + width
        if excess(outer) > 0:
            return float(optimize.brentq(excess, inner, outer, xtol=1e-12, rtol=1e-12))
        inner, width = outer, width * 1.5
    return math.copysign(math.inf, step)


def _profile_limits(
    matrix: FloatArray,
    outcome: FloatArray,
    solution: LogisticSolution,
    covariance: FloatArray,
    j: int,
    confidence: float,
) -> tuple[float, float]:
    """Where twice the loss of log likelihood, the other coefficients refitted, reaches the chi-square quantile."""
    critical = float(stats.chi2.ppf(confidence, 1))
    others = np.delete(matrix, j, axis=1)
    start = np.delete(solution.beta, j)

    def excess(value: float) -> float:
        if others.shape[1] == 0:
            raise StatisticsError("A profile needs another coefficient beside the one that is held.")
        refit = solve_logistic(others, outcome, offset=matrix[:, j] * value, start=start)
        return 2 * (solution.log_likelihood - refit.log_likelihood) - critical

    step = math.sqrt(covariance[j, j]) * normal_quantile(confidence)
    estimate = float(solution.beta[j])
    return bracketed_limit(excess, estimate, -step), bracketed_limit(excess, estimate, step)


def _term_test(
    design: Design,
    position: int,
    matrix: FloatArray,
    outcome: FloatArray,
    full: LogisticSolution,
    covariance: FloatArray,
) -> TermTest:
    columns = 1 + np.flatnonzero(design.term_of_column == position)
    wald = wald_chi_square(full.beta[columns], covariance[np.ix_(columns, columns)])
    reduced = solve_logistic(np.delete(matrix, columns, axis=1), outcome)
    ratio = max(2 * (full.log_likelihood - reduced.log_likelihood), 0.0)
    df = int(columns.size)
    return TermTest(
        design.terms[position].name, df, wald, float(stats.chi2.sf(wald, df)), ratio, float(stats.chi2.sf(ratio, df))
    )


def _exp(value: float) -> float:
    return math.inf if value > 709 else math.exp(value)
