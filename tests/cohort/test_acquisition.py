"""The acquisition beside each patient's indices."""

import pandas as pd

from spongiosa.cohort.acquisition import acquisition_of_patients


def test_each_measured_patient_has_one_row_with_the_class_of_the_kernel():
    rows = [
        {"patient_id": patient, "session": session, "modality": "ct", "kernel": kernel, "kvp": kvp, "manufacturer": "M"}
        for patient, session, kernel, kvp in (
            ("P2", "preop", "B70f", 120.0),
            ("P2", "preop", "B70f", 120.0),
            ("P1", "preop", None, 100.0),
            ("P1", "followup", "B30f", 80.0),
        )
    ]
    table = acquisition_of_patients(pd.DataFrame(rows), "preop")
    assert table["patient_id"].tolist() == ["P1", "P2"]
    assert table["kvp"].tolist() == [100.0, 120.0]
    assert table["kernel_class"].isna().tolist() == [True, False]
    assert table.loc[1, "kernel_class"] == "sharp"
    assert table["slice_thickness_mm"].isna().all(), "not stated is missing, never a default"


def test_a_cohort_without_measurements_has_the_columns_all_the_same():
    table = acquisition_of_patients(pd.DataFrame(), "preop")
    assert table.empty and {"patient_id", "kvp", "kernel_class"} <= set(table.columns)
