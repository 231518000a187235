"""Columns and types of the cohort's tables, so that a table has the same form when a column, or all of it, is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SCAN_COLUMNS = ("patient_id", "session", "modality")

_TEXT, _REAL, _WHOLE, _YES_NO, _WORDS = "string", "double", "int64", "bool", "words"


def _of_type(kind: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, kind)


_SCAN = _of_type(_TEXT, *SCAN_COLUMNS)

TABLES: dict[str, dict[str, str]] = {
    "scans": _SCAN
    | _of_type(_TEXT, "unit", "status", "stage", "reason", "detail")
    | _of_type(_WORDS, "flags")
    | _of_type(_TEXT, "review_picture", "review"),
    "exclusions": _SCAN | _of_type(_TEXT, "level", "stage", "reason", "detail"),
    "measurements": _SCAN
    | _of_type(_TEXT, "level", "region", "side", "variant", "plane", "trajectory_source", "status", "reason")
    | _of_type(_WORDS, "flags")
    | _of_type(_REAL, "hu_mean", "hu_sd", "hu_median", "hu_mean_inset_4mm", "hu_mean_inset_6mm", "hu_p05", "hu_p95")
    | _of_type(_WHOLE, "voxels")
    | _of_type(_REAL, "effective_voxels", "volume_mm3", "area_mm2", "rejected_fraction")
    | _of_type(_REAL, "hu_referenced_mean", "hu_contrast_adjusted_mean")
    | _of_type(_REAL, "vbmd_mean_mg_cm3", "vbmd_sd_mg_cm3")
    | _of_type(_TEXT, "vbmd_material", "calibration_method")
    | _of_type(_REAL, "calibration_slope", "calibration_intercept", "calibration_r2")
    | _of_type(_TEXT, "calibration_reason")
    | _of_type(_REAL, "signal_mean", "kvp")
    | _of_type(_TEXT, "kernel", "manufacturer")
    | _of_type(_REAL, "slice_thickness_mm", "slice_spacing_mm", "pixel_spacing_mm")
    | _of_type(_TEXT, "contrast_phase", "localiser")
    | _of_type(_REAL, "localiser_confidence")
    | _of_type(_TEXT, "version", "config_hash"),
    "calibration": _SCAN
    | _of_type(_TEXT, "method", "reason", "detail", "phantom", "material")
    | _of_type(_REAL, "slope_mg_cm3_per_hu", "intercept_mg_cm3", "r2")
    | _of_type(_WHOLE, "rods_used")
    | _of_type(_REAL, "residual_rms_mg_cm3", "largest_drift_hu_per_100mm", "coverage")
    | _of_type(_REAL, "effective_energy_kev", "expected_energy_kev", "largest_tissue_residual_hu")
    | _of_type(_WORDS, "tissues_used", "tried")
    | _of_type(_REAL, "air_hu", "fat_hu", "muscle_hu", "blood_hu", "cortical_hu")
    | _of_type(_TEXT, "contrast_phase")
    | _of_type(_REAL, "contrast_confidence", "aorta_hu", "vena_cava_hu", "kidney_hu")
    | _of_type(_YES_NO, "header_says_agent")
    | _of_type(_TEXT, "scanner", "manufacturer", "kernel", "kernel_class")
    | _of_type(_REAL, "kvp", "slice_thickness_mm", "slice_spacing_mm", "noise_sd_hu", "streak_index", "metal_mm3")
    | _of_type(_REAL, "gantry_tilt_degrees", "table_height_mm")
    | _of_type(_YES_NO, "has_missing_slices")
    | _of_type(_WORDS, "quality_flags"),
    "vertebrae": _SCAN
    | _of_type(_TEXT, "level")
    | _of_type(_WHOLE, "label")
    | _of_type(_YES_NO, "is_truncated")
    | _of_type(_TEXT, "reason")
    | _of_type(_REAL, "confidence")
    | _of_type(_TEXT, "localiser")
    | _of_type(_WORDS, "flags")
    | _of_type(_REAL, *(f"centre_{axis}_mm" for axis in "xyz"))
    | _of_type(
        _REAL,
        *(
            f"{endplate}_endplate_{part}_{axis}{unit}"
            for endplate in ("superior", "inferior")
            for part, unit in (("point", "_mm"), ("normal", ""))
            for axis in "xyz"
        ),
    )
    | _of_type(_REAL, "anterior_height_mm", "middle_height_mm", "posterior_height_mm", "body_depth_mm")
    | _of_type(_TEXT, "fracture_type")
    | _of_type(_WHOLE, "fracture_grade")
    | _of_type(_REAL, "height_loss"),
}


def arrow_schema(name: str) -> pa.Schema:
    """The Arrow schema of a cohort table."""
    import pyarrow as pa

    types = {
        _TEXT: pa.string(),
        _REAL: pa.float64(),
        _WHOLE: pa.int64(),
        _YES_NO: pa.bool_(),
        _WORDS: pa.list_(pa.string()),
    }
    return pa.schema([(column, types[kind]) for column, kind in TABLES[name].items()])


def completed(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """`table` with exactly the columns of the cohort table `name`, in their order; missing ones are null.

    Raises `ValueError` when it has a column that the schema does not know: the contract would change unnoticed.
    """
    import pandas as pd

    unknown = sorted(set(table.columns) - TABLES[name].keys())
    if unknown:
        raise ValueError(f"columns that the schema of '{name}' does not know: {', '.join(unknown)}")
    missing = [column for column in TABLES[name] if column not in table.columns]
    nothing = {column: pd.Series([None] * len(table), index=table.index, dtype=object) for column in missing}
    return table.assign(**nothing)[list(TABLES[name])]
