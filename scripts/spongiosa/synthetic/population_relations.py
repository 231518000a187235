"""From published correlations and areas under the curve to the correlation of latent normal variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import integrate, optimize, stats

from spongiosa.synthetic.population_marginals import Event, Floats, Marginal

RelationKind = Literal["pearson", "spearman", "auc", "latent"]
_WIDEST = 0.999
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(48)
_PROBABILITIES = _WEIGHTS / _WEIGHTS.sum()


def latent_correlation(kind: RelationKind, value: float, first: Marginal, second: Marginal) -> float:
    """Correlation of the latent variables at which the quantities are related as `kind` says.

    `pearson` holds for the quantities themselves (Nataf transform, solved by quadrature); `spearman` for continuous
    ones, rho = 2 sin(pi rho_s / 6) (Pearson, 1907); `auc` is the area under the curve of `first` for the event
    `second` where HIGH values mean the event (an area below one half: low values do); `latent` is taken as it is.
    Raises `ValueError` where no correlation gives the value.
    """
    if kind == "latent":
        return value
    if kind == "spearman":
        return float(2.0 * np.sin(np.pi * value / 6.0))
    if kind == "auc":
        if not isinstance(second, Event):
            raise ValueError("An area under the curve needs an event as its second quantity")
        return _solved(lambda rho: area_under_curve(rho, second.probability) - value, f"AUC {value:g}")
    return _solved(lambda rho: _pearson(first, second, rho) - value, f"Pearson r {value:g}")


def area_under_curve(latent: float, probability: float) -> float:
    """AUC of a marker whose latent variable correlates by `latent` with that of an event of this probability.

    P(marker of an event > marker of a non-event) with P(event | z) = Phi((latent z - c) / sqrt(1 - latent^2)).
    """
    z = np.linspace(-8.0, 8.0, 4001)
    threshold = stats.norm.isf(probability)
    of_event = stats.norm.cdf((latent * z - threshold) / np.sqrt(1.0 - latent**2)) * stats.norm.pdf(z) / probability
    of_others = (stats.norm.pdf(z) - probability * of_event) / (1.0 - probability)
    below = integrate.cumulative_simpson(of_others, x=z, initial=0.0)
    return float(integrate.simpson(of_event * below, x=z))


def _pearson(first: Marginal, second: Marginal, rho: float) -> float:
    x = first.values(_NODES)
    joint = rho * _NODES[:, None] + np.sqrt(1.0 - rho**2) * _NODES[None, :]
    y, y_alone = second.values(joint), second.values(_NODES)
    covariance = _PROBABILITIES @ (x[:, None] * y) @ _PROBABILITIES - _mean(x) * _mean(y_alone)
    return float(covariance / np.sqrt(_variance(x) * _variance(y_alone)))


def _mean(values: Floats) -> float:
    return float(_PROBABILITIES @ values)


def _variance(values: Floats) -> float:
    return float(_PROBABILITIES @ (values - _mean(values)) ** 2)


def _solved(misfit, name: str) -> float:  # type: ignore[no-untyped-def]
    if misfit(-_WIDEST) > 0.0 or misfit(_WIDEST) < 0.0:
        raise ValueError(f"No correlation of these two distributions gives {name}")
    return float(optimize.brentq(misfit, -_WIDEST, _WIDEST, xtol=1e-6))


@dataclass(frozen=True)
class LatentModel:
    """Standard normal variables with a correlation matrix, drawn at random or with their sample moments matched."""

    correlation: Floats

    def __post_init__(self) -> None:
        lowest = float(np.linalg.eigvalsh(self.correlation).min())
        if lowest < 1e-6:
            raise ValueError(f"The correlations contradict each other (lowest eigenvalue {lowest:.3g})")

    def draw(self, count: int, generator: np.random.Generator) -> Floats:
        """Independent draws, shape (count, variables)."""
        white = generator.standard_normal((count, len(self.correlation)))
        return np.asarray(white @ np.linalg.cholesky(self.correlation).T)

    def draw_matched(self, count: int, generator: np.random.Generator) -> Floats:
        """Draws whose sample means are 0 and whose sample covariance is the correlation matrix itself.

        Raises `ValueError` where `count` does not exceed the number of variables: then no sample can be matched.
        """
        variables = len(self.correlation)
        if count <= variables:
            raise ValueError(f"{count} draws can not match the moments of {variables} variables")
        white = generator.standard_normal((count, variables))
        white -= white.mean(axis=0)
        whitening = np.linalg.inv(np.linalg.cholesky(np.cov(white, rowvar=False)))
        return np.asarray(white @ whitening.T @ np.linalg.cholesky(self.correlation).T)
