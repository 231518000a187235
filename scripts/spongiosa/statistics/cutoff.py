"""The cut-off with the greatest Youden index: every tie, as midpoint and as observed value, and its bootstrap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spongiosa.statistics.roc import Direction, RocCurve, oriented, roc_curve
from spongiosa.statistics.samples import BoolArray, FloatArray, StatisticsError, Values, marker_and_event


@dataclass(frozen=True)
class CutOff:
    """One point of the ROC curve as a decision rule; both forms of the cut-off classify these patients alike.

    `midpoint` lies halfway to the next value (SPSS, pROC); `observed` is a value of the data (MedCalc).
    """

    midpoint: float
    observed: float
    rule: str
    sensitivity: float
    specificity: float
    youden: float
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int


@dataclass(frozen=True)
class YoudenResult:
    """The greatest Youden index; `best` is the first of `ties`, the most sensitive one."""

    youden: float
    best: CutOff
    ties: tuple[CutOff, ...]
    n: int
    events: int
    direction: str
    method: str
    reason: str = ""


@dataclass(frozen=True)
class BootstrapInterval:
    """Percentile interval over `draws` stratified resamples; `skipped` could not be computed, `reason` says why."""

    estimate: float
    ci_low: float
    ci_high: float
    standard_error: float
    draws: int
    skipped: int
    n: int
    method: str
    reason: str = ""


@dataclass(frozen=True)
class RocBootstrap:
    """Bootstrap intervals of the AUC, of the Youden index and of its cut-off (midpoint)."""

    auc: BootstrapInterval
    youden: BootstrapInterval
    cut_off: BootstrapInterval


def youden(marker: Values, event: Values, *, direction: Direction) -> YoudenResult:
    """All cut-offs with the greatest sensitivity + specificity - 1, over the complete pairs.

    Raises `StatisticsError` when one class is absent or when no cut-off beats chance.
    Source: Youden, Cancer 3 (1950) 32-35.
    """
    curve = roc_curve(marker, event, direction=direction)
    index = curve.sensitivity + curve.specificity - 1
    # Ties are equal in whole patients; 1e-12 is far below 1 / (n1 n0) for any cohort.
    tied = np.flatnonzero(index >= index.max() - 1e-12)
    if index.max() <= 1e-12:
        raise StatisticsError("No cut-off of this marker is better than chance in the direction given.")
    ordered = tied[np.argsort(-curve.sensitivity[tied], kind="stable")]
    ties = tuple(cut_off_at(curve, int(position)) for position in ordered)
    return YoudenResult(
        youden=float(index.max()),
        best=ties[0],
        ties=ties,
        n=curve.n,
        events=curve.events,
        direction=direction,
        method="greatest sensitivity + specificity - 1; of ties the most sensitive is named first",
        reason="" if len(ties) == 1 else f"{len(ties)} cut-offs share the greatest Youden index.",
    )


def cut_off_at(curve: RocCurve, position: int) -> CutOff:
    """The point `position` of the curve as a decision rule."""
    sensitivity, specificity = float(curve.sensitivity[position]), float(curve.specificity[position])
    true_positive, false_positive = int(curve.true_positive[position]), int(curve.false_positive[position])
    observed = float(curve.cut_off_observed[position])
    sign = "<=" if curve.direction == "low" else ">="
    return CutOff(
        midpoint=float(curve.cut_off_midpoint[position]),
        observed=observed,
        rule=f"{sign} {observed:g}",
        sensitivity=sensitivity,
        specificity=specificity,
        youden=sensitivity + specificity - 1,
        true_positive=true_positive,
        false_positive=false_positive,
        true_negative=curve.n - curve.events - false_positive,
        false_negative=curve.events - true_positive,
    )


def bootstrap_roc(
    marker: Values, event: Values, *, direction: Direction, seed: int, draws: int = 2000, confidence: float = 0.95
) -> RocBootstrap:
    """Stratified bootstrap: events and non-events are resampled apart, so that both stay as many as they are.

    Percentile intervals (R's quantile type 7, as pROC).  The cut-off of a resample is the midpoint of the most
    sensitive of its ties; a resample in which the cut-off is infinite (no better than chance) is skipped for the
    cut-off and counted.  Raises `StatisticsError` when one class is absent.
    """
    values, events = marker_and_event(marker, event)
    areas, indices, cut_offs = _resample(oriented(values, direction), events, seed, draws)
    whole = roc_curve(values, events, direction=direction)
    steps = np.diff(1 - whole.specificity)
    area = float((steps * (whole.sensitivity[1:] + whole.sensitivity[:-1]) / 2).sum())
    index = whole.sensitivity + whole.specificity - 1
    sign = 1.0 if direction == "high" else -1.0
    label = f"stratified bootstrap, {draws} resamples, seed {seed}, percentile {confidence:.0%}"

    def interval(estimate: float, sample: FloatArray) -> BootstrapInterval:
        kept = sample[np.isfinite(sample)]
        skipped = draws - kept.size
        reason = f"{skipped} resample(s) had no cut-off better than chance." if skipped else ""
        if kept.size < 2 or not math.isfinite(estimate):
            return BootstrapInterval(
                estimate, math.nan, math.nan, math.nan, draws, skipped, events.size, label,
                reason or "The marker has no cut-off better than chance.",
            )  # fmt: skip
        low, high = np.quantile(kept, [(1 - confidence) / 2, (1 + confidence) / 2])
        return BootstrapInterval(
            estimate, float(low), float(high), float(kept.std(ddof=1)), draws, skipped, events.size, label, reason
        )

    cut_off = youden(values, events, direction=direction).best.midpoint if index.max() > 1e-12 else math.nan
    return RocBootstrap(
        auc=interval(area, areas),
        youden=interval(float(index.max()), indices),
        cut_off=interval(cut_off, sign * cut_offs),
    )


def _resample(score: FloatArray, events: BoolArray, seed: int, draws: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """AUC, greatest Youden index and its cut-off (on the oriented scale) per resample, each of shape (draws,)."""
    rng = np.random.default_rng(seed)
    levels, position = np.unique(score, return_inverse=True)
    level_events, level_others = position[events], position[~events]
    n1, n0 = level_events.size, level_others.size
    areas, indices, cut_offs = np.empty(draws), np.empty(draws), np.empty(draws)
    for draw in range(draws):
        drawn_events = np.bincount(level_events[rng.integers(0, n1, n1)], minlength=levels.size)
        drawn_others = np.bincount(level_others[rng.integers(0, n0, n0)], minlength=levels.size)
        below = np.cumsum(drawn_others) - drawn_others
        areas[draw] = float(drawn_events @ (below + drawn_others / 2)) / (n1 * n0)
        drawn = np.flatnonzero(drawn_events + drawn_others)
        # Sensitivity and false positive rate of "score >= level" for the levels that this resample holds.
        sensitivity = np.cumsum(drawn_events[drawn][::-1])[::-1] / n1
        false_positive = np.cumsum(drawn_others[drawn][::-1])[::-1] / n0
        index = sensitivity - false_positive
        best = int(np.flatnonzero(index >= index.max() - 1e-12)[0])
        indices[draw] = max(float(index[best]), 0.0)
        # The first level of a resample calls everybody positive: it has no midpoint below it.
        cut_offs[draw] = (levels[drawn[best]] + levels[drawn[best - 1]]) / 2 if best > 0 else math.nan
    return areas, indices, cut_offs
