"""From the frames of an input to its series, and the key by which a series is called."""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from spongiosa.dicom.headers import FrameHeader

_KEY_DIGITS: Final = 10
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
    return any(mark in value for value in frame.image_type for mark in _LOCALIZER_MARKS)


def group_series(frames: Sequence[FrameHeader], salt: str) -> dict[str, list[FrameHeader]]:
    """Series key -> its frames, in the order of the keys; each instance once.

    Frames belong together by SeriesInstanceUID and, where that is empty, by what a series has in common (study, series
    number, matrix, pixel spacing, orientation, kernel, image type).  A localizer that was filed under the UID of the
    scan becomes a series of its own, and so does each of several acquisitions whose slices lie at the same positions.
    The key is a keyed hash (HMAC-SHA256, 10 hex digits) of the UID or those properties: it says nothing about the UID.
    """
    groups: dict[tuple[Any, ...], list[FrameHeader]] = defaultdict(list)
    for frame in _each_instance_once(frames):
        groups[_identity(frame)].append(frame)
    series: dict[str, list[FrameHeader]] = {}
    for identity, members in groups.items():
        for part, part_members in _split(members).items():
            series[keyed_hash(repr((identity, part)), salt)] = part_members
    return dict(sorted(series.items()))


def keyed_hash(text: str, salt: str) -> str:
    return hmac.new(salt.encode(), text.encode(), hashlib.sha256).hexdigest()[:_KEY_DIGITS]


def _each_instance_once(frames: Sequence[FrameHeader]) -> list[FrameHeader]:
    """The same instance lies in an export twice when folders were copied together; the larger copy is kept."""
    kept: dict[Any, FrameHeader] = {}
    for number, frame in enumerate(frames):
        name = (frame.series, frame.sop_instance, frame.frame, frame.position_mm) if frame.sop_instance else number
        if name not in kept or kept[name].source.size_bytes < frame.source.size_bytes:
            kept[name] = frame
    return list(kept.values())


def _identity(frame: FrameHeader) -> tuple[Any, ...]:
    if frame.series:
        return ("uid", frame.series, frame.modality, is_localizer(frame))
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
        is_localizer(frame),
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
