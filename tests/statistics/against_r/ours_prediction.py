"""Our values under R's names: calibration, validation, nomogram, imputation, pooling."""

import numpy as np
import pandas as pd
from ours_regression import FOUR
from scipy.special import expit

from spongiosa.statistics.calibration import hosmer_lemeshow
from spongiosa.statistics.calibration_curve import default_grid, smooth_calibration
from spongiosa.statistics.development import Procedure, develop_model
from spongiosa.statistics.imputation import ImputationSettings
from spongiosa.statistics.logistic import logistic_regression
from spongiosa.statistics.nomogram import build_nomogram
from spongiosa.statistics.pooling import pool, pooled_wald
from spongiosa.statistics.prediction_model import model_from_fit, validate_externally
from spongiosa.statistics.terms import Category, Linear, build_design
from spongiosa.statistics.validation import validate_internally

AXES = {"age": (30, 90), "pbq": (1.5, 5), "hu_ratio": (0.5, 3)}


def values(read) -> dict[str, float]:
    patients = read("loosening")
    ours = {f"loosening|{name}": value for name, value in _external(patients).items()}
    ours |= {f"loosening|{name}": value for name, value in _calibration(patients).items()}
    ours |= {f"loosening|{name}": value for name, value in _validation(patients).items()}
    ours |= {f"loosening|nomogram|{name}": value for name, value in _nomogram(patients).items()}
    ours |= {f"missing|pooled|{name}": value for name, value in _pooled(read("imputed_by_mice")).items()}
    return ours | {f"missing|{name}": value for name, value in _imputed(read("missing")).items()}


def _external(patients: pd.DataFrame) -> dict[str, float]:
    is_training = np.arange(len(patients)) % 2 == 0
    train, test = patients[is_training].reset_index(drop=True), patients[~is_training].reset_index(drop=True)
    terms = FOUR[:3]
    fit = logistic_regression(build_design(train, terms), train["loosening"])
    model = model_from_fit(fit, terms, train, outcome="loosening")
    result = validate_externally(model, test, test["loosening"])
    figures = result.calibration
    return {
        "external|brier": figures.brier,
        "external|auc": result.auc.estimate,
        "external|joint_intercept": figures.joint_intercept.estimate,
        "external|joint_intercept_se": figures.joint_intercept.standard_error,
        "external|slope": figures.slope.estimate,
        "external|slope_se": figures.slope.standard_error,
        "external|in_the_large": figures.in_the_large.estimate,
        "external|in_the_large_se": figures.in_the_large.standard_error,
        "external|val_prob_intercept": figures.joint_intercept.estimate,
        "external|val_prob_slope": figures.slope.estimate,
    }


def _calibration(patients: pd.DataFrame) -> dict[str, float]:
    event = patients["loosening"]
    chance = expit(logistic_regression(build_design(patients, FOUR), event).linear_predictor)
    test = hosmer_lemeshow(chance, event, grouping="quantiles")
    curve = smooth_calibration(chance, event.to_numpy() == 1, default_grid(chance))
    named = {"hosmer_lemeshow|quantiles": test.statistic, "hosmer_lemeshow|quantiles_p": test.p_value}
    # The apparent curve of rms is the same lowess; it is compared under both names.
    named |= {f"calibrate|apparent_{i}": float(curve[i - 1]) for i in (5, 15, 25, 35)}
    return named | {f"lowess|{i}": float(curve[i - 1]) for i in (1, 5, 10, 20, 30, 40, 50)}


def _validation(patients: pd.DataFrame) -> dict[str, float]:
    result = validate_internally(patients, patients["loosening"], Procedure(FOUR), seed=1, resamples=1000)
    named = {}
    for name, figure in (("Intercept", result.joint_intercept), ("Slope", result.slope), ("B", result.brier)):
        named |= {f"validate|{name}|apparent": figure.apparent, f"validate|{name}|corrected": figure.corrected}
        named[f"validate|{name}|optimism"] = figure.optimism
    area = result.auc
    named |= {"validate|Dxy|apparent": 2 * area.apparent - 1, "validate|Dxy|corrected": 2 * area.corrected - 1}
    named["validate|Dxy|optimism"] = 2 * area.optimism
    named |= {f"calibrate|corrected_{i}": float(result.curve.corrected[i - 1]) for i in (5, 15, 25, 35)}
    return named | {"calibrate|mean_absolute_error": result.curve.mean_absolute_error}


def _nomogram(patients: pd.DataFrame) -> dict[str, float]:
    fit = logistic_regression(build_design(patients, FOUR), patients["loosening"])
    nomogram = build_nomogram(model_from_fit(fit, FOUR, patients, outcome="loosening"), limits=AXES)
    named = {}
    for axis in nomogram.axes:
        ends = range(len(axis.points)) if axis.term == "goutallier" else (0, -1)
        named |= {f"{axis.term}|{axis.labels[i]}": axis.points[i] for i in ends}
    named["points_at_even_odds"] = nomogram.total_points_at(0.5)
    return named | {"points_per_logit": nomogram.points_per_logit}


def _pooled(long: pd.DataFrame) -> dict[str, float]:
    fits = [
        logistic_regression(build_design(table.reset_index(drop=True), FOUR), table["loosening"])
        for _, table in long.groupby(".imp")
    ]
    betas = np.stack([fit.beta for fit in fits])
    covariances = np.stack([fit.covariance for fit in fits])
    named = {}
    for j, row in enumerate((fits[0].intercept, *fits[0].coefficients)):
        result = pool(betas[:, j], covariances[:, j, j], complete_df=fits[0].n - betas.shape[1], df="barnard-rubin")
        named |= {
            f"{row.name}|estimate": result.estimate,
            f"{row.name}|standard_error": result.standard_error,
            f"{row.name}|df": result.df_barnard_rubin,
            f"{row.name}|p": result.p_value,
            f"{row.name}|ci_low": result.ci_low,
            f"{row.name}|fmi": result.fraction_missing,
            f"{row.name}|riv": result.variance_increase,
        }
    f, _, df2, p_value = pooled_wald(betas[:, 4:], covariances[:, 4:, 4:])
    return named | {"goutallier|d1_f": f, "goutallier|d1_df2": df2, "goutallier|d1_p": p_value}


def _imputed(patients: pd.DataFrame) -> dict[str, float]:
    """The same hundred imputations as mice was asked for, by both methods for numbers."""
    two_levels = Category("diabetes", ("0", "1"), "0")
    named = {}
    for label, method in (("norm", "linear"), ("pmm", "matched")):
        settings = ImputationSettings(
            imputations=100, methods=tuple((name, method) for name in ("pbq", "hu_ratio", "bmi"))
        )
        procedure = Procedure(
            terms=(Linear("age"), Linear("pbq"), Linear("hu_ratio"), two_levels),
            imputation=settings,
            auxiliary=(FOUR[3], Linear("bmi")),
        )
        model = develop_model(patients, patients["loosening"], procedure, seed=5)
        for column, estimate, error in zip(
            model.columns[1:], model.estimates[1:], model.standard_errors[1:], strict=True
        ):
            name = column.split("=")[0]
            named |= {f"{label}|{name}|estimate": float(estimate), f"{label}|{name}|standard_error": float(error)}
    return named
