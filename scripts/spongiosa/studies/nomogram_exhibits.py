"""Tables and figures of the nomogram study's model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from spongiosa.config.studies import ScrewLooseningNomogramSettings
from spongiosa.report import prediction_figures
from spongiosa.report.exhibits import FigureExhibit, Footnotes, TableExhibit
from spongiosa.report.formatting import count_share, estimate_interval, number, p_value
from spongiosa.statistics.accuracy import accuracy_indices, confusion
from spongiosa.statistics.collinearity import Collinearity, collinearity
from spongiosa.statistics.decision import clinical_impact, decision_curve
from spongiosa.statistics.description import missingness
from spongiosa.statistics.nomogram import build_nomogram
from spongiosa.statistics.samples import normal_quantile, two_sided_normal_p
from spongiosa.statistics.selection import SelectionRule
from spongiosa.statistics.terms import Term, build_design
from spongiosa.studies.flow_table import numbers
from spongiosa.studies.nomogram_model import FittedModel, fit_model
from spongiosa.studies.regression_tables import coefficient_label
from spongiosa.studies.result import attempt

Drawn = tuple[FigureExhibit | None, str]
#: Threshold probabilities of the decision curve and the clinical impact.
THRESHOLDS = np.arange(1, 100) / 100


def model_tables(model: FittedModel | None, reason: str, labels: Mapping[str, str]) -> list[TableExhibit]:
    """Table 3: the final model, pooled over the imputations."""
    if model is None:
        return [_absent("t3_model", "Table 3. The model", reason)]
    return [_coefficients("t3_model", "Table 3. The model", model, labels)]


def _coefficients(key: str, title: str, model: FittedModel, labels: Mapping[str, str]) -> TableExhibit:
    developed = model.developed
    quantile = normal_quantile(0.95)
    records: list[dict[str, object]] = []
    for position, name in enumerate(developed.columns):
        estimate, error = float(developed.estimates[position]), float(developed.standard_errors[position])
        low, high, p = estimate - quantile * error, estimate + quantile * error, two_sided_normal_p(estimate / error)
        if developed.pooled:
            pooled = developed.pooled[position]
            low, high, p = pooled.ci_low, pooled.ci_high, pooled.p_value
        records.append(
            {"coefficient": name, "estimate": estimate, "standard_error": error, "odds_ratio": math.exp(estimate),
             "ci_low": math.exp(low), "ci_high": math.exp(high), "p_value": p}
        )  # fmt: skip
    frame = pd.DataFrame.from_records(records)
    printed = pd.DataFrame(
        [
            {
                "Variable": "Intercept" if name == "intercept" else coefficient_label(name, labels),
                "Coefficient": number(estimate, 4),
                "Adjusted OR (CI)": "" if name == "intercept" else estimate_interval(odds, low, high),
                "P": p_value(p),
            }
            for name, estimate, odds, low, high, p in frame[
                ["coefficient", "estimate", "odds_ratio", "ci_low", "ci_high", "p_value"]
            ].itertuples(index=False, name=None)
        ]
    )
    few = model.events_per_parameter < 10
    notes = [developed.method, *([developed.reason] if developed.reason else [])]
    if few:
        notes.append("Fewer than 10 events per parameter: the estimates are likely to be too extreme.")
    return TableExhibit(
        key=key,
        title=title,
        frame=frame,
        printed=printed,
        caption=f"n = {developed.n}, {developed.events} events, {number(model.events_per_parameter)} events per "
        "parameter.",
        notes=tuple(notes),
    )


def performance_tables(
    model: FittedModel | None, frame: pd.DataFrame, event: pd.Series, confidence: float
) -> list[TableExhibit]:
    """Table 5: performance with its optimism; Table 6: the decision at the cut-off."""
    if model is None:
        return []
    return [_validation_table(model), _calibration_table(model), _decision_table(model, frame, event, confidence)]


def _validation_table(model: FittedModel) -> TableExhibit:
    title = "Table 5. Performance and its optimism"
    validation = model.validation
    if validation is None:
        return _absent("t5_validation", title, model.gaps["validation"])
    figures = {
        "AUC": validation.auc,
        "Brier score": validation.brier,
        "Calibration in the large": validation.calibration_in_the_large,
        "Joint intercept": validation.joint_intercept,
        "Calibration slope": validation.slope,
    }
    chosen = ", ".join(f"{name} {share:.0%}" for name, share in validation.selection_frequency)
    return TableExhibit(
        key="t5_validation",
        title=title,
        frame=pd.DataFrame(
            [
                {"figure": figure.name, "apparent": figure.apparent, "training": figure.training, "test": figure.test,
                 "optimism": figure.optimism, "corrected": figure.corrected}
                for figure in figures.values()
            ]
        ),
        printed=pd.DataFrame(
            [
                {"Figure": label, "Apparent": number(figure.apparent, 3), "Optimism": number(figure.optimism, 3),
                 "Corrected": number(figure.corrected, 3)}
                for label, figure in figures.items()
            ]
        ),
        caption=f"{validation.used} of {validation.resamples} bootstrap resamples.",
        notes=(
            f"Mean absolute error of the bias-corrected calibration curve: "
            f"{number(validation.curve.mean_absolute_error, 3)}.",
            f"Share of the resamples in which a candidate was selected: {chosen}.",
            *([validation.reason] if validation.reason else []),
        ),
    )  # fmt: skip


def _calibration_table(model: FittedModel) -> TableExhibit:
    footnotes = Footnotes()
    rows: list[dict[str, object]] = []
    found, test = model.calibration, model.hosmer_lemeshow
    if found is not None:
        for label, figure in (("Intercept in the large", found.in_the_large), ("Slope", found.slope)):
            rows.append(
                {"figure": label, "estimate": figure.estimate, "ci_low": figure.ci_low, "ci_high": figure.ci_high,
                 "p_value": figure.p_value}
            )  # fmt: skip
        rows.append({"figure": "Brier score", "estimate": found.brier})
        rows.append({"figure": "Scaled Brier score", "estimate": found.scaled_brier})
    if test is not None:
        rows.append({"figure": f"Hosmer-Lemeshow, {test.df} df", "estimate": test.statistic, "p_value": test.p_value})
    for name in ("calibration", "hosmer_lemeshow"):
        if name in model.gaps:
            rows.append({"figure": name.replace("_", "-").capitalize(), "reason": model.gaps[name]})
    frame = pd.DataFrame(rows).reindex(columns=["figure", "estimate", "ci_low", "ci_high", "p_value", "reason"])
    printed = pd.DataFrame(
        [
            {
                "Figure": row["figure"],
                "Estimate (CI)": footnotes.gap(str(row["reason"]))
                if isinstance(row["reason"], str)
                else estimate_interval(row["estimate"], row["ci_low"], row["ci_high"]),
                "P": "" if pd.isna(row["p_value"]) else p_value(row["p_value"]),
            }
            for row in frame.to_dict("records")
        ]
    )
    return TableExhibit(
        key="t6_calibration",
        title="Table 6. Apparent calibration",
        frame=frame.astype({"reason": "str"}),
        printed=printed,
        caption="On the patients of the fit, where the intercept in the large is 0 and the slope 1 by construction.",
        notes=footnotes.notes(),
    )


def _decision_table(model: FittedModel, frame: pd.DataFrame, event: pd.Series, confidence: float) -> TableExhibit:
    title = "Table 7. The decision at the cut-off"
    if model.cut_off is None:
        return _absent("t7_cut_off", title, model.gaps["cut_off"])
    best = model.cut_off.best
    known = frame["probability"].notna()
    indices = accuracy_indices(
        confusion(frame["probability"][known] >= best.observed, event[known]), confidence=confidence
    )
    shares = {
        "Sensitivity": indices.sensitivity,
        "Specificity": indices.specificity,
        "PPV": indices.positive_predictive_value,
        "NPV": indices.negative_predictive_value,
        "Accuracy": indices.accuracy,
    }
    return TableExhibit(
        key="t7_cut_off",
        title=title,
        frame=pd.DataFrame(
            [
                {"index": name, "count": share.count, "total": share.total, "estimate": share.estimate,
                 "ci_low": share.ci_low, "ci_high": share.ci_high}
                for name, share in shares.items()
            ]
        ),
        printed=pd.DataFrame(
            [
                {"Index": name, "Patients": f"{share.count} / {share.total}",
                 "Share (CI)": estimate_interval(share.estimate, share.ci_low, share.ci_high)}
                for name, share in shares.items()
            ]
        ),
        caption=f"Predicted risk ≥ {number(best.observed, 3)}, the greatest Youden index ({number(best.youden, 3)}).",
        notes=(
            f"TP {best.true_positive}, FP {best.false_positive}, FN {best.false_negative}, TN {best.true_negative}. A "
            "cut-off chosen on these patients flatters all of these.",
        ),
    )  # fmt: skip


def collinearity_table(frame: pd.DataFrame, terms: Sequence[Term], labels: Mapping[str, str]) -> TableExhibit:
    """Table 8: tolerance and VIF of the candidates, and the largest condition index."""
    title = "Table 8. Collinearity of the candidates"
    found, reason = attempt(_diagnose, frame, terms)
    if found is None:
        return _absent("t8_collinearity", title, reason)
    return TableExhibit(
        key="t8_collinearity",
        title=title,
        frame=pd.DataFrame([vars(column) for column in found.columns]),
        printed=pd.DataFrame(
            [
                {"Variable": coefficient_label(column.column, labels), "Tolerance": number(column.tolerance, 3),
                 "VIF": number(column.vif, 3)}
                for column in found.columns
            ]
        ),
        caption=f"Largest condition index {number(found.largest_condition_index, 1)} (with intercept, not centred).",
    )  # fmt: skip


def _diagnose(frame: pd.DataFrame, terms: Sequence[Term]) -> Collinearity:
    return collinearity(build_design(frame, terms))


def missing_table(frame: pd.DataFrame, terms: Sequence[Term], labels: Mapping[str, str]) -> TableExhibit:
    """Table 9: how much of each candidate is missing."""
    found = {term.name: missingness(frame[term.name]) for term in terms}
    return TableExhibit(
        key="t9_missing",
        title="Table 9. Missing values",
        frame=pd.DataFrame([{"column": name, **vars(row)} for name, row in found.items()]),
        printed=pd.DataFrame(
            [
                {"Variable": labels.get(name, name), "Missing n (%)": count_share(row.missing, row.n)}
                for name, row in found.items()
            ]
        ),
        caption="Candidates of the model.",
    )


def sensitivity_table(
    frame: pd.DataFrame,
    outcome: str,
    terms: tuple[Term, ...],
    rule: SelectionRule,
    settings: ScrewLooseningNomogramSettings,
    seed: int,
    labels: Mapping[str, str],
) -> TableExhibit:
    """Table 10: the same procedure with the patients with scoliosis."""
    title = "Table 10. Sensitivity cohort with scoliosis"
    model, reason = attempt(fit_model, frame, numbers(frame, outcome) == 1, terms, rule, settings, seed)
    if model is None:
        return _absent("t10_sensitivity", title, reason)
    return _coefficients("t10_sensitivity", title, model, labels)


def nomogram_figure(model: FittedModel | None, reason: str, labels: Mapping[str, str]) -> Drawn:
    """F1: the nomogram of the final model."""
    if model is None:
        return None, reason
    drawn, no_nomogram = attempt(build_nomogram, model.model)
    if drawn is None:
        return None, no_nomogram
    rows = [
        {"axis": axis.term, "label": label, "points": points}
        for axis in drawn.axes
        for label, points in zip(axis.labels, axis.points, strict=True)
    ]
    rows += [{"axis": "risk", "label": f"{tick.risk:g}", "points": tick.total_points} for tick in drawn.risk_ticks]
    return FigureExhibit(
        key="f1_nomogram",
        title="Figure 1. Nomogram",
        figure=prediction_figures.nomogram(drawn, labels),
        data=pd.DataFrame(rows),
        caption="Read the points of each predictor on the top axis, add them, and read the risk below the total.",
        alt=f"Nomogram with axes for {', '.join(labels.get(axis.term, axis.term) for axis in drawn.axes)}.",
    ), ""


def usefulness_figures(model: FittedModel | None, reason: str, event: pd.Series) -> dict[str, Drawn]:
    """F3 calibration, F4 decision curve, F5 clinical impact."""
    names = ("Calibration", "Decision curve", "Clinical impact")
    if model is None:
        return dict.fromkeys(names, (None, reason))
    probability, events = model.developed.probability, event[model.developed.rows].to_numpy()
    calibration_drawn: Drawn = (None, model.gaps.get("validation", ""))
    if model.validation is not None:
        curve = model.validation.curve
        calibration_drawn = (
            FigureExhibit(
                key="f3_calibration",
                title="Figure 3. Calibration",
                figure=prediction_figures.calibration_plot(curve, probability),
                data=pd.DataFrame(
                    {"predicted": curve.predicted, "apparent": curve.apparent, "corrected": curve.corrected}
                ),
                caption=f"Lowess; bias-corrected by {curve.resamples} resamples. Mean absolute error "
                f"{number(curve.mean_absolute_error, 3)}. Below: predicted risks.",
                alt="Calibration plot: observed share against predicted risk, apparent, bias-corrected and ideal.",
            ),
            "",
        )
    decision = decision_curve(probability, events, THRESHOLDS)
    impact = clinical_impact(probability, events, THRESHOLDS)
    useful = decision.thresholds[decision.useful]
    span = f"{useful.min():.2f} to {useful.max():.2f}" if useful.size else "nowhere"
    return {
        names[0]: calibration_drawn,
        names[1]: (
            FigureExhibit(
                key="f4_decision",
                title="Figure 4. Decision curve",
                figure=prediction_figures.decision_plot(decision),
                data=pd.DataFrame(
                    {"threshold": decision.thresholds, "model": decision.model, "treat_all": decision.treat_all,
                     "treat_none": decision.treat_none, "is_useful": decision.useful}
                ),
                caption=f"Between its lowest and highest threshold, the model beats both defaults at {span}.",
                alt="Decision curve: net benefit of model, treating all and treating none over the threshold.",
            ),
            "",
        ),
        names[2]: (
            FigureExhibit(
                key="f5_impact",
                title="Figure 5. Clinical impact",
                figure=prediction_figures.impact_plot(impact),
                data=pd.DataFrame(
                    {"threshold": impact.thresholds, "high_risk": impact.high_risk,
                     "high_risk_with_event": impact.high_risk_with_event, "cost_benefit": impact.cost_benefit}
                ),
                caption=f"Of {impact.population:,} patients: called high risk, and of those with loosening.",
                alt="Clinical impact curve: patients at high risk and those with the event over the threshold.",
            ),
            "",
        ),
    }  # fmt: skip


def _absent(key: str, title: str, reason: str) -> TableExhibit:
    return TableExhibit(key, title, pd.DataFrame({"reason": [reason]}), pd.DataFrame({"Not computed": [reason]}), "")
