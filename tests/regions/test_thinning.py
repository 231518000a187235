"""Which points are kept when there are too many."""

import numpy as np
import pytest

from spongiosa.regions.thinning import is_kept


@pytest.fixture
def points_mm() -> np.ndarray:
    return np.stack(np.meshgrid(*[np.arange(0.0, 20.0, 0.7)] * 3), axis=-1).reshape(-1, 3)


def test_about_as_many_are_kept_as_asked_for(points_mm):
    """A tenth: 3,000 of 24,389, whose random scatter is 50; the places are not random but look so."""
    assert is_kept(points_mm, 3000).sum() == pytest.approx(3000, rel=0.1)


def test_all_are_kept_when_there_are_no_more(points_mm):
    assert is_kept(points_mm, len(points_mm)).all()


def test_the_order_does_not_decide(points_mm):
    order = np.random.default_rng(1).permutation(len(points_mm))
    assert (is_kept(points_mm[order], 1000) == is_kept(points_mm, 1000)[order]).all()


def test_every_part_of_the_place_is_kept_alike(points_mm):
    """0.05: 1,500 of 3,000 in each half, plus and minus 40 by chance."""
    kept = points_mm[is_kept(points_mm, 3000)]
    for axis in range(3):
        assert (kept[:, axis] < 10.0).mean() == pytest.approx((points_mm[:, axis] < 10.0).mean(), abs=0.05)
