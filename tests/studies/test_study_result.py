"""Writing and reading back the folder of a study."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spongiosa.config.studies import HuDxaConcordanceSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report.study_files import read_study
from spongiosa.statistics.association import pearson
from spongiosa.studies.hu_dxa_concordance import analyse
from spongiosa.studies.result import StudyResult, attempt, json_ready, write_study


@pytest.fixture(scope="module")
def result(fourteen: pd.DataFrame) -> StudyResult:
    return analyse(fourteen, HuDxaConcordanceSettings(bootstrap_draws=100), ThresholdsSettings(), seed=1)


def test_the_same_patients_give_the_same_bytes(fourteen: pd.DataFrame, result: StudyResult, tmp_path: Path) -> None:
    again = analyse(fourteen, HuDxaConcordanceSettings(bootstrap_draws=100), ThresholdsSettings(), seed=1)
    first, second = write_study(result, tmp_path / "a"), write_study(again, tmp_path / "b")
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_every_table_and_figure_has_its_files_and_nothing_else_lies_there(result: StudyResult, tmp_path: Path) -> None:
    write_study(result, tmp_path)
    expected = {"audit.json"}
    expected |= {f"{t.key}{end}" for t in result.tables for end in (".csv", ".parquet", "_printed.csv")}
    expected |= {f"{f.key}{end}" for f in result.figures for end in (".csv", ".parquet", ".svg")}
    assert {path.name for path in tmp_path.iterdir()} == expected


def test_a_figure_carries_no_date_and_no_address_to_load(result: StudyResult, tmp_path: Path) -> None:
    write_study(result, tmp_path)
    for figure in result.figures:
        svg = (tmp_path / f"{figure.key}.svg").read_text(encoding="utf-8")
        assert "<dc:date>" not in svg
        assert 'href="http' not in svg


def test_what_was_written_is_read_back(result: StudyResult, tmp_path: Path) -> None:
    write_study(result, tmp_path)
    read = read_study(tmp_path)
    assert (read.name, read.headline, read.methods) == (result.name, result.headline, result.methods)
    assert [t.title for t in read.tables] == [t.title for t in result.tables]
    for written, original in zip(read.tables, result.tables, strict=True):
        assert written.notes == original.notes
        assert written.printed.to_numpy().tolist() == original.printed.to_numpy().tolist()
    assert [(f.alt, f.caption) for f in read.figures] == [(f.alt, f.caption) for f in result.figures]


def test_a_text_that_looks_like_a_missing_value_stays_text(result: StudyResult, tmp_path: Path) -> None:
    """pandas reads NA, None and empty cells as missing unless told otherwise; a report must show what was printed."""
    write_study(result, tmp_path)
    (tmp_path / f"{result.tables[0].key}_printed.csv").write_text("Step,Patients\nNA,\n", encoding="utf-8")
    assert read_study(tmp_path).tables[0].printed.to_numpy().tolist() == [["NA", ""]]


def test_json_holds_null_where_a_number_is_missing() -> None:
    ready = json_ready({"a": np.float64("nan"), "b": (math.inf, np.int64(3)), 4: np.bool_(True)})
    assert json.dumps(ready, allow_nan=False) == '{"a": null, "b": [null, 3], "4": true}'


def test_an_impossible_statistic_becomes_its_sentence_and_other_errors_pass() -> None:
    value, reason = attempt(pearson, [1.0, 2.0], [1.0, 2.0])
    assert value is None and "at least 3" in reason
    with pytest.raises(KeyError):
        attempt({}.__getitem__, "absent")
