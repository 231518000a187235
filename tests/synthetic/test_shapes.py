from __future__ import annotations

import numpy as np
import pytest

from spongiosa.synthetic.sampling import Window
from spongiosa.synthetic.shapes import FAR_MM, Bar, Ellipsoid, smooth_intersection, smooth_union, union_distance


def at(solid, *points):
    return solid.distance(*np.array(points, dtype=np.float32).T)


def test_distance_to_a_round_bar_is_that_of_a_capsule():
    bar = Bar((0.0, 0.0, 0.0), (0.0, 0.0, 10.0), 3.0, 3.0)
    found = at(bar, (5.0, 0.0, 5.0), (1.0, 0.0, 5.0), (0.0, 0.0, 15.0), (3.0, 4.0, 10.0))
    assert found == pytest.approx([2.0, -2.0, 2.0, 2.0], abs=1e-3)


def test_a_flat_bar_ends_where_its_half_axes_say_and_tapers():
    bar = Bar((0.0, 0.0, 0.0), (0.0, 0.0, 20.0), 8.0, 3.0, side=(1.0, 0.0, 0.0), taper=0.5)
    surface = at(bar, (8.0, 0.0, 0.0), (0.0, 3.0, 0.0), (4.0, 0.0, 20.0), (0.0, 1.5, 20.0))
    assert surface == pytest.approx([0.0] * 4, abs=1e-3)


def test_the_axis_of_a_solid_lies_deep_inside():
    for solid in (Bar((0, 0, 0), (0, 0, 10), 5.0, 2.0), Ellipsoid((0.0, 0.0, 5.0), (6.0, 4.0, 2.0))):
        assert at(solid, (0.0, 0.0, 5.0))[0] == pytest.approx(-2.0, abs=0.05)


def test_a_union_is_filleted_and_an_intersection_rounded():
    a, b = np.float32([1.0, -3.0, 0.5]), np.float32([5.0, -3.0, 0.5])
    assert smooth_union(a, b, 2.0) == pytest.approx([1.0, -3.5, 0.0])
    assert smooth_intersection(a, b, 2.0) == pytest.approx([5.0, -2.5, 1.0])


def test_far_from_every_solid_the_union_says_far():
    x = np.float32([0.0, 500.0])
    window = Window(x, np.zeros_like(x), np.zeros_like(x), 0.0, None, None)
    found = union_distance(window, [Ellipsoid((0.0, 0.0, 0.0), (5.0, 5.0, 5.0))], blend_mm=2.0)
    assert found == pytest.approx([-5.0, float(FAR_MM)], abs=0.05)


def test_bounds_hold_the_solid():
    bar = Bar((1.0, 2.0, 3.0), (9.0, -4.0, 5.0), 4.0, 2.0)
    box = bar.box(margin_mm=0.0)
    points = np.random.default_rng(0).uniform(-20.0, 20.0, (20000, 3))
    inside = at(bar, *points) < 0.0
    assert inside.any()
    assert np.all(points[inside] >= np.array(box.lower) - 1e-6)
    assert np.all(points[inside] <= np.array(box.upper) + 1e-6)
