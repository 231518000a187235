"""A NIfTI file that is cut short or damaged is refused: ITK would read zeros, or other voxels, and say nothing."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from spongiosa.nifti_integrity import bytes_needed, refuse_damaged_nifti
from spongiosa.volume import Geometry, Volume, read_volume, write_volume


def noisy_volume() -> Volume:
    voxels = np.random.default_rng(3).integers(-1000, 1500, (8, 20, 24)).astype(np.int16)
    return Volume(voxels, Geometry(voxels.shape, (0.8, 0.8, 2.0), (0.0, 0.0, 0.0), np.eye(3)))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "scan.nii.gz"
    write_volume(noisy_volume(), path)
    return path


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9, 0.999])
def test_a_compressed_volume_that_ends_early_is_refused(written: Path, fraction: float):
    data = written.read_bytes()
    written.write_bytes(data[: int(len(data) * fraction)])
    with pytest.raises(OSError, match="cut short"):
        read_volume(written)


def test_itk_alone_would_fill_a_cut_label_map_with_zeros(written: Path):
    """Why the check exists; when ITK learns to refuse such files, it can go."""
    data = written.read_bytes()
    written.write_bytes(data[: len(data) // 2])
    read = sitk.GetArrayFromImage(sitk.ReadImage(str(written)))
    assert read.shape == noisy_volume().voxels.shape and not read[-1].any()


@pytest.mark.parametrize("seed", range(12))
def test_a_flipped_bit_of_a_compressed_volume_is_noticed(written: Path, seed: int):
    data = bytearray(written.read_bytes())
    generator = np.random.default_rng(seed)
    data[int(generator.integers(30, len(data) - 8))] ^= 1 << int(generator.integers(0, 8))
    written.write_bytes(data)
    with pytest.raises(OSError, match=r"damaged|cut short|more than"):
        read_volume(written)


def test_an_uncompressed_volume_that_ends_early_is_refused(tmp_path: Path):
    path = tmp_path / "labels.nii"
    write_volume(noisy_volume(), path)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(OSError, match="cut short"):
        read_volume(path)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_other_formats_are_refused_by_their_readers(tmp_path: Path, suffix: str):
    path = tmp_path / f"scan{suffix}"
    write_volume(noisy_volume(), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(OSError, match="not a readable volume"):
        read_volume(path)


def test_members_end_to_end_and_padding_are_whole(written: Path):
    """bgzip and pigz write several members; tapes pad with zeros."""
    plain = gzip.decompress(written.read_bytes())
    parts = [plain[start : start + 3000] for start in range(0, len(plain), 3000)]
    written.write_bytes(b"".join(gzip.compress(part) for part in parts) + bytes(512))
    assert np.array_equal(read_volume(written).voxels, noisy_volume().voxels)


def test_a_volume_with_a_scale_needs_the_bytes_that_are_stored_not_those_that_are_read(written: Path):
    """ITK reads scaled 16-bit integers as 32-bit numbers: the file holds half of them."""
    plain = bytearray(gzip.decompress(written.read_bytes()))
    struct.pack_into("<ff", plain, 112, 0.5, 3.0)
    written.write_bytes(gzip.compress(bytes(plain)))
    expected = noisy_volume().voxels * 0.5 + 3.0
    assert np.allclose(read_volume(written).voxels, expected)


def test_a_bomb_is_given_up(tmp_path: Path):
    """The header says 8 x 20 x 24 voxels, the file unpacks to 200 MB."""
    header = gzip.decompress(gzip.compress(bytes(nifti_bytes(tmp_path))))
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(header + bytes(200_000_000), 1))
    with pytest.raises(OSError, match="more than its header says"):
        refuse_damaged_nifti(path)


def nifti_bytes(folder: Path) -> bytes:
    write_volume(noisy_volume(), folder / "plain.nii")
    return (folder / "plain.nii").read_bytes()


def test_headers_of_both_versions_and_byte_orders_are_understood(tmp_path: Path):
    header = bytearray(nifti_bytes(tmp_path)[:544])
    assert bytes_needed(bytes(header)) == 352 + 8 * 20 * 24 * 2
    big = bytearray(544)
    struct.pack_into(">i", big, 0, 348)
    struct.pack_into(">8h", big, 40, 3, 24, 20, 8, 1, 1, 1, 1)
    struct.pack_into(">h", big, 72, 16)
    struct.pack_into(">f", big, 108, 352.0)
    assert bytes_needed(bytes(big)) == 352 + 8 * 20 * 24 * 2
    second = bytearray(544)
    struct.pack_into("<i", second, 0, 540)
    struct.pack_into("<h", second, 14, 16)
    struct.pack_into("<8q", second, 16, 3, 24, 20, 8, 1, 1, 1, 1)
    struct.pack_into("<q", second, 168, 544)
    assert bytes_needed(bytes(second)) == 544 + 8 * 20 * 24 * 2
    assert bytes_needed(b"no header" * 100) is None
