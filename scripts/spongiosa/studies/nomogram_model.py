"""Fitting the nomogram study's model once: development, discrimination, calibration and internal validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from spongiosa.config.studies import ScrewLooseningNomogramSettings
from spongiosa.statistics.calibration import Calibration, HosmerLemeshow, calibration, hosmer_lemeshow
from spongiosa.statistics.cutoff import YoudenResult, youden
from spongiosa.statistics.development import (
    DevelopedModel,
    Procedure,
    complete,
    develop,
    develop_model,
    events_per_parameter,
    prepare,
)
from spongiosa.statistics.imputation import ImputationSettings
from spongiosa.statistics.pooled_regression import PooledSelection, pooled_auc, select_pooled
from spongiosa.statistics.prediction_model import PredictionModel, model_from_development
from spongiosa.statistics.roc import Auc
from spongiosa.statistics.samples import FloatArray, StatisticsError
from spongiosa.statistics.selection import SelectionRule
from spongiosa.statistics.terms import Category, Term, numeric_matrix, term_positions
from spongiosa.statistics.validation import InternalValidation, validate_internally
from spongiosa.studies.result import attempt


@dataclass(frozen=True)
class FittedModel:
    """The model and everything that says how good it is; None with its sentence in `gaps` where impossible.

    `covariance` (p + 1, p + 1) is that of intercept and coefficients, pooled over imputations.
    """

    developed: DevelopedModel
    model: PredictionModel
    covariance: FloatArray
    events: pd.Series
    events_per_parameter: float
    area: Auc | None
    cut_off: YoudenResult | None
    calibration: Calibration | None
    hosmer_lemeshow: HosmerLemeshow | None
    validation: InternalValidation | None
    gaps: dict[str, str]


def fit_model(
    frame: pd.DataFrame,
    event: pd.Series,
    terms: tuple[Term, ...],
    rule: SelectionRule,
    settings: ScrewLooseningNomogramSettings,
    seed: int,
) -> FittedModel:
    """Develop and validate the model.  Raises `StatisticsError` when there is none, or when no term stays in it."""
    procedure = procedure_for(frame, terms, rule, settings)
    developed = develop_model(frame, event.to_numpy(), procedure, seed=seed, confidence=settings.confidence)
    if not developed.terms:
        raise StatisticsError("No candidate stays in the model.")
    events = event[developed.rows].reset_index(drop=True)
    probability = developed.probability
    area, no_area = attempt(pooled_auc, developed.linear_predictors, events, confidence=settings.confidence)
    cut_off, no_cut_off = attempt(youden, probability, events, direction="high")
    calibrated, no_calibration = attempt(calibration, probability, events, confidence=settings.confidence)
    tested, no_test = attempt(hosmer_lemeshow, probability, events)
    validated, no_validation = attempt(
        validate_internally, frame, event.to_numpy(), procedure, seed=seed, resamples=settings.validation_draws
    )
    gaps = {
        "area": no_area,
        "cut_off": no_cut_off,
        "calibration": no_calibration,
        "hosmer_lemeshow": no_test,
        "validation": no_validation,
    }
    return FittedModel(
        developed=developed,
        model=model_from_development(
            developed, terms, frame, outcome="screw loosening", cut_off=cut_off.best.observed if cut_off else None
        ),
        covariance=covariance_of_model(frame, event, procedure, seed),
        events=events,
        events_per_parameter=events_per_parameter(developed.events, developed.n, len(developed.columns) - 1),
        area=area,
        cut_off=cut_off,
        calibration=calibrated,
        hosmer_lemeshow=tested,
        validation=validated,
        gaps={name: reason for name, reason in gaps.items() if reason},
    )


def covariance_of_model(frame: pd.DataFrame, event: pd.Series, procedure: Procedure, seed: int) -> FloatArray:
    """The covariance of what `develop_model` estimates with the same seed, intercept first, shape (p + 1, p + 1).

    Over m imputations: mean of the covariances + (1 + 1/m) times the covariance of the estimates between them.
    Source: Rubin, Multiple imputation for nonresponse in surveys (1987), equation 3.1.7.
    """
    prepared = prepare(frame, event.to_numpy(), procedure)
    developed = develop(prepared.numbers, prepared.events, procedure, np.random.default_rng(seed))
    within = developed.covariances.mean(axis=0)
    m = developed.estimates.shape[0]
    between = np.cov(developed.estimates, rowvar=False, ddof=1) if m > 1 else np.zeros_like(within)
    return np.asarray(within + (1 + 1 / m) * between, dtype=np.float64)


def select_terms(
    frame: pd.DataFrame, event: pd.Series, procedure: Procedure, seed: int, confidence: float
) -> PooledSelection:
    """Univariable, multivariable and final regressions on the very data sets that `develop_model` completes.

    Raises `StatisticsError` when a class is absent or the procedure has no rule.
    """
    if procedure.rule is None:
        raise StatisticsError("A selection needs a rule.")
    prepared = prepare(frame, event.to_numpy(), procedure)
    designs = complete(prepared.numbers, prepared.events, procedure, np.random.default_rng(seed))
    return select_pooled(
        numbers_of_designs(designs, procedure.terms),
        procedure.terms,
        [term.name for term in procedure.terms],
        prepared.events,
        procedure.rule,
        confidence=confidence,
    )


def numbers_of_designs(designs: FloatArray, terms: tuple[Term, ...]) -> FloatArray:
    """The numbers (m, n, k) from which the design columns (m, n, p) were expanded: a category's position, a value."""
    positions = term_positions(terms)
    columns = []
    for position, term in enumerate(terms):
        block = designs[:, :, positions == position]
        if isinstance(term, Category):
            reference = term.levels.index(term.reference)
            others = np.array([index for index in range(len(term.levels)) if index != reference])
            columns.append(np.where(block.any(axis=2), others[block.argmax(axis=2)], reference))
        else:
            columns.append(block[:, :, 0])
    return np.asarray(np.stack(columns, axis=2), dtype=np.float64)


def procedure_for(
    frame: pd.DataFrame, terms: tuple[Term, ...], rule: SelectionRule, settings: ScrewLooseningNomogramSettings
) -> Procedure:
    """Selection by `rule`, with imputation where a candidate is missing somewhere."""
    is_complete = not pd.isna(numeric_matrix(frame, terms)).any()
    imputation = None if is_complete else ImputationSettings(imputations=settings.imputations)
    return Procedure(terms=terms, rule=rule, imputation=imputation)
