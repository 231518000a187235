"""A header scanner that reads what is needed, skips the rest, and trusts no length it is told.

General readers keep every element and follow every nested sequence; a cohort's index needs some forty elements of
hundreds of thousands of files, some of them damaged or made to do harm.  The scanner reads little-endian headers
(explicit and implicit VR) element by element up to the pixel data, steps over sequences without building them, and
stops at limits on size, depth and number of elements.

Source of the encoding: DICOM PS3.5, 7.1 (data elements), 7.5 (sequences), A.1-A.2; PS3.10, 7.1 (meta header).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Literal

Kind = Literal["text", "decimal", "integer", "short"]

PREAMBLE_BYTES: Final = 128
FIRST_READ_BYTES: Final = 8192
"""The header of a usual slice is shorter, so that one read serves."""
MAXIMUM_HEADER_BYTES: Final = 256 * 2**20
MAXIMUM_INFLATED_BYTES: Final = 512 * 2**20
MAXIMUM_VALUE_BYTES: Final = 64 * 2**10
MAXIMUM_ELEMENTS: Final = 2_000_000
"""A header of more is damaged or made to hold its reader up; an enhanced image of 2,000 frames has some 100,000."""
MAXIMUM_SEQUENCE_DEPTH: Final = 32
"""Of the header of an image, where a few are usual."""
MAXIMUM_VALUES: Final = 64
"""Of one element; those that are read have a few."""

_LONG_VRS: Final = frozenset(
    {b"OB", b"OW", b"OF", b"OL", b"OD", b"OV", b"SQ", b"UC", b"UR", b"UT", b"UN", b"SV", b"UV"}
)
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_PIXEL_TAGS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
_DEFLATED: Final = "1.2.840.10008.1.2.1.99"
_HEADER = struct.Struct("<HH")
_SHORT_LENGTH = struct.Struct("<H")
_LONG_LENGTH = struct.Struct("<I")


class NotDicom(Exception):
    """The file is something else."""


class DamagedDicom(Exception):
    """The file says that it is DICOM and cannot be read."""


class OtherEncoding(Exception):
    """A sound file in an encoding that the scanner leaves to the general reader."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Values by keyword, and where the pixel data begin.

    `pixel_length` is None where the pixel data are encapsulated (compressed) or absent.
    """

    values: Mapping[str, Any]
    pixel_offset: int | None
    pixel_length: int | None


class _Window:
    """The file as bytes that are read when they are needed."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.stream, self.size = stream, size
        self.start, self.data = 0, stream.read(FIRST_READ_BYTES)

    def at(self, offset: int, count: int) -> tuple[bytes, int]:
        """Bytes and the index in them at which `offset` lies, at least `count` of them from there."""
        index = offset - self.start
        if index >= 0 and index + count <= len(self.data):
            return self.data, index
        if offset + count > self.size or offset > MAXIMUM_HEADER_BYTES:
            raise DamagedDicom
        self.stream.seek(offset)
        self.data = self.stream.read(max(count, FIRST_READ_BYTES))
        self.start = offset
        if len(self.data) < count:
            raise DamagedDicom
        return self.data, 0


def scan_elements(stream: BinaryIO, size: int, wanted: Mapping[int, tuple[str, Kind]]) -> Scan:
    """The elements of `wanted` (tag -> keyword, kind) before the pixel data of a file of `size` bytes.

    Raises `NotDicom`, `DamagedDicom`, and `OtherEncoding` for big endian, deflated and mismatched encodings.
    """
    window = _Window(stream, size)
    start = window.data
    values: dict[str, Any] = {}
    if start[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == b"DICM":
        offset = _scan_meta(window, values)
        syntax = values.get("TransferSyntaxUID", _IMPLICIT_LITTLE)
        if syntax in (_BIG_ENDIAN, _DEFLATED):
            raise OtherEncoding
        is_explicit = syntax != _IMPLICIT_LITTLE
    # Old exports lack the preamble; group 0008 in little endian at the start tells them from other files.
    elif start[:2] == b"\x08\x00" and len(start) >= 8:
        offset, is_explicit = 0, start[4:6].isalpha() and start[4:6].isupper()
    else:
        raise NotDicom
    if offset + 8 > size:
        raise DamagedDicom
    data, index = window.at(offset, 8)
    if is_explicit != (data[index + 4 : index + 6].isalpha() and data[index + 4 : index + 6].isupper()):
        raise OtherEncoding
    pixel_offset, pixel_length = _scan_level(window, offset, is_explicit, wanted, values)
    return Scan(values, pixel_offset, pixel_length)


def refuse_inflation(stream: BinaryIO) -> None:
    """Raises `DamagedDicom` for a deflated file that inflates to more than any image; rewinds the stream.

    The general reader inflates a file as a whole, whatever its size becomes.
    """
    size = stream.seek(0, 2)
    stream.seek(0)
    window, values = _Window(stream, size), dict[str, Any]()
    if window.data[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == b"DICM":
        offset = _scan_meta(window, values)
        if values.get("TransferSyntaxUID") == _DEFLATED:
            stream.seek(offset)
            inflater, inflated = zlib.decompressobj(-zlib.MAX_WBITS), 0
            waiting = stream.read()
            while waiting and not inflater.eof:
                inflated += len(inflater.decompress(waiting, 2**20))
                waiting = inflater.unconsumed_tail
                if inflated > MAXIMUM_INFLATED_BYTES:
                    raise DamagedDicom
    stream.seek(0)


_META: Final[Mapping[int, tuple[str, Kind]]] = {
    0x00020002: ("MediaStorageSOPClassUID", "text"),
    0x00020010: ("TransferSyntaxUID", "text"),
}


def _scan_meta(window: _Window, values: dict[str, Any]) -> int:
    """Read group 0002, always explicit little endian; the offset behind it."""
    offset = PREAMBLE_BYTES + 4
    while offset + 8 <= window.size:
        data, index = window.at(offset, 8)
        group, element = _HEADER.unpack_from(data, index)
        if group != 0x0002:
            break
        offset = _take(window, offset, group << 16 | element, data, index, True, _META, values)
    return offset


def _take(
    window: _Window,
    offset: int,
    tag: int,
    data: bytes,
    index: int,
    is_explicit: bool,
    wanted: Mapping[int, tuple[str, Kind]],
    values: dict[str, Any],
) -> int:
    """Step over the element at `offset`, keeping its value if it is wanted; the offset behind it."""
    body, length, vr = _body_of(window, offset, data, index, is_explicit)
    if length == _UNDEFINED or vr == b"SQ":
        return _skip_sequence(window, body, length, is_explicit and vr != b"UN")
    end = body + length
    if end > window.size:
        raise DamagedDicom
    if tag in wanted and 0 < length <= MAXIMUM_VALUE_BYTES:
        keyword, kind = wanted[tag]
        raw, start = window.at(body, length)
        values[keyword] = _value(raw[start : start + length], kind, vr)
    return end


def _body_of(window: _Window, offset: int, data: bytes, index: int, is_explicit: bool) -> tuple[int, int, bytes]:
    """Where the value of the element at `offset` begins, how long it says it is, and its VR (empty if implicit)."""
    if not is_explicit:
        return offset + 8, _LONG_LENGTH.unpack_from(data, index + 4)[0], b""
    vr = data[index + 4 : index + 6]
    if vr in _LONG_VRS:
        data, index = window.at(offset, 12)
        return offset + 12, _LONG_LENGTH.unpack_from(data, index + 8)[0], vr
    if not (vr.isalpha() and vr.isupper()):
        raise DamagedDicom
    return offset + 8, _SHORT_LENGTH.unpack_from(data, index + 6)[0], vr


def _scan_level(
    window: _Window,
    offset: int,
    is_explicit: bool,
    wanted: Mapping[int, tuple[str, Kind]],
    values: dict[str, Any],
) -> tuple[int | None, int | None]:
    """Read the main data set up to its pixel data; where they begin and how long they are."""
    for _ in range(MAXIMUM_ELEMENTS):
        if offset + 8 > window.size:
            return None, None
        data, index = window.at(offset, 8)
        group, element = _HEADER.unpack_from(data, index)
        tag = group << 16 | element
        if tag in _PIXEL_TAGS:
            body, length, _vr = _body_of(window, offset, data, index, is_explicit)
            return body, None if length == _UNDEFINED else length
        offset = _take(window, offset, tag, data, index, is_explicit, wanted, values)
    raise DamagedDicom


def _skip_sequence(window: _Window, offset: int, length: int, is_explicit: bool) -> int:
    """The offset behind a sequence whose first item begins at `offset`.

    A sequence or item that states its length is jumped over; one that ends by a mark is walked through, with a stack
    instead of recursion.  Each level is (is_data_set, is_explicit): a data set waits for the end mark of its item, a
    sequence for its own.  Within an element of unknown VR (UN) the encoding is implicit (PS3.5, 6.2.2).
    """
    if length != _UNDEFINED:
        if offset + length > window.size:
            raise DamagedDicom
        return offset + length
    open_levels = [(False, is_explicit)]
    for _ in range(MAXIMUM_ELEMENTS):
        data, index = window.at(offset, 8)
        group, element = _HEADER.unpack_from(data, index)
        tag = group << 16 | element
        if tag in (_ITEM, _ITEM_END, _SEQUENCE_END):
            item_length = _LONG_LENGTH.unpack_from(data, index + 4)[0]
            offset += 8
            if tag == _ITEM and not open_levels[-1][0]:
                if item_length == _UNDEFINED:
                    open_levels.append((True, open_levels[-1][1]))
                elif offset + item_length > window.size:
                    raise DamagedDicom
                else:
                    offset += item_length
            elif open_levels.pop()[0] != (tag == _ITEM_END):
                raise DamagedDicom
            if not open_levels:
                return offset
            continue
        is_data_set, is_explicit = open_levels[-1]
        if not is_data_set:
            raise DamagedDicom
        offset, item_length, vr = _body_of(window, offset, data, index, is_explicit)
        if item_length != _UNDEFINED:
            offset += item_length
            if offset > window.size:
                raise DamagedDicom
        else:
            open_levels.append((False, is_explicit and vr != b"UN"))
        if len(open_levels) > 2 * MAXIMUM_SEQUENCE_DEPTH:
            raise DamagedDicom
    raise DamagedDicom


def _value(raw: bytes, kind: Kind, vr: bytes) -> Any:
    """One value, or a tuple where there are several; None where the text is no number."""
    if kind == "short":
        is_signed = vr == b"SS"
        return int.from_bytes(raw[:2], "little", signed=is_signed) if len(raw) >= 2 else None
    # Identifying texts are only compared with each other, so that their character set does not matter.
    texts = [text.strip(" \0\t\r\n") for text in raw.decode("latin-1").split("\\", MAXIMUM_VALUES)]
    if kind == "text":
        return texts[0] if len(texts) == 1 else tuple(texts)
    numbers = tuple(_number(text) for text in texts)
    return numbers[0] if len(numbers) == 1 else numbers


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
