"""Corrections by readers are checked and go to the stage that they change."""

import pytest

from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.overrides import corrections_of_stage, read_overrides

SCANS = {("P1", "preop", "ct"), ("P2", "preop", "ct")}
HEADER = "patient_id\tsession\tmodality\taction\tlevel\tvalue\treader\treason\n"


def written(tmp_path, *rows):
    path = tmp_path / "overrides.tsv"
    path.write_text(HEADER + "".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_each_action_goes_to_its_stage(tmp_path):
    overrides = read_overrides(
        written(
            tmp_path,
            ("P1", "", "", "shift_levels", "", "-1", "AB", "L1 is T12"),
            ("P1", "", "", "choose_series", "", "a1b2", "AB", ""),
            ("P1", "", "", "exclude_level", "L2", "", "AB", "cement"),
        ),
        SCANS,
    )
    assert corrections_of_stage(overrides, "localise_vertebrae") == [["shift_levels", "-1"]]
    assert corrections_of_stage(overrides, "index_series") == [["choose_series", "a1b2"]]
    assert corrections_of_stage(overrides, "mask_regions") == []


def test_faults_name_row_and_column(tmp_path):
    path = written(
        tmp_path,
        ("P9", "", "", "accept", "", "", "", ""),
        ("P1", "", "", "delete", "", "", "", ""),
        ("P1", "", "", "exclude_level", "X3", "", "", ""),
        ("P1", "", "", "shift_levels", "", "0", "", ""),
    )
    with pytest.raises(InputFaults) as refused:
        read_overrides(path, SCANS)
    message = str(refused.value)
    assert "row 2, column 'patient_id': no scan P9, preop, ct in the cohort" in message
    assert "row 3, column 'action': 'delete' is not one of" in message
    assert "row 4, column 'level': 'X3' is not a vertebral level" in message
    assert "row 5, column 'value': '0' is not a whole number" in message
