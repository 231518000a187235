"""A disk that runs full: a clear sentence, nobody blamed, and the run goes on when room is made."""

import os
import shutil
import subprocess

import pandas as pd
import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB; the results of the three patients need some 10 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_the_run_goes_on_when_room_is_made(project, small_disk, result_digests):
    undisturbed = result_digests(project.results)
    shutil.rmtree(project.results)
    shutil.rmtree(project.folder / ".snakemake")
    project.results.symlink_to(small_disk)
    full = project.run()
    assert full.exit_status != 0
    assert "No room is left on the file system of the results; make room and run again." in full.output
    assert not (project.results / "cohort" / "scans.parquet").exists()
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    resumed = project.run()
    assert resumed.exit_status == 0, resumed.output
    assert set(pd.read_parquet(project.results / "cohort" / "scans.parquet")["status"]) == {"ok"}
    assert result_digests(project.results) == undisturbed
