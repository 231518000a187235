"""What a job asks of a cluster: memory and time from the size of its largest scan.

The models are straight lines through measured peaks (docs/cluster.md has the points).  Before the series of a unit are
indexed its sizes are unknown; scans of 512 x 512 x 300 voxels are then assumed.
"""

from __future__ import annotations

import math
from pathlib import Path

#: Stage -> memory of its process [MB] without a scan, and per million voxels of its largest scan.
MEMORY_MODEL = {
    "index_series": (260.0, 0.0),
    "convert_scan": (260.0, 20.0),
    "localise_vertebrae": (450.0, 4.0),
    "mask_regions": (280.0, 5.0),
    "extract_density": (260.0, 4.0),
    "draw_review": (330.0, 3.0),
}

#: The same for a localisation by another method than the embedded one.  TotalSegmentator takes a patch in its networks,
#: whatever the scan, and the maps of all classes; benchmarks/totalsegmentator_memory.py, on a CPU, without its weights.
OF_METHOD = {"labels": (280.0, 43.0), "totalsegmentator": (4600.0, 78.0)}

#: Snakemake's own processes in a job. [MB]
SNAKEMAKE_MB = 500.0

#: The models were fitted to few scans of one machine.
MARGIN = 1.4

#: A job with less would not start Snakemake twice. [MB]
LEAST_MB = 1000

#: A job that was killed for its memory is given this much more at its next tries.
AT_NEXT_TRY = 3

#: 512 x 512 x 300 voxels.
ASSUMED_MEGAVOXELS = 78.6

#: Seconds of a scan of 65.5 million voxels on a core of a busy machine; larger scans take longer in proportion.
SECONDS_PER_SCAN = {
    "index_series": 10,
    "convert_scan": 20,
    "localise_vertebrae": 120,
    "mask_regions": 30,
    "extract_density": 10,
    "draw_review": 20,
}
#: The size of the scans of which these are the seconds: 512 x 512 x 250.
SECONDS_MEASURED_AT_MEGAVOXELS = 65.5
#: Of every job: what a slow file system and a start of Snakemake may take.
LEAST_MINUTES = 20


def memory_mb(stage: str, megavoxels: float | None, has_labels: bool, attempt: int, method: str = "embedded") -> int:
    """Memory to ask for, in steps of 100 MB.

    `method` is that of the localisation (`localise.method`); scans that come with labels are imported whatever it is.
    """
    models = [MEMORY_MODEL[stage]]
    if stage == "localise_vertebrae":
        methods = [method, "labels"] if has_labels else [method]
        models = [OF_METHOD.get(name, MEMORY_MODEL[stage]) for name in methods]
    size = ASSUMED_MEGAVOXELS if megavoxels is None else megavoxels
    of_stage = max(base + per_megavoxel * size for base, per_megavoxel in models)
    asked = max(LEAST_MB, MARGIN * of_stage + SNAKEMAKE_MB)
    return 100 * math.ceil(asked * (1 if attempt == 1 else AT_NEXT_TRY) / 100)


def minutes(stage: str, scans: int, megavoxels: float | None, attempt: int) -> int:
    """Time limit to ask for."""
    size = max(1.0, (ASSUMED_MEGAVOXELS if megavoxels is None else megavoxels) / SECONDS_MEASURED_AT_MEGAVOXELS)
    return attempt * max(LEAST_MINUTES, math.ceil(scans * SECONDS_PER_SCAN[stage] * size / 60))


def largest_scan_megavoxels(series_table: Path) -> float | None:
    """The largest chosen series of a unit; None when its series are not indexed yet or say nothing of their size."""
    import pyarrow.parquet as pq

    if not series_table.is_file():
        return None
    wanted = ["is_chosen", "rows", "columns", "slices"]
    if not set(wanted) <= set(pq.read_schema(series_table).names):
        return None
    rows = pq.read_table(series_table, columns=wanted).to_pylist()
    sizes = [row["rows"] * row["columns"] * row["slices"] for row in rows if all(row.values())]
    sizes = [size for size in sizes if not math.isnan(size)]
    return max(sizes) / 1e6 if sizes else None
