"""What `python -m spongiosa.cohort.progress` says of a run that goes on."""

import os

import pandas as pd
import pytest

from spongiosa.cohort.handover import COLUMNS_OF_STAGE
from spongiosa.cohort.progress import describe, main, read_progress
from spongiosa.cohort.units import append_units
from spongiosa.provenance import write_table

STAGES = list(COLUMNS_OF_STAGE)


def stage_table(folder, unit, stage, outcomes, finished_at):
    rows = [
        {"patient_id": patient, "status": status, "left_at": left_at, "seconds": 2.0, "peak_memory_mb": 300.0}
        for patient, (status, left_at) in outcomes.items()
    ]
    path = folder / "units" / unit / f"{stage}.parquet"
    write_table(path, pd.DataFrame(rows).astype({"left_at": "string"}))
    os.utime(path, (finished_at, finished_at))


@pytest.fixture
def half_done(tmp_path):
    """Two units; the first has all stages done, at 100, 200, ... s, and lost P2 on the way; the second works on P3."""
    append_units(tmp_path / "units.tsv", {"P1": "u0000001", "P2": "u0000001", "P3": "u0000002"})
    for number, stage in enumerate(STAGES, start=1):
        lost = ("ok", None) if number == 1 else ("excluded", "convert_scan")
        stage_table(tmp_path, "u0000001", stage, {"P1": ("ok", None), "P2": lost}, 100.0 * number)
    mark = tmp_path / "sub-P3" / "ses-preop" / "ct" / ".spongiosa" / "index_series.started"
    mark.parent.mkdir(parents=True)
    mark.write_text("{}", encoding="utf-8")
    lock = tmp_path / "units" / "u0000002" / ".index_series.lock"
    lock.parent.mkdir()
    lock.touch()
    return tmp_path


def test_every_stage_counts_its_own_scans(half_done):
    progress = read_progress(half_done)
    scans = {stage.stage: stage.scans for stage in progress.stages}
    assert scans["index_series"] == {"ok": 2}
    assert scans["convert_scan"] == {"ok": 1, "excluded": 1}
    assert scans["extract_density"] == {"ok": 1}, "who left before is not counted again"
    assert progress.share_done == 0.5


def test_who_is_at_work_is_named(half_done):
    assert read_progress(half_done).patients_at_work == ["P3 (index_series)"]
    stage_table(half_done, "u0000002", "index_series", {"P3": ("ok", None)}, 700.0)
    assert read_progress(half_done).patients_at_work == []


def test_the_expected_end_follows_from_the_mean_rate(half_done):
    """Six of twelve tables came from 100 to 600 s, so five in 500 s; six more take 600 s."""
    assert read_progress(half_done).expected_end(now=600.0) == pytest.approx(1200.0)


def test_a_run_that_has_made_nothing_yet_has_no_expected_end(tmp_path):
    append_units(tmp_path / "units.tsv", {"P1": "u0000001"})
    progress = read_progress(tmp_path)
    assert progress.expected_end(now=10.0) is None
    assert "0/1" in describe(progress, now=10.0)


def test_a_folder_without_a_run_is_told(tmp_path, capsys):
    assert main([str(tmp_path)]) == 1
    assert "no run was begun" in capsys.readouterr().err
