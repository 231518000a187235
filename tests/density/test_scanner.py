"""Asynchronous calibration by the table of scanners."""

from datetime import date

import pytest
from pydantic import ValidationError

from spongiosa.config.calibration import CalibrationSettings, ScannerLineSettings
from spongiosa.density.scanner import scanner_calibration
from spongiosa.outcome import Reason

ACQUISITION = {"kvp": 120.0, "manufacturer": "Siemens", "kernel": "B30f"}


def line(slope: float = 0.8, **fields) -> ScannerLineSettings:
    known = {"kvp": 120.0, "slope_mg_cm3_per_hu": slope, "intercept_mg_cm3": 2.0, "material": "K2HPO4"}
    return ScannerLineSettings(**{**known, **fields})


def test_the_line_that_states_most_of_the_scan_applies():
    lines = [line(0.7), line(0.8, manufacturer="SIEMENS"), line(0.9, manufacturer="Siemens", kernel="B30f")]
    found = scanner_calibration(ACQUISITION, None, None, lines)
    assert found.line is not None
    assert (found.line.slope_mg_cm3_per_hu, found.line.method, found.line.r2) == (0.9, "scanner", None)


@pytest.mark.parametrize(
    "fields",
    [{"kvp": 100.0}, {"kernel": "B60f"}, {"manufacturer": "GE"}, {"scanner": "CT2"}],
    ids=["voltage", "kernel", "maker", "scanner"],
)
def test_a_line_of_another_scan_does_not_apply(fields):
    found = scanner_calibration(ACQUISITION, "CT1", None, [line(**fields)])
    assert (found.line, found.reason) == (None, Reason.SCANNER_NOT_LISTED)


def test_a_period_holds_for_its_days_and_needs_the_day_of_the_scan():
    lines = [line(0.7, valid_to=date(2024, 12, 31)), line(0.9, valid_from=date(2025, 1, 1))]
    assert scanner_calibration(ACQUISITION, None, date(2024, 12, 31), lines).line.slope_mg_cm3_per_hu == 0.7
    assert scanner_calibration(ACQUISITION, None, date(2025, 1, 1), lines).line.slope_mg_cm3_per_hu == 0.9
    refused = scanner_calibration(ACQUISITION, None, None, lines)
    assert (refused.line, "day of the scan" in refused.detail) == (None, True)


def test_lines_that_state_as_much_of_the_scan_as_each_other_are_refused():
    lines = [line(0.7, manufacturer="Siemens"), line(0.9, kernel="B30f")]
    found = scanner_calibration(ACQUISITION, None, None, lines)
    assert (found.line, found.reason) == (None, Reason.SCANNER_NOT_LISTED)


def test_a_table_adds_its_rows_to_the_lines(tmp_path):
    table = tmp_path / "lines.tsv"
    header = "scanner\tkvp\tslope_mg_cm3_per_hu\tintercept_mg_cm3\tmaterial\tvalid_from\n"
    table.write_text(header + "CT2\t120\t0.81\t-3\tHA\t2025-01-01\n", encoding="utf-8")
    settings = CalibrationSettings(method="scanner", scanner_lines=(line(),), scanner_table=str(table))
    assert [found.scanner for found in settings.scanner_lines] == [None, "CT2"]
    assert settings.scanner_lines[1].valid_from == date(2025, 1, 1)
    again = CalibrationSettings.model_validate(settings.model_dump(mode="json"))
    assert again.scanner_lines == settings.scanner_lines


def test_a_table_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ValidationError, match=r"lines\.tsv cannot be read"):
        CalibrationSettings(scanner_table=str(tmp_path / "lines.tsv"))


def test_two_lines_for_the_same_scans_at_the_same_time_are_refused():
    with pytest.raises(ValidationError, match="two lines hold for the same scans"):
        CalibrationSettings(scanner_lines=(line(0.8), line(0.9, valid_from=date(2025, 1, 1))))
