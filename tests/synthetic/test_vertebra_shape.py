from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from spongiosa.synthetic.morphometry import dimensions
from spongiosa.synthetic.sampling import Window
from spongiosa.synthetic.vertebra_shape import body_shape

LEVELS = ("T11", "L1", "L3", "L5")


def distance(shape, points):
    return shape.distances(*np.asarray(points, dtype=np.float32).T)[0]


def surface_points(shape, count=4000):
    """Points of the surface, by bisection between the middle and a far point in random directions."""
    directions = np.random.default_rng(2).normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    near, far = np.zeros(count), np.full(count, 60.0)
    for _ in range(30):
        middle = (near + far) / 2.0
        outside = distance(shape, directions * middle[:, None]) > 0.0
        near, far = np.where(outside, near, middle), np.where(outside, middle, far)
    return directions * near[:, None]


@pytest.mark.parametrize("level", LEVELS)
def test_signed_distance_grows_by_one_per_millimetre_at_the_surface(level):
    """Median within 3 %; on the rounded rim a smooth maximum of two distances falls to 1 / sqrt(2)."""
    shape = body_shape(level, dimensions(level, "F", 1.65))
    points, h = surface_points(shape), 0.25
    gradient = np.stack(
        [(distance(shape, points + h * e) - distance(shape, points - h * e)) / (2 * h) for e in np.eye(3)], axis=1
    )
    size = np.linalg.norm(gradient, axis=1)
    assert np.median(size) == pytest.approx(1.0, abs=0.03)
    assert np.percentile(size, 5) > 0.65
    assert np.percentile(size, 95) < 1.2


@pytest.mark.parametrize("level", LEVELS)
def test_body_is_as_wide_deep_and_high_as_its_dimensions(level):
    """1.5 mm: the rim is rounded by some tenths, and widths of both endplates are averaged."""
    size = dimensions(level, "M", 1.76)
    points = surface_points(body_shape(level, size), 20000)
    extent = points.max(axis=0) - points.min(axis=0)
    assert extent[0] == pytest.approx(max(size.superior_width_mm, size.inferior_width_mm), abs=1.5)
    assert extent[2] == pytest.approx(max(size.anterior_height_mm, size.posterior_height_mm), abs=2.0)


def test_walls_are_waisted_the_endplates_dished_and_the_posterior_wall_concave(woman):
    shape = woman.vertebrae["L2"].body
    top, bottom = shape.endplate_heights(np.array([0.0, 0.0]), np.array([0.0, 0.95 * shape.half_depth_mm]))
    assert top[0] < top[1] - 1.0
    assert bottom[0] > bottom[1] + 1.5
    assert shape.section_scale(np.float32(0.0)) < 0.95 * shape.section_scale(np.float32(12.0))
    behind = [distance(shape, [[u, shape.posterior_wall_mm + 0.5, 0.0]])[0] for u in (0.0, 7.0)]
    assert behind[0] > behind[1]


def test_pedicles_have_the_published_width_and_angle(woman):
    """Inside from edge to edge of the isthmus, on a line 0.1 mm apart; the filleted union adds a few tenths."""
    for level in ("L1", "L3", "L5"):
        vertebra = woman.vertebrae[level]
        size = woman.curve.sizes[level]
        axis = vertebra.pedicles["left"]
        medial = np.cross(axis.direction, [0.0, 0.0, 1.0])
        steps = np.arange(-15.0, 15.0, 0.1)
        u, v, w = (axis.isthmus_mm + steps[:, None] * medial).astype(np.float32).T
        inside = vertebra.distances(Window(u, v, w, 0.0, None, None))[0] < 0.0
        assert inside.sum() * 0.1 == pytest.approx(size.pedicle_width_mm, abs=1.5)
        angle = np.degrees(np.arctan2(-axis.direction[0], -axis.direction[1]))
        assert angle == pytest.approx(size.pedicle_transverse_angle_deg, abs=0.5)


def test_the_canal_is_free_of_bone(woman):
    for level in ("T12", "L2", "L4"):
        vertebra, size = woman.vertebrae[level], woman.curve.sizes[level]
        middle = vertebra.body.posterior_wall_mm + size.canal_depth_mm / 2.0
        places = product((-0.24, 0.0, 0.24), (-0.2, 0.0, 0.2), (-8.0, 0.0, 8.0))
        points = np.array([(u * size.canal_width_mm, middle + v * size.canal_depth_mm, w) for u, v, w in places])
        u, v, w = points.astype(np.float32).T
        assert (vertebra.distances(Window(u, v, w, 0.0, None, None))[0] > 0.0).all()
