"""Units: which patients share one job.

A patient is assigned when first seen and stays, so that adding a patient or changing `cohort.patients_per_job` moves
no one.  The assignment is kept in the append-only table `units.tsv`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from spongiosa.cohort.faults import Fault, InputFaults

HEADER = "unit\tpatient_id\n"


def read_units(path: Path) -> dict[str, str]:
    """Patient -> unit, in the order of assignment; empty when the table does not exist.

    Raises `InputFaults` when the table was damaged: it must not be edited.
    """
    if not path.is_file():
        return {}
    unit_of: dict[str, str] = {}
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines[1:], start=2):
        unit, tab, patient = line.partition("\t")
        if not (tab and unit and patient) or patient in unit_of:
            raise InputFaults([Fault("units.tsv", number, None, "damaged row; restore the file or remove output_dir.")])
        unit_of[patient] = sys.intern(unit)  # one string for all patients of a unit
    return unit_of


def with_new_patients(unit_of: dict[str, str], patients: Iterable[str], patients_per_job: int) -> dict[str, str]:
    """The assignment with every new patient appended: the last unit is filled first, then new units are begun."""
    assigned = dict(unit_of)
    last = max(assigned.values(), default="")
    number = int(last[1:]) if last else 0
    room = patients_per_job - sum(unit == last for unit in assigned.values()) if last else 0
    name = last
    for patient in sorted(set(patients) - assigned.keys()):
        if room <= 0:
            number, room = number + 1, patients_per_job
            name = unit_name(number)
        assigned[patient] = name
        room -= 1
    return assigned


def unit_name(number: int) -> str:
    """Name of the n-th unit, from 1; seven digits sort as text."""
    return f"u{number:07d}"


def append_units(path: Path, unit_of: dict[str, str]) -> None:
    """Append the assignments that the table does not hold yet, in one write."""
    known = read_units(path)
    lines = [f"{unit}\t{patient}\n" for patient, unit in unit_of.items() if patient not in known]
    if not lines:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as handle:
        handle.write(("" if known else HEADER) + "".join(lines))
