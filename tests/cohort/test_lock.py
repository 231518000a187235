"""Locks end with their process, and a second process waits or is told."""

import os
import signal
import subprocess
import sys
import time

import pytest

from spongiosa.cohort.lock import Busy, held, take

HOLDER = """
import sys, time
from pathlib import Path
from spongiosa.cohort.lock import take
lock = take(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(3600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "units" / ".lock")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_told(holder, tmp_path):
    with pytest.raises(Busy):
        take(tmp_path / "units" / ".lock")


def test_the_lock_of_a_killed_process_is_free(holder, tmp_path):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert take(tmp_path / "units" / ".lock") is not None


def test_who_waits_is_told_once_and_goes_on_when_the_other_ends(holder, tmp_path):
    said = []

    def end_the_other():
        said.append(time.monotonic())
        holder.kill()

    with held(tmp_path / "units" / ".lock", end_the_other):
        assert len(said) == 1
    with held(tmp_path / "units" / ".lock", end_the_other):
        assert len(said) == 1
