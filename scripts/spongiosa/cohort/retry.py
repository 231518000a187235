"""Trying failed scans again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spongiosa.cohort.scan import Scan
from spongiosa.cohort.store import Store
from spongiosa.outcome import Status
from spongiosa.provenance import read_tables


def forget_failed(output_dir: Path, units: Iterable[str]) -> int:
    """Remove the stage tables, records and marks of failed scans; returns how many scans had failed.

    Only the stage at which a scan failed and its unit's tables from there on are touched; every other scan of the unit
    is current in the store and is not computed again.
    """
    failed_scans = set()
    for unit in units:
        for table in sorted((output_dir / "units" / unit).glob("*.parquet")):
            rows = read_tables([table])
            if "left_at" not in rows.columns:
                continue
            failed = rows[(rows["status"] == Status.FAILED) & (rows["left_at"] == table.stem)]
            for patient_id, session, modality in failed[["patient_id", "session", "modality"]].astype(str).to_numpy():
                store = Store(Scan(patient_id, session, modality, output_dir, {}), table.stem)
                store.record_path.unlink(missing_ok=True)
                store.mark_path.unlink(missing_ok=True)
                failed_scans.add((patient_id, session, modality))
            if len(failed):
                table.unlink()
    return len(failed_scans)
