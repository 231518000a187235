"""Slices off a regular grid come out where they were in the patient.

The image is a plane through space, HU = a + b . point: linear interpolation reproduces it exactly, so that every error
in geometry or sign shows at once, and only rounding to whole HU (twice: 0.5 on writing, 0.5 on converting) remains.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.assembly import AssembledScan, assemble_frames
from spongiosa.dicom.headers import read_headers
from spongiosa.dicom.sources import list_sources
from spongiosa.dicom.stack import spacing_of, stack_frames
from spongiosa.outcome import Excluded, Reason
from spongiosa.synthetic.dicom_writer import SeriesFaults, write_ct_series
from spongiosa.synthetic.image import SyntheticImage
from spongiosa.volume import AIR_HU, oriented_lps, read_volume, resampled

from .trap_images import PATIENT, SERIES, Ingest

SLOPE_HU_MM = np.array([6.0, -4.0, 9.0])
ROUNDING_HU = 1.0
REAL = Path(__file__).parents[3] / "shared" / "data"


def plane_hu(points_mm: np.ndarray) -> np.ndarray:
    return points_mm @ SLOPE_HU_MM + 100.0


def plane_image(direction: np.ndarray | None = None, slices: int = 14) -> SyntheticImage:
    image = SyntheticImage(
        np.zeros((slices, 40, 30), np.int16),
        (0.9, 0.8, 2.0),
        (-13.0, -16.0, -14.0),
        np.eye(3) if direction is None else direction,
    )
    indices = np.stack(np.indices(image.voxels.shape), axis=-1).reshape(-1, 3).astype(float)
    hu = plane_hu(image.points_mm(indices)).reshape(image.voxels.shape)
    assert hu.min() > -900 and hu.max() < 3000
    return replace(image, voxels=np.rint(hu).astype(np.int16))


def largest_error_hu(scan: AssembledScan) -> tuple[float, float]:
    """Largest error where the scan holds the image and not the air around it, and the fraction of such voxels."""
    voxels, geometry = scan.volume.voxels, scan.volume.geometry
    indices = np.stack(np.indices(voxels.shape), axis=-1).reshape(-1, 3).astype(float)
    truth = plane_hu(geometry.points_mm(indices)).reshape(voxels.shape)
    inside = voxels != AIR_HU
    for axis in (1, 2):  # the rim blends with the air outside
        inside &= (np.roll(voxels, 1, axis) != AIR_HU) & (np.roll(voxels, -1, axis) != AIR_HU)
    return float(np.abs(voxels - truth)[inside].max()), float(inside.mean())


def sheared(rows_degrees: float, columns_degrees: float = 0.0) -> np.ndarray:
    direction = np.eye(3)
    step = np.array([np.tan(np.radians(columns_degrees)), np.tan(np.radians(rows_degrees)), 1.0])
    direction[:, 2] = step / np.linalg.norm(step)
    return direction


@pytest.mark.parametrize("tilt", [(15.0, 0.0), (-22.0, 0.0), (0.0, 12.0), (18.0, -7.0)], ids=str)
def test_a_tilted_gantry_is_resampled_to_where_the_patient_was(tilt: tuple[float, float], tmp_path: Path):
    write_ct_series(plane_image(sheared(*tilt)), tmp_path, PATIENT, SERIES)
    scan = Ingest()(tmp_path)
    assert scan.acquisition["flags"] == ["gantry_tilt_resampled"]
    direction = np.asarray(scan.volume.geometry.direction)
    np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-9)
    error, fraction = largest_error_hu(scan)
    assert error <= ROUNDING_HU and fraction > 0.4


def test_uneven_slices_are_interpolated_to_the_usual_distance(tmp_path: Path):
    """Distances of 2.0, then 3.1 mm; every voxel still lies where its value says."""
    image = plane_image(slices=12)
    paths = write_ct_series(image, tmp_path, PATIENT, SERIES)
    for number, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        z = -14.0 + 2.0 * number + max(0, number - 7) * 1.1
        dataset.ImagePositionPatient = [-13.0, -16.0, z]
        indices = np.stack(np.indices((1, 40, 30)), axis=-1).reshape(-1, 3).astype(float)
        points = image.points_mm(indices)
        points[:, 2] = z
        hu = np.rint(plane_hu(points)).reshape(40, 30)
        dataset.PixelData = (hu + 1024).astype("<u2").tobytes()
        dataset.save_as(path)
    scan = Ingest()(tmp_path)
    assert scan.acquisition["flags"] == ["variable_spacing_resampled"]
    assert scan.volume.geometry.spacing_mm[2] == pytest.approx(2.0, abs=1e-6)
    error, fraction = largest_error_hu(scan)
    assert error <= ROUNDING_HU and fraction > 0.8


def test_missing_slices_are_filled_and_measured_ones_kept(tmp_path: Path):
    image = plane_image()
    write_ct_series(image, tmp_path, PATIENT, replace(SERIES, faults=SeriesFaults(missing=(3, 8, 9))))
    scan = Ingest(convert=ConvertSettings(fill_missing_slices=True))(tmp_path)
    assert scan.volume.voxels.shape == image.voxels.shape
    kept = [index for index in range(14) if index not in (3, 8, 9)]
    np.testing.assert_array_equal(scan.volume.voxels[kept], image.voxels[kept])
    assert np.abs(scan.volume.voxels.astype(int) - image.voxels).max() <= ROUNDING_HU


def test_the_sentence_of_a_gap_says_where_and_what_to_do(tmp_path: Path):
    write_ct_series(plane_image(), tmp_path, PATIENT, replace(SERIES, faults=SeriesFaults(missing=(3, 8, 9))))
    with pytest.raises(Excluded) as caught:
        Ingest()(tmp_path)
    assert caught.value.reason is Reason.MISSING_SLICES
    assert caught.value.detail == (
        "3 of 14 slices are missing between z = -10.0 and -6.0 mm (a gap of 4.0 mm where 2.0 mm is usual) and at 1 "
        "more place; set convert.fill_missing_slices to interpolate, or export the series again."
    )


def test_positions_rounded_by_the_header_are_not_uneven(tmp_path: Path):
    """0.625 mm slices whose positions were written with one decimal: jitter of 0.05 mm, no gap."""
    image = replace(plane_image(slices=40), spacing_mm=(0.9, 0.8, 0.625))
    for path in write_ct_series(image, tmp_path, PATIENT, SERIES):
        dataset = pydicom.dcmread(path)
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, round(float(z), 1)]
        dataset.save_as(path)
    frames, _ = read_headers(list_sources(tmp_path, SeriesSettings()), threads=1)
    spacing = spacing_of(stack_frames(frames))
    assert spacing.is_regular
    assert spacing.usual_mm == pytest.approx(0.625, abs=1e-3)  # the slope over 39 steps averages the rounding away


def unchecked(folder: Path, series: SeriesSettings, settings: ConvertSettings) -> AssembledScan:
    """Without the look at the HU: the published pixels of some traps were replaced."""
    frames, _ = read_headers(list_sources(folder, series), threads=1)
    return assemble_frames(frames, "ct", series, settings)


def judged(folder: Path, out: Path, pattern: str):
    """What dcm2niix makes of a folder."""
    command = ["dcm2niix", "-z", "n", "-f", "judge", "-o", str(out), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = out.glob(pattern)
    return read_volume(found)


needs_judge = pytest.mark.skipif(
    shutil.which("dcm2niix") is None or not REAL.is_dir(), reason="needs dcm2niix and the real images"
)


@needs_judge
@pytest.mark.real_data
def test_jpeg_2000_slices_with_empty_uids_equal_dcm2niix(tmp_path: Path):
    theirs = oriented_lps(judged(REAL / "upper_abdomen_dicom_j2k", tmp_path, "judge*.nii"))
    ours = oriented_lps(Ingest()(REAL / "upper_abdomen_dicom_j2k").volume)
    assert ours.geometry.is_same_as(theirs.geometry, tolerance_mm=1e-3)
    np.testing.assert_array_equal(ours.voxels, theirs.voxels)


@needs_judge
@pytest.mark.real_data
def test_a_real_tilted_gantry_equals_dcm2niix(tmp_path: Path):
    """Equal but for the two rows at either end, where the programs blend with the outside differently."""
    folder = REAL / "dicom_traps" / "gantrytilting" / "001"
    theirs = oriented_lps(judged(folder, tmp_path, "*Tilt*.nii"))
    ours = oriented_lps(unchecked(folder, SeriesSettings(), ConvertSettings()).volume)
    assert ours.geometry.is_same_as(theirs.geometry, tolerance_mm=1e-3)
    both = (ours.voxels > AIR_HU) & (theirs.voxels > AIR_HU)
    for array in (ours.voxels, theirs.voxels):
        both &= (np.roll(array, 1, 1) > AIR_HU) & (np.roll(array, -1, 1) > AIR_HU)
    assert both.mean() > 0.5
    assert np.abs(ours.voxels.astype(float) - theirs.voxels)[both].max() <= 1.0


@needs_judge
@pytest.mark.real_data
def test_a_real_head_with_uneven_tilted_slices_agrees_with_dcm2niix(tmp_path: Path):
    """dcm2niix interpolates to 2.6 mm and we to 4.0 mm: equal where the anatomy is smooth.

    3 HU for the median over soft tissue; between slices of 7 mm both interpolate linearly, and its grid once more.
    """
    folder = REAL / "dicom_traps" / "variable_spacing_and_tilt_head"
    theirs = judged(folder, tmp_path, "*Tilt_Eq*.nii")
    scan = unchecked(folder, SeriesSettings(maximum_slice_spacing_mm=8.0), ConvertSettings())
    assert set(scan.acquisition["flags"]) == {"gantry_tilt_resampled", "variable_spacing_resampled"}
    ours = oriented_lps(scan.volume)
    onto = resampled(theirs, ours.geometry, "linear", AIR_HU)
    tissue = (ours.voxels > 0) & (ours.voxels < 80) & (onto.voxels > 0) & (onto.voxels < 80)
    assert tissue.sum() > 100_000
    assert np.median(np.abs(ours.voxels.astype(float) - onto.voxels)[tissue]) <= 3.0
