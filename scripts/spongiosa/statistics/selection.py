"""Univariable, then multivariable logistic regression, with the rule of selection stated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from spongiosa.statistics.firth import firth_regression, solve_firth
from spongiosa.statistics.logistic import (
    Interval,
    LogisticCoefficient,
    LogisticFit,
    logistic_regression,
    wald_chi_square,
)
from spongiosa.statistics.logistic_solver import SeparationError, covariance_of, separating_columns, solve_logistic
from spongiosa.statistics.pooling import pooled_wald
from spongiosa.statistics.samples import FloatArray, IntArray, StatisticsError, Values
from spongiosa.statistics.terms import Term, build_design


@dataclass(frozen=True)
class SelectionRule:
    """Which terms enter and which stay.

    A term enters the multivariable model when its univariable P is below `enter_below` (None: only the a-priori ones)
    or when it is `a_priori`.  Of those, the final model keeps terms with P below `stay_below` (None: all), and those
    in `always_kept`.  P is Wald's, of all columns of a term together.
    """

    enter_below: float | None = 0.05
    a_priori: tuple[str, ...] = ()
    stay_below: float | None = None
    always_kept: tuple[str, ...] = ()

    def __str__(self) -> str:
        ways = [] if self.enter_below is None else [f"univariable P < {self.enter_below:g}"]
        if self.a_priori:
            ways.append(f"a priori: {', '.join(self.a_priori)}")
        stay = "all of them stay" if self.stay_below is None else f"those with P < {self.stay_below:g} there stay"
        kept = f"; always kept: {', '.join(self.always_kept)}" if self.always_kept else ""
        return f"enter by {' or '.join(ways) or 'nothing'}; {stay}{kept} (joint Wald P per term)"


@dataclass(frozen=True)
class UnivariableRow:
    """One term alone; `coefficients` is empty and P NaN where `reason` says that it cannot be fitted."""

    term: str
    coefficients: tuple[LogisticCoefficient, ...]
    p_value: float
    n: int
    events: int
    enters: bool
    method: str
    reason: str = ""


@dataclass(frozen=True)
class Selection:
    """The whole way from candidates to the final model; a model is None when no term is left for it."""

    rule: str
    univariable: tuple[UnivariableRow, ...]
    entered: tuple[str, ...]
    multivariable: LogisticFit | None
    final_terms: tuple[str, ...]
    final: LogisticFit | None
    reason: str = ""


def select_model(
    table: pd.DataFrame,
    event: Values,
    candidates: Sequence[Term],
    rule: SelectionRule,
    *,
    interval: Interval = "wald",
    confidence: float = 0.95,
) -> Selection:
    """Apply the rule to the complete rows of each model.  A separated model is fitted by Firth's method and says so.

    Raises `StatisticsError` when a name in the rule is no candidate or a class of the event is absent.
    """
    _check_names(rule, candidates)
    rows = tuple(_univariable(table, event, term, rule, interval, confidence) for term in candidates)
    entered = tuple(row.term for row in rows if row.enters)
    by_name = {term.name: term for term in candidates}
    if not entered:
        return Selection(str(rule), rows, (), None, (), None, "No term enters the multivariable model.")
    multivariable = fit_or_penalise(table, event, [by_name[name] for name in entered], interval, confidence)
    final_names = tuple(
        test.name
        for test in multivariable.terms
        if rule.stay_below is None or test.wald_p < rule.stay_below or test.name in rule.always_kept
    )
    if not final_names:
        return Selection(str(rule), rows, entered, multivariable, (), None, "No term stays in the final model.")
    final = (
        multivariable
        if final_names == entered
        else fit_or_penalise(table, event, [by_name[name] for name in final_names], interval, confidence)
    )
    return Selection(str(rule), rows, entered, multivariable, final_names, final)


def fit_or_penalise(
    table: pd.DataFrame, event: Values, terms: Sequence[Term], interval: Interval = "wald", confidence: float = 0.95
) -> LogisticFit:
    """Maximum likelihood, or Firth's penalised likelihood when the data are separated (`reason` then says so)."""
    design = build_design(table, terms)
    try:
        return logistic_regression(design, event, interval=interval, confidence=confidence)
    except SeparationError:
        return firth_regression(design, event, confidence=confidence)


def select_columns(
    designs: FloatArray, events: FloatArray, term_of_column: IntArray, names: Sequence[str], rule: SelectionRule
) -> IntArray:
    """The design columns of the final model, for resampling and imputed data.

    `designs` (m, n, p) holds the m completed designs without intercept (m = 1: the data themselves).  The rule is that
    of `select_model`; with m > 1 the P of a term is the pooled Wald test D1.  Raises `SingularError` when
    a fit does not exist.
    """
    entered = [
        position
        for position, name in enumerate(names)
        if name in (*rule.a_priori, *rule.always_kept)
        or (
            rule.enter_below is not None
            and _wald_p(designs, events, np.flatnonzero(term_of_column == position))[0] < rule.enter_below
        )
    ]
    columns = np.flatnonzero(np.isin(term_of_column, entered))
    if rule.stay_below is None or columns.size == 0:
        return columns
    blocks = [np.flatnonzero(term_of_column[columns] == position) for position in entered]
    p_values = _wald_p(designs, events, columns, blocks)
    kept = [
        position
        for position, p in zip(entered, p_values, strict=True)
        if p < rule.stay_below or names[position] in rule.always_kept
    ]
    return np.flatnonzero(np.isin(term_of_column, kept))


def _wald_p(
    designs: FloatArray, events: FloatArray, columns: IntArray, blocks: list[IntArray] | None = None
) -> list[float]:
    estimates, covariances, _ = fit_each(designs[:, :, columns], events)
    result = []
    for block in blocks or [np.arange(columns.size)]:
        own = block + 1
        beta, covariance = estimates[:, own], covariances[:, own][:, :, own]
        if designs.shape[0] == 1:
            result.append(float(stats.chi2.sf(wald_chi_square(beta[0], covariance[0]), own.size)))
        else:
            result.append(pooled_wald(beta, covariance)[3])
    return result


def fit_each(designs: FloatArray, events: FloatArray) -> tuple[FloatArray, FloatArray, int]:
    """Coefficients (m, p + 1) and covariances (m, p + 1, p + 1) of the m designs, the intercept first.

    A separated design is fitted by Firth's penalised likelihood; the third value counts those.  Leaving separated
    resamples out instead would make a model look better than it is, because they are the over-fitted ones.
    Raises `SingularError` when a design is singular.
    """
    estimates, covariances, penalised = [], [], 0
    ones = np.ones((events.size, 1))
    for design in designs:
        matrix = np.hstack([ones, design])
        solution = solve_logistic(matrix, events)
        if solution.is_suspicious and separating_columns(matrix, events > 0.5):
            beta, covariance = solve_firth(matrix, events)
            penalised += 1
        else:
            beta, covariance = solution.beta, covariance_of(solution)
        estimates.append(beta)
        covariances.append(covariance)
    return np.stack(estimates), np.stack(covariances), penalised


def _univariable(
    table: pd.DataFrame, event: Values, term: Term, rule: SelectionRule, interval: Interval, confidence: float
) -> UnivariableRow:
    is_forced = term.name in (*rule.a_priori, *rule.always_kept)
    try:
        fit = fit_or_penalise(table, event, [term], interval, confidence)
    except StatisticsError as error:
        return UnivariableRow(term.name, (), math.nan, 0, 0, is_forced, "none", str(error))
    p_value = fit.terms[0].wald_p
    enters = is_forced or (rule.enter_below is not None and p_value < rule.enter_below)
    return UnivariableRow(term.name, fit.coefficients, p_value, fit.n, fit.events, enters, fit.method, fit.reason)


def _check_names(rule: SelectionRule, candidates: Sequence[Term]) -> None:
    names = [term.name for term in candidates]
    unknown = sorted({*rule.a_priori, *rule.always_kept} - set(names))
    if unknown:
        raise StatisticsError(f"The selection rule names {', '.join(unknown)}, which are no candidates.")
    if len(set(names)) < len(names):
        raise StatisticsError("A candidate is listed twice.")
