"""The density line of a scan by the configured method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.config.calibration import CalibrationSettings
from spongiosa.config.contrast import Phase
from spongiosa.config.internal_calibration import InternalCalibrationSettings
from spongiosa.density.internal import internal_calibration
from spongiosa.density.line import NOT_CALIBRATED, CalibrationOutcome
from spongiosa.density.phantom import phantom_calibration
from spongiosa.density.scanner import scanner_calibration
from spongiosa.outcome import Reason
from spongiosa.regions.tissue_samples import TissueSample
from spongiosa.volume import Volume


@dataclass(frozen=True)
class CalibrationScan:
    """What a method may know of a scan: the image in HU, its spine, its header as in the sidecar, and its tissues.

    `phase` of a contrast medium; `phantom`, `scanner` and `acquired` (the day of the scan) are what its row of the
    manifest says.
    """

    volume: Volume
    spine: SpineDescription
    acquisition: Mapping[str, Any]
    tissues: Mapping[str, TissueSample]
    phase: Phase | None = None
    phantom: str | None = None
    scanner: str | None = None
    acquired: date | None = None


def calibrated(
    scan: CalibrationScan, settings: CalibrationSettings, internal: InternalCalibrationSettings
) -> CalibrationOutcome:
    """The density line of a scan by `settings.method`, or why there is none.

    `auto` tries phantom, scanner table and tissues in this order and takes the first line; its report lists under
    `tried` what the methods before it said.
    """
    if settings.method == "auto":
        return _first_line(scan, settings, internal)
    return METHODS[settings.method](scan, settings, internal)


def _none(
    _scan: CalibrationScan, _settings: CalibrationSettings, _internal: InternalCalibrationSettings
) -> CalibrationOutcome:
    return NOT_CALIBRATED


def _phantom(
    scan: CalibrationScan, settings: CalibrationSettings, _internal: InternalCalibrationSettings
) -> CalibrationOutcome:
    name = scan.phantom or settings.phantom
    if name is None:
        return CalibrationOutcome.refused(
            Reason.PHANTOM_NOT_FOUND,
            "No phantom is named for this scan, neither in its manifest row nor as calibration.phantom.",
        )
    phantom = settings.phantom_named(name)
    if phantom is None:
        known = ", ".join(settings.known_phantoms)
        detail = f"The manifest names a phantom that is not one of {known}."
        return CalibrationOutcome.refused(Reason.PHANTOM_NOT_FOUND, detail)
    return phantom_calibration(scan.volume, scan.spine, name, phantom, settings.detection, settings.phantoms_by_name)


def _scanner(
    scan: CalibrationScan, settings: CalibrationSettings, _internal: InternalCalibrationSettings
) -> CalibrationOutcome:
    return scanner_calibration(scan.acquisition, scan.scanner, scan.acquired, settings.scanner_lines)


def _internal(
    scan: CalibrationScan, _settings: CalibrationSettings, internal: InternalCalibrationSettings
) -> CalibrationOutcome:
    kvp = scan.acquisition.get("kvp")
    return internal_calibration(scan.tissues, None if kvp is None else float(kvp), internal, scan.phase)


Method = Callable[[CalibrationScan, CalibrationSettings, InternalCalibrationSettings], CalibrationOutcome]

#: How each method of `calibration.method` finds the line of a scan; `auto` asks those after `none` in this order.
METHODS: dict[str, Method] = {"none": _none, "phantom": _phantom, "scanner": _scanner, "internal": _internal}


def _first_line(
    scan: CalibrationScan, settings: CalibrationSettings, internal: InternalCalibrationSettings
) -> CalibrationOutcome:
    tried: list[dict[str, Any]] = []
    last = NOT_CALIBRATED
    for name, method in METHODS.items():
        if name == "none":
            continue
        last = method(scan, settings, internal)
        if last.line is not None:
            return replace(last, report={**last.report, "tried": tried})
        tried.append({"method": name, "reason": str(last.reason), "detail": last.detail, **last.report})
    return CalibrationOutcome.refused(
        Reason.CALIBRATION_REFUSED,
        f"Neither phantom, scanner table nor tissues give a line. {last.detail}",
        tried=tried,
    )
