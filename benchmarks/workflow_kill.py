"""Random SIGKILLs over a small run: what is lost, what is computed twice, who is blamed.

    python benchmarks/workflow_kill.py --folder build/kills --kills 30 --seed 1

A synthetic cohort is run once undisturbed.  Then it is run again and again, each time until a seeded moment at which
one of three victims gets SIGKILL: the controller alone (its jobs go on without it), the whole process group, or one
job.  After every kill the same command is given again; when a run comes to its end, its results are held against the
undisturbed ones byte by byte, thrown away, and the next round begins.  Results of scans that were complete before a
kill must be the same files, untouched, after it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml

from spongiosa.provenance import file_digest

ROOT = Path(__file__).resolve().parents[1]
VICTIMS = ("controller", "group", "job")


def write_study(folder: Path, patients: int) -> None:
    """Small synthetic patients with true labels, and the configuration of a study over them."""
    spec = importlib.util.spec_from_file_location("workflow_project", ROOT / "tests" / "workflow" / "conftest.py")
    assert spec is not None and spec.loader is not None
    project = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = project
    spec.loader.exec_module(project)
    for number in range(1, patients + 1):
        project.make_patient(folder / "input", f"P{number}", number, 60.0 + 20.0 * number)
    project.Project(folder).write_manifest([f"P{number}" for number in range(1, patients + 1)])
    cohort = {"manifest": "input/manifest.tsv", "patients_per_job": 2}
    (folder / "study.yaml").write_text(yaml.safe_dump({"cohort": cohort, "output_dir": "results"}), encoding="utf-8")
    for name in ("Snakefile", "rules", "scripts", "profiles", "config", "envs"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The command of a user, in a process group of its own."""
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", "2"]
    return subprocess.Popen(
        [*command, "--workflow-profile", "profiles/default"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "scripts")},
        stdout=(folder / "controller.log").open("ab"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def running_jobs(folder: Path) -> list[int]:
    """Processes that run a stage of this folder."""
    scripts = f"{folder}/.snakemake/scripts/".encode()
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes()
                is_python = b"python" in (process / "cmdline").read_bytes().split(b"\0")[0]
            except OSError:
                continue
            if scripts in command and is_python:
                found.append(int(process.name))
    return sorted(found)


def result_digests(folder: Path) -> dict[str, str]:
    files = [path for name in ("cohort", "studies") for path in (folder / "results" / name).rglob("*")]
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in sorted(files) if path.is_file()}


def complete_results(folder: Path) -> dict[Path, int]:
    """Record of each scan and stage that is done -> when it was written."""
    return {path: path.stat().st_mtime_ns for path in (folder / "results").glob("sub-*/*/*/.spongiosa/*.json")}


@dataclass
class Tally:
    """What the kills did."""

    kills: Counter[str] = field(default_factory=Counter)
    moments: list[str] = field(default_factory=list)
    finished_rounds: int = 0
    computed_twice: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    blamed: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    bad_ends: int = 0

    @property
    def is_clean(self) -> bool:
        return not (
            self.computed_twice or self.lost or self.blamed or self.different or self.leftovers or self.bad_ends
        )

    def compare_records(self, before: dict[Path, int], after: dict[Path, int]) -> None:
        for path, written in before.items():
            name = f"{path.parents[3].name} {path.stem}"
            if path not in after:
                self.lost.append(name)
            elif after[path] != written:
                self.computed_twice.append(name)

    def print(self) -> None:
        kinds = ", ".join(f"{self.kills[victim]} {victim}" for victim in VICTIMS)
        print(f"kills: {self.kills.total()} ({kinds}); complete rounds: {self.finished_rounds}")
        print(f"ends with another status than 0: {self.bad_ends}")
        print(f"results computed again after they were complete: {len(self.computed_twice)} {self.computed_twice}")
        print(f"results lost: {len(self.lost)} {self.lost}")
        print(f"healthy scans blamed: {len(self.blamed)} {self.blamed}")
        print(f"files under cohort/ and studies/ that differ: {len(self.different)} {self.different}")
        print(f"temporary files that killed writers left: {len(self.leftovers)} {self.leftovers}")


def kill(victim: str, controller: subprocess.Popen[bytes], jobs: list[int], chance: random.Random) -> None:
    """SIGKILL to the victim."""
    if victim == "controller":
        controller.kill()
    elif victim == "group":
        os.killpg(controller.pid, signal.SIGKILL)
    else:
        os.kill(chance.choice(jobs), signal.SIGKILL)


def torment(folder: Path, kills: int, seed: int) -> Tally:
    """Kill and resume until `kills` have been dealt and the last round has come to its end."""
    chance = random.Random(seed)
    tally = Tally()
    began = time.monotonic()
    assert start(folder).wait() == 0, (folder / "controller.log").read_text(encoding="utf-8")
    undisturbed, duration_s = result_digests(folder), time.monotonic() - began
    print(f"undisturbed: {duration_s:.0f} s, {len(undisturbed)} files", flush=True)
    forget(folder)
    before: dict[Path, int] = {}
    while True:
        controller = start(folder)
        if tally.kills.total() < kills and not ended_within(controller, chance.uniform(0.02, 0.6) * duration_s):
            victim = chance.choice(VICTIMS)
            jobs = running_jobs(folder)
            victim = victim if jobs or victim != "job" else "group"
            before = complete_results(folder)
            kill(victim, controller, jobs, chance)
            tally.kills[victim] += 1
            print(f"kill {tally.kills.total()}: {victim}, {len(before)} results complete", flush=True)
            if victim != "job":
                controller.wait()
                continue
        tally.bad_ends += controller.wait() != 0
        tally.compare_records(before, complete_results(folder))
        before = {}
        scans = pd.read_parquet(folder / "results" / "cohort" / "scans.parquet")
        tally.blamed += scans.loc[scans["status"] == "failed", "patient_id"].tolist()
        now = result_digests(folder)
        tally.different += [name for name in undisturbed.keys() | now.keys() if undisturbed.get(name) != now.get(name)]
        tally.leftovers += [path.name for path in (folder / "results").rglob(".writing-*")]
        tally.finished_rounds += 1
        if tally.kills.total() >= kills:
            return tally
        forget(folder)


def ended_within(controller: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        controller.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def forget(folder: Path) -> None:
    shutil.rmtree(folder / "results")
    shutil.rmtree(folder / ".snakemake")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="an empty or absent folder for the study")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--patients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True)
    write_study(folder, arguments.patients)
    tally = torment(folder, arguments.kills, arguments.seed)
    tally.print()
    return 0 if tally.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
