"""What jobs ask for follows from the size of their scans."""

import pandas as pd
import pytest

from spongiosa.cohort.handover import COLUMNS_OF_STAGE
from spongiosa.cohort.job_requests import (
    LEAST_MB,
    MEMORY_MODEL,
    SECONDS_PER_SCAN,
    largest_scan_megavoxels,
    memory_mb,
    minutes,
)
from spongiosa.provenance import write_table

#: Peaks that were measured, docs/cluster.md: stage, million voxels, labels given, MB.
MEASURED = [
    ("index_series", 65.5, False, 257),
    ("convert_scan", 8.5, False, 316),
    ("convert_scan", 65.5, False, 1517),
    ("localise_vertebrae", 65.5, False, 705),
    ("localise_vertebrae", 65.5, True, 3073),
    ("mask_regions", 65.5, False, 589),
    ("extract_density", 65.5, False, 496),
    ("draw_review", 65.5, False, 513),
]


#: The same for TotalSegmentator: what a narrow network took on a scan of this size, and what the full width adds.
BY_NETWORKS = [(0.1, 2500 + 1765), (8.4, 3308 + 1765), (65.5, 7951 + 1765)]


@pytest.mark.parametrize(("stage", "megavoxels", "has_labels", "measured_mb"), MEASURED)
def test_a_request_holds_what_was_measured_with_snakemake_and_a_margin(stage, megavoxels, has_labels, measured_mb):
    """500 MB for Snakemake's own processes, 30 % for scans unlike the measured ones."""
    asked = memory_mb(stage, megavoxels, has_labels, attempt=1)
    assert asked >= max(LEAST_MB, 500 + 1.3 * measured_mb)
    assert asked <= max(LEAST_MB, 1000 + 2 * measured_mb), "nor much more, as memory is what keeps jobs waiting"


@pytest.mark.parametrize(("megavoxels", "measured_mb"), BY_NETWORKS)
def test_the_networks_of_totalsegmentator_are_asked_for_with_a_margin_and_by_them_alone(megavoxels, measured_mb):
    asked = memory_mb("localise_vertebrae", megavoxels, False, 1, method="totalsegmentator")
    assert 500 + 1.3 * measured_mb <= asked <= 1000 + 2 * measured_mb
    for stage in COLUMNS_OF_STAGE.keys() - {"localise_vertebrae"}:
        others = [memory_mb(stage, megavoxels, False, 1, method=name) for name in ("embedded", "totalsegmentator")]
        assert others[0] == others[1], stage


def test_a_unit_with_and_without_labels_is_given_what_the_hungrier_way_takes():
    """At 200 million voxels an import takes more than the embedded localiser, and less than the networks."""
    imported = memory_mb("localise_vertebrae", 200.0, True, 1, method="labels")
    assert memory_mb("localise_vertebrae", 200.0, False, 1) < imported
    assert memory_mb("localise_vertebrae", 200.0, True, 1, method="embedded") == imported
    networks = memory_mb("localise_vertebrae", 200.0, False, 1, method="totalsegmentator")
    assert memory_mb("localise_vertebrae", 200.0, True, 1, method="totalsegmentator") == networks > imported


def test_every_stage_has_a_model():
    assert MEMORY_MODEL.keys() == SECONDS_PER_SCAN.keys() == COLUMNS_OF_STAGE.keys()


def test_a_larger_scan_asks_for_more_and_a_small_one_not_for_less_than_snakemake_needs():
    small, large, whole_spine = (memory_mb("convert_scan", size, False, 1) for size in (2.0, 80.0, 400.0))
    assert small == LEAST_MB < large < whole_spine
    assert memory_mb("convert_scan", None, False, 1) == pytest.approx(large, abs=200)


def test_the_next_try_is_given_three_times_the_memory_and_twice_the_time():
    first, second = (memory_mb("mask_regions", 65.5, False, attempt) for attempt in (1, 2))
    assert second == pytest.approx(3 * first, abs=300), "rounded up to 100 MB"
    assert minutes("mask_regions", 100, 65.5, 2) == 2 * minutes("mask_regions", 100, 65.5, 1)


def test_time_grows_with_scans_and_their_size_and_is_never_short():
    assert minutes("index_series", 1, 65.5, 1) == 20
    assert minutes("localise_vertebrae", 100, 65.5, 1) == 200
    assert minutes("localise_vertebrae", 100, 131.0, 1) == 400


def test_the_largest_chosen_series_counts(tmp_path):
    series = pd.DataFrame(
        {
            "is_chosen": [True, True, False, True],
            "rows": [512.0, 512.0, 512.0, None],
            "columns": [512.0, 512.0, 512.0, None],
            "slices": [100, 200, 900, 1],
        }
    )
    write_table(tmp_path / "series.parquet", series)
    assert largest_scan_megavoxels(tmp_path / "series.parquet") == pytest.approx(52.4, abs=0.1)


def test_series_that_are_not_indexed_or_have_no_size_say_nothing(tmp_path):
    assert largest_scan_megavoxels(tmp_path / "series.parquet") is None
    write_table(tmp_path / "empty.parquet", pd.DataFrame({"patient_id": ["P1"]}))
    assert largest_scan_megavoxels(tmp_path / "empty.parquet") is None
    lost = pd.DataFrame({"is_chosen": [False], "rows": [None], "columns": [None], "slices": [1]})
    write_table(tmp_path / "lost.parquet", lost)
    assert largest_scan_megavoxels(tmp_path / "lost.parquet") is None
