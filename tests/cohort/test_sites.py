"""Tables of several sites become one: columns of all, order of each, ids that stand for one patient."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from spongiosa.cohort import sites as sites_module
from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.sites import (
    REQUIRED_TABLES,
    check_sites,
    differences,
    merge_tables,
    merged_hash,
    overview,
    read_sites,
    tables_of,
)
from spongiosa.provenance import write_table

RUN = {
    "versions": {"spongiosa": "0.1.0", "numpy": "2.0"},
    "code": {"mask_regions": "a" * 16},
    "config_hash": "b" * 16,
    "configuration": {"series": {}, "regions": {"ellipse": {"margin_mm": 4.0}}},
}


def write_site(folder, patients, run=RUN, **columns):
    """A finished run of one scan per patient; every table has the same rows and the given columns."""
    scans = pd.DataFrame({"patient_id": patients, "session": "preop", "modality": "ct"}).astype("string")
    for name in REQUIRED_TABLES:
        picture = {"review_picture": "sub/picture.png"} if name == "scans" else {}
        write_table(folder / "cohort" / f"{name}.parquet", scans.assign(**columns, **picture))
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return str(folder)


@pytest.fixture
def two(tmp_path):
    """P1 to P3 at A, P4 and P5 at B, which measured whole numbers, lacks a column and has one of its own."""
    a = write_site(tmp_path / "from_a", ["P1", "P2", "P3"], hu=[1.5, None, 2.5], kernel=None, grade=1)
    b = write_site(tmp_path / "from_b", ["P4", "P5"], hu=[3, 4], kernel="Br36", contrast="none")
    return read_sites({"B": b, "A": a})


def merged(two, tmp_path, ids="refuse"):
    outputs = {name: tmp_path / "merged" / f"{name}.parquet" for name in tables_of(two)}
    rows = merge_tables(two, outputs, ids)
    return {name: pd.read_parquet(path) for name, path in outputs.items()}, rows


def test_rows_of_all_sites_follow_each_other_with_the_columns_of_all(two, tmp_path):
    tables, rows = merged(two, tmp_path)
    table = tables["measurements"]
    assert table.columns.tolist()[:3] == ["patient_id", "site", "session"]
    assert table["patient_id"].tolist() == ["P1", "P2", "P3", "P4", "P5"]
    assert table["site"].tolist() == ["A", "A", "A", "B", "B"]
    assert table["hu"].tolist()[2:] == [2.5, 3.0, 4.0]
    assert table["kernel"].isna().tolist() == [True, True, True, False, False]
    assert table["contrast"].isna().tolist() == [True, True, True, False, False]
    assert table["grade"].isna().tolist() == [False, False, False, True, True]
    assert set(rows.values()) == {5}


def test_pictures_stay_with_their_site(two, tmp_path):
    assert merged(two, tmp_path)[0]["scans"]["review_picture"].isna().all()


def test_small_batches_give_the_same_rows(two, tmp_path, monkeypatch):
    whole = merged(two, tmp_path / "whole")[0]["patients"]
    monkeypatch.setattr(sites_module, "_ROWS_PER_BATCH", 2)
    parts, _ = merged(two, tmp_path / "parts")
    pd.testing.assert_frame_equal(parts["patients"], whole)
    assert pq.ParquetFile(tmp_path / "parts" / "merged" / "patients.parquet").num_row_groups == 3


def test_the_prefix_keeps_patients_of_two_sites_apart(tmp_path):
    folders = {name: write_site(tmp_path / name, ["P1", "P2"]) for name in ("A", "B")}
    both = read_sites(folders)
    with pytest.raises(InputFaults, match=r"the patients P1, P2; set cohort\.site_ids: prefix"):
        check_sites(both, "refuse", allow_differences=False)
    assert check_sites(both, "prefix", allow_differences=False) == []
    assert merged(both, tmp_path, "prefix")[0]["scans"]["patient_id"].tolist() == ["AP1", "AP2", "BP1", "BP2"]


def test_a_prefix_that_makes_two_patients_one_is_refused(tmp_path):
    both = read_sites({"A": write_site(tmp_path / "A", ["1P1"]), "A1": write_site(tmp_path / "A1", ["P1"])})
    with pytest.raises(InputFaults, match="A1P1"):
        check_sites(both, "prefix", allow_differences=False)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (RUN | {"versions": RUN["versions"] | {"numpy": "2.1"}}, "in the version of numpy: 2.1 and 2.0."),
        (RUN | {"code": {"mask_regions": "c" * 16}}, "in the code of mask_regions."),
        (
            RUN
            | {"config_hash": "d" * 16, "configuration": {"series": {}, "regions": {"ellipse": {"margin_mm": 6.0}}}},
            "in measuring settings: regions.ellipse.margin_mm.",
        ),
    ],
)
def test_every_difference_in_how_sites_measured_is_a_sentence(tmp_path, other, sentence):
    both = read_sites({"A": write_site(tmp_path / "A", ["P1"]), "B": write_site(tmp_path / "B", ["P2"], other)})
    assert differences(both) == [f"B differs from A {sentence}"]
    with pytest.raises(InputFaults, match="B differs from A"):
        check_sites(both, "refuse", allow_differences=False)
    assert len(check_sites(both, "refuse", allow_differences=True)) == 1


def test_sites_with_one_configuration_keep_its_hash(two, tmp_path):
    assert merged_hash(two) == RUN["config_hash"]
    other = RUN | {"config_hash": "d" * 16}
    mixed = [two[0], *read_sites({"C": write_site(tmp_path / "C", ["P9"], other)})]
    assert merged_hash(mixed) not in {RUN["config_hash"], other["config_hash"]}
    assert merged_hash(mixed) == merged_hash(mixed[::-1])


def test_the_overview_counts_patients_and_scans_by_outcome_per_site(two):
    """A site of which nobody was merged is listed all the same, without counts."""
    scans = pd.DataFrame(
        {
            "site": ["A", "A", "A"],
            "patient_id": ["P1", "P1", "P2"],
            "status": ["ok", "excluded", "ok"],
        }
    )
    rows = overview(two, scans).set_index("site")
    assert rows.loc["A", ["version", "config_hash"]].tolist() == ["0.1.0", "b" * 16]
    assert rows.loc["A", ["patients", "scans", "ok", "excluded", "failed"]].tolist() == [2, 3, 2, 1, 0]
    assert rows.loc["B", ["patients", "scans", "ok"]].isna().all()


def test_a_table_that_only_one_site_has_is_left_out(two):
    path = two[0].table("screws")
    write_table(path, pd.DataFrame({"patient_id": ["P1"]}))
    assert "screws" not in tables_of(two)
    write_table(two[1].table("screws"), pd.DataFrame({"patient_id": ["P4"]}))
    assert "screws" in tables_of(two)


def test_folders_and_names_that_cannot_be_used_are_all_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputFaults) as faults:
        read_sites({"north-east": write_site(tmp_path / "A", ["P1"]), "B": str(tmp_path / "empty")})
    assert "letters and digits only" in str(faults.value)
    assert "it lacks run.json, cohort/scans.parquet" in str(faults.value)
