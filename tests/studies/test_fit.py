"""Fits keep all digits on their way through a file, and read no threshold and no setting that they do not name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from spongiosa.config.studies import StudiesSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.studies.fit import Fit, make_fits, read_fit, write_fit
from spongiosa.studies.needs import NEEDS
from spongiosa.studies.preset_reports import PRESET_OF_STUDY
from spongiosa.studies.result import json_ready
from spongiosa.synthetic.population import PRESETS, sample_population
from spongiosa.synthetic.population_readers import READING_PLANS, sample_readings

#: Other values of every threshold and of settings that a fit may say it ignores.
OTHER_THRESHOLDS = ThresholdsSettings(
    hu_osteoporosis=117.0, hu_cutoffs=(85.0, 140.0), hu_gray_zone=(90.0, 170.0), t_osteoporosis=-2.2, t_osteopenia=-0.7,
    vbmd_osteoporosis_mg_cm3=70.0, vbmd_osteopenia_mg_cm3=130.0,
)  # fmt: skip
OTHER_SETTINGS: dict[str, Any] = {
    "enabled": True, "alpha": 0.01, "bootstrap_draws": 137, "age_bands_years": (65.0,), "low_hu": 95.0,
    "high_hu": 175.0,
}  # fmt: skip
WITH_FITS = [name for name, needs in NEEDS.items() if needs.fits]


def ingredients(name: str) -> tuple[pd.DataFrame, Any, Any, dict[str, pd.DataFrame]]:
    preset = PRESET_OF_STUDY[name]
    patients = sample_population(PRESETS[preset], 60, seed=4)
    settings = getattr(StudiesSettings(), name).model_copy(update={"bootstrap_draws": 100})
    return patients, settings, import_module(f"spongiosa.studies.{name}"), {
        "readers": sample_readings(patients, READING_PLANS[preset], 4)
    }  # fmt: skip


def written(fit: Fit, path: Path) -> bytes:
    write_fit(fit, path)
    return path.read_bytes()


@pytest.mark.parametrize("name", WITH_FITS)
def test_a_fit_from_a_file_gives_the_same_study(name: str, tmp_path: Path) -> None:
    patients, settings, study, tables = ingredients(name)
    fits = make_fits(study.FITS, NEEDS[name].fits, patients, settings, ThresholdsSettings(), 1, tables)
    read = {}
    for part, fit in fits.items():
        write_fit(fit, tmp_path / f"{part}.json")
        read[part] = read_fit(tmp_path / f"{part}.json")
    own = {table: tables[table] for table in NEEDS[name].tables}
    one, other = (
        study.analyse(patients, settings, ThresholdsSettings(), 1, fits=given, **own) for given in (fits, read)
    )
    for first, second in zip((*one.tables, *one.figures), (*other.tables, *other.figures), strict=True):
        same = ("frame", "printed") if hasattr(first, "printed") else ("data",)
        for part in same:
            pd.testing.assert_frame_equal(getattr(first, part), getattr(second, part))
        assert (first.key, first.title, first.caption, first.notes) == (
            second.key, second.title, second.caption, second.notes
        )  # fmt: skip
    assert (one.headline, json_ready(one.audit), one.omitted) == (
        other.headline,
        json_ready(other.audit),
        other.omitted,
    )


@pytest.mark.parametrize("name", WITH_FITS)
def test_a_fit_does_not_know_what_it_does_not_name(name: str, tmp_path: Path) -> None:
    """Each fit once as configured, once with every other threshold and every ignored setting changed."""
    patients, settings, study, tables = ingredients(name)
    for part, function in study.FITS.items():
        needs = NEEDS[name].fits[part]
        thresholds = {key: getattr(ThresholdsSettings(), key) for key in needs.thresholds}
        beside = {key: tables[key] for key in needs.tables}
        changed = settings.model_copy(update={key: OTHER_SETTINGS[key] for key in needs.ignores})
        one = written(function(patients, settings, thresholds, 1, **beside), tmp_path / "one.json")
        other = written(function(patients, changed, thresholds, 1, **beside), tmp_path / "other.json")
        assert one == other, part


@pytest.mark.parametrize("name", NEEDS)
def test_a_study_does_not_read_a_threshold_that_it_does_not_name(name: str) -> None:
    patients, settings, study, _ = ingredients(name) if name in WITH_FITS else (*_without_fits(name), {})
    fields = set(ThresholdsSettings.model_fields)
    kept = {key: getattr(ThresholdsSettings(), key) for key in NEEDS[name].thresholds}
    other = ThresholdsSettings.model_validate(OTHER_THRESHOLDS.model_dump() | kept)
    results = [study.analyse(patients, settings, thresholds, 1) for thresholds in (ThresholdsSettings(), other)]
    assert fields - set(NEEDS[name].thresholds), "a study that reads all would prove nothing"
    for first, second in zip(results[0].tables, results[1].tables, strict=True):
        pd.testing.assert_frame_equal(first.frame, second.frame)
        pd.testing.assert_frame_equal(first.printed, second.printed)
    assert results[0].audit == results[1].audit
    assert results[0].headline == results[1].headline


def _without_fits(name: str) -> tuple[pd.DataFrame, Any, Any]:
    patients = sample_population(PRESETS[PRESET_OF_STUDY[name]], 60, seed=4)
    quick = {"bootstrap_draws": 100, "validation_draws": 10}
    settings = getattr(StudiesSettings(), name)
    settings = settings.model_copy(update={key: quick[key] for key in quick if key in type(settings).model_fields})
    return patients, settings, import_module(f"spongiosa.studies.{name}")


def test_numbers_text_and_gaps_survive_the_file(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"x": [0.1 + 0.2, float("nan"), float("inf")], "n": [1, 2, 3], "is": [True, False, True], "t": ["a", None, "ü"]}
    )
    write_fit(Fit(frames={"f": frame}, values={"p": float("nan"), "n": 3}), tmp_path / "fit.json")
    found = read_fit(tmp_path / "fit.json")
    pd.testing.assert_frame_equal(found.frames["f"], frame)
    assert found.values == {"p": None, "n": 3}
