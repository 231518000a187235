"""Figures of a prediction model: nomogram, calibration, decision curve and clinical impact."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spongiosa.report import theme
from spongiosa.statistics.calibration import RiskGroup
from spongiosa.statistics.calibration_curve import CalibrationCurve
from spongiosa.statistics.decision import ClinicalImpact, DecisionCurve
from spongiosa.statistics.nomogram import Nomogram
from spongiosa.statistics.proportions import proportion

FloatArray = NDArray[np.float64]

#: Height of one axis of a nomogram in print.
AXIS_HEIGHT_MM = 13.0
#: Width of a letter of the labels, in units of the points axis (100 points over the axis).
LETTER_WIDTH = 1.25
#: Width of a letter of the titles, in the same units.
TITLE_LETTER_WIDTH = 1.5


def nomogram(drawn: Nomogram, labels: Mapping[str, str], counted: Collection[str] = ()) -> Figure:
    """Axes below each other as `rms` draws them: points, one per predictor, total points, linear predictor, risk.

    Axes of `counted` columns have no ticks between whole numbers.
    """
    rows = len(drawn.axes) + 4
    titles = [labels.get(axis.term, axis.term) for axis in drawn.axes]
    left = -3 - TITLE_LETTER_WIDTH * max(len(title) for title in (*titles, "Linear predictor"))
    with theme.themed():
        figure = theme.new_figure(theme.FULL_WIDTH_MM, AXIS_HEIGHT_MM * rows + 4)
        axis = figure.subplots()
        axis.set(xlim=(left - 1, 103), ylim=(rows - 0.3, -0.7))
        axis.axis("off")
        _scale(axis, 0, "Points", left, [(float(point), f"{point}") for point in range(0, 101, 10)], (0.0, 100.0))
        for row, (one, title) in enumerate(zip(drawn.axes, titles, strict=True), start=1):
            marks = [
                (place, label)
                for place, label, value in zip(one.points, one.labels, one.values, strict=True)
                if one.term not in counted or float(value).is_integer()
            ]
            _scale(axis, row, title, left, marks, (min(one.points), max(one.points)))
        stretch = 100 / drawn.largest_total
        totals = [(total * stretch, f"{total:g}") for total in _steps(0.0, drawn.largest_total)]
        _scale(axis, rows - 3, "Total points", left, totals, (0.0, 100.0))
        base, per_logit = drawn.logit_at_zero_points, drawn.points_per_logit
        predictors = [
            ((value - base) * per_logit * stretch, f"{value:g}".replace("-", "\N{MINUS SIGN}"))
            for value in _steps(base, base + drawn.largest_total / per_logit)
        ]
        _scale(axis, rows - 2, "Linear predictor", left, predictors, (0.0, 100.0))
        risks = [(tick.total_points * stretch, f"{tick.risk:g}") for tick in drawn.risk_ticks]
        if risks:
            _scale(axis, rows - 1, "Risk", left, risks, (risks[0][0], risks[-1][0]))
    return figure


def _steps(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, about ten."""
    marks = MaxNLocator(nbins=10, steps=[1, 2, 5, 10]).tick_values(low, high)
    # 1e-9: a mark at the end must not be lost to rounding.
    return [float(mark) for mark in marks if low - 1e-9 <= mark <= high + 1e-9]


def calibration_plot(curve: CalibrationCurve, probability: FloatArray, groups: Sequence[RiskGroup] = ()) -> Figure:
    """Observed against predicted risk: apparent, bias-corrected, ideal; the patients' risks as a histogram below."""
    lines = {
        "Apparent": (curve.predicted, curve.apparent, theme.BLUE, "--"),
        "Bias-corrected": (curve.predicted, curve.corrected, theme.VERMILLION, "-"),
    }
    remark = f"n = {probability.size}, B = {curve.resamples}\nmean |error| = {curve.mean_absolute_error:.3f}"
    return _calibration(lines, probability, groups, remark)


def external_calibration_plot(
    predicted: FloatArray, observed: FloatArray, probability: FloatArray, groups: Sequence[RiskGroup]
) -> Figure:
    """Observed against predicted risk of a model that was not fitted here, with the groups of the risks."""
    lines = {"Observed": (predicted, observed, theme.VERMILLION, "-")}
    return _calibration(lines, probability, groups, f"n = {probability.size}")


def _calibration(
    lines: Mapping[str, tuple[FloatArray, FloatArray, str, str]],
    probability: FloatArray,
    groups: Sequence[RiskGroup],
    remark: str,
) -> Figure:
    """A square plot of curves and groups about the diagonal, the histogram of the risks below on the same axis."""
    with theme.themed():
        figure = theme.new_figure(theme.HALF_WIDTH_MM, 112.0)
        axis, below = figure.subplots(2, 1, height_ratios=(5, 1), sharex=True)
        shares = [proportion(group.events, group.n) for group in groups]
        highest = [
            float(np.nanmax(part)) for predicted, observed, _, _ in lines.values() for part in (predicted, observed)
        ]
        top = float(min(1.0, 1.08 * max([*highest, *(share.ci_high for share in shares)])))
        axis.plot([0, top], [0, top], color=theme.MUTED, linewidth=0.8, linestyle=(0, (4, 3)), label="Ideal")
        for label, (predicted, observed, colour, dashes) in lines.items():
            axis.plot(predicted, observed, color=colour, linestyle=dashes, label=label)
        if groups:
            means = np.array([group.expected / group.n for group in groups])
            middles = np.array([share.estimate for share in shares])
            reach = np.abs(
                np.array([[share.ci_low for share in shares], [share.ci_high for share in shares]]) - middles
            )
            axis.errorbar(
                means, middles, reach, fmt="o", markersize=3.5, color=theme.INK, elinewidth=0.7, linewidth=0,
                label="Tenths by risk", zorder=2,
            )  # fmt: skip
        axis.set(xlim=(0, top), ylim=(0, top), ylabel="Observed share")
        axis.set_box_aspect(1)
        axis.legend(loc="upper left")
        axis.text(0.98, 0.03, remark, transform=axis.transAxes, ha="right", va="bottom", fontsize=7.5)
        below.hist(probability, bins=np.linspace(0, 1, 51), color=theme.BLUE, edgecolor=theme.PAPER, linewidth=0.4)
        below.set(xlabel="Predicted risk", ylabel="Patients")
        below.grid(visible=False, axis="x")
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


def _scale(
    axis: Axes, row: int, title: str, left: float, marks: list[tuple[float, str]], span: tuple[float, float]
) -> None:
    """A line from `span[0]` to `span[1]` with ticks and labels, and its title at `left`."""
    axis.plot(span, (row, row), color=theme.INK, linewidth=1.0, solid_capstyle="butt")
    axis.text(left, row, title, ha="left", va="center", fontsize=8)
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
