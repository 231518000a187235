"""Logistic regression over imputed data: coefficients and term tests pooled by Rubin, selection by the same rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from spongiosa.statistics.logistic import LogisticCoefficient, wald_chi_square
from spongiosa.statistics.pooling import DegreesOfFreedom, Pooled, pool, pool_share, pooled_wald
from spongiosa.statistics.roc import Auc, auc_delong, auc_null_p
from spongiosa.statistics.samples import FloatArray, StatisticsError, Values, as_events, normal_quantile
from spongiosa.statistics.selection import SelectionRule, UnivariableRow, fit_each
from spongiosa.statistics.terms import Term, expand_terms, term_positions


@dataclass(frozen=True)
class PooledTermTest:
    """Joint test of all columns of a term: D1 (F with `df`, `df_error`) over imputations, Wald's for m = 1.

    `df_error` is None for Wald's test.
    """

    name: str
    df: int
    statistic: float
    df_error: float | None
    p_value: float


@dataclass(frozen=True)
class PooledFit:
    """`coefficients` and `pooled` have the intercept first; `pooled` is empty for m = 1.

    `linear_predictors` (m, n) belong to the completed data sets; the pooled risk of a patient is that of their mean.
    """

    coefficients: tuple[LogisticCoefficient, ...]
    pooled: tuple[Pooled, ...]
    terms: tuple[PooledTermTest, ...]
    linear_predictors: FloatArray
    n: int
    events: int
    m: int
    method: str
    reason: str = ""


@dataclass(frozen=True)
class PooledSelection:
    """The way from candidates to the final model on imputed data; a model is None when no term is left for it."""

    rule: str
    univariable: tuple[UnivariableRow, ...]
    entered: tuple[str, ...]
    multivariable: PooledFit | None
    final_terms: tuple[str, ...]
    final: PooledFit | None
    reason: str = ""


def pooled_logistic(
    numbers: FloatArray,
    terms: Sequence[Term],
    chosen: Sequence[str],
    event: Values,
    *,
    df: DegreesOfFreedom = "rubin",
    confidence: float = 0.95,
) -> PooledFit:
    """Fit the `chosen` terms on each of the completed data sets and pool.

    `numbers` (m, n, k) are `Imputed.numbers`, its columns those of `terms`.  A separated fit is penalised (Firth) and
    told in `reason`.  Raises `SingularError` for dependent columns, `StatisticsError` for an unknown term, a missing
    event or an absent class.
    """
    events = as_events(event)
    if events.size != numbers.shape[1] or events.all() or not events.any():
        raise StatisticsError(f"{numbers.shape[1]} rows need as many events, of both classes.")
    unknown = sorted(set(chosen) - {term.name for term in terms})
    if unknown or not chosen:
        raise StatisticsError(f"Not among the imputed columns: {', '.join(unknown) or 'no term was chosen'}.")
    positions = [position for position, term in enumerate(terms) if term.name in chosen]
    kept = [terms[position] for position in positions]
    designs = np.stack([expand_terms(completed[:, positions], kept) for completed in numbers])
    estimates, covariances, penalised = fit_each(designs, events.astype(np.float64))
    names = ("intercept", *(column for term in kept for column in term.columns))
    coefficients, pooled = pool_coefficients(names, estimates, covariances, events.size, df, confidence)
    mean = estimates.mean(axis=0)
    m = numbers.shape[0]
    return PooledFit(
        coefficients=coefficients,
        pooled=pooled,
        terms=pool_terms(kept, estimates, covariances),
        linear_predictors=mean[0] + designs @ mean[1:],
        n=int(events.size),
        events=int(events.sum()),
        m=m,
        method=pooled[0].method if pooled else f"maximum likelihood, Wald {confidence:.0%} CI",
        reason=f"{penalised} of {m} fits were separated and penalised (Firth)." if penalised else "",
    )


def pool_coefficients(
    names: Sequence[str],
    estimates: FloatArray,
    covariances: FloatArray,
    n: int,
    df: DegreesOfFreedom,
    confidence: float,
) -> tuple[tuple[LogisticCoefficient, ...], tuple[Pooled, ...]]:
    """Rows of the table from estimates (m, p) and covariances (m, p, p); the second part is empty for m = 1."""
    m, width = estimates.shape
    if m == 1:
        quantile = normal_quantile(confidence)
        errors = np.sqrt(np.diag(covariances[0]))
        rows = []
        for name, b, error in zip(names, estimates[0].tolist(), errors.tolist(), strict=True):
            low, high, z = b - quantile * error, b + quantile * error, b / error
            rows.append(_row(name, b, error, low, high, z, float(2 * stats.norm.sf(abs(z)))))
        return tuple(rows), ()
    pooled = tuple(
        pool(estimates[:, j], covariances[:, j, j], complete_df=float(n - width), df=df, confidence=confidence)
        for j in range(width)
    )
    return tuple(
        _row(name, one.estimate, one.standard_error, one.ci_low, one.ci_high, one.statistic, one.p_value)
        for name, one in zip(names, pooled, strict=True)
    ), pooled


def pool_terms(terms: Sequence[Term], estimates: FloatArray, covariances: FloatArray) -> tuple[PooledTermTest, ...]:
    """Joint test per term from estimates (m, p + 1) and covariances with the intercept first."""
    positions = term_positions(terms)
    tests = []
    for position, term in enumerate(terms):
        own = 1 + np.flatnonzero(positions == position)
        beta, covariance = estimates[:, own], covariances[:, own][:, :, own]
        if estimates.shape[0] == 1:
            wald = wald_chi_square(beta[0], covariance[0])
            tests.append(PooledTermTest(term.name, own.size, wald, None, float(stats.chi2.sf(wald, own.size))))
        else:
            f, _, df_error, p_value = pooled_wald(beta, covariance)
            tests.append(PooledTermTest(term.name, own.size, f, df_error if math.isfinite(df_error) else None, p_value))
    return tuple(tests)


def select_pooled(
    numbers: FloatArray,
    terms: Sequence[Term],
    candidates: Sequence[str],
    event: Values,
    rule: SelectionRule,
    *,
    df: DegreesOfFreedom = "rubin",
    confidence: float = 0.95,
) -> PooledSelection:
    """`selection.select_model` on imputed data: P is the pooled joint test of a term.

    A candidate that cannot be fitted keeps the reason in its row.  Raises `StatisticsError` when the rule names no
    candidate.
    """
    unknown = sorted({*rule.a_priori, *rule.always_kept} - set(candidates))
    if unknown:
        raise StatisticsError(f"The selection rule names {', '.join(unknown)}, which are no candidates.")
    rows = []
    for name in candidates:
        is_forced = name in (*rule.a_priori, *rule.always_kept)
        try:
            fit = pooled_logistic(numbers, terms, [name], event, df=df, confidence=confidence)
        except StatisticsError as error:
            rows.append(UnivariableRow(name, (), math.nan, 0, 0, is_forced, "none", str(error)))
            continue
        p_value = fit.terms[0].p_value
        enters = is_forced or (rule.enter_below is not None and p_value < rule.enter_below)
        rows.append(
            UnivariableRow(name, fit.coefficients[1:], p_value, fit.n, fit.events, enters, fit.method, fit.reason)
        )
    entered = tuple(row.term for row in rows if row.enters)
    if not entered:
        return PooledSelection(str(rule), tuple(rows), (), None, (), None, "No term enters the multivariable model.")
    multivariable = pooled_logistic(numbers, terms, entered, event, df=df, confidence=confidence)
    final_terms = tuple(
        test.name
        for test in multivariable.terms
        if rule.stay_below is None or test.p_value < rule.stay_below or test.name in rule.always_kept
    )
    if not final_terms:
        reason = "No term stays in the final model."
        return PooledSelection(str(rule), tuple(rows), entered, multivariable, (), None, reason)
    final = pooled_logistic(numbers, terms, final_terms, event, df=df, confidence=confidence)
    return PooledSelection(str(rule), tuple(rows), entered, multivariable, final_terms, final)


def pooled_auc(linear_predictors: FloatArray, event: Values, *, confidence: float = 0.95) -> Auc:
    """AUC of risks (m, n) over the completed data sets, pooled on the logit scale; DeLong's for m = 1.

    Raises `StatisticsError` when a class is absent or a data set is perfectly separated.
    """
    each = [auc_delong(row, event, direction="high", confidence=confidence) for row in linear_predictors]
    if len(each) == 1:
        return each[0]
    result = pool_share([one.estimate for one in each], [one.standard_error for one in each], confidence=confidence)
    n, events = each[0].n, each[0].events
    return Auc(
        estimate=result.estimate,
        ci_low=result.ci_low,
        ci_high=result.ci_high,
        standard_error=result.standard_error,
        p_value=auc_null_p(result.estimate, events, n - events),
        n=n,
        events=events,
        direction="high",
        method=f"DeLong standard errors; {result.method}; P with the standard error under AUC = 0.5",
    )


def _row(
    name: str, estimate: float, error: float, low: float, high: float, statistic: float, p_value: float
) -> LogisticCoefficient:
    odds, odds_low, odds_high = (math.inf if value > 709 else math.exp(value) for value in (estimate, low, high))
    return LogisticCoefficient(name, estimate, error, odds, odds_low, odds_high, statistic, p_value)
