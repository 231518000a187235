"""Tables that people write: every row keeps the number that it has in the file."""

import pandas as pd
import pytest

from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.manifest import read_cohort
from spongiosa.cohort.tables import numbered_rows, read_user_table
from spongiosa.config.cohort import CohortSettings

#: Rows 4, 6 and 8 are blank: nothing, blanks, and separators alone.
ROWS = "\n".join(["patient_id,path", "P1,a", "P2,b", "", "P3,c", "  ", "P4,d", ",", "P5,e"]) + "\n"
NUMBERS = {"P1": 2, "P2": 3, "P3": 5, "P4": 7, "P5": 9}


def written(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def numbers(path):
    return {cells["patient_id"]: number for number, cells in numbered_rows(read_user_table(path, "manifest"))}


def test_blank_rows_of_a_csv_are_left_out_and_counted(tmp_path):
    assert numbers(written(tmp_path, "table.csv", ROWS)) == NUMBERS


def test_blank_rows_of_a_tsv_are_left_out_and_counted(tmp_path):
    assert numbers(written(tmp_path, "table.tsv", ROWS.replace(",", "\t"))) == NUMBERS


def test_blank_rows_above_the_header_are_counted(tmp_path):
    """A semicolon is seen in the header and not in the first row of the file; Excel writes a byte order mark."""
    path = written(tmp_path, "table.csv", "\ufeff\n\n" + ROWS.replace(",", ";"))
    assert numbers(path) == {patient: number + 2 for patient, number in NUMBERS.items()}


def test_blank_rows_of_a_workbook_are_left_out_and_counted(tmp_path):
    path = tmp_path / "table.xlsx"
    cells = [line.strip().split(",") if line.strip(" ,") else [None, None] for line in ROWS.splitlines()]
    pd.DataFrame(cells[1:], columns=cells[0]).to_excel(path, index=False)
    assert numbers(path) == NUMBERS


def test_a_cell_of_several_lines_is_one_row_as_a_spreadsheet_counts(tmp_path):
    text = 'patient_id,path\nP1,"a\nfolder"\n\nP2,b\n'
    assert numbers(written(tmp_path, "table.csv", text)) == {"P1": 2, "P2": 4}


def test_a_fault_behind_a_blank_row_names_the_row_of_the_file(tmp_path):
    path = written(tmp_path, "manifest.csv", ROWS.replace("P4,d", "P4,").replace("P5", "P1"))
    with pytest.raises(InputFaults) as refused:
        read_cohort(CohortSettings(manifest=str(path)))
    assert [(fault.row, fault.column) for fault in refused.value.faults] == [(7, "path"), (9, "patient_id")]
    assert "row 2 already" in refused.value.faults[1].sentence
