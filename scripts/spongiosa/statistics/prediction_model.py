"""A finished prediction model as data: predict with it, write it as JSON, validate it at another site."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from spongiosa.statistics.calibration import Calibration, HosmerLemeshow, calibration, hosmer_lemeshow
from spongiosa.statistics.development import DevelopedModel
from spongiosa.statistics.logistic import LogisticFit
from spongiosa.statistics.roc import Auc, auc_delong
from spongiosa.statistics.samples import FloatArray, StatisticsError, Values
from spongiosa.statistics.terms import Category, Linear, RestrictedCubicSpline, Term, expand_terms, numeric_matrix

FORMAT = "spongiosa-logistic-model"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class PredictionModel:
    """risk = expit(intercept + sum over terms of columns x coefficients).

    `coefficients[i]` belongs to the columns of `terms[i]`; `limits` are the observed ranges of the numeric terms,
    `units` their units, `cut_off` the probability from which a patient counts as high risk (None: not given).
    """

    outcome: str
    intercept: float
    terms: tuple[Term, ...]
    coefficients: tuple[tuple[float, ...], ...]
    limits: tuple[tuple[str, float, float], ...] = ()
    units: tuple[tuple[str, str], ...] = ()
    cut_off: float | None = None
    n: int = 0
    events: int = 0
    method: str = ""

    def __post_init__(self) -> None:
        if len(self.terms) != len(self.coefficients):
            raise StatisticsError("Every term needs its coefficients.")
        for term, values in zip(self.terms, self.coefficients, strict=True):
            if len(term.columns) != len(values) or not all(math.isfinite(value) for value in values):
                raise StatisticsError(f"{term.name} needs {len(term.columns)} finite coefficient(s).")
        if not math.isfinite(self.intercept):
            raise StatisticsError("The intercept must be finite.")
        if self.cut_off is not None and not 0 < self.cut_off < 1:
            raise StatisticsError(f"cut_off must lie between 0 and 1, but is {self.cut_off}.")

    def linear_predictor(self, table: pd.DataFrame) -> FloatArray:
        """(n,), NaN for a patient who lacks a predictor.

        Raises `StatisticsError` for a missing column or a category that the model does not know.
        """
        if not self.terms:
            return np.full(len(table), self.intercept)
        design = expand_terms(numeric_matrix(table, self.terms), self.terms)
        slopes = np.array([value for values in self.coefficients for value in values])
        return np.asarray(self.intercept + design @ slopes, dtype=np.float64)

    def probability(self, table: pd.DataFrame) -> FloatArray:
        """Predicted risk (n,), NaN for a patient who lacks a predictor."""
        return np.asarray(expit(self.linear_predictor(table)), dtype=np.float64)

    def outside_limits(self, table: pd.DataFrame) -> dict[str, int]:
        """How many patients lie outside the range in which the model was developed, per numeric term."""
        counts = {}
        for name, low, high in self.limits:
            values = Linear(name).numeric(table[name])
            counts[name] = int(((values < low) | (values > high)).sum())
        return counts


@dataclass(frozen=True)
class ExternalValidation:
    """A model in patients it has not seen; Hosmer-Lemeshow has as many df as groups there."""

    auc: Auc
    calibration: Calibration
    hosmer_lemeshow: HosmerLemeshow | None
    outside_limits: dict[str, int]
    n: int
    missing: int
    method: str
    reason: str = ""


def model_from_fit(
    fit: LogisticFit, terms: tuple[Term, ...], table: pd.DataFrame, *, outcome: str, cut_off: float | None = None
) -> PredictionModel:
    """The model of a logistic (or Firth) fit of `terms`; limits from the rows that were fitted."""
    return _assemble(terms, fit.beta, table.loc[fit.complete_rows], outcome, cut_off, fit.n, fit.events, fit.method)


def model_from_development(
    developed: DevelopedModel,
    terms: tuple[Term, ...],
    table: pd.DataFrame,
    *,
    outcome: str,
    cut_off: float | None = None,
) -> PredictionModel:
    """The pooled model of a developed procedure, with its selected terms only; `terms` are the procedure's."""
    kept = tuple(term for term in terms if term.name in developed.terms)
    rows = table.loc[developed.rows]
    return _assemble(kept, developed.estimates, rows, outcome, cut_off, developed.n, developed.events, developed.method)


def to_json(model: PredictionModel) -> str:
    """The model as JSON text with every number in full, sorted keys, readable without this package."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "outcome": model.outcome,
        "link": "logit",
        "intercept": model.intercept,
        "cut_off_probability": model.cut_off,
        "n": model.n,
        "events": model.events,
        "method": model.method,
        "terms": [
            _term_document(model, term, values) for term, values in zip(model.terms, model.coefficients, strict=True)
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str) -> PredictionModel:
    """The model of a JSON text; raises `StatisticsError` naming what is wrong with it."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT or document["format_version"] != FORMAT_VERSION:
            raise StatisticsError(f"Not a {FORMAT} of version {FORMAT_VERSION}.")
        rows = document["terms"]
        return PredictionModel(
            outcome=str(document["outcome"]),
            intercept=float(document["intercept"]),
            terms=tuple(_term_from(row) for row in rows),
            coefficients=tuple(tuple(float(value) for value in row["coefficients"]) for row in rows),
            limits=tuple(
                (row["name"], float(row["limits"][0]), float(row["limits"][1])) for row in rows if row.get("limits")
            ),
            units=tuple((row["name"], str(row["unit"])) for row in rows if row.get("unit")),
            cut_off=document.get("cut_off_probability"),
            n=int(document["n"]),
            events=int(document["events"]),
            method=str(document["method"]),
        )
    except (KeyError, TypeError, IndexError, json.JSONDecodeError) as error:
        raise StatisticsError(f"The model file is not readable: {type(error).__name__} {error}.") from error


def validate_externally(
    model: PredictionModel, table: pd.DataFrame, event: Values, *, groups: int = 10, confidence: float = 0.95
) -> ExternalValidation:
    """Discrimination and calibration of `model` in other patients; those who lack a predictor are counted.

    Raises `StatisticsError` when a class is absent or the predictions are all equal.
    """
    chance = model.probability(table)
    missing = int(np.isnan(chance).sum())
    reason, test = "", None
    try:
        test = hosmer_lemeshow(chance, event, groups=groups, fitted_on_these_patients=False)
    except StatisticsError as error:
        reason = str(error)
    figures = calibration(chance, event, confidence=confidence)
    return ExternalValidation(
        auc=auc_delong(chance, event, direction="high", confidence=confidence),
        calibration=figures,
        hosmer_lemeshow=test,
        outside_limits=model.outside_limits(table),
        n=figures.n,
        missing=missing,
        method="the model's coefficients as published, nothing refitted",
        reason=reason,
    )


def _assemble(
    terms: tuple[Term, ...],
    beta: FloatArray,
    rows: pd.DataFrame,
    outcome: str,
    cut_off: float | None,
    n: int,
    events: int,
    method: str,
) -> PredictionModel:
    splits = np.cumsum([len(term.columns) for term in terms])[:-1]
    blocks = np.split(beta[1:], splits) if terms else []
    limits = []
    for term in terms:
        if not isinstance(term, Category):
            values = term.numeric(rows[term.name])
            limits.append((term.name, float(np.nanmin(values)), float(np.nanmax(values))))
    return PredictionModel(
        outcome=outcome,
        intercept=float(beta[0]),
        terms=terms,
        coefficients=tuple(tuple(float(value) for value in block) for block in blocks),
        limits=tuple(limits),
        cut_off=cut_off,
        n=n,
        events=events,
        method=method,
    )


def _term_document(model: PredictionModel, term: Term, values: tuple[float, ...]) -> dict[str, Any]:
    row: dict[str, Any] = {"name": term.name, "columns": list(term.columns), "coefficients": list(values)}
    row["unit"] = dict(model.units).get(term.name, "")
    limits = {name: [low, high] for name, low, high in model.limits}
    row["limits"] = limits.get(term.name)
    if isinstance(term, Category):
        return row | {"kind": "category", "levels": list(term.levels), "reference": term.reference}
    if isinstance(term, RestrictedCubicSpline):
        return row | {"kind": "restricted_cubic_spline", "knots": list(term.knots)}
    return row | {"kind": "linear"}


def _term_from(row: Mapping[str, Any]) -> Term:
    kind = row["kind"]
    if kind == "linear":
        return Linear(row["name"])
    if kind == "category":
        return Category(row["name"], tuple(row["levels"]), row["reference"])
    if kind == "restricted_cubic_spline":
        return RestrictedCubicSpline(row["name"], tuple(float(knot) for knot in row["knots"]))
    raise StatisticsError(f"Unknown kind of term: {kind!r}.")
