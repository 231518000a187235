"""The tables of all units become those of the cohort: batch after batch of patients, and then one row per patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import pandas as pd

from spongiosa.cohort.acquisition import acquisition_of_patients
from spongiosa.cohort.aggregate import UnitTables, aggregate_cohort, with_left_out_levels
from spongiosa.cohort.batches import COHORT_TABLES, batches_of_patients, cohort_writer
from spongiosa.cohort.header_facts import header_facts, with_header_facts
from spongiosa.cohort.left_out_levels import left_out_levels, levels_in_words
from spongiosa.provenance import write_csv, write_table

if TYPE_CHECKING:
    from spongiosa.config.aggregate import AggregateSettings


class DeriveIndices(Protocol):
    """From scans, measurements, settings and the levels left out to one row of indices per patient."""

    def __call__(
        self, scans: pd.DataFrame, measurements: pd.DataFrame, settings: AggregateSettings, left_out: pd.DataFrame, /
    ) -> pd.DataFrame: ...


@dataclass(frozen=True)
class KnownOfPatients:
    """What is known of the patients beside their images.

    Corrections by readers; the checked clinical table; how ages of headers were let pass (`convert.patient_age`); and
    the day of each patient's DXA in the count of the series' `scan_day`.
    """

    overrides: Sequence[dict[str, str]] = ()
    clinical: pd.DataFrame | None = None
    patient_age: Literal["drop", "bands", "years"] = "drop"
    dxa_days: Mapping[str, int] = field(default_factory=dict)


def join_units(
    tables: UnitTables,
    outputs: Mapping[str, Path],
    settings: AggregateSettings,
    derive_indices: DeriveIndices,
    known: KnownOfPatients,
) -> dict[str, int]:
    """Write the tables of the cohort and return the rows of each.

    `outputs` has a path for each of `COHORT_TABLES`, for `patients` and for `patients_csv`.  The indices are given as
    a function, since what is measured stands above what is joined.
    """
    counts = dict.fromkeys(COHORT_TABLES, 0)
    indices, acquisition, words, facts = [], [], [], []
    with cohort_writer({name: outputs[name] for name in COHORT_TABLES}, tables) as write:
        for batch in batches_of_patients(tables):
            cohort = aggregate_cohort(batch, known.overrides)
            left_out = left_out_levels(known.clinical, cohort.vertebrae, settings)
            left_out = left_out[left_out["patient_id"].isin(cohort.scans["patient_id"])]
            cohort = with_left_out_levels(cohort, left_out, settings.session)
            indices.append(derive_indices(cohort.scans, cohort.measurements, settings, left_out))
            acquisition.append(acquisition_of_patients(cohort.measurements, settings.session))
            words.append(levels_in_words(left_out))
            facts.append(header_facts(cohort.series, settings.session))
            for name, rows in write(cohort).items():
                counts[name] += rows
    of_headers = pd.concat(facts, ignore_index=True)
    clinical = with_header_facts(known.clinical, of_headers, known.patient_age, known.dxa_days)
    further = (pd.concat(acquisition, ignore_index=True), pd.concat(words, ignore_index=True))
    patients = joined_patients(pd.concat(indices, ignore_index=True), clinical, *further)
    write_table(outputs["patients"], patients)
    write_csv(outputs["patients_csv"], patients)
    return counts | {"patients": len(patients)}


def joined_patients(indices: pd.DataFrame, clinical: pd.DataFrame | None, *further: pd.DataFrame) -> pd.DataFrame:
    """The wide table: clinical columns, then `further` tables of a row per patient (acquisition, levels left out), then
    indices; what the clinical table states (such as `pbq`) wins."""
    table = indices[["patient_id"]]
    if clinical is not None:
        table = table.merge(clinical, how="left", on="patient_id")
    for part in (*further, indices):
        stated = set(table.columns) - {"patient_id"}
        own = [name for name in part.columns if name.removesuffix("_reason").removesuffix("_levels_used") not in stated]
        table = table.merge(part[own], how="left", on="patient_id")
    return table
