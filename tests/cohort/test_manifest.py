"""The manifest is checked whole: every fault with its row and column."""

import pytest

from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.manifest import pseudonym, read_cohort
from spongiosa.config.cohort import CohortSettings


def written(tmp_path, text):
    path = tmp_path / "manifest.tsv"
    path.write_text(text, encoding="utf-8")
    return CohortSettings(manifest=str(path))


def faults_of(settings):
    with pytest.raises(InputFaults) as refused:
        read_cohort(settings)
    return str(refused.value)


def test_a_row_needs_only_patient_and_path(tmp_path):
    (row,) = read_cohort(written(tmp_path, "patient_id\tpath\nP1\tscans/P1\n"))
    assert (row.patient_id, row.session, row.modality) == ("P1", "preop", "ct")
    assert row.path == str(tmp_path / "scans" / "P1")


def test_rows_are_sorted_so_that_their_order_in_the_file_does_not_matter(tmp_path):
    rows = read_cohort(written(tmp_path, "patient_id\tpath\nP2\tb\nP1\ta\n"))
    assert [row.patient_id for row in rows] == ["P1", "P2"]


def test_a_duplicate_scan_is_named_with_both_rows(tmp_path):
    message = faults_of(written(tmp_path, "patient_id\tpath\nP1\ta\nP2\tb\nP1\tc\n"))
    assert "manifest, row 4, column 'patient_id': the scan P1, preop, ct stands in row 2 already" in message


def test_an_unknown_phantom_is_named_with_its_row_and_the_known_ones_where_phantoms_calibrate(tmp_path):
    settings = written(tmp_path, "patient_id\tpath\tphantom\nP1\ta\tqrm_bdc_3\nP2\tb\tqrm\nP3\tc\t\n")
    with pytest.raises(InputFaults) as fault:
        read_cohort(settings, ["qrm_bdc_6", "qrm_bdc_3"])
    assert "manifest, row 3, column 'phantom': 'qrm' is not one of qrm_bdc_3, qrm_bdc_6." in str(fault.value)
    assert "1 fault" in str(fault.value)
    assert [row.phantom for row in read_cohort(settings)] == ["qrm_bdc_3", "qrm", None]


def test_all_faults_are_listed_together(tmp_path):
    message = faults_of(written(tmp_path, "patient_id\tmodality\tpath\nP-1\tct\ta\nP2\txray\tb\nP3\tct\t\n"))
    assert "3 faults" in message
    assert "'P-1' is not letters and digits only" in message
    assert "'xray' is not one of ct, mr" in message
    assert "row 4, column 'path': the path is empty" in message


def test_an_unknown_column_is_refused_with_the_nearest_known(tmp_path):
    assert "did you mean 'session'?" in faults_of(written(tmp_path, "patient_id\tpath\tsesion\nP1\ta\tpreop\n"))


def test_labels_need_a_scheme(tmp_path):
    text = "patient_id\tpath\tlabels\nP1\ta\tl.nii.gz\n"
    assert "a row with labels needs a label_scheme" in faults_of(written(tmp_path, text))


def test_a_missing_manifest_says_so(tmp_path):
    assert "does not exist" in faults_of(CohortSettings(manifest=str(tmp_path / "none.tsv")))


def test_the_subfolders_of_a_dicom_root_are_the_patients(tmp_path):
    for name in ("B2", "A1"):
        (tmp_path / name).mkdir()
    rows = read_cohort(CohortSettings(dicom_root=str(tmp_path)))
    assert [(row.patient_id, row.path) for row in rows] == [("A1", str(tmp_path / "A1")), ("B2", str(tmp_path / "B2"))]


def test_pseudonyms_depend_on_the_key_and_hide_the_id(tmp_path):
    key = tmp_path / "key"
    key.write_text("a secret of some length")
    settings = written(tmp_path, "patient_id\tpath\nP1\ta\n")
    (row,) = read_cohort(CohortSettings(manifest=settings.manifest, pseudonymise=str(key)))
    assert row.patient_id == pseudonym("P1", b"a secret of some length") != pseudonym("P1", b"another secret of it")
    assert len(row.patient_id) == 12


def test_a_short_key_is_refused(tmp_path):
    key = tmp_path / "key"
    key.write_text("short")
    settings = written(tmp_path, "patient_id\tpath\nP1\ta\n")
    message = faults_of(CohortSettings(manifest=settings.manifest, pseudonymise=str(key)))
    assert "at least 16 characters" in message
