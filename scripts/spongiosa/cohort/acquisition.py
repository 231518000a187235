"""How each patient's CT was made, beside its indices: HU depend on scanner, tube voltage, kernel and contrast."""

from __future__ import annotations

import pandas as pd

from spongiosa.dicom.kernels import kernel_class

#: Columns of the measurements that are one per scan, with their type in patients.parquet.
COLUMNS = {
    "manufacturer": "string",
    "kvp": "Float64",
    "kernel": "string",
    "slice_thickness_mm": "Float64",
    "contrast_phase": "string",
    "calibration_method": "string",
    "calibration_reason": "string",
}

#: The mineral of the densities, which rows without a density do not name.
MATERIAL = "vbmd_material"


def acquisition_of_patients(measurements: pd.DataFrame, session: str) -> pd.DataFrame:
    """One row per patient whose CT of `session` was measured, sorted by patient.

    `COLUMNS`, then `kernel_class` and `vbmd_material`.
    """
    names = list(COLUMNS)
    if measurements.empty:
        empty = pd.DataFrame(columns=["patient_id", *names, "kernel_class", MATERIAL])
        return empty.astype(COLUMNS | {"patient_id": "string", "kernel_class": "string", MATERIAL: "string"})
    rows = measurements[(measurements["session"] == session) & (measurements["modality"] == "ct")]
    present = rows.reindex(columns=["patient_id", *names]).drop_duplicates("patient_id")
    table = present.astype(COLUMNS | {"patient_id": "string"}).sort_values("patient_id", ignore_index=True)
    classes = table["kernel"].map(lambda text: kernel_class(str(text)), na_action="ignore").astype("string")
    known = rows.reindex(columns=["patient_id", MATERIAL]).dropna(subset=MATERIAL).drop_duplicates("patient_id")
    material = table["patient_id"].map(known.set_index("patient_id")[MATERIAL]).astype("string")
    return table.assign(kernel_class=classes, **{MATERIAL: material})
