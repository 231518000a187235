"""Who is analysed, and into which group a patient falls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spongiosa.config.studies import HuDxaConcordanceSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.studies.hu_dxa_groups import GROUPS, form_groups, hu_zones, lowest_t_score

SETTINGS, THRESHOLDS = HuDxaConcordanceSettings(), ThresholdsSettings()


def patient(**values: object) -> dict[str, object]:
    return {
        "patient_id": "A",
        "ax_l1_l4_hu": 120.0,
        "t_score_lumbar": -1.0,
        "t_score_femoral_neck": -1.5,
        "age_years": 70.0,
        **values,
    }


@pytest.mark.parametrize(
    ("hu", "t_score", "group"),
    [
        (100.0, -2.5, "dxa_positive_hu_positive"),
        (100.01, -2.5, "dxa_positive_hu_negative"),
        (100.0, -2.4, "dxa_negative_hu_positive"),
        (100.01, -2.4, "dxa_negative_hu_negative"),
    ],
)
def test_both_cut_offs_include_their_own_value(hu: float, t_score: float, group: str) -> None:
    cohort = form_groups(
        pd.DataFrame([patient(ax_l1_l4_hu=hu, t_score_lumbar=t_score, t_score_femoral_neck=0.0)]), SETTINGS, THRESHOLDS
    )
    assert cohort.frame["group"].tolist() == [group]
    assert set(GROUPS) >= {group}


def test_equal_lowest_t_scores_are_a_tie_and_neither_hip_nor_spine() -> None:
    frame = pd.DataFrame({"t_score_lumbar": [-2.1, -2.1, -2.2], "t_score_femoral_neck": [-2.1, -2.0, -2.3]})
    lowest = lowest_t_score(frame, ("lumbar", "femoral_neck"))
    assert lowest["low_site"].tolist() == ["tie", "lumbar", "femoral_neck"]
    assert lowest["low_t_score"].tolist() == [-2.1, -2.1, -2.3]


def test_a_missing_site_leaves_the_other_as_the_lowest() -> None:
    frame = pd.DataFrame({"t_score_lumbar": [np.nan, np.nan], "t_score_femoral_neck": [-1.0, np.nan]})
    lowest = lowest_t_score(frame, ("lumbar", "femoral_neck"))
    assert lowest["low_site"].fillna("none").tolist() == ["femoral_neck", "none"]
    assert lowest["sites_observed"].tolist() == [1, 0]


def test_every_patient_is_counted_once_at_the_first_criterion_that_applies() -> None:
    patients = pd.DataFrame(
        [
            patient(),
            patient(ax_l1_l4_hu=None, ax_l1_l4_hu_reason="too_few_levels", t_score_lumbar=None, age_years=30.0),
            patient(ax_l1_l4_hu=None, ax_l1_l4_hu_reason=None),
            patient(t_score_lumbar=None, t_score_femoral_neck=None, age_years=30.0),
            patient(age_years=49.9),
            patient(age_years=None),
            patient(ct_dxa_interval_days=-120.0),
        ]
    )
    cohort = form_groups(patients, SETTINGS, THRESHOLDS)
    flow = dict(zip(cohort.flow["step"], cohort.flow["patients"], strict=True))
    assert flow == {
        "in_patient_table": 7,
        "no_ax_l1_l4_hu:not_measured": 1,
        "no_ax_l1_l4_hu:too_few_levels": 1,
        "no_t_score": 1,
        "too_young": 1,
        "interval_too_long": 1,
        "analysed": 2,
    }
    assert flow["in_patient_table"] == sum(count for step, count in flow.items() if step != "in_patient_table")
    assert any("without a known age" in note for note in cohort.notes)


def test_a_site_that_nobody_has_is_named_in_the_notes() -> None:
    frame = pd.DataFrame([patient()]).drop(columns="t_score_lumbar")
    cohort = form_groups(frame, SETTINGS, THRESHOLDS)
    assert cohort.sites == ("femoral_neck",)
    assert any("lumbar" in note for note in cohort.notes)


def test_nullable_columns_of_parquet_are_understood() -> None:
    frame = pd.DataFrame([patient(), patient(t_score_lumbar=None)]).convert_dtypes()
    assert len(form_groups(frame, SETTINGS, THRESHOLDS).frame) == 2


def test_the_gray_zone_starts_above_its_lower_and_ends_at_its_upper_border() -> None:
    zones = hu_zones(pd.Series([99.0, 100.0, 100.1, 150.0, 150.1]), (100.0, 150.0))
    assert zones.tolist() == ["low", "low", "gray", "gray", "high"]
