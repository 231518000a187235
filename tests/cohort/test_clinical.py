"""The clinical table is mapped, typed and checked row by row."""

import pandas as pd
import pytest

from spongiosa.cohort.clinical import read_clinical
from spongiosa.cohort.dictionary import clinical_dictionary
from spongiosa.cohort.faults import InputFaults
from spongiosa.config.clinical import ClinicalSettings

PATIENTS = {"P1", "P2", "P3"}


def settings(tmp_path, text, **more):
    path = tmp_path / "clinical.csv"
    path.write_text(text, encoding="utf-8")
    return ClinicalSettings(table=str(path), **more)


def faults_of(given, patients=PATIENTS):
    with pytest.raises(InputFaults) as refused:
        read_clinical(given, patients)
    return str(refused.value)


def test_columns_are_mapped_to_the_names_of_the_dictionary(tmp_path):
    given = settings(
        tmp_path,
        "ID,Age,Sex,T LS\nP2,71,F,-2.5\nP1,65,m,\n",
        columns={"patient_id": "ID", "age_years": "Age", "sex": "Sex", "t_score_lumbar": "T LS"},
    )
    table = read_clinical(given, PATIENTS)
    assert table["patient_id"].tolist() == ["P1", "P2"]
    assert table["sex"].tolist() == ["male", "female"]
    assert table["t_score_lumbar"].isna().tolist() == [True, False]


def test_the_bmi_is_computed_where_it_is_missing(tmp_path):
    table = read_clinical(settings(tmp_path, "patient_id,height_m,weight_kg\nP1,1.60,64\n"), PATIENTS)
    assert table["bmi_kg_m2"].tolist() == [pytest.approx(25.0)]


def test_an_impossible_value_is_named_with_row_column_and_range(tmp_path):
    message = faults_of(settings(tmp_path, "patient_id,age_years\nP1,65\nP2,650\n"))
    assert "clinical table, row 3, column 'age_years': age_years: 650 years is not between 0 and 120 years" in message


def test_ambiguous_codings_of_sex_are_refused(tmp_path):
    message = faults_of(settings(tmp_path, "patient_id,sex\nP1,1\nP2,2\n"))
    assert "2 faults" in message
    assert "ambiguous" in message


def test_a_percentage_given_as_fraction_is_refused(tmp_path):
    assert "not between 20 and 250 %" in faults_of(settings(tmp_path, "patient_id,yam_lumbar_percent\nP1,0.85\n"))


def test_duplicate_and_unknown_ids_are_reported_with_their_rows(tmp_path):
    message = faults_of(settings(tmp_path, "patient_id,age_years\nP1,65\nP1,66\nP9,67\n"))
    assert "row 3, column 'patient_id': the id P1 stands in row 2 already" in message
    assert "row 4, column 'patient_id': no patient P9 in the cohort" in message


def test_unmatched_patients_can_be_allowed(tmp_path):
    given = settings(tmp_path, "patient_id,age_years\nP1,65\nP9,67\n", allow_unmatched=True)
    assert read_clinical(given, PATIENTS)["patient_id"].tolist() == ["P1"]


def test_a_mapping_to_an_absent_column_suggests_the_nearest(tmp_path):
    message = faults_of(settings(tmp_path, "patient_id,Alter\nP1,65\n", columns={"age_years": "Altr"}))
    assert "the table has no column 'Altr'; did you mean 'Alter'?" in message


def test_semicolons_and_decimal_commas_are_read(tmp_path):
    table = read_clinical(settings(tmp_path, "patient_id;t_score_lumbar\nP1;-2,5\n"), PATIENTS)
    assert table["t_score_lumbar"].tolist() == [-2.5]


def test_an_excel_table_is_read_like_a_csv(tmp_path):
    path = tmp_path / "clinical.xlsx"
    pd.DataFrame({"patient_id": ["P1"], "age_years": [65], "diabetes": [True]}).to_excel(path, index=False)
    table = read_clinical(ClinicalSettings(table=str(path)), PATIENTS)
    assert table.loc[0, "age_years"] == 65
    assert bool(table.loc[0, "diabetes"]) is True


def test_every_number_of_the_dictionary_has_unit_and_range():
    numbers = [column for column in clinical_dictionary().values() if column.kind in ("number", "integer")]
    assert all(column.unit and column.lowest is not None and column.highest is not None for column in numbers)


#: What hospitals write and what becomes of it: column, cell, value read (None: missing).
READ = [
    ("t_score_lumbar", "-2,5", -2.5),
    ("t_score_lumbar", "\N{MINUS SIGN}2.5", -2.5),
    ("t_score_lumbar", "NA", None),
    ("t_score_lumbar", "n/a", None),
    ("age_years", " 71 ", 71.0),
    ("age_years", "1e2", 100.0),
    ("sex", "F", "female"),
    ("sex", "Male", "male"),
    ("diabetes", "Yes", True),
    ("diabetes", "0", False),
    ("terminal_segment", "l5", "L5"),
    ("treated_levels", "t12, L1+L1", "T12 L1"),
    ("goutallier", "2.0", 2),
]


@pytest.mark.parametrize(("column", "cell", "value"), READ)
def test_cells_as_hospitals_write_them_are_read(tmp_path, column, cell, value):
    given = settings(tmp_path, f'patient_id;{column}\nP1;"{cell}"\n')
    found = read_clinical(given, PATIENTS).loc[0, column]
    assert pd.isna(found) if value is None else found == value


#: What cannot be told apart, or cannot be: column, cell, words of the refusal.
REFUSED = [
    ("sex", "1", "ambiguous"),
    ("sex", "2", "ambiguous"),
    ("sex", "0", "ambiguous"),
    ("sex", "w", "not one of"),
    ("age_years", "650", "not between 0 and 120 years"),
    ("age_years", "71 years", "Units belong into the heading"),
    ("age_years", "45292", "not between 0 and 120"),
    ("height_m", "165", "not between 0.8 and 2.5 m"),
    ("yam_lumbar_percent", "0.85", "not between 20 and 250 %"),
    ("bmd_lumbar_g_cm2", "985", "not between 0.2 and 3 g/cm2"),
    ("t_score_lumbar", "1.234,5", "not a number"),
    ("t_score_lumbar", "-2.5*", "not a number"),
    ("t_score_lumbar", "nan mg", "not a number"),
    ("t_score_lumbar", "inf", "not between"),
    ("t_score_lumbar", "2024-05-02", "turned a number into a date"),
    ("t_score_lumbar", "#DIV/0!", "not a number"),
    ("goutallier", "2.5", "not a whole number"),
    ("goutallier", "5", "not between 0 and 4"),
    ("diabetes", "2", "not one of"),
    ("diabetes", "j", "not one of"),
    ("procedure", "Kypho", "not one of: PKP, PVP"),
    ("treated_levels", "LWK1", "not a vertebral level"),
    ("ct_date", "3/4/2024", "ambiguous"),
    ("ct_date", "2024-02-30", "not a day of the calendar"),
    ("ct_date", "20240331", "not a date"),
]


@pytest.mark.parametrize(("column", "cell", "words"), REFUSED)
def test_cells_that_cannot_be_are_refused_with_row_and_column(tmp_path, column, cell, words):
    message = faults_of(settings(tmp_path, f'patient_id;{column}\nP1;\nP2;"{cell}"\n'))
    assert f"clinical table, row 3, column '{column}': {column}: " in message
    assert words in message


def test_all_faults_of_a_table_come_at_once_in_the_order_of_rows(tmp_path):
    text = "patient_id,sex,age_years,t_score_lumbar\nP1,1,71,-2.5\nP1,f,710,x\nP9,f,71,-1\n"
    with pytest.raises(InputFaults) as refused:
        read_clinical(settings(tmp_path, text), PATIENTS)
    places = [(fault.row, fault.column) for fault in refused.value.faults]
    assert places == [(2, "sex"), (3, "age_years"), (3, "patient_id"), (3, "t_score_lumbar"), (4, "patient_id")]


def test_t_scores_that_lost_their_sign_are_refused_with_every_row(tmp_path):
    """Eight positive T-scores and not one negative: no cohort of bone patients."""
    patients = {f"P{number}" for number in range(8)}
    rows = "".join(f"P{number},{2.5 + 0.1 * number:.1f}\n" for number in range(8))
    message = faults_of(settings(tmp_path, "patient_id,t_score_femoral_neck\n" + rows), patients)
    assert "8 faults" in message and "row 9, column 't_score_femoral_neck'" in message
    assert "as if their minus sign were lost" in message


@pytest.mark.parametrize("last", ["-0.1", ""])
def test_healthy_or_few_patients_may_have_positive_t_scores(tmp_path, last):
    patients = {f"P{number}" for number in range(8)}
    rows = "".join(f"P{number},{0.5 + 0.1 * number:.1f}\n" for number in range(7)) + f"P7,{last}\n"
    table = read_clinical(settings(tmp_path, "patient_id,t_score_lumbar\n" + rows), patients)
    assert table["t_score_lumbar"].max() == pytest.approx(1.1)


def test_columns_that_contradict_each_other_are_refused(tmp_path):
    header = "patient_id,t_score_lumbar,yam_lumbar_percent,pelvic_incidence_deg,pelvic_tilt_deg,sacral_slope_deg,"
    rows = ["P1,2.6,68,50,18,33,1.60,64,25.0", "P2,-2.6,68,50,18,45,1.60,64,25.0", "P3,-2.6,68,,,,1.60,64,31"]
    message = faults_of(settings(tmp_path, header + "height_m,weight_kg,bmi_kg_m2\n" + "\n".join(rows) + "\n"))
    assert "3 faults" in message
    assert "row 2, column 't_score_lumbar': t_score_lumbar is above 1 but yam_lumbar_percent below 90 %" in message
    assert "row 3, column 'pelvic_incidence_deg': pelvic incidence is not pelvic tilt + sacral slope" in message
    assert "row 4, column 'bmi_kg_m2': the BMI differs from weight / height^2" in message


def test_dates_give_intervals_and_never_reach_the_table(tmp_path):
    """45292 is 2024-01-01 as a spreadsheet counts (its day 1 is 1900-01-01, and 1900 has a day too many)."""
    text = "patient_id,ct_date,dxa_date,event_date\nP1,45292,2023-12-22,01.07.2024\nP2,2024-01-01,,\n"
    table = read_clinical(settings(tmp_path, text), PATIENTS)
    assert table.loc[0, "ct_dxa_interval_days"] == 10
    assert table.loc[0, "event_months"] == pytest.approx(182 / (365.25 / 12))
    assert pd.isna(table.loc[1, "ct_dxa_interval_days"])
    assert not {"ct_date", "dxa_date", "event_date"} & set(table.columns)


def test_dates_of_a_spreadsheet_are_read_as_dates(tmp_path):
    path = tmp_path / "clinical.xlsx"
    dates = pd.to_datetime(["2024-03-31"])
    pd.DataFrame({"patient_id": ["P1"], "ct_date": dates, "dxa_date": ["2024-03-01"]}).to_excel(path, index=False)
    assert read_clinical(ClinicalSettings(table=str(path)), PATIENTS).loc[0, "ct_dxa_interval_days"] == 30


def test_a_byte_order_mark_is_no_part_of_the_first_heading(tmp_path):
    path = tmp_path / "clinical.csv"
    path.write_bytes("\N{ZERO WIDTH NO-BREAK SPACE}patient_id,age_years\nP1,71\n".encode())
    assert read_clinical(ClinicalSettings(table=str(path)), PATIENTS)["age_years"].tolist() == [71]


def test_a_table_in_another_encoding_is_refused_and_not_guessed(tmp_path):
    path = tmp_path / "clinical.csv"
    path.write_bytes("patient_id,dxa_model\nP1,Gerät\n".encode("latin-1"))
    assert "could not be read" in faults_of(ClinicalSettings(table=str(path)))


def test_a_number_that_a_spreadsheet_took_for_a_date_is_refused(tmp_path):
    """1.5 typed where a comma is the decimal point becomes the first of May."""
    path = tmp_path / "clinical.xlsx"
    pd.DataFrame({"patient_id": ["P1"], "t_score_lumbar": pd.to_datetime(["2024-05-01"])}).to_excel(path, index=False)
    assert "turned a number into a date" in faults_of(ClinicalSettings(table=str(path)))


def test_faults_behind_a_blank_row_name_the_rows_of_the_file(tmp_path):
    text = "patient_id,age_years,t_score_lumbar,yam_lumbar_percent\n\nP1,650,2.0,70\n,,,\nP9,60,-1,90\n"
    with pytest.raises(InputFaults) as refused:
        read_clinical(settings(tmp_path, text), PATIENTS)
    places = [(fault.row, fault.column) for fault in refused.value.faults]
    assert places == [(3, "age_years"), (3, "t_score_lumbar"), (5, "patient_id")]
