"""What the main process hands to its jobs: the plan of every unit, and the name of the run.

A job of a cluster parses the workflow again.  It must not read the manifest of 100,000 scans for the 100 that it works
on, nor see a manifest that was edited since.  The hand-over lies in Snakemake's own folder, which holds the paths of
the inputs anyway, and not among the results: a path of a clinic can hold names of people.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from spongiosa.provenance import digest, write_text

#: Columns of a scan's row that a stage reads beside its identity; what is not listed here cannot make it run again.
COLUMNS_OF_STAGE: dict[str, tuple[str, ...]] = {
    "index_series": ("path", "image_fingerprint", "corrections"),
    "convert_scan": ("path",),
    "localise_vertebrae": ("labels", "body_labels", "label_scheme", "labels_fingerprint", "corrections"),
    "mask_regions": (),
    "extract_density": ("phantom",),
    "draw_review": (),
}

KnownScan = dict[str, Any]
"""All that any stage may know of a scan; `corrections` by stage."""


def scans_for_stage(scans: Iterable[KnownScan], stage: str) -> list[dict[str, Any]]:
    """What one stage may know of these scans: their identity and the columns of `COLUMNS_OF_STAGE`."""
    columns = ("patient_id", "session", "modality", *COLUMNS_OF_STAGE[stage])
    return [
        {column: scan["corrections"].get(stage, []) if column == "corrections" else scan[column] for column in columns}
        for scan in scans
    ]


@dataclass(frozen=True)
class RecordedPlan:
    """The plan of a run as its jobs see it; a unit is parsed when it is asked for."""

    path: Path

    @cached_property
    def _lines(self) -> dict[str, str]:
        """Name of a unit, or `cohort`, -> its JSON."""
        with self.path.open(encoding="utf-8") as handle:
            return {name: data for name, _, data in (line.partition("\t") for line in handle)}

    @property
    def units(self) -> list[str]:
        return [name for name in self._lines if name != "cohort"]

    def scan_count(self, unit: str) -> int:
        return len(json.loads(self._lines[unit]))

    def scans_for_stage(self, unit: str, stage: str) -> list[dict[str, Any]]:
        return scans_for_stage(json.loads(self._lines[unit]), stage)

    def cohort_overrides(self) -> list[dict[str, str]]:
        overrides: list[dict[str, str]] = json.loads(self._lines["cohort"])
        return overrides


def plan_path(output_dir: Path) -> Path:
    """Where the plan for the results in `output_dir` lies, below the folder in which Snakemake runs."""
    return Path(".snakemake") / "spongiosa" / f"plan-{digest(str(output_dir))}.tsv"


def write_plan(path: Path, scans_of_unit: Mapping[str, list[KnownScan]], overrides: list[dict[str, str]]) -> None:
    """Record the plan of all units in one file, whole or not at all."""
    lines = [f"cohort\t{json.dumps(overrides)}\n"]
    lines += [f"{unit}\t{json.dumps(scans)}\n" for unit, scans in scans_of_unit.items()]
    write_text(path, "".join(lines))


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
