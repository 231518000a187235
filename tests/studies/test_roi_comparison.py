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
        "t4a_auc_differences", "t4b_auc_differences", "t5a_between_shapes", "t5b_between_levels", "t6_correlations",
    ]  # fmt: skip
    assert [figure.key for figure in result.figures] == [
        "f0_flow",
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
    tests = frame_of(result, "t5a_between_shapes")["p_value"].tolist()
    columns = [cohort[f"{shape}_l1_l4_hu"] for shape in SETTINGS.shapes]
    assert tests == pytest.approx([stats.kruskal(*columns).pvalue, stats.friedmanchisquare(*columns).pvalue], rel=1e-9)


def test_marks_follow_the_corrected_pairwise_tests(result: StudyResult, cohort: pd.DataFrame) -> None:
    classes = dxa_class(cohort["t_score_lumbar"], THRESHOLDS)
    table = frame_of(result, "t2_hu_by_class")
    of_mean = table[(table["level"] == "l1_l4") & (table["shape"] == "oval")]
    row = of_mean[of_mean["class"] == "osteoporosis"].iloc[0]
    low, middle = (cohort.loc[classes == name, "oval_l1_l4_hu"] for name in ("osteoporosis", "osteopenia"))
    p = stats.mannwhitneyu(low, middle, use_continuity=False, method="asymptotic").pvalue * 3
    assert ("*" in row["marks"]) == (p < 0.05)
    assert row["median"] == pytest.approx(np.median(low))


def test_every_shape_is_tabulated_at_every_level_with_the_bmd(result: StudyResult) -> None:
    rows = frame_of(result, "t2_hu_by_class")
    assert rows.groupby("level", sort=False)["shape"].nunique().to_dict() == dict.fromkeys(
        ("l1", "l2", "l3", "l4", "l1_l4"), 6
    )


def test_levels_are_compared_by_friedman(result: StudyResult, cohort: pd.DataFrame) -> None:
    table = frame_of(result, "t5b_between_levels").set_index("test")
    expected = stats.friedmanchisquare(*(cohort[f"left_{level}_hu"] for level in ("l1", "l2", "l3", "l4"))).pvalue
    assert table.loc["Left, Friedman", "p_value"] == pytest.approx(expected, rel=1e-9)


def test_the_mean_of_two_readers_takes_the_place_of_the_workflow(cohort: pd.DataFrame) -> None:
    """Readers 3 and 5 HU above the workflow: the mean is 4 HU above, and so is every cut-off."""
    rows = []
    for patient, row in cohort.head(60).set_index("patient_id").iterrows():
        for shape in SETTINGS.shapes:
            for level in ("l1", "l2", "l3", "l4"):
                value = row[f"{shape}_{level}_hu"]
                place = (patient, "preop", "ct", level.upper(), f"shape_{shape}", "none", "hu_mean")
                rows += [(*place, reader, 1, value + shift, value) for reader, shift in (("A", 3.0), ("B", 5.0))]
    names = ["patient_id", "session", "modality", "level", "region", "side", "quantity", "reader", "trial", "value"]
    readers = pd.DataFrame(rows, columns=[*names, "software_value"])
    settings = SETTINGS.model_copy(update={"values": "readers"})
    by_readers = analyse(cohort, settings, THRESHOLDS, 1, readers=readers)
    assert by_readers.audit["flow"]["no_round_l1_l4_hu:not_measured"] == 40
    workflow = analyse(cohort.head(60), SETTINGS, THRESHOLDS, 1)
    cuts = [frame_of(found, "t3a_roc_osteoporosis")["cut_off_midpoint"] for found in (by_readers, workflow)]
    assert cuts[0].to_numpy() == pytest.approx(cuts[1].to_numpy() + 4.0, abs=1e-6)
    reliability = frame_of(by_readers, "t8a_reliability")
    assert set(reliability["comparison"]) == {"inter", "workflow"}
    inter = reliability[(reliability["comparison"] == "inter") & (reliability["subject"] == "patient")]
    assert (inter["icc_c_1_estimate"] > 1 - 1e-9).all() and (inter["icc_a_1_estimate"] < 1 - 1e-6).all()
    bias = frame_of(by_readers, "t8b_bland_altman")
    assert bias.loc[bias["comparison"] == "workflow", "bias"].to_numpy() == pytest.approx(4.0)


def test_without_shapes_the_study_says_so(two_hundred: pd.DataFrame) -> None:
    result = analyse(two_hundred, SETTINGS, THRESHOLDS, 1)
    assert result.audit["analysed"] == 0
    assert [table.key for table in result.tables] == ["t0_flow"]


@pytest.mark.parametrize("count", [1, 3, 8])
def test_small_cohorts_never_show_a_gap_without_a_word(cohort: pd.DataFrame, count: int) -> None:
    result = analyse(cohort.head(count), SETTINGS, THRESHOLDS, 1)
    assert "nan" not in "".join(table.printed.to_csv() for table in result.tables)
    assert len(result.figures) + len(result.omitted) == 5
