"""Pictures of the regions for docs/regions.md, from a synthetic vertebra: docs/images/regions_*.png.

python benchmarks/region_pictures.py [--output docs/images]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from accuracy_scans import as_volume, localised

from spongiosa.anatomy.frame import VertebralFrame, unit_vector
from spongiosa.config.regions import AvoidanceSettings, RegionsSettings, VariantSettings
from spongiosa.regions.catalogue import place_surveyed
from spongiosa.regions.region import RegionSet
from spongiosa.regions.segmentation import COLOURS
from spongiosa.regions.survey import SurveyedVertebra, survey_spine
from spongiosa.regions.volumes import QUADRANTS
from spongiosa.report.panels import Overlay, PanelView, draw_view, plane_view
from spongiosa.report.reformats import LEFT, POSTERIOR, Reformat
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct
from spongiosa.synthetic.variants import BoneIsland
from spongiosa.volume import Volume

LEVEL = "L3"
STEP_MM, HALF_MM = 0.3, 36.0
WINDOW_HU = (-150.0, 550.0)

#: File name, and per panel its title, its view and the regions in it (variant after a slash).
PICTURES: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "ellipses": (
        ("Three slices, from the left", "sagittal", ("ellipse_superior", "ellipse_mid", "ellipse_inferior")),
        ("ellipse_mid", "axial", ("ellipse_mid",)),
    ),
    "shapes": (
        ("shape_oval, shape_round", "axial", ("shape_oval", "shape_round")),
        ("shape_front, shape_left, shape_right", "axial", ("shape_front", "shape_left", "shape_right")),
    ),
    "volumes": (
        ("body_trabecular, body_central", "sagittal", ("body_trabecular", "body_central")),
        ("body_trabecular, body_central", "axial", ("body_trabecular", "body_central")),
        ("endplate_superior, endplate_inferior", "sagittal", ("endplate_superior", "endplate_inferior")),
        ("quadrants", "axial", QUADRANTS),
    ),
    "trajectories": (
        ("pedicle and trajectory, along the axis", "pedicle", ("pedicle", "trajectory")),
        ("trajectory_rectangle", "pedicle", ("trajectory_rectangle",)),
    ),
    "avoidance": (
        ("body_trabecular", "axial", ("body_trabecular",)),
        ("without vein and bone island", "axial", ("body_trabecular/avoiding",)),
    ),
}  # fmt: skip


def main() -> None:
    """Render a vertebra, place its regions and draw every picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / "images")
    options = parser.parse_args()
    scanner = ScannerParameters(
        rows=170, columns=170, pixel_spacing_mm=0.7, slice_thickness_mm=1.0, slice_spacing_mm=1.0, cranial_level=LEVEL,
        cranial_margin_mm=8.0, caudal_level=LEVEL, caudal_margin_mm=8.0, off_centre_mm=(0.0, 35.0), kernel="standard",
        noise_sd_hu=12.0, has_table=False,
    )  # fmt: skip
    patient = PatientParameters(
        trabecular_density_mg_cm3=120.0, variants=(BoneIsland(LEVEL, position=(0.3, -0.2, 0.0)),)
    )
    scan = render_ct(build_patient(patient, 3), scanner, 3)
    ct, vertebrae, bodies = (as_volume(image) for image in (scan.ct, scan.vertebrae, scan.bodies))
    avoiding = VariantSettings(measured=("body_trabecular",), avoidance=AvoidanceSettings(method="hu_gradient"))
    settings = RegionsSettings(levels=(LEVEL,), variants={"avoiding": avoiding})
    survey = survey_spine(ct, vertebrae, bodies, localised(ct, vertebrae, bodies), settings)
    (found,) = (each for each in survey.vertebrae if each.vertebra.level == LEVEL)
    regions = place_surveyed(survey, settings)
    for name, panels in PICTURES.items():
        figure, axes = plt.subplots(1, len(panels), figsize=(3.2 * len(panels), 3.5), layout="constrained")
        for ax, (title, view, shown) in zip(axes, panels, strict=True):
            plane = view_of(view, found)
            draw_view(ax, panel(title, view, plane, ct, bodies, regions, shown), is_synthetic=False)
        figure.savefig(options.output / f"regions_{name}.png", dpi=90)
        plt.close(figure)


def view_of(name: str, found: SurveyedVertebra) -> Reformat:
    """A plane through the body's centre, or through the axis of the left pedicle."""
    body, arch = found.body, found.arch
    if body is None or arch is None:
        raise ValueError(f"{LEVEL} cannot be drawn")
    frame: VertebralFrame = body.frame
    middle = (body.surface_on_axis_mm(is_superior=True) + body.surface_on_axis_mm(is_superior=False)) / 2
    centre = frame.to_lps_mm(np.array([0.0, 0.0, middle]))
    half = (HALF_MM, HALF_MM)
    if name == "sagittal":
        return plane_view(centre, frame.posterior, -frame.superior, half, STEP_MM)
    if name == "axial":
        # The scan's own slice at mid-height, in which the regions of a slice lie.
        return plane_view(centre, LEFT, POSTERIOR, half, STEP_MM)
    pedicle = arch.pedicles["left"]
    across = unit_vector(frame.left - (frame.left @ pedicle.direction) * pedicle.direction)
    return plane_view(pedicle.isthmus_mm + 8.0 * pedicle.direction, across, -pedicle.direction, half, STEP_MM)


def panel(
    title: str, name: str, plane: Reformat, ct: Volume, bodies: Volume, regions: RegionSet, shown: tuple[str, ...]
) -> PanelView:  # fmt: skip
    """The image of a plane, the body's outline and the regions in it."""
    wanted = {(entry.partition("/")[0], entry.partition("/")[2] or "default") for entry in shown}
    overlays = tuple(
        Overlay(
            weights,
            ct.geometry,
            COLOURS[region.name],
            is_sheet=region.area_mm2 is not None or region.name == "trajectory_rectangle",
        )
        for region, weights in regions.placed()
        if (region.name, region.variant) in wanted
    )
    sides = ("A", "P") if name == "sagittal" else ("R", "L")
    return PanelView(title, plane, ct, sides, window=WINDOW_HU, overlays=overlays, outlined=bodies)


if __name__ == "__main__":
    main()
