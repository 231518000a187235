"""Calibration against synthetic phantoms and patients whose density is known; writes docs/calibration.md.

    python benchmarks/calibration.py [--every 1] [--workers 2] [--rows build/calibration.jsonl]

A run that was stopped goes on where it was, as long as the code is the same.

Accuracy: every phantom of the presets at 80, 100, 120 and 140 kVp, three kernels and slices of 1, 2, 3 and 5 mm, each
in a pose and under a patient of its own.  Traps: no phantom, another phantom, a phantom that is cut.  Repeatability: 12
patients of 60 to 180 mg/cm3, scanned five times.  The true label maps are given, so that nothing depends on the
localiser.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from calibration_page import write_page
from calibration_scans import (
    SLAB,
    PhantomCase,
    RepeatedPatient,
    calibrated,
    densities,
    has_right_rods,
    phantom_cases,
    true_densities,
)
from kept_rows import KeptRows, code_in_use

from spongiosa.config.phantoms import PRESETS
from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.phantoms import PHANTOMS, Placement
from spongiosa.synthetic.scanner import render_ct

LEVELS = ("L2", "L3")
REPEATED = tuple(
    RepeatedPatient(number, target, 5) for number, target in enumerate(np.linspace(60.0, 180.0, 12).tolist())
)


def main() -> None:
    """Run all three parts and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--every", type=int, default=1, help="take every n-th acquisition only")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="of the poses and patients")
    parser.add_argument("--rows", type=Path, default=Path("build/calibration.jsonl"), help="what was measured so far")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / "calibration.md")
    options = parser.parse_args()
    cases = [
        case for number, case in enumerate(phantom_cases(options.seed)) if (number + number // 4) % options.every == 0
    ]
    here = Path(__file__).parent
    kept = KeptRows(options.rows, code_in_use(Path(__file__), here / "calibration_scans.py"))
    accuracy: list[dict[str, Any]] = []
    traps: list[dict[str, Any]] = []
    repeats: list[list[float]] = []
    with ProcessPoolExecutor(options.workers) as pool:
        patients = [(f"repeated patient {patient.number}", patient) for patient in REPEATED]
        for measured in kept.of_all(patients, RepeatedPatient.measured, pool):
            repeats.append(measured)
            print(f"repeated patient {len(repeats)}: {np.round(measured, 2)}", flush=True)
        for number, rows in enumerate(kept.of_all([(case.name, case) for case in cases], measure, pool), start=1):
            accuracy += rows
            print(f"acquisition {number}/{len(cases)}", flush=True)
        for rows in kept.of_all([(f"traps of {name}", name) for name in PHANTOMS], trapped, pool):
            traps += rows
            print(f"traps: {len(traps)}", flush=True)
    write_page(pd.DataFrame(accuracy), pd.DataFrame(traps), repeats, options.output)


def measure(case: PhantomCase) -> list[dict[str, Any]]:
    """One row per scan and level; a scan that was refused has one row with its reason."""
    rows: list[dict[str, Any]] = []
    truth: dict[str, float] = {}
    for scan in case.scans():
        truth = truth or true_densities(scan, LEVELS)  # of the acquisition, whatever the kernel
        outcome = calibrated(scan, case.phantom.name)
        common = {
            "phantom": case.phantom.name,
            "kvp": case.kvp,
            "slice_mm": case.slice_mm,
            "kernel": scan.scanner.kernel,
            "scan": f"{case.seed} {scan.scanner.kernel}",
            "reason": None if outcome.reason is None else str(outcome.reason),
            "poses_out_of_view": case.poses_out_of_view,
        }
        if outcome.line is None:
            rows.append(common)
            continue
        common |= {
            "is_right": has_right_rods(scan, outcome),
            "line_error": max(
                abs(
                    outcome.line.density_mg_cm3(hu) - case.phantom.equivalent_mg_cm3(hu, scan.patient.tissues(case.kvp))
                )
                for hu in (0.0, 200.0)
            ),
        }
        measured = densities(scan, outcome, LEVELS)
        rows += [common | {"level": level, "measured": measured.get(level), "truth": truth[level]} for level in LEVELS]
    return rows


def trapped(name: str) -> list[dict[str, Any]]:
    """Scans that must not be calibrated, or only rightly: what was said of each."""
    patient = build_patient(PatientParameters(), 21)
    scanner = replace(SLAB, slice_thickness_mm=2.0, slice_spacing_mm=2.0, noise_sd_hu=16.0)
    phantom = PHANTOMS[name]
    wide = phantom.half_width_mm + 2 * SLAB.columns * SLAB.pixel_spacing_mm / 2
    traps = {
        "no phantom": (None, name),
        "beside the field of view": (replace(phantom, placement=Placement(left_mm=wide)), name),
        "half of it beside the field of view": (
            replace(phantom, placement=Placement(left_mm=SLAB.columns * SLAB.pixel_spacing_mm / 2)),
            name,
        ),
        "under the upper third only": (replace(phantom, placement=Placement(caudal_end_mm=38.0)), name),
        **{f"asked for {other}": (phantom, other) for other in PRESETS if other != name},
    }
    rows = []
    for trap, (laid, asked) in traps.items():
        scan = render_ct(patient, replace(scanner, phantom=laid), 5)
        outcome = calibrated(scan, asked)
        row: dict[str, Any] = {"phantom": name, "trap": trap, "reason": str(outcome.reason or "")}
        if outcome.line is not None and laid is not None:
            tissues = patient.tissues(120.0)
            row["line_error"] = max(
                abs(outcome.line.density_mg_cm3(hu) - laid.equivalent_mg_cm3(hu, tissues)) for hu in (0.0, 200.0)
            )
            row["is_right"] = asked == name and has_right_rods(scan, outcome)
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
