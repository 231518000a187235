"""Whether a NIfTI file is whole.

ITK fills the voxels that a cut file lacks with zeros, and takes over what a damaged compressed one unpacks to, in both
cases without a word: zeros read as 0 HU, and as labels that end early.  So length and checksum are looked at before.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 1 << 16
"""Unpacks to 66 MB at most (a factor of 1,032, the limit of deflate)."""
_HEADER_BYTES: Final = 544
_LARGEST_SURPLUS_BYTES: Final = 1 << 26
"""Extensions and padding beside the voxels; a file that unpacks to more is made to do harm."""


def refuse_damaged_nifti(path: Path) -> None:
    """Raises `OSError` for a NIfTI file (`.nii`, `.nii.gz`) that ends early or whose checksum is wrong.

    Files that are no NIfTI are left to the reader of volumes.
    Source: NIfTI-1 and NIfTI-2 headers (nifti1.h, nifti2.h); RFC 1952 (checksum of gzip).
    """
    with path.open("rb") as stream:
        is_compressed = stream.read(2) == b"\x1f\x8b"
    if not is_compressed:
        with path.open("rb") as stream:
            needed = bytes_needed(stream.read(_HEADER_BYTES))
        if needed is not None and path.stat().st_size < needed:
            raise OSError(f"the volume is cut short: {path.name}")
        return
    start, count, needed = b"", 0, None
    for chunk in _unpacked(path):
        if len(start) < _HEADER_BYTES:
            start = (start + chunk)[:_HEADER_BYTES]
            needed = bytes_needed(start) if len(start) == _HEADER_BYTES else None
        count += len(chunk)
        if needed is not None and count > needed + _LARGEST_SURPLUS_BYTES:
            raise OSError(f"the volume unpacks to more than its header says: {path.name}")
    if needed is not None and count < needed:
        raise OSError(f"the volume is cut short: {path.name}")


#: Length of the header -> where it keeps dimensions, bits per voxel and the place of the first voxel (struct formats).
_LAYOUTS: Final = {
    348: (("8h", 40), ("h", 72), ("f", 108)),
    540: (("8q", 16), ("h", 14), ("q", 168)),
}


def bytes_needed(header: bytes) -> int | None:
    """Length in bytes that the header of a NIfTI file asks for; None where it is none."""
    for order in "<>":
        for length, places in _LAYOUTS.items():
            if len(header) >= length and struct.unpack_from(f"{order}i", header, 0)[0] == length:
                dimensions, (bits,), (offset,) = (
                    struct.unpack_from(f"{order}{kind}", header, place) for kind, place in places
                )
                voxels = prod(max(1, size) for size in dimensions[1 : 1 + max(0, min(7, dimensions[0]))])
                start = int(offset) if 0 <= offset < _LARGEST_SURPLUS_BYTES else 0  # also where it is not a number
                return int(start + voxels * max(0, bits) // 8)
    return None


def _unpacked(path: Path) -> Iterator[bytes]:
    """The content of all members of a gzip file.  Raises `OSError` where it is damaged or ends early."""
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    is_between_members = True
    try:
        with path.open("rb") as stream:
            while packed := stream.read(_CHUNK_BYTES):
                while packed:
                    yield inflater.decompress(packed)
                    is_between_members = inflater.eof
                    packed = inflater.unused_data.lstrip(b"\0")  # archives pad the last member with zeros
                    if inflater.eof:
                        inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    except zlib.error as error:
        raise OSError(f"the compressed volume is damaged: {path.name}") from error
    if not is_between_members:
        raise OSError(f"the compressed volume is cut short: {path.name}")
