"""Logistic regression: terms, intervals, separation, Firth, selection, collinearity, clusters, mixed model."""

import math

import numpy as np
import pandas as pd
import pytest
from firthmodels import FirthLogisticRegression

from spongiosa.statistics.clustered import clustered_linear_regression, clustered_logistic_regression
from spongiosa.statistics.collinearity import collinearity
from spongiosa.statistics.firth import firth_regression
from spongiosa.statistics.logistic import logistic_regression
from spongiosa.statistics.logistic_solver import SeparationError, SingularError, separating_columns, solve_logistic
from spongiosa.statistics.mixed import random_intercept_model
from spongiosa.statistics.mixed_logistic import random_intercept_logistic
from spongiosa.statistics.samples import StatisticsError
from spongiosa.statistics.selection import SelectionRule, fit_or_penalise, select_columns, select_model
from spongiosa.statistics.terms import (
    Category,
    Linear,
    RestrictedCubicSpline,
    build_design,
    default_knots,
    numeric_matrix,
)

GRADE = Category("goutallier", ("1", "2", "3", "4"), "4")


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(21)
    n = 250
    table = pd.DataFrame(
        {
            "age": rng.normal(65, 9, n).round(),
            "hu_ratio": rng.normal(1.5, 0.4, n).round(2),
            "noise": rng.normal(0, 1, n),
            "goutallier": rng.choice([1, 2, 3, 4], n, p=[0.2, 0.5, 0.15, 0.15]),
        }
    )
    logits = -1.5 + 0.06 * (table["age"] - 65) - 2 * (table["hu_ratio"] - 1.5)
    table["loosening"] = (rng.random(n) < 1 / (1 + np.exp(-logits))).astype(int)
    return table


def test_a_category_has_one_column_per_level_but_the_reference():
    design = build_design(pd.DataFrame({"goutallier": [1.0, 4.0, 3.0, np.nan]}), (GRADE,))
    assert design.columns == ("goutallier=1", "goutallier=2", "goutallier=3")
    assert design.matrix[:3].tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert np.isnan(design.matrix[3]).all()


def test_what_a_term_does_not_know_is_refused():
    with pytest.raises(StatisticsError, match="outside its levels: 7"):
        GRADE.numeric([1, 7])
    with pytest.raises(StatisticsError, match="reference"):
        Category("sex", ("f", "m"), "x")
    with pytest.raises(StatisticsError, match="3 knots"):
        RestrictedCubicSpline("age", (1.0, 2.0))
    with pytest.raises(StatisticsError, match="lacks the column"):
        numeric_matrix(pd.DataFrame({"a": [1.0]}), (Linear("b"),))
    with pytest.raises(StatisticsError, match="distinct knots"):
        default_knots([1.0] * 50, 4)
    with pytest.raises(StatisticsError, match="3 to 7"):
        default_knots([1.0, 2.0], 9)


def test_a_spline_is_linear_beyond_its_last_knot():
    term = RestrictedCubicSpline("age", (50.0, 60.0, 70.0, 80.0))
    basis = term.expand(np.array([90.0, 100.0, 110.0]))
    assert basis[2] - basis[1] == pytest.approx(basis[1] - basis[0], rel=1e-10)
    assert term.columns == ("age", "age'", "age''")


def test_rows_with_missing_predictors_are_left_out_and_counted(cohort):
    table = cohort.copy()
    table.loc[:9, "age"] = np.nan
    fit = logistic_regression(build_design(table, (Linear("age"),)), table["loosening"])
    assert fit.n == 240
    assert fit.complete_rows.sum() == 240


def test_events_per_parameter_counts_the_smaller_class(cohort):
    fit = logistic_regression(build_design(cohort, (Linear("age"), GRADE)), cohort["loosening"])
    events = int(cohort["loosening"].sum())
    assert fit.events_per_parameter == min(events, 250 - events) / 4


def test_profile_interval_leans_where_the_likelihood_does(cohort):
    """At both limits twice the loss of log likelihood is the chi-square quantile, 3.841."""
    design = build_design(cohort, (Linear("hu_ratio"),))
    fit = logistic_regression(design, cohort["loosening"], interval="profile")
    matrix = np.column_stack([np.ones(250), cohort["hu_ratio"]])
    outcome = cohort["loosening"].to_numpy(dtype=float)
    for limit in (fit.coefficients[0].ci_low, fit.coefficients[0].ci_high):
        held = solve_logistic(matrix[:, :1], outcome, offset=matrix[:, 1] * math.log(limit))
        assert 2 * (fit.log_likelihood - held.log_likelihood) == pytest.approx(3.841458820694124, rel=1e-6)


def test_units_do_not_change_the_fit(cohort):
    """Age in years or in seconds: the same chances, to the precision of the arithmetic."""
    years = logistic_regression(build_design(cohort, (Linear("age"), Linear("hu_ratio"))), cohort["loosening"])
    seconds = cohort.assign(age=cohort["age"] * 3.15576e7)
    other = logistic_regression(build_design(seconds, (Linear("age"), Linear("hu_ratio"))), seconds["loosening"])
    assert other.linear_predictor == pytest.approx(years.linear_predictor, rel=1e-8)


def test_separation_is_detected_and_named():
    table = pd.DataFrame(
        {"hu": np.arange(20.0), "noise": np.tile([0.0, 1.0, 3.0, 2.0], 5), "event": [1] * 8 + [0] * 12}
    )
    with pytest.raises(SeparationError, match="hu separate"):
        logistic_regression(build_design(table, (Linear("hu"),)), table["event"])


def test_quasi_separation_by_a_category_without_events_is_detected(cohort):
    table = cohort.copy()
    table.loc[table["goutallier"] == 3, "loosening"] = 0
    with pytest.raises(SeparationError, match="goutallier=3"):
        logistic_regression(build_design(table, (Linear("age"), GRADE)), table["loosening"])
    fit = fit_or_penalise(table, table["loosening"], (Linear("age"), GRADE))
    assert "goutallier=3" in fit.reason
    assert "Firth" in fit.method


def test_overlapping_classes_are_not_called_separated(cohort):
    matrix = np.column_stack([np.ones(250), cohort[["age", "hu_ratio", "noise"]]])
    assert separating_columns(matrix, cohort["loosening"].to_numpy() == 1) == ()


def test_a_constant_or_repeated_predictor_is_singular(cohort):
    with pytest.raises(SingularError):
        logistic_regression(build_design(cohort.assign(one=1.0), (Linear("one"),)), cohort["loosening"])
    with pytest.raises(SingularError):
        twice = cohort.assign(twice=2 * cohort["age"])
        logistic_regression(build_design(twice, (Linear("age"), Linear("twice"))), cohort["loosening"])


def test_one_class_only_is_refused(cohort):
    with pytest.raises(StatisticsError, match="Both classes"):
        logistic_regression(build_design(cohort, (Linear("age"),)), np.ones(250))
    with pytest.raises(StatisticsError, match="250 rows"):
        logistic_regression(build_design(cohort, (Linear("age"),)), np.ones(3))


@pytest.mark.parametrize("data", ["separated", "overlapping"])
def test_firth_agrees_with_firthmodels_in_estimates_intervals_and_p(cohort, data):
    """Second oracle: the firthmodels package (MIT).  It stops at 1e-4, which the tolerances allow for."""
    table = cohort.copy()
    if data == "separated":
        table["loosening"] = (table["hu_ratio"] < 1.2).astype(int)
    columns = ["age", "hu_ratio"]
    theirs = FirthLogisticRegression(max_iter=2000).fit(table[columns].to_numpy(), table["loosening"].to_numpy())
    theirs.lrt()
    intervals = theirs.conf_int(method="pl", max_iter=500)
    ours = firth_regression(build_design(table, tuple(Linear(name) for name in columns)), table["loosening"])
    for j, row in enumerate(ours.coefficients):
        assert row.estimate == pytest.approx(theirs.coef_[j], rel=1e-4)
        assert (math.log(row.ci_low), math.log(row.ci_high)) == pytest.approx(tuple(intervals[j]), rel=1e-3, abs=1e-4)
        assert row.p_value == pytest.approx(theirs.lrt_pvalues_[j], rel=1e-3, abs=1e-8)
    assert bool(ours.reason) == (data == "separated")


def test_firth_converges_where_fisher_scoring_overshoots_for_ever():
    """Eleven patients alike and one apart: the closed form for a 2 x 2 table is to add 1/2 to every cell."""
    table = pd.DataFrame({"x": [0.0] * 11 + [1.0], "event": [0] * 6 + [1] * 6})
    fit = firth_regression(build_design(table, (Linear("x"),)), table["event"])
    by_hand = math.log((1.5 / 0.5) / (5.5 / 6.5))
    assert fit.coefficients[0].estimate == pytest.approx(by_hand, rel=1e-8)


def test_the_selection_rule_is_applied_and_stated(cohort):
    rule = SelectionRule(enter_below=0.05, a_priori=("noise",), stay_below=0.05)
    result = select_model(
        cohort, cohort["loosening"], (Linear("age"), Linear("hu_ratio"), Linear("noise"), GRADE), rule
    )
    assert result.entered == ("age", "hu_ratio", "noise")
    assert result.final_terms == ("age", "hu_ratio")
    assert (
        result.rule
        == "enter by univariable P < 0.05 or a priori: noise; those with P < 0.05 there stay (joint Wald P per term)"
    )
    assert [row.enters for row in result.univariable] == [True, True, True, False]


def test_selection_on_arrays_is_that_on_the_table(cohort):
    terms = (Linear("age"), Linear("hu_ratio"), Linear("noise"), GRADE)
    rule = SelectionRule(enter_below=0.05, a_priori=("noise",), stay_below=0.05)
    design = build_design(cohort, terms)
    columns = select_columns(
        design.matrix[np.newaxis],
        cohort["loosening"].to_numpy(dtype=float),
        design.term_of_column,
        [term.name for term in terms],
        rule,
    )
    assert [design.columns[column] for column in columns] == ["age", "hu_ratio"]


def test_a_rule_that_leaves_nothing_says_so(cohort):
    result = select_model(cohort, cohort["loosening"], (Linear("noise"),), SelectionRule(enter_below=0.0001))
    assert result.multivariable is None
    assert "No term enters" in result.reason
    forced = SelectionRule(enter_below=None, a_priori=("noise",), stay_below=0.0001)
    assert "No term stays" in select_model(cohort, cohort["loosening"], (Linear("noise"),), forced).reason
    kept = SelectionRule(enter_below=None, stay_below=0.0001, always_kept=("noise",))
    assert select_model(cohort, cohort["loosening"], (Linear("noise"),), kept).final_terms == ("noise",)


def test_a_candidate_that_cannot_be_fitted_keeps_its_reason(cohort):
    table = cohort.assign(flat=1.0)
    result = select_model(table, table["loosening"], (Linear("flat"), Linear("age")), SelectionRule())
    assert result.univariable[0].reason
    assert not result.univariable[0].enters
    with pytest.raises(StatisticsError, match="no candidates"):
        select_model(cohort, cohort["loosening"], (Linear("age"),), SelectionRule(a_priori=("pbq",)))


def test_collinearity_of_a_constant_or_dependent_predictor_is_refused(cohort):
    with pytest.raises(StatisticsError, match="Constant: flat"):
        collinearity(build_design(cohort.assign(flat=1.0), (Linear("age"), Linear("flat"))))
    with pytest.raises(StatisticsError, match="follows from"):
        collinearity(build_design(cohort.assign(twice=2 * cohort["age"]), (Linear("age"), Linear("twice"))))
    with pytest.raises(StatisticsError, match="too few"):
        collinearity(build_design(cohort[:3], (Linear("age"), Linear("noise"))))


def test_tolerance_is_the_unexplained_share_of_a_predictor(cohort):
    table = cohort.assign(mixed=cohort["age"] + cohort["noise"])
    result = collinearity(build_design(table, (Linear("age"), Linear("mixed"))))
    r = np.corrcoef(table["age"], table["mixed"])[0, 1]
    assert result.columns[0].tolerance == pytest.approx(1 - r**2, rel=1e-10)
    assert result.variance_proportions.sum(axis=0) == pytest.approx(np.ones(3))
    assert collinearity(build_design(table, (Linear("age"),))).terms[0].gvif == 1.0


def test_copies_of_every_patient_do_not_shrink_clustered_errors(cohort):
    """Each patient five times: naive errors shrink by sqrt(5), clustered ones stay."""
    design = build_design(cohort, (Linear("age"),))
    once = clustered_logistic_regression(design, cohort["loosening"], np.arange(250))
    copies = pd.concat([cohort] * 5, ignore_index=True)
    five = clustered_logistic_regression(
        build_design(copies, (Linear("age"),)), copies["loosening"], np.tile(np.arange(250), 5)
    )
    assert five.coefficients[0].standard_error == pytest.approx(once.coefficients[0].standard_error, rel=1e-8)
    assert five.reason


def test_clusters_that_are_missing_or_alone_are_refused(cohort):
    design = build_design(cohort, (Linear("age"),))
    with pytest.raises(StatisticsError, match="no cluster"):
        clustered_linear_regression(design, cohort["hu_ratio"], [None] * 250)
    with pytest.raises(StatisticsError, match="two clusters"):
        clustered_linear_regression(design, cohort["hu_ratio"], np.zeros(250))
    with pytest.raises(StatisticsError, match="cluster labels"):
        clustered_linear_regression(design, cohort["hu_ratio"], np.zeros(3))


def test_patients_who_are_no_more_alike_than_chance_have_no_variance_between_them(cohort):
    """Alternating residuals within every cluster: the best between-variance is 0, and the model says so."""
    y = np.tile([1.0, -1.0], 125)
    design = build_design(cohort, (Linear("noise"),))
    result = random_intercept_model(design, y, np.repeat(np.arange(125), 2))
    assert result.between_sd == 0.0
    assert "no more alike" in result.reason
    with pytest.raises(StatisticsError, match="two rows"):
        random_intercept_model(design, y, np.arange(250))


def test_events_that_cluster_by_chance_only_leave_the_plain_logistic_model(cohort):
    """Every cluster gets its share of events: the spread ends at 0, the fit is ordinary logistic regression."""
    design = build_design(cohort, (Linear("age"), Linear("hu_ratio")))
    plain = logistic_regression(design, cohort["loosening"])
    clusters = cohort.groupby("loosening").cumcount() % 25
    mixed = random_intercept_logistic(design, cohort["loosening"], clusters)
    assert mixed.between_sd == 0.0
    assert "no more alike" in mixed.reason
    assert mixed.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-9)
    for ours, other in zip(mixed.coefficients, plain.coefficients, strict=True):
        # The optimiser stops at a gradient of 1e-6, the curvature comes from differences of 1e-3.
        assert (ours.estimate, ours.standard_error) == pytest.approx((other.estimate, other.standard_error), rel=1e-4)


def test_patients_who_are_all_or_none_have_no_finite_spread(cohort):
    whole = np.repeat(np.random.default_rng(4).random(50) < 0.4, 5).astype(float)
    with pytest.raises(StatisticsError, match=r"all events or none|flat"):
        random_intercept_logistic(build_design(cohort, (Linear("noise"),)), whole, np.repeat(np.arange(50), 5))


def test_a_mixed_logistic_model_needs_clusters(cohort):
    design = build_design(cohort, (Linear("age"),))
    with pytest.raises(StatisticsError, match="two rows"):
        random_intercept_logistic(design, cohort["loosening"], np.arange(250))
    with pytest.raises(StatisticsError, match="no cluster"):
        random_intercept_logistic(design, cohort["loosening"], [None] * 250)
    with pytest.raises(StatisticsError, match="cluster labels"):
        random_intercept_logistic(design, cohort["loosening"], [1, 2])
