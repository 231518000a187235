"""Pictures of the study of new fractures: a case, the steps of 3D-HU, and the three slices of HU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spongiosa.report.panels import PanelView, Stroke, Word, points_of
from spongiosa.report.reformats import POSTERIOR, along_the_spine
from spongiosa.studies import illustrations
from spongiosa.studies.panel import Content, Panel, content, entry_of
from spongiosa.studies.panel_views import (
    FRONT_BACK,
    RIGHT_LEFT,
    coronal_of,
    sagittal_of,
    shown,
    slice_of,
    volume_view,
    with_cut,
)
from spongiosa.studies.pictured_cohort import SLICES_HU, PicturedCohort, Wanted, unsided
from spongiosa.studies.pictured_scan import MissingPicture, PicturedScan

ELLIPSES = ("ellipse_superior", "ellipse_mid", "ellipse_inferior")
WANTED = Wanted(
    {"hu_3d_l1_l4": "3D-HU of L1–L4", **SLICES_HU}, ("L3", "L2", "L4", "L1"), unsided((*ELLIPSES, "body_trabecular"))
)  # fmt: skip
#: The levels about the thoracolumbar junction that a case shows.
CASE_LEVELS = ("T12", "L1", "L2", "L3")
CASE_HALF_WIDTH_MM, CASE_MARGIN_MM, CASE_PIXEL_MM = 38.0, 22.0, 0.35
#: Half length of the lines at the upper and lower limit of the volume.  [mm]
LIMIT_MM = 24.0


def draw_case(states: list[tuple[str, PicturedScan]], caption: str) -> Content:
    """Sagittal views of a patient along the spine, one per examination."""
    views = [_case_view(title, scan) for title, scan in states[:3]]
    titles = ", ".join(title for title, _ in states[:3])
    alt = f"Sagittal CT of the thoracolumbar spine in {len(views)} examinations: {titles}."
    return content(views, (), caption, alt, 3, is_synthetic=states[0][1].is_synthetic)


def _case_view(title: str, scan: PicturedScan) -> PanelView:
    framed = {each.level: each.frame for each in scan.spine.vertebrae if each.frame is not None}
    centres = {level: framed[level].centre_mm for level in CASE_LEVELS if level in framed}
    if len(centres) < 2:
        raise MissingPicture("The thoracolumbar junction is not in view.")
    line = np.stack(list(centres.values()))
    top, bottom = line[:, 2].max() + CASE_MARGIN_MM, line[:, 2].min() - CASE_MARGIN_MM
    plane = along_the_spine(line + 6.0 * POSTERIOR, top, bottom, POSTERIOR, CASE_HALF_WIDTH_MM, CASE_PIXEL_MM)
    words = tuple(Word(centre - 24.0 * POSTERIOR, level) for level, centre in centres.items())
    return PanelView(title, plane, scan.volume, FRONT_BACK, words=words)


def draw_steps(scan: PicturedScan, remark: str) -> Content:
    """Upper and lower limit from the side and from the front, the contour across, and the volume."""
    level = scan.level_with(WANTED.levels, WANTED.places)
    entry = entry_of(scan, "3D-HU", level, "body_trabecular")
    frame = scan.frame(level)
    heights = frame.to_local_mm(points_of(scan.weights(level, "body_trabecular"), scan.regions.geometry))[:, 2]
    sagittal, coronal = (
        replace(shown(scan, f"{level}, {name}", plane, sides, (entry,)), strokes=strokes)
        for name, plane, sides, strokes in (
            ("1: limits, sagittal", sagittal_of(scan, level), FRONT_BACK,
             tuple(_limit(scan, level, height, (0.0, 1.0)) for height in (heights.max(), heights.min()))),
            ("2: limits, coronal", coronal_of(scan, level), RIGHT_LEFT,
             tuple(_limit(scan, level, height, (1.0, 0.0)) for height in (heights.max(), heights.min()))),
        )
    )  # fmt: skip
    axial = shown(scan, f"{level}, 3: contour, axial", slice_of(scan, level, "ellipse_mid"), RIGHT_LEFT, (entry,))
    volume = volume_view(scan, f"{level}, 4: volume", entry)
    caption = (
        f"{level}. 1, 2: upper and lower limit of the cancellous bone (dashed); 3: contour inside the cortex; 4: the "
        "volume whose mean is 3D-HU, seen from the front, above and the left. The outline is the body "
        f"inset from its whole surface (`regions.trabecular.margin_mm`); white: the body's outline. {remark}"
    )
    alt = f"Sagittal, coronal and axial CT of {level} with the trabecular volume, and its surface; {entry.text}."
    return content((sagittal, coronal, axial, volume), [entry], caption, alt, 2, is_synthetic=scan.is_synthetic)


def _limit(scan: PicturedScan, level: str, height_mm: float, towards: tuple[float, float]) -> Stroke:
    """A line across the body at a height over its middle, to the left or backwards."""
    frame = scan.frame(level)
    ends = [frame.to_lps_mm(np.array([*(np.array(towards) * reach), height_mm])) for reach in (-LIMIT_MM, LIMIT_MM)]
    return Stroke(ends[0], ends[1])


def draw_slices(scan: PicturedScan, remark: str) -> Content:
    """The largest ellipse in three slices, and where they lie."""
    level = scan.level_with(WANTED.levels, WANTED.places)
    names = ("below the superior endplate", "mid-height", "above the inferior endplate")
    entries = [entry_of(scan, text.capitalize(), level, name) for name, text in zip(ELLIPSES, names, strict=True)]
    planes = [slice_of(scan, level, name) for name in ELLIPSES]
    sagittal = shown(scan, f"{level}, sagittal", sagittal_of(scan, level), FRONT_BACK)
    for plane in planes:
        sagittal = with_cut(sagittal, plane)
    axial = [
        shown(scan, f"{level}, {text}", plane, RIGHT_LEFT, (entry,))
        for plane, text, entry in zip(planes, names, entries, strict=True)
    ]
    caption = (
        f"{level}. Largest ellipse in the cancellous bone of three axial slices (dashed in the sagittal view); the "
        f"mean of the three is the HU of the vertebra. White: the body's outline. {remark}"
    )
    alt = (
        f"Sagittal CT of {level} and three axial slices with an ellipse: {', '.join(entry.text for entry in entries)}."
    )
    return content((sagittal, *axial), entries, caption, alt, 2, is_synthetic=scan.is_synthetic)


def _case_of_cohort(cohort: PicturedCohort) -> Content:
    states = [(f"Examination: {session}", scan) for session, scan in cohort.fractured()]
    return draw_case(states, "Sagittal CT, curved along the spine, of a patient of this cohort with a new fracture.")


def _case_illustrated() -> Content:
    titles = ("Before: fracture of L1", "After cement in L1", "Follow-up: new fracture of L2")
    return draw_case(
        list(zip(titles, illustrations.fracture_case(), strict=True)),
        "Sagittal CT, curved along the spine: a wedge fracture of L1, L1 with bone cement, and at follow-up a new "
        "biconcave fracture of L2.",
    )


def _synthetic() -> PicturedScan:
    return illustrations.one_level("L3", (*ELLIPSES, "body_trabecular"))


PANELS = (
    Panel("p1_case", "Picture 1. A case", _case_of_cohort, _case_illustrated),
    Panel(
        "p2_steps", "Picture 2. Steps of 3D-HU", lambda cohort: draw_steps(cohort.scan, cohort.choice),
        lambda: draw_steps(_synthetic(), ""),
    ),
    Panel(
        "p3_slices", "Picture 3. Slices of HU", lambda cohort: draw_slices(cohort.scan, cohort.choice),
        lambda: draw_slices(_synthetic(), ""),
    ),
)  # fmt: skip
