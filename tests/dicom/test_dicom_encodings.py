"""Ways of storing pixels and of lying on a table: each gives the same voxels in the same places."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import HTJ2KLossless, JPEG2000Lossless, RLELossless
from scipy.spatial.transform import Rotation

from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom import planes
from spongiosa.dicom.codestream import stream_size
from spongiosa.dicom.headers import read_headers
from spongiosa.dicom.sources import list_sources
from spongiosa.dicom.stack import stack_frames
from spongiosa.outcome import Excluded, Reason
from spongiosa.synthetic.dicom_writer import (
    T1_SAGITTAL,
    PixelStorage,
    write_ct_series,
    write_enhanced_ct,
    write_mr_series,
)
from spongiosa.synthetic.image import SyntheticImage
from spongiosa.volume import AIR_HU

from .trap_images import PATIENT, SERIES, Ingest, assert_same_voxels, body_image, sampled


def turned(image: SyntheticImage, *angles: float) -> SyntheticImage:
    """The image with its axes rotated: an oblique acquisition of another place."""
    return replace(image, direction=Rotation.from_euler("xyz", angles, degrees=True).as_matrix())


@pytest.mark.parametrize(
    "angles",
    [(12, 0, 0), (0, 20, 5), (10, -8, 25), (0, 0, 90), (0, 0, -90), (0, 0, 180)],
    ids=["oblique", "oblique twice", "oblique thrice", "decubitus right", "decubitus left", "prone"],
)
def test_an_oblique_or_decubitus_patient_keeps_voxels_and_places(angles: tuple[float, ...], tmp_path: Path):
    image = turned(body_image(), *angles)
    write_ct_series(image, tmp_path, PATIENT, SERIES)
    scan = Ingest()(tmp_path)
    assert scan.acquisition["flags"] == []
    assert scan.acquisition["table_height_mm"] == 150.0
    assert_same_voxels(scan, image)


@pytest.mark.parametrize("transfer_syntax", [JPEG2000Lossless, RLELossless, None], ids=["JPEG 2000", "RLE", "plain"])
def test_an_enhanced_object_equals_its_slices(transfer_syntax, tmp_path: Path):
    series = SERIES if transfer_syntax is None else replace(SERIES, transfer_syntax=transfer_syntax)
    write_enhanced_ct(body_image(), tmp_path, PATIENT, series)
    scan = Ingest()(tmp_path)
    assert_same_voxels(scan, body_image())
    assert scan.acquisition["kernel"] == SERIES.kernel and scan.acquisition["kvp"] == SERIES.kvp
    assert scan.acquisition["table_height_mm"] == 150.0


@pytest.mark.skipif(shutil.which("ojph_compress") is None, reason="needs the encoder of OpenJPH (openjph-tools)")
def test_high_throughput_jpeg_2000_is_decoded(tmp_path: Path):
    for path in write_ct_series(body_image(), tmp_path / "in", PATIENT, SERIES):
        dataset = pydicom.dcmread(path)
        pixels, encoded = tmp_path / "frame.pgm", tmp_path / "frame.j2c"
        head = f"P5\n{dataset.Columns} {dataset.Rows}\n4095\n".encode()
        pixels.write_bytes(head + dataset.pixel_array.astype(">u2").tobytes())
        command = ["ojph_compress", "-i", pixels, "-o", encoded, "-reversible", "true", "-num_decomps", "3"]
        subprocess.run(command, check=True, capture_output=True)
        dataset.PixelData = encapsulate([encoded.read_bytes()])
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
        dataset.file_meta.TransferSyntaxUID = HTJ2KLossless
        dataset.save_as(path)
    scan = Ingest()(tmp_path / "in")
    assert_same_voxels(scan, body_image())
    assert scan.acquisition["transfer_syntax"] == "HTJ2K lossless"


def test_a_compressed_scan_is_decoded_under_a_memory_limit_of_the_cluster(tmp_path: Path):
    """Schedulers limit the address space of a job; its children cannot raise it."""
    write_ct_series(body_image(), tmp_path, PATIENT, replace(SERIES, transfer_syntax=JPEG2000Lossless))
    program = (
        "import resource, sys, pathlib; resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30));"
        "from spongiosa.dicom.index import index_input; from spongiosa.dicom.assembly import assemble_input;"
        "from spongiosa.config.series import SeriesSettings; from spongiosa.config.convert import ConvertSettings;"
        "path, series = pathlib.Path(sys.argv[1]), SeriesSettings();"
        "key = index_input(path, 'ct', series)[0].series_key;"
        "print(assemble_input(path, 'ct', key, series, ConvertSettings()).volume.voxels.shape)"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.stdout.strip() == str(body_image().voxels.shape), result.stderr


def test_an_enhanced_mr_object_is_read_with_its_own_scale(tmp_path: Path):
    """Made from classic slices: the functional groups carry place and scale of each frame."""
    image = body_image()
    signal = replace(image, voxels=(image.voxels + 1100).astype(np.int16))
    paths = write_mr_series(signal, tmp_path / "classic", PATIENT, T1_SAGITTAL)
    slices = [pydicom.dcmread(path) for path in paths]
    whole = slices[0]
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    whole.NumberOfFrames = len(slices)
    whole.PixelData = b"".join(part.PixelData for part in slices)
    whole.SharedFunctionalGroupsSequence = Sequence([Dataset()])
    shared = whole.SharedFunctionalGroupsSequence[0]
    for macro, keywords in (
        ("PixelMeasuresSequence", ("PixelSpacing", "SliceThickness")),
        ("PlaneOrientationSequence", ("ImageOrientationPatient",)),
    ):
        item = Dataset()
        for keyword in keywords:
            setattr(item, keyword, whole[keyword].value)
        setattr(shared, macro, Sequence([item]))
    frames = []
    for part in slices:
        position, scale, frame = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = part.ImagePositionPatient
        scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = "2", "0", "US"
        frame.PlanePositionSequence = Sequence([position])
        frame.PixelValueTransformationSequence = Sequence([scale])
        frames.append(frame)
    whole.PerFrameFunctionalGroupsSequence = Sequence(frames)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(whole, keyword)
    (tmp_path / "enhanced").mkdir()
    whole.save_as(tmp_path / "enhanced" / "one")
    scan = Ingest(modality="mr")(tmp_path / "enhanced")
    np.testing.assert_array_equal(sampled(scan, image), 2 * signal.voxels)


def test_classic_mr_keeps_its_signal(tmp_path: Path):
    image = body_image()
    signal = replace(image, voxels=(image.voxels + 1100).astype(np.int16))
    write_mr_series(signal, tmp_path, PATIENT, T1_SAGITTAL)
    scan = Ingest(modality="mr")(tmp_path)
    assert_same_voxels(scan, signal)
    assert scan.acquisition["modality"] == "MR" and scan.acquisition["repetition_time_ms"] == 600.0


@pytest.mark.parametrize(
    ("storage", "padding_hu"),
    [
        (PixelStorage(16, True, 1.0, 0.0, padding_hu=-1024.0, padding_stored=-2000), -2000),
        (PixelStorage(12, False, 1.0, -1024.0, padding_hu=-1024.0, padding_stored=0), -1024),
    ],
    ids=["GE", "zero"],
)
def test_padding_becomes_air(storage: PixelStorage, padding_hu: int, tmp_path: Path):
    image = body_image()
    voxels = image.voxels.copy()
    voxels[:, :3] = -1024
    write_ct_series(replace(image, voxels=voxels), tmp_path, PATIENT, replace(SERIES, storage=storage))
    stored = pydicom.dcmread(sorted(tmp_path.iterdir())[0])
    assert int(stored.pixel_array[0, 0]) + float(stored.RescaleIntercept) == padding_hu
    scan = Ingest()(tmp_path)
    np.testing.assert_array_equal(sampled(scan, image), voxels)
    assert scan.volume.voxels.min() == AIR_HU


def test_a_padding_value_within_tissue_is_not_believed(tmp_path: Path):
    """Some exports state a padding value that is muscle: turned to air it would punch holes into bone and muscle."""
    for path in write_ct_series(body_image(), tmp_path, PATIENT, SERIES):
        dataset = pydicom.dcmread(path)
        dataset.add_new("PixelPaddingValue", "US", 1024 + 45)
        dataset.save_as(path)
    assert_same_voxels(Ingest()(tmp_path), body_image())


@pytest.mark.parametrize(("value", "limit"), [(-2000, -1900), (-1900, -2000)], ids=["rising", "falling"])
@pytest.mark.parametrize("is_signed", [True, False], ids=["signed", "unsigned"])
def test_a_range_of_padding_becomes_air(value: int, limit: int, is_signed: bool, tmp_path: Path):
    """PixelPaddingRangeLimit: every stored value from the one to the other lies outside of the image."""
    shift = 0 if is_signed else 3000
    storage = PixelStorage(16, is_signed, 1.0, -float(shift))
    for path in write_ct_series(body_image(), tmp_path, PATIENT, replace(SERIES, storage=storage)):
        dataset = pydicom.dcmread(path)
        pixels = dataset.pixel_array.copy()
        pixels[:2, :5] = np.array([-2000, -1950, -1900, -1899, -1300]) + shift
        dataset.PixelData = pixels.tobytes()
        vr = "SS" if is_signed else "US"
        dataset.add_new("PixelPaddingValue", vr, value + shift)
        dataset.add_new("PixelPaddingRangeLimit", vr, limit + shift)
        dataset.save_as(path)
    found = sampled(Ingest()(tmp_path), body_image())
    assert (found[:, :2, :3] == AIR_HU).all(), "within the range"
    assert (found[:, :2, 3] == AIR_HU).all(), "below what any noise of air reaches"
    assert (found[:, :2, 4] == -1300).all(), "outside of the range, and possible"


def test_a_range_of_padding_that_holds_tissue_is_not_believed(tmp_path: Path):
    for path in write_ct_series(body_image(), tmp_path, PATIENT, SERIES):
        dataset = pydicom.dcmread(path)
        dataset.add_new("PixelPaddingValue", "US", 0)
        dataset.add_new("PixelPaddingRangeLimit", "US", 1100)
        dataset.save_as(path)
    assert_same_voxels(Ingest()(tmp_path), body_image())


def test_several_decoders_give_what_one_gives(tmp_path: Path, monkeypatch):
    """From two planes per decoder on, so that twelve planes are shared out to four."""
    monkeypatch.setattr(planes, "_PLANES_WORTH_A_PROCESS", 2)
    write_ct_series(body_image(), tmp_path, PATIENT, replace(SERIES, transfer_syntax=JPEG2000Lossless))
    victim = sorted(tmp_path.iterdir())[7]
    stacks = stack_frames(read_headers(list_sources(tmp_path, SeriesSettings()), 1)[0])
    one, none = planes.decode_planes(stacks, "ct", threads=1)
    many, nothing = planes.decode_planes(stacks, "ct", threads=4)
    assert none == nothing == []
    np.testing.assert_array_equal(one, many)
    data = victim.read_bytes()
    victim.write_bytes(data[:-600] + bytes(600))
    assert planes.decode_planes(stacks, "ct", threads=4)[1] == planes.decode_planes(stacks, "ct", threads=1)[1] != []


def test_bits_above_the_stored_ones_are_not_part_of_the_value(tmp_path: Path):
    """Old scanners keep an overlay in bit 15 of 12-bit pixels."""
    for path in write_ct_series(body_image(), tmp_path, PATIENT, SERIES):
        dataset = pydicom.dcmread(path)
        pixels = np.frombuffer(dataset.PixelData, "<u2").copy()
        pixels[::3] |= 0x8000
        dataset.PixelData = pixels.tobytes()
        dataset.save_as(path)
    assert_same_voxels(Ingest()(tmp_path), body_image())


def test_a_fractional_slope_rounds_to_the_nearest_hu(tmp_path: Path):
    """0.5 + 0.125 HU: half a stored step and the rounding to whole HU."""
    storage = PixelStorage(16, False, 0.25, -1024.0)
    write_ct_series(body_image(), tmp_path, PATIENT, replace(SERIES, storage=storage))
    error = sampled(Ingest()(tmp_path), body_image()) - body_image().voxels
    assert np.abs(error).max() <= 0.625


def test_a_stream_that_contradicts_its_header_is_not_decoded(tmp_path: Path):
    """The header says 36 rows, the JPEG 2000 stream in it one more: a bomb begins like this."""
    for path in write_ct_series(body_image(), tmp_path, PATIENT, replace(SERIES, transfer_syntax=JPEG2000Lossless)):
        data = path.read_bytes()
        start = data.index(b"\xff\x4f\xff\x51") + 8
        lie = (37).to_bytes(4, "big")
        path.write_bytes(data[: start + 4] + lie + data[start + 8 :])
    with pytest.raises(Excluded) as caught:
        Ingest()(tmp_path)
    assert caught.value.reason is Reason.UNDECODABLE


def test_the_size_of_a_stream_is_read_from_its_markers():
    jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc3\x00\x0b\x0c\x02\x00\x01\x00\x01" + bytes(8)
    size = stream_size(jpeg, "1.2.840.10008.1.2.4.70")
    assert size is not None and (size.rows, size.columns, size.bits, size.components) == (512, 256, 12, 1)
    assert stream_size(b"anything", str(RLELossless)) is None
    for syntax in ("1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90"):
        with pytest.raises(ValueError, match=r"stream|marker"):
            stream_size(b"\xff\xd8nonsense and nothing else", syntax)


def test_a_slice_cut_short_at_the_end_is_not_interpolated(tmp_path: Path):
    """There is no neighbour beyond it, so that the advice to fill gaps is not given."""
    paths = write_ct_series(body_image(), tmp_path, PATIENT, SERIES)
    paths[0].write_bytes(paths[0].read_bytes()[:-500])
    filling = Ingest(convert=ConvertSettings(fill_missing_slices=True))
    with pytest.raises(Excluded) as caught:
        filling(tmp_path)
    assert caught.value.reason is Reason.UNDECODABLE and "fill_missing_slices" not in caught.value.detail
