"""Tables of the nomogram study's model."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import estimate_interval, number, p_value
from spongiosa.statistics.accuracy import accuracy_indices, confusion
from spongiosa.statistics.samples import normal_quantile, two_sided_normal_p
from spongiosa.studies.nomogram_model import FittedModel
from spongiosa.studies.nomogram_supplement import absent
from spongiosa.studies.predictors import in_words
from spongiosa.studies.regression_tables import coefficient_label


def model_table(model: FittedModel | None, reason: str, labels: Mapping[str, str]) -> TableExhibit:
    """Table 3: the final model, pooled over the imputations."""
    title = "Table 3. The model"
    return absent("t3_model", title, reason) if model is None else coefficient_table("t3_model", title, model, labels)


def coefficient_table(key: str, title: str, model: FittedModel, labels: Mapping[str, str]) -> TableExhibit:
    """Intercept and coefficients of a fitted model with odds ratios."""
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
    notes = [in_words(developed.method), *([developed.reason] if developed.reason else [])]
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


def performance_summary(key: str, model: FittedModel | None, reason: str) -> TableExhibit:
    """Table S3: discrimination, calibration and what is left of them after correction, in a few rows."""
    title = "Table S3. Performance, with scoliosis"
    if model is None:
        return absent(key, title, reason)
    rows: list[dict[str, object]] = []
    if model.area is not None:
        area = model.area
        rows.append(
            {"figure": "AUC, apparent", "estimate": area.estimate, "ci_low": area.ci_low, "ci_high": area.ci_high}
        )
    if model.cut_off is not None:
        best = model.cut_off.best
        rows += [
            {"figure": "Youden cut-off", "estimate": best.observed},
            {"figure": "Sensitivity there", "estimate": best.sensitivity},
            {"figure": "Specificity there", "estimate": best.specificity},
        ]
    if model.hosmer_lemeshow is not None:
        test = model.hosmer_lemeshow
        rows.append({"figure": f"Hosmer-Lemeshow, {test.df} df", "estimate": test.statistic, "p_value": test.p_value})
    if model.validation is not None:
        checked = model.validation
        rows += [
            {"figure": "AUC, corrected", "estimate": checked.auc.corrected},
            {"figure": "Brier score, corrected", "estimate": checked.brier.corrected},
            {"figure": "Calibration slope, corrected", "estimate": checked.slope.corrected},
            {"figure": "Calibration error, mean absolute", "estimate": checked.curve.mean_absolute_error},
        ]
    frame = pd.DataFrame(rows).reindex(columns=["figure", "estimate", "ci_low", "ci_high", "p_value"])
    printed = pd.DataFrame(
        {
            "Figure": frame["figure"],
            "Estimate (CI)": [
                estimate_interval(*limits)
                for limits in frame[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=np.float64).tolist()
            ],
            "P": ["" if pd.isna(p) else p_value(p) for p in frame["p_value"]],
        }
    )
    named = in_words(", ".join(model.developed.terms))
    caption = f"n = {model.developed.n}, {model.developed.events} events; final terms: {named}."
    return TableExhibit(key, title, frame, printed, caption, tuple(model.gaps.values()))


def _validation_table(model: FittedModel) -> TableExhibit:
    title = "Table 5. Performance and its optimism"
    validation = model.validation
    if validation is None:
        return absent("t5_validation", title, model.gaps["validation"])
    figures = {
        "AUC": validation.auc,
        "Brier score": validation.brier,
        "Calibration in the large": validation.calibration_in_the_large,
        "Joint intercept": validation.joint_intercept,
        "Calibration slope": validation.slope,
    }
    chosen = ", ".join(f"{in_words(name)} {share:.0%}" for name, share in validation.selection_frequency)
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
        return absent("t7_cut_off", title, model.gaps["cut_off"])
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
