"""From the frames of an input to its series, and the key by which a series is called."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from spongiosa.dicom.headers import SCAN_CLASSES, FrameHeader
from spongiosa.dicom.identity import PatientIdentity

#: What may tell several acquisitions apart that share one series, the likeliest first.
_SPLITTING_FIELDS: Final = (
    "acquisition_number",
    "temporal_position",
    "echo_time_ms",
    "kernel",
    "image_type",
    "slice_thickness_mm",
)
_LOCALIZER_MARKS: Final = ("LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW", "SCANOGRAM")


def is_localizer(frame: FrameHeader) -> bool:
    """Whether the image is one by which a scan is planned."""
    return any(mark in value for value in frame.image_type for mark in _LOCALIZER_MARKS)


def is_picture(frame: FrameHeader) -> bool:
    """Whether the image is made to be looked at: a secondary capture, colours, or text burned into the pixels."""
    classes = SCAN_CLASSES.get(frame.modality)
    is_other_class = bool(classes and frame.sop_class and frame.sop_class not in classes)
    return is_other_class or frame.samples_per_pixel != 1 or frame.technical.get("BurnedInAnnotation") == "YES"


@dataclass(frozen=True)
class SeriesName:
    """How a series is called.

    `key` leaves the package and depends on the project's secret; `key_without_secret` was the key before there was one;
    `order` decides between series that are equal in all else, whatever the secret.  The latter two stay inside.
    """

    key: str
    key_without_secret: str = ""
    order: str = ""

    @classmethod
    def of(cls, identifier: str, patient: PatientIdentity) -> SeriesName:
        """The name of the series that `identifier` tells from all others."""
        order = hashlib.sha256(identifier.encode()).hexdigest()
        return cls(patient.series_key(identifier), patient.series_key_without_secret(identifier), order)


@dataclass(frozen=True)
class FoundSeries:
    """The frames of one series, each instance once."""

    name: SeriesName
    frames: list[FrameHeader]


def group_series(frames: Sequence[FrameHeader], patient: PatientIdentity) -> list[FoundSeries]:
    """The series that the frames belong to, in an order that depends on what they hold alone.

    Frames belong together by SeriesInstanceUID and, where that is empty, by what a series has in common (study, series
    number, matrix, pixel spacing, orientation, kernel, image type).  A localizer, a screenshot or an image with text
    burned in that was filed under the UID of the scan becomes a series of its own, and so does each of several
    acquisitions whose slices lie at the same positions.
    """
    groups: dict[tuple[Any, ...], list[FrameHeader]] = defaultdict(list)
    for frame in _each_instance_once(frames):
        groups[_identity(frame)].append(frame)
    series = []
    for identity, members in groups.items():
        for part, part_members in _split(members).items():
            series.append(FoundSeries(SeriesName.of(repr((identity, part)), patient), part_members))
    return sorted(series, key=lambda found: found.name.order)


def _each_instance_once(frames: Sequence[FrameHeader]) -> list[FrameHeader]:
    """The same instance lies in an export twice when folders were copied together; the larger copy is kept.

    Of two copies of one size whose bytes differ (one is damaged) the choice must not depend on their names.
    """
    kept: dict[Any, FrameHeader] = {}
    for number, frame in enumerate(frames):
        name = (frame.series, frame.sop_instance, frame.frame, frame.position_mm) if frame.sop_instance else number
        if name not in kept or _rank_of_copy(kept[name], frame) < _rank_of_copy(frame, kept[name]):
            kept[name] = frame
    return list(kept.values())


def _rank_of_copy(copy: FrameHeader, other: FrameHeader) -> tuple[int, str]:
    if copy.source.size_bytes != other.source.size_bytes:
        return copy.source.size_bytes, ""
    return copy.source.size_bytes, copy.source.digest()


def _identity(frame: FrameHeader) -> tuple[Any, ...]:
    kind = (is_localizer(frame), *(["picture"] if is_picture(frame) else []))
    if frame.series:
        return ("uid", frame.series, frame.modality, *kind)
    return (
        "properties",
        frame.study,
        frame.series_number,
        frame.modality,
        frame.rows,
        frame.columns,
        _rounded(frame.pixel_spacing_mm),
        _rounded(frame.orientation),
        frame.slice_thickness_mm,
        frame.kernel,
        frame.image_type[:3],
        *kind,
    )


def _rounded(values: tuple[float, ...] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(round(value, 3) + 0.0 for value in values)


def _split(frames: list[FrameHeader]) -> dict[Any, list[FrameHeader]]:
    """Part -> frames: one part, or one per value of the first field that tells all images at a position apart."""
    if not _is_mostly_repeated(frames):
        return {None: frames}
    for field in _SPLITTING_FIELDS:
        parts: dict[Any, list[FrameHeader]] = defaultdict(list)
        for frame in frames:
            parts[(field, repr(getattr(frame, field)))].append(frame)
        is_separated = all(1 < len(part) == len(_positions(part)) for part in parts.values())
        if len(parts) > 1 and is_separated:
            return dict(parts)
    return {None: frames}


def _positions(frames: Sequence[FrameHeader]) -> set[Any]:
    return {_rounded(frame.position_mm) for frame in frames}


def _is_mostly_repeated(frames: Sequence[FrameHeader]) -> bool:
    """Whether at least half of the positions hold several images; a few that do are copies or an overlap."""
    positions = _positions(frames)
    return len(positions) > 1 and len(frames) - len(positions) >= len(positions) / 2
