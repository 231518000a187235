"""The search finds a planted text wherever it hides: a search that finds nothing would prove nothing."""

from __future__ import annotations

import base64
import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spongiosa.cohort.traces import Sought, search, traces
from spongiosa.nifti import write_compressed_nifti
from spongiosa.volume import Geometry, Volume

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


def numpy_file(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def found(folder: Path, text: str) -> list[str]:
    return [path for path, _ in search([folder], [Sought(text)]).traces]


@pytest.mark.parametrize(
    "data",
    [
        b"1/3: patient P2, preop CT: ok",
        b'{"patient_id": "P2"}',
        b"u0000001\tP2\n",
        b"\x80\x05\x8c\x02P2\x94.",
        b"sub-P2_x",
    ],
    ids=["log", "JSON", "table", "pickle", "file name in a text"],
)
def test_a_short_id_is_found_as_a_word(data: bytes, tmp_path: Path):
    (tmp_path / "a").write_bytes(data)
    assert found(tmp_path, "P2") == ["a"]
    (tmp_path / "a").write_bytes(data.replace(b"P2", b"P21"))
    assert found(tmp_path, "P2") == []


@pytest.mark.parametrize("form", ["utf-8", "utf-16-le"])
def test_a_longer_id_is_not_that_of_another_patient_which_begins_like_it(form: str, tmp_path: Path):
    (tmp_path / "a").write_bytes("xPATIENT1 PATIENT12 scans/patient1b".encode(form))
    assert search([tmp_path], [Sought("PATIENT1", is_word=True)]).traces == []
    assert found(tmp_path, "PATIENT1") == ["a"], "as a part it is there"
    (tmp_path / "a").write_bytes("PATIENT12 sub-PATIENT1_ses-preop".encode(form))
    assert search([tmp_path], [Sought("PATIENT1", is_word=True)]).traces == [("a", "PATIENT1")]


def test_a_short_id_is_found_in_a_table_and_in_the_header_of_an_array(tmp_path: Path):
    (tmp_path / "table.parquet").write_bytes(parquet(["P1", "P2"]))
    (tmp_path / "array.npz").write_bytes(zipped(numpy_file(np.frombuffer(b'{"scan": "P2"}', np.uint8)), "header.npy"))
    assert found(tmp_path, "P2") == ["array.npz", "table.parquet"]
    assert found(tmp_path, "P3") == []


@pytest.mark.parametrize("text", ["P2", "12", "L1"])
def test_numbers_and_packed_bytes_that_look_like_a_short_id_are_none(text: str, tmp_path: Path):
    """The voxels spell ` P2 ` again and again: an image holds numbers, and no reader of it sees a name."""
    values = np.frombuffer((f" {text} ".encode() + bytes(8))[:8] * 600, np.int16).reshape(10, 12, -1).copy()
    write_compressed_nifti(
        Volume(values, Geometry(values.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))), tmp_path / "s.nii.gz"
    )
    (tmp_path / "weights.npy").write_bytes(numpy_file(values))
    assert found(tmp_path, text) == []


def test_an_id_of_digits_is_not_every_number(tmp_path: Path):
    (tmp_path / "results.json").write_text('{"level": 12, "hu": 12.5, "seconds": [12, 3]}')
    assert found(tmp_path, "12") == []
    (tmp_path / "units.tsv").write_text("unit\tpatient_id\nu0000001\t12\n")
    (tmp_path / "patients.csv").write_text("patient_id,hu\n12,110\n")
    (tmp_path / "x.log").write_text("patient 12, preop CT: ok in 3 s")
    assert found(tmp_path, "12") == ["patients.csv", "units.tsv", "x.log"]


def test_addresses_of_a_workbook_are_no_ids_and_its_cells_are(tmp_path: Path):
    """Sixteen columns: the last cell of the first row of values is P2."""
    pd.DataFrame({f"column {number}": [1.5] for number in range(16)}).to_excel(tmp_path / "a.xlsx", index=False)
    assert found(tmp_path, "P2") == []
    pd.DataFrame({"patient": ["P2"]}).to_excel(tmp_path / "a.xlsx", index=False)
    assert found(tmp_path, "P2") == ["a.xlsx"]


def test_a_short_id_is_not_looked_for_in_a_compressed_picture(tmp_path: Path):
    noise = np.random.default_rng(1).integers(0, 256, 200_000).astype(np.uint8).tobytes()
    (tmp_path / "thumbnail.jpg").write_bytes(noise + b" P2 " + noise)
    assert found(tmp_path, "P2") == []
    (tmp_path / "note").write_text("Größe der Wirbel von P2 geprüft", encoding="utf-8")
    assert found(tmp_path, "P2") == ["note"]


def test_a_record_of_snakemake_tells_by_the_base64_of_its_name(tmp_path: Path):
    (tmp_path / base64.b64encode(b"results/sub-P2/table.parquet").decode()).write_text("{}")
    assert len(found(tmp_path, "P2")) == 1
