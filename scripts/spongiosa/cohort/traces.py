"""Looking for texts in everything that a run leaves behind, also inside what is packed.

Searched: names of files and folders (those of Snakemake's records decoded), raw bytes, and what unpacks from gzip, zip,
Parquet (every value of every column and the metadata), PNG (text chunks), NIfTI, NRRD and NumPy files (their headers
apart from their numbers), and base64 in HTML or SVG (pictures in a report), each within each.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

DEPTH: Final = 4
"""Archives inside archives that are opened: a picture in a workbook in a zip is three."""
_BASE64: Final = re.compile(rb"base64,([A-Za-z0-9+/=\s]{16,})")
_SHEET: Final = re.compile(r"xl/worksheets/.*\.xml")
_ADDRESS: Final = re.compile(rb'\b(?:r|ref|sqref|activeCell|topLeftCell)="[A-Z0-9: $]*"')
_HIGH_BYTES: Final = bytes(range(0x80, 0x100))
_PACKED_SHARE: Final = 0.25
"""Half of the bytes of a compressed picture or font are not ASCII; of a text with some binary marks a tenth."""
_SHORTEST_PICTURE_BYTES: Final = 1024
"""Of fewer bytes their share says too little."""
_DISTINCTIVE_CHARACTERS: Final = 6
"""Numbers look like a text of so many characters once in 10^14 bytes, like one of two in every image."""


@dataclass(frozen=True)
class Layer:
    """Bytes that were found in a file; `is_text` unless they are numbers or the packed form of other layers."""

    data: bytes
    is_text: bool = True

    @cached_property
    def lowered(self) -> bytes:
        return self.data.lower()


@dataclass(frozen=True)
class Sought:
    """A text that must occur nowhere.

    One of six characters or more is looked for in any case, in any byte (UTF-8 and UTF-16); with `is_word` only where
    no letter or digit goes on before or behind it: P0012 is not a part of P00123.  A shorter one is always a word,
    spelled as it is, outside of numbers and packed bytes; one that is only digits, or is a level's name, must besides
    stand where an identifier stands: in quotes, in a cell, in a path, or behind `sub-` or `patient`.
    """

    text: str
    is_word: bool = False

    @property
    def is_distinctive(self) -> bool:
        return len(self.text) >= _DISTINCTIVE_CHARACTERS

    @cached_property
    def _forms(self) -> tuple[bytes, ...]:
        return tuple(self.text.lower().encode(form) for form in ("utf-8", "utf-16-le"))

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        encoded = re.escape(self.text.encode())
        if re.fullmatch(r"\d+|[TLS]\d+", self.text):
            start, end = rb"(?:sub-|patient |[\"'/\\]|(?:^|[\t\n])(?:u\d{7}\t)?)", rb"(?=[\"'/\\_\t:;, ]|\r?\n|$)"
            return re.compile(start + encoded + end)
        return re.compile(rb"(?<![A-Za-z0-9])" + encoded + rb"(?![A-Za-z0-9])")

    def is_in(self, layer: Layer) -> bool:
        if self.is_distinctive:
            return any(self._occurs(form, width, layer.lowered) for width, form in enumerate(self._forms, start=1))
        return layer.is_text and self._pattern.search(layer.data) is not None

    def _occurs(self, form: bytes, width: int, data: bytes) -> bool:
        """Whether `data` hold `form`, whose characters have `width` bytes."""
        place = data.find(form)
        while place >= 0 and self.is_word:
            before, behind = data[max(0, place - width) : place], data[place + len(form) : place + len(form) + width]
            if not before[:1].isalnum() and not behind[:1].isalnum():
                return True
            place = data.find(form, place + 1)
        return place >= 0


@dataclass(frozen=True)
class Search:
    """What a search found: (path, text) of each trace, and how much was looked through."""

    traces: list[tuple[str, str]]
    files: int
    unpacked_bytes: int


def search(folders: Iterable[Path], sought: Sequence[Sought]) -> Search:
    """Look through all files below the folders, in the order of their names."""
    found, files, size = [], 0, 0
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            layers = list(_name_layers(path, folder))
            if path.is_file() and not path.is_symlink():
                layers += unpacked(path.read_bytes())
                files += 1
            size += sum(len(layer.data) for layer in layers)
            relative = path.relative_to(folder).as_posix()
            found += [(relative, one.text) for one in sought if any(one.is_in(layer) for layer in layers)]
    return Search(found, files, size)


def traces(folder: Path, planted: Sequence[str]) -> list[tuple[str, str]]:
    """(relative path, planted text) for each file below `folder` that gives a planted text away."""
    return search([folder], [Sought(text) for text in planted]).traces


def _name_layers(path: Path, folder: Path) -> Iterator[Layer]:
    """The name; Snakemake calls its records of an output by the base64 of its path."""
    yield Layer(path.relative_to(folder).as_posix().encode())
    try:
        yield Layer(base64.b64decode(path.name.removeprefix("@"), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return


def unpacked(data: bytes, depth: int = DEPTH) -> Iterator[Layer]:
    """The bytes themselves, and whatever they pack."""
    parts = next((parts for reader in _FORMATS if (parts := reader(data)) is not None), None)
    yield Layer(data, is_text=parts is None and not _looks_packed(data))
    if depth == 0:
        return
    for text in parts or _base64(data):
        if isinstance(text, Layer):
            yield text
        else:
            yield from unpacked(text, depth - 1)


def _looks_packed(data: bytes) -> bool:
    """Whether bytes of no known format are compressed ones rather than a text in some encoding."""
    high = len(data) - len(data.translate(None, _HIGH_BYTES))
    if len(data) < _SHORTEST_PICTURE_BYTES or high <= _PACKED_SHARE * len(data):
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


_Parts = list["bytes | Layer"]


def _gzip(data: bytes) -> _Parts | None:
    if data[:2] != b"\x1f\x8b":
        return None
    members = b""
    while data[:2] == b"\x1f\x8b":
        inflater = zlib.decompressobj(31)
        members += inflater.decompress(data)
        data = inflater.unused_data
    return [members]


def _zip(data: bytes) -> _Parts | None:
    if data[:4] != b"PK\3\4":
        return None
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts: _Parts = [archive.comment]
        for name in archive.namelist():
            parts += [
                name.encode(),
                _without_addresses(archive.read(name)) if _SHEET.match(name) else archive.read(name),
            ]
        return parts


def _without_addresses(sheet: bytes) -> bytes:
    """A sheet of a workbook without the addresses of its cells: P2 is a column and a row."""
    return _ADDRESS.sub(b"", sheet)


def _parquet(data: bytes) -> _Parts | None:
    if data[:4] != b"PAR1" or data[-4:] != b"PAR1":
        return None
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(io.BytesIO(data))
    return [repr(table.schema).encode(), repr(table.schema.metadata).encode(), repr(table.to_pydict()).encode()]


def _png(data: bytes) -> _Parts | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    parts: _Parts = []
    offset = 8
    while offset + 12 <= len(data):
        (length,), kind = struct.unpack_from(">I", data, offset), data[offset + 4 : offset + 8]
        body = data[offset + 8 : offset + 8 + length]
        if kind not in (b"IDAT", b"PLTE"):
            parts.append(Layer(body))
        if kind == b"zTXt":
            parts.append(zlib.decompress(body.partition(b"\0")[2][1:]))
        if kind == b"iTXt" and body.partition(b"\0")[2][:1] == b"\1":
            parts.append(zlib.decompress(body.partition(b"\0")[2][2:].split(b"\0", 2)[2]))
        offset += 12 + length
    return parts


def _nifti(data: bytes) -> _Parts | None:
    if len(data) < 352 or data[344:348] != b"n+1\0":
        return None
    (start,) = struct.unpack_from("<f", data, 108)
    start = int(start) if 352 <= start <= len(data) else 352
    return [Layer(data[:start]), Layer(data[start:], is_text=False)]


def _nrrd(data: bytes) -> _Parts | None:
    if data[:4] != b"NRRD":
        return None
    header, _, voxels = data.partition(b"\n\n")
    return [Layer(header), *(Layer(part, is_text=False) for part in [voxels, *(_gzip(voxels) or [])])]  # type: ignore[arg-type]


def _numpy(data: bytes) -> _Parts | None:
    if data[:6] != b"\x93NUMPY":
        return None
    header, _, values = data.partition(b"\n")
    is_text = re.search(rb"'descr': '(\|[uiSb]1?|[<>|][SU])", header) is not None
    return [Layer(header), Layer(values, is_text)]


_FORMATS: Final = (_gzip, _zip, _parquet, _png, _nifti, _nrrd, _numpy)


def _base64(data: bytes) -> _Parts:
    parts: _Parts = []
    for match in _BASE64.finditer(data):
        try:
            parts.append(base64.b64decode(match[1], validate=False))
        except binascii.Error:
            continue
    return parts
