"""The tables beside the clinical one, looked at before anything runs: readers and single screws."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from spongiosa.cohort.faults import Fault, InputFaults
from spongiosa.cohort.manifest import ScanRow, read_pseudonym_key

if TYPE_CHECKING:
    from spongiosa.config.root import Configuration


def check_tables_beside(configuration: Configuration, rows: Collection[ScanRow]) -> None:
    """Read what the configuration names.  Raises `InputFaults` with the faults of all these tables together."""
    from spongiosa.cohort.reader_table import read_readers
    from spongiosa.cohort.screw_table import read_screws

    key_file = configuration.cohort.pseudonymise
    key = read_pseudonym_key(Path(key_file)) if key_file else None
    faults: list[Fault] = []
    if configuration.readers.table is not None:
        try:
            read_readers(Path(configuration.readers.table), {row.scan_id for row in rows}, key)
        except InputFaults as found:
            faults += found.faults
    if configuration.clinical.screws is not None:
        patients = {row.patient_id for row in rows}
        lenient = configuration.clinical.allow_unmatched
        try:
            read_screws(Path(configuration.clinical.screws), patients, key, allow_unmatched=lenient)
        except InputFaults as found:
            faults += found.faults
    if faults:
        raise InputFaults(faults)
