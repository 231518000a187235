"""What runs again after which change: no job and no patient more than the change touches."""

import os
import re
import shutil
import subprocess

import pandas as pd
import pytest

from spongiosa.provenance import file_digest

pytestmark = pytest.mark.workflow

ALL_STAGES = {"index_series", "convert_scan", "localise_vertebrae", "mask_regions", "extract_density", "draw_review"}
ENDS = {"aggregate_cohort", "fit_study", "analyse_study", "render_report"}


def result_digests(project):
    files = [
        path for folder in ("cohort", "studies") for path in (project.results / folder).rglob("*") if path.is_file()
    ]
    return {path.relative_to(project.results).as_posix(): file_digest(path) for path in files}


@pytest.fixture
def read_only_inputs(project):
    """The inputs cannot be written: root may write everywhere, so a mount refuses it; permissions refuse others.

    None where this machine does not let root mount a folder.
    """
    inputs = project.folder / "input"
    mount = ["mount", "--bind", "-o", "ro", str(inputs), str(inputs)]
    if os.geteuid() == 0:
        is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        yield inputs if is_mounted else None
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(inputs)], check=True)
    else:
        folders = [inputs, *(path for path in inputs.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
        yield inputs
        for folder in folders:
            folder.chmod(0o755)


def computed_patients(run):
    return {patient for patients in run.computed.values() for patient in patients}


def test_a_second_run_does_nothing(project):
    run = project.run()
    assert run.exit_status == 0
    assert run.jobs == {}


def test_deleted_tables_between_the_images_and_the_report_are_made_again(project):
    """A run that is killed while it makes a file anew leaves none, and the report of before beside it."""
    next(project.results.glob("units/*/mask_regions.parquet")).unlink()
    (project.results / "studies" / "hu_dxa_concordance" / "audit.json").unlink()
    planned = project.run("--dry-run").output
    assert re.search(r"mask.regions +1\b", planned), planned
    assert re.search(r"analyse.study +1\b", planned), planned


def test_a_changed_threshold_runs_analysis_and_report_only(project):
    project.configure(thresholds={"hu_osteoporosis": 120.0})
    run = project.run()
    assert run.exit_status == 0, run.output
    assert run.rules == {"analyse_study", "render_report"}


def test_a_changed_ellipse_margin_runs_masks_onward(project):
    project.configure(regions={"ellipse": {"margin_mm": 6.0}})
    run = project.run()
    assert run.exit_status == 0, run.output
    assert run.rules == {"mask_regions", "extract_density", "draw_review"} | ENDS
    assert computed_patients(run) == {"P1", "P2", "P3"}


def test_an_edited_statistics_module_runs_analysis_and_report_only(project):
    project.edit("scripts/spongiosa/statistics/roc.py", "import numpy as np\n", "import numpy as np\n\n_EDITED = 1\n")
    run = project.run()
    assert run.exit_status == 0, run.output
    assert run.rules == {"fit_study", "analyse_study", "render_report"}


def test_a_comment_runs_nothing(project):
    for module in ("statistics/roc.py", "regions/slices.py", "volume.py", "cohort/runner.py"):
        project.edit(f"scripts/spongiosa/{module}", "from __future__", "# a comment\nfrom __future__")
    project.edit("scripts/extract_density.py", "import json", "# a comment\nimport json")
    assert project.run().jobs == {}


def test_a_new_patient_costs_one_patient(project):
    before = result_digests(project)
    project.write_manifest(["P1", "P2", "P3", "P4"])
    run = project.run()
    assert run.exit_status == 0, run.output
    assert run.rules == ALL_STAGES | ENDS
    assert {stage: run.computed[stage] for stage in ALL_STAGES} == {stage: ["P4"] for stage in ALL_STAGES}
    assert {unit for stage in ALL_STAGES for unit in run.jobs[stage]} == {"u0000002"}, "P4 joins the unit with room"
    assert result_digests(project) != before


def test_a_removed_patient_computes_nobody(project):
    project.write_manifest(["P1", "P3"])
    project.configure(clinical=project.configuration["clinical"] | {"allow_unmatched": True})
    run = project.run("--until", "aggregate_cohort")
    assert run.exit_status == 0, run.output
    assert computed_patients(run) == set()
    assert pd.read_parquet(project.results / "cohort" / "patients.parquet")["patient_id"].tolist() == ["P1", "P3"]


def test_other_sizes_of_units_run_nothing(project):
    project.configure(cohort={"manifest": "input/manifest.tsv", "patients_per_job": 7})
    run = project.run()
    assert run.rules == set()


def test_damaged_dicom_costs_nobody_else_anything(project):
    before = pd.read_parquet(project.results / "cohort" / "measurements.parquet")
    files = sorted(path for path in (project.folder / "input" / "dicom" / "P2").rglob("*") if path.is_file())
    for path in files[::3]:
        path.write_bytes(path.read_bytes()[:700])
    run = project.run()
    assert run.exit_status == 0, run.output
    assert computed_patients(run) == {"P2"}
    scans = pd.read_parquet(project.results / "cohort" / "scans.parquet").set_index("patient_id")
    assert scans["status"].to_dict() == {"P1": "ok", "P2": "excluded", "P3": "ok"}
    assert len(scans.loc["P2", "detail"]) > 20
    after = pd.read_parquet(project.results / "cohort" / "measurements.parquet")
    others = before[before["patient_id"] != "P2"].reset_index(drop=True)
    pd.testing.assert_frame_equal(after, others)


def test_a_replaced_image_is_seen(project):
    dicom = project.folder / "input" / "dicom"
    shutil.rmtree(dicom / "P1")
    shutil.copytree(dicom / "P4", dicom / "P1")
    shutil.copy2(project.folder / "input" / "labels" / "P4.nii.gz", project.folder / "input" / "labels" / "P1.nii.gz")
    before = pd.read_parquet(project.results / "cohort" / "patients.parquet").set_index("patient_id")
    run = project.run("--until", "aggregate_cohort")
    assert run.exit_status == 0, run.output
    assert computed_patients(run) == {"P1"}
    after = pd.read_parquet(project.results / "cohort" / "patients.parquet").set_index("patient_id")
    assert after.loc["P1", "hu_3d_l1_l4"] > before.loc["P1", "hu_3d_l1_l4"] + 20, "P4 has denser bone than P1"


def test_replaced_labels_do_not_read_the_dicom_again(project):
    labels = project.folder / "input" / "labels" / "P3.nii.gz"
    os.utime(labels, ns=(1, 1))
    run = project.run("--until", "extract_density", "draw_review")
    assert run.exit_status == 0, run.output
    assert run.rules & ALL_STAGES == ALL_STAGES - {"index_series", "convert_scan"}
    assert computed_patients(run) == {"P3"}


def test_a_refresh_sees_replaced_images_where_starts_do_not_look(project):
    project.configure(cohort={"manifest": "input/manifest.tsv", "patients_per_job": 2, "fingerprint": "refresh"})
    slice_file = next(path for path in (project.folder / "input" / "dicom" / "P1").rglob("*") if path.is_file())
    os.utime(slice_file, ns=(1, 1))
    assert project.run().rules == set()
    refresh = project.run("refresh_inputs")
    assert refresh.exit_status == 0, refresh.output
    assert computed_patients(project.run("--until", "index_series")) == {"P1"}


def test_a_corrected_level_computes_that_patient_from_the_localisation_on(project):
    header = "patient_id\taction\tlevel\tvalue\treader\treason\n"
    (project.folder / "overrides.tsv").write_text(header + "P2\tshift_levels\t\t1\tAB\tsixth lumbar vertebra\n")
    project.configure(review={"overrides": "overrides.tsv"})
    run = project.run("--until", "aggregate_cohort")
    assert run.exit_status == 0, run.output
    assert computed_patients(run) == {"P2"}
    assert "convert_scan" not in run.rules
    vertebrae = pd.read_parquet(project.results / "cohort" / "vertebrae.parquet")
    shifted = vertebrae[vertebrae["patient_id"] == "P2"]["level"].tolist()
    others = vertebrae[vertebrae["patient_id"] == "P1"]["level"].tolist()
    assert "L5" in shifted
    assert "L1" in others


def test_the_same_inputs_give_the_same_bytes_also_where_nobody_may_write_to_them(project, read_only_inputs):
    if read_only_inputs is not None:
        with pytest.raises(OSError):
            (read_only_inputs / "probe").write_text("")
    before = result_digests(project)
    shutil.rmtree(project.results)
    run = project.run()
    assert run.exit_status == 0, run.output
    assert result_digests(project) == before
