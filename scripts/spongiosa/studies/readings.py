"""Manual readings as tables of subjects by raters, for agreement analyses and for the mean of the readers.

A reading belongs to a place (scan, level, region, side).  Subjects are either the places themselves or, as a study
analyses patients, the patients with the mean over the places that every rater of the comparison measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

PLACE = ["patient_id", "session", "modality", "level", "region", "side"]
Subject = Literal["patient", "place"]
#: Name of the column of the workflow's own values.
SOFTWARE = "workflow"


@dataclass(frozen=True)
class Target:
    """What the readers measured again: a quantity in some regions of some levels (all levels where none is named)."""

    key: str
    label: str
    unit: str
    quantity: str
    regions: tuple[str, ...]
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class RaterTable:
    """Ratings of shape (subjects, raters), complete, and what is compared: `inter`, `intra` or `workflow`."""

    target: Target
    comparison: str
    label: str
    subject: Subject
    ratings: pd.DataFrame


def readings_of(readers: pd.DataFrame, target: Target, patients: Sequence[str]) -> pd.DataFrame:
    """The readings of a target in these patients."""
    chosen = (
        readers["region"].isin(target.regions)
        & (readers["quantity"] == target.quantity)
        & readers["patient_id"].isin(list(patients))
    )
    if target.levels:
        chosen &= readers["level"].isin(target.levels)
    return readers[chosen]


def rater_tables(readers: pd.DataFrame, target: Target, patients: Sequence[str]) -> list[RaterTable]:
    """Readers against each other (first trials), each reader's trials, and the readers' mean against the workflow."""
    rows = readings_of(readers, target, patients)
    if rows.empty:
        return []
    first_trials = _by_place(rows[rows["trial"] == rows["trial"].min()], "reader")
    software = rows.drop_duplicates(PLACE).set_index(PLACE)["software_value"]
    parts: list[tuple[str, str, pd.DataFrame]] = []
    if first_trials.shape[1] > 1:
        names = ", ".join(str(name) for name in first_trials.columns)
        parts.append(("inter", f"readers {names}", first_trials))
    for reader in sorted(set(rows["reader"].astype("str"))):
        trials = _by_place(rows[rows["reader"] == reader], "trial")
        if trials.shape[1] > 1:
            parts.append(("intra", f"reader {reader}, {trials.shape[1]} trials", trials.add_prefix("trial ")))
    against = pd.DataFrame(
        {"readers": first_trials.mean(axis="columns"), SOFTWARE: software.reindex(first_trials.index)}
    )
    parts.append((SOFTWARE, f"mean of {first_trials.shape[1]} reader(s) and the workflow", against))
    subjects: tuple[Subject, ...] = ("patient", "place")
    return [
        RaterTable(target, comparison, label, subject, _of_subject(ratings, subject))
        for comparison, label, ratings in parts
        for subject in subjects
    ]


def _by_place(rows: pd.DataFrame, raters: str) -> pd.DataFrame:
    """One row per place and one column per value of `raters`."""
    return rows.pivot_table(index=PLACE, columns=raters, values="value", sort=True)


def mean_of_readers(readers: pd.DataFrame, target: Target, patients: Sequence[str]) -> pd.Series:
    """The mean over the readers' first trials per patient and level, indexed by both."""
    rows = readings_of(readers, target, patients)
    first = rows[rows["trial"] == rows["trial"].min()]
    of_place = first.groupby(PLACE, observed=True)["value"].mean().reset_index()
    means: pd.Series = of_place.groupby(["patient_id", "level"])["value"].mean()
    return means


def _of_subject(ratings: pd.DataFrame, subject: Subject) -> pd.DataFrame:
    complete = ratings.dropna()
    return complete.groupby(level="patient_id").mean() if subject == "patient" else complete
