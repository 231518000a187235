from __future__ import annotations

import numpy as np
import pytest

from spongiosa.synthetic.ellipse import largest_inscribed_ellipse
from spongiosa.synthetic.placed import Cylinder, Ellipse, Parallelepiped, Voxels

X, Y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])


def test_points_of_a_cylinder_fill_it_evenly():
    """Second moments of a cylinder of radius 3 and length 20 along an oblique axis: R^2 / 4 across, L^2 / 12 along."""
    axis = np.array([1.0, 2.0, 2.0]) / 3.0
    points, weights = Cylinder(np.zeros(3), 20.0 * axis, 3.0).samples(0.3)
    assert weights.sum() == pytest.approx(1.0)
    centred = points - 10.0 * axis
    along = centred @ axis
    assert centred.mean(axis=0) == pytest.approx(np.zeros(3), abs=0.02)
    assert (along**2).mean() == pytest.approx(20.0**2 / 12.0, rel=0.01)
    across = (centred**2).sum(axis=1) - along**2
    assert across.mean() == pytest.approx(2.0 * 3.0**2 / 4.0, rel=0.03)


def test_points_of_an_ellipse_and_of_a_box_stay_inside():
    points, _ = Ellipse(np.zeros(3), 8.0 * X, 5.0 * Y).samples(0.2)
    assert ((points[:, 0] / 8.0) ** 2 + (points[:, 1] / 5.0) ** 2).max() <= 1.0
    box, _ = Parallelepiped(np.zeros(3), np.array([4.0 * X, 2.0 * Y, [0.0, 0.0, 0.0]])).samples(0.5)
    assert np.abs(box).max(axis=0) == pytest.approx([3.75, 1.75, 0.0])


def test_voxels_are_filled_and_keep_their_weights():
    steps = np.diag([2.0, 2.0, 3.0])
    points, weights = Voxels(np.array([[0.0, 0, 0], [10.0, 0, 0]]), np.array([1.0, 3.0]), steps).samples(1.0)
    assert len(points) == 2 * 2 * 2 * 3
    assert np.average(points, axis=0, weights=weights) == pytest.approx([7.5, 0.0, 0.0])


def test_hu_over_a_placed_sphere_of_liver_is_that_of_liver(small_scan):
    centre = small_scan.patient.vertebrae["T11"].frame.origin_mm + np.array([-75.0, -45.0, 0.0])
    cylinder = Cylinder(centre, centre + np.array([0.0, 0.0, 8.0]), 5.0)
    assert small_scan.truth.hu_over(cylinder, 1.0) == pytest.approx(58.0, abs=0.1)


def test_largest_ellipse_in_an_ellipse_is_that_ellipse():
    """Half axes to 2 %: the outline has 180 points."""
    found = largest_inscribed_ellipse(
        lambda p: (p[:, 0] - 3.0) ** 2 / 400.0 + p[:, 1] ** 2 / 144.0 - 1.0, np.zeros(3), X, Y
    )
    assert found.area_mm2 == pytest.approx(np.pi * 20.0 * 12.0, rel=0.02)
    assert found.centre_mm == pytest.approx([3.0, 0.0, 0.0], abs=0.3)


def test_largest_ellipse_in_a_rectangle_touches_all_four_sides():
    found = largest_inscribed_ellipse(
        lambda p: np.maximum(np.abs(p[:, 0]) - 15.0, np.abs(p[:, 1]) - 10.0), np.zeros(3), X, Y
    )
    assert found.area_mm2 == pytest.approx(np.pi * 150.0, rel=0.02)


def test_no_ellipse_fits_where_nothing_is_left():
    assert largest_inscribed_ellipse(lambda p: np.ones(len(p)), np.zeros(3), X, Y) is None
