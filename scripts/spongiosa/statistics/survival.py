"""Time to an event with patients whose follow-up ends before it: Cox regression and concordance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize

from spongiosa.statistics.samples import (
    BoolArray,
    FloatArray,
    StatisticsError,
    Values,
    as_events,
    as_floats,
    normal_quantile,
    two_sided_normal_p,
)

#: A standardised coefficient beyond this has no finite estimate: the predictor parts events from the rest.
LARGEST_COEFFICIENT = 12.0


@dataclass(frozen=True)
class HazardRatio:
    """Hazard ratio per unit of a predictor, with Wald interval and P."""

    name: str
    hazard_ratio: float
    ci_low: float
    ci_high: float
    p_value: float


@dataclass(frozen=True)
class CoxFit:
    """Proportional hazards over the complete rows; `concordance` is Harrell's C of the linear predictor."""

    coefficients: tuple[HazardRatio, ...]
    concordance: float
    n: int
    events: int
    method: str


def cox_regression(time: Values, event: Values, predictors: pd.DataFrame, *, confidence: float = 0.95) -> CoxFit:
    """Cox's model by maximum partial likelihood with Efron's treatment of tied times.

    `time` > 0 is that of the event or of the end of follow-up.  Rows with a missing value are dropped.  Raises
    `StatisticsError` for times of 0 or less, without events, for a constant predictor, or when a coefficient has no
    finite estimate.  Sources: Cox, J R Stat Soc B 34 (1972) 187-220; Efron, J Am Stat Assoc 72 (1977) 557-565.
    """
    times, flags = as_floats(time, "time"), as_floats(event, "event")
    columns = [as_floats(predictors[name], str(name)) for name in predictors]
    complete = ~np.isnan(np.vstack([times, flags, *columns])).any(axis=0)
    if not complete.any():
        raise StatisticsError("No row is complete.")
    times, events = times[complete], as_events(flags[complete])
    matrix = np.column_stack([column[complete] for column in columns])
    if (times <= 0).any():
        raise StatisticsError(f"{int((times <= 0).sum())} time(s) are 0 or less.")
    if not events.any():
        raise StatisticsError(f"None of the {events.size} complete rows has the event.")
    scale = matrix.std(axis=0)
    if (scale <= 1e-12 * np.maximum(np.abs(matrix).max(axis=0), 1e-300)).any():
        raise StatisticsError(f"{predictors.columns[int(scale.argmin())]} is constant.")
    standard = (matrix - matrix.mean(axis=0)) / scale
    likelihood = _Partial(times, events, standard)
    found = optimize.minimize(
        likelihood.loss, np.zeros(scale.size), jac=likelihood.slope, hess=likelihood.curvature, method="trust-exact",
        options={"gtol": 1e-8},
    )  # fmt: skip
    best = np.asarray(found.x, dtype=np.float64)
    is_top = np.abs(likelihood.slope(best)).max() < 1e-4  # of a log likelihood: far below a coefficient's error
    if not is_top or np.abs(best).max() > LARGEST_COEFFICIENT:
        raise StatisticsError("A predictor parts events from the rest, so a hazard ratio has no finite estimate.")
    covariance = np.linalg.inv(likelihood.curvature(best))
    quantile = normal_quantile(confidence)
    rows = []
    for name, b, error in zip(predictors.columns, best / scale, np.sqrt(np.diag(covariance)) / scale, strict=True):
        limits = np.exp([b - quantile * error, b + quantile * error])
        rows.append(
            HazardRatio(str(name), float(np.exp(b)), float(limits[0]), float(limits[1]), two_sided_normal_p(b / error))
        )
    return CoxFit(
        tuple(rows), concordance(times, events, standard @ best), int(events.size), int(events.sum()),
        f"Cox regression, Efron's ties, Wald {confidence:.0%} CI",
    )  # fmt: skip


def concordance(time: FloatArray, event: BoolArray, risk: FloatArray) -> float:
    """Harrell's C: of the pairs whose order in time is known, the share in which the earlier had the higher risk.

    Ties of the risk count one half; pairs with the same time are left out.  NaN where no pair is comparable.
    """
    agreeing, pairs = 0.0, 0
    for place in np.flatnonzero(event):
        later = time > time[place]
        pairs += int(later.sum())
        agreeing += float((risk[place] > risk[later]).sum() + 0.5 * (risk[place] == risk[later]).sum())
    return agreeing / pairs if pairs else float("nan")


class _Partial:
    """Minus the log partial likelihood with Efron's ties, its gradient and its second derivatives."""

    def __init__(self, times: FloatArray, events: BoolArray, matrix: FloatArray) -> None:
        order = np.argsort(-times, kind="stable")
        self._times, self._events, self._matrix = times[order], events[order], matrix[order]

    def loss(self, beta: FloatArray) -> float:
        return self._sums(beta)[0]

    def slope(self, beta: FloatArray) -> FloatArray:
        return self._sums(beta)[1]

    def curvature(self, beta: FloatArray) -> FloatArray:
        return self._sums(beta)[2]

    def _sums(self, beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        score = self._matrix @ beta
        weight = np.exp(score - score.max())
        size = beta.size
        loss, slope, curvature = 0.0, np.zeros(size), np.zeros((size, size))
        at_risk, first, second = 0.0, np.zeros(size), np.zeros((size, size))
        begin = 0
        while begin < self._times.size:
            end = begin + int(np.searchsorted(-self._times[begin:], -self._times[begin], side="right"))
            rows, w = self._matrix[begin:end], weight[begin:end]
            at_risk += float(w.sum())
            first = first + w @ rows
            second = second + (rows * w[:, np.newaxis]).T @ rows
            failing = self._events[begin:end]
            count = int(failing.sum())
            if count:
                x, v = rows[failing], w[failing]
                tied, tied_first, tied_second = float(v.sum()), v @ x, (x * v[:, np.newaxis]).T @ x
                loss -= float((np.log(v)).sum())
                slope -= x.sum(axis=0)
                for share in np.arange(count) / count:
                    total = at_risk - share * tied
                    mean = (first - share * tied_first) / total
                    loss += float(np.log(total))
                    slope += mean
                    curvature += (second - share * tied_second) / total - np.outer(mean, mean)
            begin = end
        return loss, slope, curvature
