"""A scan as a whole, before anything in it is measured: its tissues, its phase, its quality and its calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.config.calibration import CalibrationSettings
from spongiosa.config.contrast import ContrastSettings
from spongiosa.config.internal_calibration import InternalCalibrationSettings
from spongiosa.config.quality import QualitySettings
from spongiosa.density.calibrate import CalibrationScan, calibrated
from spongiosa.density.contrast import ContrastPhase, contrast_phase
from spongiosa.density.line import CalibrationOutcome
from spongiosa.density.measure import ScanFindings
from spongiosa.density.quality import ScanQuality, scan_quality
from spongiosa.regions.tissue_samples import TissueRegion
from spongiosa.regions.tissues import find_tissues
from spongiosa.volume import Volume

#: Fields of the acquisition that say which density lines fit a scan.
SCANNER_FIELDS = ("manufacturer", "kvp", "kernel", "slice_thickness_mm")


@dataclass(frozen=True)
class ScanSettings:
    """The sections of the configuration that are about a scan as a whole."""

    calibration: CalibrationSettings
    internal: InternalCalibrationSettings
    contrast: ContrastSettings
    quality: QualitySettings


@dataclass(frozen=True)
class ScanExamination:
    """What was found, what the rows of the scan take from it, and `record`, all of it as JSON can hold it."""

    tissues: tuple[TissueRegion, ...]
    findings: ScanFindings
    quality: ScanQuality
    record: Mapping[str, Any]

    def refuse(self) -> None:
        """Raises `Excluded(SCAN_QUALITY)` when a rule of quality excludes the scan."""
        self.quality.refuse()


def examined(
    volume: Volume,
    vertebrae: Volume,
    bodies: Volume,
    spine: SpineDescription,
    acquisition: Mapping[str, Any],
    row: Mapping[str, Any],
    settings: ScanSettings,
) -> ScanExamination:
    """Examine a CT in HU with its label maps.

    `acquisition` as in the scan's sidecar; `row` of the manifest, of which `phantom`, `scanner` and `acquired` count.
    """
    tissues = find_tissues(volume, vertebrae, bodies, spine)
    kvp = acquisition.get("kvp")
    phase = contrast_phase(
        tissues.organs, None if kvp is None else float(kvp), acquisition.get("contrast_agent"), settings.contrast
    )
    quality = scan_quality(volume, acquisition, tissues.regions, settings.quality)
    scan = CalibrationScan(
        volume=volume,
        spine=spine,
        acquisition=acquisition,
        tissues=tissues.samples,
        phase=phase.phase,
        phantom=row.get("phantom"),
        scanner=row.get("scanner"),
        acquired=date.fromisoformat(row["acquired"]) if row.get("acquired") else None,
    )
    calibration = calibrated(scan, settings.calibration, settings.internal)
    findings = ScanFindings(calibration, phase.phase, settings.contrast, quality.flags)
    record = {
        "calibration": _of_calibration(calibration),
        "scanner": {"scanner": row.get("scanner"), **{name: acquisition.get(name) for name in SCANNER_FIELDS}},
        "contrast": _of_phase(phase),
        "quality": quality.to_row(),
        "tissues": {
            name: asdict(region.sample)
            if region.sample is not None
            else {"reason": region.reason, "detail": region.detail}
            for name, region in tissues.regions.items()
        },
    }
    return ScanExamination(tuple(tissues.regions.values()), findings, quality, record)


def _of_calibration(outcome: CalibrationOutcome) -> dict[str, Any]:
    line = outcome.line
    return {
        "line": None if line is None else asdict(line),
        "reason": None if outcome.reason is None else str(outcome.reason),
        "detail": outcome.detail,
        **outcome.report,
    }


def _of_phase(phase: ContrastPhase) -> dict[str, Any]:
    return {**asdict(phase), "probabilities": {name: round(value, 4) for name, value in phase.probabilities.items()}}
