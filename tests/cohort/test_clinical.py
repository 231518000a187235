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
