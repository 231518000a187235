"""A wrong configuration is refused with the path of the key, what is allowed, and what was meant."""

import pytest

from spongiosa.config.loading import ConfigurationError, load_configuration

COHORT = {"cohort": {"manifest": "manifest.tsv"}}


def message_of(data):
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(data)
    return str(refused.value)


def test_only_the_manifest_is_needed():
    configuration = load_configuration(COHORT)
    assert configuration.output_dir == "results"
    assert configuration.localise.method == "embedded"


def test_a_misspelt_key_is_named_with_its_path_and_the_nearest_known_key():
    message = message_of({"cohort": {"manifest": "m.tsv", "patient_per_job": 3}})
    assert "cohort.patient_per_job: unknown key" in message
    assert "did you mean 'cohort.patients_per_job'?" in message


def test_a_key_in_the_wrong_section_is_found_where_it_belongs():
    assert "did you mean 'aggregate.minimum_levels'?" in message_of(COHORT | {"minimum_levels": 3})


def test_a_value_out_of_range_is_shown_with_the_range():
    message = message_of({"cohort": {"manifest": "m.tsv", "patients_per_job": 0}})
    assert "cohort.patients_per_job" in message
    assert "greater than or equal to 1 (given: 0)" in message


def test_a_wrong_choice_is_shown_with_the_choices():
    message = message_of(COHORT | {"localise": {"method": "magic"}})
    assert "localise.method: Input should be 'embedded', 'labels' or 'totalsegmentator' (given: 'magic')" in message


def test_all_faults_are_listed_at_once():
    message = message_of({"cohort": {}, "seed": -1, "nonsense": 1})
    assert message.startswith("The configuration has 3 faults")
    assert "give exactly one of cohort.manifest, cohort.dicom_root and cohort.sites" in message


def test_no_configuration_at_all_says_how_to_start():
    assert "--configfile" in message_of({})
