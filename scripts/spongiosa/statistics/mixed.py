"""Linear mixed model with a random intercept, for levels or screws measured several times in a patient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize

from spongiosa.statistics.linear import Coefficient, solve_least_squares
from spongiosa.statistics.samples import (
    FloatArray,
    StatisticsError,
    Values,
    as_floats,
    normal_quantile,
    two_sided_normal_p,
)
from spongiosa.statistics.terms import Design


@dataclass(frozen=True)
class MixedFit:
    """`between_sd` is the SD of the patients' intercepts, `within_sd` that of the residuals; `icc` their share."""

    coefficients: tuple[Coefficient, ...]
    covariance: FloatArray
    between_sd: float
    within_sd: float
    icc: float
    restricted_log_likelihood: float
    n: int
    clusters: int
    method: str
    reason: str = ""


def random_intercept_model(design: Design, outcome: Values, cluster: Values, *, confidence: float = 0.95) -> MixedFit:
    """y = X b + u_cluster + e by restricted maximum likelihood, over the complete rows.

    With lambda = between / within variance every cluster's covariance is s^2 (I + lambda J), whose inverse and
    determinant are closed forms, so the likelihood is profiled to the one unknown lambda.  Wald z intervals (as
    lme4 leaves it).  `reason` says when lambda ends at 0: the clusters are no more alike than chance.
    Source: Pinheiro and Bates, Mixed-Effects Models in S and S-PLUS (2000), section 2.2.
    Raises `StatisticsError` when no cluster has two rows, or columns depend on each other.
    """
    quantile = normal_quantile(confidence)
    y = as_floats(outcome, "outcome")
    labels = pd.Series(cluster).reset_index(drop=True)
    if not y.size == labels.size == design.matrix.shape[0]:
        raise StatisticsError("Predictors, outcome and clusters differ in length.")
    complete = ~np.isnan(design.matrix).any(axis=1) & ~np.isnan(y) & labels.notna().to_numpy()
    x = np.column_stack([np.ones(int(complete.sum())), design.matrix[complete]])
    groups = np.asarray(pd.factorize(labels[complete])[0])
    problem = _Profile(x, y[complete], groups, ("intercept", *design.columns))
    found = optimize.minimize_scalar(
        lambda root: -problem.at(root**2).value, bounds=(0.0, 100.0), method="bounded", options={"xatol": 1e-10}
    )
    # The bounded search never touches its end points, where the optimum is when clusters are not alike.
    inside, boundary = problem.at(float(found.x) ** 2), problem.at(0.0)
    best = boundary if boundary.value >= inside.value - 1e-10 * (1 + abs(inside.value)) else inside
    within = math.sqrt(best.within_variance)
    covariance = np.asarray(best.within_variance * np.linalg.inv(best.cross), dtype=np.float64)
    rows = tuple(
        Coefficient(
            name, float(b), e, float(b - quantile * e), float(b + quantile * e), float(b / e), two_sided_normal_p(b / e)
        )
        for name, b, e in zip(
            ("intercept", *design.columns), best.beta, np.sqrt(np.diag(covariance)).tolist(), strict=True
        )
    )
    ratio = best.variance_ratio
    return MixedFit(
        coefficients=rows,
        covariance=covariance,
        between_sd=within * math.sqrt(ratio),
        within_sd=within,
        icc=ratio / (1 + ratio),
        restricted_log_likelihood=best.value,
        n=int(complete.sum()),
        clusters=int(groups.max()) + 1,
        method=f"random intercept, restricted maximum likelihood, Wald {confidence:.0%} CI",
        reason="" if ratio > 1e-8 else "The variance between clusters is 0: their rows are no more alike than chance.",
    )


@dataclass(frozen=True)
class _State:
    variance_ratio: float
    value: float
    beta: FloatArray
    within_variance: float
    cross: FloatArray


class _Profile:
    """The restricted likelihood as a function of the variance ratio."""

    def __init__(self, x: FloatArray, y: FloatArray, groups: np.ndarray, names: tuple[str, ...]) -> None:
        n, p = x.shape
        if n <= p:
            raise StatisticsError(f"{n} complete rows are too few for {p} coefficients.")
        solve_least_squares(x, y, names)
        self._sizes = np.bincount(groups).astype(np.float64)
        if self._sizes.size < 2 or self._sizes.max() < 2:
            raise StatisticsError("A random intercept needs two clusters, one of them with two rows.")
        joined = np.column_stack([x, y])
        self._sums = np.zeros((self._sizes.size, p + 1))
        np.add.at(self._sums, groups, joined)
        self._products = joined.T @ joined
        self._n, self._p = n, p

    def at(self, ratio: float) -> _State:
        weights = ratio / (1 + ratio * self._sizes)
        products = self._products - (self._sums.T * weights) @ self._sums
        cross, right = products[:-1, :-1], products[:-1, -1]
        beta = np.asarray(np.linalg.solve(cross, right), dtype=np.float64)
        rss = float(products[-1, -1] - right @ beta)
        df = self._n - self._p
        if rss <= 1e-14 * float(self._products[-1, -1]):
            raise StatisticsError("The predictors and clusters explain the outcome without residual.")
        value = -0.5 * (
            df * (math.log(2 * math.pi * rss / df) + 1)
            + float(np.log1p(ratio * self._sizes).sum())
            + float(np.linalg.slogdet(cross)[1])
        )
        return _State(ratio, value, beta, rss / df, cross)
