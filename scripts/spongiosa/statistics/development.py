"""Developing a prediction model as one procedure: impute, select, fit, pool.

The procedure is a value that can be repeated on any resample, so that internal validation repeats all of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from spongiosa.statistics.imputation import ImputationSettings, column_methods, impute_numbers
from spongiosa.statistics.logistic import LogisticCoefficient
from spongiosa.statistics.logistic_solver import SingularError
from spongiosa.statistics.pooled_regression import PooledTermTest, pool_coefficients, pool_terms
from spongiosa.statistics.pooling import DegreesOfFreedom, Pooled
from spongiosa.statistics.samples import BoolArray, FloatArray, IntArray, StatisticsError, Values, as_events, as_floats
from spongiosa.statistics.selection import SelectionRule, fit_each, select_columns
from spongiosa.statistics.terms import Category, Term, expand_terms, numeric_matrix, term_positions

_OUTCOME = Category("event", ("0", "1"), "0")


@dataclass(frozen=True)
class Procedure:
    """What is done to get from a table to a model.

    `rule` None keeps all terms; `imputation` None uses complete rows.  `auxiliary` columns help to impute and are no
    predictors.
    """

    terms: tuple[Term, ...]
    rule: SelectionRule | None = None
    imputation: ImputationSettings | None = None
    auxiliary: tuple[Term, ...] = ()

    def __str__(self) -> str:
        imputed = "complete rows"
        if self.imputation is not None:
            imputed = f"chained equations, m = {self.imputation.imputations}, {self.imputation.iterations} iterations"
        return f"{imputed}; terms {', '.join(term.name for term in self.terms)}; {self.rule or 'no selection'}"


@dataclass(frozen=True)
class Prepared:
    """The numbers of a table ready for the procedure: (n, k) with NaN where missing, and the events (n,)."""

    numbers: FloatArray
    events: BoolArray
    rows: BoolArray


@dataclass(frozen=True)
class Developed:
    """A model on its data: completed `designs` (m, n, p), `beta` (p + 1,) with 0 where a column was not selected."""

    designs: FloatArray
    beta: FloatArray
    selected: IntArray
    estimates: FloatArray
    covariances: FloatArray
    penalised: int

    def linear_predictors(self, designs: FloatArray) -> FloatArray:
        """intercept + design @ slopes for each completed design, (m, n)."""
        return np.asarray(self.beta[0] + designs @ self.beta[1:], dtype=np.float64)


@dataclass(frozen=True)
class DevelopedModel:
    """The model for the report: odds ratios of the selected columns, pooled over imputations, intercept first.

    `linear_predictor` (n,) is each patient's mean over the imputations, `probability` its expit; `rows` (n_total,)
    marks the rows used.  With complete rows (m = 1) `pooled` is empty.
    """

    columns: tuple[str, ...]
    terms: tuple[str, ...]
    coefficients: tuple[LogisticCoefficient, ...]
    term_tests: tuple[PooledTermTest, ...]
    estimates: FloatArray
    standard_errors: FloatArray
    pooled: tuple[Pooled, ...]
    linear_predictor: FloatArray
    probability: FloatArray
    linear_predictors: FloatArray
    rows: BoolArray
    n: int
    events: int
    m: int
    method: str
    reason: str = ""


def prepare(table: pd.DataFrame, event: Values, procedure: Procedure) -> Prepared:
    """Rows with a known event (and, without imputation, with all terms known).

    Raises `StatisticsError` when a class is absent or a column is missing.
    """
    flags = as_floats(event, "event")
    if flags.size != len(table):
        raise StatisticsError(f"{len(table)} rows of predictors but {flags.size} events.")
    numbers = numeric_matrix(table, (*procedure.terms, *procedure.auxiliary))
    rows = ~np.isnan(flags)
    if procedure.imputation is None:
        numbers = numbers[:, : len(procedure.terms)]
        rows &= ~np.isnan(numbers).any(axis=1)
    events = as_events(flags[rows])
    if events.size == 0 or events.all() or not events.any():
        raise StatisticsError(f"Both classes are needed; {int(events.sum())} of {events.size} rows are events.")
    return Prepared(numbers[rows], events, rows)


def develop(numbers: FloatArray, events: BoolArray, procedure: Procedure, rng: np.random.Generator) -> Developed:
    """Run the procedure on bare numbers (n, k).

    A separated fit is penalised (Firth) and counted in `penalised`.  Raises `SingularError` for a level that a
    resample lacks, `StatisticsError` for a class that it lacks.
    """
    outcome = events.astype(np.float64)
    if outcome.min() == outcome.max():
        raise StatisticsError("Both classes are needed.")
    designs = complete(numbers, events, procedure, rng)
    width = designs.shape[2]
    names = tuple(term.name for term in procedure.terms)
    selected = np.arange(width)
    if procedure.rule is not None:
        selected = select_columns(designs, outcome, term_positions(procedure.terms), names, procedure.rule)
    # fit_each raises for a column without spread; testing first is cheaper than a failed factorisation.
    if selected.size and (np.ptp(designs[0][:, selected], axis=0) == 0).any():
        raise SingularError("A column is constant in these rows.")
    estimates, covariances, penalised = fit_each(designs[:, :, selected], outcome)
    beta = np.zeros(width + 1)
    beta[np.concatenate([[0], selected + 1])] = estimates.mean(axis=0)
    return Developed(designs, beta, selected, estimates, covariances, penalised)


def complete(numbers: FloatArray, events: BoolArray, procedure: Procedure, rng: np.random.Generator) -> FloatArray:
    """Completed design matrices without intercept, (m, n, p); the event is among the predictors of the imputation."""
    width = len(procedure.terms)
    if procedure.imputation is None:
        return expand_terms(numbers, procedure.terms)[np.newaxis]
    everything = (*procedure.terms, *procedure.auxiliary, _OUTCOME)
    methods = column_methods(everything, procedure.imputation)
    joined = np.column_stack([numbers, events.astype(np.float64)])
    return np.stack(
        [
            expand_terms(
                impute_numbers(joined, everything, methods, procedure.imputation, rng)[0][:, :width], procedure.terms
            )
            for _ in range(procedure.imputation.imputations)
        ]
    )


def develop_model(
    table: pd.DataFrame,
    event: Values,
    procedure: Procedure,
    *,
    seed: int,
    df: DegreesOfFreedom = "rubin",
    confidence: float = 0.95,
) -> DevelopedModel:
    """Develop on a table: coefficients pooled by Rubin's rules over the imputations.

    Raises as `prepare` and `develop`.
    """
    prepared = prepare(table, event, procedure)
    developed = develop(prepared.numbers, prepared.events, procedure, np.random.default_rng(seed))
    columns = tuple(column for term in procedure.terms for column in term.columns)
    positions = term_positions(procedure.terms)
    chosen = sorted({int(positions[column]) for column in developed.selected})
    kept = tuple(procedure.terms[position] for position in chosen)
    m, n = developed.designs.shape[:2]
    names = ("intercept", *(columns[column] for column in developed.selected))
    coefficients, pooled = pool_coefficients(names, developed.estimates, developed.covariances, n, df, confidence)
    predictors = developed.linear_predictors(developed.designs)
    mean_predictor = predictors.mean(axis=0)
    return DevelopedModel(
        columns=names,
        terms=tuple(term.name for term in kept),
        coefficients=coefficients,
        term_tests=pool_terms(kept, developed.estimates, developed.covariances),
        estimates=np.array([row.estimate for row in coefficients]),
        standard_errors=np.array([row.standard_error for row in coefficients]),
        pooled=pooled,
        linear_predictor=mean_predictor,
        probability=expit(mean_predictor),
        linear_predictors=predictors,
        rows=prepared.rows,
        n=int(n),
        events=int(prepared.events.sum()),
        m=int(m),
        method=f"{procedure}; seed {seed}",
        reason=f"{developed.penalised} of {m} fits were separated and penalised (Firth)."
        if developed.penalised
        else "",
    )


def events_per_parameter(events: int, n: int, parameters: int) -> float:
    """min(events, non-events) / parameters; NaN has no place here, so 0 parameters raise `StatisticsError`."""
    if parameters < 1 or n < 1 or not 0 <= events <= n or not math.isfinite(events):
        raise StatisticsError("Events per parameter need at least one parameter and 0 <= events <= n.")
    return min(events, n - events) / parameters
