"""Looking for planted texts in everything that a run leaves behind, also inside what is packed.

Searched: names of files and folders, raw bytes, and what unpacks from gzip, zip, Parquet (every value of every column
and the metadata), PNG (text chunks), and base64 in HTML or SVG (pictures in a report), each within each.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

DEPTH: Final = 4
_BASE64: Final = re.compile(rb"base64,([A-Za-z0-9+/=\s]{16,})")


def traces(folder: Path, planted: Sequence[str]) -> list[tuple[str, str]]:
    """(relative path, planted text) for each file below `folder` that gives a planted text away, in any case."""
    found = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        layers = [relative.encode()]
        if path.is_file():
            layers += list(unpacked(path.read_bytes()))
        lowered = [layer.lower() for layer in layers]
        for text in planted:
            forms = {text.lower().encode(form) for form in ("utf-8", "utf-16-le")}
            if any(form in layer for form in forms for layer in lowered):
                found.append((relative, text))
    return found


def unpacked(data: bytes, depth: int = DEPTH) -> Iterator[bytes]:
    """The bytes themselves, and whatever they pack."""
    yield data
    if depth == 0:
        return
    for layer in (*_gzip(data), *_zip(data), *_parquet(data), *_png(data), *_base64(data)):
        yield from unpacked(layer, depth - 1)


def _gzip(data: bytes) -> Iterator[bytes]:
    if data[:2] == b"\x1f\x8b":
        yield zlib.decompressobj(31).decompress(data)


def _zip(data: bytes) -> Iterator[bytes]:
    if data[:4] == b"PK\3\4":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield archive.read(name)


def _parquet(data: bytes) -> Iterator[bytes]:
    if data[:4] == b"PAR1" and data[-4:] == b"PAR1":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(io.BytesIO(data))
        yield repr(table.schema.metadata).encode()
        yield repr(table.to_pydict()).encode()


def _png(data: bytes) -> Iterator[bytes]:
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return
    offset = 8
    while offset + 12 <= len(data):
        (length,), kind = struct.unpack_from(">I", data, offset), data[offset + 4 : offset + 8]
        body = data[offset + 8 : offset + 8 + length]
        if kind == b"zTXt":
            keyword, _, rest = body.partition(b"\0")
            yield keyword + b" " + zlib.decompress(rest[1:])
        if kind == b"iTXt" and body.partition(b"\0")[2][:1] == b"\1":
            yield zlib.decompress(body.partition(b"\0")[2][2:].split(b"\0", 2)[2])
        offset += 12 + length


def _base64(data: bytes) -> Iterator[bytes]:
    for match in _BASE64.finditer(data):
        try:
            yield base64.b64decode(match[1], validate=False)
        except binascii.Error:
            continue
