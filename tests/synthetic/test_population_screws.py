"""Screws, readers and acquisitions of a sampled cohort."""

from __future__ import annotations

import pytest

from spongiosa.synthetic.population import PRESETS, sample_population
from spongiosa.synthetic.population_readers import READING_PLANS, sample_readings
from spongiosa.synthetic.population_screws import sample_screws, with_acquisition


def test_loose_screws_belong_to_patients_with_loosening_and_are_the_sparser_ones():
    """300 patients have some 100 with loosening, whose screws differ by a scatter of 9: 3 mg/cm3 are five errors."""
    people = sample_population(PRESETS["qct_loosening"], 300, seed=1)
    screws = sample_screws(people, seed=1)
    assert len(screws) == 4 * len(people)
    loose = screws.groupby("patient_id")["loosening"].any()
    assert (loose.reindex(people["patient_id"]).to_numpy(dtype=bool) == people["loosening"].to_numpy()).all()
    of_loose = screws[screws["patient_id"].isin(loose[loose].index)]
    means = of_loose.groupby(of_loose["loosening"].astype(bool))["trajectory_vbmd_mg_cm3"].mean()
    assert means[True] < means[False] - 3
    assert 1 < of_loose.groupby("patient_id")["loosening"].sum().mean() < 3, "not all screws of a patient are loose"


@pytest.mark.parametrize("preset", READING_PLANS)
def test_readings_have_the_columns_of_the_joined_table_once_per_place(preset):
    people = sample_population(PRESETS[preset], 50, seed=2)
    rows = sample_readings(people, READING_PLANS[preset], seed=2)
    key = ["patient_id", "session", "modality", "reader", "trial", "level", "region", "side", "quantity"]
    assert not rows.duplicated(key).any()
    assert set(rows["patient_id"]) <= set(people["patient_id"])
    assert rows[["value", "software_value"]].notna().all().all()
    again = sample_readings(people, READING_PLANS[preset], seed=2)
    assert rows.equals(again), "the same seed reads the same"


def test_the_acquisition_is_what_the_study_printed_and_changes_nothing_else():
    people = sample_population(PRESETS["hu_dxa_concordance"], 200, seed=3)
    scanned = with_acquisition(people, "hu_dxa_concordance", seed=3)
    assert scanned["kvp"].unique().tolist() == [120.0]
    assert set(scanned["site"]) == {"A", "B"}
    assert scanned[people.columns].equals(people)
