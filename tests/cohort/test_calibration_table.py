"""One row per examined scan: how it was calibrated, its phase and its quality."""

import pandas as pd
import pytest

from spongiosa.cohort.aggregate import ROW_TABLES, UnitTables, aggregate_cohort
from spongiosa.cohort.batches import cohort_writer
from spongiosa.cohort.calibration_table import row_of_record
from spongiosa.cohort.runner import write_unit_rows
from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.cohort.schemas import TABLES
from spongiosa.cohort.store import Record
from spongiosa.outcome import Status
from spongiosa.provenance import write_table

LINE = {"slope_mg_cm3_per_hu": 0.8, "intercept_mg_cm3": 1.5, "material": "K2HPO4", "method": "phantom", "r2": 0.999}
FOUND = {"hu_mean": -101.0, "hu_sd": 12.0, "voxels": 5000}
NOT_FOUND = {"reason": "tissues_not_found", "detail": "No free air."}


def record(**calibration):
    return {
        "calibration": {"line": None, "reason": None, "detail": ""} | calibration,
        "scanner": {"scanner": "ct1", "manufacturer": "Siemens", "kvp": 120.0, "kernel": "Br36"},
        "contrast": {"phase": "none", "confidence": 0.97, "aorta_hu": 44.0, "header_says_agent": None},
        "quality": {"kvp": 120.0, "noise_sd_hu": 11.0, "has_missing_slices": False, "quality_flags": ["quality_kvp"]},
        "tissues": {"air": NOT_FOUND, **dict.fromkeys(("fat", "muscle", "blood", "cortical"), FOUND)},
    }


@pytest.fixture
def records():
    """By patient a scan by phantom, one by tissues after its phantom was refused, and one that left before."""
    rods = [
        {"name": "A", "is_used": True, "hu": 1.0, "drift_hu_per_100mm": -4.0},
        {"name": "B", "is_used": True, "hu": 150.0, "drift_hu_per_100mm": None},
        {"name": "C", "is_used": False},
    ]
    tried = [{"method": "phantom", "reason": "phantom_fit", "detail": "A sentence.", "rods": rods}]
    return {
        "P2": record(line=LINE, phantom="mine", rods=rods, residual_rms_mg_cm3=1.2, coverage=0.9),
        "P1": record(
            line=LINE | {"method": "internal"},
            effective_energy_kev=68.5,
            tissues_used=["fat", "blood"],
            residuals_hu={"fat": -3.0, "blood": 2.0},
            tried=tried,
        ),
        "P3": None,
    }


def joined(folder, records):
    """The table of a cohort whose one unit wrote these records, read as a user reads it."""
    unit = folder / "units" / "u1"
    outcomes = []
    for patient, content in records.items():
        outputs = Outputs(Scan(patient, "preop", "ct", folder, {}))
        if content is not None:
            outputs.write_json("desc-calibration", content)
            outputs.write_rows("desc-calibration", [row_of_record(content)])
        outcomes.append((outputs.scan, Record("extract_density", "key", Status.OK, outputs=outputs.written)))
    write_unit_rows(unit / "calibration.parquet", outcomes, "desc-calibration")
    for name in ROW_TABLES.keys() - {"calibration"}:
        write_table(unit / f"{name}.parquet", pd.DataFrame())
    scans = pd.DataFrame({"patient_id": list(records), "session": "preop", "modality": "ct", "unit": "u1"})
    scans = scans.assign(status="ok", reason=None, detail=None, left_at=None, flags=[[]] * 3, outputs=[[]] * 3)
    write_table(unit / "review.parquet", scans.astype(dict.fromkeys(["reason", "detail", "left_at"], "string")))
    tables = UnitTables([unit], stages=("review",))
    with cohort_writer({"calibration": folder / "calibration.parquet"}, tables) as write:
        write(aggregate_cohort(tables, []))
    return pd.read_parquet(folder / "calibration.parquet")


@pytest.fixture
def table(tmp_path, records):
    return joined(tmp_path, records)


def test_scans_that_were_examined_have_a_row_in_the_order_of_patients(table):
    assert table["patient_id"].tolist() == ["P1", "P2"]
    assert list(table.columns) == list(TABLES["calibration"])


def test_a_row_says_how_the_line_was_found_and_how_well(table):
    by_tissues, by_phantom = table.to_dict("records")
    assert (by_phantom["method"], by_phantom["phantom"], by_phantom["material"]) == ("phantom", "mine", "K2HPO4")
    assert (by_phantom["rods_used"], by_phantom["largest_drift_hu_per_100mm"]) == (2, 4.0)
    assert (by_phantom["slope_mg_cm3_per_hu"], by_phantom["residual_rms_mg_cm3"]) == (0.8, 1.2)
    assert (by_tissues["method"], by_tissues["effective_energy_kev"]) == ("internal", 68.5)
    assert (list(by_tissues["tissues_used"]), by_tissues["largest_tissue_residual_hu"]) == (["fat", "blood"], 3.0)
    assert list(by_tissues["tried"]) == ["phantom: phantom_fit"]
    assert pd.isna(by_tissues["rods_used"])


def test_what_was_not_found_is_missing(table):
    row = table.iloc[0]
    assert row["fat_hu"] == -101.0 and pd.isna(row["air_hu"])
    assert (row["contrast_phase"], row["contrast_confidence"], row["aorta_hu"]) == ("none", 0.97, 44.0)
    assert pd.isna(row["table_height_mm"]) and pd.isna(row["header_says_agent"])
    assert (row["noise_sd_hu"], list(row["quality_flags"]), row["scanner"]) == (11.0, ["quality_kvp"], "ct1")


def test_the_table_has_the_same_form_when_nobody_was_examined(tmp_path, table, records):
    nobody = joined(tmp_path / "nobody", dict.fromkeys(records))
    assert len(nobody) == 0
    assert list(nobody.columns) == list(table.columns) == list(TABLES["calibration"])
