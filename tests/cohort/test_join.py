"""From the tables of the units to one row per patient."""

import pandas as pd
import pytest

from spongiosa.cohort.aggregate import ROW_TABLES, UnitTables
from spongiosa.cohort.batches import COHORT_TABLES
from spongiosa.cohort.join import KnownOfPatients, join_units, joined_patients
from spongiosa.config.aggregate import AggregateSettings
from spongiosa.density.indices import derive_indices
from spongiosa.provenance import write_table

INDICES = pd.DataFrame({"patient_id": ["P1", "P2"], "pbq": [None, None], "pbq_levels_used": 0, "pbq_reason": "absent"})


def test_clinical_columns_come_first_and_what_they_state_wins():
    clinical = pd.DataFrame({"patient_id": ["P2"], "age_years": [70.0], "pbq": [3.4]})
    joined = joined_patients(INDICES, clinical)
    assert list(joined.columns) == ["patient_id", "age_years", "pbq"]
    assert joined["patient_id"].tolist() == ["P1", "P2"]
    assert joined["age_years"].isna().tolist() == [True, False]


def test_what_the_clinical_table_states_wins_over_the_acquisition():
    clinical = pd.DataFrame({"patient_id": ["P1"], "contrast_phase": ["none"]})
    acquisition = pd.DataFrame({"patient_id": ["P1"], "kvp": [120.0], "contrast_phase": ["portal_venous"]})
    joined = joined_patients(INDICES, clinical, acquisition)
    assert joined.loc[0, "contrast_phase"] == "none"
    assert joined.loc[0, "kvp"] == 120.0


def write_unit(folder, patients):
    """One stage and the row tables of patients with 3D-HU of 100, 110, 120 and 130 at L1 to L4."""
    scans = [{"patient_id": patient, "session": "preop", "modality": "ct"} for patient in patients]
    levels = [scan | {"level": f"L{number}"} for scan in scans for number in range(1, 5)]
    values = {"region": "body_trabecular", "side": "none", "variant": "default", "status": "ok", "kvp": 120.0}
    content = {
        "series": [scan | {"series_key": "k", "is_chosen": True, "age_years": 60.0, "sex": "F"} for scan in scans],
        "vertebrae": levels,
        "calibration": [scan | {"method": "phantom"} for scan in scans],
        "measurements": [row | values | {"hu_mean": 90.0 + 10.0 * int(row["level"][1])} for row in levels],
    }
    assert content.keys() == ROW_TABLES.keys()
    for name, rows in content.items():
        write_table(folder / f"{name}.parquet", pd.DataFrame(rows))
    stage = pd.DataFrame(scans).assign(unit=folder.name, status="ok", reason=None, detail=None, left_at=None)
    stage = stage.assign(flags=[[] for _ in scans], outputs=[[] for _ in scans])
    write_table(folder / "stage.parquet", stage.astype(dict.fromkeys(["reason", "detail", "left_at"], "string")))


@pytest.fixture
def joined(tmp_path):
    """The tables of three patients in two units, with what a clinical table, headers and a reader know of them."""
    write_unit(tmp_path / "u1", ["P2"])
    write_unit(tmp_path / "u2", ["P1", "P3"])
    clinical = pd.DataFrame({"patient_id": ["P1", "P2"], "sex": ["male", None], "treated_levels": ["L1", None]})
    accepted = {"patient_id": "P3", "session": "preop", "modality": "ct", "action": "accept", "level": "", "value": ""}
    outputs = {name: tmp_path / "cohort" / f"{name}.parquet" for name in (*COHORT_TABLES, "patients")}
    rows = join_units(
        UnitTables([tmp_path / "u1", tmp_path / "u2"], stages=("stage",)),
        outputs | {"patients_csv": tmp_path / "cohort" / "patients.csv"},
        AggregateSettings(),
        derive_indices,
        KnownOfPatients([accepted], clinical.astype("string"), "bands"),
    )
    tables = {name: pd.read_parquet(path) for name, path in outputs.items()}
    return rows, tables, pd.read_csv(tmp_path / "cohort" / "patients.csv")


def test_every_table_of_the_cohort_is_written_and_its_rows_are_counted(joined):
    rows, tables, as_text = joined
    assert rows == {name: len(table) for name, table in tables.items()}
    of_scans = dict.fromkeys(("scans", "series", "calibration", "patients"), 3)
    assert rows == of_scans | {"measurements": 12, "vertebrae": 12, "exclusions": 1}
    assert tables["calibration"]["method"].tolist() == ["phantom"] * 3
    assert as_text["patient_id"].tolist() == tables["patients"]["patient_id"].tolist() == ["P1", "P2", "P3"]


def test_clinical_table_headers_and_readers_meet_in_the_tables(joined):
    """An age of the band from 60 counts as its middle, 62.5 years; L1 of P1 was treated: (110 + 120 + 130) / 3 HU."""
    _, tables, _ = joined
    patients = tables["patients"].set_index("patient_id")
    assert patients["hu_3d_l1_l4"].tolist() == pytest.approx([120.0, 115.0, 115.0])
    assert patients.loc["P1", "levels_left_out"] == "L1 (treated levels)"
    assert tables["exclusions"][["patient_id", "level", "reason"]].values.tolist() == [["P1", "L1", "level_left_out"]]
    assert patients["sex"].tolist() == ["male", "female", "female"]
    assert patients["age_years"].tolist() == [62.5] * 3
    assert patients["kvp"].tolist() == [120.0] * 3
    assert tables["scans"]["review"].fillna("").tolist() == ["", "", "accepted"]
