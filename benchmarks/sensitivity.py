"""How the indices move with the parameters of the regions; writes docs/sensitivity.md.

    python benchmarks/sensitivity.py [--count 6]

Every parameter set is a variant of one run over the same synthetic scans, so that only the parameter differs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from accuracy_patients import cases
from accuracy_scans import as_volume, localised

from spongiosa.config.extract import ExtractSettings
from spongiosa.config.regions import RegionsSettings
from spongiosa.density.measure import ScanFindings, measure_regions
from spongiosa.regions.catalogue import place_regions
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct

ELLIPSES = ("ellipse_superior", "ellipse_mid", "ellipse_inferior")
SHAPES = ("shape_oval", "shape_round", "shape_front", "shape_left", "shape_right")

#: Parameter, the regions that it touches, its values, and where it stands in a variant.
SWEEPS: tuple[tuple[str, tuple[str, ...], tuple[Any, ...]], ...] = (
    ("plane", ELLIPSES, ("axial", "endplate")),
    ("ellipse.margin_mm", ELLIPSES, (3.0, 4.0, 5.0, 6.0, 7.0)),
    ("ellipse.endplate_offset_mm", ELLIPSES, (2.0, 3.0, 4.0, 6.0, 8.0)),
    ("ellipse.fraction", ELLIPSES, (0.5, 0.7, 0.85, 1.0)),
    ("ellipse.posterior_exclusion", ("ellipse_mid",), (0.0, 0.1, 0.2, 0.3)),
    ("mid_slice.margin_mm", SHAPES, (3.0, 5.0, 7.0)),
    ("trabecular.margin_mm", ("body_trabecular",), (2.0, 3.0, 4.0, 5.0, 6.0, 7.0)),
    ("avoidance.method", ("body_trabecular",), ("none", "hu_gradient")),
    ("central.fraction", ("body_central",), (0.5, 0.7, 0.9)),
    ("pedicle.margin_mm", ("pedicle",), (1.0, 2.0, 2.5, 3.0, 3.5)),
    ("trajectory.diameter_mm", ("trajectory",), (5.5, 6.5, 7.5)),
    ("trajectory.margin_mm", ("trajectory",), (0.0, 1.0, 2.0, 2.75, 3.5)),
)


def variant(parameter: str, regions: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The variant in which one parameter has another value."""
    section, _, key = parameter.partition(".")
    return {"measured": regions, section: {key: value} if key else value}


def main() -> None:
    """Measure every sweep on every scan and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / "sensitivity.md")
    options = parser.parse_args()
    variants = {
        f"{parameter} = {value}": variant(parameter, regions, value)
        for parameter, regions, values in SWEEPS
        for value in values
    }
    settings = RegionsSettings(levels=("L1", "L2", "L3", "L4"), variants=variants)
    rows: list[dict[str, Any]] = []
    for case in cases(options.count):
        scan = render_ct(build_patient(case.patient, case.seed), case.scanner, case.seed)
        ct, vertebrae, bodies = (as_volume(image) for image in (scan.ct, scan.vertebrae, scan.bodies))
        spine = localised(ct, vertebrae, bodies)
        regions = place_regions(ct, vertebrae, bodies, spine, settings)
        measured = measure_regions(ct, regions, spine, {}, ScanFindings(), ExtractSettings(excluded_flags=()))
        rows += [row | {"case": case.name} for row in measured]
        print(case.name, flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(page(pd.DataFrame(rows)), encoding="utf-8")


def page(rows: pd.DataFrame) -> str:
    """The page: per parameter value the mean shift against the defaults, over scans, levels and regions."""
    keys = ["case", "level", "region", "side"]
    default = rows[rows["variant"] == "default"].set_index(keys)["hu_mean"].astype(float)
    lines = [
        "# How the indices move with the parameters",
        "",
        f"Made by `python benchmarks/sensitivity.py` on {rows['case'].nunique()} synthetic scans: shift of the mean "
        "against the default parameters, mean and SD over scans, levels and regions, in HU. Missing are also levels "
        "that are not in view.",
        "",
        "| parameter | regions | n | missing | shift | SD of the shift |",
        "|---|---|---|---|---|---|",
    ]
    for parameter, regions, values in SWEEPS:
        for value in values:
            of_value = rows[rows["variant"] == f"{parameter} = {value}"].set_index(keys)["hu_mean"].astype(float)
            shift = (of_value - default.reindex(of_value.index)).dropna()
            name = regions[0] if len(regions) == 1 else f"{len(regions)} regions `{regions[0].split('_')[0]}_*`"
            spread = f"{shift.std():.1f}" if len(shift) > 1 else "-"
            mean = f"{shift.mean():+.1f}" if len(shift) else "-"
            missing = int(np.isnan(of_value).sum())
            lines.append(f"| {parameter} = {value} | {name} | {len(shift)} | {missing} | {mean} | {spread} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
