"""Pictures of the comparison of shapes: oval, round, and the three zones of the slice at mid-height."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spongiosa.regions.segmentation import ORANGE
from spongiosa.report.panels import HALF_COVERED, PanelView, Stroke, cover_in
from spongiosa.report.reformats import Reformat
from spongiosa.studies import illustrations
from spongiosa.studies.panel import Content, Entry, Panel, content, entry_of, overlay_of
from spongiosa.studies.panel_views import FRONT_BACK, RIGHT_LEFT, sagittal_of, shown, slice_of, with_cut
from spongiosa.studies.pictured_cohort import SLICES_HU, PicturedCohort, Wanted, unsided
from spongiosa.studies.pictured_scan import PicturedScan

SHAPES = ("shape_oval", "shape_round", "shape_front", "shape_left", "shape_right")
WANTED = Wanted({"oval_l1_l4_hu": "oval HU of L1–L4", **SLICES_HU}, ("L3", "L2", "L4", "L1"), unsided(SHAPES))
#: Half length of the line at two thirds of the depth.  [mm]
LINE_MM = 24.0
_SLICE = "The axial slice lies at mid-height of {level} (dashed line in the sagittal view); white: the body's outline. "


def _oval(scan: PicturedScan, level: str) -> tuple[tuple[tuple[Entry, str], ...], str]:
    entry = entry_of(scan, "Oval", level, "shape_oval")
    return ((entry, ""),), "the largest ellipse of the trabecular area in front of the two-thirds line (dashed)"


def _round(scan: PicturedScan, level: str) -> tuple[tuple[tuple[Entry, str], ...], str]:
    entry = entry_of(scan, "Round", level, "shape_round")
    return ((entry, ""),), "the circle between the inner edge of the anterior cortex and the two-thirds line (dashed)"


def _zones(scan: PicturedScan, level: str) -> tuple[tuple[tuple[Entry, str], ...], str]:
    named = (("A", "right"), ("B", "front"), ("C", "left"))
    entries = tuple((entry_of(scan, f"{letter}, {zone}", level, f"shape_{zone}"), letter) for letter, zone in named)
    # Its own grey would not stand out from bone.
    entries = tuple((replace(entry, colour=ORANGE) if letter == "B" else entry, letter) for entry, letter in entries)
    return entries, (
        "zone B, the front, is the central third of the inner width in front of the two-thirds line (dashed); zones A "
        "(the patient's right) and C (left) lie beside the extended side borders of B"
    )


_DRAWN = {"oval": _oval, "round": _round, "zones": _zones}


def draw(scan: PicturedScan, name: str, remark: str) -> Content:
    """Sagittal view and slice of a level with the shapes of one panel."""
    level = scan.level_with(WANTED.levels, WANTED.places)
    entries, meaning = _DRAWN[name](scan, level)
    plane = slice_of(scan, level, "shape_front")
    sagittal = with_cut(shown(scan, f"{level}, sagittal", sagittal_of(scan, level), FRONT_BACK), plane)
    axial = replace(
        shown(scan, f"{level}, axial, at mid-height", plane, RIGHT_LEFT),
        overlays=tuple(overlay_of(scan, entry, letter) for entry, letter in entries),
    )
    axial = _with_two_thirds_line(axial, scan, level, plane)
    caption = f"{meaning[0].upper()}{meaning[1:]}. {_SLICE.format(level=level)}{remark}"
    texts = ", ".join(entry.text for entry, _ in entries)
    alt = f"Sagittal and axial CT of {level} with the region of interest: {texts}."
    return content((sagittal, axial), [entry for entry, _ in entries], caption, alt, 2, is_synthetic=scan.is_synthetic)


def _with_two_thirds_line(view: PanelView, scan: PicturedScan, level: str, plane: Reformat) -> PanelView:
    """The view with the posterior border of the front zone, extended across the body."""
    cover = cover_in(plane, scan.weights(level, "shape_front"), scan.regions.geometry)
    rows, columns = np.nonzero(cover >= HALF_COVERED)
    lowest, middle = int(np.percentile(rows, 99)), int(columns.mean())
    reach = int(LINE_MM / plane.pixel_mm)
    ends = [
        plane.points_mm[lowest, max(middle + step, 0)] for step in (-reach, min(reach, cover.shape[1] - middle - 1))
    ]
    return replace(view, strokes=(*view.strokes, Stroke(ends[0], ends[1])))


def _panel(name: str, key: str, title: str) -> Panel:
    def of_cohort(cohort: PicturedCohort) -> Content:
        return draw(cohort.scan, name, cohort.choice)

    def of_synthetic() -> Content:
        return draw(illustrations.one_level("L3", SHAPES), name, "")

    return Panel(key, title, of_cohort, of_synthetic)


PANELS = (
    _panel("oval", "p1_oval", "Picture 1. Oval region of interest"),
    _panel("round", "p2_round", "Picture 2. Round region of interest"),
    _panel("zones", "p3_zones", "Picture 3. Zones A, B and C"),
)
