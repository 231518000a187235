"""The flow of patients as a diagram in the manner of STROBE and STARD: table, who left and why, analysed, groups."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from spongiosa.report import theme
from spongiosa.report.exhibits import FigureExhibit
from spongiosa.report.formatting import whole

LINE_MM, PADDING_MM, GAP_MM = 4.0, 2.5, 8.0
#: Characters that fit a line of the wide box, and of one group's box at the width that it has.
WIDE_CHARACTERS, CHARACTERS_PER_MM = 58, 0.62


def flow_figure(flow: pd.DataFrame, groups: Mapping[str, int]) -> tuple[FigureExhibit, str]:
    """The diagram of a flow (columns step, patients, explanation), ending in the `groups` and their patients."""
    left = flow[~flow["step"].isin(["in_patient_table", "analysed"])]
    lines = [
        f"{whole(count)}: {text.removeprefix('Left out: ')}"
        for text, count in zip(left["explanation"], left["patients"], strict=True)
    ]
    side = [part for line in lines for part in textwrap.wrap(line, WIDE_CHARACTERS, subsequent_indent="    ")]
    start = _text("Patients in the patient table", int(flow["patients"].iloc[0]))
    end = _text("Patients analysed", int(flow["patients"].iloc[-1]))
    width = (theme.FULL_WIDTH_MM - 4.0 - (len(groups) - 1) * 4.0) / max(len(groups), 1)
    wrapped = {
        name: [*textwrap.wrap(name, max(8, int(width * CHARACTERS_PER_MM))), f"n = {whole(count)}"]
        for name, count in groups.items()
    }
    group_height = _height(max((len(text) for text in wrapped.values()), default=1))
    side_text = [f"Left out (n = {whole(int(left['patients'].sum()))})", *side]
    middle = max(_height(len(side_text)), GAP_MM) if side else 0.0
    total = _height(2) * 2 + group_height + middle + 3 * GAP_MM
    with theme.themed():
        figure = theme.new_figure(theme.FULL_WIDTH_MM, total)
        axis = figure.subplots()
        axis.set(xlim=(0, theme.FULL_WIDTH_MM), ylim=(total, 0))
        axis.axis("off")
        centre = theme.FULL_WIDTH_MM * (0.28 if side else 0.5)
        _box(axis, centre, GAP_MM / 2, 70.0, start)
        top = GAP_MM / 2 + _height(2)
        end_top = top + middle + GAP_MM
        _arrow(axis, (centre, top), (centre, end_top))
        if side:
            side_width = theme.FULL_WIDTH_MM - centre - 14.0
            _box(axis, centre + 12.0 + side_width / 2, top + GAP_MM / 2, side_width, side_text, is_list=True)
            _arrow(axis, (centre, top + GAP_MM / 2 + middle / 2), (centre + 12.0, top + GAP_MM / 2 + middle / 2))
        _box(axis, centre, end_top, 70.0, end)
        group_top = end_top + _height(2) + GAP_MM
        for position, text in enumerate(wrapped.values()):
            middle_of_box = 2.0 + width / 2 + position * (width + 4.0)
            _arrow(axis, (centre, end_top + _height(2)), (middle_of_box, group_top))
            _box(axis, middle_of_box, group_top, width, text)
    words = "; ".join([*(f"{count} {name}" for name, count in groups.items())])
    data = pd.concat(
        [
            flow,
            pd.DataFrame({"step": "group", "patients": list(groups.values()), "explanation": list(groups)}),
        ],
        ignore_index=True,
    )
    return FigureExhibit(
        key="f0_flow",
        title="Flow of patients",
        figure=figure,
        data=data,
        caption="Every patient of the patient table once, at the first criterion that applies.",
        alt=f"Flow diagram: {int(flow['patients'].iloc[0])} patients, {int(left['patients'].sum())} left out, "
        f"{int(flow['patients'].iloc[-1])} analysed: {words}.",
    ), ""


def _text(label: str, count: int) -> list[str]:
    return [label, f"n = {whole(count)}"]


def _height(lines: int) -> float:
    return lines * LINE_MM + 2 * PADDING_MM


def _box(axis: Axes, centre: float, top: float, width: float, lines: list[str], is_list: bool = False) -> None:
    height = _height(len(lines))
    outline = FancyBboxPatch(
        (centre - width / 2, top), width, height, boxstyle="round,pad=0,rounding_size=1.5",
        facecolor=theme.PAPER, edgecolor=theme.MUTED, linewidth=0.8,
    )  # fmt: skip
    axis.add_patch(outline)
    for position, line in enumerate(lines):
        y = top + PADDING_MM + (position + 0.5) * LINE_MM
        x, alignment = (centre - width / 2 + 3.0, "left") if is_list else (centre, "center")
        weight = "bold" if position == 0 else "normal"
        axis.text(x, y, line, ha=alignment, va="center", fontsize=7.5, fontweight=weight)


def _arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axis.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": theme.MUTED, "linewidth": 0.9}
    )  # fmt: skip
