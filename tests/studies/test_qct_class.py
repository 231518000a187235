"""The classes of quantitative CT."""

import pandas as pd
import pytest

from spongiosa.config.loading import ConfigurationError, load_configuration
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.studies.qct_class import qct_classes, qct_table


def patients(densities: list[float | None], materials: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {"vbmd_l1_l2_mg_cm3": densities, "vbmd_material": materials}, index=list("abcdef")[: len(densities)]
    )


def test_the_cut_offs_divide_as_the_practice_parameter_says():
    """Osteoporosis below 80, osteopenia from 80 to 120, normal above 120 mg/cm3."""
    found = qct_classes(patients([79.9, 80.0, 120.0, 120.1], ["K2HPO4"] * 4), ThresholdsSettings())
    assert list(found["qct_class"]) == ["osteoporosis", "osteopenia", "osteopenia", "normal"]
    assert found["qct_class_reason"].isna().all()


def test_a_value_of_another_mineral_gets_a_reason_and_no_class():
    found = qct_classes(patients([70.0, 70.0, None], ["HA", None, None]), ThresholdsSettings())
    assert found["qct_class"].isna().all()
    assert list(found["qct_class_reason"]) == ["other_material", "other_material", "not_measured"]


def test_cut_offs_of_hydroxyapatite_class_values_of_hydroxyapatite():
    thresholds = ThresholdsSettings(vbmd_material="HA", vbmd_osteoporosis_mg_cm3=75, vbmd_osteopenia_mg_cm3=112)
    found = qct_classes(patients([70.0, 70.0], ["HA", "K2HPO4"]), thresholds)
    assert found.loc["a", "qct_class"] == "osteoporosis"
    assert found.loc["b", "qct_class_reason"] == "other_material"


def test_own_cut_offs_of_one_mineral_are_refused_for_a_phantom_of_another_before_anything_runs():
    study = {
        "cohort": {"manifest": "m.tsv"},
        "calibration": {"method": "phantom", "phantom": "qrm_bdc_3"},
        "thresholds": {"vbmd_osteoporosis_mg_cm3": 80},
    }
    with pytest.raises(ConfigurationError, match=r"holds for K2HPO4 .* gives mg/cm3 of HA"):
        load_configuration(study)
    load_configuration(study | {"thresholds": {"vbmd_osteoporosis_mg_cm3": 75, "vbmd_material": "HA"}})
    load_configuration(study | {"thresholds": {}})


def test_the_table_counts_the_classed_and_names_who_is_not():
    people = patients([79.0, 90.0, 130.0, 60.0, None], ["K2HPO4", "K2HPO4", "K2HPO4", "HA", None])
    (table,) = qct_table(people.assign(sex=["female", "male", "female", "male", "male"]), ThresholdsSettings(), 0.95)
    counts = table.frame.set_index(["group", "qct_class"])["in_class"]
    assert [counts["all", name] for name in ("osteoporosis", "osteopenia", "normal")] == [1, 1, 1]
    assert [counts["female", name] for name in ("osteoporosis", "osteopenia", "normal")] == [1, 0, 1]
    assert table.notes == ("Not classified: 1 (not_measured).", "Not classified: 1 (other_material).")
    assert table.printed.loc[0, "Patients"] == "3"


def test_without_any_vbmd_there_is_no_table():
    assert qct_table(patients([None], [None]), ThresholdsSettings(), 0.95) == ()
    assert qct_table(pd.DataFrame({"l1_hu": [120.0]}), ThresholdsSettings(), 0.95) == ()
