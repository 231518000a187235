"""Accuracy of regions, frames, heights and fracture grades against synthetic patients; writes docs/accuracy.md.

    python benchmarks/accuracy.py [--count 64] [--workers 2] [--seed 41] [--scans FOLDER]

The true label map is given; frames, planes and regions are found as in a run.  The truth is the mean of the continuous
field over the region as it is defined, on the generator's geometry (`accuracy_truth.py`), and beside it over the
generator's ideal region, which knows no slices; both share no code with the regions that are measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from accuracy_heights import exact_heights
from accuracy_patients import LEVELS, Case, cases
from accuracy_scans import localised_scan, noise_alone
from accuracy_table import write_page
from accuracy_truth import DEFINED, Defined, defined, single_slice

from spongiosa.config.extract import ExtractSettings
from spongiosa.config.regions import RegionsSettings
from spongiosa.density.measure import ScanFindings, measure_regions
from spongiosa.regions.catalogue import place_surveyed
from spongiosa.regions.region import Region
from spongiosa.regions.survey import Survey, survey_spine
from spongiosa.regions.vertebrae import describe_surveyed
from spongiosa.synthetic.placed import Voxels
from spongiosa.synthetic.scanner import RenderedScan
from spongiosa.synthetic.truth_regions import ELLIPSES
from spongiosa.synthetic.truth_regions import REGIONS as IDEAL_REGIONS
from spongiosa.synthetic.variants import Fracture
from spongiosa.volume import Volume

#: Seed of the scans of the page; the regions were developed on others (`accuracy_patients.DEVELOPMENT_SEED`).
PAGE_SEED = 41
#: Step of the samples in each voxel of a placed region.  [mm]
PLACED_STEP_MM = 0.8
#: The voxels of a pedicle or trajectory lie wholly in the vertebra where they are no longer than this.  [mm]
LARGEST_INSIDE_MM = 2.0
#: The whole body is left out: its mean is that of the label map's cortex.
MEASURED = tuple(name for name in IDEAL_REGIONS if name != "body_whole")
SETTINGS = RegionsSettings(
    levels=LEVELS, measured=MEASURED, variants={"oblique": {"measured": ELLIPSES, "plane": "endplate"}}
)


def main() -> None:
    """Measure every case and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=PAGE_SEED)
    parser.add_argument("--scans", type=Path, help="folder in which the rendered scans are kept for the next time")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / "accuracy.md")
    options = parser.parse_args()
    hu: list[dict[str, Any]] = []
    anatomy: list[dict[str, Any]] = []
    chosen = list(cases(options.count, options.seed))
    with ProcessPoolExecutor(options.workers) as pool:
        for case, (of_regions, of_anatomy) in zip(
            chosen, pool.map(partial(measure, scans=options.scans), chosen), strict=True
        ):
            hu += of_regions
            anatomy += of_anatomy
            print(case.name, flush=True)
            write_page(pd.DataFrame(hu), pd.DataFrame(anatomy), options.output)


def measure(case: Case, scans: Path | None = None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of differences: of HU per region, and of anatomy per vertebra; `scans` keeps the rendered scans."""
    found = localised_scan(case, scans)
    scan, (ct, vertebrae, bodies), spine = found.scan, found.volumes, found.spine
    survey = survey_spine(ct, vertebrae, bodies, spine, SETTINGS)
    regions = place_surveyed(survey, SETTINGS)
    rows = measure_regions(ct, regions, spine, {}, ScanFindings(), ExtractSettings())
    noise = noise_alone(case, ct.geometry.shape[0])
    common = {"case": case.name, "slice_mm": case.scanner.slice_spacing_mm, "pixel_mm": case.scanner.pixel_spacing_mm}
    common |= {"kernel": case.scanner.kernel}
    complete = set(scan.truth.complete_levels) & set(case.levels)
    changed = {variant.level for variant in scan.patient.parameters.variants}
    hu = [
        common | {"level": row["level"], "region": row["region"], "side": row["side"], "variant": row["variant"]}
        | {"measured": row["hu_mean"], "reason": row["reason"], "is_plain": row["level"] not in changed}
        | {"pedicle_width_mm": _pedicle_width_mm(scan, row)}
        | _truths(scan, row, ct, region) | {"placed": _placed(scan, ct, region), "noise": _weighted_mean(noise, region)}
        for row, region in zip(rows, regions, strict=True)
        if row["level"] in complete
    ]  # fmt: skip
    anatomy = [common | row for row in _anatomy(scan, survey)]
    return hu, anatomy


def _truths(scan: RenderedScan, row: dict[str, Any], ct: Volume, region: Region) -> dict[str, Any]:
    """HU of the region as it is defined, the same in the slice that was measured, and of the generator's ideal one;
    whether another slice was measured."""
    level, name = str(row["level"]), str(row["region"])
    plane: Any = "endplate" if row["plane"] is None else row["plane"]
    side: Any = row["side"]
    ideal = float(scan.truth.hu(level, name, plane, side))
    true = defined(scan, level, name, plane) if name in DEFINED else Defined(ideal, float("nan"))
    voxels = [] if region.weights is None else np.unravel_index(region.weights.indices, ct.geometry.shape)[0]
    measured = single_slice(np.asarray(voxels))
    is_other = np.isfinite(measured) and np.isfinite(true.slice_number) and measured != true.slice_number
    own = defined(scan, level, name, plane, int(measured)).hu if is_other else true.hu
    return {"truth": true.hu, "own_slice": own, "ideal": ideal, "is_other_slice": bool(is_other)}


def _placed(scan: RenderedScan, ct: Volume, region: Region) -> float:
    """Mean of the continuous field over exactly the weighted voxels of a region, without blur and noise."""
    if region.weights is None:
        return float("nan")
    voxels = np.stack(np.unravel_index(region.weights.indices, ct.geometry.shape), axis=-1)
    weights = region.weights.weights.astype(float)
    covered = Voxels(ct.geometry.points_mm(voxels), weights, ct.geometry.steps_mm)
    if region.name not in DEFINED and max(ct.geometry.spacing_mm) > LARGEST_INSIDE_MM:
        return scan.truth.hu_over(covered, PLACED_STEP_MM)
    # Below the surface of a vertebra nothing else shows, and the whole patient takes long.
    points, shares = covered.samples(PLACED_STEP_MM)
    values = scan.patient.vertebra_values_at(region.level, points, scan.patient.tissues(scan.truth.kvp))
    return float(np.average(values, weights=shares))


def _weighted_mean(values: np.ndarray, region: Region) -> float:
    """Mean of an image over the weighted voxels of a region."""
    if region.weights is None:
        return float("nan")
    return float(np.average(values.reshape(-1)[region.weights.indices], weights=region.weights.weights.astype(float)))


def _pedicle_width_mm(scan: RenderedScan, row: dict[str, Any]) -> float:
    """The smaller outer diameter of the pedicle through which a region passes; NaN for regions of the body."""
    pedicle = scan.patient.vertebrae[str(row["level"])].pedicles.get(str(row["side"]))
    return float("nan") if pedicle is None else 2.0 * min(pedicle.half_width_mm, pedicle.half_height_mm)


def _anatomy(scan: RenderedScan, survey: Survey) -> Iterator[dict[str, Any]]:
    """Errors of endplates, pedicles, heights and grades per complete vertebra."""
    variants = scan.patient.parameters.variants
    fractures = {variant.level: variant for variant in variants if isinstance(variant, Fracture)}
    for found, row in zip(survey.vertebrae, describe_surveyed(survey), strict=True):
        level, frame = found.vertebra.level, found.vertebra.frame
        if level not in scan.truth.complete_levels or level not in LEVELS or frame is None or found.body is None:
            continue
        truth, shape = scan.truth.geometry[level], scan.patient.vertebrae[level].body
        errors: dict[str, Any] = {"level": level}
        for name in ("superior", "inferior"):
            point, normal = getattr(truth, f"{name}_endplate")
            plane = getattr(frame, f"{name}_endplate")
            errors[f"{name}_angle_deg"] = _angle_deg(plane.normal, normal)
            errors[f"{name}_offset_mm"] = float((plane.point_mm - point) @ normal)
        pedicles = {} if found.arch is None else found.arch.pedicles
        for side, (isthmus, direction) in truth.pedicles.items():
            pedicle = pedicles.get(side)
            if pedicle is not None:
                offset = pedicle.isthmus_mm - isthmus
                errors[f"pedicle_{side}_angle_deg"] = _angle_deg(pedicle.direction, direction)
                errors[f"pedicle_{side}_offset_mm"] = float(np.linalg.norm(offset - (offset @ direction) * direction))
        sagittal = dict(zip(("anterior", "middle", "posterior"), exact_heights(shape), strict=True))
        for name, height in sagittal.items():
            measured = row[f"{name}_height_mm"]
            errors[f"{name}_height_error_mm"] = np.nan if measured is None else measured - height
        errors["true_grade"] = fractures[level].genant_grade if level in fractures else 0
        errors["true_loss"] = fractures[level].height_loss if level in fractures else 0.0
        errors |= {"grade": row["fracture_grade"], "type": row["fracture_type"], "loss": row["height_loss"]}
        errors["true_type"] = fractures[level].kind if level in fractures else "none"
        yield errors


def _angle_deg(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(abs(one @ other), 0.0, 1.0))))


if __name__ == "__main__":
    main()
