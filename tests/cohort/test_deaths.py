"""Who is to blame when a process dies: the scan, a kill from outside, or the machine."""

import errno

import pytest

from spongiosa.cohort import machine
from spongiosa.cohort.machine import MachineFault, machine_fault
from spongiosa.cohort.runner import StageRun, run_unit
from spongiosa.cohort.store import FATAL_RUNS
from spongiosa.outcome import Reason

from .stages import Stage, statuses

ROWS = [{"patient_id": f"P{n}", "session": "preop", "modality": "ct"} for n in (1, 2, 3)]


class Killed(BaseException):
    """Stands for the end of the process: nothing after it runs, as no stage catches it."""


def killed(_scan):
    raise Killed


def run(tmp_path, name):
    return StageRun("index_series", "u0000001", tmp_path, ROWS, None, "s", None, run=name)


def die_at_p2(tmp_path, name):
    with pytest.raises(Killed):
        run_unit(Stage(P2=killed), run(tmp_path, name))


def test_two_deaths_within_one_run_are_blamed_on_the_scan(tmp_path):
    die_at_p2(tmp_path, "first")
    die_at_p2(tmp_path, "first")
    outcomes = run_unit(Stage(), run(tmp_path, "first"))
    assert statuses(outcomes) == ["ok", "failed", "ok"]
    assert outcomes[1][1].reason == Reason.PROCESS_DIED


def test_kills_of_the_whole_run_blame_no_scan(tmp_path):
    for number in range(FATAL_RUNS - 1):
        die_at_p2(tmp_path, f"run {number}")
    assert statuses(run_unit(Stage(), run(tmp_path, "last"))) == ["ok", "ok", "ok"]


def test_a_scan_that_takes_every_run_down_is_passed_over_in_the_end(tmp_path):
    for number in range(FATAL_RUNS):
        die_at_p2(tmp_path, f"run {number}")
    outcomes = run_unit(Stage(P2=killed), run(tmp_path, "last"))
    assert statuses(outcomes) == ["ok", "failed", "ok"]
    assert "died 5 times" in outcomes[1][1].detail


def test_a_lack_of_memory_is_a_death_and_not_a_bug(tmp_path):
    def too_large(_scan):
        raise MemoryError

    with pytest.raises(MemoryError):
        run_unit(Stage(P2=too_large), run(tmp_path, "first"))
    assert statuses(run_unit(Stage(), run(tmp_path, "first"))) == ["ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "make room"), (errno.EDQUOT, "make room"), (errno.EROFS, "mount it for writing")],
)
def test_a_disk_that_takes_nothing_ends_the_job_and_is_held_against_nobody(tmp_path, number, advice):
    def refused(_scan):
        raise OSError(number, "the file system says no")

    for _ in range(3):
        with pytest.raises(MachineFault, match=advice):
            run_unit(Stage(P2=refused), run(tmp_path, "first"))
    again = Stage()
    assert statuses(run_unit(again, run(tmp_path, "first"))) == ["ok", "ok", "ok"]
    assert again.computed == ["P2", "P3"]


def test_a_full_disk_is_seen_behind_the_error_of_an_image_library(tmp_path, monkeypatch):
    def no_room(*_arguments, **_named):
        raise OSError(errno.ENOSPC, "No space left on device")

    assert machine_fault(RuntimeError("ImageIO failed"), tmp_path) is None
    monkeypatch.setattr(machine.tempfile, "TemporaryFile", no_room)
    assert isinstance(machine_fault(RuntimeError("ImageIO failed"), tmp_path), MachineFault)
