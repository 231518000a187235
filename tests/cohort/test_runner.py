"""Inside a unit every scan stands alone, and what is current is not computed again."""

import pandas as pd
import pytest

from spongiosa.cohort.runner import StageRun, Stopped, run_unit, write_unit_rows, write_unit_table
from spongiosa.cohort.store import Store
from spongiosa.outcome import Reason, Status

from .stages import Stage, excluded, statuses

ROWS = [{"patient_id": f"P{n}", "session": "preop", "modality": "ct", "path": f"/secret/Doe_{n}"} for n in (1, 2, 3)]


def broken(scan):
    raise KeyError(scan.row["path"])


def run(tmp_path, rows=ROWS, settings_key="s", stage="index_series", previous=None):
    return StageRun(stage, "u0000001", tmp_path, rows, None, settings_key, previous)


def test_an_exclusion_and_a_bug_cost_nobody_else_anything(tmp_path):
    outcomes = run_unit(Stage(P1=excluded, P2=broken), run(tmp_path))
    assert statuses(outcomes) == ["excluded", "failed", "ok"]
    assert outcomes[0][1].reason == Reason.NO_DICOM
    assert outcomes[1][1].reason == Reason.UNEXPECTED_ERROR
    assert "KeyError in test_runner.py" in outcomes[1][1].detail


def test_the_path_of_the_input_reaches_no_record_and_no_log(tmp_path, caplog):
    outcomes = run_unit(Stage(P2=broken), run(tmp_path))
    assert "Traceback" in caplog.text
    assert "secret" not in caplog.text
    assert all("secret" not in path.read_text() for path in tmp_path.rglob("*.json"))
    assert outcomes[1][1].status is Status.FAILED


def test_a_second_run_computes_nobody(tmp_path):
    run_unit(Stage(P1=excluded), run(tmp_path))
    again = Stage(P1=excluded)
    assert statuses(run_unit(again, run(tmp_path))) == ["excluded", "ok", "ok"]
    assert again.computed == []


def test_a_changed_setting_computes_everybody_and_a_changed_row_only_its_patient(tmp_path):
    run_unit(Stage(), run(tmp_path))
    changed_settings, changed_row = Stage(), Stage()
    run_unit(changed_settings, run(tmp_path, settings_key="t"))
    rows = [ROWS[0], ROWS[1] | {"image_fingerprint": "new"}, ROWS[2]]
    run_unit(changed_row, run(tmp_path, rows=rows, settings_key="t"))
    assert changed_settings.computed == ["P1", "P2", "P3"]
    assert changed_row.computed == ["P2"]


def test_a_moved_but_unchanged_input_computes_nobody(tmp_path):
    run_unit(Stage(), run(tmp_path))
    moved = Stage()
    run_unit(moved, run(tmp_path, rows=[row | {"path": "/elsewhere"} for row in ROWS]))
    assert moved.computed == []


def test_a_damaged_output_is_made_again(tmp_path):
    outcomes = run_unit(Stage(), run(tmp_path))
    damaged = tmp_path / next(iter(outcomes[1][1].outputs))
    damaged.write_bytes(b"")
    again = Stage()
    run_unit(again, run(tmp_path))
    assert again.computed == ["P2"]


def test_a_failed_scan_is_tried_again(tmp_path):
    run_unit(Stage(P2=broken), run(tmp_path))
    mended = Stage()
    assert statuses(run_unit(mended, run(tmp_path))) == ["ok", "ok", "ok"]
    assert mended.computed == ["P2"]


def test_whoever_took_the_process_down_twice_is_passed_over(tmp_path):
    class Crash(BaseException):
        pass

    def crash(_scan):
        raise Crash

    for _ in range(2):
        with pytest.raises(Crash):
            run_unit(Stage(P2=crash), run(tmp_path))
    third = Stage(P2=crash)
    outcomes = run_unit(third, run(tmp_path))
    assert statuses(outcomes) == ["ok", "failed", "ok"]
    assert outcomes[1][1].reason == Reason.PROCESS_DIED
    assert third.computed == ["P3"]


def test_an_orderly_stop_does_not_count_against_the_scan(tmp_path):
    def stop(_scan):
        raise Stopped("SIGTERM")

    for _ in range(3):
        with pytest.raises(Stopped):
            run_unit(Stage(P2=stop), run(tmp_path))
    assert statuses(run_unit(Stage(), run(tmp_path))) == ["ok", "ok", "ok"]


def test_later_stages_pass_an_exclusion_on_and_compute_the_others(tmp_path):
    first = run(tmp_path)
    table = tmp_path / "units" / "u0000001" / "index_series.parquet"
    write_unit_table(table, first, run_unit(Stage(P1=excluded), first))
    later = Stage()
    outcomes = run_unit(later, run(tmp_path, stage="convert_scan", previous=table))
    assert statuses(outcomes) == ["excluded", "ok", "ok"]
    assert outcomes[0][1].left_at == "index_series"
    assert later.computed == ["P2", "P3"]


def test_a_change_upstream_reaches_the_later_stage_of_that_patient_only(tmp_path):
    table = tmp_path / "units" / "u0000001" / "index_series.parquet"
    write_unit_table(table, run(tmp_path), run_unit(Stage(), run(tmp_path)))
    run_unit(Stage(), run(tmp_path, stage="convert_scan", previous=table))
    changed = run(tmp_path, rows=[ROWS[0], ROWS[1] | {"image_fingerprint": "new"}, ROWS[2]])
    write_unit_table(table, changed, run_unit(Stage(), changed))
    later = Stage()
    run_unit(later, run(tmp_path, stage="convert_scan", previous=table))
    assert later.computed == ["P2"]


def test_outputs_of_a_scan_that_leaves_later_are_removed(tmp_path):
    outcomes = run_unit(Stage(), run(tmp_path))
    written = tmp_path / next(iter(outcomes[0][1].outputs))

    def leave(scan, _settings, _outputs):
        excluded(scan)

    run_unit(leave, run(tmp_path, settings_key="t"))
    assert not written.exists()


def test_rows_of_all_scans_are_joined_and_named(tmp_path):
    outcomes = run_unit(Stage(P2=excluded), run(tmp_path))
    path = tmp_path / "units" / "u0000001" / "rows.parquet"
    write_unit_rows(path, outcomes, "desc-rows")
    assert pd.read_parquet(path)["patient_id"].tolist() == ["P1", "P2", "P3"]


def test_marks_are_gone_when_all_is_done(tmp_path):
    outcomes = run_unit(Stage(P1=excluded, P2=broken), run(tmp_path))
    assert not any(Store(scan, "index_series").mark_path.exists() for scan, _ in outcomes)
