"""From the regions of a scan to the rows of measurements.parquet."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spongiosa.anatomy.frame import SpineDescription, Vertebra
from spongiosa.config.calibration import CalibrationSettings
from spongiosa.config.extract import ExtractSettings
from spongiosa.density.calibrate import density_line
from spongiosa.density.histogram import HuStatistics, hu_statistics, weighted_mean
from spongiosa.density.line import DensityLine
from spongiosa.outcome import Reason, Status
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.region import Region, RegionSet
from spongiosa.volume import Volume

#: Columns of a row, in order; the runner adds who and which version (patient_id ... config_hash).
COLUMNS = (
    *("level", "region", "side", "variant", "plane", "trajectory_source", "status", "reason", "flags"),
    *("hu_mean", "hu_sd", "hu_median", "hu_mean_inset_4mm", "hu_mean_inset_6mm", "hu_p05", "hu_p95"),
    *("voxels", "effective_voxels", "volume_mm3", "area_mm2", "hu_referenced_mean", "hu_contrast_adjusted_mean"),
    *("vbmd_mean_mg_cm3", "vbmd_sd_mg_cm3", "vbmd_material"),
    *("calibration_method", "calibration_slope", "calibration_intercept", "calibration_r2", "signal_mean"),
    *("kvp", "kernel", "manufacturer", "slice_thickness_mm", "slice_spacing_mm", "pixel_spacing_mm"),
    *("contrast_phase", "localiser", "localiser_confidence"),
)

#: The flag that has a reason of its own.
METAL_FLAG = "metal"

#: Columns that every row of a scan takes from its acquisition.
ACQUISITION_COLUMNS = (
    *("kvp", "kernel", "manufacturer", "slice_thickness_mm", "slice_spacing_mm", "pixel_spacing_mm"),
    "contrast_phase",
)


def measure_regions(
    volume: Volume,
    regions: RegionSet,
    spine: SpineDescription,
    acquisition: dict[str, Any],
    calibration: CalibrationSettings,
    extract: ExtractSettings,
) -> list[dict[str, Any]]:
    """One row per region, every column of `COLUMNS`; what was not measured is None, with the reason.

    `volume` in HU on the grid of `regions`; `acquisition` as in the scan's sidecar.
    Raises `ValueError` when the regions lie on another grid.
    """
    if not regions.geometry.is_same_as(volume.geometry):
        raise ValueError("the regions must lie on the grid of the scan")
    line = density_line(calibration)
    hu = np.ascontiguousarray(volume.voxels).reshape(-1)
    by_level = {vertebra.level: vertebra for vertebra in spine.vertebrae}
    shared = {
        **{name: acquisition.get(name) for name in ACQUISITION_COLUMNS},
        "calibration_method": calibration.method,
        "localiser": spine.method,
    }
    return [
        _row(region, hu, by_level.get(region.level), shared, line, volume.geometry.voxel_volume_mm3, extract)
        for region in regions
    ]


def _row(
    region: Region,
    hu: NDArray[np.number],
    vertebra: Vertebra | None,
    shared: dict[str, Any],
    line: DensityLine | None,
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
        "flags": sorted({*region.flags, *(vertebra.flags if vertebra is not None else ())}),
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
    row |= {"status": Status.OK.value, **_hu_columns(statistics), **_density_columns(statistics, line)}
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


def _density_columns(statistics: HuStatistics, line: DensityLine | None) -> dict[str, float | str | None]:
    if line is None:
        return {}
    return {
        "vbmd_mean_mg_cm3": line.density_mg_cm3(statistics.mean),
        "vbmd_sd_mg_cm3": line.spread_mg_cm3(statistics.sd),
        "vbmd_material": line.material,
        "calibration_slope": line.slope_mg_cm3_per_hu,
        "calibration_intercept": line.intercept_mg_cm3,
        "calibration_r2": line.r2,
    }


def _inset_mean(hu: NDArray[np.number], inset: VoxelWeights, extract: ExtractSettings) -> float | None:
    if inset.effective_voxels < extract.minimum_effective_voxels:
        return None
    return weighted_mean(hu[inset.indices], inset.weights)
