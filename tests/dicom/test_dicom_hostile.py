"""Files made to do harm: they cost a reason, never the process, the memory or the afternoon."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import time
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import JPEGLosslessSV1

from spongiosa.config.series import SeriesSettings
from spongiosa.dicom import elements, headers, isolated, sources
from spongiosa.dicom.elements import DamagedDicom, NotDicom, OtherEncoding, refuse_inflation, scan_elements
from spongiosa.dicom.headers import read_header
from spongiosa.dicom.isolated import DECODER, FrameRefused
from spongiosa.dicom.sources import Source, list_sources
from spongiosa.outcome import Excluded, Reason
from spongiosa.synthetic.dicom_writer import write_ct_series

from .fuzz import fuzz
from .trap_images import PATIENT, SERIES, Ingest, assert_same_voxels, body_image

WANTED = {0x00280010: ("Rows", "short"), 0x00080060: ("Modality", "text"), 0x0020000D: ("StudyInstanceUID", "text")}
META = struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + b"1.2.840.10008.1.2.1\0"
HEAD = bytes(128) + b"DICM" + META


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def scan(data: bytes):
    return scan_elements(io.BytesIO(data), len(data), WANTED)


MODALITY = element(0x00080060, b"CS", b"CT")
ROWS = element(0x00280010, b"US", struct.pack("<H", 512))
OPENING = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def test_values_are_found_behind_sequences_of_every_form():
    nested = OPENING + ITEM + MODALITY + OPENING + ITEM + ROWS + ITEM_END + SEQUENCE_END + ITEM_END + SEQUENCE_END
    measured = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, len(MODALITY) + 8)
    measured += struct.pack("<HHI", 0xFFFE, 0xE000, len(MODALITY)) + MODALITY
    unknown = struct.pack("<HH2sHI", 0x0009, 0x1001, b"UN", 0, 0xFFFFFFFF) + ITEM
    unknown += struct.pack("<HHI", 0x0008, 0x0060, 2) + b"MR" + ITEM_END + SEQUENCE_END
    found = scan(HEAD + nested + measured + unknown + MODALITY + ROWS)
    assert found.values["Modality"] == "CT" and found.values["Rows"] == 512


def test_a_value_within_a_sequence_is_not_taken_for_the_images():
    foreign = element(0x00280010, b"US", struct.pack("<H", 9))
    found = scan(HEAD + MODALITY + OPENING + ITEM + foreign + ITEM_END + SEQUENCE_END)
    assert "Rows" not in found.values


def test_the_place_of_the_pixel_data_is_told():
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 6) + b"abcdef"
    data = HEAD + MODALITY + ROWS + pixels
    found = scan(data)
    assert data[found.pixel_offset : found.pixel_offset + found.pixel_length] == b"abcdef"


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("<HH2sH", 8, 0x60, b"CS", 65000) + b"CT",
        struct.pack("<HH2sHI", 9, 0x1001, b"OB", 0, 0xFFFFFFFE) + b"x",
        struct.pack("<HH2sHI", 9, 0x1001, b"SQ", 0, 0x7FFFFFFF) + b"x",
        (OPENING + ITEM) * 1000,
        (OPENING + ITEM) * 100_000,
        OPENING + ITEM_END,
        OPENING + ITEM + SEQUENCE_END,
        OPENING + MODALITY,
        MODALITY + struct.pack("<HH", 8, 0x70) + b"??" + bytes(6),
    ],
    ids=["text", "binary", "sequence", "depth", "great depth", "wrong end", "other wrong end", "no item", "no VR"],
)
def test_a_lying_header_is_damaged_and_quickly_so(body: bytes):
    """20 s of processor time: the longest of these headers has 2 MB and takes a tenth of a second; one that were read
    again at every depth would take minutes."""
    started = time.process_time()
    with pytest.raises(DamagedDicom):
        scan(HEAD + body)
    assert time.process_time() - started < 20.0


def test_other_files_are_not_dicom():
    for data in (b"", b"PK\3\4" + bytes(300), b"%PDF-1.4" + bytes(300), bytes(1000)):
        with pytest.raises(NotDicom):
            scan(data)


def test_a_sound_file_in_another_encoding_is_left_to_the_general_reader():
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + b"1.2.840.10008.1.2.2\0"
    with pytest.raises(OtherEncoding):
        scan(bytes(128) + b"DICM" + meta + MODALITY)


def test_a_deflated_bomb_is_refused_before_it_is_inflated(monkeypatch):
    monkeypatch.setattr(elements, "MAXIMUM_INFLATED_BYTES", 4 * 2**20)
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", 22) + b"1.2.840.10008.1.2.1.99"
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(deflater.compress(bytes(2**20)) for _ in range(6)) + deflater.flush()
    with pytest.raises(DamagedDicom):
        refuse_inflation(io.BytesIO(bytes(128) + b"DICM" + meta + bomb))


def test_a_stream_that_kills_its_decoder_costs_one_frame(tmp_path: Path):
    """The isolated process dies or refuses; the next frame is decoded by a new one."""
    path = write_ct_series(body_image(), tmp_path, PATIENT, SERIES)[0]
    frame = read_header(Source(path, None, path.stat().st_size))[0]
    options = {
        "number_of_frames": 1,
        "rows": frame.rows,
        "columns": frame.columns,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": 16,
        "bits_stored": 12,
        "pixel_representation": 0,
        "pixel_keyword": "PixelData",
    }
    with pytest.raises(FrameRefused):
        DECODER.decode(b"\xff\xd8" + bytes(500), str(JPEGLosslessSV1), options)
    process = DECODER._running()
    process.kill()
    process.wait()
    with pytest.raises(FrameRefused):
        DECODER.decode(b"\xff\xd8" + bytes(500), str(JPEGLosslessSV1), options)
    write_ct_series(body_image(), tmp_path / "sound", PATIENT, replace(SERIES, transfer_syntax=JPEGLosslessSV1))
    assert_same_voxels(Ingest()(tmp_path / "sound"), body_image())


def test_a_stream_that_holds_its_decoder_up_ends_the_scan_at_once(tmp_path: Path, monkeypatch):
    """The decoder is one that never answers; one slice is tried, not twelve, as each attempt starts a process."""
    silent = tmp_path / "modules" / "silent_decoder.py"
    silent.parent.mkdir()
    silent.write_text("import time\ntime.sleep(600)\n", encoding="utf-8")
    started, start = [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **how: started.append(command) or start(command, **how))
    monkeypatch.setenv("PYTHONPATH", str(silent.parent))
    monkeypatch.setattr(isolated, "decoder_module", silent.stem)
    monkeypatch.setattr(isolated, "FRAME_SECONDS", 0.2)
    DECODER.stop()  # the one of an earlier test would answer
    write_ct_series(body_image(), tmp_path / "scan", PATIENT, replace(SERIES, transfer_syntax=JPEGLosslessSV1))
    with pytest.raises(Excluded, match="given up") as caught:
        Ingest()(tmp_path / "scan")
    assert caught.value.reason is Reason.UNDECODABLE
    assert [command[-1] for command in started] == [silent.stem]


def test_links_in_circles_and_special_files_are_passed_over(tmp_path: Path):
    write_ct_series(body_image(), tmp_path / "a", PATIENT, SERIES)
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(2**36)
    assert len(list_sources(tmp_path, SeriesSettings())) == len(body_image().voxels) + 1
    assert_same_voxels(Ingest()(tmp_path), body_image())


def test_an_unpacked_member_is_never_larger_than_the_archive_said(tmp_path: Path):
    """The table of contents says 10 bytes: no more is unpacked, whatever the data hold."""
    archive = tmp_path / "liar.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("big", bytes(5_000_000))
    data = bytearray(archive.read_bytes())
    while (start := data.find(struct.pack("<I", 5_000_000))) >= 0:
        struct.pack_into("<I", data, start, 10)
    archive.write_bytes(data)
    with pytest.raises(Excluded) as caught:
        Ingest()(archive)
    assert caught.value.reason in (Reason.NO_DICOM, Reason.UNDECODABLE, Reason.ARCHIVE_REFUSED)


def test_a_member_that_would_fill_the_memory_is_not_unpacked(tmp_path: Path, monkeypatch):
    """Limits are lowered: the archive itself may be large, one member of it may not."""
    monkeypatch.setattr(sources, "MAXIMUM_MEMBER_BYTES", 2_000_000)
    monkeypatch.setattr(headers, "MAXIMUM_MEMBER_BYTES", 2_000_000)
    write_ct_series(body_image(), tmp_path / "in", PATIENT, SERIES)
    archive = tmp_path / "scan.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted((tmp_path / "in").iterdir()):
            packed.write(path, path.name)
        packed.writestr("bomb", HEAD + MODALITY + bytes(3_000_000))
        packed.writestr("bomb.nii", bytes(3_000_000))
    assert_same_voxels(Ingest()(archive), body_image())
    bomb = next(source for source in list_sources(archive, SeriesSettings()) if source.member == "bomb.nii")
    with pytest.raises(OSError, match="too large"):
        bomb.content()


def test_a_large_member_is_read_as_a_stream(tmp_path: Path, monkeypatch):
    """Every member counts as large here: headers come from the stream, pixels from the checked content."""
    monkeypatch.setattr(sources, "UNPACKED_AT_ONCE_BYTES", 100)
    write_ct_series(body_image(), tmp_path / "in", PATIENT, SERIES)
    archive = tmp_path / "scan.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted((tmp_path / "in").iterdir()):
            packed.write(path, path.name)
    assert_same_voxels(Ingest()(archive), body_image())


def test_an_enhanced_object_that_claims_billions_of_frames_is_damaged(tmp_path: Path):
    path = write_ct_series(body_image(), tmp_path, PATIENT, SERIES)[0]
    dataset = pydicom.dcmread(path)
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    dataset.NumberOfFrames = 2_000_000_000
    dataset.save_as(path)
    with pytest.raises(DamagedDicom):
        read_header(Source(path, None, path.stat().st_size))


@pytest.mark.slow
def test_a_short_run_of_the_fuzzer_ends_without_failure():
    """The long run has a target of its own; memory: the imports of the worker and a few small scans."""
    tally, failures, slowest, peak_mb = fuzz(files=24, folders=6, seed=3)
    assert failures == []
    assert sum(tally.values()) == 30 and slowest < 60.0 and peak_mb < 1000.0
