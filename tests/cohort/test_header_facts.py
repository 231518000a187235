"""Age, sex and intervals from the headers fill what the clinical table leaves open, and nothing else."""

import datetime

import pandas as pd
import pytest

from spongiosa.cohort.clinical import read_clinical_dates
from spongiosa.cohort.header_facts import days_of, header_facts, with_header_facts
from spongiosa.config.clinical import ClinicalSettings
from spongiosa.dicom.identity import PatientIdentity

SECRET = b"a secret of the project"
DXA = {"P1": datetime.date(2024, 3, 1), "P2": datetime.date(2024, 5, 1)}


def day(patient, *date):
    return PatientIdentity(SECRET, patient).day(datetime.date(*date))


@pytest.fixture
def series():
    """Three patients; the first has a follow-up, an MR and a series that was not chosen."""
    rows = [
        ("P1", "preop", "ct", True, 60.0, "F", day("P1", 2024, 3, 11)),
        ("P1", "preop", "ct", False, 60.0, "F", day("P1", 2023, 1, 1)),
        ("P1", "followup", "ct", True, 61.0, "F", day("P1", 2025, 3, 11)),
        ("P1", "preop", "mr", True, 60.0, "F", day("P1", 2024, 3, 30)),
        ("P2", "preop", "ct", True, 75.0, "M", day("P2", 2024, 4, 1)),
        ("P3", "preop", "ct", True, None, "O", None),
    ]
    return pd.DataFrame(
        rows, columns=["patient_id", "session", "modality", "is_chosen", "age_years", "sex", "scan_day"]
    )


def test_what_the_clinical_table_states_wins(series):
    clinical = pd.DataFrame({"patient_id": ["P1", "P2"], "age_years": [62.0, None], "sex": ["female", None]})
    clinical = clinical.astype({"patient_id": "string", "age_years": "Float64", "sex": "string"})
    filled = with_header_facts(clinical, header_facts(series, "preop"), "years", days_of(DXA, SECRET))
    filled = filled.set_index("patient_id")
    assert filled["age_years"].dropna().to_dict() == {"P1": 62.0, "P2": 75.0}
    assert filled["sex"].dropna().to_dict() == {"P1": "female", "P2": "male"}
    assert filled["ct_dxa_interval_days"].dropna().to_dict() == {"P1": 10, "P2": -30}


def test_an_age_that_is_known_as_a_band_is_its_middle(series):
    filled = with_header_facts(None, header_facts(series, "preop"), "bands", {})
    assert filled.set_index("patient_id")["age_years"].dropna().to_dict() == {"P1": 62.5, "P2": 77.5}
    assert "ct_dxa_interval_days" not in filled.columns


def test_the_oldest_band_has_no_middle(series):
    old = series.assign(age_years=series["age_years"].replace(75.0, 90.0))
    filled = with_header_facts(None, header_facts(old, "preop"), "bands", {})
    assert filled.set_index("patient_id")["age_years"].dropna().to_dict() == {"P1": 62.5, "P2": 90.0}


def test_the_session_that_is_analysed_gives_the_facts(series):
    facts = header_facts(series, "followup")
    assert facts["patient_id"].tolist() == ["P1"]
    assert facts["age_years"].tolist() == [61.0]


def test_nothing_is_added_where_nothing_may_leave(series):
    closed = series.assign(age_years=None, sex=None, scan_day=None)
    clinical = pd.DataFrame({"patient_id": ["P1"]})
    assert with_header_facts(clinical, header_facts(closed, "preop"), "drop", {}) is clinical
    assert with_header_facts(None, header_facts(closed, "preop"), "drop", {}) is None


def test_dates_of_the_clinical_table_are_read_as_days(tmp_path):
    """ISO, dotted, and the serial number of a spreadsheet; what is no date is reported elsewhere."""
    (tmp_path / "c.csv").write_text("ID,DXA\nP1,2024-03-01\nP2,01.05.2024\nP3,45352\nP4,3/4/2024\nP5,\n")
    settings = ClinicalSettings(table=str(tmp_path / "c.csv"), columns={"patient_id": "ID", "dxa_date": "DXA"})
    dates = read_clinical_dates(settings, "dxa_date")
    assert dates == DXA | {"P3": datetime.date(2024, 3, 1)}
    assert read_clinical_dates(settings, "surgery_date") == {}


def test_days_are_true_to_each_other_and_tell_no_date():
    """Two patients with one date get other days, ten million apart at most; another secret gives other days."""
    days = days_of(dict.fromkeys(["P1", "P2"], datetime.date(2024, 3, 1)), SECRET)
    assert days["P1"] != days["P2"]
    later = days_of({"P1": datetime.date(2024, 3, 31)}, SECRET)
    assert later["P1"] - days["P1"] == 30
    assert days_of({"P1": datetime.date(2024, 3, 1)}, b"another secret of it")["P1"] != days["P1"]
