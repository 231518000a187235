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
    develop,
    develop_model,
    events_per_parameter,
    prepare,
)
from spongiosa.statistics.imputation import ImputationSettings
from spongiosa.statistics.prediction_model import PredictionModel, model_from_development
from spongiosa.statistics.roc import Auc, auc_delong
from spongiosa.statistics.samples import FloatArray, StatisticsError
from spongiosa.statistics.selection import SelectionRule
from spongiosa.statistics.terms import Term, numeric_matrix
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
    area, no_area = attempt(auc_delong, probability, events, direction="high", confidence=settings.confidence)
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


def procedure_for(
    frame: pd.DataFrame, terms: tuple[Term, ...], rule: SelectionRule, settings: ScrewLooseningNomogramSettings
) -> Procedure:
    """Selection by `rule`, with imputation where a candidate is missing somewhere."""
    is_complete = not pd.isna(numeric_matrix(frame, terms)).any()
    imputation = None if is_complete else ImputationSettings(imputations=settings.imputations)
    return Procedure(terms=terms, rule=rule, imputation=imputation)
