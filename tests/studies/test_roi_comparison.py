"""The comparison of ROI shapes, on the synthetic cohort that follows its published figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from spongiosa.config.studies import RoiComparisonSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.studies.result import StudyResult
from spongiosa.studies.roi_comparison import analyse, dxa_class
from spongiosa.synthetic.population import PRESETS, sample_population

SETTINGS, THRESHOLDS = RoiComparisonSettings(bootstrap_draws=100), ThresholdsSettings()


@pytest.fixture(scope="module")
def cohort() -> pd.DataFrame:
    return sample_population(PRESETS["roi_shapes"], 100, seed=4)


@pytest.fixture(scope="module")
def result(cohort: pd.DataFrame) -> StudyResult:
    return analyse(cohort, SETTINGS, THRESHOLDS, 1)


def frame_of(result: StudyResult, key: str) -> pd.DataFrame:
    return next(table.frame for table in result.tables if table.key == key)


def test_classes_include_their_own_borders() -> None:
    """WHO: osteoporosis at T <= -2.5, normal at T >= -1.0."""
    assert dxa_class(pd.Series([-2.5, -2.49, -1.01, -1.0]), THRESHOLDS).tolist() == [
        "osteoporosis", "osteopenia", "osteopenia", "normal"
    ]  # fmt: skip


def test_every_table_and_figure_is_made(result: StudyResult) -> None:
    assert [table.key for table in result.tables] == [
        "t0_flow", "t1_baseline_by_class", "t2_hu_by_class", "t3a_roc_osteoporosis", "t3b_roc_low_mass",
        "t4_auc_differences", "t5_between_shapes", "t6_correlations",
    ]  # fmt: skip
    assert [figure.key for figure in result.figures] == [
        "f1_scatter",
        "f2_roc_osteoporosis",
        "f3_roc_low_mass",
        "f4_boxes",
    ]
    assert result.omitted == ()


def test_the_area_of_a_shape_is_that_of_the_rank_sum(result: StudyResult, cohort: pd.DataFrame) -> None:
    is_osteoporotic = cohort["t_score_lumbar"] <= -2.5
    for column in ("round_l1_l4_hu", "left_l1_l4_hu"):
        u = stats.mannwhitneyu(cohort.loc[~is_osteoporotic, column], cohort.loc[is_osteoporotic, column]).statistic
        expected = u / (is_osteoporotic.sum() * (~is_osteoporotic).sum())
        areas = frame_of(result, "t3a_roc_osteoporosis").set_index("marker")["auc_estimate"]
        assert areas[column] == pytest.approx(expected, rel=1e-12)


def test_friedman_respects_the_pairing_that_kruskal_wallis_ignores(result: StudyResult, cohort: pd.DataFrame) -> None:
    tests = frame_of(result, "t5_between_shapes")["p_value"].tolist()
    columns = [cohort[f"{shape}_l1_l4_hu"] for shape in SETTINGS.shapes]
    assert tests == pytest.approx([stats.kruskal(*columns).pvalue, stats.friedmanchisquare(*columns).pvalue], rel=1e-9)


def test_marks_follow_the_corrected_pairwise_tests(result: StudyResult, cohort: pd.DataFrame) -> None:
    classes = dxa_class(cohort["t_score_lumbar"], THRESHOLDS)
    table = frame_of(result, "t2_hu_by_class")
    row = table[(table["shape"] == "oval") & (table["class"] == "osteoporosis")].iloc[0]
    low, middle = (cohort.loc[classes == name, "oval_l1_l4_hu"] for name in ("osteoporosis", "osteopenia"))
    p = stats.mannwhitneyu(low, middle, use_continuity=False, method="asymptotic").pvalue * 3
    assert ("*" in row["marks"]) == (p < 0.05)
    assert row["median"] == pytest.approx(np.median(low))


def test_a_level_of_its_own_is_tabulated_where_the_table_has_it(cohort: pd.DataFrame) -> None:
    with_level = cohort.assign(oval_l3_hu=cohort["oval_l1_l4_hu"] + 1)
    levels = frame_of(analyse(with_level, SETTINGS, THRESHOLDS, 1), "t2_hu_by_class")["level"]
    assert set(levels) == {"l3", "l1_l4"}


def test_without_shapes_the_study_says_so(two_hundred: pd.DataFrame) -> None:
    result = analyse(two_hundred, SETTINGS, THRESHOLDS, 1)
    assert result.audit["analysed"] == 0
    assert [table.key for table in result.tables] == ["t0_flow"]


@pytest.mark.parametrize("count", [1, 3, 8])
def test_small_cohorts_never_show_a_gap_without_a_word(cohort: pd.DataFrame, count: int) -> None:
    result = analyse(cohort.head(count), SETTINGS, THRESHOLDS, 1)
    assert "nan" not in "".join(table.printed.to_csv() for table in result.tables)
    assert len(result.figures) + len(result.omitted) == 4
