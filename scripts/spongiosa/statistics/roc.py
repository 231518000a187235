"""The ROC curve and the area under it, with the direction given by the user and never flipped.

`direction="low"` says that low values of the marker mean the event (HU, bone density), `"high"` that high values do
(age, predicted risk).  A marker that points the other way has an AUC below 0.5, and that is reported as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from spongiosa.statistics.samples import (
    BoolArray,
    FloatArray,
    StatisticsError,
    Values,
    complete_cases,
    marker_and_event,
    normal_quantile,
    two_sided_normal_p,
)

Direction = Literal["low", "high"]


@dataclass(frozen=True)
class Auc:
    """Area under the ROC curve; `p_value` tests AUC = 0.5 with the null standard error (SPSS's asymptotic sig.)."""

    estimate: float
    ci_low: float
    ci_high: float
    standard_error: float
    p_value: float
    n: int
    events: int
    direction: str
    method: str
    reason: str = ""


@dataclass(frozen=True)
class AucDifference:
    """AUC of the first marker minus that of the second, on the same patients."""

    estimate: float
    ci_low: float
    ci_high: float
    standard_error: float
    statistic: float
    p_value: float
    auc_first: float
    auc_second: float
    n: int
    events: int
    method: str
    reason: str = ""


@dataclass(frozen=True)
class RocCurve:
    """The empirical curve from (0, 0) to (1, 1), arrays of shape (k + 1,) for k distinct values.

    `cut_off_observed[i]` is the value up to which (or from which) the test is positive, `cut_off_midpoint[i]` the
    midpoint to the next value; -inf or +inf stands where nobody or everybody is positive.
    """

    sensitivity: FloatArray
    specificity: FloatArray
    true_positive: FloatArray
    false_positive: FloatArray
    cut_off_observed: FloatArray
    cut_off_midpoint: FloatArray
    n: int
    events: int
    direction: str


def roc_curve(marker: Values, event: Values, *, direction: Direction) -> RocCurve:
    """Every point of the empirical curve over the complete pairs.

    Raises `StatisticsError` when one class is absent.
    """
    values, events = marker_and_event(marker, event)
    return _curve(values, events, direction)


def auc(marker: Values, event: Values, *, direction: Direction) -> float:
    """P(a patient with the event has the more pathological value) + half the probability of a tie."""
    values, events = marker_and_event(marker, event)
    return _area(oriented(values, direction), events)


def auc_delong(marker: Values, event: Values, *, direction: Direction, confidence: float = 0.95) -> Auc:
    """AUC with DeLong's standard error, limits cut at 0 and 1 (pROC's default).  O(n log n).

    Raises `StatisticsError` when one class is absent or has a single member.
    Sources: DeLong et al., Biometrics 44 (1988) 837-845; Sun and Xu, IEEE Signal Proc Lett 21 (2014) 1389-1393.
    """
    values, events = marker_and_event(marker, event)
    area, covariance = delong_covariance(oriented(values, direction)[np.newaxis], events)
    return _with_interval(
        float(area[0]), math.sqrt(covariance[0, 0]), events, direction, confidence, "DeLong standard error"
    )


def auc_spss(marker: Values, event: Values, *, direction: Direction, confidence: float = 0.95) -> Auc:
    """AUC with the nonparametric standard error that SPSS prints.

        V = [A (1 - A) + (n1 - 1)(Q1 - A^2) + (n0 - 1)(Q2 - A^2)] / (n1 n0)

    Q1 and Q2, the chances that two patients with (without) the event are both on the right side of one without
    (with), are counted in the data; e tied of g + e count g^2 + g e + e^2 / 3.
    Source: IBM SPSS Statistics Algorithms, ROC Curve; Bamber, J Math Psychol 12 (1975) 387-415.
    """
    values, events = marker_and_event(marker, event)
    score = oriented(values, direction)
    area = _area(score, events)
    levels, position = np.unique(score, return_inverse=True)
    with_event = np.bincount(position[events], minlength=levels.size).astype(np.float64)
    without = np.bincount(position[~events], minlength=levels.size).astype(np.float64)
    n1, n0 = with_event.sum(), without.sum()
    above = n1 - np.cumsum(with_event)
    below = np.cumsum(without) - without
    q1 = float((without * (above**2 + above * with_event + with_event**2 / 3)).sum() / (n0 * n1**2))
    q2 = float((with_event * (below**2 + below * without + without**2 / 3)).sum() / (n1 * n0**2))
    variance = (area * (1 - area) + (n1 - 1) * (q1 - area**2) + (n0 - 1) * (q2 - area**2)) / (n1 * n0)
    error = math.sqrt(max(float(variance), 0.0))
    return _with_interval(area, error, events, direction, confidence, "SPSS nonparametric standard error")


def auc_hanley_mcneil(area: float, events: int, non_events: int) -> float:
    """Standard error of a printed AUC by Hanley and McNeil's exponential approximation, for checking papers.

    Q1 = A / (2 - A), Q2 = 2 A^2 / (1 + A).  Source: Hanley and McNeil, Radiology 143 (1982) 29-36.
    """
    if not 0 <= area <= 1 or min(events, non_events) < 1:
        raise StatisticsError("An AUC between 0 and 1 and at least one patient per class are needed.")
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (events - 1) * (q1 - area**2) + (non_events - 1) * (q2 - area**2)
    return math.sqrt(variance / (events * non_events))


def auc_null_p(area: float, events: int, non_events: int) -> float:
    """P of AUC = 0.5 as SPSS prints it: the SE under the null is sqrt((n1 + n0 + 1) / (12 n1 n0))."""
    null_error = math.sqrt((events + non_events + 1) / (12 * events * non_events))
    return two_sided_normal_p((area - 0.5) / null_error)


def compare_delong(
    first: Values,
    second: Values,
    event: Values,
    *,
    direction_first: Direction,
    direction_second: Direction,
    confidence: float = 0.95,
) -> AucDifference:
    """DeLong's paired test of two markers on the patients who have both.

    z = (A1 - A2) / sqrt(V11 + V22 - 2 V12).  Raises `StatisticsError` when a class has fewer than two members.
    """
    a, b, flags = complete_cases(first, second, event, names=("first marker", "second marker", "event"))
    _, events = marker_and_event(a, flags)
    scores = np.vstack([oriented(a, direction_first), oriented(b, direction_second)])
    areas, covariance = delong_covariance(scores, events)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = float(areas[0] - areas[1])
    # Two markers that rank the patients alike have a variance of rounding only.
    error = math.sqrt(variance) if variance > 1e-16 else 0.0
    method = f"DeLong's paired test, {confidence:.0%} CI"
    size, count = int(events.size), int(events.sum())
    first_area, second_area = float(areas[0]), float(areas[1])
    if error == 0:
        reason = "The two curves do not vary against each other, so the difference has no standard error."
        z = p_value = math.nan
    else:
        reason, z = "", difference / error
        p_value = two_sided_normal_p(z)
    margin = normal_quantile(confidence) * error
    return AucDifference(
        difference, difference - margin, difference + margin, error, z, p_value,
        first_area, second_area, size, count, method, reason,
    )  # fmt: skip


def delong_covariance(scores: FloatArray, events: BoolArray) -> tuple[FloatArray, FloatArray]:
    """AUCs (m,) and their covariance (m, m) of m scores (m, n) in which high values mean the event.

    From the placement values, computed by midranks (Sun and Xu 2014).
    """
    n1, n0 = int(events.sum()), int((~events).sum())
    if min(n1, n0) < 2:
        raise StatisticsError(f"DeLong's variance needs two patients per class, but there are {n1} and {n0}.")
    placed_events = np.empty((scores.shape[0], n1))
    placed_others = np.empty((scores.shape[0], n0))
    for row, score in enumerate(scores):
        ranks = stats.rankdata(score)
        placed_events[row] = (ranks[events] - stats.rankdata(score[events])) / n0
        placed_others[row] = 1 - (ranks[~events] - stats.rankdata(score[~events])) / n1
    covariance = np.atleast_2d(np.cov(placed_events)) / n1 + np.atleast_2d(np.cov(placed_others)) / n0
    return placed_events.mean(axis=1), covariance


def oriented(values: FloatArray, direction: Direction) -> FloatArray:
    """The marker turned so that high values mean the event."""
    if direction == "high":
        return values
    if direction == "low":
        return -values
    raise StatisticsError(f"direction must be 'low' or 'high', but is {direction!r}.")


def markers_side_by_side(
    markers: dict[str, Values], event: Values, *, directions: dict[str, Direction], confidence: float = 0.95
) -> tuple[tuple[str, str, AucDifference], ...]:
    """Every pair of markers compared by DeLong's test; each pair on the patients who have both."""
    names: Sequence[str] = tuple(markers)
    return tuple(
        (
            one,
            other,
            compare_delong(
                markers[one],
                markers[other],
                event,
                direction_first=directions[one],
                direction_second=directions[other],
                confidence=confidence,
            ),
        )
        for position, one in enumerate(names)
        for other in names[position + 1 :]
    )


def _area(score: FloatArray, events: BoolArray) -> float:
    ranks = stats.rankdata(score)
    n1, n0 = int(events.sum()), int((~events).sum())
    return float((ranks[events].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def _curve(values: FloatArray, events: BoolArray, direction: Direction) -> RocCurve:
    score = oriented(values, direction)
    levels, position = np.unique(score, return_inverse=True)
    # From the most pathological value downwards; the first point calls nobody positive.
    with_event = np.bincount(position[events], minlength=levels.size)[::-1]
    without = np.bincount(position[~events], minlength=levels.size)[::-1]
    true_positive = np.concatenate([[0.0], np.cumsum(with_event)])
    false_positive = np.concatenate([[0.0], np.cumsum(without)])
    sign = 1.0 if direction == "high" else -1.0
    descending = levels[::-1]
    observed = sign * np.concatenate([[math.inf], descending])
    middles = (descending[:-1] + descending[1:]) / 2
    midpoint = sign * np.concatenate([[math.inf], middles, [-math.inf]])
    return RocCurve(
        sensitivity=true_positive / true_positive[-1],
        specificity=1 - false_positive / false_positive[-1],
        true_positive=true_positive,
        false_positive=false_positive,
        cut_off_observed=observed,
        cut_off_midpoint=midpoint,
        n=int(events.size),
        events=int(events.sum()),
        direction=direction,
    )


def _with_interval(
    area: float, error: float, events: BoolArray, direction: Direction, confidence: float, method: str
) -> Auc:
    margin = normal_quantile(confidence) * error
    count, size = int(events.sum()), int(events.size)
    reason = ""
    if error == 0:
        reason = "The AUC is exactly 0, 0.5 or 1, its standard error 0; the interval has no width and says nothing."
    return Auc(
        estimate=area,
        ci_low=max(0.0, area - margin),
        ci_high=min(1.0, area + margin),
        standard_error=error,
        p_value=auc_null_p(area, count, size - count),
        n=size,
        events=count,
        direction=direction,
        method=f"{method}, {confidence:.0%} CI; P with the standard error under AUC = 0.5",
        reason=reason,
    )
