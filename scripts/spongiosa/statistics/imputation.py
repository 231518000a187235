"""Multiple imputation by chained equations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from spongiosa.statistics.imputation_draws import draw_linear, draw_logistic, draw_matched
from spongiosa.statistics.logistic_solver import SingularError
from spongiosa.statistics.samples import BoolArray, FloatArray, StatisticsError
from spongiosa.statistics.terms import Category, Term, numeric_matrix

ImputationMethod = Literal["linear", "matched", "logistic"]


@dataclass(frozen=True)
class ImputationSettings:
    """How often and how long.  `methods` overrides the default of a column.

    Default per column: numbers by Bayesian linear regression (SPSS's default for scale variables), categories of two
    levels by logistic regression, of more levels by matching on the level's position.
    """

    imputations: int = 5
    iterations: int = 10
    donors: int = 5
    methods: tuple[tuple[str, ImputationMethod], ...] = ()

    def __post_init__(self) -> None:
        if min(self.imputations, self.iterations, self.donors) < 1:
            raise StatisticsError("imputations, iterations and donors must be at least 1.")


@dataclass(frozen=True)
class ColumnDiagnostics:
    """Observed against imputed values of a column, and Gelman and Rubin's R-hat of the chains' means.

    R-hat is NaN with a `reason` for a column without missing values or with a single chain.
    """

    column: str
    method: str
    missing: int
    observed_mean: float
    observed_sd: float
    imputed_mean: float
    imputed_sd: float
    r_hat: float
    reason: str = ""


@dataclass(frozen=True)
class Imputed:
    """`numbers` (m, n, k): completed columns in the numbers of their terms; `chain_means` (m, iterations, k)."""

    numbers: FloatArray
    was_missing: BoolArray
    chain_means: FloatArray
    diagnostics: tuple[ColumnDiagnostics, ...]
    method: str


def impute(table: pd.DataFrame, terms: Sequence[Term], settings: ImputationSettings, *, seed: int) -> Imputed:
    """Complete the columns of `terms` (list the outcome among them: its absence biases the others towards no effect).

    Every column with missing values is drawn in turn given all other columns, `iterations` times in each of
    `imputations` chains that start from random observed values.
    Source: van Buuren and Groothuis-Oudshoorn, J Stat Softw 45 (2011) no. 3.
    Raises `StatisticsError` when a column has nothing observed or a method does not fit a column.
    """
    numbers = numeric_matrix(table, terms)
    if numbers.shape[0] == 0:
        raise StatisticsError("The table has no rows to impute.")
    methods = column_methods(terms, settings)
    streams = np.random.default_rng(seed).spawn(settings.imputations)
    chains = [impute_numbers(numbers, terms, methods, settings, stream) for stream in streams]
    completed = np.stack([chain[0] for chain in chains])
    means = np.stack([chain[1] for chain in chains])
    missing = np.isnan(numbers)
    return Imputed(
        numbers=completed,
        was_missing=missing,
        chain_means=means,
        diagnostics=tuple(
            _diagnose(term.name, methods[j], numbers[:, j], completed[:, :, j], means[:, :, j])
            for j, term in enumerate(terms)
        ),
        method=f"chained equations, m = {settings.imputations}, {settings.iterations} iterations, seed {seed}: "
        + ", ".join(f"{term.name} {methods[j]}" for j, term in enumerate(terms) if missing[:, j].any()),
    )


def column_methods(terms: Sequence[Term], settings: ImputationSettings) -> tuple[ImputationMethod, ...]:
    """The method per column, checked: logistic is for categories of two levels and for 0/1 columns only."""
    wanted = dict(settings.methods)
    unknown = sorted(set(wanted) - {term.name for term in terms})
    if unknown:
        raise StatisticsError(f"Imputation methods name unknown column(s): {', '.join(unknown)}.")
    methods: list[ImputationMethod] = []
    for term in terms:
        levels = len(term.levels) if isinstance(term, Category) else 0
        default: ImputationMethod = "linear" if levels == 0 else "logistic" if levels == 2 else "matched"
        method = wanted.get(term.name, default)
        if method == "linear" and levels:
            raise StatisticsError(f"{term.name} is a category; impute it by 'logistic' or 'matched'.")
        if method == "logistic" and levels > 2:
            raise StatisticsError(f"{term.name} has {levels} levels; logistic imputation is for two.")
        methods.append(method)
    return tuple(methods)


def impute_numbers(
    numbers: FloatArray,
    terms: Sequence[Term],
    methods: Sequence[ImputationMethod],
    settings: ImputationSettings,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """One chain on bare numbers (n, k): the completed numbers (n, k) and the means of the imputed (iterations, k).

    Raises `StatisticsError` when a column has no observed value.
    """
    missing = np.isnan(numbers)
    completed = numbers.copy()
    incomplete = [int(column) for column in np.flatnonzero(missing.any(axis=0))]
    means = np.full((settings.iterations, numbers.shape[1]), np.nan)
    for column in incomplete:
        values = numbers[~missing[:, column], column]
        if values.size == 0:
            raise StatisticsError(f"{terms[column].name} has no observed value to impute from.")
        completed[missing[:, column], column] = rng.choice(values, int(missing[:, column].sum()))
    if not incomplete:
        return completed, means
    blocks = [term.expand(completed[:, position]) for position, term in enumerate(terms)]
    starts = np.concatenate([[1], 1 + np.cumsum([block.shape[1] for block in blocks])])
    design = np.column_stack([np.ones(numbers.shape[0]), *blocks])
    others = [np.delete(np.arange(design.shape[1]), np.arange(starts[c], starts[c + 1])) for c in range(len(terms))]
    for iteration in range(settings.iterations):
        for column in incomplete:
            gaps = missing[:, column]
            drawn = _draw(design[:, others[column]], completed[:, column], gaps, methods[column], settings, rng)
            completed[gaps, column] = drawn
            design[:, starts[column] : starts[column + 1]] = terms[column].expand(completed[:, column])
            means[iteration, column] = drawn.mean()
    return completed, means


def _draw(
    design: FloatArray,
    column: FloatArray,
    gaps: BoolArray,
    method: ImputationMethod,
    settings: ImputationSettings,
    rng: np.random.Generator,
) -> FloatArray:
    known = ~gaps
    predictors = design[known]
    # A level that no observed patient has, or a constant column, predicts nothing and makes the equations singular.
    varies = np.ptp(predictors, axis=0) > 0
    varies[0] = True
    predictors, wanted, values = predictors[:, varies], design[gaps][:, varies], column[known]
    if np.ptp(values) == 0:
        return np.full(wanted.shape[0], values[0])
    try:
        if method == "linear":
            return draw_linear(predictors, values, wanted, rng)
        if method == "matched":
            return draw_matched(predictors, values, wanted, rng, settings.donors)
        return draw_logistic(predictors, values, wanted, rng)
    except np.linalg.LinAlgError as error:
        raise SingularError(f"The other columns do not determine an imputation model ({error}).") from error


def _diagnose(
    name: str, method: str, numbers: FloatArray, completed: FloatArray, means: FloatArray
) -> ColumnDiagnostics:
    gaps = np.isnan(numbers)
    known = numbers[~gaps]
    spread = float(known.std(ddof=1)) if known.size > 1 else math.nan
    if not gaps.any():
        nan = math.nan
        return ColumnDiagnostics(name, "none", 0, float(known.mean()), spread, nan, nan, nan, "Nothing is missing.")
    imputed = completed[:, gaps]
    r_hat, reason = _r_hat(means)
    return ColumnDiagnostics(
        name, method, int(gaps.sum()), float(known.mean()), spread, float(imputed.mean()),
        float(imputed.std(ddof=1)) if imputed.size > 1 else math.nan, r_hat, reason,
    )  # fmt: skip


def _r_hat(means: FloatArray) -> tuple[float, str]:
    """Gelman and Rubin, Stat Sci 7 (1992) 457-472, on the second half of each chain of means (m, iterations)."""
    kept = means[:, means.shape[1] // 2 :]
    chains, length = kept.shape
    if chains < 2 or length < 2:
        return math.nan, "R-hat needs two chains of at least three iterations."
    within = float(kept.var(axis=1, ddof=1).mean())
    between = length * float(kept.mean(axis=1).var(ddof=1))
    if within == 0:
        return math.nan, "The chains do not move."
    return math.sqrt((length - 1) / length + between / (length * within)), ""
