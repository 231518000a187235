"""Is a prediction worth acting on?  Decision curves and clinical impact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spongiosa.statistics.samples import BoolArray, FloatArray, StatisticsError, Values, marker_and_event


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit per threshold, arrays (t,); `useful` marks thresholds where the model beats both defaults."""

    thresholds: FloatArray
    model: FloatArray
    treat_all: FloatArray
    treat_none: FloatArray
    standardised: FloatArray
    interventions_avoided_per_100: FloatArray
    useful: BoolArray
    n: int
    events: int
    method: str


@dataclass(frozen=True)
class ClinicalImpact:
    """Of `population` patients: how many are called high risk, and how many of those have the event; arrays (t,)."""

    thresholds: FloatArray
    high_risk: FloatArray
    high_risk_with_event: FloatArray
    cost_benefit: FloatArray
    population: int
    n: int
    events: int
    method: str


def net_benefit(true_positive: float, false_positive: float, n: int, threshold: float) -> float:
    """TP / n - FP / n * t / (1 - t).  Source: Vickers and Elkin, Med Decis Making 26 (2006) 565-574."""
    _check(threshold)
    return true_positive / n - false_positive / n * threshold / (1 - threshold)


def net_benefit_of_treating_all(prevalence: float, threshold: float) -> float:
    """pi - (1 - pi) t / (1 - t)."""
    _check(threshold)
    return prevalence - (1 - prevalence) * threshold / (1 - threshold)


def decision_curve(probability: Values, event: Values, thresholds: Sequence[float] | FloatArray) -> DecisionCurve:
    """Net benefit of acting when the predicted probability is at least the threshold.

    Interventions avoided per 100 patients against treating all: 100 (NB model - NB all) (1 - t) / t.
    Complete pairs are used.  Raises `StatisticsError` for a threshold outside (0, 1), a probability outside [0, 1], or
    an absent class.
    """
    chance, events, cuts = _prepare(probability, event, thresholds)
    tp, fp = _counts(chance, events, cuts)
    n, count = events.size, int(events.sum())
    odds = cuts / (1 - cuts)
    model = tp / n - fp / n * odds
    prevalence = count / n
    everyone = prevalence - (1 - prevalence) * odds
    return DecisionCurve(
        thresholds=cuts,
        model=model,
        treat_all=everyone,
        treat_none=np.zeros(cuts.size),
        standardised=model / prevalence,
        interventions_avoided_per_100=100 * (model - everyone) / odds,
        useful=(model > np.maximum(everyone, 0.0) + 1e-12),
        n=n,
        events=count,
        method="net benefit of acting at probability >= threshold",
    )


def clinical_impact(
    probability: Values, event: Values, thresholds: Sequence[float] | FloatArray, *, population: int = 1000
) -> ClinicalImpact:
    """Numbers at high risk (p >= t) and with the event among them, scaled to `population`; cost : benefit t / (1 - t).

    Raises as `decision_curve`.
    """
    chance, events, cuts = _prepare(probability, event, thresholds)
    tp, fp = _counts(chance, events, cuts)
    n = events.size
    return ClinicalImpact(
        cuts, population * (tp + fp) / n, population * tp / n, cuts / (1 - cuts), population, n, int(events.sum()),
        f"patients with probability >= threshold, per {population:,}",
    )  # fmt: skip


def _prepare(
    probability: Values, event: Values, thresholds: Sequence[float] | FloatArray
) -> tuple[FloatArray, BoolArray, FloatArray]:
    chance, events = marker_and_event(probability, event)
    if ((chance < 0) | (chance > 1)).any():
        raise StatisticsError("A decision curve needs probabilities between 0 and 1; calibrate the marker first.")
    cuts = np.asarray(thresholds, dtype=np.float64)
    for cut in cuts:
        _check(float(cut))
    return chance, events, cuts


def _counts(chance: FloatArray, events: BoolArray, cuts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """True and false positives at each cut, (t,), from the sorted probabilities: O((n + t) log n)."""
    with_event, without = np.sort(chance[events]), np.sort(chance[~events])
    tp = with_event.size - np.searchsorted(with_event, cuts, side="left")
    fp = without.size - np.searchsorted(without, cuts, side="left")
    return tp.astype(np.float64), fp.astype(np.float64)


def _check(threshold: float) -> None:
    if not 0 < threshold < 1:
        raise StatisticsError(f"A threshold probability lies between 0 and 1, but is {threshold}.")
