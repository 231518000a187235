"""The keyed store: what a stage made of a scan, from which inputs, settings and code.

One record per scan and stage lies beside the scan's outputs.  Its key is a hash over the key of the stage before, the
scan's own inputs, the stage's settings and the stage's code; a record whose key fits and whose outputs are whole is
current and is not computed again.  A mark written before the work and removed after it tells who was being worked on
when a process died.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spongiosa.cohort.scan import Scan
from spongiosa.outcome import Status
from spongiosa.provenance import write_json

#: A scan that took its process down this often is recorded as failed and passed over.
FATAL_STARTS = 2


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
        """The record if it was made with this key, did not fail, and all its outputs are there in full size."""
        record = self.read()
        if record is None or record.key != key or record.status is Status.FAILED:
            return None
        for relative, facts in record.outputs.items():
            path = self.scan.output_dir / relative
            if not path.is_file() or path.stat().st_size != facts["bytes"]:
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

    def starts(self, key: str) -> int:
        """How often work with this key was begun and neither finished nor given up in an orderly way."""
        try:
            data = json.loads(self.mark_path.read_text(encoding="utf-8"))
            return int(data["starts"]) if data["key"] == key else 0
        except (FileNotFoundError, ValueError, KeyError):
            return 0

    def mark_started(self, key: str) -> None:
        """Say that work with this key begins."""
        write_json(self.mark_path, {"key": key, "starts": self.starts(key) + 1})

    def withdraw_mark(self, key: str) -> None:
        """Undo `mark_started`: the process was asked to stop and did not die of this scan."""
        starts = self.starts(key) - 1
        if starts > 0:
            write_json(self.mark_path, {"key": key, "starts": starts})
        else:
            self.mark_path.unlink(missing_ok=True)
