"""A cohort of any size within fixed memory: its tables are joined and written batch of patients by batch.

Batches are ranges of the sorted patients, and every table of the cohort is sorted by patient first, so the tables are
those that one batch of all would give; which unit a patient lies in changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spongiosa.cohort.aggregate import CohortTables, UnitTables
from spongiosa.cohort.schemas import TABLES, arrow_schema
from spongiosa.provenance import written_whole

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COHORT_TABLES = ("scans", "series", "measurements", "calibration", "vertebrae", "exclusions")

#: About 240,000 rows of measurements; some 300 MB while they are joined.
PATIENTS_PER_BATCH = 4_000


def batches_of_patients(tables: UnitTables, patients_per_batch: int = PATIENTS_PER_BATCH) -> Iterator[UnitTables]:
    """The tables of each batch of patients, in the order of patients, with only the units that hold any of them."""
    import pyarrow.parquet as pq

    last_stage = tables.paths(tables.stages[-1])
    members = [set(pq.read_table(path, columns=["patient_id"])["patient_id"].to_pylist()) for path in last_stage]
    patients = sorted(set().union(*members))
    for first in range(0, len(patients), patients_per_batch):
        batch = frozenset(patients[first : first + patients_per_batch])
        units = [number for number, of_unit in enumerate(members) if not batch.isdisjoint(of_unit)]
        is_whole = all(members[number] <= batch for number in units)
        folders = [tables.folders[number] for number in units]
        yield replace(tables, folders=folders, patients=None if is_whole else batch)


@contextmanager
def cohort_writer(paths: dict[str, Path], tables: UnitTables) -> Iterator[Callable[[CohortTables], dict[str, int]]]:
    """A function that appends a batch to the tables of the cohort and returns the rows of each.

    The files take their names when the block succeeds; each batch is one row group.
    """
    import pyarrow.parquet as pq

    schemas = {name: arrow_schema(name) if name in TABLES else _common_schema(tables.paths(name)) for name in paths}
    with ExitStack() as stack:
        parts = {name: stack.enter_context(written_whole(path)) for name, path in paths.items()}
        writers = {
            name: stack.enter_context(
                pq.ParquetWriter(part, schemas[name], compression="zstd", use_dictionary=_texts(schemas[name]))
            )
            for name, part in parts.items()
        }

        def write(cohort: CohortTables) -> dict[str, int]:
            rows = {}
            for name, writer in writers.items():
                table = _as_arrow(getattr(cohort, name), schemas[name])
                rows[name] = table.num_rows
                if table.num_rows:
                    writer.write_table(table)
            return rows

        yield write


def _texts(schema: pa.Schema) -> list[str]:
    """Columns whose values repeat; a dictionary of measured values would be built and thrown away."""
    import pyarrow as pa

    return [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]


def _common_schema(paths: list[Path]) -> pa.Schema:
    """The schema that holds the columns of all these tables, in the order in which they are first seen."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pa.unify_schemas([pq.read_schema(path).remove_metadata() for path in paths], promote_options="permissive")


def _as_arrow(table: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    import pandas as pd
    import pyarrow as pa

    missing = {name: pd.Series([None] * len(table), dtype=object) for name in schema.names if name not in table}
    complete = table.assign(**missing)[schema.names]
    return pa.Table.from_pandas(complete, schema=schema, preserve_index=False).replace_schema_metadata(None)
