"""Our values under R's names: logistic regression, splines, collinearity, clustered and mixed models."""

import numpy as np
import pandas as pd

from spongiosa.statistics.clustered import clustered_linear_regression, clustered_logistic_regression
from spongiosa.statistics.collinearity import collinearity
from spongiosa.statistics.firth import firth_regression
from spongiosa.statistics.logistic import logistic_regression
from spongiosa.statistics.mixed import random_intercept_model
from spongiosa.statistics.mixed_logistic import random_intercept_logistic
from spongiosa.statistics.roc import auc
from spongiosa.statistics.terms import Category, Linear, RestrictedCubicSpline, build_design, default_knots

GRADE = Category("goutallier", ("1", "2", "3", "4"), "4")
FOUR = (Linear("age"), Linear("pbq"), Linear("hu_ratio"), GRADE)


def values(read) -> dict[str, float]:
    patients, rows, extreme = read("loosening"), read("levels"), read("separation")
    ours = {f"loosening|{name}": value for name, value in _logistic(patients).items()}
    ours |= {f"loosening|{name}": value for name, value in _spline(patients).items()}
    ours |= {f"loosening|{name}": value for name, value in _collinearity(patients).items()}
    ours |= {f"levels|{name}": value for name, value in _clustered(rows).items()}
    penalised = firth_regression(build_design(extreme, (Linear("perfect"), Linear("helpful"))), extreme["event"])
    for row in (penalised.intercept, *penalised.coefficients):
        ours[f"separation|firth|{row.name}|estimate"] = row.estimate
        ours[f"separation|firth|{row.name}|standard_error"] = row.standard_error
    whole = firth_regression(build_design(patients, FOUR), patients["loosening"])
    for row in (whole.intercept, *whole.coefficients):
        ours[f"loosening|firth|{row.name}|estimate"] = row.estimate
    return ours


def _logistic(patients: pd.DataFrame) -> dict[str, float]:
    design, event = build_design(patients, FOUR), patients["loosening"]
    wald = logistic_regression(design, event)
    profile = logistic_regression(design, event, interval="profile")
    named = {}
    for row, other in zip(
        (wald.intercept, *wald.coefficients), (profile.intercept, *profile.coefficients), strict=True
    ):
        start = f"logistic|{row.name}"
        named |= {f"{start}|estimate": row.estimate, f"{start}|standard_error": row.standard_error}
        named |= {f"{start}|p": row.p_value, f"{start}|wald_low": row.ci_low, f"{start}|wald_high": row.ci_high}
        named |= {f"{start}|profile_low": other.ci_low, f"{start}|profile_high": other.ci_high}
        named |= {f"{start}|confint_low": other.ci_low}
    for test in wald.terms:
        named[f"logistic|{test.name}|likelihood_ratio"] = test.likelihood_ratio
        named[f"logistic|{test.name}|likelihood_ratio_p"] = test.likelihood_ratio_p
    grade = wald.terms[-1]
    chance = 1 / (1 + np.exp(-wald.linear_predictor))
    named |= {
        "logistic|log_likelihood": wald.log_likelihood,
        "logistic|aic": wald.aic,
        "logistic|likelihood_ratio": wald.likelihood_ratio,
        "logistic|nagelkerke": wald.nagelkerke_r_squared,
        "logistic|brier": float(((chance - event) ** 2).mean()),
        "logistic|c": auc(chance, event, direction="high"),
        "logistic|goutallier|wald": grade.wald,
        "logistic|goutallier|wald_p": grade.wald_p,
    }
    for name in ("age", "bmi", "fused_levels", "diabetes"):
        alone = logistic_regression(build_design(patients, (Linear(name),)), event).coefficients[0]
        named |= {f"univariable|{name}|estimate": alone.estimate, f"univariable|{name}|p": alone.p_value}
    return named


def _spline(patients: pd.DataFrame) -> dict[str, float]:
    knots = default_knots(patients["age"], 4)
    term = RestrictedCubicSpline("age", knots)
    named = {f"spline|knot_{i + 1}": knot for i, knot in enumerate(knots)}
    for count in (3, 5, 6, 7):
        for i, knot in enumerate(default_knots(patients["bmi"], count)):
            named[f"knots|{count}|{i + 1}"] = knot
    basis = term.expand(patients["age"].to_numpy(dtype=float))
    named |= {f"spline|basis_mean_{i + 1}": float(mean) for i, mean in enumerate(basis.mean(axis=0))}
    fit = logistic_regression(build_design(patients, (term, Linear("hu_ratio"))), patients["loosening"])
    for i, row in enumerate((fit.intercept, *fit.coefficients)):
        named |= {f"spline|coefficient_{i + 1}": row.estimate, f"spline|standard_error_{i + 1}": row.standard_error}
    return named


def _collinearity(patients: pd.DataFrame) -> dict[str, float]:
    named = {}
    for term in collinearity(build_design(patients, FOUR)).terms:
        named |= {f"vif|{term.term}|gvif": term.gvif, f"vif|{term.term}|comparable": term.comparable}
    numbers = tuple(Linear(name) for name in ("age", "pbq", "hu_ratio", "fused_levels"))
    for i, index in enumerate(collinearity(build_design(patients, numbers)).condition_indices):
        named[f"condition_index|{i + 1}"] = float(index)
    return named


def _clustered(rows: pd.DataFrame) -> dict[str, float]:
    design = build_design(rows, (Linear("age"), Linear("level")))
    mixed = random_intercept_model(design, rows["hu"], rows["patient"])
    named = {
        "mixed|between_sd": mixed.between_sd,
        "mixed|within_sd": mixed.within_sd,
        "mixed|log_likelihood": mixed.restricted_log_likelihood,
    }
    for row in mixed.coefficients:
        named |= {f"mixed|{row.name}|estimate": row.estimate, f"mixed|{row.name}|standard_error": row.standard_error}
    for row in clustered_linear_regression(design, rows["hu"], rows["patient"]).coefficients:
        named[f"clustered_linear|{row.name}|standard_error"] = row.standard_error
    fracture = build_design(rows, (Linear("hu"), Linear("age")))
    fit = clustered_logistic_regression(fracture, rows["fracture"], rows["patient"])
    for row in (fit.intercept, *fit.coefficients):
        named[f"clustered_logistic|{row.name}|standard_error"] = row.standard_error
    scaled = rows.assign(hu_sd=(rows["hu"] - 110) / 30, age_sd=(rows["age"] - 70) / 8)
    binary = random_intercept_logistic(
        build_design(scaled, (Linear("hu_sd"), Linear("age_sd"))), rows["fracture"], rows["patient"]
    )
    named["mixed_logistic|between_sd"] = binary.between_sd
    for row in (binary.intercept, *binary.coefficients):
        named[f"mixed_logistic|{row.name}|estimate"] = row.estimate
        named[f"mixed_logistic|{row.name}|standard_error"] = row.standard_error
    clusters = rows["patient"].nunique()
    # robcov leaves out the factor G / (G - 1).
    plain = fit.coefficients[0].standard_error * np.sqrt((clusters - 1) / clusters)
    return named | {"clustered_logistic|hu|robcov_standard_error": float(plain)}
