"""Area under a part of the ROC curve, between two specificities or two sensitivities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spongiosa.statistics.roc import Direction, RocCurve, roc_curve
from spongiosa.statistics.samples import FloatArray, StatisticsError, Values, marker_and_event

Focus = Literal["specificity", "sensitivity"]


@dataclass(frozen=True)
class PartialAuc:
    """`estimate` is the raw area; `corrected` is McClish's, 0.5 for chance and 1 for perfection."""

    estimate: float
    corrected: float
    ci_low: float
    ci_high: float
    low: float
    high: float
    focus: str
    n: int
    events: int
    method: str
    reason: str = ""


def partial_auc(
    marker: Values,
    event: Values,
    *,
    direction: Direction,
    low: float,
    high: float,
    focus: Focus = "specificity",
    seed: int,
    draws: int = 2000,
    confidence: float = 0.95,
) -> PartialAuc:
    """Partial AUC over `focus` between `low` and `high`, the curve interpolated linearly (pROC's `partial.auc`).

    corrected = (1 + (A - min) / (max - min)) / 2, min and max the areas of chance and of a perfect curve.  Interval
    of the raw area: percentile of a stratified bootstrap.
    Source: McClish, Med Decis Making 9 (1989) 190-195.
    Raises `StatisticsError` when one class is absent or the range is not inside 0 to 1.
    """
    if not 0 <= low < high <= 1:
        raise StatisticsError(f"The range must satisfy 0 <= low < high <= 1, but is {low} to {high}.")
    values, events = marker_and_event(marker, event)
    curve = roc_curve(values, events, direction=direction)
    area = _area_between(curve, low, high, focus)
    chance = ((1 - low) ** 2 - (1 - high) ** 2) / 2
    corrected = (1 + (area - chance) / (high - low - chance)) / 2
    rng = np.random.default_rng(seed)
    with_event, without = values[events], values[~events]
    labels = np.repeat([True, False], [with_event.size, without.size])
    areas: FloatArray = np.empty(draws)
    for draw in range(draws):
        resample = np.concatenate([rng.choice(with_event, with_event.size), rng.choice(without, without.size)])
        areas[draw] = _area_between(roc_curve(resample, labels, direction=direction), low, high, focus)
    limits = np.quantile(areas, [(1 - confidence) / 2, (1 + confidence) / 2])
    return PartialAuc(
        estimate=area,
        corrected=corrected if area >= chance else math.nan,
        ci_low=float(limits[0]),
        ci_high=float(limits[1]),
        low=low,
        high=high,
        focus=focus,
        n=int(events.size),
        events=int(events.sum()),
        method=f"partial AUC, {focus} {low:g} to {high:g}; stratified bootstrap, {draws} draws, seed {seed}, "
        f"percentile {confidence:.0%} CI; McClish correction",
        reason="" if area >= chance else "The curve lies below chance here, where McClish's correction is undefined.",
    )


def _area_between(curve: RocCurve, low: float, high: float, focus: Focus) -> float:
    """Trapezoid between the limits on the focused axis, its ends interpolated."""
    if focus == "specificity":
        along, across = 1 - curve.specificity, curve.sensitivity
        start, stop = 1 - high, 1 - low
    elif focus == "sensitivity":
        # Specificity as a function of 1 - sensitivity: the same curve seen from the other class.
        along, across = (1 - curve.sensitivity)[::-1], curve.specificity[::-1]
        start, stop = 1 - high, 1 - low
    else:
        raise StatisticsError(f"focus must be 'specificity' or 'sensitivity', but is {focus!r}.")
    inside = (along > start) & (along < stop)
    ends = [_height(along, across, start, last=True), _height(along, across, stop, last=False)]
    x = np.concatenate([[start], along[inside], [stop]])
    y = np.concatenate([[ends[0]], across[inside], [ends[1]]])
    return float(np.trapezoid(y, x))


def _height(along: FloatArray, across: FloatArray, position: float, *, last: bool) -> float:
    """Curve height at `position`; on a vertical step its upper (`last`) or lower end."""
    exact = np.flatnonzero(np.isclose(along, position, rtol=0, atol=1e-12))
    if exact.size:
        return float(across[exact[-1 if last else 0]])
    return float(np.interp(position, along, across))
