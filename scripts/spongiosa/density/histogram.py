"""HU statistics of a region with sub-voxel weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spongiosa.volume import FloatArray


@dataclass(frozen=True)
class HuStatistics:
    """Weighted statistics of a region; HU unless the name says otherwise.

    `voxels` counts the voxels that the region touches, `effective_voxels` is the sum of their weights.
    """

    mean: float
    sd: float
    median: float
    p05: float
    p95: float
    voxels: int
    effective_voxels: float


def hu_statistics(hu: NDArray[np.number], weights: NDArray[np.floating]) -> HuStatistics:
    """Weighted statistics of the HU, shape (n,), with weights in (0, 1], shape (n,).

        mean = sum(w x) / sum(w),    sd = sqrt(sum(w (x - mean)^2) / (sum(w) - 1))

    The weights act as numbers of voxels, so that whole weights give the usual sample statistics.
    Raises `ValueError` when the weights sum to 1 voxel or less, for which an SD does not exist.
    """
    values = np.asarray(hu, dtype=np.float64)
    shares = np.asarray(weights, dtype=np.float64)
    total = float(shares.sum())
    if total <= 1.0:
        raise ValueError(f"a region of {total:.2f} effective voxels has no statistics")
    mean = float(shares @ values / total)
    variance = float(shares @ (values - mean) ** 2 / (total - 1.0))
    p05, median, p95 = weighted_quantiles(values, shares, np.array([0.05, 0.5, 0.95]))
    return HuStatistics(mean, variance**0.5, float(median), float(p05), float(p95), len(values), total)


def weighted_mean(hu: NDArray[np.number], weights: NDArray[np.floating]) -> float:
    """sum(w x) / sum(w).  Raises `ValueError` without weight."""
    total = float(np.sum(weights, dtype=np.float64))
    if total <= 0:
        raise ValueError("a region without weight has no mean")
    return float(np.asarray(weights, dtype=np.float64) @ np.asarray(hu, dtype=np.float64) / total)


def weighted_quantiles(values: FloatArray, weights: FloatArray, shares: FloatArray) -> FloatArray:
    """Quantiles of weighted values: linear between the values at the middles of their weights.

    A value stands at (weight before it + half of its own) / total weight; with equal weights that is type 5 of
    Hyndman and Fan, Am Stat 1996; 50: 361-365.
    """
    order = np.argsort(values, kind="stable")
    sorted_weights = weights[order]
    position = (np.cumsum(sorted_weights) - sorted_weights / 2) / sorted_weights.sum()
    return np.asarray(np.interp(shares, position, values[order]))
