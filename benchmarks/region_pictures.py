"""Pictures of the regions for docs/regions.md, from a synthetic vertebra: docs/images/regions_*.png.

python benchmarks/region_pictures.py [--output docs/images]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from accuracy_scans import as_volume, localised
from scipy import ndimage

from spongiosa.anatomy.frame import VertebralFrame, unit_vector
from spongiosa.config.regions import AvoidanceSettings, RegionsSettings, VariantSettings
from spongiosa.regions.catalogue import place_surveyed
from spongiosa.regions.pedicle_axes import find_pedicles
from spongiosa.regions.region import RegionSet
from spongiosa.regions.segmentation import COLOURS
from spongiosa.regions.survey import SurveyedVertebra, survey_spine
from spongiosa.regions.volumes import QUADRANTS
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct
from spongiosa.synthetic.variants import BoneIsland
from spongiosa.volume import FloatArray, Volume

LEVEL = "L3"
STEP_MM, HALF_MM = 0.3, 36.0
WINDOW_HU = (-150.0, 550.0)
WHITE = (1.0, 1.0, 1.0)

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


@dataclass(frozen=True)
class View:
    """A plane by a point and two unit vectors: to the right of the picture, and up."""

    point_mm: FloatArray
    right: FloatArray
    up: FloatArray

    def points_mm(self) -> FloatArray:
        ticks = np.arange(-HALF_MM, HALF_MM, STEP_MM)
        across, upwards = np.meshgrid(ticks, ticks)
        return np.asarray(self.point_mm + across[..., None] * self.right + upwards[..., None] * self.up)


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
            draw(ax, view_of(view, found), ct, bodies, regions, shown)
            ax.set_title(title, fontsize=8)
        figure.savefig(options.output / f"regions_{name}.png", dpi=90)
        plt.close(figure)


def view_of(name: str, found: SurveyedVertebra) -> View:
    """A plane through the body's centre, or through the axis of the left pedicle."""
    body, whole = found.body, found.whole
    if body is None or whole is None:
        raise ValueError(f"{LEVEL} cannot be drawn")
    frame: VertebralFrame = body.frame
    middle = (body.surface_on_axis_mm(is_superior=True) + body.surface_on_axis_mm(is_superior=False)) / 2
    centre = frame.to_lps_mm(np.array([0.0, 0.0, middle]))
    if name == "sagittal":
        return View(centre, frame.posterior, frame.superior)
    if name == "axial":
        # The scan's own slice at mid-height, in which the regions of a slice lie.
        return View(centre, np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0]))
    pedicle = find_pedicles(whole, body)["left"]
    across = unit_vector(frame.left - (frame.left @ pedicle.direction) * pedicle.direction)
    return View(pedicle.isthmus_mm + 8.0 * pedicle.direction, across, pedicle.direction)


def draw(
    ax: plt.Axes, view: View, ct: Volume, bodies: Volume, regions: RegionSet, shown: tuple[str, ...]
) -> None:  # fmt: skip
    """The image of a plane, the body's outline and the regions in it."""
    points = view.points_mm()
    indices = np.moveaxis(ct.geometry.indices_zyx(points), -1, 0)
    extent = (-HALF_MM, HALF_MM, -HALF_MM, HALF_MM)
    hu = ndimage.map_coordinates(ct.voxels.astype(np.float32), indices, order=1, cval=-1000.0)
    ax.imshow(hu, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], origin="lower", extent=extent)
    outline = ndimage.map_coordinates((bodies.voxels > 0).astype(np.float32), indices, order=1)
    ax.contour(outline, [0.5], colors=[WHITE], linewidths=0.5, extent=extent, alpha=0.6)
    for entry in shown:
        name, _, variant = entry.partition("/")
        for region in regions:
            if (region.name, region.variant) != (name, variant or "default") or region.weights is None:
                continue
            weights = np.zeros(ct.voxels.size, np.float32)
            weights[region.weights.indices] = region.weights.weights
            cover = ndimage.map_coordinates(weights.reshape(ct.voxels.shape), indices, order=1)
            colour = COLOURS[name]
            if cover.max() >= 0.5:
                ax.contourf(cover, [0.5, 2.0], colors=[colour], alpha=0.35, extent=extent)
                ax.contour(cover, [0.5], colors=[colour], linewidths=1.0, extent=extent)
    ax.set_axis_off()


if __name__ == "__main__":
    main()
