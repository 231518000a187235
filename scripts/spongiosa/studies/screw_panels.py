"""Pictures of the studies of screw loosening: regions A, B and C, the loose screw, HU of body and trajectory."""

from __future__ import annotations

import numpy as np

from spongiosa.anatomy.frame import unit_vector
from spongiosa.report.formatting import number
from spongiosa.report.panels import (
    METAL_WINDOW_HU,
    PanelView,
    Stroke,
    centroid_mm,
    plane_view,
    principal_axes,
)
from spongiosa.report.reformats import LEFT, POSTERIOR, SUPERIOR
from spongiosa.studies import dxa_panel, illustrations, pbq_panel
from spongiosa.studies.illustrations import LooseScrew
from spongiosa.studies.panel import Content, Entry, Panel, content, entry_of
from spongiosa.studies.panel_views import (
    FRONT_BACK,
    PIXEL_MM,
    RIGHT_LEFT,
    along_pedicles,
    beside_pedicle,
    sagittal_of,
    shown,
    slice_of,
)
from spongiosa.studies.pictured_cohort import SLICES_HU, PicturedCohort, Wanted, sided, unsided
from spongiosa.studies.pictured_scan import PicturedScan
from spongiosa.volume import FloatArray

ELLIPSES = ("ellipse_superior", "ellipse_mid", "ellipse_inferior")
QCT = Wanted(
    {"l5_body_vbmd_mg_cm3": "vBMD of the body of L5", **SLICES_HU},
    ("L5",),
    (*unsided(("body_central",)), *sided(("pedicle", "trajectory"))),
)
RATIO = Wanted(
    {"hu_ratio": "HU ratio", **SLICES_HU}, ("L3", "L2", "L4"), (*unsided(ELLIPSES), *sided(("trajectory",)))
)  # fmt: skip
#: Half size of the views of a loose screw, length of the arrow at its halo, and radius of a usual screw.  [mm]
SCREW_HALF_MM, ARROW_MM, SCREW_RADIUS_MM = (30.0, 28.0), 9.0, 3.25
ARROW_COLOUR = "#ffd34d"


def draw_regions(scan: PicturedScan, remark: str) -> Content:
    """Regions A, B and C from the side, across, and along the left pedicle."""
    level = scan.level_with(QCT.levels, QCT.places)
    body = entry_of(scan, "A, central body", level, "body_central")
    pedicles, trajectories = (
        tuple(entry_of(scan, f"{letter}, {side} {name}", level, name, side) for side in ("left", "right"))
        for letter, name in (("B", "pedicle"), ("C", "trajectory"))
    )
    views = (
        shown(scan, f"{level}, sagittal: A", sagittal_of(scan, level), FRONT_BACK, (body,)),
        shown(
            scan, f"{level}, along the pedicles: B, C", along_pedicles(scan, level, "trajectory"), RIGHT_LEFT,
            (*trajectories, *pedicles),
        ),
        shown(
            scan, f"{level}, left pedicle: B, C", beside_pedicle(scan, level, "trajectory", "left"), FRONT_BACK,
            (trajectories[0], pedicles[0]),
        ),
    )  # fmt: skip
    caption = (
        f"{level}. A: cylinder in the middle of the trabecular body; B: pedicle about its isthmus, inside the cortex; "
        "C: cylinder of the screw along the axis of the pedicle, through pedicle and body. The views along the "
        f"pedicles are oblique planes through the axes; white: the body's outline. {remark}"
    )
    entries = [body, *pedicles, *trajectories]
    alt = (
        f"Sagittal, axial and parasagittal CT of {level} with regions A, B and C: {', '.join(e.text for e in entries)}."
    )
    return content(views, entries, caption, alt, 3, is_synthetic=scan.is_synthetic)


def draw_loosening(loose: LooseScrew, caption: str) -> Content:
    """Coronal, sagittal and axial view through the middle of a loose screw, arrows at its halo."""
    backwards = unit_vector(loose.direction * np.sign(loose.direction @ POSTERIOR))
    left, up = (unit_vector(axis - (axis @ backwards) * backwards) for axis in (LEFT, SUPERIOR))
    # Right and down on the screen, and the flank of the screw at which the arrow points.
    towards = {
        "coronal, across the screw": (left, -up, up),
        "sagittal, along the screw": (backwards, -up, up),
        "axial, along the screw": (left, backwards, left),
    }
    edge = SCREW_RADIUS_MM + loose.halo_mm / 2
    views = [
        PanelView(
            f"{loose.level}, {name}", plane_view(loose.middle_mm, right, down, SCREW_HALF_MM, PIXEL_MM),
            loose.scan.volume, FRONT_BACK if right is backwards else RIGHT_LEFT, window=METAL_WINDOW_HU,
            strokes=(_arrow(loose.middle_mm + edge * flank, flank),), scale_mm=10.0,
        )
        for name, (right, down, flank) in towards.items()
    ]  # fmt: skip
    alt = f"Coronal, sagittal and axial CT of {loose.level} with a pedicle screw in a dark halo of resorbed bone."
    return content(views, (), caption, alt, 3, is_synthetic=loose.scan.is_synthetic)


def _arrow(tip_mm: FloatArray, from_where: FloatArray) -> Stroke:
    return Stroke(tip_mm + ARROW_MM * from_where, tip_mm, ARROW_COLOUR, is_arrow=True)


def draw_hu_regions(scan: PicturedScan, remark: str) -> Content:
    """The three ellipses of the body and the trajectories of both sides, with the ratio of their HU."""
    level = scan.level_with(RATIO.levels, RATIO.places)
    names = ("below the superior endplate", "mid-height", "above the inferior endplate")
    ellipses = [entry_of(scan, f"B-HU, {text}", level, name) for name, text in zip(ELLIPSES, names, strict=True)]
    screws = [entry_of(scan, f"ST-HU, {side}", level, "trajectory", side) for side in ("left", "right")]
    views = [
        shown(scan, f"{level}, {text}", slice_of(scan, level, entry.region), RIGHT_LEFT, (entry,))
        for entry, text in zip(ellipses, names, strict=True)
    ]
    plane = along_pedicles(scan, level, "trajectory")
    views.append(shown(scan, f"{level}, along the screw trajectories", plane, RIGHT_LEFT, tuple(screws)))
    caption = (
        f"{level}. B-HU is the mean of the three ellipses, ST-HU the mean of both trajectories (cylinders as thick and "
        f"long as the screw, cut along their axes){_ratio(ellipses, screws)}. White: the body's outline. {remark}"
    )
    alt = f"Three axial slices of {level} and a slice along the pedicles with the regions of B-HU and ST-HU."
    return content(views, [*ellipses, *screws], caption, alt, 2, is_synthetic=scan.is_synthetic)


def _ratio(ellipses: list[Entry], screws: list[Entry]) -> str:
    """B-HU, ST-HU and their ratio in words, where all were measured."""
    values = [[entry.reading.hu for entry in part if entry.reading.hu is not None] for part in (ellipses, screws)]
    if len(values[0]) < len(ellipses) or len(values[1]) < len(screws) or np.mean(values[0]) <= 0:
        return ""
    body, trajectory = (float(np.mean(part)) for part in values)
    return f"; here {number(body, 0)} and {number(trajectory, 0)} HU, HU ratio {number(trajectory / body, 2)}"


def _follow_up(cohort: PicturedCohort) -> Content:
    scan, level, side = cohort.loosened()
    weights = scan.weights(level, "trajectory", side)
    middle, axes = (of(weights, scan.regions.geometry) for of in (centroid_mm, principal_axes))
    found = LooseScrew(scan, level, side, middle, axes[0], 1.0)
    return draw_loosening(
        found,
        f"Follow-up CT through the {side} screw of {level}, which the table of screws calls loose. The arrows point at "
        "the border of the screw. Window -400 to 1200 HU.",
    )


def _loosening_illustrated() -> Content:
    loose = illustrations.loose_screw()
    return draw_loosening(
        loose,
        f"Left screw of {loose.level} in a radiolucent zone {number(loose.halo_mm, 1)} mm wide (loosening: 1 mm or "
        "more, arrows). Window -400 to 1200 HU.",
    )


def _regions_illustrated() -> Content:
    return draw_regions(illustrations.one_level("L5", ("body_central", "pedicle", "trajectory")), "")


def _hu_illustrated() -> Content:
    return draw_hu_regions(illustrations.one_level("L3", (*ELLIPSES, "trajectory")), "")


QCT_PANELS = (
    dxa_panel.PANEL,
    Panel(
        "p2_regions", "Picture 2. Regions A, B and C", lambda cohort: draw_regions(cohort.scan, cohort.choice),
        _regions_illustrated,
    ),
    Panel("p3_loosening", "Picture 3. Screw loosening on CT", _follow_up, _loosening_illustrated),
)  # fmt: skip
RATIO_PANELS = (
    Panel(
        "p1_hu", "Picture 1. HU of body and screw trajectory",
        lambda cohort: draw_hu_regions(cohort.scan, cohort.choice), _hu_illustrated,
    ),
    pbq_panel.PANEL,
)  # fmt: skip
