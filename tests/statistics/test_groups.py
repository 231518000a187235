"""More than two groups, repeated conditions, multiplicity, and the baseline table."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from spongiosa.statistics.baseline import BaselineRules, baseline_table
from spongiosa.statistics.groups import (
    adjust,
    dunn,
    friedman,
    kruskal_wallis,
    one_way_anova,
    pairwise_mann_whitney,
    pairwise_welch,
)
from spongiosa.statistics.samples import StatisticsError


@pytest.fixture
def who_classes():
    """HU of 27 osteoporotic, 40 osteopenic and 33 normal patients, whole numbers with ties."""
    rng = np.random.default_rng(4)
    return {
        "osteoporosis": rng.normal(80, 20, 27).round(),
        "osteopenia": rng.normal(105, 25, 40).round(),
        "normal": rng.normal(135, 30, 33).round(),
    }


def test_anova_and_kruskal_wallis_agree_with_scipy(who_classes):
    assert one_way_anova(who_classes).p_value == pytest.approx(stats.f_oneway(*who_classes.values()).pvalue, rel=1e-10)
    assert kruskal_wallis(who_classes).p_value == pytest.approx(stats.kruskal(*who_classes.values()).pvalue, rel=1e-10)


def test_dunn_without_ties_is_the_textbook_formula():
    """a = 1 2 3, b = 4 5 6, c = 7 8 9: mean ranks 2, 5, 8; SE = sqrt(9 * 10 / 12 * 2 / 3) = sqrt(5)."""
    result = dunn({"a": [1, 2, 3], "b": [4, 5, 6], "c": [7, 8, 9]})
    assert [row.statistic for row in result] == pytest.approx([-3 / math.sqrt(5), -6 / math.sqrt(5), -3 / math.sqrt(5)])
    assert result[1].p_adjusted == pytest.approx(3 * result[1].p_value)


def test_dunn_of_two_groups_is_kruskal_wallis():
    """With two groups z^2 = H, ties and all."""
    groups = {"a": [1, 2, 2, 3, 5], "b": [2, 3, 3, 4, 5, 6]}
    assert dunn(groups)[0].statistic ** 2 == pytest.approx(kruskal_wallis(groups).statistic, rel=1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("bonferroni", "bonferroni"), ("holm", "holm"), ("benjamini-hochberg", "fdr_bh")]
)
def test_adjusted_p_values_agree_with_statsmodels(ours, theirs):
    p_values = [0.01, 0.04, 0.03, 0.2, 0.001]
    assert adjust(p_values, ours) == pytest.approx(multipletests(p_values, method=theirs)[1], rel=1e-12)


def test_a_missing_p_does_not_count_in_the_adjustment():
    assert adjust([0.01, math.nan, 0.02], "bonferroni")[0] == pytest.approx(0.02)
    assert math.isnan(adjust([0.01, math.nan], "holm")[1])
    with pytest.raises(StatisticsError, match="Unknown"):
        adjust([0.1], "sidak")


def test_a_pair_that_cannot_be_tested_keeps_its_reason(who_classes):
    rows = pairwise_mann_whitney({"a": [1.0, 1.0], "b": [1.0, 1.0], "c": [2.0, 3.0]})
    assert "tied" in rows[0].reason
    assert math.isnan(rows[0].p_adjusted)
    # Two pairs are left, so Bonferroni doubles.
    assert rows[1].p_adjusted == pytest.approx(min(2 * rows[1].p_value, 1))
    assert len(pairwise_welch(who_classes)) == 3


def test_groups_that_do_not_vary_are_refused():
    with pytest.raises(StatisticsError, match="within the groups"):
        one_way_anova({"a": [0.1] * 3, "b": [0.3] * 3})
    with pytest.raises(StatisticsError, match="degree of freedom"):
        one_way_anova({"a": [1.0], "b": [2.0]})
    with pytest.raises(StatisticsError, match="tied"):
        kruskal_wallis({"a": [1.0, 1.0], "b": [1.0]})
    with pytest.raises(StatisticsError, match="two groups"):
        kruskal_wallis({"a": [1.0, 2.0]})
    with pytest.raises(StatisticsError, match="tied"):
        dunn({"a": [1.0, 1.0], "b": [1.0]})


def test_friedman_uses_patients_with_every_region_and_agrees_with_scipy():
    rng = np.random.default_rng(8)
    table = rng.normal(0, 1, (20, 3)).round(1) + np.array([0, 0.3, 0.6])
    theirs = stats.friedmanchisquare(*table.T)
    gappy = np.vstack([table, [np.nan, 1.0, 2.0]])
    ours = friedman(dict(zip("abc", gappy.T, strict=True)))
    assert (ours.statistic, ours.p_value, ours.n) == pytest.approx((theirs.statistic, theirs.pvalue, 20), rel=1e-10)


def test_friedman_without_differences_within_patients_is_refused():
    with pytest.raises(StatisticsError, match="tied"):
        friedman({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    with pytest.raises(StatisticsError, match="at least 2"):
        friedman({"a": [1.0, np.nan], "b": [1.0, 2.0]})
    with pytest.raises(StatisticsError, match="two conditions"):
        friedman({"a": [1.0, 2.0]})


@pytest.fixture
def cohort():
    rng = np.random.default_rng(6)
    n = 90
    loosened = rng.random(n) < 0.4
    return pd.DataFrame(
        {
            "age": rng.normal(65, 8, n) + 4 * loosened,
            "stay_days": rng.exponential(5, n),
            "constant": np.ones(n),
            "sex": rng.choice(["f", "m"], n),
            "grade": rng.choice([1, 2, 3, 4], n, p=[0.15, 0.7, 0.05, 0.1]),
            "loosened": loosened.astype(int),
        }
    )


def test_the_baseline_table_chooses_its_tests_by_the_stated_rules(cohort):
    rows = {
        row.variable: row
        for row in baseline_table(
            cohort,
            cohort["loosened"],
            numeric=["age", "stay_days", "constant"],
            categorical={"sex": ["f", "m"], "grade": None},
            rules=BaselineRules(fisher_draws=2000),
        )
    }
    assert "Student" in rows["age"].method
    assert rows["age"].is_normal
    assert "Mann-Whitney" in rows["stay_days"].method
    assert "chi-square" in rows["sex"].method
    assert "Monte Carlo" in rows["grade"].method
    assert math.isnan(rows["constant"].p_value)
    assert rows["constant"].reason
    assert rows["age"].groups["1"].n == int(cohort["loosened"].sum())


def test_more_than_two_groups_take_anova_or_kruskal_wallis(cohort):
    three = pd.Series(np.arange(90) % 3).map({0: "a", 1: "b", 2: "c"})
    rows = baseline_table(cohort, three, numeric=["age", "stay_days"])
    assert "ANOVA" in rows[0].method
    assert "Kruskal" in rows[1].method
    assert rows[0].standardised_difference is None


def test_welch_is_taken_when_asked_for_and_levene_rejects():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"hu": np.concatenate([rng.normal(0, 1, 60), rng.normal(0, 5, 60)])})
    group = np.repeat(["a", "b"], 60)
    assert "Welch" in baseline_table(table, group, numeric=["hu"], rules=BaselineRules(welch_if_unequal=True))[0].method
    assert "Student" in baseline_table(table, group, numeric=["hu"])[0].method
    assert "Welch" in str(BaselineRules(welch_if_unequal=True))


def test_patients_without_a_group_are_left_out_and_one_group_is_refused(cohort):
    group = cohort["loosened"].astype(float)
    group[:10] = np.nan
    assert baseline_table(cohort, group, numeric=["age"])[0].overall.n == 80
    with pytest.raises(StatisticsError, match="two groups"):
        baseline_table(cohort, np.ones(90), numeric=["age"])


def test_a_group_without_any_value_of_a_variable_has_a_reason():
    table = pd.DataFrame({"pbq": [1.0, 2.0, np.nan, np.nan]})
    row = baseline_table(table, ["a", "a", "b", "b"], numeric=["pbq"])[0]
    assert "0 observed" in row.reason


@pytest.mark.parametrize("dtype", ["category", "string", "object"])
def test_groups_and_categories_of_any_dtype_make_the_same_baseline_table(cohort, dtype):
    table = cohort.assign(sex=cohort["sex"].astype(dtype))
    group = cohort["loosened"].map({0: "stable", 1: "loosened"}).astype(dtype)
    plain = baseline_table(cohort, cohort["loosened"], numeric=["age"], categorical={"sex": None})
    typed = baseline_table(table, group, numeric=["age"], categorical={"sex": None})
    assert [row.p_value for row in typed] == pytest.approx([row.p_value for row in plain], rel=1e-12)
