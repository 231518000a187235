"""What a run cost, from the benchmark files and the tables of its units."""

import pandas as pd
import pytest

from spongiosa.cohort.cost import COLUMNS, cost_table, readable
from spongiosa.provenance import write_table

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def write_benchmark(path, *tries):
    """A benchmark file with one row per try: wall seconds and CPU seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{wall}\t0:00:04\t250.0\t1\t1\t1\t0.0\t512.0\t50\t{cpu}\n" for wall, cpu in tries]
    path.write_text(HEADER + "".join(rows), encoding="utf-8")


@pytest.fixture
def finished(tmp_path):
    """Two units of one and two scans; 100 slices of 500 x 500 were chosen of the first, nothing of the others."""
    for unit, patients in (("u0000001", ["P1"]), ("u0000002", ["P2", "P3"])):
        stage = pd.DataFrame({"patient_id": patients, "peak_memory_mb": 300.0 + 10 * len(patients)})
        chosen = {"is_chosen": unit == "u0000001", "rows": 500.0, "columns": 500.0, "slices": 100}
        for name in ("index_series", "convert_scan"):
            write_table(tmp_path / "units" / unit / f"{name}.parquet", stage)
        write_table(tmp_path / "units" / unit / "series.parquet", pd.DataFrame([chosen]))
    write_benchmark(tmp_path / "benchmarks" / "convert_scan" / "u0000001.tsv", (9.0, 9.0), (4.0, 2.0))
    write_benchmark(tmp_path / "benchmarks" / "convert_scan" / "u0000002.tsv", (6.0, 3.0))
    write_benchmark(tmp_path / "benchmarks" / "aggregate_cohort.tsv", (8.0, 7.0))
    return tmp_path


def test_time_and_bytes_are_summed_over_the_last_try_of_every_job(finished):
    of_rule = cost_table(finished).loc["convert_scan"]
    assert of_rule[["jobs", "wall_s", "cpu_s", "gb_written"]].tolist() == [2, 10.0, 5.0, 1.0]


def test_time_is_given_per_scan_and_per_gigabyte_of_voxels(finished):
    """25 million voxels of 2 bytes are 0.05 GB."""
    of_rule = cost_table(finished).loc["convert_scan"]
    assert of_rule["cpu_s_per_scan"] == pytest.approx(5.0 / 3)
    assert of_rule["cpu_s_per_gb"] == pytest.approx(100.0)


def test_memory_is_what_the_stages_measured_and_else_what_snakemake_sampled(finished):
    memory = cost_table(finished)["peak_memory_mb"]
    assert memory.to_dict() == {"aggregate_cohort": 250.0, "convert_scan": 320.0}


def test_the_dearest_rule_comes_first(finished):
    table = cost_table(finished)
    assert table.index.tolist() == ["aggregate_cohort", "convert_scan"]
    assert "convert_scan" in readable(table)


def test_before_the_first_job_is_done_the_table_is_empty(tmp_path):
    assert cost_table(tmp_path).columns.tolist() == COLUMNS
    assert cost_table(tmp_path).empty
