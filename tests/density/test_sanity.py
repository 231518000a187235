"""Scans whose values are no Hounsfield units."""

from pathlib import Path

import numpy as np
import pytest

from spongiosa.density.sanity import check_hounsfield_scale
from spongiosa.outcome import Excluded, Reason
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct
from spongiosa.volume import Geometry, Volume, read_volume

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def rendered(**scanner: object) -> Volume:
    settings = {
        "rows": 160,
        "columns": 160,
        "pixel_spacing_mm": 2.6,
        "slice_thickness_mm": 4.0,
        "slice_spacing_mm": 4.0,
        "cranial_level": "L2",
        "caudal_level": "L3",
        "cranial_margin_mm": 0.0,
        "caudal_margin_mm": 0.0,
    }
    image = render_ct(build_patient(PatientParameters(), 11), ScannerParameters(**(settings | scanner)), 11).ct
    return Volume(image.voxels, Geometry(image.voxels.shape, image.spacing_mm, image.origin_mm, image.direction))


@pytest.fixture(scope="module")
def trunk() -> Volume:
    """A lumbar slab with air around."""
    return rendered()


@pytest.fixture(scope="module")
def spine_only() -> Volume:
    """A small field of view without any air."""
    return rendered(rows=100, columns=100, pixel_spacing_mm=1.4, off_centre_mm=(0.0, 40.0))


@pytest.fixture(scope="module")
def padded() -> Volume:
    """A circular field of reconstruction in a square image."""
    return rendered(padding_hu=-1024, pixel_spacing_mm=2.0)


def moved(volume: Volume, by_hu: int) -> Volume:
    return Volume((volume.voxels.astype(np.int32) + by_hu).astype(np.int16), volume.geometry)


def reason_of(volume: Volume) -> tuple[Reason, str]:
    with pytest.raises(Excluded) as caught:
        check_hounsfield_scale(volume)
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize("scan", ["trunk", "spine_only", "padded"])
def test_true_hounsfield_units_pass(scan, request):
    check_hounsfield_scale(request.getfixturevalue(scan))


@pytest.mark.parametrize("iodine_mg_ml", [4.0, 12.0])
def test_contrast_medium_passes(iodine_mg_ml):
    image = render_ct(
        build_patient(PatientParameters(blood_iodine_mg_ml=iodine_mg_ml), 3),
        ScannerParameters(rows=160, columns=160, pixel_spacing_mm=2.6, cranial_level="L1", caudal_level="L1", kvp=80.0),
        3,
    ).ct
    geometry = Geometry(image.voxels.shape, image.spacing_mm, image.origin_mm, image.direction)
    check_hounsfield_scale(Volume(image.voxels, geometry))


@pytest.mark.parametrize("scan", ["trunk", "spine_only", "padded"])
@pytest.mark.parametrize("error_hu", [1024, -1024])
def test_a_wrong_rescale_intercept_is_caught_and_named(scan, error_hu, request):
    reason, detail = reason_of(moved(request.getfixturevalue(scan), error_hu))
    assert reason is Reason.IMPLAUSIBLE_HU
    assert "A rescale intercept of 1024 was forgotten or applied twice." in detail


def test_a_small_shift_of_the_scale_is_left_to_the_calibration(trunk):
    check_hounsfield_scale(moved(trunk, 20))


@pytest.mark.parametrize("value", [0, 24, 3071, 32767])
def test_padding_that_was_changed_on_its_way_is_caught(padded, value):
    voxels = padded.voxels.copy()
    voxels[voxels == -1024] = value
    reason, detail = reason_of(Volume(voxels, padded.geometry))
    assert reason is Reason.PADDING_IN_RANGE
    assert f"{value} HU" in detail


@pytest.mark.parametrize("value", [-1000, -2000, -3024])
def test_padding_below_any_tissue_is_harmless(padded, value):
    voxels = padded.voxels.copy()
    voxels[voxels == -1024] = value
    check_hounsfield_scale(Volume(voxels, padded.geometry))


@pytest.mark.parametrize("scan", ["trunk", "padded"])
@pytest.mark.parametrize("lowest_hu", [0, -200, -500])
def test_a_scale_that_lost_its_lower_end_is_caught(scan, lowest_hu, request):
    volume = request.getfixturevalue(scan)
    reason, detail = reason_of(Volume(np.maximum(volume.voxels, lowest_hu), volume.geometry))
    assert reason is Reason.HU_CLIPPED
    assert f"below {lowest_hu} HU" in detail


def test_a_scale_that_lost_its_upper_end_is_caught(trunk):
    reason, _ = reason_of(Volume(np.minimum(trunk.voxels, 250), trunk.geometry))
    assert reason is Reason.HU_CLIPPED


def test_grey_values_of_a_screenshot_are_no_hounsfield_units(trunk):
    grey = np.clip((trunk.voxels + 160.0) / 400.0 * 255.0, 0, 255).astype(np.int16)
    reason, _ = reason_of(Volume(grey, trunk.geometry))
    assert reason in (Reason.HU_CLIPPED, Reason.IMPLAUSIBLE_HU)


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name", ["lumbar_ct_3mm/ct.nii.gz", "l3_crop_ct/sub-ct_label-22_ct.nii.gz", "chest_ct/ct.nii.gz"]
)
def test_real_scans_pass_and_are_caught_when_moved(name):
    if not (DATA / name).exists():
        pytest.skip("the real images are not here")
    volume = read_volume(DATA / name)
    check_hounsfield_scale(volume)
    for error_hu in (1024, -1024):
        assert reason_of(moved(volume, error_hu))[0] is Reason.IMPLAUSIBLE_HU
