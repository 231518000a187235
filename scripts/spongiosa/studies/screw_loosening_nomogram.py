"""A model of screw loosening from age, PBQ, HU ratio and Goutallier grade, its validation, and its nomogram.

Every coefficient comes from the patients analysed or from the user's file; none is built in.  Tables and figures follow
the nomogram study of pedicle screws.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pandas as pd

from spongiosa.config.studies import ScrewLooseningNomogramSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report.exhibits import TableExhibit
from spongiosa.report.formatting import estimate_interval, number, percent
from spongiosa.report.variables import present
from spongiosa.statistics.prediction_model import to_json
from spongiosa.statistics.terms import Term
from spongiosa.studies import nomogram_exhibits as show
from spongiosa.studies import nomogram_supplement as supplement
from spongiosa.studies import strata
from spongiosa.studies.audit import counts_of_tables, missing_values, roc_checks
from spongiosa.studies.calculator import calculator_documents
from spongiosa.studies.discrimination import Marker, roc_figure, roc_table
from spongiosa.studies.external_model import external_figures, external_table
from spongiosa.studies.flow_figure import flow_figure
from spongiosa.studies.flow_table import flow_exhibit
from spongiosa.studies.nomogram_cohort import TERMINAL, baseline_variables
from spongiosa.studies.nomogram_figures import nomogram_figure, usefulness_figures
from spongiosa.studies.nomogram_fit import NomogramFit, fit
from spongiosa.studies.nomogram_model import FittedModel
from spongiosa.studies.nomogram_selection import selection_exhibit
from spongiosa.studies.outcome_baseline import outcome_baseline
from spongiosa.studies.predictors import LABELS, LOW_MEANS_EVENT
from spongiosa.studies.regression_tables import selection_table
from spongiosa.studies.result import StudyResult, drawn_figures, omitted_figures

NAME = "screw_loosening_nomogram"
TITLE = "Screw loosening: model and nomogram"
#: Markers whose discrimination is repeated per scanner and site.
STRATIFIED = ("probability", "hu_ratio")
GROUPS = {"event": "Loosening", "none": "No loosening"}


def analyse(
    patients: pd.DataFrame, settings: ScrewLooseningNomogramSettings, _thresholds: ThresholdsSettings, seed: int
) -> StudyResult:
    """The whole study from the patient table; no threshold of the configuration enters it."""
    return tabulate(fit(patients, settings, seed), settings, seed)


def tabulate(fitted: NomogramFit, settings: ScrewLooseningNomogramSettings, seed: int) -> StudyResult:
    """Tables, figures, words and calculator of a fit."""
    frame, event, model = fitted.frame, fitted.event, fitted.model
    methods = _methods(settings, fitted.terms, seed)
    of_file = [external_table(fitted.external, settings.confidence)] if fitted.external else []
    file_figures = external_figures(fitted.external) if fitted.external else {}
    if fitted.rule is None:
        drawn = {"All figures": (None, fitted.no_model), **file_figures}
        return StudyResult(
            NAME, TITLE, fitted.no_model, methods, (flow_exhibit(fitted.flow), *of_file),
            drawn_figures(drawn),
            omitted=omitted_figures(drawn),
            audit={"analysed": 0, "seed": seed},
        )  # fmt: skip
    markers = _markers(fitted.terms, model)
    tables = [
        flow_exhibit(fitted.flow),
        outcome_baseline(
            "t1_baseline", "Table 1. Patients with and without loosening", f"n = {len(frame)}.", frame, frame["group"],
            GROUPS, present(baseline_variables(frame), frame), seed=seed, alpha=settings.alpha,
        ),
        selection_exhibit(fitted.selection, fitted.no_selection, frame, event, fitted.terms, LABELS),
        *_complete_cases(fitted),
        show.model_table(model, fitted.no_model, LABELS),
        roc_table(
            "t4_roc", "Table 4. Discrimination of the predictors and of the model",
            "Event: loosening. Model: the risk of the pooled linear predictor.", frame, event, markers,
            confidence=settings.confidence, draws=settings.bootstrap_draws, seed=seed,
        ),
        *show.performance_tables(model, frame, event, settings.confidence),
        supplement.collinearity_table(
            "t8_collinearity", "Table 8. Collinearity of the candidates", frame, fitted.terms, LABELS
        ),
        supplement.missing_table(frame, fitted.terms, LABELS),
        *supplement.pbq_table(frame, settings.confidence),
        *of_file,
        *strata.strata_table(
            "t12_strata", "Table 12. Discrimination by scanner and site", frame, event,
            [marker for marker in markers if marker.column in STRATIFIED], "Loosening", confidence=settings.confidence,
        ),
        *_supplement(fitted, settings, seed),
    ]  # fmt: skip
    roc_drawn, no_roc = roc_figure(
        "f2_roc", "Figure 2. ROC curves", "Event: loosening. Points: Youden cut-offs.", frame, event, markers,
        confidence=settings.confidence,
    )  # fmt: skip
    groups = {label: int((frame["group"] == name).sum()) for name, label in GROUPS.items()}
    drawn = {
        "Flow of patients": flow_figure(fitted.flow, groups),
        "Nomogram": nomogram_figure(model, fitted.no_model, LABELS),
        "ROC curves": (roc_drawn, no_roc),
        **usefulness_figures(model, fitted.no_model, event),
        **file_figures,
    }
    return StudyResult(
        name=NAME,
        title=TITLE,
        headline=_headline(model, fitted.no_model, len(frame), int(event.sum())),
        methods=methods,
        tables=tuple(tables),
        figures=drawn_figures(drawn),
        omitted=omitted_figures(drawn),
        audit=_audit(fitted, tables, settings, seed),
        documents=calculator_documents(model, frame, settings.confidence) if model else (),
    )


def _complete_cases(fitted: NomogramFit) -> list[TableExhibit]:
    """The selection on complete rows beside that on imputed data; nothing where no value is missing."""
    found = fitted.complete_cases
    if found is None:
        return []
    return [
        selection_table(
            "t2_complete_cases", "Table 2b. The same regressions on complete cases",
            "Event: loosening. The same rule, on the rows in which all terms of a model are known.",
            found.univariable, found.multivariable, LABELS, reason=found.reason,
        )
    ]  # fmt: skip


def _supplement(fitted: NomogramFit, settings: ScrewLooseningNomogramSettings, seed: int) -> list[TableExhibit]:
    """S1-S3 the cohort with scoliosis, S4-S5 overlap with the lowest instrumented vertebra, S7 other fits."""
    tables: list[TableExhibit] = []
    other = fitted.with_scoliosis
    if other is not None:
        words = f"The {len(fitted.frame)} patients analysed and {len(other.frame) - len(fitted.frame)} with scoliosis."
        tables.append(
            outcome_baseline(
                "s1_baseline", "Table S1. Patients, those with scoliosis among them", words, other.frame,
                other.frame["group"], GROUPS, present(baseline_variables(other.frame), other.frame), seed=seed,
                alpha=settings.alpha,
            )
        )  # fmt: skip
        table = selection_exhibit(other.selection, other.no_selection, other.frame, other.event, fitted.terms, LABELS)
        tables.append(replace(table, key="s2_selection", title="Table S2. Regression, with scoliosis"))
        tables.append(show.performance_summary("s3_performance", other.model, other.no_model))
    tables += supplement.fusion_table(fitted.frame, seed)
    if "terminal_group" in fitted.frame:
        tables.append(
            supplement.collinearity_table(
                "s5_collinearity", "Table S5. Collinearity with the lowest instrumented vertebra added", fitted.frame,
                (*fitted.terms, TERMINAL), LABELS,
            )
        )  # fmt: skip
    if fitted.model is not None:
        kept = tuple(term for term in fitted.terms if term.name in fitted.model.developed.terms)
        tables.append(supplement.alternatives_table(fitted.frame, fitted.event, kept, LABELS))
    return tables


def _markers(terms: tuple[Term, ...], model: FittedModel | None) -> list[Marker]:
    markers = [
        Marker(term.name, LABELS.get(term.name, term.name), "", "low" if term.name in LOW_MEANS_EVENT else "high", 2)
        for term in terms
        if model is None or term.name in model.developed.terms
    ]
    return [*markers, Marker("probability", "Model", "", "high", 3)] if model is not None else markers


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
    published = (
        f" The published model ({settings.coefficients.source}) was applied with its coefficients as they are to the "
        "patients who have all its predictors."
        if settings.coefficients
        else ""
    )
    return (
        f"Candidates: {named}. Missing predictors were imputed by chained equations ({settings.imputations} completed "
        "sets, 10 iterations, the outcome among the predictors) and estimates pooled by Rubin's rules; where nothing "
        "is missing, the rows are used as they are. A candidate entered the multivariable model at a univariable P "
        f"below {settings.enter_below:g} or a priori, and stayed at P below {settings.stay_below:g} (joint Wald P per "
        "term). Number of fused levels and terminal segment overlap, so the latter is described and no candidate. "
        "Separated fits were penalised (Firth). Complete-case regressions stand beside the imputed ones. "
        "Discrimination: AUC with DeLong's interval, over imputations pooled on the logit scale; cut-off with the "
        "greatest Youden index, a patient at or above it being positive. Calibration: Hosmer-Lemeshow in ten groups "
        "filled in the order of risk, intercept in the large and slope, Brier score; the intercept in the large of "
        "a model on its own patients is 0 by construction. Internal validation: optimism bootstrap of "
        f"{settings.validation_draws} resamples, each repeating imputation, selection and fit; smooth calibration "
        "curve with its mean absolute error. Decision curve and clinical impact from the pooled linear predictor. The "
        f"nomogram's axes are those of rms. Intervals cover {settings.confidence:.0%}. {strata.METHODS} "
        f"Seed {seed}.{published}"
    )


def _audit(
    fitted: NomogramFit, tables: list[TableExhibit], settings: ScrewLooseningNomogramSettings, seed: int
) -> dict[str, Any]:
    model, flow = fitted.model, fitted.flow
    return {
        "analysed": len(fitted.frame),
        "events": int(fitted.event.sum()),
        "missing": missing_values(fitted.frame, [term.name for term in fitted.terms]),
        "roc": roc_checks(fitted.frame, fitted.event, _markers(fitted.terms, model)),
        "n_per_table": counts_of_tables(tables),
        "flow": dict(zip(flow["step"], flow["patients"].tolist(), strict=True)),
        "direction": "the event is loosening; low HU ratio and high values of all others mean the event",
        "final_terms": list(model.developed.terms) if model else [],
        "complete_case_final_terms": list(fitted.complete_cases.final_terms) if fitted.complete_cases else None,
        "events_per_parameter": model.events_per_parameter if model else None,
        "method": model.developed.method if model else None,
        "validation": model.validation.method if model and model.validation else None,
        "model": json.loads(to_json(model.model)) if model else None,
        "published_model": fitted.external.source if fitted.external else None,
        "settings": settings.model_dump(mode="json"),
        "seed": seed,
    }
