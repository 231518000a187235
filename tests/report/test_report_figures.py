"""Figures: what is counted into a bin, how boxes are built, what the pointer reads, and what the page makes of them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine
from scipy import stats

from spongiosa.report import figures, theme
from spongiosa.report.theme import GroupStyle

STYLES = {"a": GroupStyle("Group A", theme.BLUE, "o"), "b": GroupStyle('"B" <b>', theme.ORANGE, "s", "////")}


def scatter_of(count: int) -> str:
    rng = np.random.default_rng(1)
    panel = figures.ScatterPanel(
        title="",
        x=rng.normal(100, 20, count),
        y=rng.normal(0, 1, count),
        group=np.where(np.arange(count) % 3 == 0, "b", "a"),
        x_label="HU",
        y_label="T",
        line=(-3.0, 0.03),
        names=[f"P{number}" for number in range(count)],
    )
    return theme.svg_text(figures.scatter([panel], STYLES, vertical_marks=[100.0]), "test")


def test_a_value_on_an_edge_belongs_to_the_bin_below() -> None:
    """A cut-off of 100 HU is "at or below", so 100 must not be drawn among those above it."""
    values = np.array([95.0, 100.0, 100.1, 110.0])
    edges = figures.histogram_edges(values, 10.0)
    assert edges.tolist() == [90.0, 100.0, 110.0]
    assert figures.count_in_bins(values, edges).tolist() == [2, 2]


def test_every_value_is_counted_once() -> None:
    values = np.random.default_rng(2).normal(120, 40, 500)
    assert figures.count_in_bins(values, figures.histogram_edges(values, 10.0)).sum() == 500


def test_boxes_stand_on_the_quartiles_of_spss_and_whiskers_end_at_data() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 40.0])
    box = figures.box_statistics(values)
    # (n + 1) p: positions 2.25 and 6.75 of eight values.
    assert (box["q1"], box["q3"]) == (2.25, 6.75)
    assert box["whishi"] == 7.0 and list(np.asarray(box["fliers"])) == [40.0]


def test_every_point_names_its_patient_and_values_and_nothing_is_markup() -> None:
    svg = scatter_of(40)
    titles = re.findall(r"<title>([^<]*)</title>", svg)
    assert len(titles) == 40
    assert sum(title.startswith("P3, &quot;B&quot; &lt;b&gt;: HU ") for title in titles) == 1


def test_a_large_scatter_is_an_image_in_the_svg_and_stays_small() -> None:
    svg = scatter_of(figures.MOST_VECTOR_POINTS + 1)
    assert "data:image/png;base64," in svg
    assert "<title>" not in svg
    # 10,000 patients in three panels must not weigh more than a few photographs.
    assert len(svg) < 400_000


def test_a_figure_on_the_page_has_its_own_identifiers_colours_and_words() -> None:
    svg = theme.svg_for_page(scatter_of(5), "study-f1", 'HU & "T" <script>')
    assert svg.startswith('<svg role="img" aria-label="HU &amp; &quot;T&quot; &lt;script&gt;"')
    assert all(name.startswith("study-f1-") for name in re.findall(r'\bid="([^"]+)"', svg))
    assert "var(--ink)" in svg and theme.INK not in svg


def test_the_width_on_the_page_is_that_of_print_enlarged() -> None:
    millimetres = theme.width_on_page_px(scatter_of(5)) / theme.ENLARGEMENT_ON_PAGE / 96 * 25.4
    assert millimetres == pytest.approx(theme.HALF_WIDTH_MM, abs=0.3)


def test_bars_say_how_many_patients_they_are() -> None:
    counts = {"a": [3, 1], "b": [1, 0]}
    svg = theme.svg_text(figures.stacked_shares([("", counts, STYLES)], ["left", "right"]), "test")
    titles = re.findall(r"<title>([^<]*)</title>", svg)
    assert "left, Group A: 3 of 4 (75.0 %)" in titles and "right, Group A: 1 of 1 (100.0 %)" in titles


def test_the_normal_curve_has_the_area_of_the_histogram() -> None:
    """Drawn from the figure itself: the curve over the bins must hold as many patients as the bars."""
    values = np.random.default_rng(3).normal(0, 1, 400)
    group = np.full(400, "a")
    drawn = figures.residuals(
        values, values, group, STYLES, residual_label="r", fitted_label="f", bins=25, sd=float(values.std())
    )
    axis = drawn.axes[0]
    x, y = (np.asarray(part, dtype=float) for part in axis.lines[0].get_data())
    width = axis.patches[0].get_width()
    # 1 %: the tails beyond three SDs hold 0.3 %.
    assert np.trapezoid(y, x) / width == pytest.approx(400, rel=0.01)
    assert stats.norm.cdf(3) > 0.998


def roc_line(label: str, sensitivity: float) -> figures.RocLine:
    rate = np.array([0.0, 0.2, 1.0])
    return figures.RocLine(label, "AUC", rate, np.array([0.0, sensitivity, 1.0]))


def test_a_roc_figure_is_square_and_names_every_area() -> None:
    figure = figures.roc([roc_line("HU", 0.6), roc_line("Model", 0.95)])
    axis = figure.axes[0]
    assert axis.get_aspect() == 1.0 and axis.get_xlim() == axis.get_ylim()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["HU: AUC", "Model: AUC"]


def test_only_a_curve_that_stands_out_is_drawn_heavy() -> None:
    """The area is 0.5 + (sensitivity - 0.2) / 2: 0.70 against 0.875 stands out, 0.70 against 0.72 does not."""
    widths = [
        line.get_linewidth() for line in figures.roc([roc_line("HU", 0.6), roc_line("Model", 0.95)]).axes[0].lines
    ]
    assert widths[2] > widths[1]
    widths = [line.get_linewidth() for line in figures.roc([roc_line("A", 0.6), roc_line("B", 0.64)]).axes[0].lines]
    assert widths[2] == widths[1]


def test_a_figure_in_two_formats_is_laid_out_once_and_looks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 % of the figure: a picture sets letters to whole pixels, an SVG does not, so that texts differ in width."""
    laid_out = []
    execute = ConstrainedLayoutEngine.execute
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda *given: laid_out.append(1) or execute(*given))
    counts = {"yes": [3, 4], "no": [5, 6]}
    styles = {"yes": STYLES["a"], "no": STYLES["b"]}
    alone, both = (figures.stacked_shares([("A title", counts, styles)], ["left", "right"]) for _ in range(2))
    before = alone.axes[0].get_position().bounds
    theme.png_bytes(alone, 100)
    assert len(laid_out) == 1
    assert alone.axes[0].get_position().bounds != pytest.approx(before, abs=0.01), "the layout moves something"
    theme.svg_text(both, "test")
    theme.png_bytes(both, 100)
    assert len(laid_out) == 2
    assert both.axes[0].get_position().bounds == pytest.approx(alone.axes[0].get_position().bounds, abs=0.01)
