"""Conversion of a 512 x 512 x 300 CT series to compressed NIfTI, side by side with dcm2niix.

    python benchmarks/dicom_convert.py [--rounds 5] [--slices 300]

Both programs start as processes of their own and take turns on the same files.  dcm2niix runs as `-z i -6` (its own
single-threaded compressor); Spongiosa indexes, chooses, assembles and writes.  The noise of the synthetic slices is
correlated over about two pixels as after a soft kernel.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from spongiosa.synthetic.dicom_writer import CtSeries, StudyIdentity, write_ct_series
from spongiosa.synthetic.image import SyntheticImage

MATRIX = 512
NOISE_SD_HU = 12.0
MAXIMUM_MEMORY_MB = 700
CONVERT = """
import sys
from pathlib import Path
from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.assembly import assemble_input
from spongiosa.dicom.index import index_input
from spongiosa.nifti import write_compressed_nifti
series = SeriesSettings()
folder = Path(sys.argv[1])
chosen = next(record for record in index_input(folder, "ct", series) if record.is_chosen)
scan = assemble_input(folder, "ct", chosen.series_key, series, ConvertSettings())
write_compressed_nifti(scan.volume, Path(sys.argv[2]))
"""


def write_series(folder: Path, slices: int) -> None:
    generator = np.random.default_rng(1)
    row, column = np.indices((MATRIX, MATRIX))
    radius = np.hypot((row - 256) / 170, (column - 256) / 225)
    body = np.select(
        [np.hypot(row - 330, column - 256) < 35, radius < 0.9, radius < 1.0], [180.0, 40.0, -100.0], -1000.0
    )
    voxels = np.empty((slices, MATRIX, MATRIX), np.int16)
    for plane in voxels:
        noise = gaussian_filter(generator.normal(size=body.shape), 0.8)
        plane[:] = np.clip(np.rint(body + noise * (NOISE_SD_HU / noise.std())), -1024, 3071)
    image = SyntheticImage(voxels, (0.8, 0.8, 1.0), (-204.0, -204.0, -300.0), np.eye(3))
    write_ct_series(image, folder, StudyIdentity(patient="P1", seed=1), CtSeries())


class Cost(NamedTuple):
    """Wall and CPU time in s and peak memory in MB of a process and its children."""

    wall_s: float
    cpu_s: float
    memory_mb: float


def cost_of(command: list[str]) -> Cost:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status != 0:
        raise SystemExit(f"{command[0]} ended with status {status}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def described(name: str, costs: list[Cost], size_mb: float) -> Cost:
    """Print and return the medians (of the memory the maximum)."""
    wall_s, cpu_s = (statistics.median(values) for values in list(zip(*costs, strict=True))[:2])
    memory_mb = max(cost.memory_mb for cost in costs)
    print(f"{name:9} {wall_s:.2f} s ({cpu_s:.2f} s of CPU), {size_mb:.1f} MB, {memory_mb:.0f} MB of memory")
    return Cost(wall_s, cpu_s, memory_mb)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slices", type=int, default=300)
    options = parser.parse_args()
    judge = shutil.which("dcm2niix")
    if judge is None:
        raise SystemExit("dcm2niix is not installed (apt-get install dcm2niix)")
    with tempfile.TemporaryDirectory() as temporary:
        dicom, out = Path(temporary, "dicom"), Path(temporary, "out")
        out.mkdir()
        # A process of its own: the peak memory of a child counts from what its parent held when it was forked.
        with ProcessPoolExecutor(1) as pool:
            pool.submit(write_series, dicom, options.slices).result()
        theirs, ours = [], []
        for _ in range(options.rounds):
            theirs.append(cost_of([judge, "-z", "i", "-6", "-w", "1", "-f", "theirs", "-o", str(out), str(dicom)]))
            ours.append(cost_of([sys.executable, "-c", CONVERT, str(dicom), str(out / "ours.nii.gz")]))
        sizes = {name: (out / f"{name}.nii.gz").stat().st_size / 1e6 for name in ("theirs", "ours")}
    their = described("dcm2niix", theirs, sizes["theirs"])
    our = described("spongiosa", ours, sizes["ours"])
    ratio, size_ratio = our.wall_s / their.wall_s, sizes["ours"] / sizes["theirs"]
    is_met = ratio <= 1.0 and abs(size_ratio - 1.0) <= 0.1 and our.memory_mb < MAXIMUM_MEMORY_MB
    print(
        f"wall time {ratio:.2f} times, CPU time {our.cpu_s / their.cpu_s:.2f} times, size {size_ratio:.3f} times: ",
        end="",
    )
    print("met" if is_met else "NOT met")


if __name__ == "__main__":
    main()
