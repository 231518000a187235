"""A published model, given by the user as a file, in these patients: discrimination, calibration, use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from spongiosa.config.coefficients import ModelCoefficients, ModelTerm
from spongiosa.report import prediction_figures
from spongiosa.report.exhibits import FigureExhibit, TableExhibit
from spongiosa.report.formatting import estimate_interval, number, p_value
from spongiosa.statistics.accuracy import accuracy_indices, confusion
from spongiosa.statistics.calibration_curve import default_grid, smooth_calibration
from spongiosa.statistics.decision import DecisionCurve, decision_curve
from spongiosa.statistics.prediction_model import ExternalValidation, PredictionModel, validate_externally
from spongiosa.statistics.samples import FloatArray
from spongiosa.statistics.terms import Category, Linear, RestrictedCubicSpline, Term
from spongiosa.studies.result import attempt

#: Threshold probabilities of the decision curve.
THRESHOLDS = np.arange(1, 100) / 100
TABLE_KEY = "t11_external"


@dataclass(frozen=True)
class ExternalResult:
    """What was found; None with a sentence in `reason` where the patients lack a column or a class.

    `curve` is (grid, smoothed share of events); it and `decision` are None where there are too few patients.
    """

    source: str
    model: PredictionModel
    validation: ExternalValidation | None
    probability: FloatArray
    event: FloatArray
    curve: tuple[FloatArray, FloatArray] | None
    decision: DecisionCurve | None
    reason: str = ""
    curve_reason: str = ""


def model_of_file(given: ModelCoefficients, outcome: str) -> PredictionModel:
    """The model with the coefficients of the file and nothing else."""
    terms = tuple(_term(term) for term in given.terms)
    return PredictionModel(
        outcome=outcome,
        intercept=given.intercept,
        terms=terms,
        coefficients=tuple(_coefficients(term) for term in given.terms),
        limits=tuple((term.column, *term.range) for term in given.terms if term.range is not None),
        units=tuple((term.column, term.unit) for term in given.terms if term.unit),
        cut_off=given.cut_off,
        method=given.source,
    )


def validate_file(
    given: ModelCoefficients, outcome: str, frame: pd.DataFrame, event: pd.Series, confidence: float
) -> ExternalResult:
    """Apply the model of the file to `frame`; patients who lack a predictor are counted and left out."""
    model = model_of_file(given, outcome)
    found, reason = attempt(validate_externally, model, frame, event.to_numpy(), confidence=confidence)
    if found is None:
        nothing = np.empty(0)
        return ExternalResult(given.source, model, None, nothing, nothing, None, None, reason)
    chance = model.probability(frame)
    known = ~np.isnan(chance)
    chance, flags = chance[known], event.to_numpy(dtype=bool)[known]
    grid, no_curve = attempt(default_grid, chance)
    curve = (grid, smooth_calibration(chance, flags, grid)) if grid is not None else None
    decision, _ = attempt(decision_curve, chance, flags, THRESHOLDS)
    return ExternalResult(given.source, model, found, chance, flags.astype(np.float64), curve, decision, "", no_curve)


def external_table(result: ExternalResult, confidence: float) -> TableExhibit:
    """Table 11: the published model in these patients."""
    title = "Table 11. A published model in these patients"
    found = result.validation
    if found is None:
        return TableExhibit(
            TABLE_KEY, title, pd.DataFrame({"reason": [result.reason]}),
            pd.DataFrame({"Not computed": [result.reason]}), f"Source: {result.source}",
        )  # fmt: skip
    figures = found.calibration
    rows: list[dict[str, object]] = [
        _row("AUC", "auc", found.auc.estimate, found.auc.ci_low, found.auc.ci_high, found.auc.p_value),
        *(
            _row(label, name, one.estimate, one.ci_low, one.ci_high, one.p_value)
            for label, name, one in (
                ("Calibration in the large (ideal 0)", "calibration_in_the_large", figures.in_the_large),
                ("Calibration slope (ideal 1)", "slope", figures.slope),
                ("Joint intercept", "joint_intercept", figures.joint_intercept),
            )
        ),
        _row("Observed / expected events", "observed_expected", figures.observed_expected_ratio),
        _row("Brier score", "brier", figures.brier),
        _row("Scaled Brier score", "scaled_brier", figures.scaled_brier),
    ]
    if found.hosmer_lemeshow is not None:
        test = found.hosmer_lemeshow
        rows.append(_row(f"Hosmer-Lemeshow, {test.df} df", "hosmer_lemeshow", test.statistic, p=test.p_value))
    rows += _at_the_cut_off(result, confidence)
    frame = pd.DataFrame(rows)
    return TableExhibit(
        key=TABLE_KEY,
        title=title,
        frame=frame.drop(columns="label"),
        printed=pd.DataFrame(
            {
                "Figure": frame["label"],
                "Estimate (CI)": [
                    estimate_interval(*limits)
                    for limits in frame[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=np.float64).tolist()
                ],
                "P": ["" if np.isnan(p) else p_value(p) for p in frame["p_value"]],
            }
        ),
        caption=f"Source: {result.source}. {found.n} patients, {figures.events} events.",
        notes=_notes(found),
    )


def external_figures(result: ExternalResult) -> dict[str, tuple[FigureExhibit | None, str]]:
    """F6 calibration and F7 decision curve of the published model."""
    names = ("Calibration of the published model", "Decision curve of the published model")
    if result.validation is None:
        return dict.fromkeys(names, (None, result.reason))
    drawn: dict[str, tuple[FigureExhibit | None, str]] = dict.fromkeys(names, (None, result.curve_reason))
    groups = result.validation.hosmer_lemeshow.groups if result.validation.hosmer_lemeshow else ()
    if result.curve is not None:
        grid, observed = result.curve
        slope = result.validation.calibration.slope
        drawn[names[0]] = (
            FigureExhibit(
                key="f6_external_calibration",
                title="Figure 6. Calibration of the published model",
                figure=prediction_figures.external_calibration_plot(grid, observed, result.probability, groups),
                data=pd.DataFrame({"predicted": grid, "observed": observed}),
                caption=f"Lowess of loosening on the predicted risk; points: ten groups by risk with 95 % intervals. "
                f"Calibration slope {estimate_interval(slope.estimate, slope.ci_low, slope.ci_high)}. Below: predicted "
                "risks.",
                alt="Calibration plot of the published model: observed share against predicted risk, and the ideal.",
            ),
            "",
        )
    if result.decision is not None:
        curve = result.decision
        drawn[names[1]] = (
            FigureExhibit(
                key="f7_external_decision",
                title="Figure 7. Decision curve of the published model",
                figure=prediction_figures.decision_plot(curve),
                data=pd.DataFrame(
                    {"threshold": curve.thresholds, "model": curve.model, "treat_all": curve.treat_all,
                     "treat_none": curve.treat_none, "is_useful": curve.useful}
                ),
                caption="Net benefit of acting on the published risks as they are, without recalibration.",
                alt="Decision curve of the published model: net benefit over the threshold beside the two defaults.",
            ),
            "",
        )  # fmt: skip
    return drawn


def _term(term: ModelTerm) -> Term:
    if term.kind == "category":
        levels = tuple(term.coefficients) if isinstance(term.coefficients, dict) else ()
        return Category(term.column, (*levels, str(term.reference)), str(term.reference))
    return RestrictedCubicSpline(term.column, term.knots or ()) if term.kind == "spline" else Linear(term.column)


def _coefficients(term: ModelTerm) -> tuple[float, ...]:
    if term.coefficient is not None:
        return (term.coefficient,)
    given = term.coefficients or ()
    return tuple(given.values()) if isinstance(given, dict) else tuple(given)


def _row(
    label: str, name: str, estimate: float, low: float = np.nan, high: float = np.nan, p: float = np.nan
) -> dict[str, object]:
    return {"label": label, "figure": name, "estimate": estimate, "ci_low": low, "ci_high": high, "p_value": p}


def _at_the_cut_off(result: ExternalResult, confidence: float) -> list[dict[str, object]]:
    cut_off = result.model.cut_off
    if cut_off is None:
        return []
    indices = accuracy_indices(confusion(result.probability >= cut_off, result.event), confidence=confidence)
    return [
        _row(f"{label} at risk ≥ {cut_off:g}", name, one.estimate, one.ci_low, one.ci_high)
        for label, name, one in (
            ("Sensitivity", "sensitivity", indices.sensitivity),
            ("Specificity", "specificity", indices.specificity),
            ("PPV", "positive_predictive_value", indices.positive_predictive_value),
            ("NPV", "negative_predictive_value", indices.negative_predictive_value),
        )
    ]


def _notes(found: ExternalValidation) -> tuple[str, ...]:
    outside = ", ".join(f"{name} {count}" for name, count in found.outside_limits.items() if count)
    notes = [f"{found.method[0].upper()}{found.method[1:]}."]
    if found.missing:
        notes.append(f"{found.missing} patients lack a predictor of the model and are left out.")
    if outside:
        notes.append(f"Patients outside the range that the file states: {outside}.")
    if found.reason:
        notes.append(f"No Hosmer-Lemeshow test: {found.reason}")
    mean = number(100 * found.calibration.mean_predicted)
    share = number(100 * found.calibration.observed_share)
    return (*notes, f"Mean predicted risk {mean} %, observed {share} %.")
