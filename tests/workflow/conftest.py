"""A small project of its own: a copy of the workflow, three synthetic patients as DICOM, and real Snakemake runs."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ("Snakefile", "rules", "scripts", "profiles", "config", "envs")

COMPUTED = re.compile(r"patient \d+/\d+: patient (\w+), .*: (?:ok|excluded|failed) in ")


def call_snakemake(folder: Path, code: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call Snakemake in `folder` with its study.yaml and the workflow of `code`, as a user would."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(code / "Snakefile"), "--configfile", "study.yaml"]
    command += ["--workflow-profile", str(code / "profiles" / "default"), "--cores", "2", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(code / "scripts"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


@dataclass
class Run:
    """What one call of Snakemake did."""

    exit_status: int
    output: str
    jobs: dict[str, list[str]] = field(default_factory=dict)
    computed: dict[str, list[str]] = field(default_factory=dict)

    @property
    def rules(self) -> set[str]:
        """The rules of which a job ran, without the cheap ends that follow every new report."""
        return set(self.jobs) - {"record_run", "confirm_cohort"}


def run_workflow(folder: Path, code: Path, results: Path, *arguments: str) -> Run:
    """Call Snakemake in `folder` with the workflow of `code`, and say what ran, by the logs that were written."""
    logs = results / "logs"
    before = {log: log.stat().st_mtime_ns for log in logs.rglob("*.log")}
    process = call_snakemake(folder, code, *arguments)
    run = Run(process.returncode, process.stdout + process.stderr)
    for log in sorted(logs.rglob("*.log")):
        if before.get(log) == log.stat().st_mtime_ns:
            continue
        parts = log.relative_to(logs).with_suffix("").parts
        run.jobs.setdefault(parts[0], []).append(parts[-1])
        patients = COMPUTED.findall(log.read_text(encoding="utf-8"))
        if patients:
            run.computed.setdefault(parts[0], []).extend(patients)
    return run


@dataclass
class Project:
    """A folder with the workflow, the inputs and the results."""

    folder: Path

    def copy(self, folder: Path) -> Project:
        """This project in another folder, with all times kept."""
        shutil.copytree(self.folder, folder, copy_function=shutil.copy2)
        return Project(folder)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def configuration(self) -> dict:
        return yaml.safe_load((self.folder / "study.yaml").read_text(encoding="utf-8"))

    def configure(self, **sections) -> None:
        """Change sections of the configuration."""
        text = yaml.safe_dump(self.configuration | sections)
        (self.folder / "study.yaml").write_text(text, encoding="utf-8")

    def write_manifest(self, patients: list[str], **columns: dict[str, str]) -> None:
        """One row per patient, whose DICOM lies in input/dicom/<patient> and whose labels in input/labels."""
        lines = ["patient_id\tpath\tlabels\tlabel_scheme"]
        for patient in patients:
            path = columns.get("path", {}).get(patient, f"dicom/{patient}")
            lines.append(f"{patient}\t{path}\tlabels/{patient}.nii.gz\tverse")
        (self.folder / "input" / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Change the project's copy of the code."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{path} does not hold {old!r}"
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    def run(self, *arguments: str) -> Run:
        """Call Snakemake as a user would, with the code of this project."""
        return run_workflow(self.folder, self.folder, self.results, *arguments)


def make_patient(folder: Path, patient_id: str, seed: int, trabecular_density_mg_cm3: float) -> None:
    """A synthetic patient as DICOM with its true label map, small enough for tests."""
    import SimpleITK as sitk

    from spongiosa.synthetic.dicom_ct import CtSeries, write_ct_series
    from spongiosa.synthetic.dicom_identity import StudyIdentity
    from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
    from spongiosa.synthetic.patient import build_patient
    from spongiosa.synthetic.scanner import render_ct

    patient = build_patient(PatientParameters(trabecular_density_mg_cm3=trabecular_density_mg_cm3), seed)
    scanner = ScannerParameters(
        rows=160,
        columns=160,
        pixel_spacing_mm=1.2,
        slice_thickness_mm=2.5,
        slice_spacing_mm=2.5,
        cranial_level="L1",
        caudal_level="L4",
        caudal_margin_mm=10.0,
        noise_sd_hu=10.0,
    )
    scan = render_ct(patient, scanner, seed)
    write_ct_series(scan.ct, folder / "dicom" / patient_id, StudyIdentity(patient_id, seed), CtSeries())
    labels = sitk.GetImageFromArray(scan.vertebrae.voxels)
    labels.SetSpacing(scan.vertebrae.spacing_mm)
    labels.SetOrigin(scan.vertebrae.origin_mm)
    labels.SetDirection(scan.vertebrae.direction.ravel().tolist())
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(labels, str(folder / "labels" / f"{patient_id}.nii.gz"), useCompression=True)


@pytest.fixture(scope="session")
def run_here():
    """A function that calls this repository's workflow in a folder and says what it did, by the logs it wrote."""

    def run(folder: Path, results: Path) -> Run:
        return run_workflow(folder, ROOT, results)

    return run


@pytest.fixture(scope="session")
def run_study():
    """A function that writes `study` into a folder, runs it there with this repository's workflow, and must succeed."""

    def run(folder: Path, study: dict) -> Path:
        (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
        process = call_snakemake(folder, ROOT)
        assert process.returncode == 0, process.stdout + process.stderr
        return folder

    return run


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` fills, for all workers of this run of the tests: who comes second waits and shares it."""
    of_worker = tmp_path_factory.getbasetemp()
    folder = (of_worker.parent if "PYTEST_XDIST_WORKER" in os.environ else of_worker) / name
    done = folder.with_suffix(".done")
    with folder.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory) -> Project:
    """Three patients in two units, run once from DICOM to the report; tests work on copies of it."""
    return Project(made_once(tmp_path_factory, "finished_project", make_finished_project))


def make_finished_project(folder: Path) -> None:
    """Copy the workflow into `folder`, make four patients there, and compute the first three."""
    project = Project(folder)
    for name in WORKFLOW:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, project.folder / name)
    densities = {"P1": 60.0, "P2": 110.0, "P3": 150.0, "P4": 90.0}
    for seed, (patient, density) in enumerate(densities.items(), start=1):
        make_patient(project.folder / "input", patient, seed, density)
    rows = ["ID,Age,Sex,T spine,T neck"]
    rows += ["P1,78,F,-3.1,-2.8", "P2,66,f,-1.4,-1.9", "P3,59,m,0.3,-0.2"]
    (project.folder / "input" / "clinical.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    columns = {
        "patient_id": "ID",
        "age_years": "Age",
        "sex": "Sex",
        "t_score_lumbar": "T spine",
        "t_score_femoral_neck": "T neck",
    }
    project.write_manifest(["P1", "P2", "P3"])
    study = {
        "cohort": {"manifest": "input/manifest.tsv", "patients_per_job": 2},
        "output_dir": "results",
        "clinical": {"table": "input/clinical.csv", "columns": columns},
        "studies": {"hu_dxa_concordance": {"enabled": True}},
    }
    (project.folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    run = project.run()
    assert run.exit_status == 0, run.output


@pytest.fixture
def project(finished_project, tmp_path) -> Project:
    """A copy of the finished project to change and run again."""
    return finished_project.copy(tmp_path / "project")
