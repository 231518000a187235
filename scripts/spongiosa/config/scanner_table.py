"""The user's table of density lines of scanners."""

from __future__ import annotations

import csv
from pathlib import Path


def read_scanner_table(path: str) -> list[dict[str, str]]:
    """The rows of a TSV or CSV file, without empty cells.

    Raises `ValueError` with a sentence when the file cannot be read, or has no header and rows.
    """
    file = Path(path)
    try:
        with file.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="," if file.suffix.lower() == ".csv" else "\t"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"scanner_table: {file.name} cannot be read as a text table") from error
    if not rows:
        raise ValueError(f"scanner_table: {file.name} has no rows")
    if any(None in row for row in rows):
        raise ValueError(f"scanner_table: a row of {file.name} has more cells than the header")
    return [{key.strip(): cell.strip() for key, cell in row.items() if cell and cell.strip()} for row in rows]
