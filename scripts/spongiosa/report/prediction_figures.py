"""Figures of a prediction model: nomogram, calibration, decision curve and clinical impact."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spongiosa.report import theme
from spongiosa.statistics.calibration_curve import CalibrationCurve
from spongiosa.statistics.decision import ClinicalImpact, DecisionCurve
from spongiosa.statistics.nomogram import Nomogram

FloatArray = NDArray[np.float64]

#: Height of one axis of a nomogram in print.
AXIS_HEIGHT_MM = 13.0
#: Width of a letter of the labels, in units of the points axis (100 points over the axis).
LETTER_WIDTH = 1.25


def nomogram(drawn: Nomogram, labels: Mapping[str, str]) -> Figure:
    """Axes below each other as `rms` draws them: points, one per predictor, total points, risk."""
    rows = len(drawn.axes) + 3
    with theme.themed():
        figure = theme.new_figure(theme.FULL_WIDTH_MM, AXIS_HEIGHT_MM * rows + 4)
        axis = figure.subplots()
        axis.set(xlim=(-42, 103), ylim=(rows - 0.3, -0.7))
        axis.axis("off")
        _scale(axis, 0, "Points", [(float(point), f"{point}") for point in range(0, 101, 10)], (0.0, 100.0))
        for row, one in enumerate(drawn.axes, start=1):
            marks = list(zip(one.points, one.labels, strict=True))
            span = (min(one.points), max(one.points))
            _scale(axis, row, labels.get(one.term, one.term), marks, span)
        stretch = 100 / drawn.largest_total
        steps = MaxNLocator(nbins=10, steps=[1, 2, 5, 10]).tick_values(0, drawn.largest_total)
        totals = [(float(t) * stretch, f"{t:g}") for t in steps if 0 <= t <= drawn.largest_total]
        _scale(axis, rows - 2, "Total points", totals, (0.0, 100.0))
        risks = [(tick.total_points * stretch, f"{tick.risk:g}") for tick in drawn.risk_ticks]
        if risks:
            _scale(axis, rows - 1, "Risk", risks, (risks[0][0], risks[-1][0]))
    return figure


def calibration_plot(curve: CalibrationCurve, probability: FloatArray) -> Figure:
    """Observed against predicted risk: apparent, bias-corrected, ideal; the patients' risks as a histogram below."""
    with theme.themed():
        figure = theme.new_figure(theme.HALF_WIDTH_MM, 108.0)
        axis, below = figure.subplots(2, 1, height_ratios=(5, 1), sharex=True)
        top = float(min(1.0, max(np.nanmax(curve.predicted), np.nanmax(curve.apparent)) * 1.08))
        axis.plot([0, top], [0, top], color=theme.MUTED, linewidth=0.8, linestyle=(0, (4, 3)), label="Ideal")
        axis.plot(curve.predicted, curve.apparent, color=theme.BLUE, linestyle="--", label="Apparent")
        axis.plot(curve.predicted, curve.corrected, color=theme.VERMILLION, label="Bias-corrected")
        axis.set(xlim=(0, top), ylim=(0, top), ylabel="Observed share")
        axis.legend(loc="upper left")
        below.hist(probability, bins=np.linspace(0, 1, 51), color=theme.BLUE, edgecolor=theme.PAPER, linewidth=0.4)
        below.grid(visible=False, axis="x")
        below.set(xlabel="Predicted risk", ylabel="n")
        below.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
    return figure


def decision_plot(curve: DecisionCurve) -> Figure:
    """Net benefit of the model, of treating everybody and of treating nobody."""
    with theme.themed():
        figure = theme.new_figure(theme.HALF_WIDTH_MM, theme.HALF_WIDTH_MM)
        axis = figure.subplots()
        axis.plot(curve.thresholds, curve.treat_all, color=theme.MUTED, linestyle="--", label="Treat all")
        axis.plot(curve.thresholds, curve.treat_none, color=theme.INK, linewidth=1.0, label="Treat none")
        axis.plot(curve.thresholds, curve.model, color=theme.VERMILLION, label="Model")
        top = float(max(curve.model.max(), curve.treat_all.max()))
        axis.set(xlim=(0, 1), ylim=(-0.35 * top, 1.1 * top), xlabel="Threshold probability", ylabel="Net benefit")
        axis.legend(loc="upper right")
    return figure


def impact_plot(impact: ClinicalImpact) -> Figure:
    """Patients called high risk, and those of them with the event, with cost : benefit on a second axis."""
    with theme.themed():
        figure = theme.new_figure(theme.HALF_WIDTH_MM, theme.HALF_WIDTH_MM + 10)
        axis = figure.subplots()
        axis.plot(impact.thresholds, impact.high_risk, color=theme.VERMILLION, label="High risk")
        axis.plot(impact.thresholds, impact.high_risk_with_event, color=theme.BLUE, linestyle="--", label="With event")
        axis.set(
            xlim=(0, 1),
            ylim=(0, impact.population * 1.02),
            xlabel="Threshold probability",
            ylabel=f"Patients of {impact.population:,}",
        )
        axis.legend(loc="upper right")
        costs = axis.secondary_xaxis(-0.24)
        marks = [(0.2, "1:4"), (0.4, "2:3"), (0.6, "3:2"), (0.8, "4:1")]
        costs.set_xticks([0.01, *(place for place, _ in marks), 0.99], ["1:99", *(text for _, text in marks), "99:1"])
        costs.set_xlabel("Cost : benefit")
    return figure


def _scale(axis: Axes, row: int, title: str, marks: list[tuple[float, str]], span: tuple[float, float]) -> None:
    """A line from `span[0]` to `span[1]` with ticks and labels, and its title at the left."""
    axis.plot(span, (row, row), color=theme.INK, linewidth=1.0, solid_capstyle="butt")
    axis.text(-41, row, title, ha="left", va="center", fontsize=8)
    free_from = {"below": -1e9, "above": -1e9}
    for place, text in sorted(marks):
        half = LETTER_WIDTH * len(text) / 2
        lane = next((name for name, limit in free_from.items() if place - half >= limit), None)
        # A label that has room neither below nor above is left out; its tick stays.
        is_above = lane == "above"
        axis.plot((place, place), (row, row - 0.16 if is_above else row + 0.16), color=theme.INK, linewidth=0.8)
        if lane is None:
            continue
        free_from[lane] = place + half + LETTER_WIDTH / 2
        shift, align = (-0.2, "bottom") if is_above else (0.2, "top")
        axis.text(place, row + shift, text, ha="center", va=align, fontsize=7)
