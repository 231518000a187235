"""Headers of volumes that name another file as their data: it must lie beside them and be a file.

A header made to do harm names a pipe that never ends, or a file of somebody else.
Source: MetaImage (`ElementDataFile`), NRRD 0005 (`data file`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

SUFFIXES: Final = (".mha", ".mhd", ".nrrd", ".nhdr")
_HEADER_BYTES: Final = 1 << 16
_DATA_FILE: Final = re.compile(
    rb"^(?:ElementDataFile\s*=|data ?file\s*:)[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE
)


def refuse_foreign_data(path: Path) -> None:
    """Raises `OSError` where the header at `path` names data that are no file beside it."""
    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES).partition(b"\n\n")[0]
    for match in _DATA_FILE.finditer(header):
        name = match[1].decode("latin-1").strip()
        if name.upper() == "LOCAL":
            return
        beside = path.parent / name
        is_plain = name not in ("", ".", "..") and not set(name) & set("/\\%") and not beside.is_symlink()
        if not is_plain or not beside.is_file():
            raise OSError(f"the volume names data that do not lie beside it: {path.name}")
