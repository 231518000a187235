"""Cohorts that several sites computed apart become one: tables with a column `site`, and no image on the way.

Measurements of two sites belong together only when the same code measured them with the same settings, so what made
them (each site's run.json) is compared before anything is merged.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spongiosa.cohort.batches import COHORT_TABLES
from spongiosa.cohort.faults import Fault, InputFaults
from spongiosa.cohort.handover import COLUMNS_OF_STAGE
from spongiosa.provenance import digest, written_whole

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: The tables that every site has.
REQUIRED_TABLES = (*(name for name in COHORT_TABLES if name != "calibration"), "patients")

#: Those that are merged where all sites have them.
OPTIONAL_TABLES = ("calibration", "readers", "screws")

#: Paths in them that lead nowhere without the folder of their site.
PATH_COLUMNS = {"scans": ("review_picture",)}

#: Stages whose code decides what stands in the tables.
_STAGES = (*COLUMNS_OF_STAGE, "aggregate_cohort")

_LETTERS_AND_DIGITS = re.compile(r"[A-Za-z0-9]+")

#: Rows that are in memory at once, about 100 MB of measurements.
_ROWS_PER_BATCH = 100_000

#: Patients that a sentence names before it counts the others.
_NAMED = 5


@dataclass(frozen=True)
class Site:
    """A cohort that was computed before, in the results folder `folder`."""

    name: str
    folder: Path

    @cached_property
    def run(self) -> dict[str, Any]:
        """What made its results."""
        run: dict[str, Any] = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        return run

    def table(self, name: str) -> Path:
        return self.folder / "cohort" / f"{name}.parquet"

    def patients(self) -> list[str]:
        import pyarrow.parquet as pq

        ids: list[str] = pq.read_table(self.table("patients"), columns=["patient_id"])["patient_id"].to_pylist()
        return ids


def read_sites(folders: Mapping[str, str]) -> list[Site]:
    """The sites by name.  Raises `InputFaults` for names and folders that cannot be used."""
    sites = [Site(name, Path(folder)) for name, folder in sorted(folders.items())]
    faults = []
    for site in sites:
        if not _LETTERS_AND_DIGITS.fullmatch(site.name):
            faults.append(Fault("cohort.sites", None, site.name, "the name of a site has letters and digits only."))
        needed = [site.folder / "run.json", *(site.table(name) for name in REQUIRED_TABLES)]
        absent = [path.relative_to(site.folder).as_posix() for path in needed if not path.is_file()]
        if absent:
            sentence = f"the folder {site.folder} holds no finished run; it lacks {', '.join(absent)}."
            faults.append(Fault("cohort.sites", None, site.name, sentence))
    if faults:
        raise InputFaults(faults)
    return sites


def tables_of(sites: Sequence[Site]) -> list[str]:
    """Names of the tables that are merged."""
    in_all = [name for name in OPTIONAL_TABLES if all(site.table(name).is_file() for site in sites)]
    return [*REQUIRED_TABLES, *in_all]


def check_sites(sites: Sequence[Site], ids: str, allow_differences: bool) -> list[str]:
    """The sentences on how the sites were computed differently, which are allowed.

    Raises `InputFaults` for differences that are not, and for patient ids that would stand for two patients.
    """
    found = differences(sites)
    faults = [] if allow_differences else [Fault("cohort.sites", None, None, sentence) for sentence in found]
    counts = Counter(merged_id(site, patient, ids) for site in sites for patient in site.patients())
    twice = sorted(patient for patient, count in counts.items() if count > 1)
    if twice:
        more = f" and {len(twice) - _NAMED} more" if len(twice) > _NAMED else ""
        sentence = (
            f"more than one site has the patients {', '.join(twice[:_NAMED])}{more}; set cohort.site_ids: prefix to "
            "put the name of the site before every patient_id."
        )
        faults.append(Fault("cohort.sites", None, None, sentence))
    if faults:
        raise InputFaults(faults)
    return found


def merged_id(site: Site, patient_id: str, ids: str) -> str:
    """The patient's id in the merged tables."""
    return f"{site.name}{patient_id}" if ids == "prefix" else patient_id


def differences(sites: Sequence[Site]) -> list[str]:
    """Sentences on versions, code and measuring settings in which a site differs from the first."""
    first = sites[0]
    sentences = []
    for site in sites[1:]:
        between = f"{site.name} differs from {first.name}"
        for package in sorted(first.run["versions"].keys() | site.run["versions"].keys()):
            theirs, ours = site.run["versions"].get(package), first.run["versions"].get(package)
            if theirs != ours:
                sentences.append(f"{between} in the version of {package}: {theirs} and {ours}.")
        stages = [stage for stage in _STAGES if site.run["code"].get(stage) != first.run["code"].get(stage)]
        if stages:
            sentences.append(f"{between} in the code of {', '.join(stages)}.")
        if site.run["config_hash"] != first.run["config_hash"]:
            keys = sorted(_different_keys(site.run["configuration"], first.run["configuration"]))
            sentences.append(f"{between} in measuring settings: {', '.join(keys) or 'unknown keys'}.")
    return sentences


def merged_hash(sites: Sequence[Site]) -> str:
    """The configuration hash of all sites where it is one, else a hash over theirs."""
    hashes = sorted({site.run["config_hash"] for site in sites})
    return hashes[0] if len(hashes) == 1 else digest(hashes)


def merge_tables(sites: Sequence[Site], outputs: Mapping[str, Path], ids: str) -> dict[str, int]:
    """Write the merged tables, site after site within fixed memory; returns the rows of each.

    Each keeps the order of its site, gets the column `site` after `patient_id`, and the columns of all sites: what a
    site does not have is null there.  All tables take their names at the end, or none does.
    """
    import pyarrow.parquet as pq

    rows = {}
    with ExitStack() as stack:
        for name, path in outputs.items():
            schema = _merged_schema(sites, name)
            part = stack.enter_context(written_whole(path))
            rows[name] = 0
            with pq.ParquetWriter(part, schema, compression="zstd") as writer:
                for batch in _batches(sites, name, schema, ids):
                    writer.write_table(batch)
                    rows[name] += batch.num_rows
    return rows


def overview(sites: Sequence[Site], scans: pd.DataFrame) -> pd.DataFrame:
    """One row per site: name, version and configuration hash of its run, its patients, and its scans by outcome.

    `scans` is the merged table of scans, of which site, patient_id and status are read.
    """
    import pandas as pd

    made_by = pd.DataFrame(
        [(site.name, site.run["versions"]["spongiosa"], site.run["config_hash"]) for site in sites],
        columns=["site", "version", "config_hash"],
    )
    counts = scans.groupby("site")["patient_id"].agg(patients="nunique", scans="size")
    statuses = pd.crosstab(scans["site"], scans["status"]).reindex(columns=["ok", "excluded", "failed"], fill_value=0)
    return made_by.merge(counts.join(statuses).reset_index(), on="site", how="left")


def _merged_schema(sites: Sequence[Site], name: str) -> pa.Schema:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schemas = [pq.read_schema(site.table(name)).remove_metadata() for site in sites]
    merged = pa.unify_schemas(schemas, promote_options="permissive")
    return merged.insert(merged.get_field_index("patient_id") + 1, pa.field("site", pa.string()))


def _batches(sites: Sequence[Site], name: str, schema: pa.Schema, ids: str) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for site in sites:
        with pq.ParquetFile(site.table(name)) as file:
            for batch in file.iter_batches(batch_size=_ROWS_PER_BATCH):
                columns = {column: batch.column(column) for column in batch.schema.names}
                columns["patient_id"] = pa.array(
                    [merged_id(site, patient, ids) for patient in columns["patient_id"].to_pylist()], pa.string()
                )
                columns["site"] = pa.array([site.name] * batch.num_rows, pa.string())
                nothing = pa.nulls(batch.num_rows)
                for column in (*PATH_COLUMNS.get(name, ()), *(set(schema.names) - columns.keys())):
                    columns[column] = nothing
                yield pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)


def _different_keys(one: Any, other: Any, prefix: str = "") -> Iterator[str]:
    from spongiosa.config.sections import MEASURING_SECTIONS

    names = MEASURING_SECTIONS if not prefix else one.keys() | other.keys()
    for name in names:
        mine, theirs = one.get(name), other.get(name)
        if isinstance(mine, dict) and isinstance(theirs, dict):
            yield from _different_keys(mine, theirs, f"{prefix}{name}.")
        elif mine != theirs:
            yield f"{prefix}{name}"
