"""A patient withdraws: `python -m spongiosa.cohort.withdrawal PATIENT --configfile my_study.yaml`.

Removes every trace of the patient from the results and from Snakemake's records, and proves it by a search through
every byte that is left (exit status 0: nothing was found).  What was computed of all patients together (tables of the
cohort, studies, report) is removed and made anew by the next run, which computes no image again.  The inputs are the
user's: the command says which rows of which tables still name the patient, and no run begins while one does.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import yaml

from spongiosa.cohort.faults import Fault, InputFaults
from spongiosa.cohort.handover import RecordedPlan, plan_path
from spongiosa.cohort.keys import ProjectKeys, ready_keys
from spongiosa.cohort.lock import Busy, take
from spongiosa.cohort.manifest import pseudonym
from spongiosa.cohort.plan import fingerprints_path, units_path
from spongiosa.cohort.traces import Search, Sought, search
from spongiosa.cohort.units import HEADER, read_units
from spongiosa.cohort.withdrawn import note_withdrawal, rows_of_patient
from spongiosa.config.loading import ConfigurationError, load_configuration
from spongiosa.provenance import write_text

if TYPE_CHECKING:
    from spongiosa.config.root import Configuration

#: What is made of all patients together, and anew by the next run.
OF_ALL_PATIENTS = ("cohort", "studies", "report", "run.json")

SNAKEMAKE = Path(".snakemake")

#: Snakemake's records and logs: a file of these that names the patient is removed.
_RECORDS = (
    *("auxiliary", "incomplete", "iocache", "locks", "log"),
    *("metadata", "scripts", "shadow", "slurm_logs", "spongiosa"),
)


@dataclass(frozen=True)
class Withdrawal:
    """What a withdrawal removed, what it found afterwards, and the rows of the user's tables that name the patient."""

    removed: list[str]
    search: Search
    rows: list[Fault]

    @property
    def is_proven(self) -> bool:
        return not self.search.traces


def withdraw(configuration: Configuration, patient: str) -> Withdrawal:
    """Remove the patient, named by the user's own id or by the pseudonym of the outputs, and search for what is left.

    To be called where Snakemake runs.  Raises `InputFaults` when a run is at work in the results.
    """
    output_dir = Path(configuration.output_dir)
    keys = ready_keys(configuration.cohort, output_dir)
    lock = _lock(output_dir)
    try:
        patient_id = _id_in_outputs(patient, output_dir, keys)
        sought = _sought(patient, patient_id, output_dir)
        rows = rows_of_patient(configuration, keys, patient_id)
        found = search([output_dir, SNAKEMAKE], sought)
        if found.traces or rows:
            note_withdrawal(output_dir, patient_id, keys)
        if not found.traces:  # withdrawn before, never measured, or mistyped: what belongs to others stays
            return Withdrawal([], found, rows)
        removed = list(_remove(patient_id, output_dir, sought))
        return Withdrawal(removed, search([output_dir, SNAKEMAKE], sought), rows)
    finally:
        if lock is not None:
            lock.close()


def _lock(output_dir: Path) -> IO[str] | None:
    try:
        return take(output_dir / "units" / ".run.lock")
    except Busy:
        sentence = f"a run is at work in {output_dir}; wait for its end, then withdraw the patient."
        raise InputFaults([Fault("output_dir", None, None, sentence)]) from None


def _id_in_outputs(patient: str, output_dir: Path, keys: ProjectKeys) -> str:
    if keys.pseudonym_key is None or patient in read_units(units_path(output_dir)):
        return patient
    return pseudonym(patient, keys.pseudonym_key)


def _sought(patient: str, patient_id: str, output_dir: Path) -> list[Sought]:
    """The ids of the patient, and the paths of their inputs as the last run knew them."""
    texts = {patient, patient_id}
    plan = RecordedPlan(plan_path(output_dir))
    unit = read_units(units_path(output_dir)).get(patient_id)
    if plan.path.is_file() and unit in plan.units:
        for stage, columns in (("convert_scan", ("path",)), ("localise_vertebrae", ("labels", "body_labels"))):
            for row in plan.scans_for_stage(str(unit), stage):
                if row["patient_id"] == patient_id:
                    texts |= {row[column] for column in columns if row[column]}
    return [Sought(text, is_word=True) for text in sorted(texts)]


def _remove(patient_id: str, output_dir: Path, sought: list[Sought]) -> Iterator[str]:
    """Remove all that is the patient's; yields what was removed, without any id."""
    folder = output_dir / f"sub-{patient_id}"
    if folder.is_dir():
        shutil.rmtree(folder)
        yield "the patient's folder"
    unit_of = read_units(units_path(output_dir))
    unit = unit_of.pop(patient_id, None)
    if unit is not None:
        yield from _remove_from_unit(output_dir / "units" / unit, is_last=unit not in unit_of.values())
        write_text(units_path(output_dir), HEADER + "".join(f"{name}\t{who}\n" for who, name in unit_of.items()))
        yield "the row of units.tsv (those of the others stay as they are)"
    yield from _remove_rows(fingerprints_path(output_dir), patient_id)
    for name in OF_ALL_PATIENTS:
        path = output_dir / name
        if path.is_dir():
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
        else:
            continue
        yield f"{name} (made anew by the next run)"
    yield from _remove_files_that_name(sought, output_dir)


def _remove_from_unit(folder: Path, *, is_last: bool) -> Iterator[str]:
    """The tables of the patient's unit; the next run makes them from what is stored of the other patients."""
    if is_last and folder.is_dir():
        shutil.rmtree(folder)
        yield f"units/{folder.name} (the patient was its only one)"
        return
    tables = sorted(folder.glob("*.parquet"))
    for table in tables:
        table.unlink()
    if tables:
        yield f"{len(tables)} tables of unit {folder.name} (made anew by the next run, from what is stored)"


def _remove_rows(path: Path, patient_id: str) -> Iterator[str]:
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.split("\t")[0] != patient_id]
    if len(kept) < len(lines):
        write_text(path, "".join(kept))
        yield f"{len(lines) - len(kept)} rows of {path.name}"


def _remove_files_that_name(sought: list[Sought], output_dir: Path) -> Iterator[str]:
    """Logs and records that name the patient, and the outputs that such a record of Snakemake is about."""
    count = 0
    for folder in (output_dir / "logs", output_dir / "benchmarks", *(SNAKEMAKE / name for name in _RECORDS)):
        found = {path for path, _text in search([folder], sought).traces} if folder.is_dir() else set()
        for relative in sorted(found, reverse=True):
            path = folder / relative
            if folder == SNAKEMAKE / "metadata" and (output := _output_of_record(path)) is not None:
                _remove_output(output, output_dir)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            count += 1
    if count:
        yield f"{count} logs and records"


def _output_of_record(path: Path) -> Path | None:
    """The output that a record of Snakemake is about: the record is called by the base64 of its path."""
    try:
        return Path(base64.b64decode(path.name, altchars=b"-_", validate=True).decode())
    except (binascii.Error, ValueError):
        return None


def _remove_output(path: Path, output_dir: Path) -> None:
    """Without its record Snakemake would not see that an output is out of date, so that it goes with it."""
    if path.is_file() and path.resolve().is_relative_to(output_dir.resolve()):
        path.unlink()


def describe(result: Withdrawal) -> str:
    """The withdrawal in words, for a person and for the file of the study."""
    looked_at = f"{result.search.files} files, {result.search.unpacked_bytes / 1e6:.0f} MB with all that they pack"
    lines = []
    if result.removed:
        lines += ["removed:", *(f"  - {what}" for what in result.removed)]
    else:
        lines.append("nothing was removed: no trace of this patient was there; is the id right?")
    if result.is_proven:
        lines.append(f"searched every byte below the results and .snakemake ({looked_at}): the patient is not found")
    else:
        lines.append(f"searched {looked_at}: STILL FOUND in")
        lines += [f"  - {path}" for path in sorted({path for path, _text in result.search.traces})]
    if result.rows:
        lines.append("your own tables still name the patient; no run begins before these rows are taken out:")
        lines += [f"  - {fault}" for fault in result.rows]
    if result.removed:
        lines.append("next: run the workflow again; tables, studies and report are made anew, no image is computed.")
    lines.append("not touched: your DICOM and tables, backups, and copies of results that you gave away.")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Exit status 0 when no trace is left, 1 when one is, 2 when the command could not begin."""
    parser = argparse.ArgumentParser(prog="python -m spongiosa.cohort.withdrawal", description=__doc__)
    parser.add_argument("patient", help="patient_id of the manifest, or the pseudonym in the outputs")
    parser.add_argument("--configfile", required=True, type=Path, help="the configuration of the study")
    options = parser.parse_args(arguments)
    try:
        configuration = load_configuration(yaml.safe_load(options.configfile.read_text(encoding="utf-8")))
        result = withdraw(configuration, options.patient)
    except (ConfigurationError, InputFaults, OSError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    sys.stdout.write(describe(result) + "\n")
    return 0 if result.is_proven else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
