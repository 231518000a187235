"""Geometry in the patient: what is where, whatever the orientation of the grid."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk

from spongiosa.volume import (
    Geometry,
    Volume,
    bounding_box,
    from_sitk,
    oriented_lps,
    read_volume,
    resampled,
    to_sitk,
    write_volume,
)

ROTATION = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, -1.0]])


@pytest.fixture
def oblique():
    """An anisotropic volume, rotated and with z reversed."""
    geometry = Geometry((4, 5, 6), (0.7, 0.9, 2.5), (10.0, -20.0, 30.0), ROTATION)
    return Volume(np.arange(120, dtype=np.int16).reshape(4, 5, 6), geometry)


def test_points_agree_with_itk(oblique):
    image = to_sitk(oblique)
    for z, y, x in [(0, 0, 0), (3, 2, 1), (1, 4, 5)]:
        expected = image.TransformIndexToPhysicalPoint((x, y, z))
        assert oblique.geometry.points_mm(np.array([z, y, x])) == pytest.approx(expected)


def test_indices_are_the_inverse_of_points(oblique):
    indices = np.array([[0.5, 1.25, 4.0], [3.0, 0.0, 2.5]])
    assert oblique.geometry.indices_zyx(oblique.geometry.points_mm(indices)) == pytest.approx(indices)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_volume_survives_each_format(oblique, tmp_path, suffix):
    write_volume(oblique, tmp_path / f"scan{suffix}")
    again = read_volume(tmp_path / f"scan{suffix}")
    assert np.array_equal(again.voxels, oblique.voxels)
    assert again.geometry.is_same_as(oblique.geometry)


def test_nothing_is_left_of_a_write_that_fails(oblique, tmp_path):
    with pytest.raises(RuntimeError):
        write_volume(oblique, tmp_path / "scan.unknown")
    assert list(tmp_path.iterdir()) == []


def test_a_crop_stays_where_it_was(oblique):
    part = oblique.cropped(np.array([1, 2, 3]), np.array([3, 5, 6]))
    assert part.voxels.shape == (2, 3, 3)
    assert part.geometry.points_mm(np.zeros(3)) == pytest.approx(oblique.geometry.points_mm(np.array([1, 2, 3])))
    assert part.voxels[0, 0, 0] == oblique.voxels[1, 2, 3]


def test_a_crop_is_clipped_to_the_volume(oblique):
    assert oblique.cropped(np.array([-5, -5, -5]), np.array([99, 99, 99])).voxels.shape == oblique.voxels.shape


@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[:4])
def test_orienting_moves_no_value_in_the_patient(order):
    flips = np.diag([1.0, -1.0, -1.0])
    geometry = Geometry((3, 4, 5), (1.0, 2.0, 3.0), (5.0, 6.0, 7.0), flips[:, list(order)])
    volume = Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), geometry)
    turned = oriented_lps(volume)
    assert np.argmax(np.abs(turned.geometry.direction), axis=0).tolist() == [0, 1, 2]
    assert (np.diag(turned.geometry.direction) > 0).all()
    index = np.round(turned.geometry.indices_zyx(geometry.points_mm(np.array([2, 1, 3])))).astype(int)
    assert turned.voxels[tuple(index)] == volume.voxels[2, 1, 3]


def test_resampling_to_its_own_grid_changes_nothing(oblique):
    again = resampled(oblique, oblique.geometry, "linear", -1024)
    assert np.array_equal(again.voxels, oblique.voxels)


def test_interpolated_hu_are_not_lowered():
    """Between 0 and 1 HU half of the values must round up: a mean of 0.5 HU stays within 0.1 HU."""
    rng = np.random.default_rng(1)
    geometry = Geometry((20, 20, 20), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    volume = Volume(rng.integers(-3, 5, (20, 20, 20)).astype(np.int16), geometry)
    shifted = Geometry((18, 18, 18), (1.0, 1.0, 1.0), (0.4, 0.6, 0.3), np.eye(3))
    assert resampled(volume, shifted, "linear", 0).voxels.mean() == pytest.approx(volume.voxels.mean(), abs=0.1)


def test_the_bounding_box_holds_every_voxel_and_no_more():
    mask = np.zeros((6, 7, 8), dtype=bool)
    mask[2:4, 3, 5:8] = True
    lower, upper = bounding_box(mask)
    assert (lower.tolist(), upper.tolist()) == ([2, 3, 5], [4, 4, 8])
    lower, upper = bounding_box(mask, margin=2)
    assert (lower.tolist(), upper.tolist()) == ([0, 1, 3], [6, 6, 8])
    with pytest.raises(ValueError, match="empty"):
        bounding_box(np.zeros((2, 2, 2), dtype=bool))


def test_a_file_that_is_no_volume_says_so(tmp_path):
    (tmp_path / "scan.nii.gz").write_bytes(b"not an image")
    with pytest.raises(OSError, match="not a readable volume"):
        read_volume(tmp_path / "scan.nii.gz")


def test_a_colour_image_is_no_scan():
    with pytest.raises(OSError, match="scalar"):
        from_sitk(sitk.Image([2, 2, 2], sitk.sitkVectorUInt8, 3))
