"""Logistic model with a random intercept: events of levels or screws that share a patient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import expit, logsumexp

from spongiosa.statistics.logistic import LogisticCoefficient, coefficient, complete_design, fit_or_explain
from spongiosa.statistics.samples import BoolArray, FloatArray, IntArray, StatisticsError, Values, normal_quantile
from spongiosa.statistics.terms import Design

QUADRATURE_POINTS = 61
"""Nodes of the adaptive Gauss-Hermite rule; 15 do where clusters differ little, but at an SD of 4 logits, where the
integrand is far from normal, they leave 0.1 in the log likelihood and bumps in it; 61 leave 0.0005."""

# Above this SD of the intercepts (in logits) a cluster is all events or none: nothing is left for the predictors.
LARGEST_SD = 20.0


@dataclass(frozen=True)
class MixedLogisticFit:
    """Odds ratios within a patient; `between_sd` is the SD of the patients' intercepts in logits.

    `icc` is its share on the latent scale, s^2 / (s^2 + pi^2 / 3).
    """

    intercept: LogisticCoefficient
    coefficients: tuple[LogisticCoefficient, ...]
    covariance: FloatArray
    between_sd: float
    icc: float
    log_likelihood: float
    n: int
    events: int
    clusters: int
    method: str
    reason: str = ""


def random_intercept_logistic(
    design: Design, event: Values, cluster: Values, *, confidence: float = 0.95
) -> MixedLogisticFit:
    """logit P(y) = X b + s u_cluster, u standard normal, by maximum likelihood over the complete rows.

    The integral over u is taken by adaptive Gauss-Hermite quadrature around each cluster's mode; errors come from the
    curvature of the marginal likelihood.  `reason` says when s ends at 0.
    Source: Pinheiro and Bates, J Comput Graph Stat 4 (1995) 12-35, section 2.4 (lme4's `nAGQ`).
    Raises `StatisticsError` when no cluster has two rows, a class is absent, or the spread between clusters has no
    finite estimate; `SeparationError` and `SingularError` as `logistic_regression`.
    """
    quantile = normal_quantile(confidence)
    labels = pd.Series(cluster).reset_index(drop=True)
    if labels.size != design.matrix.shape[0]:
        raise StatisticsError(f"{design.matrix.shape[0]} rows but {labels.size} cluster labels.")
    matrix, events, complete = complete_design(design, event)
    if labels[complete].isna().any():
        raise StatisticsError(f"{int(labels[complete].isna().sum())} complete row(s) have no cluster.")
    groups = np.asarray(pd.factorize(labels[complete])[0], dtype=np.int64)
    if groups.max() < 1 or np.bincount(groups).max() < 2:
        raise StatisticsError("A random intercept needs two clusters, one of them with two rows.")
    plain = fit_or_explain(matrix, events, design.columns)
    # Columns of unit spread, so that the optimiser's steps mean the same in every direction.
    scale = np.maximum(matrix.std(axis=0), 1e-12)
    scale[0] = 1.0
    marginal = _Marginal(matrix / scale, events, groups)
    start = np.append(plain.beta * scale, 0.5)
    found = optimize.minimize(marginal.loss, start, method="BFGS", options={"gtol": 1e-6, "maxiter": 500})
    best = np.asarray(found.x, dtype=np.float64)
    spread = abs(float(best[-1]))
    if spread > LARGEST_SD or not math.isfinite(found.fun):
        raise StatisticsError("The clusters are all events or none, so the spread between them has no finite estimate.")
    is_at_zero = spread < 1e-3
    if is_at_zero:
        best[-1] = 0.0
    covariance = _inverse_curvature(marginal, best, is_at_zero)[: scale.size, : scale.size] / np.outer(scale, scale)
    rows = []
    for name, b, error in zip(
        ("intercept", *design.columns), best[:-1] / scale, np.sqrt(np.diag(covariance)), strict=True
    ):
        rows.append(coefficient(name, float(b), float(error), float(b - quantile * error), float(b + quantile * error)))
    return MixedLogisticFit(
        intercept=rows[0],
        coefficients=tuple(rows[1:]),
        covariance=covariance,
        between_sd=0.0 if is_at_zero else spread,
        icc=0.0 if is_at_zero else spread**2 / (spread**2 + math.pi**2 / 3),
        log_likelihood=-marginal.loss(best),
        n=int(events.size),
        events=int(events.sum()),
        clusters=int(groups.max()) + 1,
        method=f"random intercept, adaptive Gauss-Hermite quadrature ({QUADRATURE_POINTS} points), maximum likelihood, "
        f"Wald {confidence:.0%} CI",
        reason="The spread between clusters is 0: their rows are no more alike than chance." if is_at_zero else "",
    )


class _Marginal:
    """Minus the marginal log likelihood of (b, s), all clusters at once."""

    def __init__(self, matrix: FloatArray, events: BoolArray, groups: IntArray) -> None:
        self._matrix, self._events, self._groups = matrix, events.astype(np.float64), groups
        self._clusters = int(groups.max()) + 1
        self._nodes, weights = np.polynomial.hermite.hermgauss(QUADRATURE_POINTS)
        self._log_weights = np.log(weights) + self._nodes**2

    def loss(self, parameters: FloatArray) -> float:
        fixed, spread = self._matrix @ parameters[:-1], float(parameters[-1])
        mode, width = self._modes(fixed, spread)
        # u at each node of each cluster, (clusters, nodes)
        places = mode[:, np.newaxis] + math.sqrt(2) * width[:, np.newaxis] * self._nodes
        logits = fixed[:, np.newaxis] + spread * places[self._groups]
        terms = self._events[:, np.newaxis] * logits - np.logaddexp(0.0, logits)
        joint = np.zeros_like(places)
        np.add.at(joint, self._groups, terms)
        joint += self._log_weights - places**2 / 2
        per_cluster = logsumexp(joint, axis=1) + np.log(width) - 0.5 * math.log(math.pi)
        return -float(per_cluster.sum())

    def _modes(self, fixed: FloatArray, spread: float) -> tuple[FloatArray, FloatArray]:
        """Mode of u and the SD of its normal approximation per cluster, (clusters,) each, by guarded Newton steps."""
        u = np.zeros(self._clusters)
        # At the mode u = spread * sum(y - p), so it lies within spread * rows of 0.  Plain Newton steps can run to and
        # fro between the flat ends of the logistic curve for ever where the spread is large.
        highest = abs(spread) * np.bincount(self._groups, minlength=self._clusters)
        lowest, highest_slope = -highest, highest
        for turn in range(250):
            chance = expit(fixed + spread * u[self._groups])
            slope = spread * np.bincount(self._groups, self._events - chance, self._clusters) - u
            curvature = 1 + spread**2 * np.bincount(self._groups, chance * (1 - chance), self._clusters)
            # The slope falls strictly from a value of at most this size, so what is left of it is rounding.
            is_found = np.abs(slope) <= 1e-13 * (1 + highest_slope)
            if is_found.all():
                break
            lowest, highest = np.where(slope > 0, u, lowest), np.where(slope < 0, u, highest)
            proposed = u + slope / curvature
            # Halving now and then ends what Newton's steps only creep along.
            is_halved = turn > 12 and turn % 3 == 0
            is_inside = (proposed > lowest) & (proposed < highest) & (not is_halved)
            u = np.where(is_found, u, np.where(is_inside, proposed, (lowest + highest) / 2))
        return u, 1 / np.sqrt(curvature)


def _inverse_curvature(marginal: _Marginal, best: FloatArray, is_at_zero: bool) -> FloatArray:
    """Covariance from central second differences; at s = 0 the spread is held, for the likelihood is even in it."""
    size = best.size - 1 if is_at_zero else best.size
    width = 1e-3
    steps = width * np.eye(best.size)[:size]
    hessian = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            corners = (
                marginal.loss(best + steps[i] + steps[j])
                - marginal.loss(best + steps[i] - steps[j])
                - marginal.loss(best - steps[i] + steps[j])
                + marginal.loss(best - steps[i] - steps[j])
            )
            hessian[i, j] = hessian[j, i] = corners / (4 * width**2)
    try:
        inverse = np.linalg.inv(hessian)
    except np.linalg.LinAlgError as error:
        raise StatisticsError("The likelihood is flat: these clusters do not determine the model.") from error
    if (np.diag(inverse) <= 0).any():
        raise StatisticsError("The likelihood is flat: these clusters do not determine the model.")
    return np.asarray(inverse, dtype=np.float64)
