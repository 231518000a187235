"""Reading the tables that users give, with every cell as text and rows counted as a spreadsheet counts them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from spongiosa.cohort.faults import Fault, InputFaults

if TYPE_CHECKING:
    import pandas as pd

_TEXT_FILES = (".tsv", ".csv")


def read_user_table(path: Path, name: str) -> pd.DataFrame:
    """A user's table with all values as stripped text, empty cells as "" (`name` is how messages call it).

    The index holds the row numbers of the file: the header is row 1, or the first row that is not blank.  Blank rows
    count as rows and are left out.  Reads TSV, CSV (comma or semicolon), XLSX (first sheet) and Parquet by suffix.
    Raises `InputFaults` when the file is missing, of another kind or unreadable.
    """
    import pandas as pd

    if not path.is_file():
        raise InputFaults([Fault(name, None, None, f"the file {path} does not exist.")])
    suffix = path.suffix.lower()
    header_row = 1
    try:
        if suffix in _TEXT_FILES:
            header_row, separator = _header(path)
            table = pd.read_csv(
                path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig", skiprows=header_row - 1,
                skip_blank_lines=False,
            )  # fmt: skip
        elif suffix == ".xlsx":
            table = pd.read_excel(path, dtype=object)
        elif suffix == ".parquet":
            table = pd.read_parquet(path)
        else:
            sentence = f"the file {path.name} must end in .tsv, .csv, .xlsx or .parquet."
            raise InputFaults([Fault(name, None, None, sentence)])
    except (ValueError, OSError, UnicodeDecodeError) as error:
        sentence = f"the file {path.name} could not be read ({str(error).splitlines()[0]})."
        raise InputFaults([Fault(name, None, None, sentence)]) from error
    table.columns = [str(column).strip() for column in table.columns]
    repeated = sorted(table.columns[table.columns.duplicated()].unique())
    if repeated:
        raise InputFaults([Fault(name, 1, column, "this column name occurs more than once.") for column in repeated])
    first_row = header_row + 1
    table.index = pd.RangeIndex(first_row, first_row + len(table))
    if suffix in _TEXT_FILES:  # text already; a cohort of 100,000 scans is read in one go
        text: pd.DataFrame = table.apply(lambda column: column.str.strip())
    else:
        text = table.map(_as_text)
    return text[(text != "").any(axis="columns")]


def check_columns(table: pd.DataFrame, name: str, known: Collection[str], required: Collection[str]) -> None:
    """Raises `InputFaults` with every column that is not known, and every required one that is missing."""
    faults = [
        Fault(name, 1, column, f"unknown column; known are {', '.join(known)}.")
        for column in table.columns
        if column not in known
    ]
    faults += [Fault(name, 1, column, "this column is required.") for column in required if column not in table.columns]
    if faults:
        raise InputFaults(faults)


def numbered_rows(table: pd.DataFrame) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table that `read_user_table` gave, each with its number in the file."""
    for number, record in zip(table.index, table.to_dict("records"), strict=True):
        yield int(number), {str(column): str(value) for column, value in record.items()}


def _header(path: Path) -> tuple[int, str]:
    """Row of the header, which is the first that is not blank, and what separates its cells."""
    with path.open(encoding="utf-8-sig", errors="replace") as handle:
        row, header = next(((row, line) for row, line in enumerate(handle, start=1) if line.strip()), (1, ""))
    if path.suffix.lower() == ".csv":
        return row, ";" if header.count(";") > header.count(",") else ","
    return row, "\t"


def _as_text(value: object) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return str(value).strip()
