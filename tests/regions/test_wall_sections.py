"""Distances to the wall of a body in sections below an endplate, on bodies whose wall is known."""

import numpy as np
import pytest

from spongiosa.anatomy.frame import Plane, VertebralFrame
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.wall_sections import DEPTHS_MM, WallSections
from spongiosa.volume import Geometry

#: Half the height, radius at the rims and at the waist of a round body.  [mm]
HALF_HEIGHT_MM, RIM_RADIUS_MM, WAIST_RADIUS_MM = 13.0, 20.0, 16.0


def radius_mm(height):
    return WAIST_RADIUS_MM + (RIM_RADIUS_MM - WAIST_RADIUS_MM) * (height / HALF_HEIGHT_MM) ** 2


def waisted_body(slice_mm: float, sunk_mm: float = 0.0) -> VertebralBody:
    """A round body with a waist; its superior endplate is a bowl that sinks by `sunk_mm` in the middle."""
    grid = Geometry((int(34 / slice_mm), 60, 60), (0.8, 0.8, slice_mm), (-23.6, -23.6, -17.0), np.eye(3))
    x, y, z = np.moveaxis(
        grid.points_mm(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)), -1, 0
    )
    across = np.hypot(x, y)
    top = HALF_HEIGHT_MM - sunk_mm * (across < 0.6 * RIM_RADIUS_MM)
    mask = (across < radius_mm(z)) & (z > -HALF_HEIGHT_MM) & (z < top)
    planes = [Plane(np.array([0.0, 0.0, z]), np.array([0.0, 0.0, 1.0])) for z in (HALF_HEIGHT_MM, -HALF_HEIGHT_MM)]
    return VertebralBody(mask, (0, 0, 0), grid, VertebralFrame(np.zeros(3), *np.eye(3), *planes))


def at_height(height_mm: float):
    return lambda left, posterior: np.full(np.shape(left), height_mm)


@pytest.mark.parametrize("outward", [1.0, -1.0])
def test_the_wall_is_as_far_as_the_waist_has_it_at_each_depth(outward):
    """0.6 mm: most of a pixel; the waist takes 1.8 mm between the first and the last section."""
    walls = WallSections.below(waisted_body(1.0), at_height(outward * HALF_HEIGHT_MM), outward)
    assert walls.depths_mm == pytest.approx(DEPTHS_MM)
    for depth in DEPTHS_MM:
        found = walls.inwards_at_mm(np.array([10.0, 0.0]), np.array([0.0, -12.0]), np.full(2, depth))
        radius = radius_mm(HALF_HEIGHT_MM - depth)
        assert found == pytest.approx([radius - 10.0, radius - 12.0], abs=0.6)


def test_between_sections_the_distance_is_interpolated_and_above_the_first_it_is_its_own():
    walls = WallSections.below(waisted_body(1.0), at_height(HALF_HEIGHT_MM), 1.0)
    left, posterior = np.full(4, 10.0), np.zeros(4)
    above, first, second, between = walls.inwards_at_mm(left, posterior, np.array([-3.0, 1.5, 3.0, 2.25]))
    assert above == first
    assert between == pytest.approx((first + second) / 2, abs=1e-9)  # arithmetic


def test_beside_the_body_nothing_is_inside():
    walls = WallSections.below(waisted_body(1.0), at_height(HALF_HEIGHT_MM), 1.0)
    assert (walls.inwards_at_mm(np.array([21.0, 0.0]), np.array([0.0, 60.0]), np.full(2, 1.5)) <= 0).all()


def test_on_thick_slices_no_section_lies_in_the_last_slice():
    assert WallSections.below(waisted_body(5.0), at_height(HALF_HEIGHT_MM), 1.0).depths_mm[0] == pytest.approx(3.0)


def test_the_bottom_of_a_sunken_endplate_is_no_wall():
    """11 of 13 mm: the sections of a crushed body would be rings; in their middle the wall is the outer one (0.8 mm: a
    pixel)."""
    walls = WallSections.below(waisted_body(1.0, sunk_mm=11.0), at_height(HALF_HEIGHT_MM), 1.0)
    found = walls.inwards_at_mm(np.zeros(2), np.zeros(2), np.array([3.0, 7.0]))
    assert found == pytest.approx([radius_mm(10.0), radius_mm(6.0)], abs=0.8)


def test_the_outline_is_that_of_the_nearest_section():
    """0.3 mm: half a pixel over the whole edge."""
    left, posterior = WallSections.below(waisted_body(1.0), at_height(HALF_HEIGHT_MM), 1.0).outline(3.4)
    assert 2 * left.std() == pytest.approx(radius_mm(10.0), abs=0.3)
    assert 2 * posterior.std() == pytest.approx(radius_mm(10.0), abs=0.3)
