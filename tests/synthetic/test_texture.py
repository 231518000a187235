from __future__ import annotations

import numpy as np
import pytest

from spongiosa.synthetic.texture import noise_at


def points(count=20000, reach=25.0):
    return np.random.default_rng(1).uniform(-reach, reach, (3, count)).astype(np.float32)


def test_texture_is_centred_and_of_nearly_unit_spread():
    """Linear interpolation between lattice points takes some of the variance: SD 0.85 to 1."""
    values = noise_at(*points(), correlation_mm=1.3, seed=4)
    assert values.mean() == pytest.approx(0.0, abs=0.05)
    assert 0.8 < values.std() < 1.05


def test_texture_is_a_function_of_place_and_seed():
    u, v, w = points(500)
    assert np.array_equal(noise_at(u, v, w, 1.3, 4), noise_at(u, v, w, 1.3, 4))
    assert np.corrcoef(noise_at(u, v, w, 1.3, 4), noise_at(u, v, w, 1.3, 5))[0, 1] == pytest.approx(0.0, abs=0.15)


def test_correlation_falls_with_distance_as_stated():
    """exp(-r^2 / (4 s^2)) at r = s is 0.78, at r = 4 s nothing; 0.08 for the interpolation and the sample."""
    u, v, w = points()
    here = noise_at(u, v, w, 2.0, 9)
    for shift, expected in ((2.0, np.exp(-0.25)), (8.0, 0.0)):
        there = noise_at(u + np.float32(shift), v, w, 2.0, 9)
        assert np.corrcoef(here, there)[0, 1] == pytest.approx(expected, abs=0.08)
