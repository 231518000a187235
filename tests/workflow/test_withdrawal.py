"""A patient who withdraws leaves no byte behind, and nobody else is computed again."""

import subprocess
import sys

import pandas as pd
import pytest

from spongiosa.cohort.traces import Sought, search

pytestmark = pytest.mark.workflow


def withdraw(project, patient):
    """Call the command as a user would."""
    command = [sys.executable, "-m", "spongiosa.cohort.withdrawal", patient, "--configfile", "study.yaml"]
    return subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)


def places_of(project, text):
    folders = [project.results, project.folder / ".snakemake"]
    return [path for path, _ in search(folders, [Sought(text)]).traces]


def take_out(project, patient):
    """What the user does: take the patient's rows out of their tables."""
    inputs = project.folder / "input"
    for table in (inputs / "manifest.tsv", inputs / "clinical.csv"):
        lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
        table.write_text("".join(line for line in lines if not line.startswith(patient)), encoding="utf-8")


def test_a_patient_withdraws(project):
    before = pd.read_parquet(project.results / "cohort" / "measurements.parquet")
    found = places_of(project, "P2")
    assert {"units.tsv", "cohort/patients.csv", "report/index.html"} <= set(found), "the search finds what is there"
    assert any(place.startswith("logs/") for place in found)
    assert any(place.startswith("spongiosa/plan-") for place in found), "also in what Snakemake keeps"

    command = withdraw(project, "P2")
    assert command.returncode == 0, command.stdout + command.stderr
    assert "the patient is not found" in command.stdout
    assert "manifest, row 3" in command.stdout and "clinical table, row 3" in command.stdout
    assert places_of(project, "P2") == []
    assert (project.results / "sub-P1").is_dir()

    refused = project.run()
    assert refused.exit_status != 0
    assert "manifest, row 3, column 'patient_id': a patient who has withdrawn; take this row out." in refused.output
    assert places_of(project, "P2") == [], "the refusal names nobody"

    take_out(project, "P2")
    run = project.run()
    assert run.exit_status == 0, run.output
    assert run.computed == {}, "nobody is computed again"
    assert places_of(project, "P2") == []
    after = pd.read_parquet(project.results / "cohort" / "measurements.parquet")
    others = before[before["patient_id"] != "P2"].reset_index(drop=True)
    pd.testing.assert_frame_equal(after, others)
    assert pd.read_csv(project.results / "cohort" / "patients.csv")["patient_id"].tolist() == ["P1", "P3"]

    again = withdraw(project, "P2")
    assert again.returncode == 0
    assert "nothing was removed: no trace of this patient was there" in again.stdout
    assert (project.results / "report" / "index.html").is_file()
    assert "your own tables" not in again.stdout

    project.configure(regions={"ellipse": {"margin_mm": 6.0}})
    changed = project.run("--until", "mask_regions")
    assert changed.exit_status == 0, changed.output
    assert sorted(changed.computed["mask_regions"]) == ["P1", "P3"], "a later change still reaches the others"


@pytest.mark.slow
def test_what_cannot_be_removed_is_said_and_the_status_tells(project):
    """A note that a user left among the results names the patient."""
    (project.results / "notes.txt").write_text("P2 asked on the phone", encoding="utf-8")
    command = withdraw(project, "P2")
    assert command.returncode == 1
    assert "STILL FOUND" in command.stdout and "notes.txt" in command.stdout
    (project.results / "notes.txt").unlink()
    assert withdraw(project, "P2").returncode == 0


@pytest.mark.slow
def test_nobody_withdraws_while_a_run_is_at_work(project):
    from spongiosa.cohort.lock import take

    lock = take(project.results / "units" / ".run.lock")
    command = withdraw(project, "P2")
    lock.close()
    assert command.returncode == 2
    assert "a run is at work" in command.stderr
    assert (project.results / "sub-P2").is_dir()
