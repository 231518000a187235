"""Heights of a generated vertebral body on its exact surface, as a reader with a perfect image would take them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.vertebra_shape import BodyShape

#: Half widths of the strips in which the middle height is taken and the rims are sought.  [mm]
MIDDLE_STRIP_MM, RIM_STRIP_MM = 4.0, 8.0
#: Sampling across, along the depth and along the axis.  [mm]
STEPS_MM = (0.5, 0.1, 0.1)


def exact_heights(shape: BodyShape) -> tuple[float, float, float]:
    """Anterior, middle and posterior height of a body in its own frame.  [mm]

    In front and behind from rim to rim: on each sagittal line the point furthest towards endplate and edge (in the
    ratio 1 : 0.4) of the outer quarter, the median over lines.  In the middle from surface to surface, the mean over
    42 to 58 % of the depth.
    """
    u = np.arange(-RIM_STRIP_MM, RIM_STRIP_MM + 0.01, STEPS_MM[0])
    reach = 1.1 * shape.half_depth_mm
    v = np.arange(-reach, reach, STEPS_MM[1])
    across, behind = np.meshgrid(u, v)
    low = min(shape.inferior_anterior_mm, shape.inferior_posterior_mm) - 2.0
    high = max(shape.superior_anterior_mm, shape.superior_posterior_mm) + 2.0
    w = np.arange(low, high, STEPS_MM[2])
    distance = np.stack([_distance(shape, across, behind, height) for height in w], axis=-1)
    is_body = (distance < 0).any(axis=-1)
    top, bottom = _outermost(distance[..., ::-1], w[::-1]), _outermost(distance, w)
    middle = (top[len(v) // 2, len(u) // 2] + bottom[len(v) // 2, len(u) // 2]) / 2
    midline = v[_distance(shape, np.zeros_like(v), v, float(middle)) < 0]
    share = (behind - midline[0]) / (midline[-1] - midline[0])
    band = is_body & (np.abs(across) <= MIDDLE_STRIP_MM) & (share >= 0.42) & (share <= 0.58)

    def rim(where: NDArray[np.bool_], towards: float) -> float:
        lines = np.flatnonzero(where.any(axis=0))
        edge = 0.4 * towards * behind
        upper = np.nanargmax(np.where(where, top + edge, np.nan)[:, lines], axis=0)
        lower = np.nanargmax(np.where(where, edge - bottom, np.nan)[:, lines], axis=0)
        return float(np.median(top[upper, lines] - bottom[lower, lines]))

    front, back = rim(is_body & (share <= 0.25), -1.0), rim(is_body & (share >= 0.75), 1.0)
    return front, float((top - bottom)[band].mean()), back


def _distance(shape: BodyShape, u: NDArray[np.float64], v: NDArray[np.float64], w_mm: float) -> NDArray[np.float64]:
    """Signed distance to the body at one height, negative inside.  [mm]"""
    u, v, w = (each.astype(np.float32) for each in (u, v, np.full_like(u, w_mm)))
    return np.asarray(shape.distances(u, v, w)[0], dtype=np.float64)


def _outermost(distance: NDArray[np.float64], w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height where each line along the last axis first enters the body, between two samples; NaN where none does."""
    first = (distance < 0).argmax(axis=-1)
    before = np.maximum(first - 1, 0)
    outside, inside = (np.take_along_axis(distance, at[..., None], axis=-1)[..., 0] for at in (before, first))
    with np.errstate(invalid="ignore", divide="ignore"):
        crossing = w[before] + (w[first] - w[before]) * outside / (outside - inside)
    return np.where((distance < 0).any(axis=-1), crossing, np.nan)
