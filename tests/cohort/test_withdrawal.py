"""What a withdrawal removes, and what it leaves to the others (the whole of it runs in tests/workflow)."""

import shutil

import pytest

from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.handover import plan_path, write_plan
from spongiosa.cohort.keys import ready_keys, record_fingerprints
from spongiosa.cohort.manifest import pseudonym
from spongiosa.cohort.plan import plan_cohort
from spongiosa.cohort.secret import VARIABLE
from spongiosa.cohort.units import HEADER, read_units, with_new_patients
from spongiosa.cohort.withdrawal import describe, main, withdraw
from spongiosa.config.loading import load_configuration

SECRET = "correct horse battery staple"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Results of three patients in two units, as files of text; P20 is another patient than P2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, SECRET)
    (tmp_path / "manifest.tsv").write_text("patient_id\tpath\nP2\tscans/P2\nP20\tscans/P20\nP3\tscans/P3\n")
    (tmp_path / "overrides.tsv").write_text("patient_id\taction\nP2\taccept\n")
    results = tmp_path / "results"
    write(results / "units.tsv", HEADER + "u0000001\tP2\nu0000001\tP20\nu0000002\tP3\n")
    write(results / "units" / "fingerprints.tsv", "patient_id\tsession\nP2\tpreop\nP20\tpreop\n")
    for unit, patients in (("u0000001", "P2 P20"), ("u0000002", "P3")):
        write(results / "units" / unit / "convert_scan.parquet", f"table of {patients}")
        write(
            results / "logs" / "convert_scan" / f"{unit}.log", "".join(f"patient {p}: ok\n" for p in patients.split())
        )
    for patient in ("P2", "P20", "P3"):
        write(results / f"sub-{patient}" / "scan", "image")
    write(results / "cohort" / "patients.csv", "patient_id\nP2\nP20\nP3\n")
    write(tmp_path / ".snakemake" / "log" / "1.log", "Patient P2, preop ct failed")
    write(tmp_path / ".snakemake" / "log" / "2.log", "Patient P20, preop ct failed")
    record_fingerprints(results, ready_keys(configuration().cohort, results))
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def configuration(**cohort):
    return load_configuration(
        {"cohort": {"manifest": "manifest.tsv"} | cohort, "review": {"overrides": "overrides.tsv"}}
    )


def test_the_patient_goes_and_the_others_stay(project):
    result = withdraw(configuration(), "P2")
    results = project / "results"
    assert result.is_proven
    assert not (results / "sub-P2").exists() and (results / "sub-P20" / "scan").exists()
    assert read_units(results / "units.tsv") == {"P20": "u0000001", "P3": "u0000002"}
    assert (results / "units" / "fingerprints.tsv").read_text() == "patient_id\tsession\nP20\tpreop\n"
    assert not (results / "units" / "u0000001" / "convert_scan.parquet").exists(), "made anew from what is stored"
    assert (results / "units" / "u0000002" / "convert_scan.parquet").exists()
    assert not (results / "cohort").exists()
    assert not (project / ".snakemake" / "log" / "1.log").exists()
    assert (project / ".snakemake" / "log" / "2.log").exists()
    assert not (results / "logs" / "convert_scan" / "u0000001.log").exists()
    assert (results / "logs" / "convert_scan" / "u0000002.log").exists()


def test_the_rows_that_are_left_are_named_and_refused_without_the_id(project):
    result = withdraw(configuration(), "P2")
    assert {(fault.table, fault.row) for fault in result.rows} == {("manifest", 2), ("overrides", 2)}
    with pytest.raises(InputFaults) as refused:
        plan_cohort(configuration())
    assert "manifest, row 2" in str(refused.value) and "P2" not in str(refused.value)
    (project / "manifest.tsv").write_text("patient_id\tpath\nP20\tscans/P20\nP3\tscans/P3\n")
    (project / "overrides.tsv").write_text("patient_id\taction\nP20\taccept\n")
    assert plan_cohort(configuration()).unit_of == {"P20": "u0000001", "P3": "u0000002"}


def test_the_note_of_a_withdrawal_holds_no_id(project):
    withdraw(configuration(), "P2")
    note = (project / "results" / "units" / "withdrawn").read_text()
    assert "P2" not in note and SECRET not in note
    assert len(note.split()) == 1


def test_a_unit_of_one_patient_goes_as_a_whole_and_its_place_is_free(project):
    withdraw(configuration(), "P3")
    assert not (project / "results" / "units" / "u0000002").exists()
    unit_of = read_units(project / "results" / "units.tsv")
    assert with_new_patients(unit_of, ["P2", "P20", "P4"], 2)["P4"] == "u0000002"


def test_a_patient_whose_id_and_path_begin_like_anothers_leaves_that_one_alone(project):
    results = project / "results"
    write(results / "units.tsv", HEADER + "u0000001\tPATIENT1\nu0000001\tPATIENT12\n")
    for patient in ("PATIENT1", "PATIENT12"):
        write(results / f"sub-{patient}" / "scan", "image")
    row = {"session": "preop", "modality": "ct", "labels": None, "body_labels": None, "label_scheme": None}
    row |= {"labels_fingerprint": "", "corrections": {}}
    scans = [row | {"patient_id": patient, "path": f"scans/{patient}"} for patient in ("PATIENT1", "PATIENT12")]
    write_plan(plan_path(results), [("u0000001", scans)], [])
    assert withdraw(configuration(), "PATIENT1").is_proven
    write_plan(plan_path(results), [("u0000001", scans[1:])], [])
    assert withdraw(configuration(), "PATIENT1").removed == []
    assert (results / "sub-PATIENT12" / "scan").exists()


def test_a_mistyped_id_removes_nothing(project):
    result = withdraw(configuration(), "P99")
    assert result.removed == []
    assert "is the id right?" in describe(result)
    assert (project / "results" / "cohort" / "patients.csv").exists()
    assert not (project / "results" / "units" / "withdrawn").exists()


def test_a_killed_withdrawal_is_finished_by_the_next(project, monkeypatch):
    def killed(_path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", killed)
        withdraw(configuration(), "P2")
    with pytest.raises(InputFaults):
        plan_cohort(configuration())
    assert withdraw(configuration(), "P2").is_proven
    assert not (project / "results" / "sub-P2").exists()


def test_pseudonyms_are_found_by_the_users_own_id(project):
    results = project / "results"
    name = pseudonym("P2", SECRET.encode())
    for folder in (results, project / ".snakemake"):
        shutil.rmtree(folder)
    record_fingerprints(results, ready_keys(configuration(pseudonymise="project").cohort, results))
    write(results / "units.tsv", HEADER + f"u0000001\t{name}\n")
    write(results / f"sub-{name}" / "scan", "image")
    result = withdraw(configuration(pseudonymise="project"), "P2")
    assert result.is_proven and not (results / f"sub-{name}").exists()
    assert {(fault.table, fault.row) for fault in result.rows} == {("manifest", 2), ("overrides", 2)}


def test_the_command_says_what_it_cannot_do(project, capsys):
    write(project / "study.yaml", "cohort: {manifest: manifest.tsv}\noutput_dirr: results\n")
    assert main(["P2", "--configfile", "study.yaml"]) == 2
    assert "output_dirr" in capsys.readouterr().err
    assert main(["P2", "--configfile", "none.yaml"]) == 2
