"""Whatever the data, a result is a number, or says why it is none, or is refused with a sentence.

Every public function meets the same impossible inputs.  A NaN or an infinity in a result is allowed only in an object
whose own `reason`, or that of an object around it, explains it.
"""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from spongiosa.statistics.accuracy import accuracy_indices, confusion, predictive_values_at, threshold_table
from spongiosa.statistics.association import pearson, spearman
from spongiosa.statistics.audit import audit_roc
from spongiosa.statistics.baseline import baseline_table
from spongiosa.statistics.bland_altman import bland_altman
from spongiosa.statistics.calibration import calibration, hosmer_lemeshow
from spongiosa.statistics.clustered import clustered_linear_regression, clustered_logistic_regression
from spongiosa.statistics.collinearity import collinearity
from spongiosa.statistics.comparison import levene, mann_whitney, student_t, welch_t
from spongiosa.statistics.contingency import association_test, cross_tabulate
from spongiosa.statistics.cutoff import bootstrap_roc, youden
from spongiosa.statistics.decision import clinical_impact, decision_curve
from spongiosa.statistics.description import normality, standardised_difference, summarise_numeric
from spongiosa.statistics.development import Procedure, develop_model
from spongiosa.statistics.firth import firth_regression
from spongiosa.statistics.groups import (
    dunn,
    friedman,
    kruskal_wallis,
    one_way_anova,
    pairwise_mann_whitney,
    pairwise_welch,
)
from spongiosa.statistics.icc import intraclass_correlations
from spongiosa.statistics.imputation import ImputationSettings, impute
from spongiosa.statistics.kappa import cohen_kappa
from spongiosa.statistics.linear import linear_regression
from spongiosa.statistics.logistic import logistic_regression
from spongiosa.statistics.method_comparison import deming, passing_bablok
from spongiosa.statistics.mixed import random_intercept_model
from spongiosa.statistics.mixed_logistic import random_intercept_logistic
from spongiosa.statistics.partial_auc import partial_auc
from spongiosa.statistics.repeatability import repeatability
from spongiosa.statistics.roc import auc_delong, auc_spss, compare_delong
from spongiosa.statistics.samples import StatisticsError
from spongiosa.statistics.selection import SelectionRule, select_model
from spongiosa.statistics.terms import Linear, build_design
from spongiosa.statistics.validation import validate_internally

RNG = np.random.default_rng(77)
EVENT = np.tile([0.0, 1.0, 0.0], 8)

# name -> (marker, second marker, event), all of one length
INPUTS = {
    "one class only": (RNG.normal(0, 1, 24), RNG.normal(0, 1, 24), np.ones(24)),
    "the other class only": (RNG.normal(0, 1, 24), RNG.normal(0, 1, 24), np.zeros(24)),
    "all values tied": (np.full(24, 0.3), np.full(24, 0.3), EVENT),
    "a constant column": (RNG.normal(0, 1, 24), np.full(24, 7.1), EVENT),
    "n = 3": (np.array([1.0, 2.0, 4.0]), np.array([2.0, 1.0, 5.0]), np.array([0.0, 1.0, 0.0])),
    "n = 2": (np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([0.0, 1.0])),
    "n = 0": (np.array([]), np.array([]), np.array([])),
    "an infinite value": (np.r_[np.inf, RNG.normal(0, 1, 23)], RNG.normal(0, 1, 24), EVENT),
    "all missing": (np.full(24, np.nan), RNG.normal(0, 1, 24), EVENT),
    "perfect separation": (EVENT + RNG.uniform(0, 0.1, 24), RNG.normal(0, 1, 24), EVENT),
    "two equal columns": (EVENT + RNG.normal(0, 1, 24), np.zeros(24), EVENT),
    "a single event": (RNG.normal(0, 1, 24), RNG.normal(0, 1, 24), np.r_[1.0, np.zeros(23)]),
    "huge values": (1e12 + RNG.normal(0, 1, 24), 1e12 + RNG.normal(0, 1, 24), EVENT),
    "ordinary": (RNG.normal(0, 1, 24), RNG.normal(0, 1, 24), EVENT),
}
INPUTS["two equal columns"] = (*(INPUTS["two equal columns"][0],) * 2, EVENT)


def table(x, y, event):
    return pd.DataFrame({"x": x, "y": y, "event": event})


def groups(x, event):
    return {"a": x[event == 0], "b": x[event == 1]}


def chance(x):
    return 1 / (1 + np.exp(-np.clip(x, -20, 20)))


TERMS = (Linear("x"), Linear("y"))

FUNCTIONS = {
    "summarise_numeric": lambda x, y, e: summarise_numeric(x),
    "normality": lambda x, y, e: normality(x),
    "standardised_difference": lambda x, y, e: standardised_difference(x[e == 0], x[e == 1]),
    "student_t": lambda x, y, e: student_t(x[e == 0], x[e == 1]),
    "welch_t": lambda x, y, e: welch_t(x[e == 0], x[e == 1]),
    "levene": lambda x, y, e: levene(x[e == 0], x[e == 1]),
    "mann_whitney": lambda x, y, e: mann_whitney(x[e == 0], x[e == 1]),
    "one_way_anova": lambda x, y, e: one_way_anova(groups(x, e)),
    "kruskal_wallis": lambda x, y, e: kruskal_wallis(groups(x, e)),
    "dunn": lambda x, y, e: dunn(groups(x, e)),
    "pairwise_mann_whitney": lambda x, y, e: pairwise_mann_whitney(groups(x, e)),
    "pairwise_welch": lambda x, y, e: pairwise_welch(groups(x, e)),
    "friedman": lambda x, y, e: friedman({"x": x, "y": y, "e": e}),
    "baseline_table": lambda x, y, e: baseline_table(
        table(x, y, e), e, numeric=["x", "y"], categorical={"event": None}
    ),
    "association_test": lambda x, y, e: association_test(cross_tabulate(x > 0.5, e), seed=1, draws=100),
    "pearson": lambda x, y, e: pearson(x, y),
    "spearman": lambda x, y, e: spearman(x, y),
    "linear_regression": lambda x, y, e: linear_regression(y, {"x": x}),
    "accuracy_indices": lambda x, y, e: accuracy_indices(confusion(x > 0.5, e)),
    "predictive_values_at": lambda x, y, e: predictive_values_at(confusion(x > 0.5, e), 0.1),
    "threshold_table": lambda x, y, e: threshold_table(x, e, [0.0, 0.5, 1e9], operator=">="),
    "cohen_kappa": lambda x, y, e: cohen_kappa(
        cross_tabulate(x > 0.5, e == 1).reindex(index=[False, True], columns=[False, True], fill_value=0)
    ),
    "auc_delong": lambda x, y, e: auc_delong(x, e, direction="high"),
    "auc_spss": lambda x, y, e: auc_spss(x, e, direction="low"),
    "compare_delong": lambda x, y, e: compare_delong(x, y, e, direction_first="high", direction_second="low"),
    "audit_roc": lambda x, y, e: audit_roc(x, e, direction="high"),
    "youden": lambda x, y, e: youden(x, e, direction="high"),
    "bootstrap_roc": lambda x, y, e: bootstrap_roc(x, e, direction="high", seed=1, draws=30),
    "partial_auc": lambda x, y, e: partial_auc(x, e, direction="high", low=0.8, high=1.0, seed=1, draws=30),
    "intraclass_correlations": lambda x, y, e: intraclass_correlations(np.column_stack([x, y])),
    "bland_altman": lambda x, y, e: bland_altman(x, y),
    "deming": lambda x, y, e: deming(x, y),
    "passing_bablok": lambda x, y, e: passing_bablok(x, y),
    "repeatability": lambda x, y, e: repeatability(np.column_stack([x, y])),
    "logistic_regression": lambda x, y, e: logistic_regression(build_design(table(x, y, e), TERMS), e),
    "profile": lambda x, y, e: logistic_regression(build_design(table(x, y, e), TERMS), e, interval="profile"),
    "firth_regression": lambda x, y, e: firth_regression(build_design(table(x, y, e), TERMS), e),
    "select_model": lambda x, y, e: select_model(table(x, y, e), e, TERMS, SelectionRule(enter_below=0.9)),
    "collinearity": lambda x, y, e: collinearity(build_design(table(x, y, e), TERMS)),
    "clustered_logistic": lambda x, y, e: clustered_logistic_regression(
        build_design(table(x, y, e), TERMS), e, np.arange(e.size) // 2
    ),
    "clustered_linear": lambda x, y, e: clustered_linear_regression(
        build_design(table(x, y, e), TERMS[:1]), y, np.arange(e.size) // 2
    ),
    "random_intercept_model": lambda x, y, e: random_intercept_model(
        build_design(table(x, y, e), TERMS[:1]), y, np.arange(e.size) // 2
    ),
    "random_intercept_logistic": lambda x, y, e: random_intercept_logistic(
        build_design(table(x, y, e), TERMS), e, np.arange(e.size) // 4
    ),
    "impute": lambda x, y, e: impute(
        table(x, y, e).mask(np.arange(e.size)[:, None] % 5 == np.arange(3)), TERMS, ImputationSettings(2, 2), seed=1
    ),
    "develop_model": lambda x, y, e: develop_model(table(x, y, e), e, Procedure(TERMS), seed=1),
    "validate_internally": lambda x, y, e: validate_internally(
        table(x, y, e), e, Procedure(TERMS), seed=1, resamples=6
    ),
    "calibration": lambda x, y, e: calibration(chance(x), e),
    "hosmer_lemeshow": lambda x, y, e: hosmer_lemeshow(chance(x), e),
    "decision_curve": lambda x, y, e: decision_curve(chance(x), e, [0.1, 0.5]),
    "clinical_impact": lambda x, y, e: clinical_impact(chance(x), e, [0.1, 0.5]),
}

# Arrays per patient or per point, whose NaN or infinity is defined in their docstring.
DEFINED = {"cut_off_observed", "cut_off_midpoint", "apparent", "corrected", "chain_means", "complete_rows"}


def unexplained(result, is_explained=False, path="result"):
    """Paths of the numbers that are not finite and that no `reason` explains."""
    if dataclasses.is_dataclass(result):
        explained = is_explained or bool(getattr(result, "reason", ""))
        fields = [field.name for field in dataclasses.fields(result) if field.name not in DEFINED]
        return [found for name in fields for found in unexplained(getattr(result, name), explained, f"{path}.{name}")]
    if isinstance(result, tuple | list):
        return [found for i, item in enumerate(result) for found in unexplained(item, is_explained, f"{path}[{i}]")]
    if isinstance(result, dict):
        return [found for k, item in result.items() for found in unexplained(item, is_explained, f"{path}[{k}]")]
    if isinstance(result, np.ndarray) and result.dtype.kind == "f" and not is_explained:
        return [path] if not np.isfinite(result).all() else []
    if isinstance(result, float) and not math.isfinite(result) and not is_explained:
        return [path]
    return []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", INPUTS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_result_is_a_number_or_says_why_not(function, case):
    """Warnings are errors here: a division by zero that is only warned about is a NaN on its way."""
    try:
        result = FUNCTIONS[function](*INPUTS[case])
    except StatisticsError as refused:
        assert len(str(refused)) > 15
        assert str(refused)[-1] in ".!)"
        assert case != "ordinary", str(refused)
        return
    assert unexplained(result) == []
