"""The search finds a planted text wherever it hides: a search that finds nothing would prove nothing."""

from __future__ import annotations

import base64
import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

import pandas as pd
import pytest

from .canary_search import traces

NAME = "CanaryFamily"


def png(kind: bytes, body: bytes) -> bytes:
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


def parquet(values: list[str]) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame({"column": values}).to_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def zipped(data: bytes, name: str = "a") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


HIDDEN = {
    "plain": b"x canaryfamily x",
    "utf-16": "CANARYFAMILY".encode("utf-16-le"),
    "gzip": gzip.compress(b"CANARYFAMILY"),
    "zip": zipped(b"CANARYFAMILY"),
    "name in a zip": zipped(b"", "CANARYFAMILY"),
    "parquet": parquet(["a", "CANARYFAMILY^GIVEN"] * 50),
    "PNG text": png(b"tEXt", b"Author\0CANARYFAMILY"),
    "PNG packed text": png(b"zTXt", b"Author\0\0" + zlib.compress(b"CANARYFAMILY")),
    "PNG international text": png(b"iTXt", b"Author\0\1\0en\0Autor\0" + zlib.compress(b"CANARYFAMILY")),
    "picture in HTML": b"<img src='data:image/png;base64,"
    + base64.b64encode(png(b"zTXt", b"Author\0\0" + zlib.compress(b"CANARYFAMILY")))
    + b"'>",
    "gzip in a zip": zipped(gzip.compress(b"CANARYFAMILY")),
}


@pytest.mark.parametrize("place", HIDDEN)
def test_a_planted_text_is_found(place: str, tmp_path: Path):
    (tmp_path / "output").write_bytes(HIDDEN[place])
    assert traces(tmp_path, [NAME, "ABSENT"]) == [("output", NAME)]


def test_a_planted_file_name_is_found(tmp_path: Path):
    (tmp_path / "sub-canaryfamily").mkdir()
    assert traces(tmp_path, [NAME]) == [("sub-canaryfamily", NAME)]


def test_clean_outputs_have_no_trace(tmp_path: Path):
    (tmp_path / "table.parquet").write_bytes(parquet(["a", "b"]))
    (tmp_path / "scan.nii.gz").write_bytes(gzip.compress(bytes(1000)))
    assert traces(tmp_path, [NAME]) == []
