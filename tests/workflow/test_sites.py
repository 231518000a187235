"""Cohorts of two sites become one, with studies and report, without an image."""

import json
import shutil

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.workflow


@pytest.fixture
def merge(finished_project, tmp_path):
    """A project that merges the sites A and B; B is A without a patient and without a clinical column."""
    project = type(finished_project)(tmp_path / "merge")
    ignored = shutil.ignore_patterns("input", "results", ".snakemake")
    shutil.copytree(finished_project.folder, project.folder, ignore=ignored)
    for site in ("A", "B"):
        shutil.copytree(finished_project.results / "cohort", project.folder / site / "cohort")
        shutil.copy2(finished_project.results / "run.json", project.folder / site / "run.json")
    for table in (project.folder / "B" / "cohort").glob("*.parquet"):
        rows = pd.read_parquet(table)
        rows = rows[rows["patient_id"] != "P2"].drop(columns="t_score_femoral_neck", errors="ignore")
        rows.to_parquet(table, index=False)
    study = {
        "cohort": {"sites": {"A": "A", "B": "B"}, "site_ids": "prefix"},
        "output_dir": "results",
        "studies": finished_project.configuration["studies"],
    }
    (project.folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    return project


def merged(project, name):
    return pd.read_parquet(project.results / "cohort" / f"{name}.parquet")


def test_two_sites_are_one_cohort_with_studies_and_report(finished_project, merge):
    run = merge.run()
    assert run.exit_status == 0, run.output
    assert run.rules - {"fit_study"} == {"merge_sites", "analyse_study", "render_report"}
    patients = merged(merge, "patients")
    assert patients["patient_id"].tolist() == ["AP1", "AP2", "AP3", "BP1", "BP3"]
    assert patients["site"].tolist() == ["A", "A", "A", "B", "B"]
    assert patients["t_score_femoral_neck"].notna().tolist() == [True, True, True, False, False]
    for name in ("scans", "series", "measurements", "vertebrae", "exclusions"):
        of_a = merged(merge, name).query("site == 'A'").drop(columns=["site", "review_picture"], errors="ignore")
        alone = pd.read_parquet(finished_project.results / "cohort" / f"{name}.parquet")
        alone = alone.assign(patient_id="A" + alone["patient_id"]).drop(columns="review_picture", errors="ignore")
        pd.testing.assert_frame_equal(of_a, alone[of_a.columns], check_dtype=False)
    sites = merged(merge, "sites").set_index("site")
    assert sites[["patients", "ok"]].to_numpy().tolist() == [[3, 3], [2, 2]]
    assert (merge.results / "report" / "index.html").is_file()
    assert (merge.results / "studies" / "hu_dxa_concordance" / "audit.json").is_file()
    of_sites = json.loads((finished_project.results / "run.json").read_text(encoding="utf-8"))["config_hash"]
    assert json.loads((merge.results / "run.json").read_text(encoding="utf-8"))["config_hash"] == of_sites
    assert merge.run().jobs == {}, "nothing changed"


def test_the_same_patient_in_two_sites_is_refused(merge):
    merge.configure(cohort={"sites": {"A": "A", "B": "B"}})
    run = merge.run("merge_sites")
    assert run.exit_status != 0
    assert "more than one site has the patients P1, P3; set cohort.site_ids: prefix" in run.output
    assert not merge.results.exists()


def test_sites_that_were_measured_differently_are_refused_unless_allowed(merge):
    path = merge.folder / "B" / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["versions"]["simpleitk"] = "2.4.0"
    record["code"]["mask_regions"] = "0" * 16
    record["config_hash"] = "0" * 16
    record["configuration"]["regions"]["ellipse"]["margin_mm"] = 9.0
    path.write_text(json.dumps(record), encoding="utf-8")
    refused = merge.run("merge_sites")
    assert refused.exit_status != 0
    assert "B differs from A in the version of simpleitk: 2.4.0 and" in refused.output
    assert "B differs from A in the code of mask_regions." in refused.output
    assert "B differs from A in measuring settings: regions.ellipse.margin_mm." in refused.output
    merge.configure(cohort=merge.configuration["cohort"] | {"allow_different_sites": True})
    allowed = merge.run("merge_sites")
    assert allowed.exit_status == 0, allowed.output
    log = (merge.results / "logs" / "merge_sites.log").read_text(encoding="utf-8")
    assert "Merged all the same: B differs from A in the code of mask_regions." in log
    assert len(merged(merge, "patients")) == 5


def test_a_site_without_a_finished_run_is_named(merge):
    (merge.folder / "B" / "run.json").unlink()
    run = merge.run("merge_sites")
    assert run.exit_status != 0
    assert "holds no finished run; it lacks run.json" in run.output
