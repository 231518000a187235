"""Surfaces painted into a grid: a body whose volume and extent are known."""

from __future__ import annotations

import numpy as np
import pytest

from spongiosa.localise.painting import painted
from spongiosa.localise.pose import rotation_about
from spongiosa.localise.surfaces import BodySurface
from spongiosa.localise.walls import ANGLES, Ellipse
from spongiosa.volume import Geometry

RADIUS_MM, HALF_HEIGHT_MM = 20.0, 13.0


def cylinder(centre_mm: tuple[float, float, float], axes: np.ndarray) -> BodySurface:
    """A body with a round section and level plates."""
    heights, ticks = np.arange(-14.0, 15.0), np.arange(-36.0, 37.0)
    return BodySurface(
        centre_mm=np.array(centre_mm),
        axes=axes,
        axis_mm=(2.0, -3.0),
        heights_mm=heights,
        radius_mm=np.full((ANGLES, len(heights)), RADIUS_MM),
        ticks_mm=ticks,
        top_mm=np.full((len(ticks), len(ticks)), HALF_HEIGHT_MM),
        bottom_mm=np.full((len(ticks), len(ticks)), -HALF_HEIGHT_MM),
        wall_fall_hu=100.0,
        plate_fall_hu=100.0,
        ellipse=Ellipse(2.0, -3.0, RADIUS_MM, RADIUS_MM),
    )


OBLIQUE = rotation_about(0, 25.0) @ rotation_about(2, 10.0)
GRID = Geometry((60, 50, 70), (0.9, 1.4, 1.1), (-40.0, -38.0, -26.0), rotation_about(1, -12.0))


def test_the_voxels_of_an_oblique_body_are_those_within_its_radius_and_plates():
    """Every voxel centre of the grid, judged by the equation of the cylinder."""
    surface = cylinder((5.0, 2.0, 4.0), OBLIQUE)
    indices = np.stack(np.meshgrid(*(np.arange(count) for count in GRID.shape), indexing="ij"), axis=-1)
    local = (GRID.points_mm(indices) - surface.centre_mm) @ OBLIQUE.T
    expected = np.hypot(local[..., 0] - 2.0, local[..., 1] + 3.0) <= RADIUS_MM
    expected &= np.abs(local[..., 2]) <= HALF_HEIGHT_MM
    assert expected.sum() > 10_000
    np.testing.assert_array_equal(painted(GRID, [(7, surface)]).voxels, 7 * expected)


def test_a_body_that_leaves_the_grid_is_cut_and_one_beside_it_leaves_nothing():
    cut, beside = cylinder((-38.0, 2.0, 4.0), OBLIQUE), cylinder((500.0, 2.0, 4.0), OBLIQUE)
    voxels = painted(GRID, [(7, cut), (8, beside)]).voxels
    assert 0 < (voxels == 7).sum() * GRID.voxel_volume_mm3 < np.pi * RADIUS_MM**2 * 2 * HALF_HEIGHT_MM
    assert not (voxels == 8).any()


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_where_two_bodies_overlap_the_voxel_stays_with_the_first(order):
    surfaces = {1: cylinder((5.0, 2.0, 4.0), OBLIQUE), 2: cylinder((9.0, 2.0, 4.0), OBLIQUE)}
    alone = painted(GRID, [(order[0], surfaces[order[0]])]).voxels > 0
    both = painted(GRID, [(label, surfaces[label]) for label in order]).voxels
    np.testing.assert_array_equal(both == order[0], alone)
