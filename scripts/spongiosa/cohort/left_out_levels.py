"""Vertebrae that do not count for an index: fractured, cemented, treated, or named by the clinical table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from spongiosa.config.aggregate import AggregateSettings

COLUMNS = ["patient_id", "level", "why"]


def left_out_levels(
    clinical: pd.DataFrame | None, vertebrae: pd.DataFrame, settings: AggregateSettings
) -> pd.DataFrame:
    """Patient and level of every vertebra that enters no index, once, with the words of `why`; sorted.

    From the columns `settings.left_out_levels` of the clinical table (levels separated by blanks), and, with
    `settings.highest_fracture_grade`, from the grades that were measured on the CT of `settings.session`.
    """
    rows: list[tuple[str, str, str]] = []
    for column in settings.left_out_levels:
        if clinical is None or column not in clinical:
            continue
        named = clinical[["patient_id", column]].dropna()
        rows += [
            (str(patient), level, column.replace("_", " "))
            for patient, text in named.itertuples(index=False, name=None)
            for level in str(text).split()
        ]
    highest = settings.highest_fracture_grade
    if highest is not None and not vertebrae.empty:
        of_session = vertebrae[(vertebrae["session"] == settings.session) & (vertebrae["modality"] == "ct")]
        grade = of_session["fracture_grade"].astype("Float64")
        worse = of_session[(grade > highest).fillna(value=False)]
        rows += [
            (str(patient), str(level), f"fracture grade {int(found)}")
            for patient, level, found in worse[["patient_id", "level", "fracture_grade"]].itertuples(
                index=False, name=None
            )
        ]
    table = pd.DataFrame(rows, columns=COLUMNS, dtype="str")
    table = table.groupby(["patient_id", "level"], sort=True)["why"].agg(", ".join).reset_index()
    return table[COLUMNS]


def levels_in_words(left_out: pd.DataFrame) -> pd.DataFrame:
    """One row per patient with `levels_left_out`: "L1 (treated levels), L3 (fracture grade 2)"."""
    words = left_out.assign(words=left_out["level"] + " (" + left_out["why"] + ")")
    joined = words.groupby("patient_id")["words"].agg(", ".join)
    return joined.rename("levels_left_out").astype("string").reset_index()
