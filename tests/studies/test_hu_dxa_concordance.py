"""The HU-DXA concordance study against printed counts, and on cohorts too small for its statistics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from spongiosa.config.studies import HuDxaConcordanceSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.studies.hu_dxa_concordance import analyse
from spongiosa.studies.result import StudyResult

SETTINGS, THRESHOLDS = HuDxaConcordanceSettings(bootstrap_draws=200), ThresholdsSettings()
FIGURES = {"f0_flow", "f1_scatter", "f2_roc", "f3_distribution", "f4_residuals", "f5_age_bmi", "f6_sex_site"}
TABLES = {
    "t0_flow",
    "t1_group_definitions",
    "t2_patient_characteristics",
    "t3_threshold_sensitivity",
    "t4_baseline_by_group",
    "t5_gray_zone",
    "t6_correlations",
    "t7_roc",
    "t8_concordant_discordant",
    "t9_age_strata",
}


@pytest.fixture(scope="module")
def printed(printed_counts: pd.DataFrame) -> StudyResult:
    return analyse(printed_counts, SETTINGS, THRESHOLDS, seed=1)


@pytest.fixture(scope="module")
def usual(two_hundred: pd.DataFrame) -> StudyResult:
    """Two hundred random patients, analysed with the usual settings and thresholds."""
    return analyse(two_hundred, SETTINGS, THRESHOLDS, seed=1)


def table(result: StudyResult, key: str) -> pd.DataFrame:
    return next(table.frame for table in result.tables if table.key == key)


def test_the_counts_of_the_four_groups_are_those_put_in(printed: StudyResult) -> None:
    assert table(printed, "t1_group_definitions")["patients"].tolist() == [94, 36, 24, 26]


def test_the_row_at_100_hu_is_the_one_printed(printed: StudyResult) -> None:
    """0.600 / 0.783 / 0.581 / 0.797 and kappa 0.380 (0.238-0.522) follow from 94 / 36 / 24 / 26.

    0.0005: the printed values have three decimals.
    """
    rows = table(printed, "t3_threshold_sensitivity")
    row = rows[rows["rule"] == "<= 100"].iloc[0]
    names = ("sensitivity", "specificity", "positive_predictive_value", "negative_predictive_value")
    assert [row[name] for name in names] == pytest.approx([0.600, 0.783, 0.581, 0.797], abs=5e-4)
    assert [row["kappa"], row["kappa_ci_low"], row["kappa_ci_high"]] == pytest.approx([0.380, 0.238, 0.522], abs=5e-4)
    assert [row["true_positive"], row["false_positive"], row["true_negative"], row["false_negative"]] == [
        36,
        26,
        94,
        24,
    ]


def test_the_threshold_table_has_every_cut_off_and_youdens(printed: StudyResult) -> None:
    rows = table(printed, "t3_threshold_sensitivity")
    assert rows.loc[~rows["is_youden"], "threshold"].tolist() == [90.0, 100.0, 110.0, 120.0, 130.0]
    assert rows["is_youden"].sum() == 1
    youden = rows["sensitivity"] + rows["specificity"] - 1
    assert youden[rows["is_youden"]].iloc[0] == pytest.approx(youden.max(), abs=1e-12)


def test_the_gray_zone_is_as_printed_in_two_zones_and_graded_in_three(printed: StudyResult) -> None:
    """17 of 73 against 33 of 107, Fisher 0.311; 26 of 62, 17 of 73 and 7 of 45 in three zones."""
    zones = table(printed, "t5_gray_zone").set_index(["scheme", "zone"])
    two, three = zones.loc["two zones"], zones.loc["three zones"]
    assert list(zip(two["discordant"], two["patients"], strict=True)) == [(17, 73), (33, 107)]
    assert two["p_value"].iloc[0] == pytest.approx(0.311, abs=5e-4)
    assert list(zip(three["discordant"], three["patients"], strict=True)) == [(26, 62), (17, 73), (7, 45)]
    # Pearson's chi-square of the three zones, computed without our code.
    expected = stats.chi2_contingency([[26, 36], [17, 56], [7, 38]], correction=False).pvalue
    assert three["p_value"].iloc[0] == pytest.approx(expected, rel=1e-9)


def test_every_table_and_figure_of_the_study_is_made(usual: StudyResult) -> None:
    assert {made.key for made in usual.tables} == TABLES
    assert {made.key for made in usual.figures} == FIGURES
    assert usual.omitted == ()
    assert all(figure.alt and figure.caption and len(figure.data) for figure in usual.figures)


def test_comparisons_and_correlations_agree_with_scipy(usual: StudyResult) -> None:
    analysed = next(figure.data for figure in usual.figures if figure.key == "f5_age_bmi")
    scatter = next(figure.data for figure in usual.figures if figure.key == "f1_scatter")
    rows = table(usual, "t4_baseline_by_group")
    row = rows[(rows["variable"] == "age_years") & (rows["group"] == "dxa_positive_hu_positive")].iloc[0]
    ages = [
        analysed.loc[analysed["group"] == name, "age_years"]
        for name in ("dxa_positive_hu_positive", "dxa_negative_hu_negative")
    ]
    expected = stats.mannwhitneyu(*ages, use_continuity=False, method="asymptotic").pvalue
    assert row["p_value_vs_reference"] == pytest.approx(expected, rel=1e-9)
    correlation = table(usual, "t6_correlations").set_index("outcome").loc["low_t_score"]
    assert correlation["pearson_estimate"] == pytest.approx(
        stats.pearsonr(scatter["index_hu"], scatter["low_t_score"]).statistic, rel=1e-9
    )
    assert correlation["spearman_estimate"] == pytest.approx(
        stats.spearmanr(scatter["index_hu"], scatter["low_t_score"]).statistic, rel=1e-9
    )


def test_the_line_predicts_the_t_score_and_the_residuals_are_its(usual: StudyResult) -> None:
    data = next(figure.data for figure in usual.figures if figure.key == "f4_residuals")
    slope, intercept = np.polyfit(data["index_hu"], data["low_t_score"], 1)
    assert data["residual"].to_numpy() == pytest.approx(
        data["low_t_score"] - intercept - slope * data["index_hu"], abs=1e-9
    )


def test_the_audit_holds_the_identities_of_a_correct_roc_analysis(usual: StudyResult) -> None:
    audit = usual.audit
    assert audit["swap_check"]["is_consistent"]
    assert audit["auc_equals_mann_whitney"]
    assert audit["youden_bound"]["holds"]
    assert not audit["points_the_other_way"]
    assert audit["flow"]["analysed"] == audit["analysed"]


def test_a_changed_threshold_changes_the_groups_but_not_the_curve(
    two_hundred: pd.DataFrame, usual: StudyResult
) -> None:
    moved = analyse(two_hundred, SETTINGS, ThresholdsSettings(hu_osteoporosis=120.0), seed=1)
    assert usual.audit["counts"] != moved.audit["counts"]
    pd.testing.assert_frame_equal(table(usual, "t7_roc"), table(moved, "t7_roc"))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 14])
def test_small_cohorts_give_every_table_and_no_gap_without_a_word(
    count: int, random_patients: Callable[[int, int], pd.DataFrame]
) -> None:
    result = analyse(random_patients(count, 5), SETTINGS, THRESHOLDS, seed=1)
    for made in result.tables:
        text = made.printed.to_csv()
        assert "nan" not in text and "inf" not in text, made.key
        for mark in {cell.split()[-1] for cell in made.printed.to_numpy().ravel() if str(cell).startswith("–")}:
            assert any(note.startswith(mark) for note in made.notes), (made.key, mark)
    assert len(result.figures) + len(result.omitted) == (7 if len(result.tables) > 1 else 1)
    assert all(reason for _, reason in result.omitted)


def test_each_scanner_is_a_stratum_and_the_most_frequent_one_stands_alone(two_hundred: pd.DataFrame) -> None:
    with_scanners = two_hundred.assign(
        manufacturer=np.where(np.arange(200) < 150, "Siemens", "GE"), kvp=120.0, site=[None] * 120 + ["B"] * 80
    )
    result = analyse(with_scanners, SETTINGS, THRESHOLDS, seed=1)
    strata = table(result, "t10_strata")
    # One tube voltage parts nobody; a site that is not stated is a stratum of its own.
    assert strata["column"].unique().tolist() == ["all", "site", "manufacturer", "without_rarer"]
    parts = strata[strata["column"].isin(["site", "manufacturer"])]
    assert parts.groupby("column")["patients"].sum().tolist() == [result.audit["analysed"]] * 2
    assert parts.loc[parts["is_most_frequent"], "value"].tolist() == ["not stated", "Siemens"]
    alone = analyse(with_scanners[with_scanners["manufacturer"] == "GE"], SETTINGS, THRESHOLDS, seed=1)
    rows = table(alone, "t3_threshold_sensitivity")
    of_ge = strata.set_index("value").loc["GE"]
    assert of_ge["kappa"] == pytest.approx(rows.loc[rows["rule"] == "<= 100", "kappa"].iloc[0], rel=1e-12)
    assert of_ge["auc"] == pytest.approx(table(alone, "t7_roc")["auc_estimate"].iloc[0], rel=1e-12)
    usual = with_scanners[(with_scanners["manufacturer"] == "Siemens") & with_scanners["site"].isna()]
    assert strata["patients"].iloc[-1] == analyse(usual, SETTINGS, THRESHOLDS, seed=1).audit["analysed"]


def test_all_four_groups_are_compared_by_kruskal_wallis(usual: StudyResult) -> None:
    ages = next(figure.data for figure in usual.figures if figure.key == "f5_age_bmi")
    expected = stats.kruskal(*(part["age_years"] for _, part in ages.groupby("group"))).pvalue
    rows = table(usual, "t4_baseline_by_group")
    assert rows.loc[rows["variable"] == "age_years", "p_overall"].iloc[0] == pytest.approx(expected, rel=1e-9)


def test_referenced_hu_are_compared_where_they_are_configured(two_hundred: pd.DataFrame, usual: StudyResult) -> None:
    referenced = two_hundred.assign(ax_l1_l4_hu_referenced=two_hundred["ax_l1_l4_hu"] - 7.0)
    referenced.loc[:4, "ax_l1_l4_hu_referenced"] = np.nan
    referenced["ax_l1_l4_hu_referenced_reason"] = "no_nominal_rod_hu"
    settings = HuDxaConcordanceSettings(bootstrap_draws=100, hu="referenced")
    result = analyse(referenced, settings, THRESHOLDS, seed=1)
    assert result.audit["flow"]["no_ax_l1_l4_hu_referenced:no_nominal_rod_hu"] > 0
    curve, raw = (table(made, "t7_roc").iloc[0] for made in (result, usual))
    assert curve["n"] < raw["n"]
    assert curve["cut_off_midpoint"] == pytest.approx(raw["cut_off_midpoint"] - 7.0, abs=3.0), "a shifted scale"
    assert "phantom-referenced" in result.methods


def test_without_t_scores_the_study_says_so_and_shows_its_flow(
    random_patients: Callable[[int, int], pd.DataFrame],
) -> None:
    patients = random_patients(20, 1).drop(columns=["t_score_lumbar", "t_score_femoral_neck"])
    result = analyse(patients, SETTINGS, THRESHOLDS, seed=1)
    assert "No patient" in result.headline
    assert [made.key for made in result.tables] == ["t0_flow"]


def test_the_methods_name_the_choices_that_were_configured(two_hundred: pd.DataFrame) -> None:
    settings = HuDxaConcordanceSettings(bootstrap_draws=321, t_score_sites=("lumbar",))
    methods = analyse(two_hundred, settings, ThresholdsSettings(hu_cutoffs=(85.0, 95.0)), seed=77).methods
    for words in ("321 resamples", "(lumbar spine)", "85, 95 HU", "Seed 77"):
        assert words in methods
