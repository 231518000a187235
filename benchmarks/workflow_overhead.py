"""What a run costs beside the work of its stages, and how well it uses its cores.

    python -m spongiosa.synthetic demo --output build/cohort64 --matrix full --patients 64 --jobs 2
    python benchmarks/workflow_overhead.py --cohort build/cohort64 --folder build/overhead --cores 2 --one-core-too

Runs the real workflow, from DICOM to report, over a prepared cohort of the demo.  Stage work is the time within the
stage functions (`seconds` of every scan in units/*/<stage>.parquet) and within the scripts of the cohort (their
benchmark files), both without imports.  Everything else that the cores are held for is overhead: Snakemake, starts of
processes, imports, waiting for the last job of a wave.  Imports are timed in every process by a `sitecustomize` of this
benchmark.  Run it on an otherwise idle machine: all times are wall times.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = ("Snakefile", "rules", "scripts", "profiles", "config", "envs")

#: Times the outermost import statements of a process, and tells those within the stage function from the others.
SITECUSTOMIZE = """
import atexit, builtins, json, os, sys, threading, time

plain_import, inside, seconds = builtins.__import__, threading.local(), {"in_stage": 0.0, "before": 0.0}

def is_in_stage():
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "_computed" and frame.f_code.co_filename.endswith("runner.py"):
            return True
        frame = frame.f_back
    return False

def timed_import(name, *arguments, **named):
    if getattr(inside, "an_import", False):
        return plain_import(name, *arguments, **named)
    inside.an_import, began = True, time.perf_counter()
    try:
        return plain_import(name, *arguments, **named)
    finally:
        inside.an_import, took = False, time.perf_counter() - began
        if took > 1e-4:
            seconds["in_stage" if is_in_stage() else "before"] += took

def write():
    with open(os.environ["IMPORT_TIMES"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"script": os.path.basename(sys.argv[0])} | seconds) + "\\n")

if "IMPORT_TIMES" in os.environ:
    builtins.__import__ = timed_import
    atexit.register(write)
"""


@dataclass(frozen=True)
class RunCost:
    """One run of the workflow."""

    wall_s: float
    cpu_s: float
    cores: int
    rules: pd.DataFrame
    """By rule: jobs, job_s (held cores), imports_s, work_s."""

    @property
    def work_s(self) -> float:
        return float(self.rules["work_s"].sum())

    @property
    def overhead_share(self) -> float:
        """The share of the time for which the cores are held that is not stage work, idle cores included."""
        return 1.0 - self.work_s / (self.cores * self.wall_s)

    def describe(self) -> str:
        lines = [
            self.rules.round(1).to_string(),
            f"cores {self.cores}; wall {self.wall_s:.1f} s; CPU {self.cpu_s:.1f} s; stage work {self.work_s:.1f} s",
            f"imports: {self.rules['imports_s'].sum():.1f} s in the jobs",
            f"not stage work: {self.overhead_share:.1%} of {self.cores} x wall",
        ]
        return "\n".join(lines)


def write_project(folder: Path, cohort: Path, patients_per_job: int) -> None:
    """A copy of the workflow and the demo's study over the prepared cohort."""
    folder.mkdir(parents=True)
    for name in WORKFLOW:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)
    study = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text(encoding="utf-8"))
    study["output_dir"] = "results"
    study["cohort"] = {"manifest": str(cohort / "manifest.tsv"), "patients_per_job": patients_per_job}
    study["clinical"]["table"] = str(cohort / "clinical.csv")
    (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    (folder / "timing").mkdir()
    (folder / "timing" / "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")


def run(folder: Path, cores: int) -> RunCost:
    """Run the study of the folder from nothing.  Raises `RuntimeError` with the end of its output when it fails."""
    import_times = folder / "import_times.jsonl"
    for path in (folder / "results", folder / ".snakemake"):
        shutil.rmtree(path, ignore_errors=True)
    import_times.unlink(missing_ok=True)
    paths = os.pathsep.join([str(folder / "timing"), str(folder / "scripts")])
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", str(cores)]
    began, log = time.monotonic(), folder / f"run_on_{cores}.log"
    with log.open("wb") as said:
        controller = subprocess.Popen(
            [*command, "--workflow-profile", "profiles/default"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": paths, "IMPORT_TIMES": str(import_times)},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(controller.pid, 0)
    wall_s = time.monotonic() - began
    if status != 0:
        raise RuntimeError(log.read_text(encoding="utf-8")[-3000:])
    rules = cost_of_rules(folder / "results", import_times)
    return RunCost(wall_s, usage.ru_utime + usage.ru_stime, cores, rules)


def cost_of_rules(results: Path, import_times: Path) -> pd.DataFrame:
    """By rule: its jobs, the seconds for which they held a core, those of imports, and those of stage work."""
    processes = pd.DataFrame([json.loads(line) for line in import_times.read_text(encoding="utf-8").splitlines()])
    processes["rule"] = processes["script"].str.extract(r"^tmp\w+\.(\w+)\.py$", expand=False)
    imports = processes.dropna(subset="rule").groupby("rule")[["in_stage", "before"]].sum()
    rows = {}
    for rule in imports.index:
        files = sorted((results / "benchmarks").glob(f"{rule}/*.tsv")) or [results / "benchmarks" / f"{rule}.tsv"]
        job_s = sum(pd.read_csv(file, sep="\t")["s"].sum() for file in files)
        imports_s = float(imports.loc[rule].sum())
        tables = sorted((results / "units").glob(f"*/{rule}.parquet"))
        if tables:
            work_s = sum(seconds_of_stage(table) for table in tables) - float(imports.loc[rule, "in_stage"])
        else:
            work_s = job_s - imports_s
        rows[rule] = {"jobs": len(files), "job_s": job_s, "imports_s": imports_s, "work_s": work_s}
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("job_s", ascending=False)


def seconds_of_stage(table: Path) -> float:
    return float(pd.read_parquet(table, columns=["seconds"])["seconds"].sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohort", type=Path, required=True, help="folder that `spongiosa.synthetic demo` wrote")
    parser.add_argument("--folder", type=Path, required=True, help="a folder for the project; emptied first")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--patients-per-job", type=int, default=16)
    parser.add_argument("--one-core-too", action="store_true", help="a second run on one core: the parallel efficiency")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    write_project(folder, arguments.cohort.resolve(), arguments.patients_per_job)
    parallel = run(folder, arguments.cores)
    print(parallel.describe(), flush=True)
    if arguments.one_core_too:
        alone = run(folder, 1)
        print(alone.describe())
        efficiency = alone.wall_s / (arguments.cores * parallel.wall_s)
        work = alone.work_s / (arguments.cores * parallel.wall_s)
        print(f"parallel efficiency: {efficiency:.3f} of the whole run, {work:.3f} of the stage work on one core")


if __name__ == "__main__":
    main()
