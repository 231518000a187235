"""Patients stay in their unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.units import append_units, read_units, with_new_patients


def test_a_new_patient_moves_no_one():
    before = with_new_patients({}, ["P1", "P2", "P4"], 2)
    after = with_new_patients(before, ["P1", "P2", "P3", "P4"], 2)
    assert {patient: after[patient] for patient in before} == before
    assert after["P3"] == before["P4"], "the last unit had room"


def test_a_changed_size_of_units_moves_no_one():
    before = with_new_patients({}, ["P1", "P2", "P3"], 1)
    assert with_new_patients(before, ["P1", "P2", "P3"], 20) == before


@given(st.sets(st.from_regex(r"[A-Z0-9]{1,6}", fullmatch=True), max_size=40), st.integers(1, 7), st.integers(0, 40))
def test_no_unit_is_larger_than_configured_and_nobody_is_lost(patients, per_job, first):
    early = sorted(patients)[:first]
    units = with_new_patients(with_new_patients({}, early, per_job), patients, per_job)
    sizes = [list(units.values()).count(unit) for unit in set(units.values())]
    assert units.keys() == patients
    assert all(size <= per_job for size in sizes)


def test_the_table_is_only_appended_to(tmp_path):
    path = tmp_path / "units.tsv"
    append_units(path, {"P1": "u0000001"})
    first = path.read_text()
    append_units(path, {"P1": "u0000001", "P2": "u0000002"})
    assert path.read_text().startswith(first)
    assert read_units(path) == {"P1": "u0000001", "P2": "u0000002"}


def test_a_damaged_table_is_refused(tmp_path):
    path = tmp_path / "units.tsv"
    path.write_text("unit\tpatient_id\nu0000001 P1\n")
    with pytest.raises(InputFaults, match="damaged row"):
        read_units(path)
