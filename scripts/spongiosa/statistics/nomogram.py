"""The geometry of a nomogram, and the score of a patient on it.

Every axis carries its term's contribution to the linear predictor, scaled so that the widest axis spans 100 points:

    points_j(x) = 100 (f_j(x) - min f_j) / max_k (max f_k - min f_k)
    lp = intercept + sum_j min f_j + total * max_k(range_k) / 100,      risk = expit(lp)

Source: Harrell, Regression Modeling Strategies (2nd ed. 2015), section 5.3; `rms::nomogram`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from spongiosa.statistics.prediction_model import PredictionModel
from spongiosa.statistics.samples import FloatArray, StatisticsError
from spongiosa.statistics.terms import Category, Linear, Term

DEFAULT_RISKS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Axis:
    """One predictor: the ticks' labels and points; `is_descending` when more of it means fewer points.

    For a category the ticks are its levels; for a number `values` are the ticks' values.
    """

    term: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    points: tuple[float, ...]
    is_descending: bool
    unit: str


@dataclass(frozen=True)
class RiskTick:
    """A mark on the risk axis and its place on the axis of total points."""

    risk: float
    total_points: float


@dataclass(frozen=True)
class PatientScore:
    """Points per term, their sum, and the risk; `is_extrapolated` names terms beyond their axis."""

    points: dict[str, float]
    total_points: float
    linear_predictor: float
    risk: float
    is_extrapolated: tuple[str, ...]


@dataclass(frozen=True)
class Nomogram:
    """Axes in the order of the model's terms, the total axis from 0 to `largest_total`, and the risk ticks on it."""

    model: PredictionModel
    axes: tuple[Axis, ...]
    largest_total: float
    points_per_logit: float
    logit_at_zero_points: float
    risk_ticks: tuple[RiskTick, ...]
    minima: tuple[float, ...]
    limits: tuple[tuple[str, float, float], ...]

    def risk_at(self, total_points: float) -> float:
        """Risk at a place on the axis of total points."""
        return float(expit(self.logit_at_zero_points + total_points / self.points_per_logit))

    def total_points_at(self, risk: float) -> float:
        """Place of a risk on the axis of total points; it may lie beyond the axis."""
        if not 0 < risk < 1:
            raise StatisticsError(f"A risk lies between 0 and 1, but is {risk}.")
        return float((logit(risk) - self.logit_at_zero_points) * self.points_per_logit)

    def score(self, patient: Mapping[str, object]) -> PatientScore:
        """Points and risk of one patient, given a value per term.

        Raises `StatisticsError` when a value is missing or a category unknown.
        """
        points: dict[str, float] = {}
        outside = []
        limits = {name: (low, high) for name, low, high in self.limits}
        for term, slopes, minimum in zip(self.model.terms, self.model.coefficients, self.minima, strict=True):
            if term.name not in patient:
                raise StatisticsError(f"The patient lacks {term.name}.")
            number = term.numeric(pd.Series([patient[term.name]]))
            if np.isnan(number).any():
                raise StatisticsError(f"The patient lacks {term.name}.")
            if term.name in limits and not limits[term.name][0] <= number[0] <= limits[term.name][1]:
                outside.append(term.name)
            points[term.name] = float(contribution(term, slopes, number)[0] - minimum) * self.points_per_logit
        total = sum(points.values())
        predictor = self.logit_at_zero_points + total / self.points_per_logit
        return PatientScore(points, total, predictor, float(expit(predictor)), tuple(outside))


def build_nomogram(
    model: PredictionModel,
    *,
    limits: Mapping[str, tuple[float, float]] | None = None,
    ticks: int = 8,
    risks: Sequence[float] = DEFAULT_RISKS,
) -> Nomogram:
    """Axes over the model's observed ranges widened to round numbers, or over `limits` exactly where they are given.

    A curved term (spline) has its ticks where its contribution is; its minimum is taken over 201 places of the axis.
    Raises `StatisticsError` when a numeric term has no limits, or when no term makes a difference.
    """
    known = {name: (low, high) for name, low, high in model.limits} | dict(limits or {})
    places, grids = [], []
    for term in model.terms:
        if isinstance(term, Category):
            numbers = np.arange(len(term.levels), dtype=np.float64)
            places.append(numbers)
            grids.append(numbers)
            continue
        if term.name not in known:
            raise StatisticsError(f"The axis of {term.name} needs its limits.")
        low, high = known[term.name]
        if not low < high:
            raise StatisticsError(f"The limits of {term.name} must rise, but are {low} and {high}.")
        marks = pretty(low, high, ticks)
        if term.name in (limits or {}):
            inside = marks[(marks > low) & (marks < high)]
            marks = np.concatenate([[low], inside, [high]])
        places.append(marks)
        grids.append(np.linspace(marks[0], marks[-1], 2 if isinstance(term, Linear) else 201))
    curves = [
        contribution(term, slopes, grid)
        for term, slopes, grid in zip(model.terms, model.coefficients, grids, strict=True)
    ]
    minima = tuple(float(curve.min()) for curve in curves)
    widest = max((float(np.ptp(curve)) for curve in curves), default=0.0)
    if widest <= 0:
        raise StatisticsError("No term of the model makes a difference, so there is no nomogram.")
    scale = 100 / widest
    units = dict(model.units)
    axes = tuple(
        _axis(term, slopes, marks, minimum, scale, units.get(term.name, ""))
        for term, slopes, marks, minimum in zip(model.terms, model.coefficients, places, minima, strict=True)
    )
    base = model.intercept + sum(minima)
    largest = sum(float(np.ptp(curve)) for curve in curves) * scale
    risk_ticks = [RiskTick(float(risk), float((logit(risk) - base) * scale)) for risk in risks]
    return Nomogram(
        model=model,
        axes=axes,
        largest_total=largest,
        points_per_logit=scale,
        logit_at_zero_points=base,
        risk_ticks=tuple(mark for mark in risk_ticks if 0 <= mark.total_points <= largest),
        minima=minima,
        limits=tuple(
            (term.name, float(marks[0]), float(marks[-1]))
            for term, marks in zip(model.terms, places, strict=True)
            if not isinstance(term, Category)
        ),
    )


def contribution(term: Term, slopes: Sequence[float], numbers: FloatArray) -> FloatArray:
    """The term's part of the linear predictor, shape (n,)."""
    return np.asarray(term.expand(numbers) @ np.asarray(slopes), dtype=np.float64)


def pretty(low: float, high: float, count: int) -> FloatArray:
    """About `count` steps of 1, 2 or 5 times a power of ten that cover low to high."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((multiple * power for multiple in (1, 2, 5, 10)), key=lambda size: abs(math.log(size / raw)))
    # 1e-9: 0.3 / 0.1 is 2.9999999999999996 and must not open another step.
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return np.round(np.arange(first, last + 1) * step, 12)


def _axis(term: Term, slopes: Sequence[float], marks: FloatArray, minimum: float, scale: float, unit: str) -> Axis:
    points = (contribution(term, slopes, marks) - minimum) * scale
    labels = term.levels if isinstance(term, Category) else tuple(f"{mark:g}" for mark in marks)
    return Axis(
        term=term.name,
        labels=tuple(labels),
        values=tuple(float(mark) for mark in marks),
        points=tuple(float(point) for point in points),
        is_descending=not isinstance(term, Category) and bool(points[-1] < points[0]),
        unit=unit,
    )
