"""Regression and selection on imputed data."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from spongiosa.statistics.imputation import ImputationSettings, impute
from spongiosa.statistics.logistic import logistic_regression
from spongiosa.statistics.pooled_regression import pooled_auc, pooled_logistic, select_pooled
from spongiosa.statistics.roc import auc_delong
from spongiosa.statistics.samples import StatisticsError
from spongiosa.statistics.selection import SelectionRule
from spongiosa.statistics.terms import Category, Linear, build_design, numeric_matrix

OUTCOME = Category("event", ("0", "1"), "0")
TERMS = (Linear("age"), Linear("hu_ratio"), Linear("noise"), OUTCOME)


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(51)
    n = 300
    table = pd.DataFrame({name: rng.normal(0, 1, n) for name in ("age", "hu_ratio", "noise")})
    table["event"] = (rng.random(n) < expit(-1 + 0.8 * table["age"] - 1.2 * table["hu_ratio"])).astype(int)
    return table


@pytest.fixture(scope="module")
def imputed(cohort):
    gappy = cohort.copy()
    gappy.loc[::5, "hu_ratio"] = np.nan
    return impute(gappy, TERMS, ImputationSettings(imputations=6, iterations=5), seed=1)


def test_one_complete_data_set_gives_the_plain_fit(cohort):
    """m = 1: the same coefficients, intervals and tests as without imputation; 1e-9 is Newton's precision."""
    numbers = numeric_matrix(cohort, TERMS)[np.newaxis]
    pooled = pooled_logistic(numbers, TERMS, ["age", "hu_ratio"], cohort["event"])
    plain = logistic_regression(build_design(cohort, TERMS[:2]), cohort["event"])
    for ours, other in zip(pooled.coefficients[1:], plain.coefficients, strict=True):
        assert (ours.odds_ratio, ours.ci_low, ours.ci_high, ours.p_value) == pytest.approx(
            (other.odds_ratio, other.ci_low, other.ci_high, other.p_value), rel=1e-9
        )
    assert pooled.terms[0].p_value == pytest.approx(plain.terms[0].wald_p, rel=1e-9)
    assert pooled.pooled == ()


def test_imputed_values_cost_information_and_leave_the_effect(cohort, imputed):
    """A fifth of the ratios is missing: its standard error grows; the estimate stays within two of them."""
    pooled = pooled_logistic(imputed.numbers, TERMS, ["age", "hu_ratio"], cohort["event"])
    plain = logistic_regression(build_design(cohort, TERMS[:2]), cohort["event"])
    ours, other = pooled.coefficients[2], plain.coefficients[1]
    assert ours.standard_error > other.standard_error
    assert abs(ours.estimate - other.estimate) < 2 * other.standard_error
    assert pooled.pooled[2].fraction_missing > pooled.pooled[1].fraction_missing


def test_selection_on_imputed_data_states_its_rule_and_keeps_what_matters(cohort, imputed):
    rule = SelectionRule(enter_below=0.05, a_priori=("noise",), stay_below=0.05)
    result = select_pooled(imputed.numbers, TERMS, ["age", "hu_ratio", "noise"], cohort["event"], rule)
    assert result.entered == ("age", "hu_ratio", "noise")
    assert result.final_terms == ("age", "hu_ratio")
    assert "a priori: noise" in result.rule
    assert result.final is not None
    assert len(result.final.coefficients) == 3


def test_a_rule_that_leaves_nothing_says_so(cohort, imputed):
    strict = SelectionRule(enter_below=1e-9)
    assert "No term enters" in select_pooled(imputed.numbers, TERMS, ["noise"], cohort["event"], strict).reason
    forced = SelectionRule(enter_below=None, a_priori=("noise",), stay_below=1e-9)
    assert "No term stays" in select_pooled(imputed.numbers, TERMS, ["noise"], cohort["event"], forced).reason
    with pytest.raises(StatisticsError, match="no candidates"):
        select_pooled(imputed.numbers, TERMS, ["age"], cohort["event"], forced)


def test_a_candidate_that_cannot_be_fitted_keeps_its_reason(cohort, imputed):
    flat = imputed.numbers.copy()
    flat[:, :, 2] = 1.0
    result = select_pooled(flat, TERMS, ["age", "noise"], cohort["event"], SelectionRule())
    assert result.univariable[1].reason
    assert not result.univariable[1].enters


def test_separation_over_imputations_is_penalised_and_told(cohort, imputed):
    separated = imputed.numbers.copy()
    separated[:, :, 0] = cohort["event"] * 10.0
    result = pooled_logistic(separated, TERMS, ["age"], cohort["event"])
    assert "6 of 6 fits were separated" in result.reason
    assert np.isfinite(result.coefficients[1].estimate)


def test_what_is_not_imputed_is_refused(cohort, imputed):
    with pytest.raises(StatisticsError, match="Not among"):
        pooled_logistic(imputed.numbers, TERMS, ["pbq"], cohort["event"])
    with pytest.raises(StatisticsError, match="both classes"):
        pooled_logistic(imputed.numbers, TERMS, ["age"], np.zeros(300))


def test_pooled_auc_lies_among_those_of_the_data_sets_with_a_wider_error(cohort, imputed):
    fit = pooled_logistic(imputed.numbers, TERMS, ["age", "hu_ratio"], cohort["event"])
    result = pooled_auc(fit.linear_predictors, cohort["event"])
    each = [auc_delong(row, cohort["event"], direction="high") for row in fit.linear_predictors]
    assert min(one.estimate for one in each) <= result.estimate <= max(one.estimate for one in each)
    assert result.standard_error > 0.9 * np.mean([one.standard_error for one in each])
    assert pooled_auc(fit.linear_predictors[:1], cohort["event"]) == each[0]
