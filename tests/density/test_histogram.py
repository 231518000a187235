"""Weighted HU statistics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spongiosa.density.histogram import hu_statistics, weighted_mean, weighted_quantiles


def test_whole_weights_give_the_usual_statistics():
    hu = np.random.default_rng(1).normal(120, 30, 500)
    statistics = hu_statistics(hu, np.ones(500))
    assert statistics.mean == pytest.approx(hu.mean())
    assert statistics.sd == pytest.approx(hu.std(ddof=1))
    assert statistics.median == pytest.approx(np.median(hu))
    assert statistics.p05 == pytest.approx(np.quantile(hu, 0.05, method="hazen"))  # type 5
    assert (statistics.voxels, statistics.effective_voxels) == (500, 500.0)


def test_a_weight_of_two_counts_like_the_voxel_twice():
    hu, weights = np.array([10.0, 20.0, 40.0]), np.array([1.0, 2.0, 1.0])
    repeated = np.array([10.0, 20.0, 20.0, 40.0])
    statistics = hu_statistics(hu, weights)
    assert statistics.mean == pytest.approx(repeated.mean())
    assert statistics.sd == pytest.approx(repeated.std(ddof=1))


def test_a_boundary_voxel_of_little_weight_moves_the_mean_little():
    hu, weights = np.array([100.0] * 99 + [700.0]), np.array([1.0] * 99 + [0.1])
    assert weighted_mean(hu, weights) == pytest.approx((9900 + 70) / 99.1)


def test_one_voxel_has_no_spread_and_is_refused():
    with pytest.raises(ValueError, match="effective voxels"):
        hu_statistics(np.array([5.0]), np.array([1.0]))
    with pytest.raises(ValueError, match="without weight"):
        weighted_mean(np.array([5.0]), np.array([0.0]))


@given(st.lists(st.tuples(st.floats(-500, 1500), st.floats(0.01, 1.0)), min_size=3, max_size=40))
def test_quantiles_are_ordered_and_within_the_values(pairs):
    values, weights = (np.array(column) for column in zip(*pairs, strict=True))
    quantiles = weighted_quantiles(values, weights, np.array([0.05, 0.5, 0.95]))
    assert values.min() <= quantiles[0] <= quantiles[1] <= quantiles[2] <= values.max()
