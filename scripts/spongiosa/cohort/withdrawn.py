"""Patients who withdrew, known by keyed hashes alone, so that a row left somewhere brings none of them back."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from spongiosa.cohort.clinical import id_column
from spongiosa.cohort.faults import Fault, InputFaults
from spongiosa.cohort.keys import ProjectKeys
from spongiosa.cohort.manifest import pseudonym
from spongiosa.cohort.tables import numbered_rows, read_user_table
from spongiosa.provenance import write_text

if TYPE_CHECKING:
    from spongiosa.config.root import Configuration


def withdrawn_path(output_dir: Path) -> Path:
    """Where the keyed hashes of patients who have withdrawn are kept."""
    return output_dir / "units" / "withdrawn"


def note_withdrawal(output_dir: Path, patient_id: str, keys: ProjectKeys) -> None:
    """Remember that the patient withdrew, as a keyed hash (HMAC-SHA256 by the project's secret)."""
    hashes = _read(output_dir) | {_hash_of(patient_id, keys)}
    write_text(withdrawn_path(output_dir), "".join(f"{value}\n" for value in sorted(hashes)))


def rows_of_withdrawn(configuration: Configuration, keys: ProjectKeys) -> list[Fault]:
    """One fault per row of the user's tables that names a patient who withdrew; ids are not repeated."""
    hashes = _read(Path(configuration.output_dir))
    return _rows_of(configuration, keys, lambda name: _hash_of(name, keys) in hashes) if hashes else []


def rows_of_patient(configuration: Configuration, keys: ProjectKeys, patient_id: str) -> list[Fault]:
    """One fault per row of the user's tables that names this patient, by their own id or by the pseudonym."""
    return _rows_of(configuration, keys, lambda name: name == patient_id)


def refuse_withdrawn(configuration: Configuration, keys: ProjectKeys) -> None:
    """Raises `InputFaults` while a table still names a patient who withdrew."""
    faults = rows_of_withdrawn(configuration, keys)
    if faults:
        raise InputFaults(faults)


def _rows_of(configuration: Configuration, keys: ProjectKeys, is_meant: Callable[[str], bool]) -> list[Fault]:
    faults = []
    for table, row, name in _names(configuration):
        names = {name} | ({pseudonym(name, keys.pseudonym_key)} if keys.pseudonym_key else set())
        if any(is_meant(one) for one in names if one):
            faults.append(Fault(table, row, "patient_id", "a patient who has withdrawn; take this row out."))
    return faults


def _names(configuration: Configuration) -> Iterator[tuple[str, int, str]]:
    """(table, row, patient id) of every row that a user wrote; subfolders of `cohort.dicom_root` in their order."""
    cohort, clinical = configuration.cohort, configuration.clinical
    if cohort.dicom_root is not None and Path(cohort.dicom_root).is_dir():
        folders = sorted(entry.name for entry in Path(cohort.dicom_root).iterdir() if entry.is_dir())
        for number, folder in enumerate(folders, start=1):
            yield "cohort.dicom_root, subfolders in the order of their names", number, folder
    tables = {
        "manifest": cohort.manifest,
        "clinical table": clinical.table,
        "screws": clinical.screws,
        "overrides": configuration.review.overrides,
        "screw axes": cohort.screw_axes,
        "readers": configuration.readers.table,
    }
    for name, path in tables.items():
        if path is None or not Path(path).is_file():
            continue
        table = read_user_table(Path(path), name)
        column = id_column(clinical, list(table.columns)) if name == "clinical table" else "patient_id"
        if column is not None and column in table.columns:
            yield from ((name, row, cells[column]) for row, cells in numbered_rows(table[[column]]))


def _read(output_dir: Path) -> set[str]:
    path = withdrawn_path(output_dir)
    return set(path.read_text(encoding="ascii").split()) if path.is_file() else set()


def _hash_of(patient_id: str, keys: ProjectKeys) -> str:
    return hmac.new(keys.secret, f"withdrawn\0{patient_id}".encode(), hashlib.sha256).hexdigest()
