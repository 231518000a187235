"""The manifest: one row per scan, or the subfolders of a DICOM root."""

from __future__ import annotations

import difflib
import hashlib
import hmac
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from spongiosa.cohort.faults import Fault, InputFaults
from spongiosa.cohort.secret import project_secret
from spongiosa.cohort.tables import numbered_rows, read_user_table
from spongiosa.config.cohort import PROJECT_SECRET

if TYPE_CHECKING:
    import pandas as pd

    from spongiosa.config.cohort import CohortSettings

MODALITIES = ("ct", "mr")
LABEL_SCHEMES = ("verse", "totalsegmentator", "spineps")
COLUMNS = (
    *("patient_id", "session", "modality", "path", "labels", "body_labels", "label_scheme"),
    *("phantom", "scanner", "acquired"),
)

_LETTERS_AND_DIGITS = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, order=True, slots=True)
class ScanRow:
    """One scan of the cohort; absent values are None.

    Relative paths start from where the run is started, so that a project that moves as a whole stays as it is.
    """

    patient_id: str
    session: str
    modality: str
    path: str
    labels: str | None = None
    body_labels: str | None = None
    label_scheme: str | None = None
    phantom: str | None = None
    scanner: str | None = None
    acquired: str | None = None

    @property
    def scan_id(self) -> tuple[str, str, str]:
        return (self.patient_id, self.session, self.modality)


def read_cohort(settings: CohortSettings, phantoms: Collection[str] | None = None) -> list[ScanRow]:
    """All scans, sorted by patient, session and modality.

    `phantoms` are the names that the column `phantom` may hold; None where no scan is calibrated by one.
    Raises `InputFaults` with every fault of the manifest.  Whether the images exist is not asked here: a missing image
    is a result of the first stage and not a reason to refuse the cohort.  Merged sites have no scans of their own.
    """
    if settings.sites:
        return []
    if settings.manifest is not None:
        rows = _rows_of_manifest(Path(settings.manifest), phantoms)
    else:
        rows = _rows_of_dicom_root(Path(str(settings.dicom_root)))
    if settings.pseudonymise is not None:
        rows = _pseudonymised(rows, Path(settings.pseudonymise))
    return sorted(rows)


def _rows_of_dicom_root(root: Path) -> list[ScanRow]:
    if not root.is_dir():
        raise InputFaults([Fault("cohort.dicom_root", None, None, f"the folder {root} does not exist.")])
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    faults = [
        Fault("cohort.dicom_root", None, None, f"the folder name '{folder.name}' is not letters and digits only.")
        for folder in folders
        if not _LETTERS_AND_DIGITS.fullmatch(folder.name)
    ]
    if not folders:
        faults.append(Fault("cohort.dicom_root", None, None, f"the folder {root} has no subfolders (patients)."))
    if faults:
        raise InputFaults(faults)
    return [ScanRow(folder.name, "preop", "ct", str(folder)) for folder in folders]


def _rows_of_manifest(path: Path, phantoms: Collection[str] | None) -> list[ScanRow]:
    table = read_user_table(path, "manifest")
    faults = _column_faults(table)
    if not faults and table.empty:
        faults = [Fault("manifest", None, None, "the table has no rows.")]
    if faults:
        raise InputFaults(faults)
    rows: list[ScanRow] = []
    first_row_of: dict[tuple[str, str, str], int] = {}
    for number, cells in numbered_rows(table):
        row_faults = _row_faults(number, cells, phantoms)
        if row_faults:
            faults += row_faults
            continue
        row = _scan_row(cells, str(path.parent))
        if row.scan_id in first_row_of:
            sentence = (
                f"the scan {row.patient_id}, {row.session}, {row.modality} stands in row {first_row_of[row.scan_id]} "
                "already; patient_id, session and modality must be unique together."
            )
            faults.append(Fault("manifest", number, "patient_id", sentence))
        first_row_of.setdefault(row.scan_id, number)
        rows.append(row)
    if faults:
        raise InputFaults(faults)
    return rows


def _column_faults(table: pd.DataFrame) -> list[Fault]:
    faults = []
    for column in table.columns:
        if column not in COLUMNS:
            nearest = difflib.get_close_matches(column, COLUMNS, n=1)
            hint = f"; did you mean '{nearest[0]}'?" if nearest else f"; known are {', '.join(COLUMNS)}."
            faults.append(Fault("manifest", 1, column, f"unknown column{hint}"))
    faults += [
        Fault("manifest", 1, column, "this column is required.")
        for column in ("patient_id", "path")
        if column not in table.columns
    ]
    return faults


def _row_faults(number: int, cells: dict[str, str], phantoms: Collection[str] | None) -> list[Fault]:
    faults = []

    def fault(column: str, sentence: str) -> None:
        faults.append(Fault("manifest", number, column, sentence))

    if not _LETTERS_AND_DIGITS.fullmatch(cells["patient_id"]):
        fault("patient_id", f"'{cells['patient_id']}' is not letters and digits only.")
    if cells.get("session", "") and not _LETTERS_AND_DIGITS.fullmatch(cells["session"]):
        fault("session", f"'{cells['session']}' is not letters and digits only (preop, postop, followup, ...).")
    if cells.get("modality", "") not in ("", *MODALITIES):
        fault("modality", f"'{cells['modality']}' is not one of {', '.join(MODALITIES)}.")
    if not cells["path"]:
        fault("path", "the path is empty.")
    scheme = cells.get("label_scheme", "")
    if scheme and scheme not in LABEL_SCHEMES and Path(scheme).suffix not in (".yaml", ".yml"):
        fault("label_scheme", f"'{scheme}' is neither {', '.join(LABEL_SCHEMES)} nor a .yaml file.")
    if cells.get("labels", "") and not scheme:
        fault("label_scheme", "a row with labels needs a label_scheme.")
    if cells.get("acquired", "") and not _is_day(cells["acquired"]):
        fault("acquired", f"'{cells['acquired']}' is not a day such as 2025-03-31.")
    if phantoms is not None and cells.get("phantom", "") not in ("", *phantoms):
        fault("phantom", f"'{cells['phantom']}' is not one of {', '.join(sorted(phantoms))}.")
    if cells.get("body_labels", "") and not cells.get("labels", ""):
        fault("body_labels", "body_labels are numbered from labels, which are missing in this row.")
    return faults


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _scan_row(cells: dict[str, str], folder: str) -> ScanRow:
    def located(column: str) -> str | None:
        # Plain strings: a Path for each of 100,000 rows costs seconds at every start.
        return os.path.normpath(os.path.join(folder, cells[column])) if cells.get(column) else None  # noqa: PTH118

    scheme = cells.get("label_scheme") or None
    if scheme is not None and scheme not in LABEL_SCHEMES:
        scheme = located("label_scheme")
    return ScanRow(
        patient_id=cells["patient_id"],
        session=cells.get("session") or "preop",
        modality=cells.get("modality") or "ct",
        path=str(located("path")),
        labels=located("labels"),
        body_labels=located("body_labels"),
        label_scheme=scheme,
        phantom=cells.get("phantom") or None,
        scanner=cells.get("scanner") or None,
        acquired=cells.get("acquired") or None,
    )


def read_pseudonym_key(path: Path) -> bytes:
    """The secret of the keyed hash: the content of a file, or the project's secret for the word `project`.

    Raises `InputFaults` when the file is missing or the key is too short.
    """
    if str(path) == PROJECT_SECRET:
        secret = project_secret(None)
        if secret is None:
            raise InputFaults([Fault("cohort.pseudonymise", None, None, "the project has no secret yet.")])
        return secret
    if not path.is_file():
        raise InputFaults([Fault("cohort.pseudonymise", None, None, f"the key file {path} does not exist.")])
    key = path.read_bytes().strip()
    if len(key) < 16:
        raise InputFaults([Fault("cohort.pseudonymise", None, None, "the key must have at least 16 characters.")])
    return key


def pseudonym(patient_id: str, key: bytes) -> str:
    """Keyed hash of a patient id: HMAC-SHA256, first 12 hex digits (RFC 2104)."""
    return hmac.new(key, patient_id.encode(), hashlib.sha256).hexdigest()[:12]


def _pseudonymised(rows: list[ScanRow], key_file: Path) -> list[ScanRow]:
    from dataclasses import replace

    key = read_pseudonym_key(key_file)
    return [replace(row, patient_id=pseudonym(row.patient_id, key)) for row in rows]
