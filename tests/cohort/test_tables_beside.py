"""Readers and screws are looked at before anything runs, and their faults come together."""

import pytest

from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.manifest import ScanRow
from spongiosa.cohort.tables_beside import check_tables_beside
from spongiosa.config.loading import load_configuration


def configured(tmp_path, readers, screws):
    (tmp_path / "readers.csv").write_text(readers, encoding="utf-8")
    (tmp_path / "screws.csv").write_text(screws, encoding="utf-8")
    return load_configuration(
        {
            "cohort": {"manifest": str(tmp_path / "manifest.tsv")},
            "readers": {"table": str(tmp_path / "readers.csv")},
            "clinical": {"screws": str(tmp_path / "screws.csv")},
        }
    )


ROWS = [ScanRow("P1", "preop", "ct", "dicom/P1")]
READERS = "patient_id,reader,level,region,quantity,value\n"
SCREWS = "patient_id,level,side,loosening\n"


def test_faults_of_both_tables_are_listed_together(tmp_path):
    given = configured(tmp_path, READERS + "P1,A,L1,ellipse_mid,hu_mean,x\n", SCREWS + "P2,L5,left,yes\n")
    with pytest.raises(InputFaults) as refused:
        check_tables_beside(given, ROWS)
    places = [(fault.table, fault.row, fault.column) for fault in refused.value.faults]
    assert places == [("readers", 2, "value"), ("screws", 2, "patient_id")]


def test_good_tables_pass_and_no_table_is_no_fault(tmp_path):
    check_tables_beside(
        configured(tmp_path, READERS + "P1,A,L1,ellipse_mid,hu_mean,99\n", SCREWS + "P1,L5,left,yes\n"), ROWS
    )
    check_tables_beside(load_configuration({"cohort": {"manifest": "manifest.tsv"}}), ROWS)


def test_a_table_that_is_not_there_is_named(tmp_path):
    given = load_configuration({"cohort": {"manifest": "m.tsv"}, "readers": {"table": str(tmp_path / "none.csv")}})
    with pytest.raises(InputFaults, match="does not exist"):
        check_tables_beside(given, ROWS)
