"""The workflow through sbatch, with what happens on clusters: the same bytes as on one machine."""

import shutil

import pandas as pd
import pytest

from .cluster_runs import finished_jobs, running_job_of, said, start_on_cluster

pytestmark = [pytest.mark.slurm, pytest.mark.workflow, pytest.mark.slow]


def forget_results(project):
    shutil.rmtree(project.results)
    shutil.rmtree(project.folder / ".snakemake")


def test_a_killed_controller_is_resumed_while_its_jobs_still_run(slurm, project, result_digests):
    local = result_digests(project.results)
    forget_results(project)
    controller = start_on_cluster(project.folder)
    assert running_job_of(slurm, "convert_scan", controller) is not None, said(project.folder)
    controller.kill()
    controller.wait()
    resumed = start_on_cluster(project.folder)
    assert resumed.wait(timeout=900) == 0, said(project.folder)
    assert result_digests(project.results) == local


def test_a_lost_node_costs_its_jobs_a_second_try_and_nobody_is_blamed(slurm, project, result_digests):
    local = result_digests(project.results)
    forget_results(project)
    controller = start_on_cluster(project.folder)
    lost = running_job_of(slurm, "localise_vertebrae", controller)
    assert lost is not None, said(project.folder)
    node = slurm.node_of(lost)
    slurm.kill_node(node)
    try:
        assert controller.wait(timeout=900) == 0, said(project.folder)
    finally:
        slurm.start_node(node)
    ends = finished_jobs(slurm)
    assert any("NODE_FAIL" in of_job for of_job in ends.values())
    assert all(of_job[-1] == "COMPLETED" for of_job in ends.values() if "NODE_FAIL" in of_job), "SLURM ran them again"
    assert set(pd.read_parquet(project.results / "cohort" / "scans.parquet")["status"]) == {"ok"}
    assert result_digests(project.results) == local


def test_groups_of_rules_give_the_same_bytes(slurm, project, result_digests):
    local = result_digests(project.results)
    forget_results(project)
    options = ["--groups", "index_series=ingest", "convert_scan=ingest"]
    controller = start_on_cluster(project.folder, *options)
    assert controller.wait(timeout=900) == 0, said(project.folder)
    assert "group_ingest" in said(project.folder), "the log of a group is named after it"
    assert result_digests(project.results) == local
