"""What a compressed image says about its own size, looked up before a decoder allocates memory for it.

The header of a file and the stream within it can contradict each other: a decoder believes the stream.
Sources: JPEG 2000, ITU-T T.800 (SIZ, A.5.1); JPEG, ITU-T T.81 (SOF, B.2.2); JPEG-LS, ITU-T T.87 (C.2.2).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_JPEG_2000: Final = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 201, 202, 203))
_JPEG: Final = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81))
_CODESTREAM_START: Final = b"\xff\x4f\xff\x51"
_SEARCHED_BYTES: Final = 4096
"""A codestream begins the frame, or follows the boxes of a JP2 file that a writer left around it."""
#: Start-of-frame markers: SOF0-15 but for tables and extensions (C4, C8, CC), and SOF55 of JPEG-LS.
_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}


@dataclass(frozen=True)
class StreamSize:
    """What a compressed frame says of itself: its matrix, its samples per pixel and the bits of each."""

    rows: int
    columns: int
    components: int
    bits: int


def stream_size(frame: bytes, transfer_syntax: str) -> StreamSize | None:
    """Size that the compressed `frame` states, or None for a syntax whose streams state none (RLE).

    Raises `ValueError` where the stream is no such stream.
    """
    if transfer_syntax in _JPEG_2000:
        return _jpeg_2000_size(frame)
    if transfer_syntax in _JPEG:
        return _jpeg_size(frame)
    return None


def _jpeg_2000_size(frame: bytes) -> StreamSize:
    start = frame.find(_CODESTREAM_START, 0, _SEARCHED_BYTES)
    if start < 0 or len(frame) < start + 43:
        raise ValueError("no JPEG 2000 codestream")
    width, height, left, top, tile_width, tile_height = struct.unpack_from(">6I", frame, start + 8)
    components, depth = struct.unpack_from(">HB", frame, start + 40)
    if tile_width == 0 or tile_height == 0 or width <= left or height <= top:
        raise ValueError("the codestream has no size")
    return StreamSize(height - top, width - left, components, (depth & 0x7F) + 1)


def _jpeg_size(frame: bytes) -> StreamSize:
    if frame[:2] != b"\xff\xd8":
        raise ValueError("no JPEG stream")
    offset = 2
    while offset + 10 <= len(frame):
        if frame[offset] != 0xFF:
            raise ValueError("no marker where one must be")
        marker = frame[offset + 1]
        if marker in _FRAME_MARKERS:
            bits, rows, columns, components = struct.unpack_from(">BHHB", frame, offset + 4)
            return StreamSize(rows, columns, components, bits)
        if marker == 0xFF:
            offset += 1
            continue
        (length,) = struct.unpack_from(">H", frame, offset + 2)
        offset += 2 + max(length, 2)
    raise ValueError("the stream has no frame header")
