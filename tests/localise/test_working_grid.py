"""The part of the working copy in which the canal can lie."""

from __future__ import annotations

import numpy as np

from spongiosa.localise.working_grid import ABOUT_LINE_MM, ABOUT_TRUNK_MM, about_canal
from spongiosa.volume import AIR_HU, Geometry, Volume


def trunk_in_air() -> Volume:
    """A trunk of 300 x 160 mm whose middle lies at x = 20 mm, y = -10 mm, in a field of 400 mm."""
    hu = np.full((5, 200, 200), AIR_HU, dtype=np.float32)
    hu[:, 55:135, 35:185] = 40.0
    return Volume(hu, Geometry(hu.shape, (2.0, 2.0, 2.0), (-199.0, -199.0, 0.0), np.eye(3)))


def reach_mm(part: Volume, axis: int) -> tuple[float, float]:
    """LPS coordinate of the first and of the last voxel along x (0) or y (1)."""
    first = float(part.geometry.origin_mm[axis])
    return first, first + 2.0 * (part.voxels.shape[2 - axis] - 1)


def test_air_in_front_and_behind_and_what_lies_far_beside_the_trunk_is_left_out():
    part = about_canal(trunk_in_air())
    assert len(part.voxels) == 5
    # Voxels are 2 mm: ends are rounded outwards to whole ones.
    np.testing.assert_allclose(reach_mm(part, 0), (20.0 - ABOUT_TRUNK_MM, 20.0 + ABOUT_TRUNK_MM), atol=3.0)
    front, back = reach_mm(part, 1)
    assert -89.0 - 16.0 <= front < -89.0 - 10.0
    assert 69.0 + 10.0 < back <= 69.0 + 16.0


def test_a_line_that_is_known_narrows_the_part_to_what_lies_about_it():
    leaning = np.linspace(-30.0, 10.0, 5)
    left, right = reach_mm(about_canal(trunk_in_air(), leaning), 0)
    np.testing.assert_allclose((left, right), (-30.0 - ABOUT_LINE_MM, 10.0 + ABOUT_LINE_MM), atol=3.0)


def test_a_copy_of_air_alone_stays_whole():
    air = trunk_in_air()
    air.voxels[:] = AIR_HU
    assert about_canal(air).voxels.shape == air.voxels.shape
