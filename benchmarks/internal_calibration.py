"""Internal calibration, contrast phase and checks of the HU scale on synthetic patients; writes the page of results.

    python benchmarks/internal_calibration.py [--count 144] [--workers 2] [--rows build/internal_calibration.jsonl]

A run that was stopped goes on where it was, as long as the code is the same.
Every beam is up to 3 keV softer or harder than its tube voltage says, as scanners differ; the header gives the voltage.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from accuracy_scans import as_volume
from internal_calibration_page import page
from kept_rows import KeptRows, code_in_use
from scipy import ndimage

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.config.contrast import ContrastSettings
from spongiosa.config.internal_calibration import InternalCalibrationSettings
from spongiosa.config.quality import QualitySettings
from spongiosa.density.contrast import contrast_phase
from spongiosa.density.internal import internal_calibration
from spongiosa.density.quality import scan_quality
from spongiosa.density.sanity import check_hounsfield_scale
from spongiosa.outcome import Excluded
from spongiosa.regions.tissues import find_tissues
from spongiosa.synthetic.parameters import Kernel, PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import RenderedScan, render_ct
from spongiosa.synthetic.tissue import Tissues
from spongiosa.volume import Volume

VOLTAGES_KVP = (80.0, 100.0, 120.0, 140.0)

#: Kernels with the noise of a slice of 3 mm; thinner slices are noisier by the square root.  [HU]
KERNELS: tuple[tuple[Kernel, float], ...] = (("soft", 11.0), ("standard", 15.0), ("bone", 32.0))

SLICES_MM = (1.0, 2.0, 3.0, 5.0)

#: Iodine in the blood of each phase.  [mg/ml]
IODINE = {"none": (0.0, 0.0), "delayed": (1.2, 2.0), "portal_venous": (3.0, 6.0), "arterial": (9.0, 15.0)}

#: Phases in turn: half of the scans are native.
PHASES = ("none", "portal_venous", "none", "arterial", "none", "delayed")

#: The tube voltage whose beam a scan really has differs from the header's by at most this: 3 keV at 120 kVp.  [kVp]
BEAM_OFF_KVP = 9.0

LEVELS = ("L2", "L3")


@dataclass(frozen=True)
class Case:
    """One synthetic scan: `header_kvp` is what its header says."""

    patient: PatientParameters
    scanner: ScannerParameters
    header_kvp: float
    phase: str
    field_of_view: str
    seed: int


def cases(count: int) -> Iterator[Case]:
    """`count` scans; every voltage meets every kernel, slice thickness and phase."""
    for number in range(count):
        random = np.random.default_rng([606, number])
        kvp = VOLTAGES_KVP[number % 4]
        kernel, noise = KERNELS[(number // 4) % 3]
        slice_mm = SLICES_MM[(number // 12 + number % 4) % 4]
        phase = PHASES[(number // 2 + number // 24) % len(PHASES)]
        field = "spine" if number % 8 == 5 else "trunk"
        beam_kvp = float(np.clip(kvp + random.uniform(-BEAM_OFF_KVP, BEAM_OFF_KVP), 80.0, 140.0))
        is_female = random.random() < 0.6
        patient = PatientParameters(
            sex="F" if is_female else "M",
            stature_m=float(random.normal(1.62 if is_female else 1.75, 0.06)),
            bmi_kg_m2=float(random.uniform(19, 36)),
            trabecular_density_mg_cm3=float(random.uniform(35, 170)),
            marrow_fat_fraction=float(random.uniform(0.35, 0.7)),
            goutallier_grade=int(random.integers(0, 5)),
            aortic_calcification=float(random.uniform(0.0, 0.5)),
            blood_iodine_mg_ml=float(random.uniform(*IODINE[phase])),
        )
        rows, pixel = (250, 1.7) if field == "trunk" else (200, 0.8)
        scanner = ScannerParameters(
            rows=rows,
            columns=rows,
            pixel_spacing_mm=pixel,
            slice_thickness_mm=slice_mm,
            slice_spacing_mm=slice_mm,
            cranial_level=LEVELS[0],
            caudal_level=LEVELS[-1],
            cranial_margin_mm=4.0,
            caudal_margin_mm=4.0,
            off_centre_mm=(0.0, 0.0) if field == "trunk" else (0.0, 40.0),
            kvp=beam_kvp,
            kernel=kernel,
            noise_sd_hu=noise * (3.0 / slice_mm) ** 0.5 * (120.0 / kvp),
            padding_hu=(-1024, -2000, None)[number % 3],
        )
        yield Case(patient, scanner, kvp, phase, field, number)


def measure(case: Case) -> dict[str, Any]:
    """One row: the tissues, the line, the error of vBMD in `body_central`, the phase, and which faults were caught."""
    scan = render_ct(build_patient(case.patient, case.seed), case.scanner, case.seed)
    ct, vertebrae, bodies = (as_volume(image) for image in (scan.ct, scan.vertebrae, scan.bodies))
    started = time.process_time()
    tissues = find_tissues(ct, vertebrae, bodies, SpineDescription("truth", 1.0, ()))
    seconds = time.process_time() - started
    phase = contrast_phase(tissues.organs, case.header_kvp, None, ContrastSettings())
    outcome = internal_calibration(tissues.samples, case.header_kvp, InternalCalibrationSettings(), phase.phase)
    quality = scan_quality(ct, {"kvp": case.header_kvp}, tissues.regions, QualitySettings())
    beam = Tissues(case.scanner.kvp)
    row: dict[str, Any] = {
        "kvp": case.header_kvp,
        "kernel": case.scanner.kernel,
        "slice_mm": case.scanner.slice_thickness_mm,
        "phase": case.phase,
        "field_of_view": case.field_of_view,
        "found_phase": phase.phase,
        "phase_confidence": phase.confidence,
        "reason": None if outcome.reason is None else outcome.reason.value,
        "beam_kev": beam.energy_kev,
        "fitted_kev": outcome.report.get("effective_energy_kev"),
        "noise_hu": case.scanner.noise_sd_hu,
        "found_noise_hu": quality.values["noise_sd_hu"],
        "seconds": seconds,
        **{f"{name}_hu": sample.hu_mean for name, sample in tissues.samples.items()},
        **caught_faults(scan, ct),
    }
    errors, truths = [], []
    for level in LEVELS:
        truth = beam.k2hpo4_equivalent(scan.truth.native_hu(level, "body_central"))
        if outcome.line is not None:
            errors.append(outcome.line.density_mg_cm3(mean_hu(scan, level)) - truth)
        truths.append(truth)
    return row | {"error_mg_cm3": errors, "truth_mg_cm3": truths}


def mean_hu(scan: RenderedScan, level: str) -> float:
    """Mean HU of the image over the true central cylinder of a level."""
    points = scan.truth.region_points(level, "body_central")
    steps = scan.ct.direction * np.asarray(scan.ct.spacing_mm)
    indices = np.linalg.solve(steps, (points - np.asarray(scan.ct.origin_mm)).T)[::-1]
    return float(ndimage.map_coordinates(scan.ct.voxels.astype(np.float32), indices, order=1).mean())


def caught_faults(scan: RenderedScan, ct: Volume) -> dict[str, bool]:
    """Whether the scan passes as it is, and whether it is caught with each fault of its scale."""
    hu = ct.voxels.astype(np.int32)
    faults = {
        "alarm_without_fault": hu,
        "intercept_plus_1024": hu + 1024,
        "intercept_minus_1024": hu - 1024,
        "lower_end_at_0": np.maximum(hu, 0),
        "lower_end_at_minus_400": np.maximum(hu, -400),
    }
    padding = scan.scanner.padding_hu
    if padding is not None:
        faults["padding_at_0"] = np.where(hu == padding, 0, hu)
        faults["padding_at_32767"] = np.where(hu == padding, 32767, hu)
    return {name: _is_caught(replace(ct, voxels=voxels.astype(np.int16))) for name, voxels in faults.items()}


def _is_caught(volume: Volume) -> bool:
    try:
        check_hounsfield_scale(volume)
    except Excluded:
        return True
    return False


def main() -> None:
    """Measure all cases and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=144)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / "internal_calibration.md")
    parser.add_argument(
        "--rows", type=Path, default=Path("build/internal_calibration.jsonl"), help="what was measured so far"
    )
    options = parser.parse_args()
    kept = KeptRows(options.rows, code_in_use(Path(__file__)))
    scans = [(f"scan {case.seed}", case) for case in cases(options.count)]
    rows = []
    with ProcessPoolExecutor(options.workers) as pool:
        for row in kept.of_all(scans, timed, pool):
            rows.append(row)
            print(len(rows), row["phase"], row["found_phase"], row["reason"], row["error_mg_cm3"], flush=True)
    table = pd.DataFrame(rows)
    options.output.write_text(page(table, table["cpu_seconds"].sum()), encoding="utf-8")


def timed(case: Case) -> dict[str, Any]:
    """What `measure` says of a scan, and what it cost."""
    started = time.process_time()
    return measure(case) | {"cpu_seconds": time.process_time() - started}


if __name__ == "__main__":
    main()
