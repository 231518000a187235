"""Vertebrae that enter no index: named by the clinical table, or of a measured grade."""

import pandas as pd

from spongiosa.cohort.left_out_levels import left_out_levels, levels_in_words
from spongiosa.config.aggregate import AggregateSettings

CLINICAL = pd.DataFrame(
    {"patient_id": ["P1", "P2"], "treated_levels": ["T12 L1", pd.NA], "fractured_levels": ["L1", "L3"]}, dtype="string"
)
SCAN = {"session": "preop", "modality": "ct"}
VERTEBRAE = pd.DataFrame(
    [
        {"patient_id": "P1", **SCAN, "level": "L2", "fracture_grade": 2},
        {"patient_id": "P1", **SCAN, "level": "L3", "fracture_grade": 1},
        {"patient_id": "P2", **SCAN | {"session": "followup"}, "level": "L4", "fracture_grade": 3},
        {"patient_id": "P2", **SCAN, "level": "L2", "fracture_grade": None},
    ]
)


def test_levels_of_the_clinical_table_are_named_once_with_every_reason():
    table = left_out_levels(CLINICAL, pd.DataFrame(), AggregateSettings())
    assert table.to_numpy().tolist() == [
        ["P1", "L1", "treated levels, fractured levels"],
        ["P1", "T12", "treated levels"],
        ["P2", "L3", "fractured levels"],
    ]


def test_a_grade_above_the_limit_counts_in_the_session_that_is_measured():
    settings = AggregateSettings(left_out_levels=(), highest_fracture_grade=1)
    table = left_out_levels(CLINICAL, VERTEBRAE, settings)
    assert table.to_numpy().tolist() == [["P1", "L2", "fracture grade 2"]]


def test_without_clinical_table_and_limit_nobody_is_left_out():
    assert left_out_levels(None, VERTEBRAE, AggregateSettings()).empty


def test_the_patient_s_row_says_which_levels_and_why():
    words = levels_in_words(left_out_levels(CLINICAL, pd.DataFrame(), AggregateSettings()))
    expected = "L1 (treated levels, fractured levels), T12 (treated levels)"
    assert words.set_index("patient_id").loc["P1", "levels_left_out"] == expected
