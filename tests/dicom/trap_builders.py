"""How each trap of the ingest tests is laid out on a disk."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from spongiosa.synthetic.dicom_writer import (
    PixelStorage,
    SeriesFaults,
    write_ct_series,
    write_localizer,
    write_secondary_capture,
)
from spongiosa.volume import Geometry, Volume, write_volume

from .trap_images import OTHER_PATIENT, PATIENT, SERIES, body_image


def ct_series(folder: Path, **changes: object) -> Path:
    write_ct_series(body_image(), folder, PATIENT, replace(SERIES, **changes))
    return folder


def faulty_series(**faults: object) -> Callable[[Path], Path]:
    return lambda folder: ct_series(folder, faults=SeriesFaults(**faults))


def edited_series(edit: Callable[[pydicom.Dataset, int], None], **changes: object) -> Callable[[Path], Path]:
    """A series whose data sets were changed by hand, file by file."""

    def build(folder: Path) -> Path:
        for number, path in enumerate(sorted(ct_series(folder, **changes).iterdir())):
            dataset = pydicom.dcmread(path)
            edit(dataset, number)
            dataset.save_as(path)
        return folder

    return build


def without_element(keyword: str) -> Callable[[Path], Path]:
    return edited_series(lambda dataset, _number: delattr(dataset, keyword))


def set_odd(keyword: str, value: object) -> Callable[[Path], Path]:
    def edit(dataset: pydicom.Dataset, number: int) -> None:
        if number % 2:
            setattr(dataset, keyword, value)

    return edited_series(edit)


def nested_with_rubbish(folder: Path) -> Path:
    for number, path in enumerate(sorted(ct_series(folder).iterdir())):
        deep = folder / f"export <{number % 3}>; $(id)" / "DICOM" / "A"
        deep.mkdir(parents=True, exist_ok=True)
        path.rename(deep / path.name)
    (folder / "README.TXT").write_text("=cmd|' /C calc'!A0")
    (folder / "Thumbs.db").write_bytes(np.random.default_rng(1).bytes(2000))
    (folder / "empty").write_bytes(b"")
    (folder / "half").write_bytes(bytes(128) + b"DICM")
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(40))
    (folder / "loop").symlink_to(folder)
    (folder / "dangling").symlink_to(folder / "nowhere")
    return folder


def damaged_slice(folder: Path) -> Path:
    victim = sorted(ct_series(folder).iterdir())[5]
    victim.write_bytes(victim.read_bytes()[:300])
    return folder


def truncated_pixels(folder: Path) -> Path:
    victim = sorted(ct_series(folder).iterdir())[5]
    victim.write_bytes(victim.read_bytes()[:-900])
    return folder


def all_damaged(folder: Path) -> Path:
    for path in ct_series(folder).iterdir():
        path.write_bytes(path.read_bytes()[:200])
    return folder


def two_kernels_and_scout(folder: Path) -> Path:
    ct_series(folder / "soft")
    write_ct_series(body_image(seed=2), folder / "bone", PATIENT, replace(SERIES, number=3, kernel="Br64d"))
    write_localizer(body_image(), folder / "scout", PATIENT)
    write_secondary_capture(body_image(), folder / "sc", PATIENT)
    return folder


def scout_under_same_uid(folder: Path) -> Path:
    ct_series(folder)
    uid = pydicom.dcmread(next(iter(sorted(folder.iterdir())))).SeriesInstanceUID
    for path in write_localizer(body_image(), folder / "scout", PATIENT):
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = uid
        dataset.save_as(path)
    return folder


def written_by(write: Callable[[Path], object]) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        write(folder)
        return folder

    return build


def zipped(folder: Path) -> Path:
    series = ct_series(folder / "in")
    return Path(shutil.make_archive(str(folder / "scan"), "zip", series))


def zip_in_folder(folder: Path) -> Path:
    archive = zipped(folder)
    shutil.rmtree(folder / "in")
    (folder / "further").mkdir()
    archive.rename(folder / "further" / "export.ZIP")
    return folder


def zip_with(name: str) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        archive = zipped(folder)
        with zipfile.ZipFile(archive, "a") as file:
            file.writestr(name, b"owned")
        return archive

    return build


def zip_damaged(folder: Path) -> Path:
    archive = zipped(folder)
    archive.write_bytes(archive.read_bytes()[:-40])
    return archive


def zip_bomb(folder: Path) -> Path:
    archive = folder / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(30_000_000))
    return archive


def several_patients(folder: Path) -> Path:
    ct_series(folder / "a")
    write_ct_series(body_image(), folder / "b", OTHER_PATIENT, SERIES)
    return folder


def copied_twice(folder: Path) -> Path:
    ct_series(folder / "a")
    shutil.copytree(folder / "a", folder / "a (1)")
    return folder


def two_phases_in_one_series(folder: Path) -> Path:
    """Slices scanned twice with another acquisition number and other values: two series under one UID."""
    first = write_ct_series(body_image(), folder / "1", PATIENT, SERIES)
    uid = pydicom.dcmread(first[0]).SeriesInstanceUID
    late = write_ct_series(body_image(seed=5, slices=11), folder / "2", PATIENT, replace(SERIES, number=9))
    for path in late:
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID, dataset.AcquisitionNumber = uid, 2
        dataset.save_as(path)
    return folder


def conflicting(folder: Path) -> Path:
    write_ct_series(body_image(), folder / "1", PATIENT, SERIES)
    other = write_ct_series(body_image(seed=5), folder / "2", PATIENT, SERIES)
    for path in other[2:]:
        path.unlink()
    for path in other[:2]:
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID = dataset.SOPInstanceUID + "1"
        dataset.save_as(path)
    return folder


def per_slice_rescale(folder: Path) -> Path:
    """PET-CT scanners rescale each slice on its own: equal HU from different stored values."""

    def edit(dataset: pydicom.Dataset, number: int) -> None:
        stored = dataset.pixel_array.astype(np.int32) + 7 * number
        dataset.PixelData = stored.astype(np.uint16).tobytes()
        dataset.RescaleIntercept = str(-1024 - 7 * number)

    return edited_series(edit, storage=PixelStorage(bits_stored=16))(folder)


def sagittal(folder: Path) -> Path:
    image = body_image()
    turned = replace(
        image,
        voxels=np.ascontiguousarray(np.transpose(image.voxels, (2, 0, 1))[:, ::-1]),
        spacing_mm=(image.spacing_mm[1], image.spacing_mm[2], image.spacing_mm[0]),
        origin_mm=(image.origin_mm[0], image.origin_mm[1], image.origin_mm[2] + 2.0 * (image.voxels.shape[0] - 1)),
        direction=np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    )
    write_ct_series(turned, folder, PATIENT, SERIES)
    return folder


def non_square(folder: Path) -> Path:
    write_ct_series(body_image(spacing_mm=(0.7, 0.9, 2.0)), folder, PATIENT, SERIES)
    return folder


def volume_file(suffix: str) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        image = body_image()
        geometry = Geometry(image.voxels.shape, image.spacing_mm, image.origin_mm, image.direction)
        path = folder / f"scan{suffix}"
        write_volume(Volume(image.voxels, geometry), path)
        return path

    return build


def lost_intercept(folder: Path) -> Path:
    path = volume_file(".nii.gz")(folder)
    image = body_image()
    geometry = Geometry(image.voxels.shape, image.spacing_mm, image.origin_mm, image.direction)
    write_volume(Volume((image.voxels + 1024).astype(np.int16), geometry), path)
    return path


def cut_volume(folder: Path) -> Path:
    path = volume_file(".nii.gz")(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def absurd_matrix(folder: Path) -> Path:
    for path in ct_series(folder).iterdir():
        dataset = pydicom.dcmread(path)
        dataset.Rows, dataset.Columns = 65535, 65535
        dataset.save_as(path)
    return folder


def sparse(folder: Path) -> Path:
    write_ct_series(body_image(spacing_mm=(0.8, 0.8, 10.0)), folder, PATIENT, SERIES)
    return folder


def uneven(largest_mm: float) -> Callable[[Path], Path]:
    def edit(dataset: pydicom.Dataset, number: int) -> None:
        x, y, _ = dataset.ImagePositionPatient
        if number >= 8:
            dataset.ImagePositionPatient = [x, y, -412.0 + 2.0 * 7 + largest_mm * (number - 7)]

    return edited_series(edit)


def tilted(folder: Path) -> Path:
    image = body_image()
    shear = np.eye(3)
    shear[:, 2] = [0.0, np.sin(np.radians(15)), np.cos(np.radians(15))]
    write_ct_series(replace(image, direction=shear), folder, PATIENT, SERIES)
    return folder


def empty_folder(folder: Path) -> Path:
    return folder


def missing_path(folder: Path) -> Path:
    return folder / "nobody"


def no_preamble(folder: Path) -> Path:
    for path in ct_series(folder, transfer_syntax=ImplicitVRLittleEndian).iterdir():
        dataset = pydicom.dcmread(path)
        del dataset.file_meta
        dataset.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    return folder


def deflated(folder: Path) -> Path:
    for path in ct_series(folder).iterdir():
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset.save_as(path)
    return folder


def implicit_called_explicit(folder: Path) -> Path:
    """Some converters forget to rewrite the transfer syntax in the meta header."""
    for path in ct_series(folder, transfer_syntax=ImplicitVRLittleEndian).iterdir():
        data = path.read_bytes()
        syntax = b"UI\x12\x001.2.840.10008.1.2\0"
        assert syntax in data
        longer = data.replace(syntax, b"UI\x14\x001.2.840.10008.1.2.1\0", 1)
        path.write_bytes(longer)
    return folder


def burned_in(folder: Path) -> Path:
    return edited_series(lambda dataset, _number: setattr(dataset, "BurnedInAnnotation", "YES"))(folder)


def big_endian(folder: Path) -> Path:
    for path in ct_series(folder).iterdir():
        dataset = pydicom.dcmread(path)
        values = dataset.pixel_array
        dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        dataset.PixelData = values.astype(">u2").tobytes()
        pydicom.dcmwrite(path, dataset, implicit_vr=False, little_endian=False, force_encoding=True)
    return folder
