"""Do the predictors repeat each other?  VIF, tolerance, generalised VIF and Belsley's condition index."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spongiosa.statistics.samples import FloatArray, StatisticsError
from spongiosa.statistics.terms import Design


@dataclass(frozen=True)
class ColumnCollinearity:
    """VIF of one design column, from the regression of the column on all others; tolerance = 1 / VIF."""

    column: str
    vif: float
    tolerance: float


@dataclass(frozen=True)
class TermCollinearity:
    """Generalised VIF of a term; `comparable` = gvif^(1 / (2 df)) compares terms of different df."""

    term: str
    df: int
    gvif: float
    comparable: float


@dataclass(frozen=True)
class Collinearity:
    """Condition indices (p + 1,), rising, and the variance proportions (p + 1, p + 1): [index, intercept + column]."""

    columns: tuple[ColumnCollinearity, ...]
    terms: tuple[TermCollinearity, ...]
    condition_indices: FloatArray
    variance_proportions: FloatArray
    largest_condition_index: float
    n: int
    method: str


def collinearity(design: Design) -> Collinearity:
    """Collinearity diagnostics over the complete rows.

    Condition indices: columns with the intercept, scaled to unit length and not centred (SPSS); s_max / s_j.
    Sources: Belsley, Kuh and Welsch, Regression Diagnostics (1980), section 3.2; Fox and Monette, J Am Stat Assoc 87
    (1992) 178-183.  Raises `StatisticsError` with too few rows or when a column is constant or follows from others.
    """
    complete = design.matrix[~np.isnan(design.matrix).any(axis=1)]
    n, p = complete.shape
    if n < p + 2:
        raise StatisticsError(f"{n} complete rows are too few for {p} columns.")
    spread = complete.std(axis=0)
    flat = [name for name, sd in zip(design.columns, spread, strict=True) if sd == 0]
    if flat:
        raise StatisticsError(f"Constant: {', '.join(flat)}.")
    correlation = np.atleast_2d(np.corrcoef(complete, rowvar=False))
    if np.linalg.eigvalsh(correlation)[0] < 1e-12:
        raise StatisticsError("A predictor follows from the others, so its VIF is infinite.")
    vifs = np.diag(np.linalg.inv(correlation))
    scaled = np.column_stack([np.ones(n), complete])
    scaled = scaled / np.linalg.norm(scaled, axis=0)
    _, singular, v = np.linalg.svd(scaled, full_matrices=False)
    parts = (v / singular[:, np.newaxis]) ** 2
    indices = singular[0] / singular
    return Collinearity(
        columns=tuple(
            ColumnCollinearity(name, float(vif), float(1 / vif)) for name, vif in zip(design.columns, vifs, strict=True)
        ),
        terms=tuple(_generalised(design, position, correlation) for position in range(len(design.terms))),
        condition_indices=indices,
        variance_proportions=parts / parts.sum(axis=0),
        largest_condition_index=float(indices[-1]),
        n=n,
        method="VIF by least squares; condition index with intercept, unit length, not centred (Belsley)",
    )


def _generalised(design: Design, position: int, correlation: FloatArray) -> TermCollinearity:
    own = np.flatnonzero(design.term_of_column == position)
    rest = np.flatnonzero(design.term_of_column != position)
    df = int(own.size)
    if rest.size == 0:
        return TermCollinearity(design.terms[position].name, df, 1.0, 1.0)
    determinants = [float(np.linalg.det(correlation[np.ix_(block, block)])) for block in (own, rest)]
    gvif = math.prod(determinants) / float(np.linalg.det(correlation))
    return TermCollinearity(design.terms[position].name, df, gvif, gvif ** (1 / (2 * df)))
