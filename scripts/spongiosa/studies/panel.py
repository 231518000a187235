"""A panel of a study: what is drawn, from whom, and the words around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from spongiosa.regions.segmentation import COLOURS
from spongiosa.report.formatting import number
from spongiosa.report.panels import Colour, Overlay, PanelView, panel_figure
from spongiosa.studies.pictured_cohort import PicturedCohort
from spongiosa.studies.pictured_scan import PicturedScan, Reading

NOT_MEASURED = Reading()


@dataclass(frozen=True)
class Entry:
    """A region of a picture and what was measured in it; `label` is its name in the legend."""

    label: str
    level: str
    region: str
    side: str = "none"
    reading: Reading = NOT_MEASURED
    signal: float | None = None
    colour: Colour | None = None

    @property
    def text(self) -> str:
        """The line of the legend."""
        parts = [] if self.reading.hu is None else [f"{number(self.reading.hu, 0)} HU"]
        if self.reading.vbmd_mg_cm3 is not None:
            parts.append(f"{number(self.reading.vbmd_mg_cm3, 0)} mg/cm³")
        if self.signal is not None:
            parts.append(f"signal {number(self.signal, 0)}")
        return f"{self.label}: {', '.join(parts)}" if parts else self.label

    @property
    def hue(self) -> Colour:
        """The colour of the region wherever it is shown."""
        return COLOURS[self.region] if self.colour is None else self.colour


@dataclass(frozen=True)
class Content:
    """A drawn panel; `caption` says what it shows, `alt` the same in one sentence for screen readers."""

    figure: Figure
    data: pd.DataFrame
    caption: str
    alt: str


@dataclass(frozen=True)
class Panel:
    """A picture of a study: drawn from the cohort, or, where that raises `MissingPicture`, from a synthetic patient."""

    key: str
    title: str
    draw: Callable[[PicturedCohort], Content]
    illustrate: Callable[[], Content]


def entry_of(scan: PicturedScan, label: str, level: str, region: str, side: str = "none") -> Entry:
    """The legend entry of a region with what was measured in it."""
    return Entry(label, level, region, side, scan.readings.get((level, region, side), NOT_MEASURED))


def overlay_of(scan: PicturedScan, entry: Entry, letter: str = "") -> Overlay:
    """The region of an entry, as it was placed.  Raises `MissingPicture` where it was not."""
    weights = scan.weights(entry.level, entry.region, entry.side)
    region = scan.regions.find(entry.level, entry.region, entry.side)
    return Overlay(weights, scan.regions.geometry, entry.hue, letter, is_sheet=region.area_mm2 is not None)


def content(
    views: Sequence[PanelView], entries: Sequence[Entry], caption: str, alt: str, columns: int, *, is_synthetic: bool
) -> Content:
    """Views and legend as a figure, with the numbers of the legend beside it."""
    legend = [(entry.hue, entry.text) for entry in entries]
    figure = panel_figure(views, legend, columns, is_synthetic=is_synthetic)
    return Content(figure, table_of(entries), caption, alt)


def table_of(entries: Sequence[Entry]) -> pd.DataFrame:
    """The numbers of the entries, one row each."""
    rows = [
        {"level": entry.level, "region": entry.region, "side": entry.side, "hu_mean": entry.reading.hu,
         "vbmd_mean_mg_cm3": entry.reading.vbmd_mg_cm3, "signal_mean": entry.signal}
        for entry in entries
    ]  # fmt: skip
    data = pd.DataFrame(rows, columns=["level", "region", "side", "hu_mean", "vbmd_mean_mg_cm3", "signal_mean"])
    real = dict.fromkeys(("hu_mean", "vbmd_mean_mg_cm3", "signal_mean"), "Float64")
    return data.astype(dict.fromkeys(("level", "region", "side"), "string") | real)
