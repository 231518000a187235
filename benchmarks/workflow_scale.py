"""How planning and aggregation grow with the cohort: the real workflow over stub tables, without images.

    python benchmarks/workflow_scale.py --folder build/scale --patients 1000 3000 10000 30000 100000

For each size it measures, in processes of their own: the plan of a first run; the aggregation of 65 measurements per
patient; the plan of a run with nothing to do; and the plan of a run after one patient's images were replaced.
STUB: the tables of the units hold random numbers, and Snakemake is told by `--touch` that its stages made them.
CPU seconds are given beside wall seconds, as other work on the machine lengthens only the latter.  The exponents of
growth and docs/images/scale.png follow from the CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from spongiosa.cohort.aggregate import UnitTables
from spongiosa.cohort.batches import COHORT_TABLES
from spongiosa.cohort.fingerprint import write_fingerprints
from spongiosa.cohort.handover import COLUMNS_OF_STAGE
from spongiosa.cohort.join import KnownOfPatients, join_units
from spongiosa.cohort.plan import fingerprints_path
from spongiosa.cohort.schemas import TABLES
from spongiosa.config.aggregate import AggregateSettings
from spongiosa.density.indices import SHAPES, SLICES, FloatArray, derive_indices
from spongiosa.provenance import write_table

ROOT = Path(__file__).resolve().parents[1]
LEVELS = ("L1", "L2", "L3", "L4", "L5")
REGIONS = (*SLICES, *SHAPES.values(), "body_trabecular", "body_central", "pedicle", "trajectory")
PATIENTS_PER_JOB = 100

#: What is measured at every size.
STEPS = ("plan", "no-op", "one changed", "aggregate")

Results = dict[int, dict[str, dict[str, float]]]
"""Patients -> step -> wall_s, cpu_s and memory_mb."""


def write_study(folder: Path, patients: int) -> None:
    """A manifest and a configuration; the images that it names do not exist."""
    folder.mkdir(parents=True)
    rows = "".join(f"P{number:06d}\tdicom/P{number:06d}\n" for number in range(patients))
    (folder / "manifest.tsv").write_text("patient_id\tpath\n" + rows, encoding="utf-8")
    cohort = {"manifest": "manifest.tsv", "patients_per_job": PATIENTS_PER_JOB, "fingerprint": "refresh"}
    (folder / "study.yaml").write_text(yaml.safe_dump({"cohort": cohort, "output_dir": "results"}), encoding="utf-8")


def write_unit_tables(folder: Path, patients: int) -> None:
    """STUB: the tables that the stages of every unit would have written."""
    chance = np.random.default_rng(1)
    measured = pd.DataFrame([(level, region) for level in LEVELS for region in REGIONS], columns=["level", "region"])
    for number, first in enumerate(range(0, patients, PATIENTS_PER_JOB), start=1):
        unit = folder / "results" / "units" / f"u{number:07d}"
        names = [f"P{patient:06d}" for patient in range(first, min(first + PATIENTS_PER_JOB, patients))]
        scans = pd.DataFrame({"patient_id": names, "session": "preop", "modality": "ct"})
        outcome = scans.assign(unit=unit.name, status="ok", reason=None, detail=None, left_at=None, key="0" * 16)
        outcome["flags"] = [[] for _ in names]
        outcome["outputs"] = [[f"sub-{name}/ses-preop/ct/sub-{name}_desc-review.png"] for name in names]
        outcome = outcome.astype(dict.fromkeys(["reason", "detail", "left_at"], "string"))
        rows = scans.merge(measured, how="cross").assign(side="none", variant="default", status="ok", reason=None)
        hu = chance.normal(120.0, 40.0, len(rows))
        reals = [name for name, kind in TABLES["measurements"].items() if kind == "double"]
        rows = rows.assign(**{name: hu + place for place, name in enumerate(reals)}, voxels=900)
        texts = ("kernel", "manufacturer", "localiser", "version", "config_hash", "calibration_method")
        rows = rows.assign(**dict.fromkeys(texts, "text of a cell"))
        for stage in COLUMNS_OF_STAGE:
            write_table(unit / f"{stage}.parquet", outcome)
        write_table(unit / "measurements.parquet", rows)
        write_table(unit / "calibration.parquet", calibration_rows(scans, hu[: len(scans)]))
        write_table(unit / "vertebrae.parquet", scans.merge(pd.DataFrame({"level": LEVELS, "label": 20}), how="cross"))
        write_table(unit / "series.parquet", scans.assign(series_key="k", kvp=120.0, is_chosen=True))


def calibration_rows(scans: pd.DataFrame, hu: FloatArray) -> pd.DataFrame:
    """STUB: a row per scan, every column of its kind."""
    values = {"double": hu, "string": "text of a cell", "int64": 5, "bool": False, "words": [["air", "fat"]] * len(hu)}
    columns = {name: values[kind] for name, kind in TABLES["calibration"].items() if name not in scans}
    return scans.assign(**columns)


def aggregate(folder: Path) -> None:
    """What scripts/aggregate_cohort.py does, without a clinical table."""
    units = sorted((folder / "results" / "units").glob("u*"))
    outputs = {name: folder / "results" / "cohort" / f"{name}.parquet" for name in (*COHORT_TABLES, "patients")}
    outputs["patients_csv"] = outputs["patients"].with_suffix(".csv")
    join_units(UnitTables(units), outputs, AggregateSettings(), derive_indices, KnownOfPatients())


def measured(command: list[str], folder: Path) -> tuple[dict[str, float], str]:
    """Wall and CPU seconds and the largest memory of a command, and what it said."""
    began = time.monotonic()
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
    text = (folder / "said.txt").read_text(encoding="utf-8")
    if status != 0:
        raise RuntimeError(text[-3000:])
    figures = {
        "wall_s": round(time.monotonic() - began, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "memory_mb": round(usage.ru_maxrss / 1024),
    }
    return figures, text


def snakemake(*arguments: str) -> list[str]:
    """A command for a folder that holds a copy of the workflow."""
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", "2"]
    return [*command, "--workflow-profile", "profiles/default", *arguments]


def copy_workflow(folder: Path) -> None:
    for name in ("rules", "scripts", "profiles", "config", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "Snakefile", folder / "Snakefile")


def write_ends(folder: Path) -> None:
    """STUB: what is made after the tables of the cohort."""
    for name in ("report/index.html", "cost.tsv", "cohort/confirmed.json", "run.json"):
        path = folder / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"versions": {}}), encoding="utf-8")


def change_one_patient(folder: Path, patients: int) -> None:
    """As after `refresh_inputs` when one patient's images came: those of all others are as absent as they were."""
    fingerprints = {(f"P{number:06d}", "preop", "ct"): "absent///" for number in range(patients)}
    fingerprints[(f"P{patients // 2:06d}", "preop", "ct")] = "replaced///"
    write_fingerprints(fingerprints_path(folder / "results"), fingerprints)


def figures_of(folder: Path, patients: int) -> dict[str, dict[str, float]]:
    """Wall and CPU seconds and memory of each step at this size."""
    write_study(folder, patients)
    copy_workflow(folder)
    dry = snakemake("--dry-run", "--quiet")
    figures = {"plan": measured(dry, folder)[0]}
    write_unit_tables(folder, patients)
    figures["aggregate"], _ = measured([sys.executable, __file__, "--aggregate", str(folder)], folder)
    write_ends(folder)
    measured(snakemake("--touch", "--forceall", "--quiet", "all"), folder)
    figures["no-op"], said = measured(dry, folder)
    if "Nothing to be done" not in said:
        raise RuntimeError(f"expected nothing to do:\n{said[-2000:]}")
    change_one_patient(folder, patients)
    figures["one changed"], said = measured(dry, folder)
    if not re.search(r"index.series\s+1\b", said):
        raise RuntimeError(f"expected one unit:\n{said[-2000:]}")
    return figures


def growth(results: Results, step: str, unit: str, of_last: int | None = None) -> float:
    """Exponent of the cost in the number of patients: the slope of the log-log line through the (last) sizes.

    Through all sizes the fixed cost of a start flattens the line; the last two sizes show where it goes.
    """
    sizes = sorted(results)[-(of_last or len(results)) :]
    return float(np.polyfit(np.log(sizes), np.log([results[size][step][unit] for size in sizes]), 1)[0])


def draw(results: Results, path: Path) -> None:
    """CPU seconds and memory against the number of patients, both axes logarithmic, with the fitted lines."""
    from matplotlib.figure import Figure

    from spongiosa.report.theme import BLUE, GREEN, PURPLE, VERMILLION, themed

    styles = ((BLUE, "o"), (GREEN, "s"), (PURPLE, "D"), (VERMILLION, "^"))
    sizes = np.array(sorted(results), dtype=float)
    with themed():
        figure = Figure(figsize=(8.6, 4.0), layout="constrained")
        for axis, unit, label in zip(
            figure.subplots(1, 2), ("cpu_s", "memory_mb"), ("CPU time [s]", "memory [MB]"), strict=True
        ):
            for step, (colour, marker) in zip(STEPS, styles, strict=True):
                values = [results[int(size)][step][unit] for size in sizes]
                slope, offset = np.polyfit(np.log(sizes), np.log(values), 1)
                label_of_step = f"{step}: {slope:.2f} (last two: {growth(results, step, unit, of_last=2):.2f})"
                axis.plot(sizes, values, marker, color=colour, label=label_of_step)
                axis.plot(sizes, np.exp(offset) * sizes**slope, "-", color=colour, linewidth=1)
            axis.set(xscale="log", yscale="log", xlabel="patients", ylabel=label)
            for scale in (axis.xaxis.set_major_formatter, axis.yaxis.set_major_formatter):
                scale("{x:,.0f}")
            axis.yaxis.set_minor_formatter("{x:,.0f}")
            axis.legend(title="exponent of growth", loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150, facecolor="white")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--patients", type=int, nargs="+", default=[1_000, 3_000, 10_000, 30_000, 100_000])
    parser.add_argument("--figure", type=Path, default=ROOT / "docs" / "images" / "scale.png")
    parser.add_argument("--aggregate", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.aggregate:
        aggregate(arguments.aggregate)
        return
    results: Results = {}
    for patients in arguments.patients:
        folder = arguments.folder.resolve() / str(patients)
        shutil.rmtree(folder, ignore_errors=True)
        results[patients] = figures_of(folder, patients)
        shutil.rmtree(folder)
        print(patients, json.dumps(results[patients]), flush=True)
    if len(results) > 1:
        for step in STEPS:
            all_sizes, last_two = (growth(results, step, "cpu_s", count) for count in (None, 2))
            print(f"{step}: CPU time grows with the power {all_sizes:.2f} of the patients ({last_two:.2f} at the end)")
        draw(results, arguments.figure)


if __name__ == "__main__":
    main()
