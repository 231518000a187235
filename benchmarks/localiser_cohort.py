"""The embedded localiser on synthetic patients of every variant: one record per case, resumable; then the table.

    python benchmarks/localiser_cohort.py run build/localiser_cohort --count 320
    python benchmarks/localiser_cohort.py table build/localiser_cohort

A case that has a record is not run again.  The truth comes from the generator, which shares no code with the localiser.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

import numpy as np
from localiser_patients import Case, case
from localiser_table import summary
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import Vertebra
from spongiosa.anatomy.levels import level_name
from spongiosa.localise.embedded import localise_embedded
from spongiosa.localise.overlay import draw_overlay
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded
from spongiosa.provenance import written_whole
from spongiosa.synthetic.image import SyntheticImage
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import RenderedScan, render_ct
from spongiosa.volume import Geometry, Volume, bounding_box

#: Inset of the core: this much, or two voxels.  [mm]
CORE_INSET_MM = 5.0
#: A found body shares at least this part of its voxels with a true one, else it is none.
REAL_SHARE = 0.3


def as_volume(image: SyntheticImage) -> Volume:
    """An image of the generator as a volume of the library."""
    voxels = np.asarray(image.voxels)
    return Volume(voxels, Geometry(voxels.shape, image.spacing_mm, image.origin_mm, np.asarray(image.direction)))


def rendered(patient: Case) -> RenderedScan:
    """The scan of a case."""
    return render_ct(build_patient(patient.patient, patient.number), patient.scanner, patient.number)


def run_case(number: int, folder: Path) -> None:
    """Render, localise, compare; write the record and the picture."""
    patient = case(number)
    scan = rendered(patient)
    ct = as_volume(scan.ct)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    start = time.process_time()
    spine: LocalisedSpine | None = None
    refusal: Excluded | None = None
    try:
        spine = localise_embedded(ct)
    except Excluded as found:
        refusal = found
    record: dict[str, Any] = {
        "number": number,
        "kind": patient.kind,
        "expected": patient.expected,
        "must_be_flagged": patient.must_be_flagged,
        "slice_mm": patient.scanner.slice_spacing_mm,
        "kernel": patient.scanner.kernel,
        "density_mg_cm3": patient.patient.trabecular_density_mg_cm3,
        "status": "excluded" if refusal else "ok",
        "reason": str(refusal.reason) if refusal else None,
        "cpu_s": round(time.process_time() - start, 2),
        "peak_mb": _peak_mb(),
    }
    if spine is not None:
        record |= {
            "confidence": spine.description.confidence,
            "flags": list(spine.description.flags),
            "gates": spine.description.gates,
            "vertebrae": compared(spine, scan, patient),
        }
    with written_whole(folder / f"{number:04d}.json") as part:
        part.write_text(json.dumps(record, indent=1), encoding="utf-8")
    draw_overlay(ct, spine, folder / f"{number:04d}.png", as_volume(scan.bodies))


def _peak_mb() -> float:
    """Largest resident memory since the peak was last reset."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024.0, 1)


def compared(spine: LocalisedSpine, scan: RenderedScan, patient: Case) -> list[dict[str, Any]]:
    """One row per found vertebra: which true body it marks, whether its number is right, and its errors."""
    rows = []
    bodies, truth = spine.bodies.voxels, np.asarray(scan.bodies.voxels)
    tables = patient.numbers
    for vertebra in spine.description.vertebrae:
        mask = bodies == vertebra.label
        if not mask.any():
            continue
        below = np.bincount(truth[mask], minlength=256)
        true = int(below[1:].argmax()) + 1
        is_real = bool(below[true] >= REAL_SHARE * mask.sum())
        row: dict[str, Any] = {
            "level": vertebra.level,
            "true_level": level_name(true) if is_real else None,
            "right": [is_real and table.get(true) == vertebra.label for table in tables],
            "is_truncated": vertebra.is_truncated,
            "confidence": vertebra.confidence,
            "flags": list(vertebra.flags),
        }
        if is_real and level_name(true) in scan.truth.complete_levels:
            row |= _errors(vertebra, mask, truth == true, scan, level_name(true))
        rows.append(row)
    return rows


def _errors(
    vertebra: Vertebra, mask: NDArray[np.bool_], truth: NDArray[np.bool_], scan: RenderedScan, level: str
) -> dict[str, float | None]:
    lower, upper = bounding_box(mask | truth, margin=1)
    box = tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))
    mask, truth, hu = mask[box], truth[box], np.asarray(scan.ct.voxels)[box]
    spacing = scan.ct.spacing_mm[::-1]
    inset = max(CORE_INSET_MM, 2.0 * max(spacing))
    cores = [hu[ndimage.distance_transform_edt(part, sampling=spacing) > inset] for part in (mask, truth)]
    errors: dict[str, float | None] = {
        "dice": round(2.0 * float((mask & truth).sum()) / float(mask.sum() + truth.sum()), 4),
        "core_hu_difference": round(float(cores[0].mean() - cores[1].mean()), 2) if min(map(len, cores)) > 30 else None,
        "core_hu": round(float(cores[1].mean()), 1) if len(cores[1]) > 30 else None,
    }
    if vertebra.frame is None:
        return errors
    geometry = scan.truth.geometry[level]
    for name in ("superior", "inferior"):
        point, normal = getattr(geometry, f"{name}_endplate")
        plane = getattr(vertebra.frame, f"{name}_endplate")
        errors[f"{name}_angle_deg"] = round(float(np.degrees(np.arccos(min(1.0, abs(plane.normal @ normal))))), 2)
        errors[f"{name}_offset_mm"] = round(float((plane.point_mm - point) @ normal), 2)
    ends = [geometry.superior_endplate[0], geometry.inferior_endplate[0]]
    errors["height_error_mm"] = round(vertebra.frame.height_mm - float(np.linalg.norm(ends[0] - ends[1])), 2)
    return errors


def main() -> None:
    """Run cases, or print the table of those that were run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("action", choices=("run", "table"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=320)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    if options.action == "table":
        print(summary(options.folder))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    numbers = range(options.first, options.first + options.count)
    missing = [number for number in numbers if not (options.folder / f"{number:04d}.json").exists()]
    # A process per case, so that the peak of one is not that of another; what all of them import is imported once.
    importlib.import_module("matplotlib.backends.backend_agg")
    importlib.import_module("SimpleITK")
    with multiprocessing.get_context("fork").Pool(options.workers, maxtasksperchild=1) as pool:
        tasks = {number: pool.apply_async(run_case, (number, options.folder)) for number in missing}
        for number, task in tasks.items():
            task.get()
            print(number, flush=True)


if __name__ == "__main__":
    main()
