"""What the main process hands to its jobs: the plan of every unit, and the name of the run.

A job of a cluster parses the workflow again.  It must not read the manifest of 100,000 scans for the 100 that it works
on, nor see a manifest that was edited since.  The hand-over lies in Snakemake's own folder, which holds the paths of
the inputs anyway, and not among the results: a path of a clinic can hold names of people.

Snakemake keeps the `params` of every job in memory and beside every output, so they carry a hash of the scans, and the
job reads the scans themselves from here.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from spongiosa.provenance import digest, write_text, written_whole

#: Columns of a scan's row that a stage reads beside its identity; what is not listed here cannot make it run again.
COLUMNS_OF_STAGE: dict[str, tuple[str, ...]] = {
    "index_series": ("path", "image_fingerprint", "corrections", "reference_day"),
    "convert_scan": ("path",),
    "localise_vertebrae": ("labels", "body_labels", "label_scheme", "labels_fingerprint", "corrections"),
    "mask_regions": ("screw_axes",),
    "extract_density": ("phantom", "scanner", "acquired"),
    "draw_review": (),
}

KnownScan = dict[str, Any]
"""All that any stage may know of a scan; `corrections` by stage."""

#: The file ends with the place of its index, in so many digits and a line end.
_PLACE_DIGITS = 20


class PlanChanged(Exception):
    """The plan is not the one for which a job was made."""


def scans_for_stage(scans: Iterable[KnownScan], stage: str) -> list[dict[str, Any]]:
    """What one stage may know of these scans: their identity and the columns of `COLUMNS_OF_STAGE`."""
    columns = ("patient_id", "session", "modality", *COLUMNS_OF_STAGE[stage])
    return [
        {column: scan["corrections"].get(stage, []) if column == "corrections" else scan[column] for column in columns}
        for scan in scans
    ]


def hash_of_scans(scans: list[KnownScan], stage: str) -> str:
    """Hash over all that one stage may know of these scans; when it changes, the stage runs again for their unit."""
    return digest([list(scan.values()) for scan in scans_for_stage(scans, stage)])


@dataclass(frozen=True)
class RecordedPlan:
    """The plan of a run as its jobs see it; of a unit only what is asked for is read."""

    path: Path

    @cached_property
    def _index(self) -> dict[str, list[int]]:
        """Name of a unit, or `cohort`, -> first byte, bytes and number of scans."""
        with self.path.open("rb") as handle:
            handle.seek(-_PLACE_DIGITS - 1, 2)
            handle.seek(int(handle.read()))
            index: dict[str, list[int]] = json.loads(handle.readline())
            return index

    def _part(self, name: str) -> Any:
        first, length, _ = self._index[name]
        with self.path.open("rb") as handle:
            handle.seek(first)
            return json.loads(handle.read(length))

    @property
    def units(self) -> list[str]:
        return [name for name in self._index if name != "cohort"]

    def scan_count(self, unit: str) -> int:
        return self._index[unit][2]

    def has_labels(self, unit: str) -> bool:
        return any(scan["labels"] for scan in self._part(unit))

    def scans_for_stage(self, unit: str, stage: str) -> list[dict[str, Any]]:
        return scans_for_stage(self._part(unit), stage)

    def hash_of_scans(self, unit: str, stage: str) -> str:
        return hash_of_scans(self._part(unit), stage)

    def cohort_overrides(self) -> list[dict[str, str]]:
        overrides: list[dict[str, str]] = self._part("cohort")
        return overrides


def plan_path(output_dir: Path) -> Path:
    """Where the plan for the results in `output_dir` lies, below the folder in which Snakemake runs."""
    return Path(".snakemake") / "spongiosa" / f"plan-{digest(str(output_dir))}.jsonl"


def write_plan(
    path: Path, scans_of_units: Iterable[tuple[str, list[KnownScan]]], overrides: list[dict[str, str]]
) -> None:
    """Record the plan of all units in one file, whole or not at all: a line per unit, an index, and its place."""
    index: dict[str, list[int]] = {}
    with written_whole(path) as part, part.open("wb") as handle:
        for name, content in (("cohort", overrides), *scans_of_units):
            line = json.dumps(content).encode()
            index[name] = [handle.tell(), len(line), len(content)]
            handle.write(line + b"\n")
        place = handle.tell()
        handle.write(f"{json.dumps(index)}\n{place:0{_PLACE_DIGITS}d}\n".encode())


def scans_of_job(output_dir: Path, unit: str, stage: str, expected_hash: str) -> list[dict[str, Any]]:
    """The scans of a job, from the plan of the run at work.

    Raises `PlanChanged` when they are not those for which the job was made: another run has begun since.
    """
    plan = RecordedPlan(plan_path(output_dir))
    if unit not in plan.units or plan.hash_of_scans(unit, stage) != expected_hash:
        raise PlanChanged(f"The plan of unit {unit} was changed by a later run before {stage} began; run again.")
    return plan.scans_for_stage(unit, stage)


def name_run(output_dir: Path) -> None:
    """Give the run that begins a name of its own, so that a job can tell an earlier try of this run from other runs."""
    write_text(_run_path(output_dir), uuid.uuid4().hex + "\n")


def run_name(output_dir: Path) -> str:
    """The name of the run at work in `output_dir`; empty where no run was begun."""
    try:
        return _run_path(output_dir).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _run_path(output_dir: Path) -> Path:
    return output_dir / "units" / "run_name"
