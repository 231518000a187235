"""How a variable enters a regression: linear, as categories with a reference, or as a restricted cubic spline.

A term turns a column of the table into numbers (`numeric`: a category becomes its position in `levels`) and the
numbers into the columns of the design matrix (`expand`).  The two steps are apart because imputation and resampling
work on the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spongiosa.statistics.description import category_text
from spongiosa.statistics.samples import FloatArray, IntArray, StatisticsError, Values, as_floats, observed

DEFAULT_KNOT_QUANTILES: dict[int, tuple[float, ...]] = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
    6: (0.05, 0.23, 0.41, 0.59, 0.77, 0.95),
    7: (0.025, 0.1833, 0.3417, 0.50, 0.6583, 0.8167, 0.975),
}
"""Harrell, Regression Modeling Strategies (2nd ed. 2015), table 2.3."""


@dataclass(frozen=True)
class Linear:
    """A number that enters as it is."""

    name: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.name,)

    def numeric(self, values: Values) -> FloatArray:
        """Floats of shape (n,), NaN where missing."""
        return as_floats(values, self.name)

    def expand(self, numbers: FloatArray) -> FloatArray:
        """Design columns of shape (n, 1)."""
        return np.asarray(numbers[:, np.newaxis], dtype=np.float64)


@dataclass(frozen=True)
class Category:
    """A category with one indicator column per level but the reference."""

    name: str
    levels: tuple[str, ...]
    reference: str

    def __post_init__(self) -> None:
        if self.reference not in self.levels or len(self.levels) < 2 or len(set(self.levels)) < len(self.levels):
            raise StatisticsError(f"{self.name} needs two or more distinct levels, the reference among them.")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f"{self.name}={level}" for level in self.levels if level != self.reference)

    def numeric(self, values: Values) -> FloatArray:
        """Position in `levels` as a float, shape (n,), NaN where missing.

        Raises `StatisticsError` for a value that is no level.
        """
        texts = pd.Series(values).map(category_text, na_action="ignore")
        strange = sorted(set(texts.dropna()) - set(self.levels))
        if strange:
            raise StatisticsError(f"{self.name} has values outside its levels: {', '.join(strange)}.")
        position = {level: float(index) for index, level in enumerate(self.levels)}
        return np.asarray(texts.map(position).to_numpy(dtype=np.float64, na_value=np.nan))

    def expand(self, numbers: FloatArray) -> FloatArray:
        """Indicator columns of shape (n, levels - 1); a missing category is NaN in each."""
        others = [index for index, level in enumerate(self.levels) if level != self.reference]
        indicators = np.asarray(numbers[:, np.newaxis] == np.asarray(others), dtype=np.float64)
        indicators[np.isnan(numbers)] = np.nan
        return indicators


@dataclass(frozen=True)
class RestrictedCubicSpline:
    """A number that bends: cubic between the knots, linear beyond the first and last (k - 1 columns for k knots)."""

    name: str
    knots: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.knots) < 3 or list(self.knots) != sorted(set(self.knots)):
            raise StatisticsError(f"The spline of {self.name} needs at least 3 knots in rising order.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.name, *(f"{self.name}" + "'" * order for order in range(1, len(self.knots) - 1)))

    def numeric(self, values: Values) -> FloatArray:
        """Floats of shape (n,), NaN where missing."""
        return as_floats(values, self.name)

    def expand(self, numbers: FloatArray) -> FloatArray:
        """The variable itself and its k - 2 spline components, shape (n, k - 1).

            ((x - t_j)+^3 - (x - t_{k-1})+^3 (t_k - t_j) / (t_k - t_{k-1})
                          + (x - t_k)+^3 (t_{k-1} - t_j) / (t_k - t_{k-1})) / (t_k - t_1)^2

        Source: Harrell 2015, equation 2.25, scaled by the square of the knots' span as `rms::rcs`.
        """
        knots = self.knots
        last, before = knots[-1], knots[-2]

        def cubed(knot: float) -> FloatArray:
            return np.asarray(np.maximum(numbers - knot, 0.0) ** 3, dtype=np.float64)

        components = [
            cubed(knot)
            - cubed(before) * (last - knot) / (last - before)
            + cubed(last) * (before - knot) / (last - before)
            for knot in knots[:-2]
        ]
        return np.column_stack([numbers, *(component / (last - knots[0]) ** 2 for component in components)])


Term = Linear | Category | RestrictedCubicSpline


@dataclass(frozen=True)
class Design:
    """The design matrix without intercept: `matrix` (n, p), NaN where a predictor is missing.

    `term_of_column[j]` is the position in `terms` of the term that column j belongs to.
    """

    matrix: FloatArray
    columns: tuple[str, ...]
    terms: tuple[Term, ...]
    term_of_column: IntArray


def default_knots(values: Values, count: int) -> tuple[float, ...]:
    """Knots at Harrell's quantiles (R type 7) of the observed values.

    Raises `StatisticsError` for a count other than 3 to 7 or when ties make knots coincide.
    """
    if count not in DEFAULT_KNOT_QUANTILES:
        raise StatisticsError(f"There are default knots for 3 to 7 knots, not for {count}.")
    places = np.quantile(observed(values), DEFAULT_KNOT_QUANTILES[count])
    if np.unique(places).size < count:
        raise StatisticsError(f"Too many values are tied for {count} distinct knots.")
    return tuple(float(place) for place in places)


def numeric_matrix(table: pd.DataFrame, terms: Sequence[Term]) -> FloatArray:
    """One column of numbers per term, shape (n, len(terms)); raises `StatisticsError` for a missing column."""
    absent = [term.name for term in terms if term.name not in table.columns]
    if absent:
        raise StatisticsError(f"The table lacks the column(s) {', '.join(absent)}.")
    if not terms:
        raise StatisticsError("A regression needs at least one predictor.")
    return np.column_stack([term.numeric(table[term.name]) for term in terms])


def expand_terms(numbers: FloatArray, terms: Sequence[Term]) -> FloatArray:
    """The design columns of all terms side by side, shape (n, p)."""
    return np.column_stack([term.expand(numbers[:, position]) for position, term in enumerate(terms)])


def term_positions(terms: Sequence[Term]) -> IntArray:
    """For every design column the position of its term, shape (p,)."""
    return np.repeat(np.arange(len(terms)), [len(term.columns) for term in terms])


def build_design(table: pd.DataFrame, terms: Sequence[Term]) -> Design:
    """The design matrix of `terms` for every row of `table`."""
    return Design(
        matrix=expand_terms(numeric_matrix(table, terms), terms),
        columns=tuple(column for term in terms for column in term.columns),
        terms=tuple(terms),
        term_of_column=term_positions(terms),
    )
