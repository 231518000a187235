"""Chained equations and Rubin's rules."""

import math

import numpy as np
import pandas as pd
import pytest

from spongiosa.statistics.imputation import ImputationSettings, impute
from spongiosa.statistics.imputation_draws import augment
from spongiosa.statistics.pooling import pool, pool_share, pooled_wald
from spongiosa.statistics.samples import StatisticsError
from spongiosa.statistics.terms import Category, Linear

SEX = Category("sex", ("f", "m"), "f")
GRADE = Category("grade", ("1", "2", "3"), "1")
TERMS = (Linear("age"), Linear("pbq"), SEX, GRADE)


@pytest.fixture(scope="module")
def complete():
    rng = np.random.default_rng(31)
    n = 400
    age = rng.normal(65, 9, n)
    return pd.DataFrame(
        {
            "age": age,
            "pbq": 3 + 0.04 * (age - 65) + rng.normal(0, 0.3, n),
            "sex": np.where(rng.random(n) < 1 / (1 + np.exp(-(age - 65) / 5)), "m", "f"),
            "grade": rng.choice(["1", "2", "3"], n),
        }
    )


@pytest.fixture(scope="module")
def gappy(complete):
    """PBQ is missing mostly in the old (missing at random), so that its observed mean is too low."""
    rng = np.random.default_rng(32)
    table = complete.copy()
    table.loc[rng.random(400) < 1 / (1 + np.exp(-(table["age"] - 68) / 4)), "pbq"] = np.nan
    table.loc[rng.random(400) < 0.2, "sex"] = None
    table.loc[rng.random(400) < 0.1, "grade"] = None
    return table


@pytest.mark.parametrize("method", ["linear", "matched"])
def test_imputation_repairs_the_bias_of_complete_cases(complete, gappy, method):
    """The observed mean is low by more than 0.08; imputed means differ from the truth by their sampling error only:
    residual SD 0.3 over about 130 gaps and the uncertainty of the line give 0.04, three of which are 0.12."""
    gaps = gappy["pbq"].isna()
    imputed = impute(gappy, TERMS, ImputationSettings(imputations=10, methods=(("pbq", method),)), seed=1)
    truth = complete.loc[gaps, "pbq"].mean()
    assert truth - gappy["pbq"].mean() > 0.3
    assert imputed.numbers[:, gaps, 1].mean() == pytest.approx(truth, abs=0.12)


def test_observed_values_are_never_touched(gappy):
    imputed = impute(gappy, TERMS, ImputationSettings(imputations=3, iterations=2), seed=1)
    known = ~imputed.was_missing
    original = np.column_stack([term.numeric(gappy[term.name]) for term in TERMS])
    assert not np.isnan(imputed.numbers).any()
    for completed in imputed.numbers:
        assert (completed[known] == original[known]).all()


def test_categories_stay_categories(gappy):
    imputed = impute(gappy, TERMS, ImputationSettings(imputations=2, iterations=2), seed=1)
    assert set(np.unique(imputed.numbers[:, :, 2])) == {0.0, 1.0}
    assert set(np.unique(imputed.numbers[:, :, 3])) == {0.0, 1.0, 2.0}


def test_matched_values_are_values_of_real_patients(gappy):
    imputed = impute(gappy, TERMS, ImputationSettings(methods=(("pbq", "matched"),)), seed=1)
    assert np.isin(imputed.numbers[:, :, 1], gappy["pbq"].dropna()).all()


def test_the_same_seed_gives_the_same_imputations(gappy):
    settings = ImputationSettings(imputations=2, iterations=3)
    once, again, other = (impute(gappy, TERMS, settings, seed=seed).numbers for seed in (1, 1, 2))
    assert (once == again).all()
    assert (once != other).any()


def test_imputed_binary_follows_its_predictor(gappy):
    """Men are the older ones by construction, so imputed men must be older than imputed women by years."""
    imputed = impute(gappy, TERMS, ImputationSettings(imputations=10), seed=3)
    gaps = imputed.was_missing[:, 2]
    age = np.broadcast_to(gappy["age"].to_numpy()[gaps], (10, gaps.sum()))
    is_male = imputed.numbers[:, gaps, 2] == 1
    assert age[is_male].mean() - age[~is_male].mean() > 5


def test_diagnostics_tell_observed_from_imputed_and_whether_chains_mix(gappy):
    rows = {row.column: row for row in impute(gappy, TERMS, ImputationSettings(), seed=1).diagnostics}
    assert rows["age"].reason == "Nothing is missing."
    assert rows["pbq"].missing == int(gappy["pbq"].isna().sum())
    assert rows["pbq"].imputed_mean > rows["pbq"].observed_mean
    # Five chains of five means each: R-hat of independent draws stays below 1.5.
    assert rows["pbq"].r_hat < 1.5


def test_a_perfectly_predicting_resample_still_gives_finite_draws():
    """Sex follows age without overlap: plain logistic imputation would draw from an infinite posterior."""
    age = np.arange(60.0)
    table = pd.DataFrame({"age": age, "sex": np.where(age < 30, "f", "m")})
    table.loc[[5, 55], "sex"] = None
    imputed = impute(table, (Linear("age"), SEX), ImputationSettings(imputations=20), seed=1).numbers[:, :, 1]
    assert imputed[:, 5].mean() < 0.5 < imputed[:, 55].mean()


def test_pseudo_patients_are_balanced_and_weigh_as_many_as_there_are_coefficients():
    """One SD up and one down in each predictor, with and without the event: they pull every slope to 0, none aside."""
    rng = np.random.default_rng(2)
    design = np.column_stack([np.ones(30), rng.normal(5, 2, 30), rng.normal(-1, 3, 30)])
    joined, outcome, weights = augment(design, (rng.random(30) < 0.5).astype(float))
    extra, extra_weights = joined[30:], weights[30:]
    assert extra_weights.sum() == pytest.approx(3.0)
    assert (extra_weights @ extra) / 3 == pytest.approx(design.mean(axis=0))
    assert extra[:, 1].max() - extra[:, 1].min() == pytest.approx(2 * design[:, 1].std(ddof=1))
    assert extra_weights @ (outcome[30:] - 0.5) == pytest.approx(0.0)


def test_spinopelvic_angles_that_add_up_do_not_stop_the_imputation():
    """PI = PT + SS exactly: every imputation model that has all three is singular without care."""
    rng = np.random.default_rng(4)
    pt, ss = rng.normal(15, 6, 80), rng.normal(36, 8, 80)
    table = pd.DataFrame({"pt": pt, "ss": ss, "pi": pt + ss, "sex": rng.choice(["f", "m"], 80)})
    table.loc[::7, "sex"] = None
    table.loc[3::9, "pi"] = np.nan
    terms = (Linear("pt"), Linear("ss"), Linear("pi"), SEX)
    imputed = impute(table, terms, ImputationSettings(imputations=3, iterations=3), seed=1)
    assert not np.isnan(imputed.numbers).any()
    gaps = imputed.was_missing[:, 2]
    # The relation is exact and the ridge is 1e-5 of the diagonal, so imputed PI is within a degree of PT + SS.
    assert imputed.numbers[:, gaps, 2] == pytest.approx(np.tile((pt + ss)[gaps], (3, 1)), abs=1.0)


def test_what_cannot_be_imputed_is_refused():
    empty = pd.DataFrame({"age": [1.0, 2.0], "pbq": [np.nan, np.nan]})
    with pytest.raises(StatisticsError, match="no observed value"):
        impute(empty, (Linear("age"), Linear("pbq")), ImputationSettings(), seed=1)
    table = pd.DataFrame({"age": [1.0, 2.0], "grade": ["1", None]})
    with pytest.raises(StatisticsError, match="is a category"):
        impute(table, (Linear("age"), GRADE), ImputationSettings(methods=(("grade", "linear"),)), seed=1)
    with pytest.raises(StatisticsError, match="3 levels"):
        impute(table, (Linear("age"), GRADE), ImputationSettings(methods=(("grade", "logistic"),)), seed=1)
    with pytest.raises(StatisticsError, match="unknown column"):
        impute(table, (Linear("age"),), ImputationSettings(methods=(("bmi", "matched"),)), seed=1)
    with pytest.raises(StatisticsError, match="at least 1"):
        ImputationSettings(imputations=0)


def test_a_column_whose_observed_values_are_all_equal_is_filled_with_them():
    table = pd.DataFrame({"age": np.arange(10.0), "flat": [1.0] * 9 + [np.nan]})
    assert (impute(table, (Linear("age"), Linear("flat")), ImputationSettings(), seed=1).numbers[:, 9, 1] == 1).all()


def test_a_single_chain_has_no_r_hat_and_says_so(gappy):
    settings = ImputationSettings(imputations=1, iterations=2)
    rows = impute(gappy, TERMS, settings, seed=1).diagnostics
    assert math.isnan(rows[1].r_hat)
    assert "R-hat needs" in rows[1].reason


def test_rubin_by_hand():
    """Estimates 1, 2, 3 with variance 1: U 1, B 1, T 1 + 4/3 = 7/3; df = 2 (1 + 3/4)^2 = 6.125."""
    result = pool([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    assert (result.estimate, result.standard_error) == pytest.approx((2.0, math.sqrt(7 / 3)))
    assert result.df_rubin == pytest.approx(6.125)
    assert result.df_barnard_rubin == result.df_rubin


def test_the_small_sample_degrees_of_freedom_never_exceed_those_of_the_complete_data():
    result = pool([1.0, 1.0001], [1.0, 1.0], complete_df=20, df="barnard-rubin")
    assert result.df_barnard_rubin < 20 < result.df_rubin
    assert "Barnard-Rubin" in result.method


def test_imputations_that_agree_are_said_to_agree():
    result = pool([1.0, 1.0], [4.0, 4.0])
    assert math.isinf(result.df_rubin)
    assert "agree" in result.reason
    assert result.ci_high == pytest.approx(1 + 1.959964 * 2, rel=1e-6)
    assert pool([1.0, 1.0], [4.0, 4.0], complete_df=10, df="barnard-rubin").df_barnard_rubin < 10


def test_one_imputation_cannot_be_pooled():
    with pytest.raises(StatisticsError, match="at least two"):
        pool([1.0], [1.0])
    with pytest.raises(StatisticsError, match="variance"):
        pool([1.0, 2.0], [1.0, 0.0])
    with pytest.raises(StatisticsError, match="at least two"):
        pooled_wald(np.ones((1, 2)), np.eye(2)[None])


def test_aucs_are_pooled_on_the_logit_scale():
    result = pool_share([0.8, 0.9], [0.04, 0.03])
    assert result.estimate == pytest.approx(1 / (1 + math.exp(-(math.log(4) + math.log(9)) / 2)))
    assert 0 < result.ci_low < result.estimate < result.ci_high < 1
    with pytest.raises(StatisticsError, match="0 or 1"):
        pool_share([1.0, 0.9], [0.01, 0.03])


def test_joint_test_of_one_coefficient_is_the_squared_pooled_t():
    estimates = np.array([[1.0], [1.4], [0.9]])
    variances = np.array([0.2, 0.25, 0.22])
    single = pool(estimates[:, 0], variances)
    f, _, _, _ = pooled_wald(estimates, variances[:, None, None])
    assert f == pytest.approx(single.statistic**2, rel=1e-12)
