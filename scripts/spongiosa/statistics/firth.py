"""Firth's penalised logistic regression, which has finite estimates under separation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from scipy.special import expit

from spongiosa.statistics.logistic import (
    LogisticCoefficient,
    LogisticFit,
    TermTest,
    bracketed_limit,
    complete_design,
    summarise_fit,
    wald_chi_square,
)
from spongiosa.statistics.logistic_solver import (
    LogisticSolution,
    information_matrix,
    log_likelihood,
    separating_columns,
    solve_information,
)
from spongiosa.statistics.samples import BoolArray, FloatArray, StatisticsError, Values, normal_quantile
from spongiosa.statistics.terms import Design

MAX_ITERATIONS = 200


@dataclass(frozen=True)
class _Penalised:
    beta: FloatArray
    value: float
    information: FloatArray


def firth_regression(design: Design, event: Values, *, confidence: float = 0.95) -> LogisticFit:
    """Maximise log L + log det(I) / 2 (Jeffreys' prior) over the complete rows.

    Intervals from the profile of the penalised likelihood, P from the penalised likelihood ratio, as `logistf`.
    `reason` says whether the data are separated, and by which columns.
    `log_likelihood` is the penalised one, and so is the model's likelihood ratio against the intercept alone.
    Sources: Firth, Biometrika 80 (1993) 27-38; Heinze and Schemper, Stat Med 21 (2002) 2409-2419.
    Raises `SingularError` for dependent columns, `StatisticsError` when a class is absent.
    """
    normal_quantile(confidence)
    matrix, events, complete = complete_design(design, event)
    outcome = events.astype(np.float64)
    everything = np.ones(matrix.shape[1], dtype=bool)
    best = _maximise(matrix, outcome, np.zeros(matrix.shape[1]), everything)
    covariance = solve_information(best.information, np.eye(best.beta.size))
    critical = float(stats.chi2.ppf(confidence, 1))
    coefficients = []
    for j, name in enumerate(("intercept", *design.columns)):
        free = everything.copy()
        free[j] = False
        held = _Held(matrix, outcome, free, best, critical)
        step = math.sqrt(covariance[j, j]) * normal_quantile(confidence)
        estimate = float(best.beta[j])
        low = bracketed_limit(held.excess, estimate, -step)
        high = bracketed_limit(held.excess, estimate, step)
        ratio = max(held.loss(0.0), 0.0)
        coefficients.append(
            LogisticCoefficient(
                name, estimate, math.sqrt(covariance[j, j]), math.exp(estimate), math.exp(low), math.exp(high),
                ratio, float(stats.chi2.sf(ratio, 1)),
            )
        )  # fmt: skip
    tests = tuple(
        _term_test(design, position, matrix, outcome, best, covariance) for position in range(len(design.terms))
    )
    fit = summarise_fit(
        tuple(coefficients), tests, LogisticSolution(best.beta, best.information, best.value, False), covariance,
        matrix, events, complete,
        f"Firth's penalised likelihood, profile {confidence:.0%} CI, penalised likelihood-ratio P",
    )  # fmt: skip
    return _with_penalised_null(
        fit, matrix, outcome, best, [design.columns[c - 1] for c in separating_columns(matrix, events) if c]
    )


def _with_penalised_null(
    fit: LogisticFit, matrix: FloatArray, outcome: FloatArray, best: _Penalised, separating: list[str]
) -> LogisticFit:
    only_intercept = np.zeros(matrix.shape[1], dtype=bool)
    only_intercept[0] = True
    null = _maximise(matrix, outcome, np.zeros(matrix.shape[1]), only_intercept)
    ratio = 2 * (best.value - null.value)
    return replace(
        fit,
        null_log_likelihood=null.value,
        likelihood_ratio=ratio,
        likelihood_ratio_p=float(stats.chi2.sf(ratio, matrix.shape[1] - 1)),
        nagelkerke_r_squared=None,
        reason=f"Separated by {', '.join(separating)}: maximum likelihood is infinite." if separating else "",
    )


def solve_firth(matrix: FloatArray, outcome: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients (p,) and covariance (p, p) for a complete `matrix` (n, p) with its intercept column.

    For resampling and imputed data; `firth_regression` is the front door.  Raises as it does.
    """
    everything = np.ones(matrix.shape[1], dtype=bool)
    best = _maximise(matrix, outcome, np.zeros(matrix.shape[1]), everything)
    return best.beta, solve_information(best.information, np.eye(best.beta.size))


class _Held:
    """Twice the loss of penalised likelihood when one coefficient is held at a value."""

    def __init__(
        self, matrix: FloatArray, outcome: FloatArray, free: BoolArray, best: _Penalised, critical: float
    ) -> None:
        self._matrix, self._outcome, self._free, self._best = matrix, outcome, free, best
        self._critical = critical

    def excess(self, value: float) -> float:
        return self.loss(value) - self._critical

    def loss(self, value: float) -> float:
        # The free coefficients follow the held one along the ridge of the likelihood; starting where they were would
        # put fitted chances so near 0 and 1 that nothing is left to climb.
        free, held = self._free, ~self._free
        shift = value - self._best.beta[held]
        information = self._best.information
        start = np.where(free, self._best.beta, value)
        if free.any():
            start[free] -= solve_information(information[np.ix_(free, free)], information[np.ix_(free, held)] @ shift)
        at_rest = np.where(free, 0.0, value)
        start = max(start, at_rest, key=lambda beta: _penalised(self._matrix, self._outcome, beta)[0])
        return 2 * (self._best.value - _maximise(self._matrix, self._outcome, start, self._free).value)


def _maximise(matrix: FloatArray, outcome: FloatArray, start: FloatArray, free: BoolArray) -> _Penalised:
    """Newton steps with the modified score X' (y - p + h (1/2 - p)), the coefficients outside `free` held.

    Raises `StatisticsError` when 200 steps do not suffice.
    """
    beta = start.copy()
    value, information, score = _penalised(matrix, outcome, beta)
    for _ in range(MAX_ITERATIONS):
        step = np.zeros(beta.size)
        step[free] = solve_information(information[np.ix_(free, free)], score[free])
        # Steps of at most 5 in any coefficient-times-spread keep log det(I) finite far from the solution.
        reach = float(np.abs(matrix @ step).max())
        factor = min(1.0, 5.0 / reach) if reach > 0 else 1.0
        for _ in range(40):
            candidate = beta + factor * step
            new_value, new_information, new_score = _penalised(matrix, outcome, candidate)
            if new_value >= value - 1e-12 * (1 + abs(value)):
                break
            factor /= 2
        # The information is not the curvature of the penalty, so that a step may overshoot and the next one return for
        # ever; the secant of the slope along the step says how far to go instead.
        before, after = float(score @ step), float(new_score[free] @ step[free])
        if after < -0.1 * before:
            candidate = beta + factor * before / (before - after) * step
            new_value, new_information, new_score = _penalised(matrix, outcome, candidate)
        moved = float(np.abs(matrix @ (candidate - beta)).max())
        gained = abs(new_value - value)
        beta, value, information, score = candidate, new_value, new_information, new_score
        # Where the likelihood is all but flat the logits still creep after its value has settled.
        if moved < 1e-10 or (moved < 1e-8 and gained < 1e-14 * (1 + abs(value))):
            return _Penalised(beta, value, information)
    raise StatisticsError(f"Firth's penalised likelihood did not converge in {MAX_ITERATIONS} steps.")


def _penalised(matrix: FloatArray, outcome: FloatArray, beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    logits = matrix @ beta
    chance = expit(logits)
    information = information_matrix(matrix, chance)
    sign, log_determinant = np.linalg.slogdet(information)
    if sign <= 0:
        return -math.inf, information, np.zeros(beta.size)
    inverse = solve_information(information, np.eye(beta.size))
    leverage = chance * (1 - chance) * np.einsum("ij,jk,ik->i", matrix, inverse, matrix)
    score = matrix.T @ (outcome - chance + leverage * (0.5 - chance))
    return log_likelihood(logits, outcome) + log_determinant / 2, information, score


def _term_test(
    design: Design, position: int, matrix: FloatArray, outcome: FloatArray, best: _Penalised, covariance: FloatArray
) -> TermTest:
    columns = 1 + np.flatnonzero(design.term_of_column == position)
    free = np.ones(matrix.shape[1], dtype=bool)
    free[columns] = False
    reduced = _maximise(matrix, outcome, np.zeros(free.size), free)
    wald = wald_chi_square(best.beta[columns], covariance[np.ix_(columns, columns)])
    ratio, df = max(2 * (best.value - reduced.value), 0.0), int(columns.size)
    return TermTest(
        design.terms[position].name, df, wald, float(stats.chi2.sf(wald, df)), ratio, float(stats.chi2.sf(ratio, df))
    )
