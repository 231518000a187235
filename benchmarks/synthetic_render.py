"""Cost of the synthetic patient: rendering and writing a full CT, and rendering the reduced matrix of the tests.

    python benchmarks/synthetic_render.py

Limits (one core): 512 x 512 x 250 rendered and written as DICOM in 25 s under 2 GB, a reduced matrix in 2 s. Times are
processor seconds, which another job on the machine stretches little; wall time is printed beside them.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from spongiosa.synthetic.dicom_ct import CtSeries, write_ct_series
from spongiosa.synthetic.dicom_identity import StudyIdentity
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct

FULL = ScannerParameters(rows=512, columns=512, slice_thickness_mm=1.25, slice_spacing_mm=1.25, caudal_margin_mm=34.0)
REDUCED = ScannerParameters(
    rows=256, columns=256, pixel_spacing_mm=1.2, slice_thickness_mm=2.5, slice_spacing_mm=2.5, caudal_margin_mm=21.0
)
LIMIT_S = {"full": 25.0, "reduced": 2.0}
LIMIT_GB = 2.0


def scan_and_write(scanner: ScannerParameters) -> tuple[int, ...]:
    """Build, render and write one patient; the shape of the image."""
    scan = render_ct(build_patient(PatientParameters(), 1), scanner, 1)
    with tempfile.TemporaryDirectory() as folder:
        write_ct_series(scan.ct, Path(folder), StudyIdentity("P001", 1), CtSeries(number=2))
    return scan.ct.voxels.shape


def scan_only(scanner: ScannerParameters) -> tuple[int, ...]:
    """Build and render one patient; the shape of the image."""
    return render_ct(build_patient(PatientParameters(), 1), scanner, 1).ct.voxels.shape


def timed(name: str, work: Callable[[ScannerParameters], tuple[int, ...]], scanner: ScannerParameters) -> bool:
    """Run once, print a line, say whether it kept its limit."""
    wall, cpu = time.perf_counter(), time.process_time()
    shape = work(scanner)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:8s} {shape}: {cpu:5.1f} s processor, {wall:5.1f} s wall, limit {LIMIT_S[name]:g} s")
    return cpu <= LIMIT_S[name]


def main() -> int:
    """0 when every limit was kept."""
    kept = timed("reduced", scan_only, REDUCED) & timed("full", scan_and_write, FULL)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"peak memory {peak_gb:.2f} GB, limit {LIMIT_GB:g} GB")
    return 0 if kept and peak_gb <= LIMIT_GB else 1


if __name__ == "__main__":
    sys.exit(main())
