"""Traps as picture archives set them: pictures among slices, patients who share an id, multi-energy images, CDs."""

from __future__ import annotations

import copy
import gzip
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from spongiosa.synthetic.dicom_writer import PixelStorage, write_ct_series, write_enhanced_ct, write_secondary_capture

from .trap_builders import ct_series, edited_series, volume_file
from .trap_images import PATIENT, SERIES, body_image


def screenshot_under_same_uid(folder: Path) -> Path:
    """The console files its dose report or a screenshot under the series that it shows."""
    uid = pydicom.dcmread(sorted(ct_series(folder).iterdir())[0]).SeriesInstanceUID
    for path in write_secondary_capture(body_image(), folder / "sc", PATIENT):
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = uid
        dataset.save_as(path)
    return folder


def annotated_copy_under_same_uid(folder: Path) -> Path:
    """A slice was saved again with a name written across it."""
    source = sorted(ct_series(folder).iterdir())[4]
    dataset = pydicom.dcmread(source)
    pixels = dataset.pixel_array.copy()
    pixels[10:14, 5:40] = 4000
    dataset.PixelData = pixels.tobytes()
    dataset.BurnedInAnnotation = "YES"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{dataset.SOPInstanceUID}.1"
    dataset.save_as(folder / "annotated")
    return folder


def directory_of_a_cd(folder: Path) -> Path:
    """The path names the DICOMDIR of a CD instead of its folder."""
    ct_series(folder / "DICOM")
    meta = struct.pack("<HH2sH", 2, 0x02, b"UI", 20) + b"1.2.840.10008.1.3.10"
    meta += struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + b"1.2.840.10008.1.2.1\0"
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + meta)
    return folder / "DICOMDIR"


def _named(folder: Path, name: str, born: str, number: int) -> None:
    """A series of a patient whose id is ANONYMOUS, as of everybody."""
    for path in write_ct_series(body_image(seed=number), folder, PATIENT, replace(SERIES, number=number)):
        dataset = pydicom.dcmread(path)
        dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate = "ANONYMOUS", name, born
        dataset.save_as(path)


def one_id_for_two(folder: Path) -> Path:
    _named(folder / "a", "One^Patient", "19500101", 1)
    _named(folder / "b", "Another^Patient", "19611224", 2)
    return folder


def married(folder: Path) -> Path:
    _named(folder / "a", "Maiden^Jane", "19500101", 1)
    _named(folder / "b", "MARRIED^JANE^^^", "19500101", 2)
    return folder


def material_image(folder: Path) -> Path:
    """Calcium taken away by a dual-energy scanner: HU by name, bone without bone by nature."""
    image_type = ["DERIVED", "PRIMARY", "AXIAL", "MAT_REMOVED"]
    return edited_series(lambda dataset, _number: setattr(dataset, "ImageType", image_type))(folder)


def enhanced_in_a_zip(folder: Path) -> Path:
    write_enhanced_ct(body_image(), folder / "in", PATIENT, SERIES)
    return Path(shutil.make_archive(str(folder / "scan"), "zip", folder / "in"))


def enhanced_with_a_scale_per_frame(folder: Path) -> Path:
    """Each frame has an intercept of its own in its functional group, as dose-modulated reconstructions have."""
    (path,) = write_enhanced_ct(body_image(), folder, PATIENT, replace(SERIES, storage=PixelStorage(bits_stored=16)))
    dataset = pydicom.dcmread(path)
    frames = dataset.pixel_array.astype(np.int32)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    common = copy.deepcopy(shared.get("PixelValueTransformationSequence", [Dataset()])[0])
    if "PixelValueTransformationSequence" in shared:
        del shared.PixelValueTransformationSequence
    for number, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        scale = copy.deepcopy(group.get("PixelValueTransformationSequence", [common])[0])
        scale.RescaleIntercept = f"{float(scale.RescaleIntercept) - 7 * number:g}"
        group.PixelValueTransformationSequence = Sequence([scale])
        frames[number] += 7 * number
    dataset.PixelData = frames.astype(np.uint16).tobytes()
    dataset.save_as(path)
    return folder


def flipped_bit_in_a_volume(folder: Path) -> Path:
    path = volume_file(".nii.gz")(folder)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)
    return path


def scaled_volume(folder: Path) -> Path:
    """HU stored as half as many, with a slope of two: exact, as all values of the image are even."""
    path = volume_file(".nii.gz")(folder)
    plain = bytearray(gzip.decompress(path.read_bytes()))
    voxels = np.frombuffer(bytes(plain[352:]), "<i2")
    plain[352:] = (voxels // 2).astype("<i2").tobytes()
    struct.pack_into("<ff", plain, 112, 2.0, 0.0)
    path.write_bytes(gzip.compress(bytes(plain)))
    return path
