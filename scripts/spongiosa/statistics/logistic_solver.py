"""Maximum likelihood of the logistic model on plain arrays, and the detection of separation.

Here arrays have no missing values and the design has its intercept column; `logistic.py` is the front door.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dposv
from scipy.optimize import linprog
from scipy.special import expit

from spongiosa.statistics.samples import BoolArray, FloatArray, StatisticsError

MAX_ITERATIONS = 60
# Where fitted chances come this close to 0 or 1 (logit 15: 3 in 10 million) the fit may be running to infinity.
SUSPICIOUS_LOGIT = 15.0


class SeparationError(StatisticsError):
    """Predictors divide events from non-events without overlap, so that maximum likelihood has no finite answer."""


class SingularError(StatisticsError):
    """A column is constant or follows from the others."""


@dataclass(frozen=True)
class LogisticSolution:
    """Coefficients (p,), information matrix (p, p) at them, log likelihood; `is_suspicious`: maybe separated."""

    beta: FloatArray
    information: FloatArray
    log_likelihood: float
    is_suspicious: bool


def log_likelihood(logits: FloatArray, events: FloatArray, weights: FloatArray | float = 1.0) -> float:
    """sum(w (y eta - log(1 + exp(eta))))."""
    return float((weights * (events * logits - np.logaddexp(0.0, logits))).sum())


def solve_logistic(
    design: FloatArray,
    events: FloatArray,
    *,
    offset: FloatArray | None = None,
    start: FloatArray | None = None,
    weights: FloatArray | float = 1.0,
) -> LogisticSolution:
    """Newton's method with step halving for `design` (n, p), `events` (n,) of 0.0 and 1.0, `weights` per row.

    Stops when the log likelihood changes by less than 1e-12 of itself, after one more step, so that coefficients are
    exact to about 1e-12.  Raises `SingularError` when the information matrix cannot be inverted.
    """
    base = np.zeros(events.size) if offset is None else offset
    beta = np.zeros(design.shape[1]) if start is None else start.copy()
    logits = design @ beta + base
    value = log_likelihood(logits, events, weights)
    is_converged = False
    for _ in range(MAX_ITERATIONS):
        chance = expit(logits)
        step = solve_information(information_matrix(design, chance, weights), design.T @ (weights * (events - chance)))
        factor = 1.0
        while True:
            candidate = beta + factor * step
            candidate_logits = design @ candidate + base
            candidate_value = log_likelihood(candidate_logits, events, weights)
            if candidate_value >= value - 1e-10 * (1 + abs(value)) or factor < 1e-4:
                break
            factor /= 2
        change = abs(candidate_value - value)
        beta, logits, value = candidate, candidate_logits, candidate_value
        if is_converged or np.abs(logits).max() > 30:
            break
        is_converged = change < 1e-12 * (1 + abs(value))
    return LogisticSolution(
        beta=beta,
        information=information_matrix(design, expit(logits), weights),
        log_likelihood=value,
        is_suspicious=not is_converged or bool(np.abs(logits).max() > SUSPICIOUS_LOGIT),
    )


def information_matrix(design: FloatArray, chance: FloatArray, weights: FloatArray | float = 1.0) -> FloatArray:
    """X' W X with W = w p (1 - p), shape (p, p)."""
    return np.asarray((design.T * (weights * chance * (1 - chance))) @ design, dtype=np.float64)


def solve_information(information: FloatArray, right: FloatArray) -> FloatArray:
    """Solve after scaling to a unit diagonal, so that units (years, HU, ratios) do not decide about singularity."""
    diagonal = np.diag(information)
    if not (diagonal > 0).all():
        raise SingularError("A column of the design is zero where the model is not certain.")
    scale = 1 / np.sqrt(diagonal)
    scaled = right * (scale if right.ndim == 1 else scale[:, np.newaxis])
    # LAPACK directly: the wrappers of numpy and scipy take longer than the arithmetic for a handful of coefficients.
    factor, solution, failure = dposv(information * scale * scale[:, np.newaxis], scaled)
    if failure != 0 or np.diag(factor).min() < 1e-7:
        raise SingularError("A predictor is constant or follows from the others.")
    return np.asarray(solution * (scale if right.ndim == 1 else scale[:, np.newaxis]), dtype=np.float64)


def covariance_of(solution: LogisticSolution) -> FloatArray:
    """Inverse of the information matrix, (p, p)."""
    return solve_information(solution.information, np.eye(solution.beta.size))


def separating_columns(design: FloatArray, events: BoolArray) -> tuple[int, ...]:
    """Columns of a direction that separates the classes completely or quasi-completely; empty when they overlap.

    A direction b separates when (2 y - 1) x b >= 0 for every row and > 0 for one; a linear programme finds the best
    one.  Source: Konis, Computational algorithms for detecting infinite estimates (thesis, Oxford 2007), chapter 4.
    """
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1.0
    signed = (design / scale) * np.where(events, 1.0, -1.0)[:, np.newaxis]
    found = linprog(
        -signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(events.size), bounds=[(-1.0, 1.0)] * design.shape[1],
        method="highs",
    )  # fmt: skip
    if not found.success or found.fun is None or found.x is None:
        raise StatisticsError(f"The search for separation failed: {found.message}")
    if -found.fun <= 1e-7:
        return ()
    return tuple(int(column) for column in np.flatnonzero(np.abs(found.x) > 1e-7))
