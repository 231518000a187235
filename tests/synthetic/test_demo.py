"""The demo cohort as a whole: complete, repeatable, and true."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
import SimpleITK as sitk
import yaml
from pydicom import dcmread

from spongiosa.cohort.clinical import read_clinical
from spongiosa.config.clinical import ClinicalSettings
from spongiosa.synthetic.__main__ import main
from spongiosa.synthetic.demo import CLINICAL_COLUMNS, STAMP, DemoCohort, write_demo_cohort
from spongiosa.synthetic.demo_plan import plan_demo_cohort
from spongiosa.synthetic.dicom_writer import canaries_in


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cohort") / "demo"


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return []


@pytest.fixture(scope="module")
def cohort(folder, lines) -> DemoCohort:
    return write_demo_cohort(folder, patients=4, seed=7, jobs=2, matrix="small", report=lines.append)


def bytes_below(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def headers_of(folder: Path, patient_id: str) -> list:
    files = [path for path in sorted((folder / "dicom" / patient_id).rglob("*")) if path.is_file()]
    return [dcmread(path, stop_before_pixels=True) for path in files]


def axial_heights_mm(folder: Path, patient_id: str) -> list[float]:
    slices = [header for header in headers_of(folder, patient_id) if "AXIAL" in header.ImageType]
    first_series = min(header.SeriesNumber for header in slices)
    return sorted(float(h.ImagePositionPatient[2]) for h in slices if h.SeriesNumber == first_series)


def test_the_manifest_names_every_patient_and_its_folder(cohort, folder):
    manifest = pd.read_csv(cohort.manifest, sep="\t")
    assert list(manifest.columns) == ["patient_id", "session", "modality", "path"]
    assert manifest["patient_id"].tolist() == ["P001", "P002", "P003", "P004"]
    assert all((folder / path).is_dir() for path in manifest["path"])


def test_progress_is_told_patient_by_patient(cohort, lines):
    assert lines == [f"patient {number}/4" for number in range(1, 5)]


def test_the_hospital_s_clinical_table_is_understood_through_its_mapping(cohort):
    settings = ClinicalSettings(table=str(cohort.clinical), columns=CLINICAL_COLUMNS)
    clinical = read_clinical(settings, ["P001", "P002", "P003", "P004"])
    assert len(clinical) == 4
    assert set(clinical["sex"]) <= {"female", "male"}
    assert clinical["t_score_total_hip"].isna().sum() == 1
    assert not set(pd.read_csv(cohort.clinical).columns) & set(CLINICAL_COLUMNS)


def test_each_patient_has_a_scout_and_slices_in_files_without_extension(cohort, folder):
    for patient_id in ("P001", "P002", "P003", "P004"):
        headers = headers_of(folder, patient_id)
        assert sum("LOCALIZER" in header.ImageType for header in headers) == 1
        assert sum("AXIAL" in header.ImageType for header in headers) > 50
    makers = {headers_of(folder, patient_id)[0].Manufacturer for patient_id in ("P001", "P002", "P003", "P004")}
    assert len(makers) == 4


def test_one_make_of_scanner_pads_outside_its_circle(cohort, folder):
    """GE announces -2000 and stores it, unscaled; the corner of the square matrix lies outside the circle."""
    path = next(path for path in (folder / "dicom" / "P002").rglob("EXP0005") if path.parent.name == "EXP0002")
    dataset = dcmread(path)
    assert dataset.PixelPaddingValue == -2000
    assert dataset.pixel_array[0, 0] == -2000
    middle = dataset.pixel_array[72, 72] * dataset.RescaleSlope + dataset.RescaleIntercept
    assert -1024 <= middle <= 3071


def test_the_configuration_of_the_demo_maps_every_column_of_the_hospital():
    settings = yaml.safe_load((Path(__file__).parents[2] / "config" / "demo.yaml").read_text(encoding="utf-8"))
    assert settings["clinical"]["columns"] == CLINICAL_COLUMNS


def test_exactly_two_patients_are_meant_to_be_excluded_and_differ_in_why(cohort, folder):
    truth = pd.read_parquet(cohort.truth)
    expectation = truth.groupby("patient_id")["expectation"].first()
    excluded = expectation[expectation != "measured"]
    assert sorted(excluded) == ["chest_only", "missing_slices"]
    chest, gap = (excluded[excluded == reason].index[0] for reason in ("chest_only", "missing_slices"))
    assert not truth[truth["patient_id"] == chest]["level"].isin(["T11", "T12", "L1", "L2", "L3", "L4", "L5"]).any()
    steps = pd.Series(axial_heights_mm(folder, gap)).diff().dropna().round(3)
    assert sorted(set(steps)) == [3.0, 12.0]
    for complete in set(expectation.index) - {gap}:
        assert set(pd.Series(axial_heights_mm(folder, complete)).diff().dropna().round(3)) == {3.0}


def test_truth_lies_at_bone_of_the_written_images(cohort, folder):
    """The mean of a 9 mm cube about the true centre of L3 is within 40 HU of the truth of L3's core.

    Noise of 16 HU over 50 voxels leaves 2 HU; the rest is the vein and the trend within the body, which the core has
    and the cube weighs otherwise. Muscle and disc beside a misplaced centre would be off by the cortex, 200 HU.
    """
    truth = pd.read_parquet(cohort.truth)
    row = truth.query("patient_id == 'P001' and level == 'L3' and region == 'body_trabecular'").iloc[0]
    soft = next(h for h in headers_of(folder, "P001") if "AXIAL" in h.ImageType)
    series = [path for path in (folder / "dicom" / "P001").rglob("*") if path.is_file()]
    series = [path for path in series if dcmread(path, stop_before_pixels=True).SeriesNumber == soft.SeriesNumber]
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(series[0].parent)))
    x, y, z = image.TransformPhysicalPointToIndex((row.centre_x_mm, row.centre_y_mm, row.centre_z_mm))
    cube = sitk.GetArrayFromImage(image)[z - 1 : z + 2, y - 3 : y + 4, x - 3 : x + 4]
    assert cube.mean() == pytest.approx(row.hu_mean, abs=40.0)


def test_truth_has_levels_regions_and_the_indices_of_each_patient(cohort):
    truth = pd.read_parquet(cohort.truth)
    measured = truth[(truth["expectation"] == "measured") & (truth["level"] != "L1-L4")]
    for _, patient in measured.groupby("patient_id"):
        assert {"L1", "L2", "L3", "L4", "L5"} <= set(patient["level"])
        assert {"ellipse_superior", "ellipse_mid", "ellipse_inferior", "body_trabecular"} == set(patient["region"])
        assert patient["hu_mean"].between(-50, 400).all()
    whole = truth[truth["level"] == "L1-L4"]
    assert whole.groupby("patient_id")["region"].apply(set).map({"ax_l1_l4_hu", "hu_3d_l1_l4"}.issubset).all()


def test_a_written_cohort_is_left_as_it_is(cohort, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = write_demo_cohort(folder, patients=4, seed=7, jobs=1, matrix="small")
    assert not again.is_new
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_same_arguments_give_the_same_bytes_whatever_the_jobs_and_after_a_kill(cohort, folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    arguments = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    (other / STAMP).write_text(json.dumps(arguments | {"state": "started"}), encoding="utf-8")
    (other / "dicom" / "P009").mkdir(parents=True)
    write_demo_cohort(other, patients=4, seed=7, jobs=1, matrix="small")
    assert bytes_below(other) == bytes_below(folder)


def test_a_folder_with_other_content_is_refused_and_untouched(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    assert main(["demo", "--output", str(tmp_path), "--patients", "1", "--matrix", "small"]) == 2
    assert "holds no demo cohort" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_impossible_cohort_is_refused():
    with pytest.raises(ValueError, match="at least one patient"):
        plan_demo_cohort(0, seed=1, matrix="small")
    with pytest.raises(ValueError, match="Unknown matrix"):
        plan_demo_cohort(3, seed=1, matrix="huge")


def test_the_cohort_of_the_demo_looks_like_its_study():
    """The lowest T-score correlates with HU by about .5, and all four groups of the study are there."""
    clinical, planned = plan_demo_cohort(16, seed=2026, matrix="standard")
    stay = clinical[[patient.expectation == "measured" for patient in planned]]
    low_t = stay[["t_score_lumbar", "t_score_femoral_neck"]].min(axis=1)
    assert len(stay) == 14
    assert low_t.corr(stay["ax_l1_l4_hu"]) == pytest.approx(0.5, abs=0.15)
    groups = pd.crosstab(low_t <= -2.5, stay["ax_l1_l4_hu"] <= 100.0)
    assert groups.shape == (2, 2)
    assert groups.to_numpy().min() >= 1


def test_small_cohorts_have_nobody_to_exclude():
    _, planned = plan_demo_cohort(3, seed=1, matrix="small")
    assert [patient.expectation for patient in planned] == ["measured"] * 3


def test_tables_of_the_cohort_carry_no_canary_of_the_headers(cohort):
    for path in (cohort.manifest, cohort.clinical):
        assert canaries_in(path.read_text(encoding="utf-8")) == []
