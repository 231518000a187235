"""Figures of the nomogram study's model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from spongiosa.report import prediction_figures
from spongiosa.report.exhibits import FigureExhibit
from spongiosa.report.formatting import number
from spongiosa.statistics.decision import clinical_impact, decision_curve
from spongiosa.statistics.nomogram import build_nomogram
from spongiosa.studies.nomogram_model import FittedModel
from spongiosa.studies.predictors import is_counted
from spongiosa.studies.result import attempt

Drawn = tuple[FigureExhibit | None, str]
#: Threshold probabilities of the decision curve and the clinical impact.
THRESHOLDS = np.arange(1, 100) / 100


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
        figure=prediction_figures.nomogram(drawn, labels, [axis.term for axis in drawn.axes if is_counted(axis.term)]),
        data=pd.DataFrame(rows),
        caption="Read the points of each predictor on the top axis and add them; linear predictor and risk stand below "
        "the total.",
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
                figure=prediction_figures.calibration_plot(
                    curve, probability, model.hosmer_lemeshow.groups if model.hosmer_lemeshow else ()
                ),
                data=pd.DataFrame(
                    {"predicted": curve.predicted, "apparent": curve.apparent, "corrected": curve.corrected}
                ),
                caption=f"Lowess; bias-corrected by {curve.resamples} resamples. Mean absolute error "
                f"{number(curve.mean_absolute_error, 3)}. Points: tenths by risk with 95 % intervals. Below: predicted "
                "risks.",
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
