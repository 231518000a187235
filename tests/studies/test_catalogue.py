"""What holds for every study: a name in the configuration, deterministic files, and grace with any patient table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from spongiosa.config.studies import StudiesSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report.study_files import read_study
from spongiosa.studies.catalogue import STUDIES
from spongiosa.studies.result import StudyResult, write_study
from spongiosa.synthetic.population import PRESETS, sample_population

PRESET_OF = {
    "hu_dxa_concordance": "hu_dxa_concordance",
    "screening": "hu_dxa_concordance",
    "roi_comparison": "roi_shapes",
    "new_fracture_3d_hu": "fracture_3d_hu",
    "screw_loosening_qct": "qct_loosening",
    "screw_loosening_nomogram": "hu_ratio_nomogram",
}


def made(name: str, patients: pd.DataFrame) -> StudyResult:
    settings = getattr(StudiesSettings(), name).model_copy(update={"bootstrap_draws": 100, "validation_draws": 10})
    return STUDIES[name](patients, settings, ThresholdsSettings(), 1)


def cohort_of(name: str, count: int) -> pd.DataFrame:
    return sample_population(PRESETS[PRESET_OF[name]], count, seed=3).convert_dtypes()


def test_the_catalogue_holds_the_studies_of_the_configuration() -> None:
    assert set(STUDIES) == set(StudiesSettings.model_fields)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_of_its_cohort_is_complete_and_named_after_its_section(name: str) -> None:
    result = made(name, cohort_of(name, 90))
    assert result.name == name
    assert result.omitted == ()
    assert result.audit["analysed"] == 90
    assert result.tables[0].key == "t0_flow"
    for exhibit in (*result.tables, *result.figures):
        assert exhibit.title and not exhibit.title.endswith(".")
    assert all(len(table.printed) for table in result.tables), [t.key for t in result.tables if t.printed.empty]
    assert "nan" not in "".join(table.printed.to_csv() for table in result.tables)


@pytest.mark.parametrize("name", [name for name in STUDIES if name != "hu_dxa_concordance"])
def test_the_same_patients_give_the_same_folder(name: str, tmp_path: Path) -> None:
    folders = []
    for run in ("first", "second"):
        files = write_study(made(name, cohort_of(name, 40)), tmp_path / run)
        folders.append({path.name: path.read_bytes() for path in files})
    assert folders[0] == folders[1]
    assert read_study(tmp_path / "first").name == name


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_a_handful_of_patients_is_no_fault(name: str, count: int) -> None:
    result = made(name, cohort_of(name, count))
    assert "nan" not in "".join(table.printed.to_csv() for table in result.tables)
    assert all(reason for _, reason in result.omitted)


@pytest.mark.parametrize("name", STUDIES)
def test_a_table_without_the_study_s_columns_gives_a_sentence_and_the_flow(name: str) -> None:
    result = made(name, pd.DataFrame({"patient_id": ["A", "B"], "age_years": [60.0, 70.0]}))
    assert [table.key for table in result.tables] == ["t0_flow"]
    assert result.headline.startswith("No patient")
