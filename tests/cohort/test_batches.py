"""The tables of a cohort do not depend on how its patients are shared out to units and batches."""

import pandas as pd
import pyarrow.parquet as pq
import pytest

from spongiosa.cohort.aggregate import UnitTables, aggregate_cohort
from spongiosa.cohort.batches import COHORT_TABLES, batches_of_patients, cohort_writer
from spongiosa.provenance import write_table

PATIENTS = [f"P{number}" for number in range(1, 8)]


def write_units(folder, units):
    """Two stages and the row tables of units `{name: patients}`; P3 has no DICOM and so no rows."""
    for unit, patients in units.items():
        scans = [{"patient_id": patient, "session": "preop", "modality": "ct"} for patient in patients]
        measured = [scan for scan in scans if scan["patient_id"] != "P3"]
        stage = [
            scan
            | {"unit": "u", "status": "ok", "reason": None, "detail": None, "left_at": None, "flags": [], "outputs": []}
            | ({"status": "excluded", "reason": "no_dicom", "left_at": "index"} if scan not in measured else {})
            for scan in scans
        ]
        levels = [scan | {"level": level} for scan in measured for level in ("L2", "L1")]
        content = {
            "index": stage,
            "review": stage,
            "series": [scan | {"series_key": "k", "kvp": 120.0} for scan in measured],
            "vertebrae": [row | {"label": int(row["level"][1]) + 19} for row in levels],
            "calibration": [scan | {"method": "phantom", "quality_flags": [scan["patient_id"]]} for scan in measured],
            "measurements": [row | {"region": "oval", "status": "ok", "hu_mean": 1.5} for row in levels],
        }
        for name, rows in content.items():
            table = pd.DataFrame(rows)
            if name in ("index", "review"):
                table = table.astype(dict.fromkeys(["reason", "detail", "left_at"], "string"))
            write_table(folder / unit / f"{name}.parquet", table)
    return UnitTables([folder / unit for unit in units], stages=("index", "review"))


def cohort_bytes(folder, tables, patients_per_batch):
    outputs = {name: folder / "cohort" / f"{name}.parquet" for name in COHORT_TABLES}
    with cohort_writer(outputs, tables) as write:
        for batch in batches_of_patients(tables, patients_per_batch):
            write(aggregate_cohort(batch, []))
    return {name: path.read_bytes() for name, path in outputs.items()}


@pytest.fixture
def in_order(tmp_path):
    return write_units(tmp_path / "in_order", {"u1": PATIENTS[:3], "u2": PATIENTS[3:6], "u3": PATIENTS[6:]})


def test_other_units_give_the_same_bytes(tmp_path, in_order):
    mixed = write_units(tmp_path / "mixed", {"u1": ["P7", "P2"], "u2": ["P1", "P6", "P4"], "u3": ["P3", "P5"]})
    assert cohort_bytes(tmp_path, mixed, 3) == cohort_bytes(tmp_path, in_order, 3)


def test_batches_give_the_rows_of_one_batch_of_all(tmp_path, in_order):
    whole = aggregate_cohort(in_order, [])
    cohort_bytes(tmp_path, in_order, 2)
    for name in COHORT_TABLES:
        written = pd.read_parquet(tmp_path / "cohort" / f"{name}.parquet")
        assert written["patient_id"].tolist() == getattr(whole, name)["patient_id"].tolist(), name
    assert pq.ParquetFile(tmp_path / "cohort" / "measurements.parquet").num_row_groups == 4


def test_a_batch_reads_only_the_units_of_its_patients(in_order):
    batches = list(batches_of_patients(in_order, 3))
    assert [[folder.name for folder in batch.folders] for batch in batches] == [["u1"], ["u2"], ["u3"]]
    assert all(batch.patients is None for batch in batches)


def test_a_batch_that_fails_leaves_no_table(tmp_path, in_order):
    with pytest.raises(KeyError), cohort_writer({"scans": tmp_path / "scans.parquet"}, in_order):
        raise KeyError("planted")
    assert list(tmp_path.glob("*.parquet")) == []
