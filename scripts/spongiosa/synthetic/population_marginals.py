"""Distributions of single clinical quantities, each a transform of a standard normal latent variable."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]


class Marginal(Protocol):
    """Distribution of one quantity; `values` maps standard normal draws to it, non-decreasing."""

    def values(self, latent: Floats) -> Floats:
        """Quantity at each latent value, same shape."""


@dataclass(frozen=True)
class Normal:
    """Normal distribution in the unit of the quantity."""

    mean: float
    sd: float

    def values(self, latent: Floats) -> Floats:
        return self.mean + self.sd * latent


@dataclass(frozen=True)
class TruncatedNormal:
    """Normal distribution cut at `low` and `high`; `mean` and `sd` are those that remain after the cut."""

    mean: float
    sd: float
    low: float
    high: float = np.inf

    @cached_property
    def _parent(self) -> tuple[float, float]:
        """Location and scale of the uncut normal distribution.

        Raises `ValueError` where no cut normal has this mean and SD (a cut distribution can't be as wide as it likes).
        """

        def misfit(parent: Floats) -> list[float]:
            location, scale = float(parent[0]), float(np.exp(parent[1]))
            cut = stats.truncnorm((self.low - location) / scale, (self.high - location) / scale, location, scale)
            return [(cut.mean() - self.mean) / self.sd, cut.std() / self.sd - 1.0]

        found = optimize.root(misfit, np.array([self.mean, np.log(self.sd)]))
        if not found.success or np.abs(misfit(found.x)).max() > 1e-6:
            raise ValueError(f"No normal cut to {self.low:g} ... {self.high:g} has mean {self.mean:g}, SD {self.sd:g}")
        return float(found.x[0]), float(np.exp(found.x[1]))

    def values(self, latent: Floats) -> Floats:
        location, scale = self._parent
        below, above = (float(stats.norm.cdf((end - location) / scale)) for end in (self.low, self.high))
        # Beyond 8 SD the upper tail can't be told from 1 in double precision.
        inside = below + stats.norm.cdf(np.clip(latent, -8.0, 8.0)) * (above - below)
        return np.asarray(location + scale * stats.norm.ppf(inside))


@dataclass(frozen=True)
class LogNormal:
    """Log-normal distribution whose own (not the logarithm's) mean and SD are given."""

    mean: float
    sd: float

    def values(self, latent: Floats) -> Floats:
        variance = np.log1p((self.sd / self.mean) ** 2)
        return np.asarray(np.exp(np.log(self.mean) - variance / 2.0 + np.sqrt(variance) * latent))


@dataclass(frozen=True)
class Event:
    """1 with `probability`, else 0; large latent values are events."""

    probability: float

    @property
    def threshold(self) -> float:
        return float(stats.norm.isf(self.probability))

    def values(self, latent: Floats) -> Floats:
        return (latent > self.threshold).astype(np.float64)


@dataclass(frozen=True)
class Grades:
    """Ordered grades with a count each; only the proportions matter."""

    grades: tuple[int, ...]
    counts: tuple[float, ...]

    def values(self, latent: Floats) -> Floats:
        cumulative = np.cumsum(self.counts)[:-1] / np.sum(self.counts)
        return np.asarray(self.grades, dtype=np.float64)[np.searchsorted(stats.norm.ppf(cumulative), latent)]
