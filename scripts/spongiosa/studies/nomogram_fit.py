"""The estimation of the nomogram study: patients in, selection, model and validation out; no table, no figure."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from spongiosa.config.studies import ScrewLooseningNomogramSettings
from spongiosa.statistics.pooled_regression import PooledSelection
from spongiosa.statistics.selection import Selection, SelectionRule, select_model
from spongiosa.statistics.terms import Category, Linear, Term
from spongiosa.studies.external_model import ExternalResult, validate_file
from spongiosa.studies.flow_table import apply_criteria, numbers
from spongiosa.studies.nomogram_cohort import with_derived_columns, with_groups
from spongiosa.studies.nomogram_model import FittedModel, fit_model, procedure_for, select_terms
from spongiosa.studies.result import attempt

OUTCOME = "loosening"


@dataclass(frozen=True)
class NomogramFit:
    """Everything that is estimated, from which tables and figures follow without another fit.

    `frame` holds the analysed patients with their predicted `probability` and `group`; what these data do not
    determine is None, with its sentence beside it.
    """

    frame: pd.DataFrame
    flow: pd.DataFrame
    event: pd.Series
    terms: tuple[Term, ...]
    rule: SelectionRule | None
    selection: PooledSelection | None
    no_selection: str
    complete_cases: Selection | None
    model: FittedModel | None
    no_model: str
    with_scoliosis: SensitivityFit | None
    external: ExternalResult | None


@dataclass(frozen=True)
class SensitivityFit:
    """The same procedure with the patients with scoliosis added."""

    frame: pd.DataFrame
    event: pd.Series
    selection: PooledSelection | None
    no_selection: str
    model: FittedModel | None
    no_model: str


def fit(patients: pd.DataFrame, settings: ScrewLooseningNomogramSettings, seed: int) -> NomogramFit:
    """Selection, model, validation, sensitivity cohort and, where given, the published model.

    Patients with scoliosis are kept for the sensitivity cohort only.  Missing predictors are imputed; where none is
    missing, the complete rows are used as they are.
    """
    everybody = with_derived_columns(patients.reset_index(drop=True))
    criteria = [("no_outcome", numbers(everybody, OUTCOME).isna(), "screw loosening not known.")]
    with_scoliosis, _ = apply_criteria(everybody, criteria)
    criteria.append(
        ("scoliosis", numbers(everybody, "scoliosis") == 1, "adult degenerative scoliosis (sensitivity cohort).")
    )
    frame, flow = apply_criteria(everybody, criteria)
    event = numbers(frame, OUTCOME) == 1
    terms = candidate_terms(frame, settings)
    external = None
    if settings.coefficients is not None:
        external = validate_file(settings.coefficients, "screw loosening", frame, event, settings.confidence)
    if frame.empty or not terms:
        reason = "No patient has a known outcome and a candidate predictor."
        return NomogramFit(frame, flow, event, terms, None, None, reason, None, None, reason, None, external)
    rule = selection_rule(terms, settings)
    procedure = procedure_for(frame, terms, rule, settings)
    selection, no_selection = attempt(select_terms, frame, event, procedure, seed, settings.confidence)
    complete_cases = None
    if procedure.imputation is not None:
        complete_cases, _ = attempt(select_model, frame, event.to_numpy(), terms, rule, confidence=settings.confidence)
    model, no_model = attempt(fit_model, frame, event, terms, rule, settings, seed)
    probability = pd.Series(float("nan"), index=frame.index)
    if model is not None:
        probability[model.developed.rows] = model.developed.probability
    return NomogramFit(
        frame=with_groups(frame, event).assign(probability=probability),
        flow=flow,
        event=event,
        terms=terms,
        rule=rule,
        selection=selection,
        no_selection=no_selection,
        complete_cases=complete_cases,
        model=model,
        no_model=no_model,
        with_scoliosis=_sensitivity(with_scoliosis, terms, rule, settings, seed)
        if len(with_scoliosis) > len(frame)
        else None,
        external=external,
    )


def _sensitivity(
    frame: pd.DataFrame,
    terms: tuple[Term, ...],
    rule: SelectionRule,
    settings: ScrewLooseningNomogramSettings,
    seed: int,
) -> SensitivityFit:
    event = numbers(frame, OUTCOME) == 1
    procedure = procedure_for(frame, terms, rule, settings)
    selection, no_selection = attempt(select_terms, frame, event, procedure, seed, settings.confidence)
    model, no_model = attempt(fit_model, frame, event, terms, rule, settings, seed)
    return SensitivityFit(with_groups(frame, event), event, selection, no_selection, model, no_model)


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
