"""From the regions of a scan to the rows of measurements.parquet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spongiosa.anatomy.frame import SpineDescription, Vertebra
from spongiosa.config.contrast import ContrastSettings, Phase
from spongiosa.config.extract import ExtractSettings
from spongiosa.density.contrast import adjusted_hu
from spongiosa.density.histogram import HuStatistics, hu_statistics, weighted_mean
from spongiosa.density.line import NOT_CALIBRATED, CalibrationOutcome
from spongiosa.outcome import Reason, Status
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.region import Region, RegionSet
from spongiosa.regions.tissue_samples import TissueRegion
from spongiosa.volume import Volume

#: Columns of a row, in order; the runner adds who and which version (patient_id ... config_hash).
COLUMNS = (
    *("level", "region", "side", "variant", "plane", "trajectory_source", "status", "reason", "flags"),
    *("hu_mean", "hu_sd", "hu_median", "hu_mean_inset_4mm", "hu_mean_inset_6mm", "hu_p05", "hu_p95"),
    *("voxels", "effective_voxels", "volume_mm3", "area_mm2", "rejected_fraction"),
    *("hu_referenced_mean", "hu_contrast_adjusted_mean"),
    *("vbmd_mean_mg_cm3", "vbmd_sd_mg_cm3", "vbmd_material"),
    *("calibration_method", "calibration_slope", "calibration_intercept", "calibration_r2", "calibration_reason"),
    "signal_mean",
    *("kvp", "kernel", "manufacturer", "slice_thickness_mm", "slice_spacing_mm", "pixel_spacing_mm"),
    *("contrast_phase", "localiser", "localiser_confidence"),
)

#: The flag that has a reason of its own.
METAL_FLAG = "metal"

#: Columns that only bone of a vertebra has.
BONE_COLUMNS = ("level", "hu_contrast_adjusted_mean", "vbmd_mean_mg_cm3", "vbmd_sd_mg_cm3", "vbmd_material")

#: Columns that every row of a scan takes from its acquisition.
ACQUISITION_COLUMNS = (
    *("kvp", "kernel", "manufacturer", "slice_thickness_mm", "slice_spacing_mm", "pixel_spacing_mm"),
)


@dataclass(frozen=True)
class ScanFindings:
    """What was found out about a scan as a whole, and holds for all of its rows.

    `phase` of a contrast medium is None where it is open; `flags` are those of its quality.
    """

    calibration: CalibrationOutcome = NOT_CALIBRATED
    phase: Phase | None = None
    contrast: ContrastSettings = field(default_factory=ContrastSettings)
    flags: tuple[str, ...] = ()


def measure_regions(
    volume: Volume,
    regions: RegionSet,
    spine: SpineDescription,
    acquisition: dict[str, Any],
    findings: ScanFindings,
    extract: ExtractSettings,
) -> list[dict[str, Any]]:
    """One row per region, every column of `COLUMNS`; what was not measured is None, with the reason.

    `volume` in HU on the grid of `regions`; `acquisition` as in the scan's sidecar.
    Raises `ValueError` when the regions lie on another grid.
    """
    if not regions.geometry.is_same_as(volume.geometry):
        raise ValueError("the regions must lie on the grid of the scan")
    hu = np.ascontiguousarray(volume.voxels).reshape(-1)
    by_level = {vertebra.level: vertebra for vertebra in spine.vertebrae}
    shared = _shared_columns(spine, acquisition, findings)
    return [
        _row(region, hu, by_level.get(region.level), shared, findings, volume.geometry.voxel_volume_mm3, extract)
        for region in regions
    ]


def measure_tissues(
    volume: Volume,
    tissues: Iterable[TissueRegion],
    spine: SpineDescription,
    acquisition: dict[str, Any],
    findings: ScanFindings,
    extract: ExtractSettings,
) -> list[dict[str, Any]]:
    """One row per reference tissue of a scan in HU, with the columns of `measure_regions`; they belong to no level.

    A tissue has no mineral, so that it has no vBMD whatever the calibration, and no offset for contrast in bone.
    """
    hu = np.ascontiguousarray(volume.voxels).reshape(-1)
    shared = _shared_columns(spine, acquisition, findings)
    not_of_a_tissue: dict[str, Any] = dict.fromkeys(BONE_COLUMNS)
    return [
        _row(tissue.as_region(), hu, None, shared, findings, volume.geometry.voxel_volume_mm3, extract)
        | not_of_a_tissue
        for tissue in tissues
    ]


def _shared_columns(
    spine: SpineDescription, acquisition: dict[str, Any], findings: ScanFindings
) -> dict[str, float | str | None]:
    """What all rows of a scan have in common."""
    return {
        **{name: acquisition.get(name) for name in ACQUISITION_COLUMNS},
        **_calibration_columns(findings.calibration),
        "contrast_phase": findings.phase,
        "localiser": spine.method,
    }


def _row(
    region: Region,
    hu: NDArray[np.number],
    vertebra: Vertebra | None,
    shared: dict[str, Any],
    findings: ScanFindings,
    voxel_mm3: float,
    extract: ExtractSettings,
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= shared
    row |= {
        "level": region.level,
        "region": region.name,
        "side": region.side,
        "variant": region.variant,
        "plane": region.plane,
        "trajectory_source": region.trajectory_source,
        "rejected_fraction": region.rejected_fraction,
        "flags": sorted({*region.flags, *findings.flags, *(vertebra.flags if vertebra is not None else ())}),
        "localiser_confidence": None if vertebra is None else vertebra.confidence,
    }
    weights = region.weights
    if weights is None:
        return row | {"status": Status.EXCLUDED.value, "reason": None if region.reason is None else region.reason.value}
    excluded = set(row["flags"]) & set(extract.excluded_flags)
    if excluded:
        reason = Reason.METAL if METAL_FLAG in excluded else Reason.LEVEL_FLAGGED
        return row | {"status": Status.EXCLUDED.value, "reason": reason.value}
    if weights.effective_voxels < extract.minimum_effective_voxels:
        return row | {
            "status": Status.EXCLUDED.value,
            "reason": Reason.REGION_TOO_SMALL.value,
            "voxels": len(weights.indices),
            "effective_voxels": weights.effective_voxels,
        }
    statistics = hu_statistics(hu[weights.indices], weights.weights)
    row |= {"status": Status.OK.value, **_hu_columns(statistics), **_density_columns(statistics, findings.calibration)}
    row["hu_contrast_adjusted_mean"] = adjusted_hu(statistics.mean, findings.phase, findings.contrast)
    row["volume_mm3"] = statistics.effective_voxels * voxel_mm3
    row["area_mm2"] = region.area_mm2
    for name, inset in region.insets.items():
        row[f"hu_mean_{name}"] = _inset_mean(hu, inset, extract)
    return row


def _hu_columns(statistics: HuStatistics) -> dict[str, float | int]:
    return {
        "hu_mean": statistics.mean,
        "hu_sd": statistics.sd,
        "hu_median": statistics.median,
        "hu_p05": statistics.p05,
        "hu_p95": statistics.p95,
        "voxels": statistics.voxels,
        "effective_voxels": statistics.effective_voxels,
    }


def _calibration_columns(calibration: CalibrationOutcome) -> dict[str, float | str | None]:
    """How the scan was calibrated, or why it was not."""
    line = calibration.line
    if line is None:
        return {"calibration_method": "none", "calibration_reason": str(calibration.reason)}
    return {
        "calibration_method": line.method,
        "calibration_slope": line.slope_mg_cm3_per_hu,
        "calibration_intercept": line.intercept_mg_cm3,
        "calibration_r2": line.r2,
    }


def _density_columns(statistics: HuStatistics, calibration: CalibrationOutcome) -> dict[str, float | str | None]:
    columns: dict[str, float | str | None] = {}
    if calibration.line is not None:
        columns |= {
            "vbmd_mean_mg_cm3": calibration.line.density_mg_cm3(statistics.mean),
            "vbmd_sd_mg_cm3": calibration.line.spread_mg_cm3(statistics.sd),
            "vbmd_material": calibration.line.material,
        }
    if calibration.referenced is not None:
        columns["hu_referenced_mean"] = calibration.referenced.referenced_hu(statistics.mean)
    return columns


def _inset_mean(hu: NDArray[np.number], inset: VoxelWeights, extract: ExtractSettings) -> float | None:
    if inset.effective_voxels < extract.minimum_effective_voxels:
        return None
    return weighted_mean(hu[inset.indices], inset.weights)
