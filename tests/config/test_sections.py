"""A rule is given the part of the configuration that it reads, and no more."""

from spongiosa.config.loading import load_configuration
from spongiosa.config.sections import enabled_studies, measuring_hash, section_of


def configuration(**changes):
    return load_configuration({"cohort": {"manifest": "m.tsv"}} | changes)


def test_a_threshold_does_not_touch_the_measuring_hash():
    changed = configuration(thresholds={"hu_osteoporosis": 110})
    assert measuring_hash(changed) == measuring_hash(configuration())


def test_a_margin_touches_the_measuring_hash():
    changed = configuration(extract={"minimum_effective_voxels": 30})
    assert measuring_hash(changed) != measuring_hash(configuration())


def test_the_path_of_the_overrides_is_not_part_of_the_section():
    assert "overrides" not in section_of(configuration(review={"overrides": "o.tsv"}), "review")["review"]


def test_a_dotted_name_reaches_into_a_section():
    study = section_of(configuration(), "studies.hu_dxa_concordance")["hu_dxa_concordance"]
    assert study["enabled"] is False
    assert enabled_studies(configuration(studies={"hu_dxa_concordance": {"enabled": True}})) == ["hu_dxa_concordance"]
