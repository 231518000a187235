"""Hashes, whole-or-absent files and tables, and the versions of a run."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Packages whose version can change a result.
RESULT_PACKAGES = (
    "spongiosa",
    "snakemake",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "simpleitk",
    "pydicom",
    "python-gdcm",
    "pylibjpeg-openjpeg",
    "scikit-learn",
    "statsmodels",
    "matplotlib",
    "pydantic",
)


def canonical_json(data: Any) -> str:
    """`data` as JSON with sorted keys and no spaces: equal data, equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(*parts: Any) -> str:
    """First 16 hex digits of the SHA-256 over the canonical JSON of the parts."""
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """First 16 hex digits of the SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[:16]


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` with the same suffixes; rename it to `path` when the block succeeds.

    A killed process leaves either the old file, the new one or none, never a part of one; what it leaves of the
    temporary file is removed when `path` is written again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    folder = Path(tempfile.mkdtemp(prefix=f".writing-{path.name}-{os.getpid()}-", dir=path.parent))
    part = folder / path.name
    try:
        yield part
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
        folder.rmdir()


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary folders of killed writers of `path`; one that still runs on this machine keeps its own."""
    begins = f".writing-{path.name}-"
    with os.scandir(path.parent) as entries:
        leftovers = [entry for entry in entries if entry.name.startswith(begins)]
    for entry in leftovers:
        process = entry.name.removeprefix(begins).partition("-")[0]
        if process.isdigit() and not Path(f"/proc/{process}").exists():
            shutil.rmtree(entry.path, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, data: Any) -> None:
    """Write readable JSON (keys in the order given), whole or not at all."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_table(path: Path, table: pd.DataFrame, schema: pa.Schema | None = None) -> None:
    """Write a data frame as Parquet without its index, whole or not at all; equal tables give equal bytes.

    With a `schema` the columns have its types, also where all their values are missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table, schema=schema, preserve_index=False).replace_schema_metadata(None)
    with written_whole(path) as part:
        pq.write_table(arrow, part, compression="zstd")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a data frame as CSV without its index, missing values as nothing, whole or not at all.

    Nullable columns become plain ones first: the text is the same, and a wide table takes two thirds of the time.
    """
    import numpy as np
    import pandas as pd

    plain = {
        name: values.to_numpy(dtype=float, na_value=np.nan) if str(values.dtype) == "Float64" else values.astype(object)
        for name, values in table.items()
    }
    with written_whole(path) as part:
        pd.DataFrame(plain, index=table.index).to_csv(part, index=False, lineterminator="\n")


def read_tables(paths: Iterable[Path]) -> pd.DataFrame:
    """All rows of several Parquet tables, in the order of the paths; columns missing in one are null there."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    # one file after the other on one thread: a unit's table is small, and threads cost more than they save
    tables = [pq.ParquetFile(path).read(use_threads=False) for path in paths]
    if not tables:
        return pd.DataFrame()
    frame: pd.DataFrame = pa.concat_tables(tables, promote_options="permissive").to_pandas()
    return frame


def package_versions(packages: Sequence[str] = RESULT_PACKAGES) -> dict[str, str]:
    """Versions of Python and of the packages that can change a result."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}


def read_run_versions(run_json: Path) -> dict[str, str]:
    """The versions that an earlier run recorded in its run.json; empty when there is none."""
    if not run_json.is_file():
        return {}
    versions: dict[str, str] = json.loads(run_json.read_text(encoding="utf-8"))["versions"]
    return versions


def changed_versions(recorded: Mapping[str, str], current: Mapping[str, str]) -> list[str]:
    """Sentences on every package whose version differs from the recorded one."""
    return [
        f"{name}: {recorded[name]} -> {current[name]}"
        for name in sorted(recorded.keys() & current.keys())
        if recorded[name] != current[name]
    ]
