"""A model of screw loosening from age, PBQ, HU ratio and Goutallier grade, its validation, and its nomogram.

Every coefficient comes from the patients analysed; none is built in.  Tables and figures follow the nomogram study of
pedicle screws.
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from spongiosa.config.studies import ScrewLooseningNomogramSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report.exhibits import FigureExhibit
from spongiosa.report.formatting import estimate_interval, number, percent
from spongiosa.report.variables import Variable, demographic_variables, present
from spongiosa.statistics.prediction_model import to_json
from spongiosa.statistics.selection import Selection, SelectionRule, select_model
from spongiosa.statistics.terms import Category, Linear, Term
from spongiosa.studies import nomogram_exhibits as show
from spongiosa.studies.calculator import calculator_documents
from spongiosa.studies.discrimination import Marker, roc_figure, roc_table
from spongiosa.studies.flow_table import apply_criteria, flow_exhibit, numbers
from spongiosa.studies.nomogram_model import FittedModel, fit_model
from spongiosa.studies.outcome_baseline import YES_NO, outcome_baseline
from spongiosa.studies.predictors import LABELS, LOW_MEANS_EVENT
from spongiosa.studies.regression_tables import selection_table
from spongiosa.studies.result import StudyResult, attempt

NAME = "screw_loosening_nomogram"
TITLE = "Screw loosening: model and nomogram"
OUTCOME = "loosening"
GROUPS = {"event": "Loosening", "none": "No loosening"}


def analyse(
    patients: pd.DataFrame, settings: ScrewLooseningNomogramSettings, _thresholds: ThresholdsSettings, seed: int
) -> StudyResult:
    """The whole study from the patient table.

    Patients with scoliosis are kept for the sensitivity cohort only.  Missing predictors are imputed; where none is
    missing, the complete rows are used as they are.
    """
    everybody = patients.reset_index(drop=True)
    criteria = [("no_outcome", numbers(everybody, OUTCOME).isna(), "screw loosening not known.")]
    with_scoliosis, _ = apply_criteria(everybody, criteria)
    criteria.append(
        ("scoliosis", numbers(everybody, "scoliosis") == 1, "adult degenerative scoliosis (sensitivity cohort).")
    )
    frame, flow = apply_criteria(everybody, criteria)
    terms = candidate_terms(frame, settings)
    methods = _methods(settings, terms, seed)
    if frame.empty or not terms:
        return StudyResult(
            NAME, TITLE, "No patient has a known outcome and a candidate predictor.", methods,
            (flow_exhibit(flow),), (), omitted=(("All figures", "Nobody is analysed."),),
            audit={"analysed": 0, "seed": seed},
        )  # fmt: skip
    event = numbers(frame, OUTCOME) == 1
    rule = selection_rule(terms, settings)
    selection, no_selection = attempt(
        select_model, frame, event.to_numpy(), terms, rule, confidence=settings.confidence
    )
    model, no_model = attempt(fit_model, frame, event, terms, rule, settings, seed)
    probability = pd.Series(float("nan"), index=frame.index)
    if model is not None:
        probability[model.developed.rows] = model.developed.probability
    frame = frame.assign(probability=probability, group=event.map({True: "event", False: "none"}))
    markers = _markers(terms, model)
    tables = [
        flow_exhibit(flow),
        outcome_baseline(
            "t1_baseline", "Table 1. Patients with and without loosening", f"n = {len(frame)}.", frame, frame["group"],
            GROUPS, present(_variables(), frame), seed=seed, alpha=settings.alpha,
        ),
        selection_table(
            "t2_selection", "Table 2. Univariable and multivariable logistic regression (complete cases)",
            f"Event: loosening. {str(rule).capitalize()}.", selection.univariable if selection else (),
            selection.multivariable if selection else None, LABELS,
            reason=no_selection or (selection.reason if selection else ""),
        ),
        *show.model_tables(model, no_model, LABELS),
        roc_table(
            "t4_roc", "Table 4. Discrimination of the predictors and of the model", "Event: loosening.", frame, event,
            markers, confidence=settings.confidence, draws=settings.bootstrap_draws, seed=seed,
        ),
        *show.performance_tables(model, frame, event, settings.confidence),
        show.collinearity_table(frame, terms, LABELS),
        show.missing_table(frame, terms, LABELS),
    ]  # fmt: skip
    if len(with_scoliosis) > len(frame):
        tables.append(show.sensitivity_table(with_scoliosis, OUTCOME, terms, rule, settings, seed, LABELS))
    roc_drawn, no_roc = roc_figure(
        "f2_roc", "Figure 2. ROC curves", "Event: loosening. Points: Youden cut-offs.", frame, event, markers,
        confidence=settings.confidence,
    )  # fmt: skip
    drawn: dict[str, tuple[FigureExhibit | None, str]] = {
        "Nomogram": show.nomogram_figure(model, no_model, LABELS),
        "ROC curves": (roc_drawn, no_roc),
        **show.usefulness_figures(model, no_model, event),
    }
    return StudyResult(
        name=NAME,
        title=TITLE,
        headline=_headline(model, no_model, len(frame), int(event.sum())),
        methods=methods,
        tables=tuple(tables),
        figures=tuple(figure for figure, _ in drawn.values() if figure is not None),
        omitted=tuple((title, reason) for title, (figure, reason) in drawn.items() if figure is None),
        audit=_audit(frame, flow, event, selection, model, settings, seed),
        documents=calculator_documents(model, frame, settings.confidence) if model else (),
    )


def candidate_terms(frame: pd.DataFrame, settings: ScrewLooseningNomogramSettings) -> tuple[Term, ...]:
    """The numeric candidates that vary, and the Goutallier grade as categories against its reference.

    Where nobody has the reference grade, the highest grade observed takes its place.
    """
    columns = {name: numbers(frame, name).dropna() for name in settings.linear}
    terms: list[Term] = [
        Linear(name) for name, values in columns.items() if len(values) and values.min() < values.max()
    ]
    grades = sorted(int(grade) for grade in numbers(frame, "goutallier").dropna().unique())
    if len(grades) > 1:
        reference = settings.goutallier_reference if settings.goutallier_reference in grades else grades[-1]
        terms.append(Category("goutallier", tuple(str(grade) for grade in grades), str(reference)))
    return tuple(terms)


def selection_rule(terms: tuple[Term, ...], settings: ScrewLooseningNomogramSettings) -> SelectionRule:
    """The configured rule, without the a-priori columns that are no candidates here."""
    names = {term.name for term in terms}
    return SelectionRule(
        enter_below=settings.enter_below,
        a_priori=tuple(name for name in settings.a_priori if name in names),
        stay_below=settings.stay_below,
    )


def _markers(terms: tuple[Term, ...], model: FittedModel | None) -> list[Marker]:
    markers = [
        Marker(term.name, LABELS.get(term.name, term.name), "", "low" if term.name in LOW_MEANS_EVENT else "high", 2)
        for term in terms
        if model is None or term.name in model.developed.terms
    ]
    return [*markers, Marker("probability", "Model", "", "high", 3)] if model is not None else markers


def _variables() -> list[Variable]:
    grades = {str(grade): str(grade) for grade in range(5)}
    segments = ("L1", "L2", "L3", "L4", "L5", "S1", "S2", "ilium")
    return [
        *demographic_variables(),
        Variable("diabetes", "Diabetes", categories=YES_NO),
        Variable("t_score_lumbar", "Lumbar T-score", "SD", 2),
        Variable("fused_levels", "Fused levels"),
        Variable("terminal_segment", "Lowest instrumented vertebra", categories={s: s for s in segments}),
        Variable("pelvic_incidence_deg", "Pelvic incidence", "°"),
        Variable("pelvic_tilt_deg", "Pelvic tilt", "°"),
        Variable("sacral_slope_deg", "Sacral slope", "°"),
        Variable("lumbar_lordosis_deg", "Lumbar lordosis", "°"),
        Variable("pbq", "PBQ", "", 2),
        Variable("b_hu", "B-HU", "HU"),
        Variable("st_hu", "ST-HU", "HU"),
        Variable("hu_ratio", "HU ratio", "", 2),
        Variable("goutallier", "Goutallier grade", categories=grades),
    ]


def _headline(model: FittedModel | None, reason: str, n: int, events: int) -> str:
    start = f"Loosening in {events} of {n} patients ({percent(events / n)})"
    if model is None:
        return f"{start}: no model ({reason.rstrip('.')})."
    named = ", ".join(LABELS.get(name, name).partition(" [")[0] for name in model.developed.terms)
    text = f"{start}: model of {named}"
    if model.area is not None:
        text += f", AUC {estimate_interval(model.area.estimate, model.area.ci_low, model.area.ci_high)}"
    if model.validation is not None:
        text += f", corrected for optimism {number(model.validation.auc.corrected, 3)}"
    return f"{text}."


def _methods(settings: ScrewLooseningNomogramSettings, terms: tuple[Term, ...], seed: int) -> str:
    named = ", ".join(LABELS.get(term.name, term.name) for term in terms) or "none"
    return (
        f"Candidates: {named}. Missing predictors were imputed by chained equations ({settings.imputations} completed "
        "sets, 10 iterations, the outcome among the predictors) and estimates pooled by Rubin's rules; where nothing "
        "is missing, the rows are used as they are. A candidate entered the multivariable model at a univariable P "
        f"below {settings.enter_below:g} or a priori, and stayed at P below {settings.stay_below:g} (joint Wald P per "
        "term). Number of fused levels and terminal segment overlap, so the latter is described and no candidate. "
        "Separated fits were penalised (Firth). Discrimination: AUC with DeLong's interval; cut-off with the greatest "
        "Youden index, a patient at or above it being positive. Calibration: Hosmer-Lemeshow in ten groups filled in "
        "the order of risk, intercept in the large and slope, Brier score; the intercept in the large of a model on "
        "its own patients is 0 by construction. Internal validation: optimism bootstrap of "
        f"{settings.validation_draws} resamples, each repeating imputation, selection and fit; smooth calibration "
        "curve with its mean absolute error. Decision curve and clinical impact from the pooled linear predictor. The "
        f"nomogram's axes are those of rms. Intervals cover {settings.confidence:.0%}. Seed {seed}."
    )


def _audit(
    frame: pd.DataFrame,
    flow: pd.DataFrame,
    event: pd.Series,
    selection: Selection | None,
    model: FittedModel | None,
    settings: ScrewLooseningNomogramSettings,
    seed: int,
) -> dict[str, Any]:
    return {
        "analysed": len(frame),
        "events": int(event.sum()),
        "flow": dict(zip(flow["step"], flow["patients"].tolist(), strict=True)),
        "direction": "the event is loosening; low HU ratio and high values of all others mean the event",
        "complete_case_final_terms": list(selection.final_terms) if selection else [],
        "final_terms": list(model.developed.terms) if model else [],
        "events_per_parameter": model.events_per_parameter if model else None,
        "method": model.developed.method if model else None,
        "validation": model.validation.method if model and model.validation else None,
        "model": json.loads(to_json(model.model)) if model else None,
        "settings": settings.model_dump(mode="json"),
        "seed": seed,
    }
