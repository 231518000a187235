"""A scan survives being written: read back by ITK it is the same volume, byte for byte the same file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spongiosa.nifti import write_compressed_nifti
from spongiosa.volume import Geometry, Volume, read_volume


def _volume(direction: np.ndarray, dtype: str = "int16") -> Volume:
    voxels = np.random.default_rng(3).integers(0, 200, (5, 6, 7)).astype(dtype)
    return Volume(voxels, Geometry((5, 6, 7), (0.7, 0.8, 2.5), (-120.25, 33.5, -412.0), direction))


@pytest.mark.parametrize("handedness", [1.0, -1.0], ids=["right-handed", "left-handed"])
@pytest.mark.parametrize("angles", [(0, 0, 0), (10, -25, 40), (180, 0, 0), (0, 0, 180), (90, 0, 90)], ids=str)
def test_itk_reads_back_the_same_voxels_in_the_same_places(angles, handedness: float, tmp_path: Path):
    """0.001 mm: the header keeps 32-bit numbers, seven digits of some hundred millimetres."""
    direction = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * [1.0, 1.0, handedness]
    volume = _volume(direction)
    write_compressed_nifti(volume, tmp_path / "scan.nii.gz")
    found = read_volume(tmp_path / "scan.nii.gz")
    assert found.geometry.is_same_as(volume.geometry, tolerance_mm=1e-3)
    assert found.voxels.dtype == volume.voxels.dtype
    np.testing.assert_array_equal(found.voxels, volume.voxels)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_labels_and_signal_keep_their_type(dtype: str, tmp_path: Path):
    volume = _volume(np.eye(3), dtype)
    write_compressed_nifti(volume, tmp_path / "scan.nii.gz")
    found = read_volume(tmp_path / "scan.nii.gz")
    assert found.voxels.dtype == dtype
    np.testing.assert_array_equal(found.voxels, volume.voxels)


def test_equal_volumes_give_equal_bytes_under_any_name(tmp_path: Path):
    write_compressed_nifti(_volume(np.eye(3)), tmp_path / "a.nii.gz")
    write_compressed_nifti(_volume(np.eye(3)), tmp_path / "b" / "other.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b" / "other.nii.gz").read_bytes()


def test_a_type_that_nifti_lacks_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="float16"):
        write_compressed_nifti(_volume(np.eye(3), "float16"), tmp_path / "a.nii.gz")
    assert list(tmp_path.iterdir()) == []
