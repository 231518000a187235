"""A published model from the user's file: applied as it is, judged on these patients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.metrics import brier_score_loss, roc_auc_score

from spongiosa.config.coefficients import ModelCoefficients
from spongiosa.config.loading import ConfigurationError, load_configuration
from spongiosa.config.studies import ScrewLooseningNomogramSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.studies.external_model import external_figures, external_table, validate_file
from spongiosa.studies.screw_loosening_nomogram import analyse

FILE = """
source: "An example made for this test"
intercept: -1.5
cut_off: 0.25
terms:
  - {column: age_years, coefficient: 0.05, range: [45, 80], unit: years}
  - {column: hu_ratio, coefficient: -1.9}
  - column: goutallier
    kind: category
    reference: 4
    coefficients: {1: -1.2, 2: -0.6, 3: 0.4}
"""


def patients(count: int = 400, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age_years": rng.normal(64, 9, count),
            "hu_ratio": rng.normal(1.8, 0.4, count),
            "goutallier": rng.choice([1, 2, 3, 4], count),
        }
    )
    return frame.assign(loosening=rng.random(count) < by_hand(frame))


def by_hand(frame: pd.DataFrame) -> np.ndarray:
    """Risks with the numbers of FILE."""
    grade = frame["goutallier"].map({1: -1.2, 2: -0.6, 3: 0.4, 4: 0.0}).to_numpy()
    predictor = -1.5 + 0.05 * frame["age_years"].to_numpy() - 1.9 * frame["hu_ratio"].to_numpy() + grade
    return 1 / (1 + np.exp(-predictor))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.fixture
def given(file: Path) -> ModelCoefficients:
    found = ScrewLooseningNomogramSettings(coefficients=str(file)).coefficients  # type: ignore[arg-type]
    assert found is not None
    return found


def configured(coefficients: Any) -> Any:
    return load_configuration(
        {
            "cohort": {"manifest": "manifest.tsv"},
            "studies": {"screw_loosening_nomogram": {"coefficients": coefficients}},
        }
    )


def test_the_model_of_the_file_is_applied_as_it_stands(given: ModelCoefficients) -> None:
    frame = patients()
    result = validate_file(given, "loosening", frame, frame["loosening"], 0.95)
    assert result.probability == pytest.approx(by_hand(frame), rel=1e-12)
    table = external_table(result, 0.95).frame.set_index("figure")
    assert table.loc["auc", "estimate"] == pytest.approx(roc_auc_score(frame["loosening"], by_hand(frame)), rel=1e-12)
    assert table.loc["brier", "estimate"] == pytest.approx(brier_score_loss(frame["loosening"], by_hand(frame)))
    high = by_hand(frame) >= 0.25
    event = frame["loosening"].to_numpy()
    assert table.loc["sensitivity", "estimate"] == pytest.approx((high & event).sum() / event.sum())


def test_a_true_model_is_calibrated_and_a_model_with_another_intercept_is_not(given: ModelCoefficients) -> None:
    """10,000 patients: the standard error of the intercept in the large is about 0.03."""
    frame = patients(10_000, seed=3)
    true = validate_file(given, "loosening", frame, frame["loosening"], 0.95).validation
    assert true is not None
    assert true.calibration.in_the_large.estimate == pytest.approx(0.0, abs=0.12)
    assert true.calibration.slope.estimate == pytest.approx(1.0, abs=0.15)
    moved = given.model_copy(update={"intercept": given.intercept + 1.0})
    wrong = validate_file(moved, "loosening", frame, frame["loosening"], 0.95).validation
    assert wrong is not None
    assert wrong.calibration.in_the_large.estimate == pytest.approx(-1.0, abs=0.12)
    assert wrong.auc.estimate == true.auc.estimate


def test_patients_without_a_predictor_and_beyond_the_range_are_counted(given: ModelCoefficients) -> None:
    frame = patients()
    frame.loc[:9, "hu_ratio"] = np.nan
    result = validate_file(given, "loosening", frame, frame["loosening"], 0.95)
    notes = " ".join(external_table(result, 0.95).notes)
    assert "10 patients lack a predictor" in notes
    outside = int(((frame["age_years"] < 45) | (frame["age_years"] > 80)).sum())
    assert f"age_years {outside}" in notes


def test_a_column_that_the_cohort_lacks_gives_a_sentence_and_no_figure(given: ModelCoefficients) -> None:
    frame = patients().drop(columns="hu_ratio")
    result = validate_file(given, "loosening", frame, frame["loosening"], 0.95)
    assert "hu_ratio" in external_table(result, 0.95).printed.iloc[0, 0]
    assert all(figure is None and "hu_ratio" in reason for figure, reason in external_figures(result).values())


def test_the_study_reports_the_file_beside_its_own_model(file: Path) -> None:
    settings = ScrewLooseningNomogramSettings(
        coefficients=str(file),  # type: ignore[arg-type]
        linear=("age_years", "hu_ratio"),
        a_priori=(),
        bootstrap_draws=100,
        validation_draws=10,
    )
    result = analyse(patients(), settings, ThresholdsSettings(), 1)
    keys = [figure.key for figure in result.figures]
    assert keys[-2:] == ["f6_external_calibration", "f7_external_decision"]
    assert "t11_external" in [table.key for table in result.tables]
    assert result.audit["published_model"] == "An example made for this test"
    assert "An example made for this test" in result.methods
    own = result.audit["model"]["terms"][0]["coefficients"][0]
    assert own != 0.05


def test_the_content_of_the_file_is_the_configuration_so_that_a_changed_number_runs_again(file: Path) -> None:
    first = configured(str(file)).model_dump(mode="json")
    assert configured(first["studies"]["screw_loosening_nomogram"]["coefficients"]).model_dump(mode="json") == first
    file.write_text(FILE.replace("-1.9", "-1.8"), encoding="utf-8")
    assert configured(str(file)).model_dump(mode="json") != first


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"intercept": "high"}, "coefficients.intercept", "valid number"),
        ({"source": ""}, "coefficients.source", "at least 3 characters"),
        ({"interceptt": 1.0}, "coefficients", "unknown key interceptt; known keys: source"),
        ({"terms": []}, "coefficients", "at least one predictor"),
        ({"cut_off": 1.2}, "coefficients.cut_off", "less than 1"),
        ({"terms": [{"column": "age_years"}]}, "coefficients.terms.0", "a linear term needs `coefficient`"),
        (
            {"terms": [{"column": "age_years", "coefficient": 1, "knots": [1, 2, 3]}]},
            "coefficients.terms.0",
            "a linear term has no `knots`",
        ),
        (
            {"terms": [{"column": "g", "kind": "category", "reference": "1", "coefficients": {"1": 0.2}}]},
            "coefficients.terms.0",
            "the reference '1' has no coefficient",
        ),
        (
            {"terms": [{"column": "g", "kind": "spline", "knots": [1, 3, 2], "coefficients": [1, 2]}]},
            "coefficients.terms.0",
            "three ascending numbers",
        ),
        (
            {"terms": [{"column": "g", "coefficient": 1.0}, {"column": "g", "coefficient": 1.0}]},
            "coefficients",
            "name g twice",
        ),
        (
            {"terms": [{"column": "age_years", "coefficient": float("nan")}]},
            "coefficients.terms.0.coefficient",
            "finite",
        ),
    ],
)
def test_a_fault_of_the_file_names_its_key(change: dict[str, Any], path: str, words: str) -> None:
    good = {"source": "example", "intercept": -1.0, "terms": [{"column": "age_years", "coefficient": 0.1}]}
    with pytest.raises(ConfigurationError) as caught:
        configured(good | change)
    line = next(line for line in str(caught.value).splitlines() if f"{path}:" in line)
    assert line.startswith(f"  - studies.screw_loosening_nomogram.{path}:") and words in line


def test_a_file_that_is_absent_or_no_yaml_is_a_fault_of_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"coefficients: the file cannot be read \(FileNotFoundError\)"):
        configured(str(tmp_path / "absent.yaml"))
    broken = tmp_path / "broken.yaml"
    broken.write_text("source: [", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="the file is no YAML in line"):
        configured(str(broken))
    broken.write_text("- 1", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="must hold keys"):
        configured(str(broken))


def test_no_coefficient_is_built_in() -> None:
    assert ScrewLooseningNomogramSettings().coefficients is None
    with pytest.raises(ValidationError):
        ModelCoefficients.model_validate({"source": "example"})
