"""Do predicted risks come true?  Calibration of predicted probabilities, and the Brier score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from scipy.special import logit

from spongiosa.statistics.logistic_solver import covariance_of, separating_columns, solve_logistic
from spongiosa.statistics.samples import (
    BoolArray,
    FloatArray,
    IntArray,
    StatisticsError,
    Values,
    marker_and_event,
    normal_quantile,
    two_sided_normal_p,
)

Grouping = Literal["blocks", "quantiles"]


@dataclass(frozen=True)
class RiskGroup:
    """Patients of similar predicted risk: how many, how many events, how many were expected."""

    n: int
    events: int
    expected: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class HosmerLemeshow:
    """Hosmer-Lemeshow test with its groups."""

    statistic: float
    df: int
    p_value: float
    groups: tuple[RiskGroup, ...]
    n: int
    method: str


@dataclass(frozen=True)
class CalibrationFigure:
    """One calibration coefficient with its Wald interval and the P of its ideal value."""

    estimate: float
    ci_low: float
    ci_high: float
    standard_error: float
    ideal: float
    p_value: float


@dataclass(frozen=True)
class Calibration:
    """Logistic recalibration and the Brier score.

    `in_the_large` is the intercept of logit(y) with the linear predictor as offset; `slope` and `joint_intercept`
    come from logit(y) = a + b lp together.  The "Intercept" of rms's `val.prob` and `validate` is the joint one.
    `scaled_brier` = 1 - Brier / (p (1 - p)), 0 for a model that says the mean risk to everybody.
    """

    in_the_large: CalibrationFigure
    slope: CalibrationFigure
    joint_intercept: CalibrationFigure
    brier: float
    scaled_brier: float
    observed_share: float
    mean_predicted: float
    observed_expected_ratio: float
    n: int
    events: int
    method: str


def calibration(probability: Values, event: Values, *, confidence: float = 0.95) -> Calibration:
    """Recalibration of `probability` (strictly between 0 and 1) on the complete rows.

    Sources: Cox, Biometrika 45 (1958) 562-565; Van Calster et al., J Clin Epidemiol 74 (2016) 167-176.
    Raises `StatisticsError` when a class is absent, probabilities are constant, or they separate the classes, so that
    the slope is infinite.
    """
    quantile = normal_quantile(confidence)
    chance, events = probabilities_and_events(probability, event)
    lp, outcome = logit(chance), events.astype(np.float64)
    if np.ptp(lp) == 0:
        raise StatisticsError("All predicted probabilities are equal, so there is no calibration slope.")
    constant = np.ones((events.size, 1))
    large = solve_logistic(constant, outcome, offset=lp)
    both_columns = np.column_stack([constant, lp])
    both = solve_logistic(both_columns, outcome)
    if both.is_suspicious and separating_columns(both_columns, events):
        raise StatisticsError("The predictions separate the classes, so the calibration slope is infinite.")
    covariance = covariance_of(both)

    def figure(estimate: float, variance: float, ideal: float) -> CalibrationFigure:
        error = math.sqrt(variance)
        return CalibrationFigure(
            estimate, estimate - quantile * error, estimate + quantile * error, error, ideal,
            two_sided_normal_p((estimate - ideal) / error),
        )  # fmt: skip

    share, brier = float(events.mean()), brier_score(chance, events)
    return Calibration(
        in_the_large=figure(float(large.beta[0]), float(covariance_of(large)[0, 0]), 0.0),
        slope=figure(float(both.beta[1]), float(covariance[1, 1]), 1.0),
        joint_intercept=figure(float(both.beta[0]), float(covariance[0, 0]), 0.0),
        brier=brier,
        scaled_brier=1 - brier / (share * (1 - share)),
        observed_share=share,
        mean_predicted=float(chance.mean()),
        observed_expected_ratio=share / float(chance.mean()),
        n=int(events.size),
        events=int(events.sum()),
        method=f"logistic recalibration, Wald {confidence:.0%} CI; in the large: intercept with the linear predictor "
        "as offset; slope and joint intercept together",
    )


def brier_score(probability: FloatArray, events: BoolArray) -> float:
    """Mean of (p - y)^2.  Source: Brier, Mon Weather Rev 78 (1950) 1-3."""
    return float(((probability - events) ** 2).mean())


def hosmer_lemeshow(
    probability: Values,
    event: Values,
    *,
    groups: int = 10,
    grouping: Grouping = "blocks",
    fitted_on_these_patients: bool = True,
) -> HosmerLemeshow:
    """sum (O - E)^2 / (E (1 - E / N)) over risk groups; g - 2 df for the data of the fit, g for other data.

    "blocks" fills groups of round(n / g) patients in the order of risk, keeping patients of equal risk together, the
    last group taking what is left (SPSS, SAS); "quantiles" cuts at R's type-7 quantiles, right-closed (R's
    ResourceSelection).  Sources: Hosmer and Lemeshow, Commun Stat A9 (1980) 1043-1069; SAS/STAT User's Guide, PROC
    LOGISTIC (blocks).
    Raises `StatisticsError` when fewer than 3 groups of distinct risk can be formed.
    """
    chance, events = probabilities_and_events(probability, event)
    if groups < 3:
        raise StatisticsError("Hosmer-Lemeshow needs at least 3 groups.")
    if grouping == "blocks":
        label = _blocks(chance, groups)
    elif grouping == "quantiles":
        edges = np.unique(np.quantile(chance, np.linspace(0, 1, groups + 1)))
        label = np.searchsorted(edges[1:-1], chance, side="left")
    else:
        raise StatisticsError(f"grouping must be 'blocks' or 'quantiles', but is {grouping!r}.")
    rows = tuple(
        RiskGroup(
            int(member.sum()), int(events[member].sum()), float(chance[member].sum()), float(chance[member].min()),
            float(chance[member].max()),
        )
        for member in (label == group for group in np.unique(label))
    )  # fmt: skip
    if len(rows) < 3:
        raise StatisticsError(f"Tied probabilities leave {len(rows)} risk group(s); at least 3 needed.")
    statistic = sum((row.events - row.expected) ** 2 / (row.expected * (1 - row.expected / row.n)) for row in rows)
    df = len(rows) - 2 if fitted_on_these_patients else len(rows)
    text = "groups filled in the order of risk, ties together" if grouping == "blocks" else "type-7 quantile cuts"
    return HosmerLemeshow(
        statistic, df, float(stats.chi2.sf(statistic, df)), rows, int(events.size),
        f"Hosmer-Lemeshow, {len(rows)} groups ({text}), {df} df",
    )  # fmt: skip


def _blocks(chance: FloatArray, groups: int) -> IntArray:
    """Group number per patient by SAS's rule: a block of equal risk joins while the group is short of its target and
    at least half of the block fits; a last group below half the target joins the one before."""
    target = math.floor(chance.size / groups + 0.5)
    # Fitted probabilities of equal patients differ by rounding; 12 digits tell real differences.
    _, position, sizes = np.unique(np.round(chance, 12), return_inverse=True, return_counts=True)
    label_of_block = np.zeros(sizes.size, dtype=np.int64)
    group, filled = 0, 0
    for block, size in enumerate(sizes):
        if filled > 0 and not (filled < target and filled + size // 2 <= target):
            group, filled = group + 1, 0
        label_of_block[block] = group
        filled += int(size)
    if group > 0 and filled < target / 2:
        label_of_block[label_of_block == group] = group - 1
    return np.asarray(label_of_block[position], dtype=np.int64)


def probabilities_and_events(probability: Values, event: Values) -> tuple[FloatArray, BoolArray]:
    """Complete pairs, both classes present, probabilities strictly between 0 and 1 or `StatisticsError`."""
    chance, events = marker_and_event(probability, event)
    if ((chance <= 0) | (chance >= 1)).any():
        raise StatisticsError("Predicted probabilities must lie strictly between 0 and 1.")
    return chance, events
