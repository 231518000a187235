"""The demo cohort: synthetic patients as a hospital would hand them over, and the truth about them beside it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from spongiosa.synthetic.demo_plan import Matrix, PlannedPatient, plan_demo_cohort
from spongiosa.synthetic.dicom_writer import (
    CtSeries,
    SeriesFaults,
    StudyIdentity,
    write_ct_series,
    write_localizer,
    write_secondary_capture,
)
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import RenderedScan, render_ct

STAMP: Final = "demo-cohort.json"
SECRET: Final = "secret"
CLINICAL_COLUMNS: Final[dict[str, str]] = {
    "patient_id": "Case",
    "age_years": "Age",
    "sex": "Sex",
    "height_m": "Height (m)",
    "weight_kg": "Weight (kg)",
    "t_score_lumbar": "T L1-L4",
    "t_score_femoral_neck": "T neck",
    "t_score_total_hip": "T hip",
    "bmd_lumbar_g_cm2": "BMD L1-L4",
    "bmd_femoral_neck_g_cm2": "BMD neck",
    "yam_lumbar_percent": "YAM L1-L4 (%)",
    "yam_femoral_neck_percent": "YAM neck (%)",
    "ct_dxa_interval_days": "Days DXA-CT",
    "goutallier": "Goutallier",
    "pbq": "PBQ",
    "loosening": "Screw loosening",
    "new_fracture": "New fracture",
}
"""Column of the data dictionary -> the hospital's name for it in clinical.csv (as `clinical.columns` wants it)."""


@dataclass(frozen=True)
class DemoCohort:
    """Where the parts of a written cohort lie; `is_new` is false where an earlier run had written the same."""

    manifest: Path
    clinical: Path
    truth: Path
    is_new: bool


def write_demo_cohort(
    output: Path,
    patients: int = 16,
    seed: int = 2026,
    jobs: int = 1,
    matrix: Matrix = "standard",
    report: Callable[[str], None] = lambda _: None,
) -> DemoCohort:
    """Write `patients` synthetic patients as DICOM with manifest, clinical table and truth below `output`.

    `dicom/<patient_id>/` holds the studies, `manifest.tsv`, `clinical.csv` and `secret` (a fixed one, so that the demo
    gives the same bytes everywhere) are the inputs of a run, `truth.parquet`
    has one row per patient, level and region (the generator's noise-free HU and the level's centre in LPS mm), and two
    rows per patient for `ax_l1_l4_hu` and `hu_3d_l1_l4`; `expectation` tells who is meant to be excluded, and why.
    Same arguments but `jobs`: same bytes. A folder that was written with them already is left as it is; the stamp that
    tells so is written last. `report` receives a line per patient.
    Raises `FileExistsError` where `output` holds something that is not a demo cohort.
    """
    cohort = DemoCohort(output / "manifest.tsv", output / "clinical.csv", output / "truth.parquet", is_new=True)
    arguments = {"patients": patients, "seed": seed, "matrix": matrix, "generator": _generator_hash()}
    if _stamp(output) == arguments | {"state": "complete"}:
        report(f"{output} holds this cohort of {patients} patients already")
        return replace(cohort, is_new=False)
    clinical, planned = plan_demo_cohort(patients, seed, matrix)
    _clear(output)
    _write_stamp(output, arguments | {"state": "started"})
    truths = []
    with ProcessPoolExecutor(max_workers=max(1, jobs)) as pool:
        for number, truth in enumerate(pool.map(_write_patient, planned, [output] * patients), start=1):
            report(f"patient {number}/{patients}")
            truths.append(truth)
    pd.concat(truths, ignore_index=True).to_parquet(cohort.truth, index=False)
    _hospital_table(clinical).to_csv(cohort.clinical, index=False)
    _manifest(planned).to_csv(cohort.manifest, sep="\t", index=False)
    (output / SECRET).write_text(f"synthetic patients of seed {seed} have nothing to hide\n", encoding="ascii")
    _write_stamp(output, arguments | {"state": "complete"})
    return cohort


def _write_patient(planned: PlannedPatient, output: Path) -> pd.DataFrame:
    """Build, scan and write one patient; the rows of the truth."""
    patient = build_patient(planned.parameters, planned.seed)
    scan = render_ct(patient, planned.scanner, planned.seed)
    identity = StudyIdentity(
        planned.patient_id,
        planned.seed,
        sex=planned.parameters.sex,
        age_years=planned.parameters.age_years,
        height_m=planned.parameters.stature_m,
        weight_kg=planned.parameters.bmi_kg_m2 * planned.parameters.stature_m**2,
        study_date=planned.study_date,
    )
    root = output / "dicom" / planned.patient_id

    def folder(number: int) -> Path:
        return root / planned.vendor.folder.format(number=number)

    write_localizer(scan.ct, folder(1), identity, planned.vendor.scout(1))
    soft = _as_acquired(planned.vendor.soft_series(2), planned, len(scan.ct.voxels))
    write_ct_series(scan.ct, folder(2), identity, soft)
    if planned.has_bone_kernel:
        sharp = replace(planned.scanner, kernel="bone", noise_sd_hu=2.5 * planned.scanner.noise_sd_hu)
        bone = _as_acquired(planned.vendor.bone_series(3), planned, len(scan.ct.voxels))
        write_ct_series(render_ct(patient, sharp, planned.seed + 1).ct, folder(3), identity, bone)
    if planned.has_screenshot:
        write_secondary_capture(scan.ct, folder(99), identity)
    return _truth_rows(planned, scan)


def _as_acquired(series: CtSeries, planned: PlannedPatient, slice_count: int) -> CtSeries:
    faults = SeriesFaults()
    if planned.expectation == "missing_slices":
        faults = SeriesFaults(missing=tuple(range(slice_count // 2, slice_count // 2 + 3)))
    return replace(
        series,
        kvp=planned.scanner.kvp,
        slice_thickness_mm=planned.scanner.slice_thickness_mm,
        patient_position=planned.scanner.patient_position,
        transfer_syntax=planned.transfer_syntax,
        faults=faults,
    )


def _truth_rows(planned: PlannedPatient, scan: RenderedScan) -> pd.DataFrame:
    centres = scan.truth.geometry_frame()[["level", "label", "centre_x_mm", "centre_y_mm", "centre_z_mm"]]
    regions = scan.truth.to_frame().merge(centres, on="level", how="left")
    columns = scan.truth.cohort_columns()
    names = ["ax_l1_l4_hu", "hu_3d_l1_l4"]
    whole = pd.DataFrame({"level": "L1-L4", "region": names, "hu_mean": [columns[name] for name in names]})
    rows = pd.concat([regions, whole], ignore_index=True)
    rows["label"] = rows["label"].astype("Int64")
    rows.insert(0, "patient_id", planned.patient_id)
    return rows.assign(expectation=planned.expectation)


def _hospital_table(clinical: pd.DataFrame) -> pd.DataFrame:
    """The clinical table under the hospital's own names and codes, with a value that was never entered."""
    table = clinical[list(CLINICAL_COLUMNS)].copy()
    table["sex"] = table["sex"].map({"female": "F", "male": "M"})
    table["age_years"] = table["age_years"].astype(int)
    for outcome in ("loosening", "new_fracture"):
        table[outcome] = np.where(table[outcome], "yes", "no")
    table.loc[table.index[-1], "t_score_total_hip"] = np.nan
    return table.rename(columns=CLINICAL_COLUMNS)


def _manifest(planned: list[PlannedPatient]) -> pd.DataFrame:
    ids = [patient.patient_id for patient in planned]
    paths = [f"dicom/{patient_id}" for patient_id in ids]
    return pd.DataFrame({"patient_id": ids, "session": "preop", "modality": "ct", "path": paths})


def _generator_hash() -> str:
    """Changes with any source file of the synthetic patient, so that an older cohort is written anew."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _stamp(output: Path) -> dict[str, object]:
    path = output / STAMP
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _write_stamp(output: Path, content: Mapping[str, object]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    beside = output / f".{STAMP}.new"
    beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    beside.replace(output / STAMP)


def _clear(output: Path) -> None:
    """Remove an older or unfinished demo cohort; nothing else is ever removed."""
    if not output.exists() or not any(output.iterdir()):
        return
    if not _stamp(output):
        raise FileExistsError(f"{output} is not empty and holds no demo cohort; choose another folder")
    if (output / "dicom").is_dir():
        shutil.rmtree(output / "dicom")
    for name in ("manifest.tsv", "clinical.csv", "truth.parquet", SECRET):
        (output / name).unlink(missing_ok=True)
