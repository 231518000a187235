"""The densitometry of a patient on the WHO's classes, drawn from the clinical columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from spongiosa.report import theme
from spongiosa.report.formatting import number
from spongiosa.report.panels import NOT_A_PATIENT
from spongiosa.studies import illustrations
from spongiosa.studies.panel import Content, Panel
from spongiosa.studies.pictured_cohort import PicturedCohort

#: Sites in the order of a printout: ending of the columns, and name.
SITES = (
    ("lumbar", "Lumbar spine\nL1–L4"), ("l1", "L1"), ("l2", "L2"), ("l3", "L3"), ("l4", "L4"),
    ("femoral_neck", "Femoral\nneck"), ("total_hip", "Total\nhip"),
)  # fmt: skip
#: Borders of the WHO's classes of the T-score: Kanis, J Bone Miner Res 9 (1994) 1137.
OSTEOPENIA_T, OSTEOPOROSIS_T = -1.0, -2.5
BANDS = (("Normal", OSTEOPENIA_T, 9.0, "#7cc28d"), ("Osteopenia", OSTEOPOROSIS_T, OSTEOPENIA_T, "#f2d66b"),
         ("Osteoporosis", -9.0, OSTEOPOROSIS_T, "#e08a76"))  # fmt: skip
#: T-scores that are always in view.
LOWEST_T, HIGHEST_T = -4.5, 2.0
MALE, FEMALE = "male", "female"


def draw(row: Mapping[str, Any], remark: str, *, is_synthetic: bool) -> Content:
    """T-scores of the sites on the classes of the WHO, each with its BMD where that is given."""
    sites = [(ending, name) for ending, name in SITES if _value(row, f"t_score_{ending}") is not None]
    data = pd.DataFrame(
        {
            "site": pd.Series([ending for ending, _ in sites], dtype="string"),
            "t_score": pd.Series([_value(row, f"t_score_{ending}") for ending, _ in sites], dtype="Float64"),
            "bmd_g_cm2": pd.Series([_value(row, f"bmd_{ending}_g_cm2") for ending, _ in sites], dtype="Float64"),
        }
    )
    scores = [float(value) for value in data["t_score"]]
    low, high = min(LOWEST_T, min(scores) - 0.7), max(HIGHEST_T, max(scores) + 0.7)
    person = _person(row)
    with theme.themed():
        figure = theme.new_figure(120.0, 84.0)
        axis = figure.subplots()
        for label, lower, upper, colour in BANDS:
            bottom, top = max(lower, low), min(upper, high)
            axis.axhspan(bottom, top, color=colour, alpha=0.85, linewidth=0)
            axis.text(1.02, (bottom + top) / 2, label, transform=axis.get_yaxis_transform(), va="center", fontsize=8)
        axis.scatter(range(len(sites)), scores, 34, "#111820", zorder=3)
        for place, (score, bmd) in enumerate(zip(scores, data["bmd_g_cm2"], strict=True)):
            text = f"T {number(score, 1)}" + ("" if pd.isna(bmd) else f"\n{number(float(bmd), 3)} g/cm²")
            axis.annotate(
                text, (place, score), (7, 0), textcoords="offset points", va="center", fontsize=7.5, color="#111820"
            )
        axis.set_xticks(range(len(sites)), [name for _, name in sites])
        axis.set(xlim=(-0.5, len(sites) + 0.05), ylim=(low, high), ylabel="T-score [SD]", title=person)
        axis.grid(visible=False)
        if is_synthetic:
            figure.suptitle(NOT_A_PATIENT, fontsize=8, color=theme.VERMILLION, weight="bold")
    caption = (
        "Drawn from the clinical table, not a printout of the densitometer: T-score and, where given, areal BMD per "
        f"site on the classes of the WHO (normal from {number(OSTEOPENIA_T, 1)}, osteoporosis at or below "
        f"{number(OSTEOPOROSIS_T, 1)}). No reference curve for age is drawn, as such data belong to the makers of "
        f"densitometers. {remark}"
    )
    names = [name.replace("\n", " ") for _, name in sites]
    named = ", ".join(f"{name} {number(score, 1)}" for name, score in zip(names, scores, strict=True))
    return Content(figure, data, caption, f"T-scores of {person.lower()} on the classes of the WHO: {named}.")


def _person(row: Mapping[str, Any]) -> str:
    """Sex and age as far as they are given; an age from 90 years is not told."""
    sex = {MALE: "Man", FEMALE: "Woman"}.get(str(row.get("sex")), "Patient")
    age = _value(row, "age_years")
    if age is None:
        return sex
    return f"{sex}, {'90 years or older' if age >= 90 else f'{age:.0f} years'}"


def _value(row: Mapping[str, Any], column: str) -> float | None:
    value = row.get(column)
    return None if value is None or pd.isna(value) else float(value)


def _of_cohort(cohort: PicturedCohort) -> Content:
    return draw(cohort.densitometry, cohort.choice, is_synthetic=cohort.is_synthetic)


def _of_synthetic() -> Content:
    return draw(illustrations.densitometry(), "", is_synthetic=True)


PANEL = Panel("p1_dxa", "Picture 1. Densitometry", _of_cohort, _of_synthetic)
