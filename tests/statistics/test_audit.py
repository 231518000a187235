"""Figures that belong together."""

import numpy as np
import pytest

from spongiosa.statistics.audit import auc_from_z, audit_roc, counts_of_share, largest_auc
from spongiosa.statistics.comparison import mann_whitney
from spongiosa.statistics.roc import auc
from spongiosa.statistics.samples import StatisticsError


@pytest.fixture
def hu_and_fracture():
    rng = np.random.default_rng(9)
    event = rng.random(80) < 0.3
    return np.where(event, rng.normal(60, 25, 80), rng.normal(90, 25, 80)), event


def test_a_swapped_direction_is_noticed(hu_and_fracture):
    assert audit_roc(*hu_and_fracture, direction="high").points_the_other_way
    right = audit_roc(*hu_and_fracture, direction="low")
    assert not right.points_the_other_way
    assert right.auc + right.opposite_auc == 1


def test_every_empirical_curve_keeps_its_identities(hu_and_fracture):
    """The bound holds for any curve, and the AUC is Mann-Whitney's U over n1 n0 up to rounding."""
    result = audit_roc(*hu_and_fracture, direction="low")
    assert result.is_within_bound
    assert result.auc < result.auc_bound
    assert result.z_auc_difference < 1e-12


def test_the_bound_is_reached_by_a_curve_that_runs_along_its_limit():
    """J = 0.5: from (0, .5) straight to (.5, 1); the area is 1 - .125."""
    assert largest_auc(0.5) == 0.875
    assert (largest_auc(0.0), largest_auc(1.0)) == (0.5, 1.0)
    with pytest.raises(StatisticsError, match="between 0 and 1"):
        largest_auc(1.2)


def test_auc_follows_from_z_without_ties(hu_and_fracture):
    hu, event = hu_and_fracture
    z = mann_whitney(hu[event], hu[~event]).z
    assert auc_from_z(z, int(event.sum()), int((~event).sum())) == pytest.approx(auc(hu, event, direction="low"))
    with pytest.raises(StatisticsError, match="at least one"):
        auc_from_z(1.0, 0, 5)


def test_a_share_that_no_whole_number_gives_is_impossible():
    assert counts_of_share(0.889, 33, decimals=3) == ()
    assert counts_of_share(0.926, 27, decimals=3) == (25,)
    assert counts_of_share(0.5, 3, decimals=0) == (0, 1, 2, 3)
    with pytest.raises(StatisticsError, match="at least one"):
        counts_of_share(0.5, 0, decimals=1)


def test_a_useless_marker_has_a_youden_index_of_0_and_a_reason():
    result = audit_roc([4.0, 3, 2, 1], [0, 0, 1, 1], direction="high")
    assert (result.youden, result.points_the_other_way) == (0.0, True)
    assert "better than chance" in result.reason
