"""`convert.keep`: what is left of the converted scans, and what it costs to run a stage again."""

import numpy as np
import pandas as pd
import pytest

from spongiosa.provenance import file_digest
from spongiosa.volume import read_volume

pytestmark = pytest.mark.workflow

IMAGE_STAGES = {"index_series", "convert_scan", "localise_vertebrae", "mask_regions", "extract_density", "draw_review"}
ENDS = {"aggregate_cohort", "analyse_study", "render_report"}


def scan_path(project, patient):
    return project.results / f"sub-{patient}" / "ses-preop" / "ct" / f"sub-{patient}_ses-preop_ct.nii.gz"


def converted_again(project, run):
    """Patients whose scan a stage of the run had to convert again."""
    text = "".join(path.read_text(encoding="utf-8") for path in (project.results / "logs").rglob("*.log"))
    return {patient for patient in ("P1", "P2", "P3") if f"patient {patient}, preop CT: converted again" in text}


def cohort_digests(project):
    return {path.name: file_digest(path) for path in (project.results / "cohort").glob("*.parquet")}


@pytest.fixture(scope="module")
def trimmed_project(finished_project, tmp_path_factory):
    """The finished project after `keep: none`: a run that does nothing but remove the scans."""
    project = finished_project.copy(tmp_path_factory.mktemp("trimmed") / "project")
    project.configure(convert={"keep": "none"})
    run = project.run()
    assert run.exit_status == 0, run.output
    assert run.rules == {"trim_scans"}
    assert not any(scan_path(project, patient).exists() for patient in ("P1", "P2", "P3"))
    return project


@pytest.fixture
def trimmed(trimmed_project, tmp_path):
    """A copy of the project without its scans, to change and run again."""
    return trimmed_project.copy(tmp_path / "project")


def test_nothing_runs_after_the_scans_were_removed(trimmed):
    before = cohort_digests(trimmed)
    assert trimmed.run().jobs == {}
    trimmed.configure(thresholds={"hu_osteoporosis": 120.0})
    run = trimmed.run()
    assert run.exit_status == 0, run.output
    assert run.rules - {"fit_study"} == {"analyse_study", "render_report"}
    assert cohort_digests(trimmed) == before


@pytest.mark.slow
def test_a_new_patient_converts_nobody_else_again(trimmed):
    trimmed.write_manifest(["P1", "P2", "P3", "P4"])
    run = trimmed.run()
    assert run.exit_status == 0, run.output
    assert {stage: run.computed[stage] for stage in IMAGE_STAGES} == {stage: ["P4"] for stage in IMAGE_STAGES}
    assert converted_again(trimmed, run) == set()
    assert not scan_path(trimmed, "P4").exists()


def test_a_correction_of_one_patient_converts_that_one_again_and_removes_it_after(trimmed):
    header = "patient_id\taction\tlevel\tvalue\treader\treason\n"
    (trimmed.folder / "overrides.tsv").write_text(header + "P2\tshift_levels\t\t1\tAB\tsixth lumbar vertebra\n")
    trimmed.configure(review={"overrides": "overrides.tsv"})
    run = trimmed.run()
    assert run.exit_status == 0, run.output
    assert {patient for patients in run.computed.values() for patient in patients} == {"P2"}
    assert "convert_scan" not in run.rules
    assert converted_again(trimmed, run) == {"P2"}
    assert not scan_path(trimmed, "P2").exists()
    assert trimmed.run().jobs == {}


def test_changed_regions_measure_as_if_the_scans_had_been_kept(trimmed, finished_project, tmp_path):
    trimmed.configure(regions={"ellipse": {"margin_mm": 6.0}}, convert={"keep": "lumbar"})
    run = trimmed.run()
    assert run.exit_status == 0, run.output
    assert run.rules - {"fit_study"} == {"mask_regions", "extract_density", "draw_review", "trim_scans"} | ENDS
    assert converted_again(trimmed, run) == {"P1", "P2", "P3"}
    kept = read_volume(scan_path(trimmed, "P1"))
    whole = read_volume(scan_path(finished_project, "P1"))
    assert kept.voxels.size < whole.voxels.size
    start = np.rint(whole.geometry.indices_zyx(kept.geometry.points_mm(np.zeros(3)))).astype(int)
    part = whole.cropped(start, start + kept.voxels.shape)
    assert np.array_equal(part.voxels, kept.voxels), "the crop is a part of the scan, voxel by voxel"
    assert trimmed.run().jobs == {}
    trimmed.configure(convert={"keep": "full"})
    back = trimmed.run()
    assert back.exit_status == 0, back.output
    assert back.rules == {"trim_scans"}
    assert file_digest(scan_path(trimmed, "P1")) == file_digest(scan_path(finished_project, "P1"))


@pytest.mark.slow
def test_an_input_that_changed_since_is_said_and_not_measured(trimmed):
    """The fingerprints are not looked at, as in a large cohort, so that only the conversion can notice."""
    cohort = {"manifest": "input/manifest.tsv", "patients_per_job": 2, "fingerprint": "refresh"}
    dicom = trimmed.folder / "input" / "dicom"
    for path in (dicom / "P1").rglob("*"):
        if path.is_file():
            path.unlink()
    for path in (dicom / "P3").rglob("*"):
        if path.is_file():
            data = bytearray(path.read_bytes())
            data[-2000] ^= 1
            path.write_bytes(data)
    trimmed.configure(cohort=cohort, regions={"ellipse": {"margin_mm": 6.0}})
    run = trimmed.run()
    assert run.exit_status == 0, run.output
    scans = pd.read_parquet(trimmed.results / "cohort" / "scans.parquet").set_index("patient_id")
    assert scans["reason"].dropna().to_dict() == {"P1": "no_dicom", "P3": "input_changed"}
    assert scans.loc["P2", "status"] == "ok"
