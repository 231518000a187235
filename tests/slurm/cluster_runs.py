"""Runs of the workflow through sbatch, as a user starts them, and what a test does to them on the way."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

#: What differs from profiles/slurm on a SLURM without accounting, and for jobs of seconds.
FOR_A_SMALL_SLURM = shlex.split(
    "--slurm-no-account --slurm-status-command squeue --slurm-init-seconds-before-status-checks 1 "
    "--seconds-between-status-checks 2 --latency-wait 30 "
    "--default-resources slurm_partition=main mem_mb=1000 runtime=10"
)


def start_on_cluster(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start Snakemake in a copy of the workflow with its study.yaml and the profile for SLURM."""
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--workflow-profile", "profiles/slurm"]
    return subprocess.Popen(
        [*command, *FOR_A_SMALL_SLURM, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "scripts")},
        stdout=(folder / "controller.log").open("ab"),
        stderr=subprocess.STDOUT,
    )


def said(folder: Path) -> str:
    """What the controllers in this folder said so far."""
    return (folder / "controller.log").read_text(encoding="utf-8")


def running_job_of(slurm: Any, rule: str, controller: subprocess.Popen[bytes], seconds: float = 900) -> str | None:
    """The id of the first running job of a rule; None when the run ended before one was seen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and controller.poll() is None:
        for job, comment in slurm.jobs().items():
            if rule in comment:
                time.sleep(1.0)  # the job is at work, not only allocated
                return job
        time.sleep(0.2)
    return None


def finished_jobs(slurm: Any) -> dict[str, list[str]]:
    """Job id -> its ends in order (COMPLETED, CANCELLED, NODE_FAIL, ...); SLURM runs a job of a lost node again."""
    file = slurm.folder / "log" / "finished_jobs.txt"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    ends: dict[str, list[str]] = {}
    for line in text.splitlines():
        facts = dict(item.split("=", 1) for item in line.split() if "=" in item)
        ends.setdefault(facts["JobId"], []).append(facts["JobState"])
    return ends
