"""The demo from DICOM to the report through sbatch, with a job cancelled on the way: the bytes of a local run."""

import shutil
import subprocess

import pytest
import yaml

from .cluster_runs import finished_jobs, running_job_of, said, start_on_cluster

pytestmark = [pytest.mark.slurm, pytest.mark.workflow]


@pytest.fixture
def demo(tmp_path, workflow_copy):
    """Three patients of the demo as DICOM, in two units, with the clinical table and one study."""
    from spongiosa.synthetic.demo import write_demo_cohort

    workflow_copy(tmp_path)
    write_demo_cohort(tmp_path / "input", patients=3, seed=2026, jobs=1, matrix="small")
    study = yaml.safe_load((tmp_path / "config" / "demo.yaml").read_text(encoding="utf-8"))
    study |= {"output_dir": "results", "studies": {"hu_dxa_concordance": {"enabled": True}}}
    study["cohort"] = {"manifest": "input/manifest.tsv", "patients_per_job": 2}
    study["clinical"]["table"] = "input/clinical.csv"
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    return tmp_path


def test_the_demo_through_sbatch_with_a_cancelled_job_equals_the_local_run(slurm, demo, run_locally, result_digests):
    of_other_tests = finished_jobs(slurm).keys()
    controller = start_on_cluster(demo)
    cancelled = running_job_of(slurm, "localise_vertebrae", controller)
    assert cancelled is not None, said(demo)
    subprocess.run(["scancel", cancelled], check=True)
    assert controller.wait(timeout=900) == 0, said(demo)
    ends = {job: of_job for job, of_job in finished_jobs(slurm).items() if job not in of_other_tests}
    others = [of_job for job, of_job in ends.items() if job != cancelled and of_job != ["COMPLETED"]]
    assert ends[cancelled] == ["CANCELLED"]
    assert others == []
    assert len(ends) > 2 * 6 + 3, "six stages of two units, three ends, and the cancelled one"
    assert (demo / "results" / "report" / "index.html").is_file()
    through_sbatch = result_digests(demo / "results")
    shutil.rmtree(demo / "results")
    shutil.rmtree(demo / ".snakemake")
    run_locally(demo)
    assert result_digests(demo / "results") == through_sbatch
    assert len(through_sbatch) > 20
