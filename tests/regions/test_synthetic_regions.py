"""Regions of a synthetic vertebra with pedicles, against the generator's own geometry and field."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from spongiosa.anatomy.frame import Plane, SpineDescription, Vertebra, VertebralFrame, unit_vector
from spongiosa.config.extract import ExtractSettings
from spongiosa.config.regions import RegionsSettings, TrajectorySettings
from spongiosa.density.measure import ScanFindings, measure_regions
from spongiosa.regions.arch import Arch, LabelledScan
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.catalogue import place_regions
from spongiosa.regions.region import RegionSet
from spongiosa.regions.site import BoneAxis
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.sampling import Window
from spongiosa.synthetic.scanner import RenderedScan, render_ct
from spongiosa.volume import Geometry, Volume, resampled

LEVELS = ("L2", "L3")
SETTINGS = RegionsSettings(levels=LEVELS)


def volume_of(image) -> Volume:
    return Volume(
        np.asarray(image.voxels),
        Geometry(image.voxels.shape, image.spacing_mm, image.origin_mm, np.asarray(image.direction)),
    )


def true_spine(scan: RenderedScan) -> SpineDescription:
    """Frames from the generator, so that regions and not frames are tested."""
    vertebrae = []
    for level in LEVELS:
        truth = scan.truth.geometry[level]
        (top, up), (bottom, down) = truth.superior_endplate, truth.inferior_endplate
        superior = unit_vector(up - down)
        behind = truth.axes[:, 1]
        posterior = unit_vector(behind - (behind @ superior) * superior)
        left = np.cross(posterior, superior)
        frame = VertebralFrame((top + bottom) / 2, left, posterior, superior, Plane(top, up), Plane(bottom, -down))
        vertebrae.append(Vertebra(truth.label, level, frame, 1.0))
    return SpineDescription("truth", 1.0, tuple(vertebrae))


@pytest.fixture(scope="module")
def scan() -> RenderedScan:
    """L2 and L3 of a woman with poor bone, 0.8 x 0.8 x 1.25 mm, soft kernel, 15 HU of noise."""
    scanner = ScannerParameters(
        rows=150,
        columns=150,
        pixel_spacing_mm=0.8,
        cranial_level="L2",
        cranial_margin_mm=5.0,
        caudal_level="L3",
        caudal_margin_mm=5.0,
        off_centre_mm=(0.0, 45.0),
        kernel="soft",
        has_table=False,
    )
    return render_ct(build_patient(PatientParameters(trabecular_density_mg_cm3=70.0), 11), scanner, 11)


@pytest.fixture(scope="module")
def regions(scan) -> RegionSet:
    return place(scan, volume_of(scan.bodies))


def place(scan: RenderedScan, bodies: Volume, settings: RegionsSettings = SETTINGS, screws=None) -> RegionSet:
    return place_regions(
        volume_of(scan.ct), volume_of(scan.vertebrae), bodies, true_spine(scan), settings, screws=screws
    )


def means(scan: RenderedScan, regions: RegionSet) -> dict[tuple[str, str, str], float | None]:
    rows = measure_regions(volume_of(scan.ct), regions, true_spine(scan), {}, ScanFindings(), ExtractSettings())
    return {(row["level"], row["region"], row["side"]): row["hu_mean"] for row in rows}


def test_every_region_is_measured(scan, regions):
    assert None not in means(scan, regions).values()


def test_pedicle_axes_are_those_of_the_anatomy(scan):
    """2 degrees and 1.5 mm across the axis, the aim of the project, and 1.2 degrees on average.

    An axis that follows a facet or the flare into the body is off by 3 and more.
    """
    spine, bodies, vertebrae = true_spine(scan), volume_of(scan.bodies), volume_of(scan.vertebrae)
    angles = []
    for vertebra in spine.vertebrae:
        body = VertebralBody.of_label(bodies, vertebra.label, vertebra.frame)
        whole = VertebralBody.of_label(vertebrae, vertebra.label, vertebra.frame)
        found = Arch(whole, body, LabelledScan(volume_of(scan.ct), vertebrae)).pedicles
        assert set(found) == {"left", "right"}
        for side, (isthmus, direction) in scan.truth.geometry[vertebra.level].pedicles.items():
            offset = found[side].isthmus_mm - isthmus
            angles.append(np.degrees(np.arccos(found[side].direction @ direction)))
            assert angles[-1] <= 2.0
            assert np.linalg.norm(offset - (offset @ direction) * direction) <= 1.5
            outwards = 1 if side == "left" else -1
            assert (found[side].isthmus_mm[0] - scan.truth.geometry[vertebra.level].centre_mm[0]) * outwards > 0
    assert np.mean(angles) <= 1.2


def test_a_pedicle_keeps_its_margin_from_the_true_surface(scan, regions):
    """2.75 mm less half a millimetre of label map; the whole voxel may reach 0.9 mm (half its diagonal) further out."""
    grid = regions.geometry
    for level in LEVELS:
        vertebra = scan.patient.vertebrae[level]
        for side in ("left", "right"):
            voxels = np.stack(
                np.unravel_index(regions.find(level, "pedicle", side).weights.indices, grid.shape), axis=-1
            )
            u, v, w = vertebra.frame.to_local(grid.points_mm(voxels)).astype(np.float32).T
            depth = -vertebra.distances(Window(u, v, w, 0.0, None, None))[0]
            assert depth.min() >= 2.75 - 0.5 - 0.9
            assert np.median(depth) >= 2.75


def test_the_trabecular_body_has_the_true_density(scan, regions):
    """1 HU: the bias that the project allows."""
    measured = means(scan, regions)
    for level in LEVELS:
        truth = scan.truth.hu(level, "body_trabecular")
        assert measured[level, "body_trabecular", "none"] == pytest.approx(truth, abs=1.0)


def test_slices_have_the_true_density(scan, regions):
    """12 HU: texture differs from slice to slice (95 % limits are 8 HU); a cortex that leaks in gives 20 and more."""
    measured = means(scan, regions)
    for level in LEVELS:
        for name in ("ellipse_superior", "ellipse_mid", "ellipse_inferior"):
            truth = scan.truth.hu(level, name, "axial")
            assert measured[level, name, "none"] == pytest.approx(truth, abs=12.0)


def test_a_given_screw_takes_the_place_of_the_anatomical_axis(scan, regions):
    isthmus, direction = scan.truth.geometry["L3"].pedicles["left"]
    screw = BoneAxis(isthmus - 10.0 * direction, direction, "screw")
    settings = RegionsSettings(levels=("L3",), measured=("trajectory",))
    placed = place(scan, volume_of(scan.bodies), settings, {("L3", "left"): screw})
    assert placed.find("L3", "trajectory", "left").trajectory_source == "screw"
    assert placed.find("L3", "trajectory", "right").trajectory_source == "anatomical"


def test_pedicles_and_trajectories_have_the_true_density(scan, regions):
    """8 HU: noise of 15 HU and blur beside the cortex have 95 % limits of 4 HU; cortex that leaks in gives 20 and more.

    8 HU are passed once in 30,000 regions.
    """
    measured = means(scan, regions)
    for level in LEVELS:
        for name in ("pedicle", "trajectory"):
            for side in ("left", "right"):
                truth = scan.truth.hu(level, name, side=side)
                assert measured[level, name, side] == pytest.approx(truth, abs=8.0)


def test_the_cylinder_of_a_trajectory_has_the_volume_of_the_screw(scan):
    """3 %: cells of half a millimetre on the surface of a cylinder of 6.5 x 45 mm."""
    expected = np.pi * 3.25**2 * 45.0
    whole = RegionsSettings(levels=("L3",), measured=("trajectory",), trajectory=TrajectorySettings(margin_mm=0.0))
    regions = place(scan, volume_of(scan.bodies), whole)
    for side in ("left", "right"):
        weights = regions.find("L3", "trajectory", side).weights
        assert weights.effective_voxels * regions.geometry.voxel_volume_mm3 == pytest.approx(expected, rel=0.03)


def test_quadrants_share_out_the_trabecular_body(regions):
    """1 %: rounding of cells on the dividing planes."""
    quadrants = [region.weights.effective_voxels for region in regions if region.name.startswith("quadrant_")]
    bodies = [region.weights.effective_voxels for region in regions if region.name == "body_trabecular"]
    assert sum(quadrants) == pytest.approx(sum(bodies), rel=0.01)


def test_left_and_right_are_the_patients(scan, regions):
    grid = regions.geometry
    for names in (("shape_left", "shape_right"), ("quadrant_anterior_left", "quadrant_anterior_right")):
        left, right = (
            grid.points_mm(np.stack(np.unravel_index(regions.find("L3", name).weights.indices, grid.shape), axis=-1))
            for name in names
        )
        assert left[:, 0].mean() > right[:, 0].mean() + 5.0


def dilated(labels: Volume, voxels: int) -> Volume:
    """Labels grown (positive) or shrunk (negative) by whole voxels."""
    grown = np.zeros_like(labels.voxels)
    for label in np.unique(labels.voxels[labels.voxels > 0]):
        change = ndimage.binary_dilation if voxels > 0 else ndimage.binary_erosion
        grown[change(labels.voxels == label)] = label
    return Volume(grown, labels.geometry)


def coarse(labels: Volume) -> Volume:
    """Labels through a grid of 3 mm and back, as many tools give them."""
    size = np.asarray(labels.geometry.shape[::-1]) * np.asarray(labels.geometry.spacing_mm)
    columns, rows, depth = (int(length // 3) for length in size)
    grid = Geometry((depth, rows, columns), (3.0, 3.0, 3.0), labels.geometry.origin_mm, labels.geometry.direction)
    return resampled(resampled(labels, grid, "nearest", 0), labels.geometry, "nearest", 0)


def mixed(labels: Volume) -> Volume:
    """Five per cent of a body given to its neighbour: the slices nearest to it."""
    voxels = labels.voxels.copy()
    upper, lower = (int(label) for label in np.unique(voxels[voxels > 0])[:2])
    where = np.argwhere(voxels == lower)
    height = labels.geometry.points_mm(where)[:, 2]
    taken = where[height >= np.quantile(height, 0.95)]
    voxels[tuple(taken.T)] = upper
    return Volume(voxels, labels.geometry)


@pytest.mark.parametrize(
    "spoil", [lambda labels: dilated(labels, 1), lambda labels: dilated(labels, -1), coarse, mixed],
    ids=["one voxel too large", "one voxel too small", "resampled to 3 mm", "mixed with its neighbour"],
)  # fmt: skip
def test_a_slightly_wrong_label_map_moves_the_trabecular_body_by_at_most_five_hu(scan, regions, spoil):
    settings = RegionsSettings(levels=LEVELS, measured=("body_trabecular",))
    spoiled = means(scan, place(scan, spoil(volume_of(scan.bodies)), settings))
    exact = means(scan, regions)
    for key, value in spoiled.items():
        assert value == pytest.approx(exact[key], abs=5.0)


def test_regions_survive_their_file(scan, regions, tmp_path: Path):
    regions.write(tmp_path / "weights.npz")
    assert means(scan, RegionSet.read(tmp_path / "weights.npz")) == means(scan, regions)
