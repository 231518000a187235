"""The SLURM of the tests leaves a machine's own alone, and ends what a killed test left."""

import shutil
import subprocess

import pytest

from . import local_slurm
from .local_slurm import CLUSTER_NAME, LocalSlurm, end_leftovers, missing


@pytest.fixture
def etc(tmp_path, monkeypatch):
    """A machine with all programs, on which we are root; its /etc/slurm is empty."""
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.setattr(local_slurm, "ETC_SLURM", folder)
    monkeypatch.setattr(local_slurm.shutil, "which", lambda tool: f"/usr/sbin/{tool}")
    monkeypatch.setattr(local_slurm.os, "geteuid", lambda: 0)
    return folder


def test_an_empty_machine_is_fit(etc):
    assert missing() is None


def test_a_machine_of_another_cluster_is_left_alone(etc):
    (etc / "slurm.conf").write_text("ClusterName=hospital\n", encoding="utf-8")
    assert missing() == "this machine belongs to a SLURM already"


def test_what_is_not_installed_and_who_is_not_root_is_said(etc, monkeypatch):
    monkeypatch.setattr(local_slurm.os, "geteuid", lambda: 1000)
    assert missing() == "starting a SLURM needs root"
    monkeypatch.setattr(local_slurm.shutil, "which", lambda _: None)
    assert "slurmctld, slurmd, sbatch, munged not installed" in str(missing())


def test_daemons_that_a_killed_test_left_are_ended_and_nobody_else(etc, tmp_path):
    """The kernel knows a process by the name of its program: a copy of `sleep` stands for a daemon of SLURM."""
    slurmd = shutil.copy("/bin/sleep", tmp_path / "slurmd")
    daemon, other = (subprocess.Popen([program, "3600"]) for program in (slurmd, "sleep"))
    left = LocalSlurm(tmp_path / "left")
    left.folder.mkdir()
    (left.folder / "slurm.conf").write_text(f"ClusterName={CLUSTER_NAME}\n", encoding="utf-8")
    (left.folder / "node1.pid").write_text(f"{daemon.pid}\n", encoding="utf-8")
    (left.folder / "node2.pid").write_text(f"{other.pid}\n", encoding="utf-8")
    (etc / "slurm.conf").symlink_to(left.folder / "slurm.conf")
    assert missing() is None
    end_leftovers()
    assert daemon.wait(timeout=120) != 0
    assert other.poll() is None, "a process id that another program has got since"
    assert not (etc / "slurm.conf").is_symlink()
    other.kill()
    other.wait()


def test_a_link_to_a_folder_that_is_gone_is_no_cluster(etc, tmp_path):
    (etc / "slurm.conf").symlink_to(tmp_path / "gone" / "slurm.conf")
    assert missing() is None
    end_leftovers()


def test_ports_are_free_and_different():
    ports = local_slurm._free_ports(4)
    assert len(set(ports)) == 4
