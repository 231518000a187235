"""Axes of pedicles of known geometry in voxels so coarse that the image has to say where they run."""

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.anatomy.frame import unit_vector
from spongiosa.regions.arch import Arch, LabelledScan
from spongiosa.regions.layer_fit import METAL_HU
from spongiosa.regions.pedicle_axes import Pedicle
from spongiosa.regions.pedicle_image import (
    ASYMMETRY_SIGMA_RAD,
    FittedAxis,
    axes_of_image,
    mirrored,
    turned,
)
from spongiosa.volume import Volume

from .pedicle_phantom import (
    CORTEX_HU,
    HALF_DEPTH_MM,
    HALF_UP_MM,
    SOFT_HU,
    UPWARDS_MM,
    ImagedVertebra,
    PedicledVertebra,
    axis_of,
    image_pedicles,
    make_pedicles,
)

FINE_MM = 0.5
#: Voxels of 1 x 1 x 2, 3 and 5 mm and of 3 mm, in multiples of the fine ones, and where their first slice lies.
GRIDS = {
    "2 mm slices": ((2, 2, 4), (0, 2)),
    "3 mm slices": ((2, 2, 6), (0, 2, 4)),
    "5 mm slices": ((2, 2, 10), (0, 2, 4, 6, 8)),
    "3 mm voxels": ((6, 6, 6), (0, 2, 4)),
}


@pytest.fixture(scope="module")
def fine() -> PedicledVertebra:
    return make_pedicles((FINE_MM, FINE_MM, FINE_MM))


@pytest.fixture(scope="module")
def coarse(fine) -> ImagedVertebra:
    return image_pedicles(fine, (2, 2, 6))


def errors_deg(pedicles: dict[str, Pedicle]) -> list[float]:
    return [
        float(np.degrees(np.arccos(np.clip(pedicles[side].direction @ axis_of(side)[1], -1.0, 1.0))))
        for side in ("left", "right")
    ]


def of_labels(vertebra: ImagedVertebra) -> dict[str, Pedicle]:
    return Arch(vertebra.whole, vertebra.body).pedicles


def of_image(vertebra: ImagedVertebra) -> dict[str, Pedicle]:
    return Arch(vertebra.whole, vertebra.body, LabelledScan(vertebra.scan, vertebra.labels)).pedicles


@pytest.mark.parametrize("grid", GRIDS)
def test_the_image_shows_the_axis_where_the_label_map_does_not(fine, grid):
    """2.5 degrees, a quarter of a millimetre at either end of the trunk, and half of what the label map errs by.

    The axis may lie anywhere against the slices: the errors are those over all places of the first one.
    """
    factors, first_slices = GRIDS[grid]
    seen = [image_pedicles(fine, factors, first) for first in first_slices]
    found = np.array([errors_deg(of_image(vertebra)) for vertebra in seen])
    labelled = np.array([errors_deg(of_labels(vertebra)) for vertebra in seen])
    assert found.max() <= 2.5
    assert found.mean() <= 0.6 * labelled.mean()


def test_the_place_is_the_tubes(coarse):
    """0.2 mm across the axis, a fifth of a pixel."""
    for side, pedicle in of_image(coarse).items():
        point, direction = axis_of(side)
        offset = pedicle.isthmus_mm - point
        assert np.linalg.norm(offset - (offset @ direction) * direction) <= 0.2


def test_a_section_turns_with_its_axis(coarse):
    for pedicle in of_image(coarse).values():
        assert pedicle.axes.normal == pytest.approx(pedicle.direction, abs=1e-9)
        assert pedicle.axes.point_mm == pytest.approx(pedicle.isthmus_mm)


def test_fine_voxels_leave_the_axis_to_the_label_map():
    """In voxels of 0.8 mm and less nothing is fitted, whatever the image shows."""
    fine = make_pedicles((0.8, 0.8, 0.8))
    pedicles = Arch(fine.whole, fine.body).pedicles
    labels = Volume(np.zeros(fine.whole.grid.shape, np.int16), fine.whole.grid)
    assert axes_of_image(pedicles, labels, labels, fine.whole) == pedicles


def test_a_screw_leaves_its_side_to_the_label_map(coarse):
    """Metal in the left pedicle: its axis stays, that of the right one is fitted."""
    hu = coarse.scan.voxels.copy()
    hu[tuple(np.round(coarse.scan.geometry.indices_zyx(axis_of("left")[0])).astype(int))] = METAL_HU + 500.0
    labelled = of_labels(coarse)
    found = axes_of_image(labelled, replace(coarse.scan, voxels=hu), coarse.labels, coarse.whole)
    assert found["left"] is labelled["left"]
    assert found["right"] is not labelled["right"]


def test_a_pedicle_that_the_image_does_not_show_keeps_its_axis(coarse):
    """Nothing but soft tissue: a label map of another scan, or an image without contrast."""
    empty = np.full_like(coarse.scan.voxels, SOFT_HU)
    labelled = of_labels(coarse)
    found = axes_of_image(labelled, replace(coarse.scan, voxels=empty), coarse.labels, coarse.whole)
    assert all(found[side] is labelled[side] for side in ("left", "right"))


def test_a_neighbours_facet_does_not_draw_the_axis(coarse):
    """Dense bone of another vertebra upon the hind half of the left trunk; a degree: they are
    left out, and bone beyond the tube weighs little."""
    hu, labels = coarse.scan.voxels.copy(), coarse.labels.voxels.copy()
    points = coarse.scan.geometry.points_mm(np.stack(np.indices(hu.shape), axis=-1))
    left, posterior, up = np.moveaxis(points, -1, 0)
    is_facet = (left > 8) & (posterior > HALF_DEPTH_MM + 2.0) & (up > UPWARDS_MM + HALF_UP_MM)
    hu[is_facet & (labels == 0)], labels[is_facet & (labels == 0)] = CORTEX_HU, 2
    faceted = replace(coarse, scan=replace(coarse.scan, voxels=hu), labels=replace(coarse.labels, voxels=labels))
    alone, beside = of_image(coarse)["left"].direction, of_image(faceted)["left"].direction
    assert np.degrees(np.arccos(np.clip(alone @ beside, -1.0, 1.0))) <= 1.0


@pytest.mark.parametrize(("sigma_deg", "left_over"), [(0.1, 1.0), (3.0, 1 / 3), (30.0, 0.0)])
def test_sides_are_mirror_images_as_far_as_they_are_uncertain(coarse, sigma_deg, left_over):
    """Sides that differ by 6 degrees: with variances a each and b of the difference, b / (2 a + b) of them are left."""
    pedicles, frame = of_labels(coarse), coarse.whole.frame
    covariance = np.deg2rad(sigma_deg) ** 2 * np.eye(3)
    fits = [
        FittedAxis(turned(pedicles[side], unit_vector(-frame.posterior + np.tan(angle) * frame.superior)), covariance)
        for side, angle in (("left", np.deg2rad(6.0)), ("right", 0.0))
    ]
    left, right = mirrored(*fits, frame)
    difference = np.degrees(np.arcsin(left.direction @ frame.superior) - np.arcsin(right.direction @ frame.superior))
    assert np.degrees(ASYMMETRY_SIGMA_RAD) == pytest.approx(3.0)
    assert difference == pytest.approx(6.0 * left_over, abs=0.1)
    assert left.direction @ frame.left == pytest.approx(-(right.direction @ frame.left), abs=1e-9)
