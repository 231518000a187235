"""Reading the tables that users give, with every cell as text and rows counted as a spreadsheet counts them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spongiosa.cohort.faults import Fault, InputFaults

if TYPE_CHECKING:
    import pandas as pd

#: The row number of the first data row: the header is row 1.
FIRST_ROW = 2

_SEPARATOR = {".tsv": "\t", ".csv": ","}


def read_user_table(path: Path, name: str) -> pd.DataFrame:
    """A user's table with all values as stripped text, empty cells as "" (`name` is how messages call it).

    Reads TSV, CSV (comma or semicolon), XLSX (first sheet) and Parquet by suffix.
    Raises `InputFaults` when the file is missing, of another kind or unreadable.
    """
    import pandas as pd

    if not path.is_file():
        raise InputFaults([Fault(name, None, None, f"the file {path} does not exist.")])
    suffix = path.suffix.lower()
    try:
        if suffix in _SEPARATOR:
            table = pd.read_csv(path, sep=_separator(path), dtype=str, keep_default_na=False, encoding="utf-8-sig")
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
    if suffix in _SEPARATOR:  # text already; a cohort of 100,000 scans is read in one go
        stripped: pd.DataFrame = table.apply(lambda column: column.str.strip())
        return stripped
    return table.map(_as_text)


def _separator(path: Path) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open(encoding="utf-8-sig", errors="replace") as handle:
        header = handle.readline()
    return ";" if header.count(";") > header.count(",") else ","


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
