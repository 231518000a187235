"""Density lines of scanners from the records of phantom scans."""

import json
import sys

import pytest

from spongiosa.config.calibration import CalibrationSettings
from spongiosa.density.scanner import scanner_calibration
from spongiosa.density.scanner_table import main, scanner_lines


def record(slope: float | None, kvp: float | None = 120.0, method: str = "phantom", scanner: str = "CT1") -> dict:
    line = {"slope_mg_cm3_per_hu": slope, "intercept_mg_cm3": 1.0, "material": "K2HPO4", "method": method, "r2": 1.0}
    about = {"scanner": scanner, "manufacturer": "GE", "kvp": kvp, "kernel": "STANDARD", "slice_thickness_mm": 1.25}
    return {"calibration": {"line": None if slope is None else line}, "scanner": about}


def test_a_line_is_the_median_of_its_scans():
    (row,) = scanner_lines([record(0.80), record(0.82), record(2.0), record(None), record(0.9, method="internal")])
    assert (row["slope_mg_cm3_per_hu"], row["intercept_mg_cm3"]) == pytest.approx((0.82, 1.0))
    assert (row["scanner"], row["kvp"], row["source"]) == ("CT1", 120.0, "median of 3 phantom scans")


def test_scanners_and_voltages_have_lines_of_their_own():
    rows = scanner_lines([record(0.8), record(0.7, kvp=100.0), record(0.9, scanner="CT2"), record(0.6, kvp=None)])
    assert {(row["scanner"], row["kvp"]): row["slope_mg_cm3_per_hu"] for row in rows} == {
        ("CT1", 120.0): 0.8,
        ("CT1", 100.0): 0.7,
        ("CT2", 120.0): 0.9,
    }


def test_the_written_table_calibrates_a_later_scan_of_that_scanner(tmp_path, monkeypatch):
    folder = tmp_path / "results" / "sub-P1" / "ses-preop" / "ct"
    folder.mkdir(parents=True)
    (folder / "sub-P1_ses-preop_desc-calibration.json").write_text(json.dumps(record(0.8)), encoding="utf-8")
    table = tmp_path / "lines.tsv"
    monkeypatch.setattr(sys, "argv", ["scanner_table", str(tmp_path / "results"), str(table), "--from", "2025-01-01"])
    main()
    settings = CalibrationSettings(method="scanner", scanner_table=str(table))
    acquisition = {"kvp": 120.0, "manufacturer": "GE", "kernel": "STANDARD"}
    assert scanner_calibration(acquisition, "CT1", None, settings.scanner_lines).line is None
    day = settings.scanner_lines[0].valid_from
    assert scanner_calibration(acquisition, "CT1", day, settings.scanner_lines).line.slope_mg_cm3_per_hu == 0.8


def test_a_run_without_phantoms_makes_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["scanner_table", str(tmp_path), str(tmp_path / "lines.tsv")])
    with pytest.raises(SystemExit, match="No scan below"):
        main()
    assert not (tmp_path / "lines.tsv").exists()
