"""The committed documents follow from the models."""

from pathlib import Path

import yaml

from spongiosa.config.documents import configuration_schema, configuration_yaml
from spongiosa.config.loading import known_keys, section_model
from spongiosa.config.root import Configuration

CONFIG = Path(__file__).resolve().parents[2] / "config"


def test_config_yaml_is_in_step_with_the_models():
    assert (CONFIG / "config.yaml").read_text(encoding="utf-8") == configuration_yaml(), "run `make config`"


def test_the_schema_is_in_step_with_the_models():
    assert (CONFIG / "config.schema.json").read_text(encoding="utf-8") == configuration_schema(), "run `make config`"


def test_every_key_is_explained():
    assert [path for path, field in known_keys() if not field.description] == []


def test_the_documented_defaults_are_the_defaults():
    documented = yaml.safe_load(configuration_yaml())
    documented["cohort"]["manifest"] = "manifest.tsv"
    given = Configuration.model_validate(documented)
    assert given == Configuration.model_validate({"cohort": {"manifest": "manifest.tsv"}})


def test_every_number_has_a_range():
    unbounded = [
        path
        for path, field in known_keys()
        if section_model(field) is None and field.annotation in (int, float) and len(field.metadata) < 2
    ]
    assert unbounded == []
