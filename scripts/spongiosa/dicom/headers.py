"""Reading DICOM headers, without pixel data, into one plain record per image frame.

Only the elements of `ELEMENTS` are read.  The identifying ones among them (`patient`, the UIDs) serve to group images
and never leave the package.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

from spongiosa.dicom import enhanced
from spongiosa.dicom.elements import DamagedDicom, Kind, NotDicom, OtherEncoding, Scan, refuse_inflation, scan_elements
from spongiosa.dicom.sources import MAXIMUM_MEMBER_BYTES, Source

#: Elements that are read: keyword -> how its value is written.
ELEMENTS: Final[dict[str, Kind]] = {
    "ImageType": "text",
    "SOPClassUID": "text",
    "SOPInstanceUID": "text",
    "Modality": "text",
    "StudyDate": "text",
    "SeriesDate": "text",
    "AcquisitionDate": "text",
    "AcquisitionDateTime": "text",
    "Manufacturer": "text",
    "PatientName": "text",
    "PatientID": "text",
    "PatientBirthDate": "text",
    "PatientSex": "text",
    "PatientAge": "text",
    "ContrastBolusAgent": "text",
    "BodyPartExamined": "text",
    "ScanningSequence": "text",
    "SliceThickness": "decimal",
    "KVP": "decimal",
    "RepetitionTime": "decimal",
    "EchoTime": "decimal",
    "MagneticFieldStrength": "decimal",
    "FlipAngle": "decimal",
    "GantryDetectorTilt": "decimal",
    "ReconstructionDiameter": "decimal",
    "TableHeight": "decimal",
    "XRayTubeCurrent": "integer",
    "Exposure": "integer",
    "ConvolutionKernel": "text",
    "PatientPosition": "text",
    "StudyInstanceUID": "text",
    "SeriesInstanceUID": "text",
    "SeriesNumber": "integer",
    "AcquisitionNumber": "integer",
    "InstanceNumber": "integer",
    "TemporalPositionIdentifier": "integer",
    "TriggerTime": "decimal",
    "ImagePositionPatient": "decimal",
    "ImageOrientationPatient": "decimal",
    "SamplesPerPixel": "short",
    "NumberOfFrames": "integer",
    "Rows": "short",
    "Columns": "short",
    "PixelSpacing": "decimal",
    "BitsAllocated": "short",
    "BitsStored": "short",
    "HighBit": "short",
    "PixelRepresentation": "short",
    "PixelPaddingValue": "short",
    "PixelPaddingRangeLimit": "short",
    "RescaleIntercept": "decimal",
    "RescaleSlope": "decimal",
    "RescaleType": "text",
    "BurnedInAnnotation": "text",
}
_WANTED: Final = {int(Tag(keyword)): (keyword, kind) for keyword, kind in ELEMENTS.items()}
_FUNCTIONAL_GROUPS: Final = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_READ_TAGS: Final[list[BaseTag | int]] = [Tag(keyword) for keyword in (*ELEMENTS, *_FUNCTIONAL_GROUPS)]
_PIXEL_TAGS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_DIRECTORY: Final = "1.2.840.10008.1.3.10"

#: The storage classes of scans (PS3.4, B.5): classic, enhanced multi-frame, legacy converted.
CLASSIC_CLASSES: Final = {"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4"}
ENHANCED_CLASSES: Final = {
    "CT": frozenset({"1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"}),
    "MR": frozenset({"1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4"}),
}
SCAN_CLASSES: Final = {name: ENHANCED_CLASSES[name] | {classic} for name, classic in CLASSIC_CLASSES.items()}
_ALL_ENHANCED: Final = ENHANCED_CLASSES["CT"] | ENHANCED_CLASSES["MR"]


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What the package needs to know about one image; None where the header does not say it.

    `frame` counts within the file from 0; `pixel_offset` and `pixel_length` (bytes) are known for pixel data that are
    not compressed.  `pixel_spacing_mm` is (between rows, between columns), `orientation` the LPS
    direction of a row and of a column (6 numbers), `position_mm` the LPS centre of the first pixel.
    """

    source: Source
    frame: int
    frames_in_file: int
    pixel_offset: int | None
    pixel_length: int | None
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
    bits_stored: int | None
    high_bit: int | None
    pixel_representation: int
    padding_value: int | None
    padding_limit: int | None
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
    if source.member is not None and source.size_bytes > MAXIMUM_MEMBER_BYTES:
        raise DamagedDicom
    try:
        with source.opened() as stream:
            scan = _scan(stream, source.size_bytes)
            values = scan.values
            if values.get("SOPClassUID", "") in _ALL_ENHANCED:
                return _enhanced_frames(stream, scan, source)
    except (NotDicom, DamagedDicom):
        raise
    except Exception as error:  # malformed files and archives make the readers raise nearly every type there is
        raise DamagedDicom from error
    if values.get("MediaStorageSOPClassUID") == _DIRECTORY:
        return []
    if not values.get("Rows"):
        _refuse_broken_off(values)
        return []
    frames = int(_number(values.get("NumberOfFrames")) or 1)
    return [_frame(values, values, source, 0, frames, scan)]


def _scan(stream: BinaryIO, size: int) -> Scan:
    try:
        return scan_elements(stream, size, _WANTED)
    except OtherEncoding:
        refuse_inflation(stream)
        return _read_by_pydicom(stream)


def _read_by_pydicom(stream: BinaryIO) -> Scan:
    dataset = _dataset(stream)
    values = {keyword: _plain(dataset[keyword].value) for keyword in ELEMENTS if keyword in dataset}
    for keyword in ("TransferSyntaxUID", "MediaStorageSOPClassUID"):
        if keyword in dataset.file_meta:
            values[keyword] = str(dataset.file_meta[keyword].value)
    return Scan(values, None, None)


def _dataset(stream: BinaryIO) -> Dataset:
    return pydicom.filereader.read_partial(
        stream, stop_when=lambda tag, _vr, _length: tag in _PIXEL_TAGS, force=True, specific_tags=_READ_TAGS
    )


def _plain(value: Any) -> Any:
    if isinstance(value, MultiValue):
        return tuple(_plain(item) for item in value)
    return value if isinstance(value, (int, float)) else str(value)


def _enhanced_frames(stream: BinaryIO, scan: Scan, source: Source) -> list[FrameHeader]:
    """Raises `ValueError` where the functional groups contradict the number of frames."""
    stream.seek(0)
    dataset, values = _dataset(stream), scan.values
    groups = enhanced.frame_datasets(dataset, int(_number(values.get("NumberOfFrames")) or 1))
    frames = []
    for index, group in enumerate(groups):
        own = {element.keyword: _plain(element.value) for element in group}
        frames.append(_frame({**values, **own}, values, source, index, len(groups), scan))
    return frames


def _refuse_broken_off(values: Mapping[str, Any]) -> None:
    """Raises `DamagedDicom` for a header that names no class, or that of a scan without the size of its image."""
    sop_class = values.get("SOPClassUID")
    if not sop_class or sop_class in SCAN_CLASSES["CT"] | SCAN_CLASSES["MR"]:
        raise DamagedDicom


def _frame(
    values: Mapping[str, Any], whole: Mapping[str, Any], source: Source, frame: int, count: int, scan: Scan
) -> FrameHeader:
    """The record of one frame; `values` holds its own elements over those of the file, `whole` those of the file."""
    position = _numbers(values.get("ImagePositionPatient"), 3)
    spacing = _numbers(values.get("PixelSpacing"), 2)
    return FrameHeader(
        source=source,
        frame=frame,
        frames_in_file=count,
        pixel_offset=scan.pixel_offset,
        pixel_length=scan.pixel_length,
        sop_class=_text(whole, "SOPClassUID") or _text(whole, "MediaStorageSOPClassUID"),
        sop_instance=_text(whole, "SOPInstanceUID"),
        series=_text(whole, "SeriesInstanceUID"),
        study=_text(whole, "StudyInstanceUID"),
        patient=(_text(whole, "PatientID"), _text(whole, "PatientName"), _text(whole, "PatientBirthDate")),
        modality=_text(whole, "Modality").upper(),
        image_type=_tokens(values.get("ImageType")),
        transfer_syntax=_text(whole, "TransferSyntaxUID"),
        series_number=_integer(whole.get("SeriesNumber")),
        acquisition_number=_integer(values.get("AcquisitionNumber")),
        temporal_position=_number(values.get("TemporalPositionIdentifier", values.get("TriggerTime"))),
        echo_time_ms=_number(values.get("EchoTime")),
        instance_number=_integer(whole.get("InstanceNumber")),
        rows=_integer(whole.get("Rows")),
        columns=_integer(whole.get("Columns")),
        samples_per_pixel=_integer(whole.get("SamplesPerPixel")) or 1,
        bits_allocated=_integer(whole.get("BitsAllocated")),
        bits_stored=_integer(whole.get("BitsStored")),
        high_bit=_integer(whole.get("HighBit")),
        pixel_representation=_integer(whole.get("PixelRepresentation")) or 0,
        padding_value=_integer(whole.get("PixelPaddingValue")),
        padding_limit=_integer(whole.get("PixelPaddingRangeLimit")),
        pixel_spacing_mm=None if spacing is None else (spacing[0], spacing[1]),
        orientation=_numbers(values.get("ImageOrientationPatient"), 6),
        position_mm=None if position is None else (position[0], position[1], position[2]),
        slice_thickness_mm=_number(values.get("SliceThickness")),
        rescale_slope=_number(values.get("RescaleSlope")),
        rescale_intercept=_number(values.get("RescaleIntercept")),
        rescale_type=_text(values, "RescaleType").upper(),
        kernel=_first_text(values.get("ConvolutionKernel")),
        technical={keyword: values[keyword] for keyword in TECHNICAL_ELEMENTS if keyword in values},
    )


#: Elements that `privacy` may pass on, or count days with, after its checks.
TECHNICAL_ELEMENTS: Final = (
    "AcquisitionDate",
    "AcquisitionDateTime",
    "SeriesDate",
    "StudyDate",
    "Manufacturer",
    "BodyPartExamined",
    "ScanningSequence",
    "ContrastBolusAgent",
    "KVP",
    "XRayTubeCurrent",
    "Exposure",
    "ReconstructionDiameter",
    "TableHeight",
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


def _text(values: Mapping[str, Any], keyword: str) -> str:
    return _first_text(values.get(keyword))


def _first_text(value: Any) -> str:
    """The first of several values: Siemens writes the kernel and its iterative strength as two."""
    if isinstance(value, tuple):
        value = value[0] if value else ""
    return "" if value is None else str(value).strip()


def _tokens(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    parts = value if isinstance(value, tuple) else (value,)
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
    if not isinstance(value, tuple) or len(value) != count:
        return None
    numbers = [_number(item) for item in value]
    return None if None in numbers else tuple(number for number in numbers if number is not None)
