"""The cohort of the nomogram study: the preset, patients with scoliosis, and what the study describes beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spongiosa.cohort.dictionary import clinical_dictionary
from spongiosa.synthetic.population import PRESETS, as_recorded, sample_population
from spongiosa.synthetic.population_fusion import SCOLIOSIS_PATIENTS, sample_fusion_cohort

PRESET = PRESETS["hu_ratio_nomogram"]


@pytest.fixture(scope="module")
def cohort() -> pd.DataFrame:
    return sample_fusion_cohort(PRESET, 5)


def test_the_preset_stays_as_it_is_and_patients_with_scoliosis_follow(cohort: pd.DataFrame) -> None:
    usual = as_recorded(sample_population(PRESET, PRESET.patients, 5))
    assert len(cohort) == PRESET.patients + SCOLIOSIS_PATIENTS == 356
    assert cohort["scoliosis"].sum() == SCOLIOSIS_PATIENTS and not cohort["scoliosis"].head(313).any()
    for column in ("age_years", "fused_levels", "loosening"):
        assert cohort[column].head(313).tolist() == usual[column].tolist()
    assert cohort["patient_id"].is_unique


def test_every_column_is_one_that_a_clinical_table_may_have(cohort: pd.DataFrame) -> None:
    derived = {"patient_id", "b_hu", "st_hu", "hu_ratio"}
    for name in set(cohort.columns) - derived:
        column = clinical_dictionary()[name]
        for value in cohort[name].dropna().unique():
            column.parsed(str(value).lower() if column.kind == "boolean" else str(value))


def test_pelvic_incidence_is_tilt_and_slope_together(cohort: pd.DataFrame) -> None:
    """0.05: all three are printed to one decimal."""
    total = cohort["pelvic_tilt_deg"] + cohort["sacral_slope_deg"]
    assert np.abs(total - cohort["pelvic_incidence_deg"]).max() < 0.051


def test_some_predictors_are_missing_and_the_outcome_never(cohort: pd.DataFrame) -> None:
    shares = cohort.isna().mean()
    # 356 patients: four standard errors of a share of 4 % are 4 %.
    for name, share in (("pbq", 0.04), ("hu_ratio", 0.03), ("goutallier", 0.02)):
        assert 0 < shares[name] < share + 0.04
    assert shares[["loosening", "age_years", "fused_levels"]].sum() == 0


def test_long_fusions_end_lower(cohort: pd.DataFrame) -> None:
    at_sacrum = (cohort["terminal_segment"] == "S1").groupby(cohort["fused_levels"] >= 3).mean()
    assert at_sacrum[True] > at_sacrum[False]


def test_the_same_seed_gives_the_same_cohort(cohort: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(sample_fusion_cohort(PRESET, 5), cohort)
