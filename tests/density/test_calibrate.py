"""Which method gives the density line of a scan."""

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.config.calibration import CalibrationSettings, ScannerLineSettings
from spongiosa.config.internal_calibration import InternalCalibrationSettings
from spongiosa.density.calibrate import CalibrationScan, calibrated
from spongiosa.outcome import Reason
from spongiosa.regions.tissue_samples import TissueSample
from spongiosa.volume import Geometry, Volume

#: Air only: no phantom is in it.
EMPTY = Volume(
    np.full((8, 40, 40), -1000, np.int16), Geometry((8, 40, 40), (2.0, 2.0, 5.0), (0.0, 0.0, 0.0), np.eye(3))
)
TISSUES = {
    name: TissueSample(hu, 10.0, 5000)
    for name, hu in {"air": -1000.0, "fat": -105.0, "muscle": 55.0, "blood": 42.0}.items()
}
SCAN = CalibrationScan(EMPTY, SpineDescription("labels", 1.0, ()), {"kvp": 120.0, "manufacturer": "GE"}, TISSUES)
LINE = ScannerLineSettings(kvp=120, slope_mg_cm3_per_hu=0.8, intercept_mg_cm3=-2.0, material="HA")


def outcome(scan: CalibrationScan = SCAN, **settings):
    return calibrated(scan, CalibrationSettings(**settings), InternalCalibrationSettings())


def test_no_method_means_no_line_with_that_reason():
    assert (outcome().line, outcome().reason) == (None, Reason.NOT_CALIBRATED)


def test_a_method_that_is_named_is_the_only_one_asked():
    refused = outcome(method="phantom", phantom="qrm_bdc_3", scanner_lines=(LINE,))
    assert (refused.line, refused.reason) == (None, Reason.PHANTOM_NOT_FOUND)


def test_auto_takes_the_scanner_table_where_no_phantom_is_found_and_says_what_it_tried():
    found = outcome(method="auto", phantom="qrm_bdc_3", scanner_lines=(LINE,))
    assert (found.line.method, found.line.material) == ("scanner", "HA")
    assert [(tried["method"], tried["reason"]) for tried in found.report["tried"]] == [("phantom", "phantom_not_found")]


def test_auto_ends_with_the_tissues():
    found = outcome(method="auto")
    assert found.line.method == "internal"
    assert [tried["method"] for tried in found.report["tried"]] == ["phantom", "scanner"]


def test_tissues_of_a_recognised_contrast_phase_give_no_line():
    """Blood of 42 HU alone would not tell a late phase."""
    refused = outcome(replace(SCAN, phase="delayed"), method="internal")
    assert (refused.line, refused.reason) == (None, Reason.CONTRAST_IN_BLOOD)
    assert outcome(replace(SCAN, phase="none"), method="internal").line is not None


def test_auto_without_any_line_says_all_that_was_tried():
    refused = outcome(replace(SCAN, tissues={}), method="auto")
    assert (refused.line, refused.reason) == (None, Reason.CALIBRATION_REFUSED)
    assert [tried["method"] for tried in refused.report["tried"]] == ["phantom", "scanner", "internal"]


@pytest.mark.parametrize(("phantom", "asked"), [("b_mas_200", "b_mas_200"), (None, "qrm_bdc_3")])
def test_the_manifest_names_the_phantom_before_the_configuration_does(phantom, asked):
    found = outcome(replace(SCAN, phantom=phantom), method="phantom", phantom="qrm_bdc_3")
    assert found.report["phantom"] == asked


def test_a_phantom_that_nobody_defined_is_a_reason():
    refused = outcome(replace(SCAN, phantom="plasticine"), method="phantom")
    assert (refused.reason, "is not one of" in refused.detail) == (Reason.PHANTOM_NOT_FOUND, True)
