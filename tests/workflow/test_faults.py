"""What a bug, a crash and wrong inputs do to a run."""

import json

import pandas as pd
import pytest

from spongiosa.cohort.lock import take

pytestmark = pytest.mark.workflow

#: The head of the stage's function; what a test plants stands below it.
PLANT = "def extract_density(scan: Scan, settings: Settings, outputs: Outputs) -> None:\n"


def test_an_unexpected_exception_fails_one_patient_and_the_exit_status(project):
    planted = f'{PLANT}    if scan.patient_id == "P2":\n        raise KeyError("planted")\n'
    project.edit("scripts/extract_density.py", PLANT, planted)
    run = project.run()
    assert run.exit_status != 0
    scans = pd.read_parquet(project.results / "cohort" / "scans.parquet").set_index("patient_id")
    assert scans["status"].to_dict() == {"P1": "ok", "P2": "failed", "P3": "ok"}
    assert "KeyError in extract_density.py" in scans.loc["P2", "detail"]
    exclusions = pd.read_parquet(project.results / "cohort" / "exclusions.parquet")
    assert exclusions.loc[exclusions["patient_id"] == "P2", "reason"].tolist() == ["unexpected_error"]
    patients = pd.read_parquet(project.results / "cohort" / "patients.parquet").set_index("patient_id")
    assert patients["hu_3d_l1_l4"].notna().to_dict() == {"P1": True, "P2": False, "P3": True}
    report = (project.results / "report" / "index.html").read_text(encoding="utf-8")
    assert "failed" in report
    assert "Traceback" in (project.results / "logs" / "extract_density" / "u0000001.log").read_text(encoding="utf-8")
    again = project.run()
    assert again.exit_status != 0
    assert again.rules == set(), "a failed scan is not tried again by itself"


def test_a_patient_that_kills_its_process_is_passed_over_after_two_tries(project):
    planted = f'{PLANT}    if scan.patient_id == "P1":\n        import os\n\n        os._exit(137)\n'
    project.edit("scripts/extract_density.py", PLANT, planted)
    run = project.run()
    assert run.exit_status != 0
    scans = pd.read_parquet(project.results / "cohort" / "scans.parquet").set_index("patient_id")
    assert scans["status"].to_dict() == {"P1": "failed", "P2": "ok", "P3": "ok"}
    assert scans.loc["P1", "reason"] == "process_died"
    retried = project.run("retry_failed")
    assert retried.exit_status == 0, retried.output
    project.edit("scripts/extract_density.py", planted, PLANT)
    mended = project.run()
    assert mended.exit_status == 0, mended.output
    assert sorted(mended.computed["extract_density"]) == ["P1", "P2", "P3"], "the stage has other code for everyone"
    scans = pd.read_parquet(project.results / "cohort" / "scans.parquet")
    assert set(scans["status"]) == {"ok"}


def test_a_missing_folder_and_an_empty_one_are_exclusions(project):
    (project.folder / "input" / "empty").mkdir()
    project.write_manifest(["P1", "P2", "P3"], path={"P1": "nowhere", "P2": "empty"})
    run = project.run()
    assert run.exit_status == 0, run.output
    scans = pd.read_parquet(project.results / "cohort" / "scans.parquet").set_index("patient_id")
    assert scans["status"].to_dict() == {"P1": "excluded", "P2": "excluded", "P3": "ok"}
    assert scans["reason"].dropna().to_dict() == {"P1": "input_missing", "P2": "no_dicom"}
    assert not scans["detail"].dropna().str.contains(str(project.folder)).any()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"cohort": {"manifest": "input/manifest.tsv", "patient_per_job": 2}},
            "did you mean 'cohort.patients_per_job'?",
        ),
        ({"cohort": {"manifest": "input/none.tsv"}}, "does not exist"),
        ({"clinical": {"table": "input/bad.csv"}}, "t_score_lumbar: 25 SD is not between -8 and 10 SD"),
        ({"cohort": {"manifest": "input/twice.tsv"}}, "the scan P1, preop, ct stands in row 2 already"),
    ],
)
def test_wrong_inputs_stop_the_run_with_a_sentence(finished_project, project, change, sentence):
    inputs = project.folder / "input"
    (inputs / "bad.csv").write_text("patient_id,t_score_lumbar\nP1,25\n", encoding="utf-8")
    (inputs / "twice.tsv").write_text("patient_id\tpath\nP1\tdicom/P1\nP1\tdicom/P2\n", encoding="utf-8")
    project.configure(**change)
    run = project.run()
    assert run.exit_status != 0
    assert sentence in run.output
    assert "nothing was run" in run.output
    assert run.jobs == {}


def test_the_run_is_recorded_with_versions_configuration_and_hashes(finished_project):
    record = json.loads((finished_project.results / "run.json").read_text(encoding="utf-8"))
    assert {"python", "snakemake", "numpy", "simpleitk"} <= record["versions"].keys()
    assert record["seed"] == record["configuration"]["seed"]
    assert "cohort/measurements.parquet" in record["results_sha256"]


def test_a_second_run_at_once_is_refused_and_touches_nothing(project):
    first = take(project.results / "units" / ".run.lock")
    project.configure(thresholds={"hu_osteoporosis": 120.0})
    second = project.run()
    first.close()
    assert second.exit_status != 0
    assert "another run is at work in results; wait for its end, or choose another output_dir." in second.output
    assert second.jobs == {}


def test_the_lock_of_a_killed_snakemake_stops_nobody(project):
    """Snakemake names outputs that it was at work on in these files; a killed one leaves them."""
    locks = project.folder / ".snakemake" / "locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.output.lock").write_text("results/report/index.html\n", encoding="utf-8")
    project.configure(thresholds={"hu_osteoporosis": 120.0})
    run = project.run()
    assert run.exit_status == 0, run.output
    assert run.rules - {"fit_study"} == {"analyse_study", "render_report"}
