"""Asynchronous calibration: the density line of the scanner, from phantom scans of another day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from spongiosa.config.calibration import ScannerLineSettings
from spongiosa.density.line import CalibrationOutcome, DensityLine
from spongiosa.outcome import Reason

#: Tube voltages that differ by no more are one.  [kVp]
SAME_VOLTAGE_KVP = 0.5


def scanner_calibration(
    acquisition: Mapping[str, Any],
    scanner: str | None,
    acquired: date | None,
    lines: Sequence[ScannerLineSettings],
) -> CalibrationOutcome:
    """The line of the table that fits the scan and states most of it, or why there is none.

    `acquisition` as in the scan's sidecar (`kvp`, `manufacturer`, `kernel`); `scanner` and `acquired` as in the
    manifest.  A line with a period holds only for a scan whose day is known.
    """
    kvp = acquisition.get("kvp")
    if not lines:
        return CalibrationOutcome.refused(Reason.SCANNER_NOT_LISTED, "No calibration.scanner_lines are configured.")
    if kvp is None:
        return CalibrationOutcome.refused(
            Reason.SCANNER_NOT_LISTED, "The header gives no tube voltage, without which no line can be chosen."
        )
    stated = {"scanner": scanner, "manufacturer": acquisition.get("manufacturer"), "kernel": acquisition.get("kernel")}
    fitting = [line for line in lines if _fits(line, stated, float(kvp), acquired)]
    if not fitting:
        known = ", ".join(f"{name} {value}" for name, value in stated.items() if value) or "an unknown scanner"
        detail = f"No line of the scanner table holds for {known} at {float(kvp):g} kVp"
        without_day = acquired is None and any(_fits(line, stated, float(kvp), line.valid_from) for line in lines)
        detail += ", as the day of the scan is not in the manifest." if without_day else "."
        return CalibrationOutcome.refused(Reason.SCANNER_NOT_LISTED, detail)
    most = max(_stated(line) for line in fitting)
    best = [line for line in fitting if _stated(line) == most]
    if len(best) > 1:
        return CalibrationOutcome.refused(
            Reason.SCANNER_NOT_LISTED,
            f"{len(best)} lines of the scanner table hold for the scan, and none states more of it than the others.",
        )
    chosen = best[0]
    line = DensityLine(chosen.slope_mg_cm3_per_hu, chosen.intercept_mg_cm3, chosen.material, "scanner")
    return CalibrationOutcome(line, report={"scanner_line": chosen.model_dump(mode="json", exclude_none=True)})


def _fits(line: ScannerLineSettings, stated: Mapping[str, Any], kvp: float, acquired: date | None) -> bool:
    if abs(line.kvp - kvp) > SAME_VOLTAGE_KVP:
        return False
    for name, value in stated.items():
        wanted = getattr(line, name)
        if wanted is not None and (value is None or str(value).casefold() != wanted.casefold()):
            return False
    if line.valid_from is None and line.valid_to is None:
        return True
    return acquired is not None and (line.valid_from or date.min) <= acquired <= (line.valid_to or date.max)


def _stated(line: ScannerLineSettings) -> int:
    """How much of a scan a line states."""
    has_period = line.valid_from is not None or line.valid_to is not None
    return sum(part is not None for part in (line.scanner, line.manufacturer, line.kernel)) + has_period
