"""From DICOM with a phantom under the patient to vBMD in the tables of the cohort."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from spongiosa.regions.tissue_samples import TISSUES
from spongiosa.synthetic.dicom_ct import CtSeries, write_ct_series
from spongiosa.synthetic.dicom_identity import StudyIdentity
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.phantoms import PHANTOMS
from spongiosa.synthetic.scanner import render_ct
from spongiosa.synthetic.tissue import Tissues

pytestmark = pytest.mark.workflow

PHANTOM = "mindways_model_3_ct"
PATIENTS = {"P1": PHANTOM, "P2": None}


@pytest.fixture(scope="module")
def study(tmp_path_factory, run_study):
    """Two patients with their true label maps, of whom only the first lies on the phantom that is named for both."""
    import SimpleITK as sitk

    folder = tmp_path_factory.mktemp("calibration")
    truth = {}
    for seed, (patient_id, phantom) in enumerate(PATIENTS.items(), start=1):
        scanner = ScannerParameters(
            rows=216,
            columns=216,
            pixel_spacing_mm=1.5,
            slice_thickness_mm=2.5,
            slice_spacing_mm=2.5,
            cranial_level="L1",
            caudal_level="L3",
            caudal_margin_mm=8.0,
            off_centre_mm=(0.0, 30.0),
            noise_sd_hu=12.0,
            phantom=phantom,
        )
        scan = render_ct(build_patient(PatientParameters(trabecular_density_mg_cm3=100.0), seed), scanner, seed)
        write_ct_series(scan.ct, folder / "dicom" / patient_id, StudyIdentity(patient_id, seed), CtSeries())
        labels = sitk.GetImageFromArray(scan.vertebrae.voxels)
        labels.SetSpacing(scan.vertebrae.spacing_mm)
        labels.SetOrigin(scan.vertebrae.origin_mm)
        labels.SetDirection(scan.vertebrae.direction.ravel().tolist())
        sitk.WriteImage(labels, str(folder / f"{patient_id}.nii.gz"), useCompression=True)
        truth[patient_id] = scan.truth
    rows = [f"{name}\tdicom/{name}\t{name}.nii.gz\tverse\t{PHANTOM}" for name in PATIENTS]
    manifest = "\n".join(["patient_id\tpath\tlabels\tlabel_scheme\tphantom", *rows]) + "\n"
    (folder / "manifest.tsv").write_text(manifest, encoding="utf-8")
    settings = {
        "cohort": {"manifest": "manifest.tsv", "patients_per_job": len(PATIENTS)},
        "output_dir": "results",
        "calibration": {"method": "phantom"},
    }
    return run_study(folder, settings) / "results", truth


def test_the_vbmd_of_l1_and_l2_is_true_and_its_absence_has_the_reason_of_the_scan(study):
    """2 mg/cm3, the bound on the mean error: the regions are placed on 1.5 mm pixels, the rods add 0.3 mg/cm3."""
    results, truth = study
    patients = pd.read_parquet(results / "cohort" / "patients.parquet").set_index("patient_id")
    phantom, tissues = PHANTOMS[PHANTOM], Tissues(120.0)
    true = [phantom.equivalent_mg_cm3(truth["P1"].hu(level, "body_central"), tissues) for level in ("L1", "L2")]
    assert patients.loc["P1", "vbmd_l1_l2_mg_cm3"] == pytest.approx(sum(true) / 2, abs=2.0)
    assert pd.isna(patients.loc["P2", "vbmd_l1_l2_mg_cm3"])
    assert patients.loc["P2", "vbmd_l1_l2_mg_cm3_reason"] == "phantom_not_found"

    rows = pd.read_parquet(results / "cohort" / "measurements.parquet").set_index("patient_id")
    assert set(rows.loc["P1", "vbmd_material"].dropna()) == {"K2HPO4"}
    assert set(rows.loc["P1", "calibration_method"]) == {"phantom"}
    assert rows.loc["P1", "calibration_r2"].min() > 0.999
    assert set(rows.loc["P2", "calibration_reason"]) == {"phantom_not_found"}
    assert rows.loc["P2", "hu_mean"].notna().any()


def test_the_calibration_of_the_cohort_has_a_row_per_scan(study):
    results, _ = study
    table = pd.read_parquet(results / "cohort" / "calibration.parquet").set_index("patient_id")
    assert table["method"].to_dict() == {"P1": "phantom", "P2": "none"}
    assert table["reason"].fillna("").to_dict() == {"P1": "", "P2": "phantom_not_found"}
    assert (table.loc["P1", "rods_used"], table.loc["P1", "table_height_mm"]) == (5, 150.0)
    assert table.loc["P1", "residual_rms_mg_cm3"] < 3.0
    assert table["contrast_phase"].tolist() == ["none", "none"]


def test_the_reference_tissues_are_rows_without_a_level_or_a_mineral(study):
    """5 HU: the generator's blood has 42 HU; noise and the vessel's wall move the mean of its core by less."""
    results, _ = study
    rows = pd.read_parquet(results / "cohort" / "measurements.parquet")
    tissues = rows[rows["level"].isna()]
    assert sorted(tissues.loc[tissues["patient_id"] == "P1", "region"]) == sorted(TISSUES)
    assert tissues["vbmd_mean_mg_cm3"].isna().all()
    assert tissues.loc[tissues["region"] == "blood", "hu_mean"].tolist() == pytest.approx([42.0, 42.0], abs=5.0)
    exclusions = pd.read_parquet(results / "cohort" / "exclusions.parquet")
    assert not exclusions["reason"].isin(["tissues_not_found"]).any()


def test_the_record_of_the_scan_names_every_rod_with_its_residual(study):
    results, _ = study
    path = results / "sub-P1" / "ses-preop" / "ct" / "sub-P1_ses-preop_desc-calibration.json"
    calibration = json.loads(path.read_text(encoding="utf-8"))["calibration"]
    assert [rod["name"] for rod in calibration["rods"]] == ["A", "B", "C", "D", "E"]
    assert max(abs(rod["residual_mg_cm3"]) for rod in calibration["rods"]) < 3.0
    assert calibration["line"]["method"] == "phantom"
