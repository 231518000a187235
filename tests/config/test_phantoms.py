"""Phantoms as configuration."""

import yaml
from pytest import mark, raises

from spongiosa.config.loading import ConfigurationError, load_configuration
from spongiosa.config.phantoms import PRESETS, preset_yaml


def configuration(**calibration):
    return {"cohort": {"manifest": "m.tsv"}, "calibration": calibration}


def own_phantom(**changes):
    phantom = yaml.safe_load(preset_yaml("mindways_model_3_ct"))["calibration"]["phantoms"]["mindways_model_3_ct"]
    return {**phantom, **changes}


@mark.parametrize("name", PRESETS)
def test_a_printed_preset_is_a_phantom_that_can_be_loaded_again(name):
    loaded = load_configuration(configuration(**yaml.safe_load(preset_yaml(name))["calibration"]))
    assert loaded.calibration.phantom_named(name) == PRESETS[name]


@mark.parametrize("name", PRESETS)
def test_every_preset_says_where_its_values_are_from(name):
    assert len(PRESETS[name].source) > 40


def test_a_phantom_of_ones_own_replaces_the_preset_of_its_name():
    loaded = load_configuration(
        configuration(phantom="qrm_bdc_3", phantoms={"qrm_bdc_3": own_phantom()}, method="phantom")
    )
    assert len(loaded.calibration.phantom_named("qrm_bdc_3").rods) == 5


def test_an_unknown_phantom_is_refused_with_the_known_names():
    with raises(ConfigurationError, match=r"calibration: phantom 'plasticine' is not one of .*qrm_bdc_3"):
        load_configuration(configuration(phantom="plasticine"))


def rods(*changes):
    return [{**rod, **change} for rod, change in zip(own_phantom()["rods"], changes, strict=True)]


@mark.parametrize(
    ("phantom", "message"),
    [
        (own_phantom(material="HA"), "water_mg_cm3 belongs to rods of K2HPO4"),
        (own_phantom(rod_diameter_mm=40.0), "rods A and B overlap"),
        (own_phantom(rods=rods({}, {"water_mg_cm3": None}, {}, {}, {})), "rods B lack water_mg_cm3"),
        (own_phantom(rods=rods({"nominal_hu": 3.0}, {}, {}, {}, {})), "rods B, C, D, E lack nominal_hu"),
        (own_phantom(rods=rods({}, {"name": "A"}, {}, {}, {})), "two rods have one name"),
        (own_phantom(rods=rods(*[{"density_mg_cm3": 50.0}] * 5)), "all rods have one density"),
    ],
    ids=["material", "overlap", "water", "nominal", "names", "densities"],
)
def test_a_faulty_phantom_is_refused_with_the_path_of_its_key(phantom, message):
    with raises(ConfigurationError, match=rf"calibration\.phantoms\.mine: {message}"):
        load_configuration(configuration(phantoms={"mine": phantom}))


def test_a_rod_with_a_wrong_value_is_named_by_its_place():
    faulty = own_phantom()
    faulty["rods"][2]["density_mg_cm3"] = "dense"
    with raises(ConfigurationError, match=r"calibration\.phantoms\.mine\.rods\.2\.density_mg_cm3"):
        load_configuration(configuration(phantoms={"mine": faulty}))
