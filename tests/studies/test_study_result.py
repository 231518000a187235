"""Writing and reading back the folder of a study."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook
from PIL import Image

from spongiosa.config.studies import HuDxaConcordanceSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report.exhibits import TableExhibit
from spongiosa.report.study_files import read_printed, read_study
from spongiosa.statistics.association import pearson
from spongiosa.studies.hu_dxa_concordance import analyse
from spongiosa.studies.result import StudyResult, attempt, drawn_figures, json_ready, omitted_figures, write_study
from spongiosa.studies.workbook import write_workbook


@pytest.fixture(scope="module")
def result(fourteen: pd.DataFrame) -> StudyResult:
    return analyse(fourteen, HuDxaConcordanceSettings(bootstrap_draws=100), ThresholdsSettings(), seed=1)


@pytest.fixture(scope="module")
def folder(result: StudyResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the result, written once and only read."""
    folder = tmp_path_factory.mktemp("study")
    write_study(result, folder)
    return folder


def test_the_same_patients_give_the_same_bytes(fourteen: pd.DataFrame, folder: Path, tmp_path: Path) -> None:
    again = analyse(fourteen, HuDxaConcordanceSettings(bootstrap_draws=100), ThresholdsSettings(), seed=1)
    written = write_study(again, tmp_path)
    assert sorted(path.name for path in written) == sorted(path.name for path in folder.iterdir())
    assert all(path.read_bytes() == (folder / path.name).read_bytes() for path in written)


def test_every_table_and_figure_has_its_files_and_nothing_else_lies_there(result: StudyResult, folder: Path) -> None:
    expected = {"audit.json", f"{result.name}.xlsx"}
    expected |= {f"{t.key}{end}" for t in result.tables for end in (".csv", ".parquet", "_printed.csv")}
    expected |= {f"{f.key}{end}" for f in result.figures for end in (".csv", ".parquet", ".svg", ".png")}
    assert {path.name for path in folder.iterdir()} == expected


def test_what_an_earlier_result_left_is_removed_but_fits_and_pictures_stay(result: StudyResult, tmp_path: Path) -> None:
    bare = replace(result, tables=(), figures=())
    for name in ("fits/roc.json", "pictures/pictures.json", "t9_of_an_earlier_run.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}", encoding="utf-8")
    written = write_study(bare, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"fits", "pictures"} | {path.name for path in written}
    assert (tmp_path / "pictures" / "pictures.json").is_file() and (tmp_path / "fits" / "roc.json").is_file()


def test_a_figure_carries_no_date_and_no_address_to_load(result: StudyResult, folder: Path) -> None:
    for figure in result.figures:
        svg = (folder / f"{figure.key}.svg").read_text(encoding="utf-8")
        assert "<dc:date>" not in svg
        assert 'href="http' not in svg


def test_what_was_written_is_read_back(result: StudyResult, folder: Path) -> None:
    read = read_study(folder)
    assert (read.name, read.headline, read.methods) == (result.name, result.headline, result.methods)
    assert [t.title for t in read.tables] == [t.title for t in result.tables]
    for written, original in zip(read.tables, result.tables, strict=True):
        assert written.notes == original.notes
        assert written.printed.to_numpy().tolist() == original.printed.to_numpy().tolist()
    assert [(f.alt, f.caption) for f in read.figures] == [(f.alt, f.caption) for f in result.figures]


def test_figures_for_print_have_300_dots_per_inch(result: StudyResult, folder: Path) -> None:
    figure = next(figure for figure in result.figures if figure.key == "f5_age_bmi")
    with Image.open(folder / "f5_age_bmi.png") as picture:
        width_inch = figure.figure.get_size_inches()[0]
        # A pixel of rounding.
        assert picture.width == pytest.approx(width_inch * 300, abs=1)
        assert picture.info["dpi"][0] == pytest.approx(300, abs=0.1)


def test_the_workbook_holds_every_table_printed_and_unrounded(result: StudyResult, folder: Path) -> None:
    book = load_workbook(folder / f"{result.name}.xlsx")
    assert len(book.sheetnames) == 2 * len(result.tables)
    table = next(table for table in result.tables if table.key == "t3_threshold_sensitivity")
    printed, data = book[table.key], book[f"{table.key} data"]
    assert printed["A1"].value == table.title
    assert [cell.value for cell in printed[4]][: table.printed.shape[1]] == list(table.printed.columns)
    assert printed["A5"].value == table.printed.iloc[0, 0]
    column = list(table.frame.columns).index("kappa") + 1
    assert data.cell(2, column).value == pytest.approx(table.frame["kappa"].iloc[0], rel=1e-15)


def test_text_in_the_workbook_is_never_a_formula(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ['=HYPERLINK("http://example.org")', "+1"], "x": [math.inf, 2.0]})
    table = TableExhibit("t", "T", frame, frame.astype(str), "")
    write_workbook("Title", [table], tmp_path / "book.xlsx")
    book = load_workbook(tmp_path / "book.xlsx")
    for name, row in (("t", 5), ("t data", 2)):
        assert book[name].cell(row, 1).data_type == "s"
        assert book[name].cell(row, 1).value == frame["id"].iloc[0]
    assert book["t data"].cell(2, 2).value is None


def test_a_text_that_looks_like_a_missing_value_stays_text(tmp_path: Path) -> None:
    """pandas reads NA, None and empty cells as missing unless told otherwise; a report must show what was printed."""
    (tmp_path / "printed.csv").write_text("Step,Patients\nNA,\n", encoding="utf-8")
    assert read_printed(tmp_path / "printed.csv").to_numpy().tolist() == [["NA", ""]]


def test_json_holds_null_where_a_number_is_missing() -> None:
    ready = json_ready({"a": np.float64("nan"), "b": (math.inf, np.int64(3)), 4: np.bool_(True)})
    assert json.dumps(ready, allow_nan=False) == '{"a": null, "b": [null, 3], "4": true}'


def test_a_figure_is_shown_or_its_title_is_listed_with_the_reason(result: StudyResult) -> None:
    made, also = result.figures[:2]
    drawn = {"First": (made, ""), "None": (None, "Nobody has a T-score."), "Second": (also, "")}
    assert drawn_figures(drawn) == (made, also)
    assert omitted_figures(drawn) == (("None", "Nobody has a T-score."),)


def test_rows_that_lack_a_cell_are_printed_with_an_empty_one() -> None:
    printed = [{"Marker": "HU", "AUC": "0.80"}, {"Marker": "vBMD"}]
    table = TableExhibit.of_rows("t", "T", "", [{"auc": 0.8}, {"auc": None}], printed, ("a note",))
    assert table.printed.to_numpy().tolist() == [["HU", "0.80"], ["vBMD", ""]]
    assert table.frame["auc"].isna().tolist() == [False, True]


def test_an_impossible_statistic_becomes_its_sentence_and_other_errors_pass() -> None:
    value, reason = attempt(pearson, [1.0, 2.0], [1.0, 2.0])
    assert value is None and "at least 3" in reason
    with pytest.raises(KeyError):
        attempt({}.__getitem__, "absent")
