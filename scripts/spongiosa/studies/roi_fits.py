"""What the ROI comparison fits: relations between shapes, levels and DXA; ROC for osteoporosis and low bone mass."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from spongiosa.config.studies import RoiComparisonSettings
from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import number, p_value
from spongiosa.report.variables import SITE_LABELS, Variable, present
from spongiosa.statistics.groups import GroupTest, friedman, kruskal_wallis
from spongiosa.studies.agreement import agreement
from spongiosa.studies.auc_comparison import auc_comparison_table
from spongiosa.studies.audit import roc_checks
from spongiosa.studies.correlations import Pair, correlation_table
from spongiosa.studies.discrimination import Marker, roc_points, roc_table
from spongiosa.studies.fit import Fit, FitFunction, FitThresholds
from spongiosa.studies.result import attempt
from spongiosa.studies.roi_values import SHAPE_LABELS, SINGLE_LEVELS, form_shape_cohort, targets
from spongiosa.studies.strata import strata_areas


def markers(settings: RoiComparisonSettings) -> list[Marker]:
    """The shapes as markers of low bone mass."""
    return [Marker(f"{shape}_l1_l4_hu", SHAPE_LABELS[shape], "HU", "low") for shape in settings.shapes]


def fit_association(
    patients: pd.DataFrame,
    settings: RoiComparisonSettings,
    _thresholds: FitThresholds,
    _seed: int,
    readers: pd.DataFrame | None = None,
) -> Fit:
    """Shapes and levels compared with each other, correlations with DXA, reliability of the readers."""
    cohort = form_shape_cohort(patients, settings, readers)
    frame = cohort.frame
    if frame.empty:
        return Fit()
    outcome, label = dxa_outcome(frame, cohort.sites)
    pairs = [Pair(column, outcome, f"{name} HU and {label}") for column, name in cohort.shapes.items()]
    pairs += [
        Pair(
            f"{shape}_{level.lower()}_hu", f"bmd_{level.lower()}_g_cm2", f"{SHAPE_LABELS[shape]} HU and BMD of {level}"
        )
        for level in SINGLE_LEVELS
        for shape in settings.shapes
        if len(
            present([Variable(f"{shape}_{level.lower()}_hu", ""), Variable(f"bmd_{level.lower()}_g_cm2", "")], frame)
        )
        == 2
    ]
    tables = [
        _between_shapes(frame, cohort.shapes),
        _between_levels(frame, settings),
        correlation_table(
            "t6_correlations", f"Table 6. HU of the shapes and {label}", frame, pairs, unit="HU",
            confidence=settings.confidence,
        ),
    ]  # fmt: skip
    found = agreement(
        readers, targets(settings), frame["patient_id"].tolist(), "t8", "8", confidence=settings.confidence
    )
    frames = {} if found is None else {"agreement_pairs": found.pairs}
    return Fit({table.key: table for table in (*tables, *(found.tables if found else ()))}, frames)


@dataclass(frozen=True)
class Event:
    """A class of the lowest T-score that low HU are to find, and how its tables are called.

    `has_it` compares the T-scores with the threshold; `further` are frames beside the tables, each from the patients,
    who of them has the event, and the settings.
    """

    name: str
    letter: str
    threshold: str
    has_it: Callable[[pd.Series, float], pd.Series]
    titles: tuple[str, str]
    caption: str
    further: Mapping[str, Callable[[pd.DataFrame, pd.Series, RoiComparisonSettings], pd.DataFrame]]


def _by_stratum(frame: pd.DataFrame, event: pd.Series, settings: RoiComparisonSettings) -> pd.DataFrame:
    return strata_areas(frame, event, markers(settings), confidence=settings.confidence)


OSTEOPOROSIS = Event(
    "osteoporosis",
    "a",
    "t_osteoporosis",
    operator.le,
    ("Table 3a. Discrimination of osteoporosis", "Table 4a. Differences between the shapes' AUCs for osteoporosis"),
    "Event: osteoporosis against osteopenia and normal. Low HU means the event.",
    {"strata": _by_stratum},
)
LOW_MASS = Event(
    "low_mass",
    "b",
    "t_osteopenia",
    operator.lt,
    (
        "Table 3b. Discrimination of low bone mass (exclusion)",
        "Table 4b. Differences between the shapes' AUCs for low bone mass",
    ),
    "Event: osteopenia or osteoporosis against normal. A patient above the cut-off counts as normal.",
    {},
)


def fit_discrimination(
    event: Event,
    patients: pd.DataFrame,
    settings: RoiComparisonSettings,
    thresholds: FitThresholds,
    seed: int,
    readers: pd.DataFrame | None = None,
) -> Fit:
    """ROC of every shape for the event, and the paired differences of their areas."""
    frame = form_shape_cohort(patients, settings, readers).frame
    if frame.empty:
        return Fit()
    has_it = event.has_it(frame["low_t_score"], thresholds[event.threshold])
    shapes = markers(settings)
    curves = roc_table(
        f"t3{event.letter}_roc_{event.name}", event.titles[0], event.caption, frame, has_it, shapes,
        confidence=settings.confidence, draws=settings.bootstrap_draws, seed=seed,
    )  # fmt: skip
    differences = auc_comparison_table(
        f"t4{event.letter}_auc_differences", event.titles[1], frame, has_it, shapes, confidence=settings.confidence
    )
    frames = {name: made_of(frame, has_it, settings) for name, made_of in event.further.items()}
    return Fit(
        {curves.key: curves, differences.key: differences},
        {"roc_points": roc_points(frame, has_it, shapes)} | frames,
        {"checks": roc_checks(frame, has_it, shapes)},
    )


FITS: dict[str, FitFunction] = {
    "association": fit_association,
    "osteoporosis": partial(fit_discrimination, OSTEOPOROSIS),
    "low_mass": partial(fit_discrimination, LOW_MASS),
}


def dxa_outcome(frame: pd.DataFrame, sites: tuple[str, ...]) -> tuple[str, str]:
    """The DXA column that HU are related to, with its words: the BMD of the first site, else the lowest T-score."""
    for site in sites:
        if present([Variable(f"bmd_{site}_g_cm2", "")], frame):
            return f"bmd_{site}_g_cm2", f"{SITE_LABELS[site].lower()} BMD"
    return "low_t_score", "lowest T-score"


def _between_shapes(frame: pd.DataFrame, shapes: dict[str, str]) -> TableExhibit:
    """Do the five shapes give the same HU?  Kruskal-Wallis as published, Friedman as the data ask for."""
    conditions = {label: frame[column] for column, label in shapes.items()}
    medians = ", ".join(f"{label} {number(float(values.median()))}" for label, values in conditions.items())
    tests = {
        "Kruskal-Wallis (ignores that they are the same patients)": attempt(kruskal_wallis, conditions),
        "Friedman (same patients)": attempt(friedman, conditions),
    }
    return _tests_table("t5a_between_shapes", "Table 5a. HU between the shapes", f"Medians: {medians} HU.", tests)


def _between_levels(frame: pd.DataFrame, settings: RoiComparisonSettings) -> TableExhibit:
    """Do the four levels of a shape give the same HU?  Friedman over the patients who have them all."""
    tests = {}
    for shape in settings.shapes:
        columns = [f"{shape}_{level.lower()}_hu" for level in SINGLE_LEVELS]
        if all(column in frame for column in columns):
            conditions = {level: frame[column] for level, column in zip(SINGLE_LEVELS, columns, strict=True)}
            tests[f"{SHAPE_LABELS[shape]}, Friedman"] = attempt(friedman, conditions)
        else:
            tests[f"{SHAPE_LABELS[shape]}, Friedman"] = (None, "The table has no HU of this shape per level.")
    return _tests_table(
        "t5b_between_levels", "Table 5b. HU between the levels L1-L4", "Patients with all four levels.", tests
    )


def _tests_table(key: str, title: str, caption: str, tests: dict[str, tuple[GroupTest | None, str]]) -> TableExhibit:
    footnotes = Footnotes()
    records, printed = [], []
    for name, (test, reason) in tests.items():
        records.append(
            {"test": name, "n": test.n if test else 0, "statistic": test.statistic if test else math.nan,
             "df": float(test.df_between) if test else math.nan, "p_value": test.p_value if test else math.nan,
             "effect_size": test.effect_size if test else math.nan, "method": test.method if test else "",
             "reason": reason}
        )  # fmt: skip
        printed.append(
            {"Test": name, "Statistic": number(test.statistic, 2) if test else footnotes.gap(reason),
             "df": number(test.df_between, 0) if test else "", "P": p_value(test.p_value) if test else ""}
        )  # fmt: skip
    return TableExhibit(key, title, pd.DataFrame(records), pd.DataFrame(printed), caption, footnotes.notes())
