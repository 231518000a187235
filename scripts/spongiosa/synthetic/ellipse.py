"""The largest ellipse inside an area of a plane."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from spongiosa.synthetic.placed import Ellipse

_RAYS = 180
_REACH_MM = 60.0


def largest_inscribed_ellipse(
    depth: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    origin: NDArray[np.float64],
    across: NDArray[np.float64],
    back: NDArray[np.float64],
) -> Ellipse | None:
    """Largest ellipse with axes along `across` and `back` inside {depth < 0} of the plane through `origin`.

    `depth` is a signed distance of LPS points (n, 3). The outline is found on rays from the deepest point; for a centre
    and an axis ratio the outline point nearest in that metric fixes the size, and Nelder-Mead finds the best three.
    Returns None when the plane holds no point of the area.
    """
    coarse = np.arange(-25.0, 25.1, 1.0)
    s, t = (g.ravel() for g in np.meshgrid(coarse, coarse))
    values = depth(origin + s[:, None] * across + t[:, None] * back)
    deepest = int(np.argmin(values))
    if values[deepest] >= 0.0:
        return None
    seed = np.array([s[deepest], t[deepest]])
    outline = _outline(lambda p: depth(origin + p[:, :1] * across + p[:, 1:] * back), seed)

    def minus_area(parameters: NDArray[np.float64]) -> float:
        x, y, log_ratio = parameters
        ratio = np.exp(log_ratio)
        size2 = ((outline[:, 0] - x) ** 2 + ((outline[:, 1] - y) / ratio) ** 2).min()
        return -float(size2 * ratio) if _contains(outline, x, y) else 0.0

    best = optimize.minimize(
        minus_area,
        np.array([*outline.mean(axis=0), np.log(0.7)]),
        method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-2, "maxiter": 400},
    )
    x, y, log_ratio = best.x
    ratio = float(np.exp(log_ratio))
    size = float(np.sqrt(-best.fun / ratio))
    if size <= 0.0:
        return None
    return Ellipse(origin + x * across + y * back, across * size, back * size * ratio)


def _outline(
    depth: Callable[[NDArray[np.float64]], NDArray[np.float64]], seed: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where rays from an inner point first leave the area, found to 1 um by stepping and bisection."""
    angles = np.arange(_RAYS) * 2.0 * np.pi / _RAYS
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    steps = np.arange(0.0, _REACH_MM, 0.5)
    walk = seed + steps[None, :, None] * directions[:, None, :]
    outside = depth(walk.reshape(-1, 2)).reshape(_RAYS, -1) >= 0.0
    outside[:, -1] = True
    first = outside.argmax(axis=1)
    far, near = steps[first], steps[np.maximum(first - 1, 0)]
    for _ in range(20):
        middle = (near + far) / 2.0
        is_out = depth(seed + middle[:, None] * directions) >= 0.0
        far, near = np.where(is_out, middle, far), np.where(is_out, near, middle)
    points: NDArray[np.float64] = seed + near[:, None] * directions
    return points


def _contains(outline: NDArray[np.float64], x: float, y: float) -> bool:
    """Whether the polygon holds a point (even-odd rule)."""
    x0, y0 = outline.T
    x1, y1 = np.roll(outline, -1, axis=0).T
    crosses = (y0 > y) != (y1 > y)
    at = x0 + (y - y0) * (x1 - x0) / np.where(y1 == y0, 1e-12, y1 - y0)
    return bool((crosses & (x < at)).sum() % 2)
