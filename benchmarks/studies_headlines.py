"""The headlines of the five papers, and the same numbers from our studies on a sampled cohort.

Sensitivities of the ROI and QCT papers are given with their true meaning (events as denominator): the printed ones
counted the other class, as the measurement page shows.  Numbers that contradict each other inside a paper are marked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from spongiosa.config.studies import StudiesSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.statistics.accuracy import accuracy_indices, classify, confusion
from spongiosa.statistics.association import pearson, spearman
from spongiosa.statistics.calibration import hosmer_lemeshow
from spongiosa.statistics.collinearity import collinearity
from spongiosa.statistics.contingency import fisher_exact
from spongiosa.statistics.cutoff import youden
from spongiosa.statistics.development import Procedure
from spongiosa.statistics.groups import kruskal_wallis
from spongiosa.statistics.logistic import logistic_regression
from spongiosa.statistics.roc import auc
from spongiosa.statistics.samples import StatisticsError
from spongiosa.statistics.selection import SelectionRule, fit_or_penalise
from spongiosa.statistics.terms import Category, Linear, build_design
from spongiosa.statistics.validation import validate_internally
from spongiosa.studies.hu_dxa_fits import fit_association, fit_discrimination
from spongiosa.studies.hu_dxa_groups import form_groups
from spongiosa.studies.roi_comparison import dxa_class
from spongiosa.studies.screw_loosening_qct import DENSITIES, T_SCORE

SETTINGS, THRESHOLDS = StudiesSettings(), ThresholdsSettings()
#: Resamples of the optimism bootstrap per cohort; the paper's 1,000 change a cohort's corrected AUC by about 0.001.
VALIDATION_DRAWS = 25

Measured = dict[str, float]


@dataclass(frozen=True)
class Headline:
    """A printed number, half a unit of its last digit, and a remark where the paper contradicts it."""

    study: str
    name: str
    printed: float
    rounding: float
    remark: str = ""


def of_concordance(table: pd.DataFrame, seed: int) -> Measured:
    """000: groups and agreement at 100 HU, Youden cut, gray zone, correlations."""
    settings = SETTINGS.hu_dxa_concordance.model_copy(update={"bootstrap_draws": 100})
    cohort = form_groups(table, settings, THRESHOLDS)
    frame = cohort.frame
    indices = accuracy_indices(confusion(frame["is_hu_positive"], frame["is_dxa_positive"]))
    lines = fit_association(table, settings, {}, seed).tables["t6_correlations"].frame.set_index("outcome")
    curve = fit_discrimination(table, settings, {"t_osteoporosis": -2.5}, seed).tables["t7_roc"].frame.iloc[0]
    gray = frame["hu_zone"] == "gray"
    bad = ~frame["is_concordant"]
    counts = [[int((bad & zone).sum()), int((~bad & zone).sum())] for zone in (gray, ~gray)]
    counted = frame["group"].value_counts()
    return {
        "DXA-/HU- [n]": float(counted.get("dxa_negative_hu_negative", 0)),
        "DXA+/HU+ [n]": float(counted.get("dxa_positive_hu_positive", 0)),
        "DXA+/HU- [n]": float(counted.get("dxa_positive_hu_negative", 0)),
        "DXA-/HU+ [n]": float(counted.get("dxa_negative_hu_positive", 0)),
        "concordance [%]": 100 * float(frame["is_concordant"].mean()),
        "sensitivity at 100 HU": indices.sensitivity.estimate,
        "specificity at 100 HU": indices.specificity.estimate,
        "PPV at 100 HU": indices.positive_predictive_value.estimate,
        "NPV at 100 HU": indices.negative_predictive_value.estimate,
        "kappa at 100 HU": indices.kappa.estimate,
        "AUC": float(curve["auc_estimate"]),
        "Youden cut-off [HU]": float(curve["cut_off_midpoint"]),
        "patients in the gray zone [n]": float(gray.sum()),
        "discordant in the gray zone [%]": 100 * float(bad[gray].mean()),
        "Fisher P of the gray zone": fisher_exact(counts).p_value,
        "r, HU and lowest T": float(lines.loc["low_t_score", "pearson_estimate"]),
        "rho, HU and lowest T": float(lines.loc["low_t_score", "spearman_estimate"]),
        "r, HU and lumbar T": float(lines.loc["t_score_lumbar", "pearson_estimate"]),
        "rho, HU and lumbar T": float(lines.loc["t_score_lumbar", "spearman_estimate"]),
        "rho, HU and neck T": float(lines.loc["t_score_femoral_neck", "spearman_estimate"]),
    }


def of_shapes(table: pd.DataFrame, _seed: int) -> Measured:
    """001: AUC, cut-off, sensitivity and specificity of each shape, both questions; H test between shapes."""
    classes = dxa_class(table["t_score_lumbar"], THRESHOLDS)
    found: Measured = {}
    for shape in ("round", "oval", "right", "left", "front"):
        values = table[f"{shape}_l1_l4_hu"]
        for label, event in (("osteoporosis", classes == "osteoporosis"), ("low mass", classes != "normal")):
            best = youden(values, event, direction="low").best
            found |= {
                f"{shape}, {label}: AUC": auc(values, event, direction="low"),
                f"{shape}, {label}: cut-off [HU]": best.midpoint,
                f"{shape}, {label}: sensitivity": best.sensitivity,
                f"{shape}, {label}: specificity": best.specificity,
            }
        found[f"{shape}: rho with DXA"] = spearman(values, table["bmd_lumbar_g_cm2"]).estimate
    shapes = {shape: table[f"{shape}_l1_l4_hu"] for shape in ("round", "oval", "right", "left", "front")}
    found["Kruskal-Wallis P between shapes"] = kruskal_wallis(shapes).p_value
    return found


def of_loosening(table: pd.DataFrame, _seed: int) -> Measured:
    """002: AUC, cut-off, sensitivity and specificity of the T-score and each density, event = loosening."""
    found: Measured = {"loosening [n]": float(table["loosening"].sum())}
    for column, label in {T_SCORE: "total hip T", **DENSITIES}.items():
        best = youden(table[column], table["loosening"], direction="low").best
        found |= {
            f"{label}: AUC": auc(table[column], table["loosening"], direction="low"),
            f"{label}: cut-off": best.midpoint,
            f"{label}: sensitivity": best.sensitivity,
            f"{label}: specificity": best.specificity,
        }
    return found


def of_nomogram(table: pd.DataFrame, seed: int) -> Measured:
    """003: the final model's discrimination, cut-off, calibration and collinearity."""
    grades = tuple(str(grade) for grade in sorted(table["goutallier"].unique()))
    reference = "4" if "4" in grades else grades[-1]
    terms = (Linear("age_years"), Linear("pbq"), Linear("hu_ratio"), Category("goutallier", grades, reference))
    frame = table.astype({"goutallier": "str"})
    event = table["loosening"].to_numpy(dtype=bool)
    found: Measured = {
        "loosening [n]": float(event.sum()),
        "rho, PBQ and HU ratio": spearman(table["pbq"], table["hu_ratio"]).estimate,
        "P of PBQ and HU ratio": spearman(table["pbq"], table["hu_ratio"]).p_value,
        "largest VIF": max(row.vif for row in collinearity(build_design(
            table.astype({"goutallier": "float64"}), [Linear(n) for n in ("age_years", "pbq", "hu_ratio", "goutallier")]
        )).columns),
    }  # fmt: skip
    # Ten patients of grade 3 often have one outcome only: the study then penalises, and so does this.
    fit = fit_or_penalise(frame, event, terms, "wald", 0.95)
    risk = 1 / (1 + pd.Series(-fit.linear_predictor).map(math.exp))
    best = youden(risk, event, direction="high").best
    indices = accuracy_indices(confusion(classify(risk, best.midpoint, ">="), event))
    found |= {
        "AUC, apparent": auc(risk, event, direction="high"),
        "cut-off of the risk": best.midpoint,
        "sensitivity": best.sensitivity,
        "specificity": best.specificity,
        "PPV": indices.positive_predictive_value.estimate,
        "NPV": indices.negative_predictive_value.estimate,
        "Hosmer-Lemeshow P": hosmer_lemeshow(risk, event).p_value,
    }
    rule = SelectionRule(enter_below=1.0, a_priori=tuple(term.name for term in terms), stay_below=1.0)
    try:
        checked = validate_internally(frame, event, Procedure(terms, rule, None), seed=seed, resamples=VALIDATION_DRAWS)
        found["AUC, corrected for optimism"] = checked.auc.corrected
    except StatisticsError:
        pass  # a cohort without a validated model has no corrected AUC; it is counted among the missing
    return found


def of_fracture(table: pd.DataFrame, _seed: int) -> Measured:
    """004: AUCs, cut-offs and accuracy of 3D-HU and HU, correlations, odds ratios of the final model."""
    event = table["new_fracture"]
    found: Measured = {"new fractures [n]": float(event.sum())}
    for column, label in (("hu_3d_l1_l4", "3D-HU"), ("ax_l1_l4_hu", "HU")):
        best = youden(table[column], event, direction="low").best
        indices = accuracy_indices(confusion(classify(table[column], best.midpoint, "<"), event))
        found |= {
            f"{label}: AUC": auc(table[column], event, direction="low"),
            f"{label}: cut-off [HU]": best.midpoint,
            f"{label}: sensitivity": best.sensitivity,
            f"{label}: specificity": best.specificity,
            f"{label}: accuracy": indices.accuracy.estimate,
            f"{label}: r with T": pearson(table[column], table["t_score_lumbar"]).estimate,
        }
    columns = ["age_years", "multiple_fracture", "hu_3d_l1_l4"]
    frame = table[columns].astype("float64")
    fit = logistic_regression(build_design(frame, [Linear(name) for name in columns]), event.to_numpy())
    for one, label in zip(fit.coefficients, ("age", "multiple fracture", "3D-HU"), strict=True):
        found[f"odds ratio of {label}"] = one.odds_ratio
    return found


MEASURES: dict[str, Callable[[pd.DataFrame, int], Measured]] = {
    "hu_dxa_concordance": of_concordance,
    "roi_shapes": of_shapes,
    "qct_loosening": of_loosening,
    "hu_ratio_nomogram": of_nomogram,
    "fracture_3d_hu": of_fracture,
}
