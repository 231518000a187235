"""Semi-global matching: one index per place of a grid, neighbours agreeing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spongiosa.anatomy.frame import FloatArray

#: Cost of a change by one index between neighbours, and of a larger one.
SMOOTH_STEP, SMOOTH_JUMP = 0.06, 0.6


def semi_global(cost: FloatArray, wraps: bool) -> NDArray[np.intp]:
    """Index along the last axis of least cost, shape (n, m), with neighbours along both first axes agreeing.

    Semi-global matching over four directions: a change by one step costs SMOOTH_STEP, a larger one SMOOTH_JUMP.
    `wraps` closes the first axis to a ring.
    """
    total = np.zeros_like(cost)
    for axis in (0, 1):
        turned = np.moveaxis(cost, axis, 0)
        ring = wraps and axis == 0
        for backwards in (False, True):
            ordered = turned[::-1] if backwards else turned
            paths = _aggregated(np.concatenate([ordered, ordered]) if ring else ordered)
            paths = paths[len(ordered) :] if ring else paths
            total += np.moveaxis(paths[::-1] if backwards else paths, 0, axis)
    cheapest: NDArray[np.intp] = np.argmin(total, axis=2)
    return cheapest


def _aggregated(cost: FloatArray) -> FloatArray:
    """Path costs along axis 0 with the smoothness penalties over the last axis."""
    result = np.empty_like(cost)
    result[0] = cost[0]
    for place in range(1, len(cost)):
        before = result[place - 1]
        least = before.min(axis=-1, keepdims=True)
        step = np.full_like(before, np.inf)
        step[..., 1:] = before[..., :-1] + SMOOTH_STEP
        step[..., :-1] = np.minimum(step[..., :-1], before[..., 1:] + SMOOTH_STEP)
        result[place] = cost[place] + np.minimum(np.minimum(before, step), least + SMOOTH_JUMP) - least
    return result
