"""Manual measurements: every fault with its row and column, and the join with the workflow's own values."""

import pandas as pd
import pytest

from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.reader_table import KEY, join_readers, read_readers

SCANS = {("P1", "preop", "ct"), ("P2", "preop", "ct")}
HEADER = "patient_id,reader,trial,level,region,side,quantity,value\n"


def written(tmp_path, text):
    path = tmp_path / "readers.csv"
    path.write_text(text, encoding="utf-8")
    return path


def measurement(region, side, value, status="ok", reason=None, level="L5"):
    scan = {"patient_id": "P1", "session": "preop", "modality": "ct", "variant": "default"}
    return scan | {
        "level": level, "region": region, "side": side, "status": status, "reason": reason, "hu_mean": value,
    }  # fmt: skip


def test_absent_columns_have_their_documented_meaning(tmp_path):
    path = written(tmp_path, "patient_id,reader,level,region,quantity,value\nP1,AB,L1,ellipse_mid,hu_mean,101.5\n")
    readings = read_readers(path, SCANS)
    row = readings.iloc[0]
    assert (row["session"], row["modality"], row["trial"], row["side"]) == ("preop", "ct", 1, "none")
    assert list(readings.columns) == [*KEY, "value"]


def test_all_faults_come_at_once_with_their_rows_and_columns(tmp_path):
    rows = [
        "P9,AB,1,L1,ellipse_mid,none,hu_mean,100",
        "P1,,1,L1,ellipse_mid,none,hu_mean,100",
        "P1,AB,first,L1,ellipse_mid,none,hu_mean,100",
        "P1,AB,1,LWK1,ellipse_mid,none,hu_mean,100",
        "P1,AB,1,L1,elipse,none,hu_mean,100",
        "P1,AB,1,L1,pedicle,both,hu_mean,100",
        "P1,AB,1,L1,ellipse_mid,none,mean,100",
        "P1,AB,1,L1,ellipse_mid,none,hu_mean,abc",
        "P1,AB,1,L1,ellipse_mid,none,hu_mean,9000",
    ]
    with pytest.raises(InputFaults) as refused:
        read_readers(written(tmp_path, HEADER + "\n".join(rows) + "\n"), SCANS)
    found = [(fault.row, fault.column) for fault in refused.value.faults]
    columns = ["patient_id", "reader", "trial", "level", "region", "side", "quantity", "value", "value"]
    assert found == list(enumerate(columns, start=2))


def test_a_measurement_given_twice_is_refused_unless_its_trials_differ(tmp_path):
    row = "P1,AB,{},L1,ellipse_mid,none,hu_mean,100\n"
    assert len(read_readers(written(tmp_path, HEADER + row.format(1) + row.format(2)), SCANS)) == 2
    with pytest.raises(InputFaults, match=r"row 3, column 'trial': the same measurement stands in row 2"):
        read_readers(written(tmp_path, HEADER + row.format(1) * 2), SCANS)


def test_a_reading_stands_beside_the_value_of_the_same_place(tmp_path):
    rows = ["P1,AB,1,L5,pedicle,left,hu_mean,130", "P1,AB,1,L5,pedicle,none,hu_mean,120"]
    rows += ["P1,AB,1,L5,body_central,none,hu_mean,90", "P2,AB,1,L5,body_central,none,hu_mean,80"]
    readings = read_readers(written(tmp_path, HEADER + "\n".join(rows) + "\n"), SCANS)
    measurements = pd.DataFrame(
        [
            measurement("pedicle", "left", 131.0),
            measurement("pedicle", "right", 111.0),
            measurement("body_central", "none", 92.0, "excluded", "metal"),
        ]
    )
    joined = join_readers(readings, measurements).set_index(["patient_id", "region", "side"])
    assert joined.loc[("P1", "pedicle", "left"), "software_value"] == 131.0
    assert joined.loc[("P1", "pedicle", "none"), "software_value"] == pytest.approx(121.0)
    assert pd.isna(joined.loc[("P1", "body_central", "none"), "software_value"])
    assert joined.loc[("P1", "body_central", "none"), "software_reason"] == "metal"
    assert joined.loc[("P2", "body_central", "none"), "software_reason"] == "not_measured"


def test_ids_are_replaced_by_their_keyed_hashes_before_they_are_looked_up(tmp_path):
    from spongiosa.cohort.manifest import pseudonym

    key = b"a key of 16 bytes or more"
    scans = {(pseudonym("P1", key), "preop", "ct")}
    readings = read_readers(written(tmp_path, HEADER + "P1,AB,1,L1,ellipse_mid,none,hu_mean,100\n"), scans, key)
    assert readings["patient_id"].tolist() == [pseudonym("P1", key)]
