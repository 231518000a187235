"""Measurements gathered in batches say the same as the whole table at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spongiosa.report import measured
from spongiosa.report.measured import Measured, batches_of, gather

ELLIPSES = ["ellipse_superior", "ellipse_mid", "ellipse_inferior"]


def in_batches(table: pd.DataFrame, rows: int) -> Measured:
    return gather((table.iloc[start : start + rows] for start in range(0, len(table), rows)), "preop")


def test_batches_that_cut_through_scans_and_levels_change_nothing(demo_cohort) -> None:
    table = demo_cohort.tables.measurements.head(100)
    whole = in_batches(table, len(table))
    for rows in (1, 7, 50):
        parts = in_batches(table, rows)
        # 1e-12: sums of three values in another order.
        pd.testing.assert_frame_equal(parts.level_means, whole.level_means, rtol=1e-12)
        pd.testing.assert_frame_equal(parts.scans, whole.scans)
        assert (parts.vertebrae, parts.localisers, parts.calibrations) == (
            whole.vertebrae,
            whole.localisers,
            whole.calibrations,
        )


def test_the_means_are_those_of_the_rows(demo_cohort) -> None:
    table = demo_cohort.tables.measurements
    found = gather([table], "preop").level_means.set_index(["patient_id", "level"])
    rows = table[(table["patient_id"] == "P007") & (table["level"] == "L2")]
    by_hand = rows.loc[rows["region"].isin(ELLIPSES), "hu_mean"].mean()
    assert found.loc[("P007", "L2"), "axial_hu"] == pytest.approx(by_hand)
    volume = rows.loc[rows["region"] == "body_trabecular", "hu_mean"].iloc[0]
    assert found.loc[("P007", "L2"), "volume_hu"] == pytest.approx(volume)
    assert np.isnan(found.loc[("P007", "L2"), "vbmd_mg_cm3"])


def test_one_slice_is_no_mean_of_a_level(demo_cohort) -> None:
    table = demo_cohort.tables.measurements.copy()
    lost = (table["patient_id"] == "P007") & (table["level"] == "L2") & table["region"].isin(ELLIPSES[:2])
    table.loc[lost, "status"] = "excluded"
    found = gather([table], "preop").level_means.set_index(["patient_id", "level"])
    assert np.isnan(found.loc[("P007", "L2"), "axial_hu"])
    assert not np.isnan(found.loc[("P007", "L3"), "axial_hu"])


def test_vertebrae_are_counted_once_over_regions_and_batches(demo_cohort) -> None:
    table = demo_cohort.tables.measurements
    valid = table[table["status"] == "ok"]
    expected = len(valid.drop_duplicates(["patient_id", "session", "modality", "level"]))
    assert in_batches(table, 50).vertebrae == expected


def test_a_file_is_read_batch_by_batch(demo_cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "measurements.parquet"
    table = demo_cohort.tables.measurements
    table.to_parquet(path, index=False)
    monkeypatch.setattr(measured, "BATCH_ROWS", 40)
    batches = list(batches_of(path))
    assert max(len(batch) for batch in batches) <= 40 and sum(len(batch) for batch in batches) == len(table)
    pd.testing.assert_frame_equal(
        gather(batches, "preop").level_means, gather([table], "preop").level_means, rtol=1e-12, check_dtype=False
    )


def test_nothing_measured_is_nothing_and_no_error() -> None:
    found = gather(batches_of(pd.DataFrame()), "preop")
    assert found.level_means.empty and found.scans.empty and found.vertebrae == 0 and found.localisers == ()
