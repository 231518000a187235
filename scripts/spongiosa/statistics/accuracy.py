"""Diagnostic accuracy at a threshold: confusion counts and every index that follows from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from spongiosa.statistics.kappa import Kappa, cohen_kappa
from spongiosa.statistics.proportions import Proportion, proportion
from spongiosa.statistics.samples import (
    BoolArray,
    StatisticsError,
    Values,
    as_events,
    as_floats,
    complete_cases,
    normal_quantile,
)

Operator = Literal["<=", "<", ">=", ">"]


@dataclass(frozen=True)
class Confusion:
    """Counts of test result against event."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    @property
    def n(self) -> int:
        """All patients."""
        return self.true_positive + self.false_positive + self.true_negative + self.false_negative

    @property
    def events(self) -> int:
        """Patients with the event."""
        return self.true_positive + self.false_negative

    @property
    def non_events(self) -> int:
        """Patients without the event."""
        return self.true_negative + self.false_positive


@dataclass(frozen=True)
class Ratio:
    """A ratio of proportions with an interval on the log scale; NaN or infinite only with a `reason`."""

    estimate: float
    ci_low: float
    ci_high: float
    method: str
    reason: str = ""


@dataclass(frozen=True)
class AccuracyIndices:
    """Every index of a 2 x 2 table of test against event."""

    confusion: Confusion
    sensitivity: Proportion
    specificity: Proportion
    positive_predictive_value: Proportion
    negative_predictive_value: Proportion
    accuracy: Proportion
    prevalence: Proportion
    positive_likelihood_ratio: Ratio
    negative_likelihood_ratio: Ratio
    diagnostic_odds_ratio: Ratio
    youden: float
    balanced_accuracy: float
    kappa: Kappa
    n: int
    reason: str = ""


@dataclass(frozen=True)
class ThresholdRow:
    """The indices of the rule `marker operator threshold`; `rule` is its text, for example "<= 100"."""

    threshold: float
    rule: str
    indices: AccuracyIndices


@dataclass(frozen=True)
class PredictiveValues:
    """Predictive values carried to another prevalence by Bayes' theorem; limits from the logit delta method."""

    prevalence: float
    positive: Ratio
    negative: Ratio


def classify(marker: Values, threshold: float, operator: Operator) -> BoolArray:
    """Test positive where `marker operator threshold`; raises `StatisticsError` for missing values."""
    values = as_floats(marker, "marker")
    if np.isnan(values).any():
        raise StatisticsError("A missing marker is neither positive nor negative; leave it out first.")
    if operator == "<=":
        return values <= threshold
    if operator == "<":
        return values < threshold
    if operator == ">=":
        return values >= threshold
    if operator == ">":
        return values > threshold
    raise StatisticsError(f"operator must be one of <=, <, >=, >, but is {operator!r}.")


def confusion(positive: Values, event: Values) -> Confusion:
    """Counts of the pairs of which neither is missing."""
    test, outcome = complete_cases(positive, event, names=("positive", "event"))
    is_positive, is_event = as_events(test, "positive"), as_events(outcome)
    return Confusion(
        true_positive=int((is_positive & is_event).sum()),
        false_positive=int((is_positive & ~is_event).sum()),
        true_negative=int((~is_positive & ~is_event).sum()),
        false_negative=int((~is_positive & is_event).sum()),
    )


def accuracy_indices(counts: Confusion, *, confidence: float = 0.95) -> AccuracyIndices:
    """All indices with Wilson intervals; an index with an empty denominator is NaN with a reason.

    Likelihood ratios: log method of Simel et al., J Clin Epidemiol 44 (1991) 763-770.  Diagnostic odds ratio: Woolf.
    Raises `StatisticsError` when the table is empty.
    """
    if counts.n == 0:
        raise StatisticsError("The table is empty.")
    tp, fp, tn, fn = counts.true_positive, counts.false_positive, counts.true_negative, counts.false_negative
    sensitivity = proportion(tp, counts.events, confidence=confidence, of="events")
    specificity = proportion(tn, counts.non_events, confidence=confidence, of="patients without the event")
    youden = sensitivity.estimate + specificity.estimate - 1
    return AccuracyIndices(
        confusion=counts,
        sensitivity=sensitivity,
        specificity=specificity,
        positive_predictive_value=proportion(tp, tp + fp, confidence=confidence, of="positive tests"),
        negative_predictive_value=proportion(tn, tn + fn, confidence=confidence, of="negative tests"),
        accuracy=proportion(tp + tn, counts.n, confidence=confidence),
        prevalence=proportion(counts.events, counts.n, confidence=confidence),
        positive_likelihood_ratio=_likelihood_ratio(tp, counts.events, fp, counts.non_events, confidence),
        negative_likelihood_ratio=_likelihood_ratio(fn, counts.events, tn, counts.non_events, confidence),
        diagnostic_odds_ratio=_odds_ratio(tp, fp, tn, fn, confidence),
        youden=youden,
        balanced_accuracy=(youden + 1) / 2,
        kappa=cohen_kappa([[tp, fp], [fn, tn]], confidence=confidence),
        n=counts.n,
        reason="" if counts.events and counts.non_events else "One of the classes is empty: there is no Youden index.",
    )


def threshold_table(
    marker: Values, event: Values, thresholds: Sequence[float], *, operator: Operator, confidence: float = 0.95
) -> tuple[ThresholdRow, ...]:
    """The indices of the rule `marker operator threshold` for each threshold, over the complete pairs."""
    values, outcome = complete_cases(marker, event, names=("marker", "event"))
    return tuple(
        ThresholdRow(
            threshold=float(threshold),
            rule=f"{operator} {threshold:g}",
            indices=accuracy_indices(confusion(classify(values, threshold, operator), outcome), confidence=confidence),
        )
        for threshold in thresholds
    )


def threshold_frame(rows: Sequence[ThresholdRow]) -> pd.DataFrame:
    """The threshold table as a data frame, one row per threshold, unrounded."""
    shares = (
        "sensitivity", "specificity", "positive_predictive_value", "negative_predictive_value", "accuracy", "prevalence"
    )  # fmt: skip
    records: list[dict[str, object]] = []
    for row in rows:
        indices = row.indices
        record: dict[str, object] = {"threshold": row.threshold, "rule": row.rule, "n": indices.n}
        record |= vars(indices.confusion)
        for name in shares:
            share: Proportion = getattr(indices, name)
            record |= {name: share.estimate, f"{name}_ci_low": share.ci_low, f"{name}_ci_high": share.ci_high}
        record |= {
            "youden": indices.youden,
            "positive_likelihood_ratio": indices.positive_likelihood_ratio.estimate,
            "negative_likelihood_ratio": indices.negative_likelihood_ratio.estimate,
            "diagnostic_odds_ratio": indices.diagnostic_odds_ratio.estimate,
            "kappa": indices.kappa.estimate,
            "kappa_ci_low": indices.kappa.ci_low,
            "kappa_ci_high": indices.kappa.ci_high,
        }
        records.append(record)
    return pd.DataFrame.from_records(records)


def predictive_values_at(counts: Confusion, prevalence: float, *, confidence: float = 0.95) -> PredictiveValues:
    """PPV and NPV where the event has another `prevalence` (0 to 1), sensitivity and specificity kept.

        PPV = se pi / (se pi + (1 - sp)(1 - pi)),   NPV = sp (1 - pi) / ((1 - se) pi + sp (1 - pi))

    Intervals on the logit scale: Mercaldo, Lau and Zhou, Stat Med 26 (2007) 2170-2183, section 3.2.
    """
    if not 0 < prevalence < 1:
        raise StatisticsError(f"prevalence must lie between 0 and 1, but is {prevalence}.")
    if counts.events == 0 or counts.non_events == 0:
        raise StatisticsError("Predictive values at another prevalence need patients with and without the event.")
    odds = prevalence / (1 - prevalence)
    positive = _carried(counts.true_positive, counts.events, counts.false_positive, counts.non_events, odds, confidence)
    negative = _carried(
        counts.true_negative, counts.non_events, counts.false_negative, counts.events, 1 / odds, confidence
    )
    return PredictiveValues(prevalence, positive, negative)


def _carried(hits: int, of_hits: int, errors: int, of_errors: int, odds: float, confidence: float) -> Ratio:
    """A predictive value = expit(log(hit rate / error rate) + log odds), with the SE of that log ratio."""
    method = f"Bayes' theorem, logit interval, {confidence:.0%}"
    if hits == 0 and errors == 0:
        return Ratio(math.nan, math.nan, math.nan, method, "No test has this result.")
    if hits == 0 or errors == 0:
        exact = 0.0 if hits == 0 else 1.0
        return Ratio(exact, math.nan, math.nan, method, "A cell of the table is 0, so the logit interval is undefined.")
    logit = math.log(hits / of_hits) - math.log(errors / of_errors) + math.log(odds)
    margin = normal_quantile(confidence) * math.sqrt(1 / hits - 1 / of_hits + 1 / errors - 1 / of_errors)
    low, centre, high = (1 / (1 + math.exp(-value)) for value in (logit - margin, logit, logit + margin))
    return Ratio(centre, low, high, method)


def _likelihood_ratio(hits: int, of_hits: int, errors: int, of_errors: int, confidence: float) -> Ratio:
    method = f"log method (Simel), {confidence:.0%}"
    if of_hits == 0 or of_errors == 0:
        return Ratio(math.nan, math.nan, math.nan, method, "One of the classes is empty.")
    if hits == 0 and errors == 0:
        return Ratio(math.nan, math.nan, math.nan, method, "No test has this result.")
    if errors == 0:
        return Ratio(math.inf, math.nan, math.nan, method, "The denominator is 0, so the ratio is infinite.")
    estimate = (hits / of_hits) / (errors / of_errors)
    if hits == 0:
        return Ratio(estimate, math.nan, math.nan, method, "The ratio is 0 and has no interval on the log scale.")
    margin = normal_quantile(confidence) * math.sqrt(1 / hits - 1 / of_hits + 1 / errors - 1 / of_errors)
    return Ratio(estimate, estimate * math.exp(-margin), estimate * math.exp(margin), method)


def _odds_ratio(tp: int, fp: int, tn: int, fn: int, confidence: float) -> Ratio:
    method = f"Woolf's log method, {confidence:.0%}"
    if min(tp, fp, tn, fn) == 0:
        above, below = tp * tn, fp * fn
        estimate = above / below if below else (math.inf if above else math.nan)
        return Ratio(
            estimate, math.nan, math.nan, method, "A cell of the table is 0, so the log interval is undefined."
        )
    estimate = tp * tn / (fp * fn)
    margin = normal_quantile(confidence) * math.sqrt(1 / tp + 1 / fp + 1 / tn + 1 / fn)
    return Ratio(estimate, estimate * math.exp(-margin), estimate * math.exp(margin), method)
