"""A changed threshold on a cohort of 300: no image stage, no model that does not depend on it.

The tables of the units are made here, as the stages would have written them; no image exists, so a stage that ran would
fail.  Everything after them is real: Snakemake, the aggregation, all studies and the report.
"""

from __future__ import annotations

import json
import os
import resource
import sys

import numpy as np
import pandas as pd
import pytest
import yaml

from spongiosa.cohort.handover import COLUMNS_OF_STAGE
from spongiosa.config.studies import StudiesSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.density.indices import SHAPES, SLICES
from spongiosa.provenance import file_digest, write_table
from spongiosa.synthetic.population import PRESETS, as_recorded, sample_population

pytestmark = pytest.mark.workflow

PATIENTS = 300
STAGES = set(COLUMNS_OF_STAGE)
REPORT = {"render_report", "record_run", "confirm_cohort"}
STUDIES = tuple(StudiesSettings.model_fields)
PICTURED = {"roi_comparison", "screw_loosening_qct", "screw_loosening_nomogram", "new_fracture_3d_hu"}


def cohort() -> pd.DataFrame:
    """Clinical data and HU of 300 synthetic patients."""
    people = as_recorded(sample_population(PRESETS["demo"], PATIENTS, seed=11))
    return people.assign(fused_levels=1, patient_id=[f"P{number:04d}" for number in range(PATIENTS)])


def measurements(people: pd.DataFrame) -> pd.DataFrame:
    """One row per patient, level, region and side, about the patient's HU at that level."""
    rng = np.random.default_rng(3)
    parts = []
    for level in ("L1", "L2", "L3", "L4", "L5"):
        hu = people[f"{level.lower()}_hu"] if level != "L5" else people["l4_hu"] - 3
        for region in (*SLICES, *SHAPES.values(), "body_trabecular", "body_central", "pedicle", "trajectory"):
            for side in ("left", "right") if region in ("pedicle", "trajectory") else ("none",):
                shift = {"pedicle": 60.0, "trajectory": 40.0}.get(region, 0.0)
                values = hu + shift + rng.normal(0.0, 6.0, len(people))
                parts.append(
                    pd.DataFrame(
                        {
                            "patient_id": people["patient_id"],
                            "level": level,
                            "region": region,
                            "side": side,
                            "hu_mean": values,
                            "vbmd_mean_mg_cm3": 0.8 * values,
                        }
                    )
                )
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(
        session="preop", modality="ct", variant="default", status="ok", reason=None, voxels=900, kernel="B70f",
        kvp=np.where(rows["patient_id"] < "P0240", 120.0, 100.0), manufacturer="Siemens", slice_thickness_mm=3.0,
    ).astype({"reason": "string"})  # fmt: skip


def readings(people: pd.DataFrame) -> pd.DataFrame:
    """Two readers of the ellipses of L1-L4 in twenty patients."""
    rng = np.random.default_rng(5)
    rows = [
        (name, reader, level, region, "hu_mean", round(hu + rng.normal(0, 5), 1))
        for name, *values in people[["patient_id", "l1_hu", "l2_hu", "l3_hu", "l4_hu"]].head(20).itertuples(index=False)
        for level, hu in zip(("L1", "L2", "L3", "L4"), values, strict=True)
        for region in SLICES
        for reader in ("A", "B")
    ]
    return pd.DataFrame(rows, columns=["patient_id", "reader", "level", "region", "quantity", "value"])


def screws(people: pd.DataFrame) -> pd.DataFrame:
    """Both screws of L5; of a patient with loosening the left one, or both."""
    rng = np.random.default_rng(6)
    left = people[["patient_id", "loosening"]].assign(level="L5", side="left")
    is_both = rng.random(len(people)) < 0.5
    return pd.concat([left, left.assign(side="right", loosening=left["loosening"] & is_both)], ignore_index=True)


class TableProject:
    """A folder with 300 patients whose unit tables are there, and the workflow of this repository."""

    def __init__(self, folder, run_here) -> None:
        self.folder, self.results, self.run_here = folder, folder / "results", run_here
        people = cohort()
        rows = "".join(f"{name}\tdicom/{name}\n" for name in people["patient_id"])
        (folder / "manifest.tsv").write_text("patient_id\tpath\n" + rows, encoding="utf-8")
        clinical = people.drop(columns=[name for name in people if name.endswith("_hu")])
        clinical.to_csv(folder / "clinical.csv", index=False)
        self.study = {
            "cohort": {"manifest": "manifest.tsv", "patients_per_job": PATIENTS, "fingerprint": "refresh"},
            "output_dir": "results",
            "clinical": {"table": "clinical.csv", "screws": "screws.csv"},
            "readers": {"table": "readers.csv"},
            "studies": {name: {"enabled": True, "bootstrap_draws": 200} for name in STUDIES},
        }
        self.study["studies"]["screw_loosening_nomogram"]["validation_draws"] = 10
        for name in PICTURED:
            self.study["studies"][name]["pictures"] = {"illustrate": False}
        readings(people).to_csv(folder / "readers.csv", index=False)
        screws(people).to_csv(folder / "screws.csv", index=False)
        self.write()
        unit = self.results / "units" / "u0000001"
        scans = pd.DataFrame({"patient_id": people["patient_id"], "session": "preop", "modality": "ct"})
        outcome = scans.assign(unit=unit.name, status="ok", reason=None, detail=None, left_at=None, key="0" * 16)
        outcome = outcome.assign(flags=[[] for _ in people.index], outputs=[[] for _ in people.index])
        for stage in COLUMNS_OF_STAGE:
            write_table(
                unit / f"{stage}.parquet", outcome.astype(dict.fromkeys(["reason", "detail", "left_at"], "string"))
            )
        write_table(unit / "measurements.parquet", measurements(people))
        write_table(unit / "vertebrae.parquet", scans.assign(level="L1", label=20))
        write_table(unit / "calibration.parquet", scans.assign(method="none"))
        write_table(unit / "series.parquet", scans.assign(series_key="k", kvp=120.0, is_chosen=True, reason=None))

    def write(self, **thresholds) -> None:
        """Change thresholds beside those that were changed before; every test changes from where it stands."""
        self.study["thresholds"] = self.study.get("thresholds", {}) | thresholds
        (self.folder / "study.yaml").write_text(yaml.safe_dump(self.study), encoding="utf-8")

    def run(self):
        """Call Snakemake; what ran, and its CPU seconds over all processes."""
        used = _cpu_seconds()
        run = self.run_here(self.folder, self.results)
        return run, _cpu_seconds() - used

    def fits(self) -> dict[str, tuple[int, str]]:
        """When each fit was written, and its digest."""
        found = sorted((self.results / "studies").glob("*/fits/*.json"))
        return {f"{path.parts[-3]}/{path.stem}": (path.stat().st_mtime_ns, file_digest(path)) for path in found}

    def audit(self, study: str) -> dict:
        return json.loads((self.results / "studies" / study / "audit.json").read_text(encoding="utf-8"))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def project(tmp_path_factory, run_here) -> TableProject:
    made = TableProject(tmp_path_factory.mktemp("tables"), run_here)
    run, _ = made.run()
    assert run.exit_status == 0, run.output
    assert not STAGES & set(run.jobs), "there is no image to compute from"
    assert set(run.jobs["analyse_study"]) == set(STUDIES)
    assert set(run.jobs["draw_panels"]) == PICTURED
    return made


def report_cost(what: str, seconds: float) -> None:
    sys.stdout.write(f"{what}: {seconds:.1f} s CPU for {PATIENTS} patients\n")


def test_readers_and_screws_reach_their_studies(project: TableProject) -> None:
    joined = pd.read_parquet(project.results / "cohort" / "readers.parquet")
    assert joined["software_value"].notna().all()
    around = pd.read_parquet(project.results / "cohort" / "screws.parquet")
    assert len(around) == 2 * PATIENTS and around["trajectory_vbmd_mg_cm3"].notna().all()
    tables = {study: {table["key"] for table in project.audit(study)["tables"]} for study in STUDIES}
    assert {"t11a_reliability", "t10_strata"} <= tables["hu_dxa_concordance"]
    assert {"t6a_screws", "t6b_per_screw", "t7_strata"} <= tables["screw_loosening_qct"]


def test_a_changed_hu_threshold_tabulates_one_study_and_refits_nothing(project: TableProject) -> None:
    """`hu_osteoporosis` is read by the concordance study alone, and by none of its fits."""
    fits, counts = project.fits(), project.audit("hu_dxa_concordance")["audit"]["counts"]
    project.write(hu_osteoporosis=121.0)
    run, seconds = project.run()
    report_cost("a changed HU threshold", seconds)
    assert run.exit_status == 0, run.output
    assert set(run.jobs) - REPORT == {"analyse_study"}
    assert run.jobs["analyse_study"] == ["hu_dxa_concordance"]
    assert project.fits() == fits
    assert project.audit("hu_dxa_concordance")["audit"]["counts"] != counts


def test_a_changed_t_threshold_refits_what_reads_it(project: TableProject) -> None:
    before = project.fits()
    project.write(t_osteoporosis=-2.4)
    run, seconds = project.run()
    report_cost("a changed T threshold", seconds)
    assert run.exit_status == 0, run.output
    refitted = {name for name, written in project.fits().items() if written != before[name]}
    assert refitted == {"hu_dxa_concordance/discrimination", "roi_comparison/osteoporosis"}
    assert set(run.jobs["analyse_study"]) == {"hu_dxa_concordance", "roi_comparison"}
    assert not STAGES & set(run.jobs)


def test_a_changed_vbmd_threshold_tabulates_the_screening_summary_alone(project: TableProject) -> None:
    fits = project.fits()
    project.write(vbmd_osteoporosis_mg_cm3=75.0)
    run, _ = project.run()
    assert run.exit_status == 0, run.output
    assert run.jobs["analyse_study"] == ["screening"]
    assert set(run.jobs) - REPORT == {"analyse_study"}
    assert project.fits() == fits


def test_changed_pictures_of_a_study_are_drawn_anew_and_nothing_is_analysed(project: TableProject) -> None:
    """Whose scan is shown changes no number; before, the densitometry alone could be drawn, as there is no image."""
    path = project.results / "studies" / "screw_loosening_qct" / "pictures" / "pictures.json"
    before = json.loads(path.read_text(encoding="utf-8"))
    assert [figure["key"] for figure in before["figures"]] == ["p1_dxa"]
    assert all(item["reason"] for item in before["omitted"]) and len(before["omitted"]) == 2
    project.study["studies"]["screw_loosening_qct"]["pictures"] = {"patient": "none"}
    project.write()
    run, _ = project.run()
    assert run.exit_status == 0, run.output
    assert set(run.jobs) - REPORT == {"draw_panels"}
    assert run.jobs["draw_panels"] == ["screw_loosening_qct"]
    assert json.loads(path.read_text(encoding="utf-8"))["figures"] == []
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    page = (project.results / "report" / "index.html").read_text(encoding="utf-8")
    assert "Not drawn: Picture 1. Densitometry" in page


def test_the_thresholds_of_the_configuration_reach_every_study_that_names_them() -> None:
    from spongiosa.studies.needs import NEEDS

    assert set(NEEDS) == set(STUDIES)
    named = {name for needs in NEEDS.values() for name in needs.thresholds}
    assert named <= set(ThresholdsSettings.model_fields)
    for needs in NEEDS.values():
        assert all(set(fit.thresholds) <= set(needs.thresholds) for fit in needs.fits.values())


def test_the_environment_names_no_home_of_results(project: TableProject) -> None:
    """The fits hold numbers of patients, never a path of this machine."""
    for path in (project.results / "studies").glob("*/fits/*.json"):
        assert str(project.folder) not in path.read_text(encoding="utf-8")
        assert os.sep + "dicom" not in path.read_text(encoding="utf-8")
