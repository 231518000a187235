"""How a scan was calibrated and how good it is: its row of calibration.parquet, from the record beside the scan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Columns that the record holds under the same name: part of the record -> names.
TAKEN = {
    "calibration": (
        *("reason", "phantom", "residual_rms_mg_cm3", "coverage"),
        *("effective_energy_kev", "expected_energy_kev", "tissues_used"),
    ),
    "scanner": ("scanner", "manufacturer", "kernel"),
    "contrast": ("aorta_hu", "vena_cava_hu", "kidney_hu", "header_says_agent"),
    "quality": (
        *("kvp", "slice_thickness_mm", "slice_spacing_mm", "noise_sd_hu", "streak_index", "metal_mm3"),
        *("gantry_tilt_degrees", "table_height_mm", "kernel_class", "has_missing_slices", "quality_flags"),
    ),
}

TISSUES = ("air", "fat", "muscle", "blood", "cortical")


def row_of_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a scan from its record (`desc-calibration.json`); what the method does not know is None."""
    found = record["calibration"]
    line = found["line"] or {}
    rods = [rod for rod in found.get("rods", ()) if rod["is_used"]]
    drifts = [abs(rod["drift_hu_per_100mm"]) for rod in rods if rod.get("drift_hu_per_100mm") is not None]
    residuals = [abs(value) for value in found.get("residuals_hu", {}).values()]
    samples = {name: record["tissues"][name].get("hu_mean") for name in TISSUES}
    taken = {name: record[part].get(name) for part, names in TAKEN.items() for name in names}
    return taken | {
        "method": line.get("method", "none"),
        "detail": found["detail"] or None,
        "material": line.get("material"),
        "slope_mg_cm3_per_hu": line.get("slope_mg_cm3_per_hu"),
        "intercept_mg_cm3": line.get("intercept_mg_cm3"),
        "r2": line.get("r2"),
        "rods_used": len(rods) if rods else None,
        "largest_drift_hu_per_100mm": max(drifts, default=None),
        "largest_tissue_residual_hu": max(residuals, default=None),
        "tried": [f"{other['method']}: {other['reason']}" for other in found.get("tried", ())],
        "contrast_phase": record["contrast"]["phase"],
        "contrast_confidence": record["contrast"]["confidence"],
        **{f"{name}_hu": value for name, value in samples.items()},
    }
