"""The DICOM writer of the synthetic patient, read back by programs that are not ours."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.uid import UID

from spongiosa.synthetic.dicom_writer import (
    CANARIES,
    COMPRESSED,
    T1_SAGITTAL,
    ContrastAgent,
    CtSeries,
    PixelStorage,
    SeriesFaults,
    StudyIdentity,
    as_scanned,
    canaries_in,
    write_ct_series,
    write_enhanced_ct,
    write_localizer,
    write_mr_series,
    write_secondary_capture,
)
from spongiosa.synthetic.image import SyntheticImage

IDENTITY = StudyIdentity("P001", seed=7, age_years=71.3, height_m=1.6, weight_kg=66.6)
GEOMETRY_MM = 1e-6  # decimal strings hold 16 characters, so positions of hundreds of mm are exact to far below this
DCIODVFY, DCM2NIIX = shutil.which("dciodvfy"), shutil.which("dcm2niix")


@pytest.fixture
def image() -> SyntheticImage:
    hu = np.random.default_rng(1).integers(-1024, 3072, (6, 40, 50)).astype(np.int16)
    return SyntheticImage(hu, (0.7, 0.8, 2.5), (-17.3, -200.25, -611.0), np.eye(3))


@pytest.fixture
def oblique_image(image: SyntheticImage) -> SyntheticImage:
    turn = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.21, -0.13, 0.34).GetMatrix()
    return replace(image, direction=np.array(turn).reshape(3, 3))


def read_by_simpleitk(folder: Path) -> sitk.Image:
    return sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))


def assert_same_image(found: sitk.Image, expected: SyntheticImage) -> None:
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), expected.voxels)
    assert found.GetSpacing() == pytest.approx(expected.spacing_mm, abs=GEOMETRY_MM)
    assert found.GetOrigin() == pytest.approx(expected.origin_mm, abs=GEOMETRY_MM)
    assert found.GetDirection() == pytest.approx(expected.direction.ravel(), abs=1e-9)


@pytest.mark.parametrize("fixture", ["image", "oblique_image"])
def test_simpleitk_reads_back_the_same_geometry_and_values(fixture, request, tmp_path):
    written = request.getfixturevalue(fixture)
    write_ct_series(written, tmp_path, IDENTITY, CtSeries())
    assert_same_image(read_by_simpleitk(tmp_path), written)


@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP"])
def test_every_patient_position_keeps_each_voxel_at_its_place(position, image, tmp_path):
    scanned = as_scanned(image, position)
    write_ct_series(scanned, tmp_path, IDENTITY, CtSeries(patient_position=position))
    found = read_by_simpleitk(tmp_path)
    assert_same_image(found, scanned)
    for index in [(0, 0, 0), (5, 39, 49), (2, 7, 11)]:
        place = image.points_mm(np.array([index], dtype=float))[0]
        x, y, z = found.TransformPhysicalPointToIndex(place)
        assert scanned.voxels[z, y, x] == image.voxels[index]


@pytest.mark.parametrize("syntax", COMPRESSED, ids=lambda uid: UID(uid).keyword)
def test_lossless_transfer_syntaxes_lose_nothing(syntax, image, tmp_path):
    write_ct_series(image, tmp_path, IDENTITY, CtSeries(transfer_syntax=syntax))
    assert dcmread(next(tmp_path.iterdir())).file_meta.TransferSyntaxUID == syntax
    assert_same_image(read_by_simpleitk(tmp_path), image)


def test_an_unknown_transfer_syntax_is_refused(image, tmp_path):
    with pytest.raises(ValueError, match="can not be written"):
        write_ct_series(image, tmp_path, IDENTITY, CtSeries(transfer_syntax=UID("1.2.840.10008.1.2.4.50")))


def test_enhanced_multi_frame_ct_reads_back_the_same(image, tmp_path):
    """An image along the axes of the patient, because ITK takes spacing and direction of frames only so."""
    (path,) = write_enhanced_ct(image, tmp_path, IDENTITY, CtSeries())
    found = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), image.voxels)
    assert found.GetSpacing() == pytest.approx(image.spacing_mm, abs=GEOMETRY_MM)
    assert found.GetOrigin() == pytest.approx(image.origin_mm, abs=GEOMETRY_MM)


def test_enhanced_multi_frame_ct_refuses_faults_of_files(image, tmp_path):
    with pytest.raises(ValueError, match="no files"):
        write_enhanced_ct(image, tmp_path, IDENTITY, CtSeries(faults=SeriesFaults(missing=(1,))))


def test_signed_16_bit_storage_with_padding_and_slope_is_undone_by_the_rescale(image, tmp_path):
    """Half a stored unit is 0.25 HU at a slope of 0.5; padding is stored beyond the range of 12 bits, unscaled."""
    hu = image.voxels.astype(np.float32) / 4.0
    hu[:, 0, 0] = -2000.0
    storage = PixelStorage(16, True, 0.5, -24.0, padding_hu=-2000.0, padding_stored=-32768)
    write_ct_series(replace(image, voxels=hu), tmp_path, IDENTITY, CtSeries(storage=storage))
    dataset = dcmread(tmp_path / "IM000003")
    stored = dataset.pixel_array
    assert stored[0, 0] == dataset.PixelPaddingValue == -32768
    found = stored[1:] * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    assert np.abs(found - hu[2, 1:]).max() <= 0.25


def test_twelve_bits_clip_what_they_cannot_hold(image, tmp_path):
    hu = image.voxels.astype(np.float32)
    hu[0, 0, :2] = -3000.0, 9000.0
    write_ct_series(replace(image, voxels=hu), tmp_path, IDENTITY, CtSeries())
    assert sitk.GetArrayFromImage(read_by_simpleitk(tmp_path))[0, 0, :2].tolist() == [-1024, 3071]


def test_a_sheared_image_is_a_series_with_gantry_tilt(image, tmp_path):
    """Planes tilted by 15 degrees about the patient's left-right axis while the table moves along the body."""
    tilt = np.radians(15.0)
    direction = np.array([[1.0, 0.0, 0.0], [0.0, np.cos(tilt), 0.0], [0.0, np.sin(tilt), 1.0]])
    paths = write_ct_series(replace(image, direction=direction), tmp_path, IDENTITY, CtSeries())
    first, second = (dcmread(path) for path in paths[:2])
    assert float(first.GantryDetectorTilt) == pytest.approx(15.0, abs=1e-3)
    step = np.subtract(second.ImagePositionPatient, first.ImagePositionPatient)
    np.testing.assert_allclose(step, [0.0, 0.0, 2.5], atol=GEOMETRY_MM)


def test_oblique_rows_and_columns_are_refused(image, tmp_path):
    skew = np.array([[1.0, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    with pytest.raises(ValueError, match="orthonormal"):
        write_ct_series(replace(image, direction=skew), tmp_path, IDENTITY, CtSeries())


def test_acquisition_is_told_in_the_header(image, tmp_path):
    series = CtSeries(
        kernel="Br64f", kvp=100.0, tube_current_ma=180.0, slice_thickness_mm=3.0, contrast=ContrastAgent()
    )
    dataset = dcmread(write_ct_series(image, tmp_path, IDENTITY, series)[0])
    assert (dataset.ConvolutionKernel, float(dataset.KVP), dataset.XRayTubeCurrent) == ("Br64f", 100.0, 180)
    assert float(dataset.SliceThickness) == 3.0
    assert dataset.ContrastBolusAgent == "IOMEPROL 400"
    assert (dataset.PatientAge, dataset.PatientSex) == ("071Y", "F")


def test_series_of_one_study_share_study_and_frame_of_reference_only(image, tmp_path):
    paths = [
        *write_ct_series(image, tmp_path / "soft", IDENTITY, CtSeries(number=2)),
        *write_ct_series(image, tmp_path / "bone", IDENTITY, CtSeries(number=3, kernel="Br64f")),
        *write_localizer(image, tmp_path / "scout", IDENTITY),
    ]
    datasets = [dcmread(path, stop_before_pixels=True) for path in paths]
    assert len({dataset.StudyInstanceUID for dataset in datasets}) == 1
    assert len({dataset.FrameOfReferenceUID for dataset in datasets}) == 1
    assert len({dataset.SeriesInstanceUID for dataset in datasets}) == 3
    assert len({dataset.SOPInstanceUID for dataset in datasets}) == len(paths)
    assert all(
        str(dataset.SOPInstanceUID).startswith("2.25.") and dataset.SOPInstanceUID.is_valid for dataset in datasets
    )


def test_same_identity_gives_the_same_bytes_and_another_seed_other_uids(image, tmp_path):
    once = write_ct_series(image, tmp_path / "once", IDENTITY, CtSeries())
    again = write_ct_series(image, tmp_path / "again", IDENTITY, CtSeries())
    other = write_ct_series(image, tmp_path / "other", replace(IDENTITY, seed=8), CtSeries())
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]
    assert dcmread(once[0]).StudyInstanceUID != dcmread(other[0]).StudyInstanceUID


def test_missing_duplicated_and_repeated_slices_are_what_the_files_show(image, tmp_path):
    faults = SeriesFaults(missing=(2,), duplicated=(0,), repeated=(4,))
    paths = write_ct_series(image, tmp_path, IDENTITY, CtSeries(faults=faults))
    heights = [round(float(dcmread(path).ImagePositionPatient[2]) + 611.0, 3) for path in paths]
    assert sorted(heights) == [0.0, 0.0, 2.5, 7.5, 10.0, 10.0, 12.5]
    assert len(set(paths)) == 7
    assert len({dcmread(path).SOPInstanceUID for path in paths}) == 6  # the duplicate is the same instance


def test_shuffled_series_has_instance_numbers_out_of_spatial_order(image, tmp_path):
    faults = SeriesFaults(shuffle_seed=3)
    datasets = [dcmread(path) for path in write_ct_series(image, tmp_path, IDENTITY, CtSeries(faults=faults))]
    assert [dataset.InstanceNumber for dataset in datasets] == [1, 2, 3, 4, 5, 6]
    heights = [float(dataset.ImagePositionPatient[2]) for dataset in datasets]
    assert heights != sorted(heights)
    assert_same_image(read_by_simpleitk(tmp_path), image)


def test_mixed_orientation_turns_the_named_slices_only(image, tmp_path):
    faults = SeriesFaults(reoriented=(1, 3))
    paths = write_ct_series(image, tmp_path, IDENTITY, CtSeries(faults=faults))
    is_axial = [list(dcmread(path).ImageOrientationPatient) == [1, 0, 0, 0, 1, 0] for path in paths]
    assert is_axial == [True, False, True, False, True, True]


def test_a_fault_in_a_slice_that_does_not_exist_is_refused(image, tmp_path):
    with pytest.raises(IndexError, match="6 slices"):
        write_ct_series(image, tmp_path, IDENTITY, CtSeries(faults=SeriesFaults(missing=(6,))))


def test_localizer_is_one_coronal_image_that_spans_the_scan(image, tmp_path):
    (path,) = write_localizer(as_scanned(image, "FFS"), tmp_path, IDENTITY)
    dataset = dcmread(path)
    assert "LOCALIZER" in dataset.ImageType
    assert [float(value) for value in dataset.ImageOrientationPatient] == [1, 0, 0, 0, 0, -1]
    assert [float(value) for value in dataset.PixelSpacing] == [2.5, 0.7]
    assert float(dataset.ImagePositionPatient[0]) == pytest.approx(-17.3)
    assert float(dataset.ImagePositionPatient[2]) == pytest.approx(-611.0 + 5 * 2.5)


def test_localizer_shows_a_dense_corner_where_it_lies_in_the_patient(image, tmp_path):
    hu = np.full_like(image.voxels, -1000)
    hu[-1, :, -1] = 1000  # cranial and to the patient's left
    (path,) = write_localizer(as_scanned(replace(image, voxels=hu), "HFP"), tmp_path, IDENTITY)
    pixels = dcmread(path).pixel_array
    assert np.unravel_index(pixels.argmax(), pixels.shape) == (0, 49)


def test_mr_series_reads_back_the_same(image, tmp_path):
    """A sagittal image: rows run to the back, columns to the feet, slices to the right."""
    direction = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    signal = (image.voxels.astype(np.int32) + 1024).clip(0, 4095).astype(np.uint16)
    sagittal = replace(image, voxels=signal, direction=direction, spacing_mm=(0.7, 0.7, 4.4))
    paths = write_mr_series(sagittal, tmp_path, IDENTITY, T1_SAGITTAL)
    assert (dcmread(paths[0]).Modality, float(dcmread(paths[0]).RepetitionTime)) == ("MR", 600.0)
    assert_same_image(read_by_simpleitk(tmp_path), sagittal)


def test_canaries_are_in_every_kind_of_object_and_are_found(image, tmp_path):
    for path in [
        write_ct_series(image, tmp_path / "ct", IDENTITY, CtSeries())[0],
        write_mr_series(image, tmp_path / "mr", IDENTITY, T1_SAGITTAL)[0],
        write_enhanced_ct(image, tmp_path / "multi", IDENTITY, CtSeries())[0],
        write_secondary_capture(image, tmp_path / "capture", IDENTITY)[0],
    ]:
        assert set(canaries_in(path.read_bytes().decode("latin-1"))) == set(CANARIES)
    assert canaries_in("sub-P001 kernel Br36d 120 kV") == []
    assert canaries_in("exported from canaryhospital") == ["InstitutionName"]


def test_two_patients_have_different_patient_ids(image, tmp_path):
    first = dcmread(write_ct_series(image, tmp_path / "a", IDENTITY, CtSeries())[0])
    second = dcmread(write_ct_series(image, tmp_path / "b", replace(IDENTITY, patient="P002"), CtSeries())[0])
    assert first.PatientID != second.PatientID
    assert all(dataset.PatientID.startswith(CANARIES["PatientID"]) for dataset in (first, second))


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy (Debian's dicom3tools) is not installed")
def test_validator_finds_no_error_in_any_kind_of_object(image, tmp_path):
    objects = {
        "ct": write_ct_series(image, tmp_path / "ct", IDENTITY, CtSeries(contrast=ContrastAgent())),
        "padded": write_ct_series(
            image, tmp_path / "padded", IDENTITY, CtSeries(storage=PixelStorage(16, True, padding_hu=-1024.0))
        ),
        "localizer": write_localizer(image, tmp_path / "scout", IDENTITY),
        "capture": write_secondary_capture(image, tmp_path / "capture", IDENTITY),
        "mr": write_mr_series(image, tmp_path / "mr", IDENTITY, T1_SAGITTAL),
        "enhanced": write_enhanced_ct(image, tmp_path / "enhanced", IDENTITY, CtSeries()),
    } | {
        str(syntax): write_ct_series(image, tmp_path / str(syntax), IDENTITY, CtSeries(transfer_syntax=syntax))
        for syntax in COMPRESSED
    }
    for name, paths in objects.items():
        run = subprocess.run([str(DCIODVFY), str(paths[0])], capture_output=True, check=False)
        lines = (run.stdout + run.stderr).decode(errors="replace").splitlines()
        assert [line for line in lines if line.startswith("Error")] == [], name
        assert lines, name  # the validator named the object, so it did read it


@pytest.mark.skipif(DCM2NIIX is None, reason="dcm2niix is not installed")
@pytest.mark.parametrize("write", [write_ct_series, write_enhanced_ct], ids=["slices", "enhanced"])
def test_dcm2niix_reads_back_the_same_places_and_values(write, image, tmp_path):
    """NIfTI stores the affine in single precision: 1e-4 mm at positions of several hundred mm."""
    write(image, tmp_path / "dicom", IDENTITY, CtSeries())
    command = [str(DCM2NIIX), "-z", "n", "-f", "converted", "-o", str(tmp_path), str(tmp_path / "dicom")]
    subprocess.run(command, check=True, capture_output=True)
    found = sitk.ReadImage(str(tmp_path / "converted.nii"))
    for index in [(0, 0, 0), (5, 39, 49), (3, 4, 17)]:
        place = image.points_mm(np.array([index], dtype=float))[0]
        at = found.TransformPhysicalPointToContinuousIndex(place)
        assert at == pytest.approx(np.round(at), abs=1e-3)
        assert found.GetPixel([round(value) for value in at]) == image.voxels[index]
