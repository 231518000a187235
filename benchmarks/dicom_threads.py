"""What further threads of a job are worth: reading headers, and decoding compressed slices.

    python benchmarks/dicom_threads.py [--slices 256] [--threads 1 2 4] [--rounds 3]

Headers are read from a warm cache, where Python's threads take turns: they pay on a network disk only.  Compressed
slices are decoded by processes, one per thread, which work at the same time.  Wall time, the best of the rounds; the
numbers of threads take turns.  Says nothing on a machine whose cores others use.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.uid import JPEG2000Lossless
from scipy.ndimage import gaussian_filter

from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.headers import read_headers
from spongiosa.dicom.planes import decode_planes
from spongiosa.dicom.sources import list_sources
from spongiosa.dicom.stack import stack_frames
from spongiosa.synthetic.dicom_writer import CtSeries, StudyIdentity, write_ct_series
from spongiosa.synthetic.image import SyntheticImage

MATRIX = 512


def timed(work: Callable[[int], object], threads: int) -> float:
    """Wall seconds."""
    started = time.perf_counter()
    work(threads)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=256)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    noise = np.random.default_rng(1).normal(0, 60, (8, MATRIX, MATRIX))
    pattern = np.rint(gaussian_filter(noise, (0, 1, 1)) + 40).astype(np.int16)
    voxels = pattern[np.arange(options.slices) % len(pattern)]
    with tempfile.TemporaryDirectory() as temporary:
        image = SyntheticImage(voxels, (0.8, 0.8, 1.0), (-204.0, -204.0, -300.0), np.eye(3))
        series = replace(CtSeries(), transfer_syntax=JPEG2000Lossless)
        write_ct_series(image, Path(temporary), StudyIdentity(patient="P1", seed=1), series)
        sources = list_sources(Path(temporary), SeriesSettings())
        stack = stack_frames(read_headers(sources, 1)[0])
        works: dict[str, Callable[[int], object]] = {
            "headers": lambda threads: read_headers(sources, threads),
            "JPEG 2000": lambda threads: decode_planes(stack, "ct", threads),
        }
        for name, work in works.items():
            rounds = {threads: [] for threads in options.threads}
            for _ in range(options.rounds):
                for threads in options.threads:
                    rounds[threads].append(timed(work, threads))
            for threads, times in rounds.items():
                print(f"{name:10} {threads} threads: {min(times):6.2f} s")


if __name__ == "__main__":
    main()
