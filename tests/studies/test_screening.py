"""The screening summary: zones, shares, age-expected HU and the list for recall."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from spongiosa.config.studies import ScreeningSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.studies.result import StudyResult
from spongiosa.studies.screening import analyse, zones

SETTINGS = ScreeningSettings()


@pytest.fixture(scope="module")
def summary(two_hundred: pd.DataFrame) -> StudyResult:
    return analyse(two_hundred, SETTINGS, ThresholdsSettings(), 1)


def frame_of(result: StudyResult, key: str) -> pd.DataFrame:
    return next(table.frame for table in result.tables if table.key == key)


def test_a_value_at_a_cut_off_belongs_below_it() -> None:
    assert zones(pd.Series([110.0, 110.1, 160.0, 160.1]), 110.0, 160.0).tolist() == [
        "low", "between", "between", "high"
    ]  # fmt: skip


def test_the_recall_list_holds_everyone_below_the_cut_off_the_lowest_first(
    summary: StudyResult, two_hundred: pd.DataFrame
) -> None:
    listed = frame_of(summary, "t3_recall")
    assert set(listed["patient_id"]) == set(two_hundred.loc[two_hundred["l1_hu"] <= 110, "patient_id"])
    assert listed["index_hu"].is_monotonic_increasing
    assert any("Not a diagnosis" in note for note in summary.notes)


def test_the_list_is_written_as_csv(summary: StudyResult) -> None:
    assert frame_of(summary, "t3_recall").to_csv(index=False).startswith("patient_id,age_years,sex,index_hu")


def test_strata_and_zones_count_every_patient_once(summary: StudyResult) -> None:
    strata = frame_of(summary, "t2_age_and_sex")
    assert strata["patients"].sum() == summary.audit["analysed"] == sum(summary.audit["zones"].values())
    assert (strata["low"] + strata["between"] + strata["high"]).tolist() == strata["patients"].tolist()


def test_the_expected_hu_is_the_line_of_the_patients_sex(summary: StudyResult) -> None:
    data = next(figure.data for figure in summary.figures if figure.key == "f2_expected_for_age")
    women = data[data["sex"] == "female"]
    slope, intercept = np.polyfit(women["age_years"], women["index_hu"], 1)
    assert women["expected_hu"].to_numpy() == pytest.approx(intercept + slope * women["age_years"], rel=1e-9)
    # Residuals of least squares have mean 0 and, over their SD with n - 2 degrees of freedom, a spread just below 1.
    assert women["z_for_age"].mean() == pytest.approx(0.0, abs=1e-9)
    assert women["z_for_age"].std(ddof=2) == pytest.approx(1.0, rel=1e-9)


def test_without_clinical_table_the_summary_still_counts(two_hundred: pd.DataFrame) -> None:
    bare = two_hundred[["patient_id", "l1_hu"]]
    result = analyse(bare, SETTINGS, ThresholdsSettings(), 1)
    assert result.audit["analysed"] == len(bare)
    assert all(figure.key != "f2_expected_for_age" for figure in result.figures)
    assert any("age" in reason for _, reason in result.omitted)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_handful_of_patients_is_no_fault(count: int, random_patients: Callable[[int, int], pd.DataFrame]) -> None:
    result = analyse(random_patients(count, 2), SETTINGS, ThresholdsSettings(), 1)
    assert "nan" not in "".join(table.printed.to_csv() for table in result.tables)


def test_nobody_with_the_index_gives_the_flow_alone() -> None:
    result = analyse(pd.DataFrame({"patient_id": ["A"]}), SETTINGS, ThresholdsSettings(), 1)
    assert [table.key for table in result.tables] == ["t0_flow"]
    assert "No patient has l1_hu" in result.headline
