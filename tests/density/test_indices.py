"""From levels to patients: which values a mean rests on, and why it is missing."""

import pandas as pd
import pytest

from spongiosa.config.aggregate import AggregateSettings
from spongiosa.density.indices import INDICES, derive_indices

SETTINGS = AggregateSettings()
SLICES = ("ellipse_superior", "ellipse_mid", "ellipse_inferior")


def rows(patient, values, quantity="hu_mean", side="none"):
    """Measurements {(level, region): value}; a missing value is excluded with a reason."""
    return [
        {
            "patient_id": patient,
            "session": "preop",
            "modality": "ct",
            "level": level,
            "region": region,
            "side": side,
            "variant": "default",
            "status": "ok" if value is not None else "excluded",
            "hu_mean": None,
            "vbmd_mean_mg_cm3": None,
        }
        | {quantity: value}
        for (level, region), value in values.items()
    ]


def scans(*patients, status="ok", reason=None):
    return pd.DataFrame(
        [{"patient_id": p, "session": "preop", "modality": "ct", "status": status, "reason": reason} for p in patients]
    )


def indices(measurements, table=None, settings=SETTINGS):
    table = scans("P1") if table is None else table
    frame = pd.DataFrame(measurements)
    if not frame.empty:
        frame = frame.astype({"hu_mean": "Float64", "vbmd_mean_mg_cm3": "Float64"})
    return derive_indices(table, frame, settings).set_index("patient_id")


def twelve_slices(values_of_level):
    return {(level, region): value for level, value in values_of_level.items() for region in SLICES}


def test_the_axial_mean_gives_each_slice_the_same_weight():
    values = twelve_slices({"L1": 100.0, "L2": 120.0, "L3": 140.0, "L4": 160.0})
    values[("L4", "ellipse_inferior")] = None
    patient = indices(rows("P1", values)).loc["P1"]
    assert patient["ax_l1_l4_hu"] == pytest.approx((3 * 100 + 3 * 120 + 3 * 140 + 2 * 160) / 11)
    assert patient["ax_l1_l4_hu_levels_used"] == 4
    assert patient["l4_hu"] == 160.0


def test_a_level_with_one_slice_does_not_count():
    values = twelve_slices({"L1": 100.0, "L2": 120.0, "L3": 999.0})
    values[("L3", "ellipse_mid")] = values[("L3", "ellipse_superior")] = None
    patient = indices(rows("P1", values)).loc["P1"]
    assert patient["ax_l1_l4_hu"] == pytest.approx(110.0)
    assert patient["l3_hu_reason"] == "not_measured"


def test_too_few_levels_give_a_reason_and_no_value():
    patient = indices(rows("P1", {("L2", "body_trabecular"): 90.0})).loc["P1"]
    assert pd.isna(patient["hu_3d_l1_l4"])
    assert patient["hu_3d_l1_l4_reason"] == "too_few_levels"
    assert patient["hu_3d_l1_l4_levels_used"] == 1


def test_l5_is_no_part_of_the_means_over_l1_to_l4():
    values = {("L1", "body_trabecular"): 90.0, ("L2", "body_trabecular"): 110.0, ("L5", "body_trabecular"): 500.0}
    assert indices(rows("P1", values)).loc["P1", "hu_3d_l1_l4"] == pytest.approx(100.0)


def test_left_and_right_are_averaged_before_levels():
    measured = [
        *rows("P1", {("L5", "pedicle"): 100.0}, "vbmd_mean_mg_cm3", "left"),
        *rows("P1", {("L5", "pedicle"): 140.0}, "vbmd_mean_mg_cm3", "right"),
    ]
    assert indices(measured).loc["P1", "l5_pedicle_vbmd_mg_cm3"] == pytest.approx(120.0)


def test_a_calibration_that_was_refused_gives_its_own_reason_for_vbmd_and_referenced_hu():
    values = twelve_slices({"L1": 100.0, "L2": 100.0}) | {("L1", "body_central"): 90.0, ("L2", "body_central"): 90.0}
    refused = [row | {"calibration_reason": "phantom_incomplete"} for row in rows("P1", values)]
    patient = indices(refused).loc["P1"]
    assert patient["vbmd_l1_l2_mg_cm3_reason"] == "phantom_incomplete"
    assert patient["l1_hu_referenced_reason"] == "phantom_incomplete"
    assert patient["l5_body_vbmd_mg_cm3_reason"] == "not_measured", "no L5, whatever the calibration"


def test_one_calibrated_level_of_two_is_too_few_and_not_uncalibrated():
    measured = rows("P1", {("L1", "body_central"): 90.0}, "vbmd_mean_mg_cm3")
    patient = indices([row | {"hu_mean": 120.0, "calibration_reason": None} for row in measured]).loc["P1"]
    assert patient["vbmd_l1_l2_mg_cm3_reason"] == "too_few_levels"


def test_hu_without_calibration_says_so_for_vbmd():
    patient = indices(rows("P1", {("L1", "body_central"): 90.0, ("L2", "body_central"): 95.0})).loc["P1"]
    assert patient["vbmd_l1_l2_mg_cm3_reason"] == "not_calibrated"


def test_the_ratio_falls_back_to_l2_then_l4_with_the_same_level_for_both():
    values = twelve_slices({"L2": 100.0, "L3": 80.0}) | {("L2", "trajectory"): 150.0, ("L3", "trajectory"): None}
    patient = indices(rows("P1", values)).loc["P1"]
    assert patient["hu_ratio"] == pytest.approx(1.5)
    assert patient["hu_ratio_level"] == "L2"
    assert patient["b_hu"] == 100.0
    assert patient["st_hu"] == 150.0


def test_a_body_near_zero_hu_has_no_ratio():
    values = twelve_slices({"L3": 2.0}) | {("L3", "trajectory"): 60.0}
    patient = indices(rows("P1", values)).loc["P1"]
    assert pd.isna(patient["hu_ratio"])
    assert patient["hu_ratio_reason"] == "body_hu_near_zero"


def test_an_excluded_scan_gives_its_reason_to_every_index():
    table = scans("P1", status="excluded", reason="missing_slices")
    patient = indices([], table).loc["P1"]
    assert {patient[f"{name}_reason"] for name in INDICES} == {"missing_slices"}


def test_another_session_is_not_mixed_in():
    measured = rows("P1", {("L1", "body_trabecular"): 90.0, ("L2", "body_trabecular"): 100.0})
    for row in measured:
        row["session"] = "postop"
    assert indices(measured).loc["P1", "hu_3d_l1_l4_reason"] == "not_measured"


def test_referenced_hu_are_averaged_like_raw_ones_and_say_why_they_are_missing():
    values = twelve_slices({"L1": 100.0, "L2": 120.0})
    raw = rows("P1", values)
    referenced = [row | {"hu_referenced_mean": row["hu_mean"] - 5.0} for row in raw]
    patient = indices(referenced).loc["P1"]
    assert patient["ax_l1_l4_hu_referenced"] == pytest.approx(patient["ax_l1_l4_hu"] - 5.0)
    assert patient["l1_hu_referenced"] == pytest.approx(95.0)
    without = indices(raw).loc["P1"]
    assert without["ax_l1_l4_hu_referenced_reason"] == "no_nominal_rod_hu"
    assert without["l3_hu_referenced_reason"] == "not_measured"


def test_every_shape_has_a_value_at_every_level():
    values = {("L1", "shape_left"): 90.0, ("L3", "shape_left"): 110.0, ("L3", "shape_round"): 70.0}
    patient = indices(rows("P1", values)).loc["P1"]
    assert patient["left_l1_hu"] == 90.0
    assert patient["left_l1_l4_hu"] == pytest.approx(100.0)
    assert patient["round_l3_hu"] == 70.0
    assert patient["round_l1_hu_reason"] == "not_measured"


def test_a_level_left_out_enters_no_index_and_its_own_says_so():
    measured = rows("P1", twelve_slices({"L1": 300.0, "L2": 100.0, "L3": 110.0}))
    measured += rows("P2", twelve_slices({"L1": 300.0, "L2": 100.0}))
    left_out = pd.DataFrame({"patient_id": ["P1", "P2"], "level": ["L1", "L1"]})
    frame = pd.DataFrame(measured).astype({"hu_mean": "Float64", "vbmd_mean_mg_cm3": "Float64"})
    table = derive_indices(scans("P1", "P2"), frame, SETTINGS, left_out).set_index("patient_id")
    assert table.loc["P1", "ax_l1_l4_hu"] == pytest.approx(105.0)
    assert table.loc["P1", "l1_hu_reason"] == "level_left_out"
    assert table.loc["P2", "ax_l1_l4_hu_reason"] == "level_left_out", "one level is left of the two it needs"
    assert table.loc["P1", "l4_hu_reason"] == "not_measured"
