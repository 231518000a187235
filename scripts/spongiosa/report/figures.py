"""The kinds of figure that studies and report share.  Each function draws one figure from arrays, in the one theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spongiosa.report import hover, theme
from spongiosa.report.theme import GroupStyle

FloatArray = NDArray[np.float64]

#: Above this number of points a scatter is embedded as a 300-dpi image, as vectors would make the page slow.
MOST_VECTOR_POINTS = 2000
#: Up to this number of values per box the values themselves are drawn.
MOST_DRAWN_VALUES = 150
#: Below this number the quartiles are those of two or three patients: the values alone are drawn.
FEWEST_BOXED_VALUES = 5


@dataclass(frozen=True)
class ScatterPanel:
    """One panel of a scatter figure: points by group, and the least-squares line where there is one.

    `band` is half the height of a band about the line, in units of y; `names` say which patient a point is.
    """

    title: str
    x: FloatArray
    y: FloatArray
    group: NDArray[np.str_]
    x_label: str
    y_label: str
    line: tuple[float, float] | None = None
    remark: str = ""
    band: float = 0.0
    names: Sequence[str] = ()


@dataclass(frozen=True)
class RocLine:
    """One curve of a ROC figure, with the chosen cut-off as a point; `area` is its AUC with interval as text."""

    label: str
    area: str
    false_positive_rate: FloatArray
    sensitivity: FloatArray
    chosen: tuple[float, float] | None = None
    chosen_label: str = ""


@dataclass(frozen=True)
class BoxPanel:
    """Values per group; `comparisons` are brackets (index of one group, index of the other, text)."""

    title: str
    y_label: str
    values: Sequence[FloatArray]
    comparisons: Sequence[tuple[int, int, str]] = ()


def scatter(
    panels: Sequence[ScatterPanel],
    styles: Mapping[str, GroupStyle],
    *,
    vertical_marks: Sequence[float] = (),
    horizontal_marks: Sequence[float] = (),
) -> Figure:
    """Scatter panels side by side (three a row, four as two by two), a legend for all of them below."""
    columns = 2 if len(panels) in (2, 4) else min(len(panels), 3)
    rows = -(-len(panels) // columns)
    with theme.themed():
        figure = theme.new_figure(
            theme.FULL_WIDTH_MM if columns > 1 else theme.HALF_WIDTH_MM, (62.0 if columns == 3 else 76.0) * rows + 8
        )
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, panel in zip(axes, panels, strict=False):
            _draw_scatter(figure, axis, panel, styles, vertical_marks, horizontal_marks)
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        shown = [name for name in styles if any((panel.group == name).any() for panel in panels)]
        if len(shown) > 1:
            handles, labels = _point_handles(axes[0], [styles[name] for name in shown])
            figure.legend(handles, labels, loc="outside lower center", ncols=min(len(shown), 4))
    return figure


def roc(lines: Sequence[RocLine]) -> Figure:
    """ROC curves in a square with the line of chance; areas stand in the legend.

    One curve has legend and cut-off in the square, several have the legend below it; one that stands out is heavy.
    """
    colours = (theme.BLUE, theme.VERMILLION, theme.GREEN, theme.PURPLE, theme.ORANGE, theme.SKY)
    dashes = ("-", "--", "-.", ":")
    alone = len(lines) == 1
    standing_out = _standing_out(lines)
    with theme.themed():
        height = theme.HALF_WIDTH_MM + (0.0 if alone else 4.5 * len(lines))
        figure = theme.new_figure(theme.HALF_WIDTH_MM, height)
        axis = figure.subplots()
        axis.plot([0, 1], [0, 1], color=theme.MUTED, linewidth=0.8, linestyle=(0, (4, 3)), label="_chance")
        for position, line in enumerate(lines):
            colour = colours[position % len(colours)]
            axis.plot(
                line.false_positive_rate,
                line.sensitivity,
                color=colour,
                linestyle="-" if position == standing_out else dashes[position % len(dashes)],
                linewidth=2.4 if position == standing_out else 1.4,
                label=f"{line.label}\n{line.area}" if alone else f"{line.label}: {line.area}",
            )
            if line.chosen is not None:
                axis.plot(*line.chosen, "o", color=colour, markeredgecolor=theme.PAPER, markersize=6, label="_cut-off")
                if alone:
                    axis.annotate(line.chosen_label, line.chosen, xytext=(7, -9), textcoords="offset points")
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel="1 − specificity", ylabel="Sensitivity")
        axis.set_aspect("equal")
        if alone:
            axis.legend(loc="lower right")
        else:
            figure.legend(loc="outside lower center", ncols=1)
    return figure


def _standing_out(lines: Sequence[RocLine]) -> int | None:
    """The place of the one curve of several whose area exceeds all others by 0.05; None where there is none."""
    areas = np.array([abs(float(np.trapezoid(line.sensitivity, line.false_positive_rate))) for line in lines])
    best = int(np.argmax(areas))
    return best if areas.size > 1 and areas[best] - np.delete(areas, best).max() > 0.05 else None


def stacked_histogram(
    values: Mapping[str, FloatArray],
    styles: Mapping[str, GroupStyle],
    *,
    x_label: str,
    bin_width: float,
    marks: Sequence[float] = (),
) -> tuple[Figure, FloatArray]:
    """Histogram with one colour per group, stacked; returns the edges of the bins, too."""
    everything = np.concatenate([np.asarray(part, dtype=np.float64) for part in values.values()])
    edges = histogram_edges(everything, bin_width)
    with theme.themed():
        figure = theme.new_figure(theme.HALF_WIDTH_MM, theme.HALF_WIDTH_MM)
        axis = figure.subplots()
        bottom = np.zeros(edges.size - 1)
        for name, part in values.items():
            counts = count_in_bins(part, edges)
            style = styles[name]
            bars = axis.bar(
                edges[:-1], counts, np.diff(edges), bottom, align="edge", color=style.colour, hatch=style.hatch,
                edgecolor=theme.PAPER, linewidth=0.6, label=f"{style.label} (n = {part.size})",
            )  # fmt: skip
            for bar, low, high, count in zip(bars, edges[:-1], edges[1:], counts, strict=True):
                hover.describe(figure, bar, [f"{style.label}: {count} above {low:g} and up to {high:g}"])
            bottom += counts
        axis.grid(visible=False, axis="x")
        axis.set(xlabel=x_label, ylabel="Patients", ylim=(0, max(1.0, bottom.max()) * 1.18))
        axis.yaxis.set_major_locator(MaxNLocator(integer=True))
        _mark_cut_offs(axis, marks)
        figure.legend(loc="outside lower center", ncols=2)
    return figure, edges


def residuals(
    values: FloatArray,
    fitted: FloatArray,
    group: NDArray[np.str_],
    styles: Mapping[str, GroupStyle],
    *,
    residual_label: str,
    fitted_label: str,
    bins: int,
    sd: float,
) -> Figure:
    """Histogram of residuals with the normal curve of the same SD; beside it the residuals over the fitted value."""
    with theme.themed():
        figure = theme.new_figure(theme.FULL_WIDTH_MM, 80.0)
        left, right = figure.subplots(1, 2)
        counts, edges, _ = left.hist(values, bins=bins, color=theme.BLUE, edgecolor=theme.PAPER, linewidth=0.6)
        if sd > 0:
            grid = np.linspace(min(edges[0], -3 * sd), max(edges[-1], 3 * sd), 200)
            density = np.exp(-0.5 * (grid / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
            left.plot(grid, density * values.size * (edges[1] - edges[0]), color=theme.VERMILLION, label="Normal curve")
            left.legend(loc="upper right")
        left.grid(visible=False, axis="x")
        left.set(xlabel=residual_label, ylabel="Patients", ylim=(0, max(1.0, float(np.max(counts))) * 1.25))
        left.yaxis.set_major_locator(MaxNLocator(integer=True))
        right.axhline(0.0, color=theme.MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        panel = ScatterPanel("", fitted, values, group, fitted_label, residual_label)
        _draw_scatter(figure, right, panel, styles, (), ())
        shown = [style for name, style in styles.items() if (group == name).any()]
        handles, labels = _point_handles(right, shown)
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def boxes(panels: Sequence[BoxPanel], styles: Sequence[GroupStyle]) -> Figure:
    """Box plots over groups: box at the quartiles ((n + 1) p), whiskers to the last value within 1.5 box heights.

    More than two panels share one scale and name their groups in a legend, as there is no room below the boxes.
    """
    is_crowded = len(panels) > 2
    with theme.themed():
        figure = theme.new_figure(theme.FULL_WIDTH_MM if len(panels) > 1 else theme.HALF_WIDTH_MM, 84.0)
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=is_crowded)[0]
        for axis, panel in zip(axes, panels, strict=True):
            _draw_boxes(axis, panel, styles)
            if is_crowded:
                axis.set_xticks(range(len(styles)), [f"{values.size}" for values in panel.values])
                axis.set_xlabel("n")
                axis.set_ylabel(panel.y_label if axis is axes[0] else "")
        if is_crowded:
            handles, labels = _point_handles(axes[0], styles)
            figure.legend(handles, labels, loc="outside lower center", ncols=len(styles))
    return figure


def stacked_shares(
    panels: Sequence[tuple[str, Mapping[str, Sequence[int]], Mapping[str, GroupStyle]]], groups: Sequence[str]
) -> Figure:
    """Bars of 100 % per group, one panel per variable; counts stand in the bars.

    A panel is (title, counts per category in the order of `groups`, style per category).
    """
    with theme.themed():
        figure = theme.new_figure(theme.FULL_WIDTH_MM if len(panels) > 1 else theme.HALF_WIDTH_MM, 84.0)
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axis, (title, counts, styles) in zip(axes, panels, strict=True):
            totals = np.sum([np.asarray(row) for row in counts.values()], axis=0)
            bottom = np.zeros(len(groups))
            for category, row in counts.items():
                share = np.divide(100.0 * np.asarray(row), totals, out=np.zeros(len(groups)), where=totals > 0)
                style = styles[category]
                bars = axis.bar(
                    range(len(groups)), share, 0.68, bottom, color=style.colour, hatch=style.hatch,
                    edgecolor=theme.PAPER, linewidth=0.6, label=style.label,
                )  # fmt: skip
                for bar, group, count, total, percent in zip(bars, groups, row, totals, share, strict=True):
                    hover.describe(figure, bar, [f"{group}, {style.label}: {count} of {total} ({percent:.1f} %)"])
                _write_counts(axis, row, share, bottom)
                bottom += share
            ticks = [f"{group}\nn = {total}" for group, total in zip(groups, totals, strict=True)]
            axis.set_xticks(range(len(groups)), ticks)
            axis.grid(visible=False, axis="x")
            axis.set(title=title, ylabel="Patients [%]", ylim=(0, 100))
            axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=3)
    return figure


def histogram_edges(values: FloatArray, bin_width: float) -> FloatArray:
    """Edges at multiples of `bin_width` that cover all values, each bin without its lower and with its upper edge."""
    low = np.ceil(values.min() / bin_width) - 1
    high = np.ceil(values.max() / bin_width)
    return np.asarray(np.arange(low, high + 1) * bin_width, dtype=np.float64)


def count_in_bins(values: FloatArray, edges: FloatArray) -> NDArray[np.int64]:
    """Values per bin (lower edge excluded, upper included), so that a value at a cut-off counts as "at or below"."""
    return np.asarray(np.histogram(-values, -edges[::-1])[0][::-1], dtype=np.int64)


def box_statistics(values: FloatArray) -> dict[str, object]:
    """Quartiles at (n + 1) p, whiskers and values beyond them, in the form that matplotlib draws."""
    q1, median, q3 = np.quantile(values, (0.25, 0.5, 0.75), method="weibull")
    reach = 1.5 * (q3 - q1)
    inside = values[(values >= q1 - reach) & (values <= q3 + reach)]
    return {
        "med": float(median),
        "q1": float(q1),
        "q3": float(q3),
        "whislo": float(min(inside.min(), q1)),
        "whishi": float(max(inside.max(), q3)),
        "fliers": values[(values < q1 - reach) | (values > q3 + reach)],
    }


def _draw_scatter(
    figure: Figure,
    axis: Axes,
    panel: ScatterPanel,
    styles: Mapping[str, GroupStyle],
    vertical_marks: Sequence[float],
    horizontal_marks: Sequence[float],
) -> None:
    for mark in vertical_marks:
        axis.axvline(mark, color=theme.MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    for mark in horizontal_marks:
        axis.axhline(mark, color=theme.MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    size = 20 if panel.x.size <= 400 else 7
    for name, style in styles.items():
        chosen = panel.group == name
        if not chosen.any():
            continue
        points = axis.scatter(
            panel.x[chosen], panel.y[chosen], size, style.colour, marker=style.marker, linewidths=0.4,
            edgecolors=theme.PAPER, alpha=0.9, rasterized=panel.x.size > MOST_VECTOR_POINTS,
        )  # fmt: skip
        if panel.x.size <= MOST_VECTOR_POINTS:
            hover.describe(figure, points, _point_titles(panel, chosen, style.label))
    if panel.line is not None and panel.x.size:
        intercept, slope = panel.line
        ends = np.array([panel.x.min(), panel.x.max()])
        height = intercept + slope * ends
        axis.plot(ends, height, color=theme.INK, linewidth=1.3)
        if panel.band > 0:
            axis.fill_between(
                ends, height - panel.band, height + panel.band, color=theme.MUTED, alpha=0.15, linewidth=0
            )
    axis.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
    if panel.remark:
        axis.text(
            0.02, 0.985, panel.remark, transform=axis.transAxes, va="top", fontsize=7.5, zorder=4,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": theme.PAPER, "edgecolor": "none"},
        )  # fmt: skip
        axis.margins(y=0.14)


def _point_titles(panel: ScatterPanel, chosen: NDArray[np.bool_], label: str) -> list[str]:
    names = [f"{name}, {label}" for name in np.asarray(panel.names, dtype=str)[chosen]] if len(panel.names) else []
    texts = names or [label] * int(chosen.sum())
    return [
        f"{text}: {panel.x_label} {x:.4g}, {panel.y_label} {y:.4g}"
        for text, x, y in zip(texts, panel.x[chosen], panel.y[chosen], strict=True)
    ]


def _point_handles(axis: Axes, styles: Sequence[GroupStyle]) -> tuple[list[PathCollection], list[str]]:
    handles = [
        axis.scatter([], [], 22, style.colour, marker=style.marker, linewidths=0.4, edgecolors=theme.PAPER)
        for style in styles
    ]
    return handles, [style.label for style in styles]


def _mark_cut_offs(axis: Axes, marks: Sequence[float]) -> None:
    for mark in marks:
        axis.axvline(mark, color=theme.INK, linewidth=1.0, linestyle=(0, (4, 3)))
        axis.text(mark, 0.985, f" {mark:g}", transform=axis.get_xaxis_transform(), va="top", ha="left", color=theme.INK)


def _draw_boxes(axis: Axes, panel: BoxPanel, styles: Sequence[GroupStyle]) -> None:
    draws_values = max(values.size for values in panel.values) <= MOST_DRAWN_VALUES
    for position, (values, style) in enumerate(zip(panel.values, styles, strict=True)):
        if values.size == 0:
            continue
        if values.size >= FEWEST_BOXED_VALUES:
            axis.bxp(
                [box_statistics(values)], positions=[position], widths=0.55, patch_artist=True,
                showfliers=not draws_values,
                medianprops={"color": theme.INK, "linewidth": 1.4}, whiskerprops={"color": theme.MUTED},
                capprops={"color": theme.MUTED},
                boxprops={"facecolor": style.colour, "alpha": 0.55, "edgecolor": theme.INK, "linewidth": 0.7},
                flierprops={"marker": ".", "markersize": 3, "markeredgecolor": theme.MUTED},
            )  # fmt: skip
        if draws_values or values.size < FEWEST_BOXED_VALUES:
            spread = _spread(values.size)
            axis.scatter(position + spread, values, 9, style.colour, marker=style.marker, linewidths=0.4,
                         edgecolors=theme.INK, zorder=3)  # fmt: skip
    ticks = [f"{style.label}\nn = {values.size}" for style, values in zip(styles, panel.values, strict=True)]
    axis.set_xticks(range(len(styles)), ticks, fontsize=7)
    axis.set_xlim(-0.6, len(styles) - 0.4)
    axis.grid(visible=False, axis="x")
    axis.set(title=panel.title, ylabel=panel.y_label)
    _draw_brackets(axis, panel)


def _spread(count: int) -> FloatArray:
    """Sideways offsets that part the points of a box the same way each time (golden-ratio sequence, +-0.18)."""
    return np.asarray((np.arange(1, count + 1) * 0.618033988749895) % 1.0 * 0.36 - 0.18, dtype=np.float64)


def _draw_brackets(axis: Axes, panel: BoxPanel) -> None:
    present = [values for values in panel.values if values.size]
    if not panel.comparisons or not present:
        return
    low, high = min(values.min() for values in present), max(values.max() for values in present)
    step = max(high - low, 1e-9) * 0.10
    for rank, (one, other, text) in enumerate(panel.comparisons):
        height = high + step * (0.9 + 1.15 * rank)
        axis.plot([one, one, other, other], [height - step / 4, height, height, height - step / 4],
                  color=theme.MUTED, linewidth=0.8)  # fmt: skip
        axis.text((one + other) / 2, height, text, ha="center", va="bottom", fontsize=7)
    axis.set_ylim(low - step, high + step * (1.9 + 1.15 * len(panel.comparisons)))


def _write_counts(axis: Axes, counts: Sequence[int], shares: FloatArray, bottom: FloatArray) -> None:
    for position, count in enumerate(counts):
        if shares[position] >= 6:
            axis.text(
                position, bottom[position] + shares[position] / 2, f"{count}", ha="center", va="center", fontsize=7.5,
                color="#111820", bbox={"boxstyle": "round,pad=0.2", "facecolor": "#f4f6f8", "edgecolor": "none"},
            )  # fmt: skip
