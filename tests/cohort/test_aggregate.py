"""The tables of the cohort: every scan once, corrections applied, nothing lost."""

from dataclasses import replace

import pandas as pd
import pytest

from spongiosa.cohort.aggregate import ROW_TABLES, UnitTables, aggregate_cohort, with_left_out_levels
from spongiosa.cohort.schemas import TABLES, arrow_schema
from spongiosa.density import measure
from spongiosa.provenance import write_table
from spongiosa.regions import vertebrae

STAGES = ("index_series", "extract_density", "draw_review")


def stage_row(patient, status="ok", left_at=None, flags=(), outputs=()):
    reason = {"ok": None, "excluded": "no_dicom", "failed": "unexpected_error"}[status]
    return {
        "patient_id": patient,
        "session": "preop",
        "modality": "ct",
        "unit": "u0000001",
        "status": status,
        "reason": reason,
        "detail": None if reason is None else "A sentence.",
        "left_at": left_at,
        "flags": list(flags),
        "outputs": list(outputs),
    }


def measurement(patient, level, region="ellipse_mid", status="ok", reason=None, hu=100.0):
    scan = {"patient_id": patient, "session": "preop", "modality": "ct"}
    return scan | {
        "level": level,
        "region": region,
        "side": "none",
        "variant": "default",
        "status": status,
        "reason": reason,
        "hu_mean": hu,
    }


@pytest.fixture
def units(tmp_path):
    """P2 was seen first and so lies in the first unit; P3 has no DICOM; L4 of P1 is cut."""

    def written(unit, patients, rows):
        for stage in STAGES:
            table = pd.DataFrame(
                [
                    stage_row("P3", "excluded", "index_series")
                    if patient == "P3"
                    else stage_row(
                        patient, flags=["tilt"] if stage == "index_series" else [], outputs=picture(patient, stage)
                    )
                    for patient in patients
                ]
            ).astype(dict.fromkeys(["reason", "detail", "left_at"], "string"))
            write_table(tmp_path / unit / f"{stage}.parquet", table)
        extra = {
            "series": [{"patient_id": p, "session": "preop", "modality": "ct", "series_key": "k"} for p in patients],
            "vertebrae": [{"patient_id": p, "session": "preop", "modality": "ct", "level": "L1"} for p in patients],
            "calibration": [
                {"patient_id": p, "session": "preop", "modality": "ct", "method": "none"} for p in patients
            ],
            "measurements": rows,
        }
        for name, content in extra.items():
            write_table(tmp_path / unit / f"{name}.parquet", pd.DataFrame(content))

    def picture(patient, stage):
        return [f"sub-{patient}/sub-{patient}_desc-review.png"] if stage == "draw_review" else []

    written("u0000001", ["P2"], [measurement("P2", "L1"), measurement("P2", "L2")])
    written(
        "u0000002",
        ["P1", "P3"],
        [measurement("P1", "L1"), measurement("P1", "L4", status="excluded", reason="level_truncated", hu=None)],
    )
    return UnitTables([tmp_path / unit for unit in ("u0000001", "u0000002")], STAGES)


def test_a_cohort_without_any_measurement_has_tables_of_the_same_form(tmp_path):
    for name in ROW_TABLES:
        write_table(tmp_path / "unit" / f"{name}.parquet", pd.DataFrame())
    write_table(tmp_path / "unit" / "index_series.parquet", pd.DataFrame([stage_row("P3", "excluded", "index_series")]))
    cohort = aggregate_cohort(UnitTables([tmp_path / "unit"], ("index_series",)), [])
    for name in ("measurements", "vertebrae", "calibration", "scans", "exclusions"):
        write_table(tmp_path / f"{name}.parquet", getattr(cohort, name), arrow_schema(name))
        assert list(pd.read_parquet(tmp_path / f"{name}.parquet").columns) == list(TABLES[name])


def test_the_schema_knows_every_column_that_is_measured():
    assert set(measure.COLUMNS) <= TABLES["measurements"].keys()
    assert set(vertebrae.COLUMNS) <= TABLES["vertebrae"].keys()


def override(patient, action, **more):
    fields = {"level": "", "value": "", "reader": "AB", "reason": "cement"}
    return {"patient_id": patient, "session": "preop", "modality": "ct", "action": action} | fields | more


def test_every_scan_is_there_once_and_in_the_order_of_patients(units):
    cohort = aggregate_cohort(units, [])
    assert cohort.scans["patient_id"].tolist() == ["P1", "P2", "P3"]
    assert cohort.scans["status"].tolist() == ["ok", "ok", "excluded"]
    assert cohort.measurements["patient_id"].tolist() == ["P1", "P1", "P2", "P2"]


def test_a_tissue_that_is_not_in_view_is_a_row_and_no_exclusion(units):
    path = units.paths("measurements")[1]
    air = measurement("P1", None, "air", status="excluded", reason="tissues_not_found", hu=None)
    write_table(path, pd.DataFrame([*pd.read_parquet(path).to_dict("records"), air]))
    cohort = aggregate_cohort(units, [override("P1", "exclude_level", level="L1")])
    assert cohort.measurements.loc[cohort.measurements["level"].isna(), "region"].tolist() == ["air"]
    assert cohort.exclusions["reason"].tolist() == ["review_excluded", "level_truncated", "no_dicom"]


def test_a_scan_that_failed_in_a_side_branch_has_failed(units):
    """The picture is drawn from the masks, so its stage does not see that the measurement failed."""
    path = units.paths(STAGES[1])[0]
    table = pd.read_parquet(path).astype({"reason": "string", "left_at": "string", "detail": "string"})
    table.loc[0, ["status", "reason", "left_at"]] = ["failed", "unexpected_error", "extract_density"]
    write_table(path, table)
    scans = aggregate_cohort(units, []).scans.set_index("patient_id")
    assert scans.loc["P2", ["status", "stage"]].tolist() == ["failed", "extract_density"]
    assert scans.loc["P1", "status"] == "ok"


def test_flags_and_pictures_come_from_all_stages(units):
    scans = aggregate_cohort(units, []).scans.set_index("patient_id")
    assert scans.loc["P1", "flags"] == ["tilt"]
    assert scans.loc["P1", "review_picture"] == "sub-P1/sub-P1_desc-review.png"
    assert pd.isna(scans.loc["P3", "review_picture"])


def test_exclusions_name_scans_and_levels_with_reason_and_sentence(units):
    exclusions = aggregate_cohort(units, []).exclusions
    assert exclusions[["patient_id", "level", "reason"]].astype(object).where(
        exclusions.notna(), None
    ).values.tolist() == [
        ["P1", "L4", "level_truncated"],
        ["P3", None, "no_dicom"],
    ]
    assert exclusions["detail"].str.len().min() > 5


def test_a_reader_excludes_a_scan(units):
    cohort = aggregate_cohort(units, [override("P2", "exclude_scan")])
    scan = cohort.scans.set_index("patient_id").loc["P2"]
    assert (scan["status"], scan["stage"], scan["reason"]) == ("excluded", "review", "review_excluded")
    assert "cement" in scan["detail"]
    assert len(cohort.measurements) == 4, "the values stay"


def test_a_reader_excludes_a_level_and_its_value_stays(units):
    cohort = aggregate_cohort(units, [override("P2", "exclude_level", level="L2")])
    row = cohort.measurements[(cohort.measurements["patient_id"] == "P2") & (cohort.measurements["level"] == "L2")]
    assert row["status"].item() == "excluded"
    assert row["hu_mean"].item() == 100.0
    assert "review" in cohort.exclusions["stage"].tolist()


def test_an_accepted_scan_is_noted(units):
    scans = aggregate_cohort(units, [override("P1", "accept")]).scans.set_index("patient_id")
    assert scans.loc["P1", "review"] == "accepted"
    assert scans.loc["P1", "status"] == "ok"


def test_the_order_of_units_does_not_matter(units):
    turned = replace(units, folders=units.folders[::-1])
    one, other = aggregate_cohort(units, []), aggregate_cohort(turned, [])
    for name in ("scans", "exclusions", *ROW_TABLES):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def test_a_level_left_out_is_listed_and_keeps_its_values(units):
    cohort = aggregate_cohort(units, [])
    left_out = pd.DataFrame({"patient_id": ["P1", "P2"], "level": ["T12", "L2"], "why": ["treated levels"] * 2})
    listed = with_left_out_levels(cohort, left_out, "preop").exclusions
    rows = listed[listed["reason"] == "level_left_out"]
    assert rows[["patient_id", "level", "stage"]].values.tolist() == [["P2", "L2", "aggregate_cohort"]]
    assert "treated levels" in rows["detail"].item()
    assert list(listed.columns) == list(cohort.exclusions.columns)
    assert len(listed) == len(cohort.exclusions) + 1
