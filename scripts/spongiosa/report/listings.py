"""The long lists of the report: every patient with the main indices, and who or what left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from spongiosa.config.report import ReportSettings
from spongiosa.report import cohort_tables
from spongiosa.report.flow import STAGE_TITLES, patient_outcomes
from spongiosa.report.formatting import number
from spongiosa.report.tables import Cell, TableView, view_of_frame
from spongiosa.report.thumbnails import picture_link
from spongiosa.report.variables import Variable

INDEX_VARIABLES = (
    Variable("ax_l1_l4_hu", "HU of L1-L4, three slices", "HU"),
    Variable("hu_3d_l1_l4", "3D-HU of L1-L4", "HU"),
    Variable("vbmd_l1_l2_mg_cm3", "vBMD of L1-L2", "mg/cm³"),
)


def patient_table(patients: pd.DataFrame, scans: pd.DataFrame, settings: ReportSettings) -> TableView:
    """One row per patient: outcome, age and sex, main indices, and the picture."""
    outcomes = patient_outcomes(scans).set_index("patient_id")
    listed = patients.head(settings.patients_listed)
    columns = [*_PATIENT_COLUMNS.items(), *((variable.column, (variable.heading, 1)) for variable in INDEX_VARIABLES)]
    shown = [(column, *words) for column, words in columns if column in listed and listed[column].notna().any()]
    rows = []
    for _, patient in listed.iterrows():
        patient_id = str(patient["patient_id"])
        outcome = outcomes.loc[patient_id] if patient_id in outcomes.index else None
        picture = None if outcome is None else outcome["review_picture"]
        cells: dict[str, Cell] = {"Patient": Cell(patient_id)}
        if len(scans):
            status = "" if outcome is None else str(outcome["status"])
            cells["Outcome"] = Cell(_OUTCOMES.get(status, "unknown"))
        for column, heading, decimals in shown:
            cells[heading] = Cell(_value_cell(patient[column], decimals))
        has_picture = isinstance(picture, str) and bool(picture)
        if len(scans):
            cells["Picture"] = Cell("picture", picture_link(str(picture))) if has_picture else Cell("")
        rows.append(cells)
    view = view_of_frame(
        "patient-list",
        "Patients and their indices",
        pd.DataFrame(rows),
        "All indices and reasons are in cohort/patients.csv and .parquet.",
        shown=settings.rows_shown,
    )
    return replace(view, left_out=len(patients) - len(listed), source="../cohort/patients.csv")


_OUTCOMES = {"ok": "measured", "excluded": "excluded", "failed": "failed"}
_PATIENT_COLUMNS: dict[str, tuple[str, int]] = {
    "age_years": ("Age [years]", 0),
    "sex": ("Sex", 0),
    "t_score_lumbar": ("Lumbar T", 1),
    "t_score_femoral_neck": ("Neck T", 1),
}


def _value_cell(value: Any, decimals: int) -> str:
    if pd.isna(value):
        return "–"
    return value if isinstance(value, str) else number(float(value), decimals)


def exclusion_tables(exclusions: pd.DataFrame, settings: ReportSettings) -> list[TableView]:
    """Scans that left, with their sentence; and how often which level was not measured."""
    is_level = exclusions["level"].notna()
    scans, levels = exclusions[~is_level], exclusions[is_level]
    views = []
    if len(scans):
        left_out = len(scans) - settings.patients_listed
        scans = scans.head(settings.patients_listed)
        printed = pd.DataFrame(
            {
                "Patient": scans["patient_id"],
                "Scan": scans["session"].astype(str) + "\N{NO-BREAK SPACE}" + scans["modality"].astype(str),
                "Stage": scans["stage"].map(lambda stage: STAGE_TITLES.get(str(stage), str(stage))),
                "Reason": scans["reason"].astype(str).str.replace("_", " "),
                "What was found": scans["detail"].fillna(""),
            }
        )
        view = view_of_frame("excluded-scans", "Scans that left", printed, shown=settings.rows_shown)
        views.append(replace(view, left_out=max(0, left_out), source="../cohort/exclusions.parquet"))
    if len(levels):
        counted = levels.groupby(["level", "reason"]).size().reset_index(name="Scans")
        rank = {level: position for position, level in enumerate(cohort_tables.LEVELS)}
        counted = counted.assign(_rank=counted["level"].map(rank)).sort_values(
            ["_rank", "Scans"], ascending=[True, False]
        )
        printed = pd.DataFrame(
            {
                "Level": counted["level"],
                "Reason": counted["reason"].str.replace("_", " "),
                "Scans": counted["Scans"].astype(str),
            }
        )
        views.append(
            view_of_frame(
                "excluded-levels",
                "Levels not fully measured in scans that stayed",
                printed,
                "Each scan, level and reason with its regions is in cohort/exclusions.parquet.",
                shown=settings.rows_shown,
            )
        )
    return views
