"""Planned or seen screws: every fault with its row and column, and only the touched patient is measured again."""

import pytest

from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.handover import COLUMNS_OF_STAGE
from spongiosa.cohort.plan import begin_run, plan_cohort, recorded_plan
from spongiosa.cohort.screw_axes import ScrewAxis, read_screw_axes
from spongiosa.config.loading import load_configuration

SCANS = {("P1", "preop", "ct"), ("P1", "postop", "ct"), ("P2", "preop", "ct")}
HEADER = (
    "patient_id,session,level,side,entry_x_mm,entry_y_mm,entry_z_mm,tip_x_mm,tip_y_mm,tip_z_mm,diameter_mm,source\n"
)


def written(tmp_path, *rows, name="screws.csv"):
    path = tmp_path / name
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_a_screw_is_read_with_what_may_be_left_out(tmp_path):
    rows = ("P1,postop,l4,R,-14,40,-100.5,-8,0,-104,,screw", "P1,,L4,left,14,40,-100,8,0,-104,6.0,")
    planned, seen = sorted(
        read_screw_axes(written(tmp_path, *rows), SCANS), key=lambda axis: axis.session, reverse=True
    )
    assert planned == ScrewAxis("P1", "preop", "L4", "left", (14, 40, -100), (8, 0, -104), 6.0, "planned")
    assert seen == ScrewAxis("P1", "postop", "L4", "right", (-14, 40, -100.5), (-8, 0, -104), None, "screw")


def test_all_faults_come_at_once_with_their_rows_and_columns(tmp_path):
    there = "14,40,-100,8,0,-104"
    rows = {
        f"P9,,L4,left,{there},,": "patient_id",
        f"P2,postop,L4,left,{there},,": "patient_id",
        f"P1,,LWK4,left,{there},,": "level",
        f"P1,,L4,both,{there},,": "side",
        "P1,,L4,left,14,forty,-100,8,0,-104,,": "entry_y_mm",
        "P1,,L4,left,14,40,-100,8,0,inf,,": "tip_z_mm",
        "P1,,L4,left,14,40,-100,14,40,-100,,": "tip_x_mm",
        f"P1,,L4,left,{there},65,": "diameter_mm",
        f"P1,,L4,left,{there},,dreamt": "source",
        f"P1,,L3,left,{there},,": None,
        f"P1,preop,L3,l,{there},,": "side",
    }
    with pytest.raises(InputFaults) as refused:
        read_screw_axes(written(tmp_path, *rows), SCANS)
    found = [(fault.row, fault.column) for fault in refused.value.faults]
    assert found == [(row, column) for row, column in enumerate(rows.values(), start=2) if column]


def test_a_missing_and_an_unknown_column_are_named(tmp_path):
    path = tmp_path / "screws.csv"
    path.write_text("patient_id,level,side,entry_x\n", encoding="utf-8")
    with pytest.raises(InputFaults, match=r"entry_x.*unknown column") as refused:
        read_screw_axes(path, SCANS)
    assert "tip_z_mm" in str(refused.value)


def test_a_changed_screw_changes_the_regions_of_its_patient_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifest.tsv").write_text("patient_id\tpath\nP1\tdicom/P1\nP2\tdicom/P2\n", encoding="utf-8")
    screws = ["P1,,L4,left,14,40,-100,8,0,-104,,", "P2,,L4,left,14,40,-100,8,0,-104,,"]
    written(tmp_path, *screws)
    configuration = load_configuration({"cohort": {"manifest": "manifest.tsv", "screw_axes": "screws.csv"}})
    before = plan_cohort(configuration)
    written(tmp_path, *reversed(screws))
    swapped = plan_cohort(configuration)
    written(tmp_path, screws[0], screws[1].replace("-104", "-105"))
    after = plan_cohort(configuration)

    def changed(other):
        return [
            (unit, stage)
            for unit in before.units
            for stage in COLUMNS_OF_STAGE
            if before.hash_of_scans(unit, stage) != other.hash_of_scans(unit, stage)
        ]

    assert changed(swapped) == []
    assert changed(after) == [("u0000002", "mask_regions")]
    begin_run(after).close()
    (of_job,) = recorded_plan(configuration).scans_for_stage("u0000002", "mask_regions")
    assert of_job["screw_axes"][0]["tip_mm"] == [8, 0, -105]
