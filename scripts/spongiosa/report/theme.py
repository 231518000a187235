"""The one theme of all figures: fonts, sizes, colours, and how a figure becomes bytes.

Colours are Okabe and Ito's, which hold under the common colour blindnesses; every group also has its own marker and
its own hatch, so that grey print stays readable.  Ink, grid and paper are colours of their own, which the report
replaces by its page's colours, so that a figure follows the dark style.
Source of the palette: Okabe and Ito, Color Universal Design (2008).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from spongiosa.report.hover import with_titles

INK = "#1e2730"
MUTED = "#66717d"
GRID = "#dbe0e6"
PAPER = "#fefefe"

BLUE, SKY, VERMILLION, ORANGE, GREEN, PURPLE = "#0072b2", "#56b4e9", "#d55e00", "#e69f00", "#009e73", "#cc79a7"

#: Colour of a figure -> variable of the report's style sheet.
PAGE_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper"}

MILLIMETRES_PER_INCH = 25.4
#: Width of a figure over the whole text, and of one that shares a row.
FULL_WIDTH_MM, HALF_WIDTH_MM = 180.0, 88.0
#: A figure on the page is this much larger than in print.
ENLARGEMENT_ON_PAGE = 1.3

# matplotlib types the keys by a literal of all its parameters, which a plain dictionary cannot meet.
RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.5,
    "hatch.linewidth": 0.6,
    "hatch.color": PAPER,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "path",
    "image.composite_image": True,
    "axes.unicode_minus": True,
}


@dataclass(frozen=True)
class GroupStyle:
    """How a group looks in every figure."""

    label: str
    colour: str
    marker: str
    hatch: str = ""


@contextmanager
def themed() -> Iterator[None]:
    """Everything drawn inside follows the theme."""
    with mpl.rc_context(RC):
        yield


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """An empty figure of a set size, laid out without overlaps; call inside `themed()`."""
    return Figure(figsize=(width_mm / MILLIMETRES_PER_INCH, height_mm / MILLIMETRES_PER_INCH), layout="constrained")


def svg_text(figure: Figure, key: str) -> str:
    """The figure as SVG, the same text for the same figure: identifiers salted by `key`, no date, no version."""
    buffer = io.StringIO()
    nameless = dict.fromkeys(("Date", "Creator", "Format", "Type"), None)
    _save(figure, buffer, {"svg.hashsalt": f"spongiosa {key}"}, format="svg", dpi=300, metadata=nameless)
    text = with_titles(buffer.getvalue(), figure)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def png_bytes(figure: Figure, dots_per_inch: int = 300) -> bytes:
    """The figure as PNG on white, without date or version."""
    buffer = io.BytesIO()
    _save(figure, buffer, {}, format="png", dpi=dots_per_inch, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def _save(figure: Figure, buffer: io.StringIO | io.BytesIO, rc: dict[Any, Any], **options: Any) -> None:
    """Save a figure; it keeps the layout of its first save.

    A save with a layout engine draws everything twice and finds the layout in two passes, so that a figure in two
    formats would be laid out four times.
    """
    with mpl.rc_context({**RC, **rc}):
        figure.savefig(buffer, **options)
        figure.set_layout_engine(None)


def width_on_page_px(svg: str) -> int:
    """Width of an SVG of ours in CSS pixels (96 per 72 points), enlarged so that its 8-point text reads well."""
    points = re.search(r'width="([0-9.]+)pt"', svg)
    if points is None:
        raise ValueError("the SVG states no width in points")
    return round(float(points.group(1)) * 96 / 72 * ENLARGEMENT_ON_PAGE)


def svg_for_page(svg: str, key: str, alt: str) -> str:
    """The SVG element alone, to be put into an HTML page.

    Identifiers get the prefix `key`, since several figures share the page; ink, grid and paper become the page's
    colours; `alt` (already plain text) names the picture for screen readers.
    """
    element = svg[svg.index("<svg") :]
    element = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', element)
    element = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", element)
    element = re.sub(r'href="#([^"]+)"', rf'href="#{key}-\1"', element)
    for colour, variable in PAGE_VARIABLES.items():
        element = element.replace(colour, f"var({variable})")
    label = alt.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    return element.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
