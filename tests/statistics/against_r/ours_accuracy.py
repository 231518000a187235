"""Our values under R's names: accuracy, kappa, ROC, agreement."""

import pandas as pd

from spongiosa.statistics.accuracy import accuracy_indices, confusion
from spongiosa.statistics.bland_altman import bland_altman
from spongiosa.statistics.contingency import cross_tabulate
from spongiosa.statistics.cutoff import bootstrap_roc, youden
from spongiosa.statistics.icc import intraclass_correlations
from spongiosa.statistics.kappa import cohen_kappa
from spongiosa.statistics.partial_auc import partial_auc
from spongiosa.statistics.repeatability import repeatability
from spongiosa.statistics.roc import auc, auc_delong, compare_delong

DIRECTIONS = {"hu": "low", "age": "high", "bmi": "low"}


def values(read) -> dict[str, float]:
    patients, ratings = read("concordance"), read("readers")
    ours = {f"concordance|{name}": value for name, value in _accuracy(patients).items()}
    ours |= {f"readers|{name}": value for name, value in _agreement(ratings).items()}
    event = patients["osteoporosis"]
    for name, direction in DIRECTIONS.items():
        ours |= {f"concordance|{name}|{k}": v for k, v in _roc(patients[name], event, direction).items()}
    for other in ("age", "bmi"):
        test = compare_delong(
            patients["hu"], patients[other], event, direction_first="low", direction_second=DIRECTIONS[other]
        )
        ours |= {f"concordance|hu_{other}|delong_z": test.statistic, f"concordance|hu_{other}|delong_p": test.p_value}
    for name in ("hu", "age"):
        for focus in ("specificity", "sensitivity"):
            part = partial_auc(
                patients[name], event, direction=DIRECTIONS[name], low=0.8, high=1.0, focus=focus, seed=1, draws=2
            )
            ours[f"concordance|{name}|partial_{focus}"] = part.estimate
            ours[f"concordance|{name}|partial_{focus}_corrected"] = part.corrected
    bootstrap = bootstrap_roc(patients["hu"], event, direction="low", seed=1, draws=4000).auc
    ours |= {"concordance|hu|bootstrap_ci_low": bootstrap.ci_low, "concordance|hu|bootstrap_ci_high": bootstrap.ci_high}
    extreme, small = read("separation"), read("small")
    for name, direction in (("perfect", "low"), ("useless", "high")):
        ours |= {f"separation|{name}|{k}": v for k, v in _roc(extreme[name], extreme["event"], direction).items()}
    return ours | {f"small|value|{k}": v for k, v in _roc(small["value"], small["event"], "high").items()}


def _accuracy(patients: pd.DataFrame) -> dict[str, float]:
    indices = accuracy_indices(confusion(patients["low_hu"], patients["osteoporosis"]))
    named = {}
    for name in (
        "sensitivity",
        "specificity",
        "positive_predictive_value",
        "negative_predictive_value",
        "accuracy",
        "positive_likelihood_ratio",
        "negative_likelihood_ratio",
    ):
        index = getattr(indices, name)
        named |= {f"accuracy|{name}|{field}": getattr(index, field) for field in ("estimate", "ci_low", "ci_high")}
    kappa = indices.kappa
    return named | {
        "kappa|estimate": kappa.estimate,
        "kappa|standard_error": kappa.standard_error,
        "kappa|ci_low": kappa.ci_low,
        "kappa|ci_high": kappa.ci_high,
    }


def _roc(marker: pd.Series, event: pd.Series, direction: str) -> dict[str, float]:
    named = {"auc": auc(marker, event, direction=direction)}
    if named["auc"] < 1:
        result = auc_delong(marker, event, direction=direction)
        named |= {"delong_se": result.standard_error, "delong_ci_low": result.ci_low, "delong_ci_high": result.ci_high}
    best = youden(marker, event, direction=direction).best
    return named | {
        "youden_threshold": best.midpoint,
        "youden_sensitivity": best.sensitivity,
        "youden_specificity": best.specificity,
    }


def _agreement(ratings: pd.DataFrame) -> dict[str, float]:
    table = intraclass_correlations(ratings[["reader_1", "reader_2", "reader_3"]])
    named = {
        f"icc|{form}|{field}": getattr(getattr(table, form), field)
        for form in ("a_1", "c_1", "a_k", "c_k")
        for field in ("estimate", "ci_low", "ci_high")
    }
    for weights in ("unweighted", "linear", "quadratic"):
        grades = cross_tabulate(ratings["grade_1"], ratings["grade_2"]).reindex(
            index=range(1, 5), columns=range(1, 5), fill_value=0
        )
        kappa = cohen_kappa(grades, weights=weights)
        named |= {f"kappa|{weights}|estimate": kappa.estimate, f"kappa|{weights}|standard_error": kappa.standard_error}
    difference = bland_altman(ratings["reader_1"], ratings["reader_2"])
    return named | {
        "bland_altman|bias": difference.bias.estimate,
        "bland_altman|bias_ci_low": difference.bias.ci_low,
        "bland_altman|bias_ci_high": difference.bias.ci_high,
        "bland_altman|bias_p": difference.p_bias,
        "bland_altman|lower_limit": difference.lower_limit.estimate,
        "bland_altman|upper_limit": difference.upper_limit.estimate,
        "bland_altman|slope": difference.proportional_slope.estimate,
        "bland_altman|slope_p": difference.proportional_slope.p_value,
        "repeatability|within_subject_sd": repeatability(ratings[["reader_1", "reader_2"]]).within_subject_sd,
    }
