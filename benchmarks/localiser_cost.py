"""Processor time and peak memory of the localiser on full matrices, alone and as second opinion on imported labels.

    python benchmarks/localiser_cost.py [--profile]

A synthetic patient is resampled to 512 x 512 x 275 and 512 x 512 x 100.  Limits on one core: 25 s and 1.5 GB, 12 s.
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import pstats
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from localiser_cohort import _peak_mb, as_volume

from spongiosa.config.localise import LocaliseSettings
from spongiosa.localise.scan import localise_scan
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct
from spongiosa.volume import Volume, resampled, write_volume

SCANNER = ScannerParameters(
    rows=200, columns=200, pixel_spacing_mm=1.8, slice_thickness_mm=3.0, slice_spacing_mm=3.0, cranial_level="T11"
)


def enlarged(volume: Volume, slices: int, interpolation: str, outside: float) -> Volume:
    """The same field of view on 512 x 512 x `slices` voxels."""
    old = volume.geometry
    shape = (slices, 512, 512)
    spacing = tuple(
        step * count / new for step, count, new in zip(old.spacing_mm, old.shape[::-1], shape[::-1], strict=True)
    )
    grid = replace(old, shape=shape, spacing_mm=spacing)  # type: ignore[arg-type]
    return resampled(volume, grid, interpolation, outside)  # type: ignore[arg-type]


def measured(work: Callable[[], Any], results: Any) -> None:
    """Run, and report processor seconds and the peak above what was there before."""
    Path("/proc/self/clear_refs").write_text("5")
    start = time.process_time()
    work()
    results.put((time.process_time() - start, _peak_mb()))


def main() -> None:
    """Print one line per matrix and source of labels."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    rendered = render_ct(build_patient(PatientParameters(), 3), SCANNER, 3)
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        for slices in (275, 100):
            scan = enlarged(as_volume(rendered.ct), slices, "linear", -1024)
            labels = Path(folder) / f"{slices}.nii.gz"
            write_volume(enlarged(as_volume(rendered.vertebrae), slices, "nearest", 0), labels)
            for name, path in (("embedded", None), ("imported labels with second opinion", labels)):

                def work(scan: Volume = scan, path: Path | None = path) -> None:
                    localise_scan(scan, LocaliseSettings(), labels=path, label_scheme="verse" if path else None)

                if options.profile:
                    profile = cProfile.Profile()
                    profile.runcall(work)
                    pstats.Stats(profile).sort_stats("tottime").print_stats(14)
                    continue
                results = context.Queue()
                process = context.Process(target=measured, args=(work, results))
                process.start()
                seconds, peak = results.get()
                process.join()
                voxels = np.prod(scan.voxels.shape) / 1e6
                print(
                    f"512 x 512 x {slices} ({voxels:.0f} M voxels), {name}: {seconds:.1f} s, {peak:.0f} MB", flush=True
                )


if __name__ == "__main__":
    main()
