"""How fast an input of many slices is indexed: 20,000 slices in 200 series, two patients at a time.

    python benchmarks/dicom_index.py [--series 200] [--slices 100] [--folder FOLDER]

The files are synthetic CT slices with full headers and a small matrix: pixel data are not read, so their size does not
matter with a warm cache.  Two processes index one half each, as two jobs on two cores do.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.index import index_input
from spongiosa.synthetic.dicom_writer import CtSeries, StudyIdentity, write_ct_series
from spongiosa.synthetic.image import SyntheticImage

REQUIRED_FILES_PER_SECOND = 1500


def write_halves(folder: Path, series: int, slices: int) -> list[Path]:
    """Two patients with half of the series each."""
    image = SyntheticImage(np.zeros((slices, 16, 16), np.int16), (0.8, 0.8, 1.0), (-6.0, -6.0, -400.0), np.eye(3))
    halves = [folder / "patient-1", folder / "patient-2"]
    for number in range(series):
        half = number % 2
        identity = StudyIdentity(patient=f"P{half}", seed=half)
        write_ct_series(image, halves[half] / f"{number:03d}", identity, replace(CtSeries(), number=number + 1))
    return halves


def index_half(folder: Path) -> tuple[int, float]:
    """Files that were indexed, and the CPU time that it took in s."""
    started = time.process_time()
    files = sum(record.images for record in index_input(folder, "ct", SeriesSettings()))
    return files, time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="where the files lie between runs; a temporary one by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        halves = [folder / "patient-1", folder / "patient-2"]
        if not halves[0].is_dir():
            write_halves(folder, options.series, options.slices)
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(index_half, halves))  # imports the library and warms the cache
            started = time.perf_counter()
            results = list(pool.map(index_half, halves))
            seconds = time.perf_counter() - started
    files, cpu_s = sum(count for count, _ in results), max(cpu for _, cpu in results)
    rate = files / seconds
    verdict = "met" if rate >= REQUIRED_FILES_PER_SECOND else "NOT met"
    print(f"{files} files in {options.series} series: {seconds:.2f} s, {rate:.0f} files/s")
    print(f"{cpu_s:.2f} s of CPU in the slower process: {files / cpu_s:.0f} files/s where two cores are free")
    print(f"at least {REQUIRED_FILES_PER_SECOND} files/s: {verdict}")


if __name__ == "__main__":
    main()
