"""The keyed store: what a stage made of a scan, from which inputs, settings and code.

One record per scan and stage lies beside the scan's outputs.  Its key is a hash over the key of the stage before, the
scan's own inputs, the stage's settings and the stage's code; a record whose key fits and whose outputs are whole is
current and is not computed again.

A mark written before the work and removed after it tells at which scan a process died.  Whether the scan is to blame,
the mark cannot know: a process may as well be killed from outside, with its whole run.  So deaths are counted by run.
Two within one run (Snakemake tried the job again and it died at the same scan again) make the scan `failed`.  A run
that itself was killed and started again counts anew, so that no number of such kills blames a healthy scan while other
work goes on; but where `FATAL_RUNS` runs have died at the same scan, one after the other, the scan takes down whatever
runs it, or can never be finished in the time that runs are given, and is passed over as well.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spongiosa.cohort.kept import lies_as_kept
from spongiosa.cohort.scan import Scan
from spongiosa.outcome import Status
from spongiosa.provenance import write_json

#: A scan at which the process died this often within one run is recorded as failed and passed over.
FATAL_STARTS = 2

#: As is one at which the process died in this many runs.
FATAL_RUNS = 5


@dataclass(frozen=True)
class Record:
    """How a scan left a stage."""

    stage: str
    key: str
    status: Status
    reason: str | None = None
    detail: str | None = None
    left_at: str | None = None
    flags: list[str] = field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    peak_memory_mb: float = 0.0


@dataclass(frozen=True)
class Store:
    """Records and marks of one stage of one scan."""

    scan: Scan
    stage: str

    @property
    def record_path(self) -> Path:
        return self.scan.folder / ".spongiosa" / f"{self.stage}.json"

    @property
    def mark_path(self) -> Path:
        return self.scan.folder / ".spongiosa" / f"{self.stage}.started"

    def read(self) -> Record | None:
        """The record, or None when there is none or it cannot be read."""
        try:
            data = json.loads(self.record_path.read_text(encoding="utf-8"))
            return Record(**(data | {"status": Status(data["status"])}))
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def current(self, key: str) -> Record | None:
        """The record if it was made with this key, did not fail, and all its outputs are there in full size.

        A scan that `convert.keep` cut down or removed counts as there: it is made again when a stage needs it.
        """
        record = self.read()
        if record is None or record.key != key or record.status is Status.FAILED:
            return None
        for relative, facts in record.outputs.items():
            path = self.scan.output_dir / relative
            is_whole = path.is_file() and path.stat().st_size == facts["bytes"]
            if not is_whole and not lies_as_kept(self.scan, path, facts):
                return None
        return record

    def write(self, record: Record) -> None:
        """Store the record, remove outputs of an earlier record that it no longer names, and the mark."""
        earlier = self.read()
        if earlier is not None:
            for relative in earlier.outputs.keys() - record.outputs.keys():
                (self.scan.output_dir / relative).unlink(missing_ok=True)
        write_json(self.record_path, asdict(record))
        self.mark_path.unlink(missing_ok=True)

    def deaths(self, key: str) -> dict[str, int]:
        """Run -> how often work with this key was begun in it and neither finished nor given up in an orderly way."""
        try:
            data = json.loads(self.mark_path.read_text(encoding="utf-8"))
            return dict(data["starts"]) if data["key"] == key else {}
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return {}

    def is_fatal(self, key: str, run: str) -> bool:
        """Whether work with this key has taken its process down too often to be tried again."""
        deaths = self.deaths(key)
        return deaths.get(run, 0) >= FATAL_STARTS or len(deaths) >= FATAL_RUNS

    def mark_started(self, key: str, run: str) -> None:
        """Say that work with this key begins in the named run."""
        deaths = self.deaths(key)
        write_json(self.mark_path, {"key": key, "starts": deaths | {run: deaths.get(run, 0) + 1}})

    def withdraw_mark(self, key: str, run: str) -> None:
        """Undo `mark_started`: the process did not die of this scan."""
        deaths = self.deaths(key)
        deaths[run] = deaths.get(run, 0) - 1
        deaths = {name: count for name, count in deaths.items() if count > 0}
        if deaths:
            write_json(self.mark_path, {"key": key, "starts": deaths})
        else:
            self.mark_path.unlink(missing_ok=True)
