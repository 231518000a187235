"""Correlation and linear regression."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.diagnostic import het_breuschpagan
from statsmodels.stats.stattools import durbin_watson

from spongiosa.statistics.association import correlation_difference, pearson, spearman
from spongiosa.statistics.linear import linear_regression
from spongiosa.statistics.samples import StatisticsError


@pytest.fixture
def hu_and_t_score():
    rng = np.random.default_rng(11)
    hu = rng.normal(110, 40, 60).round()
    return hu, (hu - 200) / 50 + rng.normal(0, 0.9, 60)


def test_pearson_and_its_fisher_interval_agree_with_scipy(hu_and_t_score):
    """1e-10 relative: closed forms."""
    x, y = hu_and_t_score
    theirs = stats.pearsonr(x, y)
    interval = theirs.confidence_interval(0.95)
    ours = pearson(x, y)
    assert (ours.estimate, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-8)
    assert (ours.ci_low, ours.ci_high) == pytest.approx((interval.low, interval.high), rel=1e-10)


def test_spearman_counts_ties_by_midranks_and_widens_the_interval(hu_and_t_score):
    x, y = hu_and_t_score
    ours = spearman(x, y)
    assert ours.estimate == pytest.approx(stats.spearmanr(x, y).statistic, rel=1e-12)
    half_width = (math.atanh(ours.ci_high) - math.atanh(ours.ci_low)) / 2
    expected = 1.959963984540054 * math.sqrt((1 + ours.estimate**2 / 2) / 57)
    assert half_width == pytest.approx(expected, rel=1e-10)


def test_pairs_with_a_missing_value_are_dropped_and_counted(hu_and_t_score):
    x, y = hu_and_t_score
    x = x.copy()
    x[:3] = np.nan
    assert pearson(x, y).n == 57


def test_a_constant_column_correlates_with_nothing():
    with pytest.raises(StatisticsError, match="x is constant"):
        spearman([2.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0])


def test_three_pairs_have_a_coefficient_but_no_interval():
    result = pearson([1.0, 2.0, 3.0], [1.0, 3.0, 2.0])
    assert result.estimate == pytest.approx(0.5)
    assert math.isnan(result.ci_low)
    assert result.reason


def test_a_perfect_correlation_is_said_to_be_perfect():
    result = pearson(np.arange(7.0) * 0.1, np.arange(7.0) * -0.3)
    assert (result.estimate, result.p_value) == (-1.0, 0.0)
    assert "perfect" in result.reason.lower()


def test_two_pairs_are_refused():
    with pytest.raises(StatisticsError, match="at least 3"):
        pearson([1.0, 2.0], [1.0, 2.0])


def test_equal_correlations_of_two_samples_do_not_differ(hu_and_t_score):
    result = pearson(*hu_and_t_score)
    assert correlation_difference(result, result) == 1.0


def test_regression_agrees_with_statsmodels_in_every_number(hu_and_t_score):
    """1e-8 relative: the same least squares by another factorisation."""
    x, y = hu_and_t_score
    z = np.cos(x)
    theirs = sm.OLS(y, sm.add_constant(np.column_stack([x, z]))).fit()
    ours = linear_regression(y, {"hu": x, "z": z})
    for position, coefficient in enumerate(ours.coefficients):
        assert (coefficient.estimate, coefficient.standard_error, coefficient.p_value) == pytest.approx(
            (theirs.params[position], theirs.bse[position], theirs.pvalues[position]), rel=1e-8
        )
        assert (coefficient.ci_low, coefficient.ci_high) == pytest.approx(tuple(theirs.conf_int()[position]), rel=1e-8)
    assert (ours.r_squared, ours.adjusted_r_squared, ours.f_p_value) == pytest.approx(
        (theirs.rsquared, theirs.rsquared_adj, theirs.f_pvalue), rel=1e-8
    )
    influence = theirs.get_influence()
    assert ours.diagnostics.cooks_distance == pytest.approx(influence.cooks_distance[0], rel=1e-8)
    assert ours.diagnostics.standardised == pytest.approx(influence.resid_studentized_internal, rel=1e-8)
    assert ours.diagnostics.durbin_watson == pytest.approx(durbin_watson(theirs.resid), rel=1e-8)
    assert ours.diagnostics.breusch_pagan_p == pytest.approx(
        het_breuschpagan(theirs.resid, theirs.model.exog)[1], rel=1e-8
    )


def test_a_constant_or_repeated_predictor_is_named(hu_and_t_score):
    x, y = hu_and_t_score
    with pytest.raises(StatisticsError, match="flat is constant"):
        linear_regression(y, {"hu": x, "flat": np.ones(60)})
    with pytest.raises(StatisticsError, match="follows from"):
        linear_regression(y, {"hu": x, "twice": 2 * x})
    with pytest.raises(StatisticsError, match="outcome is constant"):
        linear_regression(np.ones(60), {"hu": x})


def test_three_patients_suffice_for_a_line_and_two_do_not():
    assert linear_regression([1.0, 2.0, 4.0], {"x": [0.0, 1.0, 2.0]}).df_residual == 1
    with pytest.raises(StatisticsError, match="at least 3"):
        linear_regression([1.0, 2.0], {"x": [0.0, 1.0]})


def test_a_perfect_line_has_no_residuals_to_diagnose():
    fit = linear_regression(np.arange(9.0) * 2 + 1, {"x": np.arange(9.0)})
    assert fit.r_squared == pytest.approx(1.0)
    assert "perfect" in fit.diagnostics.reason
