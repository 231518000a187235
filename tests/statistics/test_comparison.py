"""Two groups compared by a number."""

import numpy as np
import pytest
from scipy import stats

from spongiosa.statistics.comparison import (
    levene,
    mann_whitney,
    student_t,
    student_t_from_summary,
    welch_t,
    welch_t_from_summary,
)
from spongiosa.statistics.samples import StatisticsError


@pytest.fixture
def hu_of_two_groups():
    rng = np.random.default_rng(7)
    return rng.normal(110, 30, 40).round(), rng.normal(95, 45, 23).round()


def test_student_and_welch_agree_with_scipy_on_means_and_intervals(hu_of_two_groups):
    """1e-10 relative: both are closed forms of the same sums."""
    a, b = hu_of_two_groups
    for ours, equal in ((student_t(a, b), True), (welch_t(a, b), False)):
        theirs = stats.ttest_ind(a, b, equal_var=equal)
        interval = theirs.confidence_interval(0.95)
        assert (ours.statistic, ours.p_value, ours.df) == pytest.approx(
            (theirs.statistic, theirs.pvalue, theirs.df), rel=1e-10
        )
        assert (ours.ci_low, ours.ci_high) == pytest.approx((interval.low, interval.high), rel=1e-10)


def test_levene_is_reported_beside_student_and_centred_at_the_mean(hu_of_two_groups):
    a, b = hu_of_two_groups
    assert student_t(a, b).levene_p == pytest.approx(stats.levene(a, b, center="mean").pvalue, rel=1e-12)
    assert levene(a, b).df_within == 61


def test_missing_values_leave_the_group_and_its_n(hu_of_two_groups):
    a, b = hu_of_two_groups
    assert student_t(np.append(a, np.nan), b).n_a == 40


def test_mann_whitney_has_neither_continuity_correction_nor_forgotten_ties(hu_of_two_groups):
    a, b = hu_of_two_groups
    theirs = stats.mannwhitneyu(a, b, use_continuity=False, method="asymptotic")
    ours = mann_whitney(a, b)
    assert (ours.u_statistic, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-12)
    assert ours.probability_a_greater == pytest.approx(theirs.statistic / (40 * 23), rel=1e-12)


def test_groups_without_any_spread_are_refused_rather_than_given_an_infinite_t():
    with pytest.raises(StatisticsError, match="Neither group varies"):
        student_t([0.1] * 5, [0.3] * 7)
    with pytest.raises(StatisticsError, match="tied"):
        mann_whitney([1.0] * 5, [1.0] * 7)
    with pytest.raises(StatisticsError, match="do not vary"):
        levene([0.1] * 5, [0.3] * 7)


def test_a_single_patient_is_no_group():
    with pytest.raises(StatisticsError, match="at least 2"):
        welch_t([1.0], [1.0, 2.0])
    with pytest.raises(StatisticsError, match="two values per group"):
        student_t_from_summary(1, 1, 1, 2, 1, 9)
    with pytest.raises(StatisticsError, match="negative"):
        welch_t_from_summary(1, -1, 5, 2, 1, 9)


def test_levene_that_cannot_be_had_leaves_t_with_a_reason():
    """Two values each: all deviations from their mean are equal, so Levene's F is 0/0."""
    result = student_t([1.0, 3.0], [2.0, 4.0])
    assert np.isnan(result.levene_p)
    assert "do not vary" in result.reason
