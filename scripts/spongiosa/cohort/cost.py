"""What a run cost: time and memory of each rule, per scan and per gigabyte of voxels."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from spongiosa.provenance import read_tables

#: Snakemake's own columns that the cost is made of: wall seconds, CPU seconds and MB written.
_BENCHMARK_COLUMNS = {"s": "wall_s", "cpu_time": "cpu_s", "io_out": "mb_written"}

#: A voxel of a CT as it is stored. [bytes]
_BYTES_PER_VOXEL = 2

COLUMNS = ["jobs", "wall_s", "cpu_s", "cpu_s_per_scan", "cpu_s_per_gb", "peak_memory_mb", "gb_written"]


def cost_table(output_dir: Path) -> pd.DataFrame:
    """One row per rule, the dearest first, of all jobs that are finished.

    Columns: jobs; wall_s and cpu_s, summed over jobs, of the benchmark files of Snakemake, imports included;
    cpu_s_per_scan over all scans; cpu_s_per_gb over the voxels of all chosen series at 2 bytes (null before the series
    are known); peak_memory_mb, the largest of any process: measured by the stages themselves, and for the rules of the
    cohort by Snakemake, which samples; gb_written by all jobs.
    """
    files = sorted((output_dir / "benchmarks").rglob("*.tsv"))
    if not files:
        return pd.DataFrame(columns=COLUMNS)
    rows = []
    for path in files:
        rule = path.relative_to(output_dir / "benchmarks").parts[0].removesuffix(".tsv")
        job = pd.read_csv(path, sep="\t", na_values=["NA", "-"]).tail(1)  # the last try is the one that counts
        rows.append(job.rename(columns=_BENCHMARK_COLUMNS).assign(rule=rule))
    jobs = pd.concat(rows).groupby("rule")
    table = jobs[["wall_s", "cpu_s"]].sum().assign(jobs=jobs.size(), gb_written=jobs["mb_written"].sum() / 1024)
    scans, gigabytes = _size_of_cohort(output_dir)
    table["cpu_s_per_scan"] = table["cpu_s"] / scans if scans else float("nan")
    table["cpu_s_per_gb"] = table["cpu_s"] / gigabytes if gigabytes else float("nan")
    measured = {rule: _peak_memory_mb(output_dir, str(rule)) for rule in table.index}
    table["peak_memory_mb"] = pd.Series(measured, dtype=float).fillna(jobs["max_rss"].max())
    return table.sort_values("cpu_s", ascending=False)[COLUMNS]


def readable(table: pd.DataFrame) -> str:
    """The table for a terminal."""
    return table.to_string(float_format="{:.1f}".format)


def _size_of_cohort(output_dir: Path) -> tuple[int, float]:
    """Scans that were indexed so far, and GB of voxels of their chosen series."""
    indexed = sorted((output_dir / "units").glob("*/index_series.parquet"))
    scans = sum(len(read_tables([path])) for path in indexed)
    voxels = 0.0
    for path in indexed:
        series = read_tables([path.with_name("series.parquet")])
        if {"is_chosen", "rows", "columns", "slices"} <= set(series.columns):
            chosen = series[series["is_chosen"].astype(bool)]
            voxels += float((chosen["rows"] * chosen["columns"] * chosen["slices"]).sum())
    return scans, voxels * _BYTES_PER_VOXEL / 1e9


def _peak_memory_mb(output_dir: Path, rule: str) -> float:
    tables = sorted((output_dir / "units").glob(f"*/{rule}.parquet"))
    if not tables:
        return float("nan")
    rows = read_tables(tables)
    return float(rows["peak_memory_mb"].max()) if "peak_memory_mb" in rows else float("nan")
