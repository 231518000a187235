"""Reading DICOM headers, without pixel data, into one plain record per image frame.

Only the elements of `ELEMENTS` are read.  The identifying ones among them (`patient`, the UIDs) serve to group images
and never leave the package.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import MediaStorageDirectoryStorage

from spongiosa.dicom import enhanced
from spongiosa.dicom.sources import Source

#: Elements that are read, by keyword.
ELEMENTS: Final = (
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "ContrastBolusAgent",
    "BodyPartExamined",
    "ScanningSequence",
    "SliceThickness",
    "KVP",
    "RepetitionTime",
    "EchoTime",
    "EchoNumbers",
    "MagneticFieldStrength",
    "FlipAngle",
    "GantryDetectorTilt",
    "ReconstructionDiameter",
    "XRayTubeCurrent",
    "Exposure",
    "SpiralPitchFactor",
    "ConvolutionKernel",
    "PatientPosition",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "AcquisitionNumber",
    "InstanceNumber",
    "TemporalPositionIdentifier",
    "TriggerTime",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "PixelPaddingValue",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "BurnedInAnnotation",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
_READ_TAGS: Final[list[BaseTag | int]] = [Tag(keyword) for keyword in ELEMENTS]
_PIXEL_TAGS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_PREAMBLE_BYTES: Final = 128


#: The storage classes of scans (PS3.4, B.5): classic, enhanced multi-frame, legacy converted.
SCAN_CLASSES: Final = {
    "CT": frozenset({"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"}),
    "MR": frozenset({"1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4"}),
}


class NotDicom(Exception):
    """The file is something else."""


class DamagedDicom(Exception):
    """The file says that it is DICOM and cannot be read."""


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What the package needs to know about one image; None where the header does not say it.

    `frame` counts within the file from 0.  `pixel_spacing_mm` is (between rows, between columns), `orientation` the LPS
    direction of a row and of a column (6 numbers), `position_mm` the LPS centre of the first pixel.
    """

    source: Source
    frame: int
    frames_in_file: int
    sop_class: str
    sop_instance: str
    series: str
    study: str
    patient: tuple[str, str, str]
    modality: str
    image_type: tuple[str, ...]
    transfer_syntax: str
    series_number: int | None
    acquisition_number: int | None
    temporal_position: float | None
    echo_time_ms: float | None
    instance_number: int | None
    rows: int | None
    columns: int | None
    samples_per_pixel: int
    bits_allocated: int | None
    pixel_representation: int
    padding_value: int | None
    pixel_spacing_mm: tuple[float, float] | None
    orientation: tuple[float, ...] | None
    position_mm: tuple[float, float, float] | None
    slice_thickness_mm: float | None
    rescale_slope: float | None
    rescale_intercept: float | None
    rescale_type: str
    kernel: str
    technical: dict[str, Any]


@contextmanager
def quiet_readers() -> Iterator[None]:
    """Within the block the readers do not print or log what they find odd: their messages quote header values."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def read_headers(sources: Iterable[Source], threads: int) -> tuple[list[FrameHeader], int]:
    """Headers of every DICOM image of `sources`, in the order of content, and the number of damaged DICOM files.

    Files that are no DICOM, and DICOM objects without an image, are passed over.  The order depends on what the files
    hold, never on their names.
    """
    headers: list[FrameHeader] = []
    damaged = 0
    with quiet_readers(), ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for outcome in pool.map(_try_to_read, sources, chunksize=64):
            if isinstance(outcome, DamagedDicom):
                damaged += 1
            else:
                headers += outcome
    headers.sort(key=_content_order)
    return headers, damaged


def _content_order(header: FrameHeader) -> tuple[Any, ...]:
    return (
        header.series,
        header.position_mm or (),
        header.instance_number or 0,
        header.sop_instance,
        header.frame,
        header.source.size_bytes,
    )


def _try_to_read(source: Source) -> list[FrameHeader] | DamagedDicom:
    try:
        return read_header(source)
    except NotDicom:
        return []
    except DamagedDicom as damage:
        return damage


def read_header(source: Source) -> list[FrameHeader]:
    """The frames of one file.  Raises `NotDicom` and `DamagedDicom`."""
    try:
        with source.opened() as stream:
            dataset = _read_elements(stream)
    except NotDicom:
        raise
    except Exception as error:  # malformed files make the readers raise nearly every type there is
        raise DamagedDicom from error
    try:
        if _is_image(dataset):
            return _frames(dataset, source)
    except Exception as error:  # as above: values are converted when they are first looked at
        raise DamagedDicom from error
    if _should_be_image(dataset):
        raise DamagedDicom
    return []


def _read_elements(stream: BinaryIO) -> Dataset:
    start = stream.read(_PREAMBLE_BYTES + 4)
    stream.seek(0)
    has_preamble = start[_PREAMBLE_BYTES:] == b"DICM"
    # Old exports lack the preamble; group 0008 (or 0002) in little endian at the start tells them from other files.
    if not has_preamble and start[:2] not in (b"\x08\x00", b"\x02\x00"):
        raise NotDicom
    dataset = pydicom.filereader.read_partial(
        stream, stop_when=_is_pixel_data, defer_size=None, force=not has_preamble, specific_tags=_READ_TAGS
    )
    if not has_preamble and "SOPClassUID" not in dataset:
        raise NotDicom
    return dataset


def _is_pixel_data(tag: int, _vr: str | None, _length: int) -> bool:
    return tag in _PIXEL_TAGS


def _is_image(dataset: Dataset) -> bool:
    is_directory = dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
    return not is_directory and "Rows" in dataset


def _should_be_image(dataset: Dataset) -> bool:
    """Whether the header breaks off: it names no class, or that of a scan without the size of its image."""
    if dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        return False
    sop_class = dataset.get("SOPClassUID")
    return not sop_class or sop_class in SCAN_CLASSES["CT"] | SCAN_CLASSES["MR"]


def _frames(dataset: Dataset, source: Source) -> list[FrameHeader]:
    count = int(dataset.get("NumberOfFrames") or 1)
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        return [_frame(dataset, source, 0, count)]
    groups = enhanced.frame_datasets(dataset, count)
    return [_frame(group, source, index, count, dataset) for index, group in enumerate(groups)]


def _frame(dataset: Dataset, source: Source, frame: int, count: int, whole: Dataset | None = None) -> FrameHeader:
    """The record of one frame; `dataset` holds its own elements, `whole` those of the file where they differ."""
    whole = dataset if whole is None else whole
    position = _numbers(dataset.get("ImagePositionPatient"), 3)
    spacing = _numbers(dataset.get("PixelSpacing"), 2)
    return FrameHeader(
        source=source,
        frame=frame,
        frames_in_file=count,
        sop_class=str(whole.get("SOPClassUID") or whole.file_meta.get("MediaStorageSOPClassUID") or ""),
        sop_instance=str(whole.get("SOPInstanceUID") or ""),
        series=str(whole.get("SeriesInstanceUID") or ""),
        study=str(whole.get("StudyInstanceUID") or ""),
        patient=(_text(whole, "PatientID"), _text(whole, "PatientName"), _text(whole, "PatientBirthDate")),
        modality=_text(whole, "Modality").upper(),
        image_type=_tokens(dataset.get("ImageType") or whole.get("ImageType")),
        transfer_syntax=str(whole.file_meta.get("TransferSyntaxUID") or ""),
        series_number=_integer(whole.get("SeriesNumber")),
        acquisition_number=_integer(dataset.get("AcquisitionNumber")),
        temporal_position=_number(dataset.get("TemporalPositionIdentifier", dataset.get("TriggerTime"))),
        echo_time_ms=_number(dataset.get("EchoTime")),
        instance_number=_integer(whole.get("InstanceNumber")),
        rows=_integer(whole.get("Rows")),
        columns=_integer(whole.get("Columns")),
        samples_per_pixel=_integer(whole.get("SamplesPerPixel")) or 1,
        bits_allocated=_integer(whole.get("BitsAllocated")),
        pixel_representation=_integer(whole.get("PixelRepresentation")) or 0,
        padding_value=_integer(whole.get("PixelPaddingValue")),
        pixel_spacing_mm=None if spacing is None else (spacing[0], spacing[1]),
        orientation=_numbers(dataset.get("ImageOrientationPatient"), 6),
        position_mm=None if position is None else (position[0], position[1], position[2]),
        slice_thickness_mm=_number(dataset.get("SliceThickness")),
        rescale_slope=_number(dataset.get("RescaleSlope")),
        rescale_intercept=_number(dataset.get("RescaleIntercept")),
        rescale_type=_text(dataset, "RescaleType").upper(),
        kernel=_first_text(dataset.get("ConvolutionKernel")),
        technical={keyword: dataset.get(keyword, whole.get(keyword)) for keyword in TECHNICAL_ELEMENTS},
    )


#: Elements that `privacy.acquisition_fields` may pass on after its checks.
TECHNICAL_ELEMENTS: Final = (
    "Manufacturer",
    "ManufacturerModelName",
    "BodyPartExamined",
    "ScanningSequence",
    "ContrastBolusAgent",
    "KVP",
    "XRayTubeCurrent",
    "Exposure",
    "SpiralPitchFactor",
    "ReconstructionDiameter",
    "GantryDetectorTilt",
    "RepetitionTime",
    "EchoTime",
    "FlipAngle",
    "MagneticFieldStrength",
    "PatientPosition",
    "PatientSex",
    "PatientAge",
    "BurnedInAnnotation",
)


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()


def _first_text(value: Any) -> str:
    """Siemens writes the kernel and its iterative strength as two values."""
    parts = [value] if isinstance(value, str) else list(value or [])
    return str(parts[0]).strip() if parts else ""


def _tokens(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    parts = [value] if isinstance(value, str) else list(value)
    return tuple(str(part).strip().upper() for part in parts)


def _number(value: Any) -> float | None:
    """The number, or None where there is none or it is not finite."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < float("inf") else None


def _integer(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """Exactly `count` finite numbers, or None."""
    if value is None or isinstance(value, str) or not hasattr(value, "__len__") or len(value) != count:
        return None
    numbers = [_number(item) for item in value]
    return None if None in numbers else tuple(number for number in numbers if number is not None)
