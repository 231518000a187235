"""Files are whole or absent, and equal tables give equal bytes."""

import subprocess
import sys

import pandas as pd
import pytest

from spongiosa.outcome import MEANING, Reason
from spongiosa.provenance import (
    changed_versions,
    digest,
    file_digest,
    package_versions,
    read_tables,
    write_csv,
    write_table,
    written_whole,
)


def test_the_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": [2, 3], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_whole(path) as part:
        part.write_text("half of the new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_removed_by_the_next_one(tmp_path):
    path, other = tmp_path / "table.txt", tmp_path / "other.txt"
    killed = "import os\nwith written_whole(path) as part:\n    part.write_text('half')\n    os.kill(os.getpid(), 9)\n"
    start = "import sys\nfrom pathlib import Path\nfrom spongiosa.provenance import written_whole\n"
    for target in (path, other):
        subprocess.run([sys.executable, "-c", f"{start}path = Path(sys.argv[1])\n{killed}", str(target)], check=False)
    assert len(list(tmp_path.glob(".writing-*"))) == 2
    with written_whole(path) as part, written_whole(path) as second:
        part.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first", "two writers at once do not take each other's files"
    assert [folder.name.split("-")[1] for folder in tmp_path.glob(".writing-*")] == ["other.txt"]


def test_equal_tables_give_equal_bytes(tmp_path):
    table = pd.DataFrame({"level": ["L1", "L2"], "hu_mean": [101.5, None], "flags": [["a"], []]})
    for name in ("one", "two"):
        write_table(tmp_path / f"{name}.parquet", table)
    assert file_digest(tmp_path / "one.parquet") == file_digest(tmp_path / "two.parquet")


def test_a_column_that_one_table_lacks_is_null_there(tmp_path):
    write_table(tmp_path / "a.parquet", pd.DataFrame({"x": [1]}))
    write_table(tmp_path / "b.parquet", pd.DataFrame({"x": [2], "y": ["text"]}))
    table = read_tables([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    assert table["x"].tolist() == [1, 2]
    assert table["y"].isna().tolist() == [True, False]


def test_changed_versions_are_named():
    current = package_versions()
    assert changed_versions(current, current) == []
    assert changed_versions(current | {"numpy": "1.0"}, current) == [f"numpy: 1.0 -> {current['numpy']}"]


def test_every_reason_has_a_sentence():
    assert set(MEANING) == set(Reason)
    assert all(sentence.endswith((".", "?")) for sentence in MEANING.values())


def test_a_csv_has_the_text_that_its_nullable_columns_have(tmp_path):
    table = pd.DataFrame(
        {
            "patient_id": pd.array(["P1", 'a "quoted", name', None], dtype="string"),
            "hu": pd.array([1.0, 0.1 + 0.2, None], dtype="Float64"),
            "levels": pd.array([4, None, 0], dtype="Int64"),
            "is_female": pd.array([True, None, False], dtype="boolean"),
            "age": [61.5, float("nan"), 1e-7],
        }
    )
    write_csv(tmp_path / "table.csv", table)
    assert (tmp_path / "table.csv").read_text(encoding="utf-8") == table.to_csv(index=False, lineterminator="\n")
