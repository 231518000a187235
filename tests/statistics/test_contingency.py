"""Counts against counts."""

import numpy as np
import pytest
from scipy import stats

from spongiosa.statistics.contingency import (
    association_test,
    chi_square,
    conditional_odds_ratio,
    cross_tabulate,
    fisher_exact,
    fisher_monte_carlo,
)
from spongiosa.statistics.samples import StatisticsError


def test_chi_square_has_no_yates_correction():
    table = [[12, 5], [7, 19]]
    theirs = stats.chi2_contingency(table, correction=False)
    ours = chi_square(table)
    assert (ours.statistic, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-12)


def test_an_empty_category_is_left_out_of_the_degrees_of_freedom():
    assert chi_square([[12, 5, 0], [7, 19, 0]]).df == 1


def test_a_table_with_one_row_left_is_refused():
    with pytest.raises(StatisticsError, match="at least two rows"):
        chi_square([[12, 5], [0, 0]])
    with pytest.raises(StatisticsError, match="whole numbers"):
        chi_square([[1.5, 2], [3, 4]])
    with pytest.raises(StatisticsError, match="whole numbers"):
        chi_square([[-1, 2], [3, 4]])


def test_fisher_by_monte_carlo_meets_the_exact_p_of_a_2_x_2_table():
    """Five standard errors of the Monte-Carlo P: a false alarm once in two million seeds."""
    table = [[8, 2], [1, 5]]
    simulated = fisher_monte_carlo(table, seed=3)
    assert simulated.p_value == pytest.approx(fisher_exact(table).p_value, abs=5 * simulated.standard_error)
    assert "seed 3" in simulated.method


def test_fisher_by_monte_carlo_is_the_same_for_the_same_seed():
    table = [[3, 1, 4], [1, 5, 0], [2, 2, 6]]
    first, again = (fisher_monte_carlo(table, seed=1, draws=2000).p_value for _ in range(2))
    assert first == again != fisher_monte_carlo(table, seed=2, draws=2000).p_value


def test_the_test_is_chosen_by_the_smallest_expected_count():
    assert "chi-square" in association_test([[30, 20], [25, 25]], seed=0).method
    assert "Fisher's exact" in association_test([[3, 2], [2, 9]], seed=0).method
    assert "Monte Carlo" in association_test([[3, 2, 1], [2, 9, 1]], seed=0, draws=100).method


def test_fisher_exact_refuses_larger_tables():
    with pytest.raises(StatisticsError, match="2 x 2"):
        fisher_exact([[1, 2, 3], [3, 2, 1]])
    with pytest.raises(StatisticsError, match="2 x 2"):
        conditional_odds_ratio([[1, 2, 3], [3, 2, 1]])


def test_cross_tabulation_drops_pairs_with_a_missing_side():
    table = cross_tabulate(["a", "a", None, "b"], [1, None, 0, 0])
    assert int(np.asarray(table).sum()) == 2
    with pytest.raises(StatisticsError, match="length"):
        cross_tabulate([1], [1, 2])
