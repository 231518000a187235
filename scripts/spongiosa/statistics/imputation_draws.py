"""One imputation of one column given the others: Bayesian linear, predictive mean matching, Bayesian logistic.

All three draw the coefficients from their approximate posterior, so that the imputations differ by as much as the
model is unsure.  Source: van Buuren, Flexible Imputation of Missing Data (2nd ed. 2018), algorithms 3.1, 3.3 and 3.4.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import expit

from spongiosa.statistics.logistic_solver import covariance_of, solve_logistic
from spongiosa.statistics.samples import BoolArray, FloatArray

# Keeps the normal equations solvable when a resample makes two predictors equal; 1e-5 of the diagonal moves no
# coefficient visibly (van Buuren 2018, section 3.2.2).
RIDGE = 1e-5

# A column of which less than this share of its length is left beside the columns before it is taken as dependent.
DEPENDENT = 1e-6


def draw_linear(
    design: FloatArray, observed: FloatArray, design_missing: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """x b* + e*, with b* and the residual SD drawn from their posterior; the designs have the intercept column."""
    _, drawn, sd = _draw_coefficients(design, observed, rng)
    return np.asarray(design_missing @ drawn + sd * rng.standard_normal(design_missing.shape[0]))


def draw_matched(
    design: FloatArray,
    observed: FloatArray,
    design_missing: FloatArray,
    rng: np.random.Generator,
    donors: int = 5,
) -> FloatArray:
    """An observed value of one of the `donors` patients with the nearest prediction (type 1 matching).

    Observed patients are predicted by the estimate, missing ones by the drawn coefficients.
    """
    estimate, drawn, _ = _draw_coefficients(design, observed, rng)
    # A random order first, so that patients with equal predictions are donors with equal chance.
    shuffled = rng.permutation(observed.size)
    fitted = (design @ estimate)[shuffled]
    order = np.argsort(fitted, kind="stable")
    fitted, values = fitted[order], observed[shuffled][order]
    wanted = design_missing @ drawn
    count = min(donors, values.size)
    # The nearest `count` predictions lie among the `count` on either side of the place in the sorted list.
    place = np.searchsorted(fitted, wanted)
    window = place[:, np.newaxis] + np.arange(-count, count)
    outside = (window < 0) | (window >= values.size)
    window = np.clip(window, 0, values.size - 1)
    distance = np.abs(fitted[window] - wanted[:, np.newaxis])
    distance[outside] = np.inf
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :count]
    choice = rng.integers(0, count, wanted.size)
    rows = np.arange(wanted.size)
    return np.asarray(values[window[rows, nearest[rows, choice]]])


def draw_logistic(
    design: FloatArray, observed: FloatArray, design_missing: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """0 or 1, with the coefficients drawn from the normal approximation of their posterior.

    Per predictor four pseudo-patients of small weight are added, at the mean but one SD up or down in that predictor,
    with and without the event, so that a resample with perfect prediction still has a finite posterior.
    Source: White, Daniel and Royston, Comput Stat Data Anal 54 (2010) 2267-2275.
    """
    independent = _independent_columns(design)
    design, design_missing = design[:, independent], design_missing[:, independent]
    augmented, outcome, weights = augment(design, observed)
    solution = solve_logistic(augmented, outcome, weights=weights)
    factor = np.linalg.cholesky(covariance_of(solution))
    drawn = solution.beta + factor @ rng.standard_normal(solution.beta.size)
    return (rng.random(design_missing.shape[0]) < expit(design_missing @ drawn)).astype(np.float64)


def _draw_coefficients(
    design: FloatArray, observed: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, float]:
    """Least-squares estimate, a draw from its posterior, and the residual SD drawn with it."""
    products = design.T @ design
    products[np.diag_indices_from(products)] *= 1 + RIDGE
    factor = np.linalg.cholesky(products)
    estimate = np.asarray(np.linalg.solve(products, design.T @ observed), dtype=np.float64)
    residuals = observed - design @ estimate
    df = max(observed.size - design.shape[1], 1)
    sd = math.sqrt(float(residuals @ residuals) / rng.chisquare(df))
    drawn = estimate + np.linalg.solve(factor.T, rng.standard_normal(estimate.size)) * sd
    return estimate, drawn, sd


def _independent_columns(design: FloatArray) -> BoolArray:
    """Which columns (p,) do not follow from those before them; PI = PT + SS would leave the draw without an answer."""
    length = np.maximum(np.linalg.norm(design, axis=0), np.finfo(np.float64).tiny)
    return np.asarray(np.abs(np.diag(np.linalg.qr(design / length, mode="r"))) > DEPENDENT, dtype=np.bool_)


def augment(design: FloatArray, observed: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Design, outcome and weights with the pseudo-patients of `draw_logistic` appended; their weights sum to p."""
    means, sds = design.mean(axis=0), design.std(axis=0, ddof=1)
    predictors = design.shape[1] - 1
    extra = np.tile(means, (4 * predictors, 1))
    for j in range(predictors):
        extra[4 * j : 4 * j + 2, j + 1] += sds[j + 1]
        extra[4 * j + 2 : 4 * j + 4, j + 1] -= sds[j + 1]
    outcome = np.concatenate([observed, np.tile([0.0, 1.0], 2 * predictors)])
    weight = (predictors + 1) / (4 * predictors) if predictors else 0.0
    weights = np.concatenate([np.ones(observed.size), np.full(4 * predictors, weight)])
    return np.vstack([design, extra]), outcome, weights
