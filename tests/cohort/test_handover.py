"""What the main process hands to its jobs."""

import pytest

from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.handover import COLUMNS_OF_STAGE, PlanChanged, run_name, scans_of_job
from spongiosa.cohort.plan import begin_run, plan_cohort, recorded_plan
from spongiosa.config.loading import load_configuration

OVERRIDES = (
    "patient_id\taction\tlevel\tvalue\treader\treason\nP1\tshift_levels\t\t1\tAB\t\nP3\texclude_scan\t\t\tAB\t\n"
)


@pytest.fixture
def configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"P{number}\tdicom/P{number}\n" for number in range(1, 6))
    (tmp_path / "manifest.tsv").write_text("patient_id\tpath\n" + rows, encoding="utf-8")
    (tmp_path / "overrides.tsv").write_text(OVERRIDES, encoding="utf-8")
    cohort = {"manifest": "manifest.tsv", "patients_per_job": 2}
    return load_configuration({"cohort": cohort, "output_dir": "results", "review": {"overrides": "overrides.tsv"}})


def test_a_job_sees_what_the_main_process_planned(configuration):
    plan = plan_cohort(configuration)
    lock = begin_run(plan)
    recorded = recorded_plan(configuration)
    assert recorded.units == plan.units == ["u0000001", "u0000002", "u0000003"]
    assert recorded.cohort_overrides() == plan.cohort_overrides() != []
    for unit in plan.units:
        for stage in COLUMNS_OF_STAGE:
            assert recorded.scans_for_stage(unit, stage) == plan.scans_for_stage(unit, stage)
            assert recorded.hash_of_scans(unit, stage) == plan.hash_of_scans(unit, stage)
        assert recorded.scan_count(unit) == plan.scan_count(unit)
    assert plan.scans_for_stage("u0000001", "localise_vertebrae")[0]["corrections"] == [["shift_levels", "1"]]
    lock.close()


def test_a_job_does_not_see_a_manifest_that_was_edited_since(configuration, tmp_path):
    begin_run(plan_cohort(configuration)).close()
    (tmp_path / "manifest.tsv").write_text("patient_id\tpath\nP1\telsewhere\n", encoding="utf-8")
    assert recorded_plan(configuration).scans_for_stage("u0000001", "index_series")[0]["path"] == "dicom/P1"


def test_a_job_whose_scans_a_later_run_has_changed_is_refused(configuration, tmp_path):
    plan = plan_cohort(configuration)
    begin_run(plan).close()
    expected = {stage: plan.hash_of_scans("u0000001", stage) for stage in ("index_series", "mask_regions")}
    assert scans_of_job(plan.output_dir, "u0000001", "index_series", expected["index_series"])[0]["path"] == "dicom/P1"
    rows = "".join(f"P{number}\telsewhere/P{number}\n" for number in range(1, 6))
    (tmp_path / "manifest.tsv").write_text("patient_id\tpath\n" + rows, encoding="utf-8")
    begin_run(plan_cohort(configuration)).close()
    with pytest.raises(PlanChanged, match="run again"):
        scans_of_job(plan.output_dir, "u0000001", "index_series", expected["index_series"])
    assert len(scans_of_job(plan.output_dir, "u0000001", "mask_regions", expected["mask_regions"])) == 2


def test_a_correction_changes_the_hash_of_its_stage_and_unit_only(configuration, tmp_path):
    before = plan_cohort(configuration)
    (tmp_path / "overrides.tsv").write_text(OVERRIDES.replace("\t1\t", "\t-1\t"), encoding="utf-8")
    after = plan_cohort(configuration)
    changed = [
        (unit, stage)
        for unit in before.units
        for stage in COLUMNS_OF_STAGE
        if before.hash_of_scans(unit, stage) != after.hash_of_scans(unit, stage)
    ]
    assert changed == [("u0000001", "localise_vertebrae")]


def test_a_plan_alone_writes_nothing(configuration, tmp_path):
    plan_cohort(configuration)
    assert not (tmp_path / "results").exists()


def test_no_path_of_an_input_lies_among_the_results(configuration, tmp_path):
    begin_run(plan_cohort(configuration)).close()
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert len(texts) >= 3
    assert not any("dicom" in text for text in texts)


def test_a_second_run_in_the_same_results_is_refused_with_a_sentence(configuration):
    lock = begin_run(plan_cohort(configuration))
    first = run_name(plan_cohort(configuration).output_dir)
    with pytest.raises(InputFaults, match="another run is at work"):
        begin_run(plan_cohort(configuration))
    lock.close()
    begin_run(plan_cohort(configuration)).close()
    assert run_name(plan_cohort(configuration).output_dir) != first


def test_a_plan_that_another_run_has_overtaken_is_refused(configuration, tmp_path):
    overtaken = plan_cohort(configuration)
    with (tmp_path / "manifest.tsv").open("a", encoding="utf-8") as manifest:
        manifest.write("A1\tdicom/A1\n")
    begin_run(plan_cohort(configuration)).close()
    with pytest.raises(InputFaults, match="start again"):
        begin_run(overtaken)
