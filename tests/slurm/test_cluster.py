"""The workflow through sbatch, with what happens on clusters: the same bytes as on one machine."""

import os
import shlex
import shutil
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.slurm, pytest.mark.workflow, pytest.mark.slow]

#: What differs from profiles/slurm on a SLURM without accounting, and for jobs of seconds.
FOR_A_SMALL_SLURM = shlex.split(
    "--slurm-no-account --slurm-status-command squeue --slurm-init-seconds-before-status-checks 2 "
    "--seconds-between-status-checks 3 --latency-wait 30 "
    "--default-resources slurm_partition=main mem_mb=1000 runtime=10"
)


def start_on_cluster(project, *arguments):
    """Start Snakemake with the profile for SLURM, as a user would."""
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--workflow-profile", "profiles/slurm"]
    return subprocess.Popen(
        [*command, *FOR_A_SMALL_SLURM, *arguments],
        cwd=project.folder,
        env=os.environ | {"PYTHONPATH": str(project.folder / "scripts")},
        stdout=(project.folder / "controller.log").open("w"),
        stderr=subprocess.STDOUT,
    )


def said(project):
    return (project.folder / "controller.log").read_text(encoding="utf-8")


def forget_results(project):
    shutil.rmtree(project.results)
    shutil.rmtree(project.folder / ".snakemake")


def cancel_a_job_of(slurm, rule, controller, seconds=240):
    """Wait for a running job of the rule and cancel it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and controller.poll() is None:
        for job, comment in slurm.jobs().items():
            if rule in comment:
                time.sleep(1.0)  # the job is at work, not only allocated
                subprocess.run(["scancel", job], check=True)
                return job
        time.sleep(0.2)
    return None


def test_a_cohort_through_sbatch_with_a_cancelled_job_equals_the_local_run(slurm, project, result_digests):
    local = result_digests(project)
    assert len(local) > 10
    forget_results(project)
    controller = start_on_cluster(project)
    cancelled = cancel_a_job_of(slurm, "localise_vertebrae", controller)
    status = controller.wait(timeout=900)
    assert status == 0, said(project)
    assert cancelled is not None, "no job of the localisation was seen"
    assert f"external jobid {cancelled}" in said(project).lower() or cancelled in said(project)
    finished = (slurm.folder / "log" / "finished_jobs.txt").read_text(encoding="utf-8")
    assert f"JobId={cancelled} " in finished
    assert next(line for line in finished.splitlines() if f"JobId={cancelled} " in line).count("JobState=CANCELLED")
    assert (project.results / "report" / "index.html").is_file()
    assert result_digests(project) == local


def test_a_killed_controller_is_resumed_while_its_jobs_still_run(slurm, project, result_digests):
    local = result_digests(project)
    forget_results(project)
    controller = start_on_cluster(project)
    end = time.monotonic() + 240
    while not any("convert_scan" in comment for comment in slurm.jobs().values()):
        assert time.monotonic() < end, said(project)
        time.sleep(0.2)
    controller.kill()
    controller.wait()
    resumed = start_on_cluster(project)
    assert resumed.wait(timeout=900) == 0, said(project)
    assert result_digests(project) == local
