"""What the calculator page of a fitted model holds: coefficients, units, ranges, and how good the model is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from spongiosa.report.calculator import DOCUMENT_NAME, PAGE_NAME, calculator_json, calculator_page
from spongiosa.report.formatting import estimate_interval, number, percent
from spongiosa.statistics.nomogram import Nomogram, build_nomogram
from spongiosa.statistics.samples import normal_quantile
from spongiosa.statistics.terms import Category, RestrictedCubicSpline, Term
from spongiosa.studies.nomogram_model import FittedModel
from spongiosa.studies.predictors import PREDICTORS, in_words, possible_range, predictor
from spongiosa.studies.result import attempt

#: A slider has about this many steps over the range of the patients.
SLIDER_STEPS = 200


def calculator_documents(fitted: FittedModel, frame: pd.DataFrame, confidence: float) -> tuple[tuple[str, str], ...]:
    """The files of the calculator as (name, text); none where the model has no nomogram, as it makes no difference."""
    drawn, _ = attempt(build_nomogram, fitted.model)
    if drawn is None:
        return ()
    document = calculator_document(fitted, drawn, frame, confidence)
    return (DOCUMENT_NAME, calculator_json(document)), (PAGE_NAME, calculator_page(document))


def calculator_document(fitted: FittedModel, drawn: Nomogram, frame: pd.DataFrame, confidence: float) -> dict[str, Any]:
    """Everything that the page shows and computes with, in JSON's types.

    The interval of a risk is expit(lp -+ z sqrt(x' V x)) with the covariance V of intercept and coefficients (pooled
    by Rubin's rules over imputations); it says how well this cohort determines the risk, not how one patient may vary.
    `frame` holds the patients of the model, for typical values.
    """
    model = fitted.model
    rows = frame.loc[fitted.developed.rows]
    return {
        "title": f"Risk of {model.outcome}",
        "subtitle": f"A logistic model of {model.n} patients, {model.events} of them with {model.outcome}. It runs in "
        "this page alone: what is typed in is sent nowhere and kept nowhere.",
        "outcome": model.outcome,
        "statement": f"For research. The model was made from {model.n} patients of one cohort and has not been tested "
        "elsewhere; a risk describes groups of such patients and does not decide about one.",
        "intercept": model.intercept,
        "covariance": [[float(value) for value in row] for row in fitted.covariance],
        "quantile": normal_quantile(confidence),
        "confidence": f"{confidence:.0%}",
        "cut_off": model.cut_off,
        "points_per_logit": drawn.points_per_logit,
        "facts": [list(fact) for fact in _facts(fitted)],
        "fields": [
            field_of(term, slopes, minimum, model.limits, rows)
            for term, slopes, minimum in zip(model.terms, model.coefficients, drawn.minima, strict=True)
        ],
        "method": f"{model.method[0].upper()}{in_words(model.method[1:])}.",
    }


def _facts(fitted: FittedModel) -> list[tuple[str, str]]:
    """How good the model is, as the page says it beside every risk."""
    model, area, validation = fitted.model, fitted.area, fitted.validation
    facts = [("Patients / events", f"{model.n} / {model.events} ({percent(model.events / model.n)})")]
    if area is not None:
        facts.append(("AUC, apparent", estimate_interval(area.estimate, area.ci_low, area.ci_high)))
    if validation is None:
        return [*facts, ("AUC, corrected for optimism", f"not computed: {fitted.gaps['validation']}")]
    return [
        *facts,
        ("AUC, corrected for optimism", number(validation.auc.corrected, 3)),
        ("Calibration slope, corrected", number(validation.slope.corrected, 3)),
        ("Calibration error, mean absolute", number(validation.curve.mean_absolute_error, 3)),
        ("Brier score, corrected", number(validation.brier.corrected, 3)),
        ("Validated in other patients", "no"),
    ]


def field_of(
    term: Term,
    slopes: tuple[float, ...],
    minimum: float,
    limits: tuple[tuple[str, float, float], ...],
    rows: pd.DataFrame,
) -> dict[str, Any]:
    """What the page asks for one term: words, unit, coefficients, the range of the patients (`limits`), the allowed.

    `minimum` is the least contribution to the logit over the nomogram's axis, from which points are counted; `rows`
    are the patients of the model, for a typical value.
    """
    words = predictor(term.name)
    common = {
        "name": term.name,
        "label": words.label,
        "unit": words.unit,
        "coefficients": list(slopes),
        "columns": [
            [f"{words.heading}: {column.partition('=')[2]}" if "=" in column else _column(words.heading, column), slope]
            for column, slope in zip(term.columns, slopes, strict=True)
        ],
        "least": minimum,
        "observed": None,
        "observed_text": "",
        "possible": None,
        "possible_text": "",
    }
    if isinstance(term, Category):
        typical = pd.Series(term.numeric(rows[term.name])).mode().iloc[0]
        return common | {
            "kind": "category",
            "levels": list(term.levels),
            "reference": term.reference,
            "typical": term.levels[int(typical)],
        }
    values = term.numeric(rows[term.name])
    low, high = next((low, high) for name, low, high in limits if name == term.name)
    decimals = words.decimals if term.name in PREDICTORS else _decimals(high - low)
    step = 10.0**-decimals
    # Rounded outwards, so that what the page prints as the range counts as inside it.
    observed = [round(math.floor(low / step) * step, decimals), round(math.ceil(high / step) * step, decimals)]
    possible = possible_range(term.name)
    return common | {
        "kind": "spline" if isinstance(term, RestrictedCubicSpline) else "linear",
        "knots": list(term.knots) if isinstance(term, RestrictedCubicSpline) else [],
        "observed": observed,
        "observed_text": f"{number(observed[0], decimals)} to {number(observed[1], decimals)}",
        "possible": list(possible) if possible else None,
        "possible_text": f"{possible[0]:g} to {possible[1]:g}" if possible else "",
        "step": step,
        "typical": round(float(np.nanmedian(values)), decimals),
    }


def _column(heading: str, column: str) -> str:
    """The first column of a spline is the variable, the others are its components."""
    return heading + "'" * column.count("'")


def _decimals(span: float) -> int:
    """Decimals that give a slider over `span` some hundred steps."""
    return max(0, math.ceil(-math.log10(max(span, 1e-9) / SLIDER_STEPS) - 0.5))
