"""Calibration, development and internal validation of a prediction model."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from spongiosa.statistics.calibration import calibration, hosmer_lemeshow
from spongiosa.statistics.calibration_curve import default_grid, smooth_calibration
from spongiosa.statistics.development import Procedure, develop_model, events_per_parameter
from spongiosa.statistics.imputation import ImputationSettings
from spongiosa.statistics.logistic import logistic_regression
from spongiosa.statistics.prediction_model import (
    model_from_development,
    validate_externally,
)
from spongiosa.statistics.samples import StatisticsError
from spongiosa.statistics.selection import SelectionRule
from spongiosa.statistics.terms import Category, Linear, build_design
from spongiosa.statistics.validation import validate_internally

GRADE = Category("goutallier", ("1", "2", "3", "4"), "4")
TERMS = (Linear("age"), Linear("hu_ratio"), GRADE)

# ------------------------------------------------------------------------------------------------ calibration


def test_a_fitted_model_is_calibrated_on_its_own_data(cohort, model):
    """Intercept 0 and slope 1 are the score equations of maximum likelihood; 1e-8 is Newton's precision."""
    result = calibration(model.probability(cohort), cohort["loosening"])
    assert result.in_the_large.estimate == pytest.approx(0, abs=1e-8)
    assert result.joint_intercept.estimate == pytest.approx(0, abs=1e-8)
    assert result.slope.estimate == pytest.approx(1, abs=1e-8)


def test_true_risks_are_calibrated_and_risks_half_as_extreme_have_slope_2(elsewhere):
    """Four standard errors of the slope (about 0.08) for the first; exact for the second: the slope scales."""
    truth = calibration(elsewhere["risk"], elsewhere["loosening"])
    shrunk = expit(np.log(elsewhere["risk"] / (1 - elsewhere["risk"])) / 2)
    halved = calibration(shrunk, elsewhere["loosening"])
    assert truth.slope.estimate == pytest.approx(1, abs=4 * truth.slope.standard_error)
    assert halved.slope.estimate == pytest.approx(2 * truth.slope.estimate, rel=1e-8)
    assert halved.brier > truth.brier


def test_calibration_of_constant_or_separating_predictions_is_refused():
    with pytest.raises(StatisticsError, match="equal"):
        calibration([0.3] * 6, [0, 1, 0, 1, 0, 0])
    with pytest.raises(StatisticsError, match="infinite"):
        calibration([0.1, 0.2, 0.3, 0.7, 0.8, 0.9], [0, 0, 0, 1, 1, 1])
    with pytest.raises(StatisticsError, match="strictly"):
        calibration([0.0, 0.2, 0.3], [0, 1, 0])


def test_hosmer_lemeshow_blocks_are_filled_as_sas_documents():
    """n = 313: the target is int(31.3 + 0.5) = 31, so nine groups of 31 and a last one of 34 (3 are no group)."""
    rng = np.random.default_rng(3)
    chance = rng.uniform(0.05, 0.6, 313)
    groups = hosmer_lemeshow(chance, rng.random(313) < chance).groups
    assert [group.n for group in groups] == [31] * 9 + [34]


def test_hosmer_lemeshow_keeps_patients_of_equal_risk_together():
    """Blocks of 7 tied patients, target 5 of 50: a block is never cut, so every group holds whole blocks."""
    chance = np.repeat(np.linspace(0.1, 0.8, 10), 7)[:50]
    event = np.random.default_rng(1).random(50) < chance
    groups = hosmer_lemeshow(chance, event).groups
    assert all(group.n % 7 == 0 or group.n == 1 or group.highest == chance.max() for group in groups)
    assert sum(group.n for group in groups) == 50


def test_hosmer_lemeshow_by_hand():
    """Three groups of two risks each, n 4: O = 1, 2, 3, E = .8, 2, 3.2 -> sum (O - E)^2 / (E (1 - E / n))."""
    chance = np.repeat([0.2, 0.5, 0.8], 4)
    event = [1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0]
    result = hosmer_lemeshow(chance, event, groups=3)
    assert result.statistic == pytest.approx(2 * 0.2**2 / (0.8 * 0.8))
    assert (result.df, hosmer_lemeshow(chance, event, groups=3, fitted_on_these_patients=False).df) == (1, 3)


def test_hosmer_lemeshow_of_two_risks_is_refused():
    with pytest.raises(StatisticsError, match="at least 3"):
        hosmer_lemeshow([0.2] * 5 + [0.6] * 5, [0, 1] * 5)
    with pytest.raises(StatisticsError, match="at least 3 groups"):
        hosmer_lemeshow([0.2, 0.3, 0.4], [0, 1, 1], groups=2)
    with pytest.raises(StatisticsError, match="grouping"):
        hosmer_lemeshow([0.2, 0.3, 0.4], [0, 1, 1], grouping="deciles")


def test_the_calibration_curve_of_true_risks_lies_near_the_diagonal(elsewhere):
    """2,000 patients: lowess of span 2/3 strays by less than 0.06 from the diagonal where most patients are."""
    chance = elsewhere["risk"].to_numpy()
    grid = np.linspace(0.05, 0.5, 10)
    curve = smooth_calibration(chance, elsewhere["loosening"].to_numpy() == 1, grid)
    assert np.abs(curve - grid).max() < 0.06
    with pytest.raises(StatisticsError, match="at least 11"):
        default_grid(np.array([0.1, 0.2]))


# ------------------------------------------------------------------------------------------------ validation


def test_optimism_correction_foretells_the_performance_elsewhere(cohort, elsewhere):
    """Ten noise predictors on 300 patients: the apparent AUC is too high, the corrected one near the AUC in 2,000
    other patients (standard error of the corrected AUC from 300 patients: 0.03; 0.07 is a bit over two)."""
    rng = np.random.default_rng(5)
    names = [f"noise_{i}" for i in range(10)]
    noisy = cohort.assign(**{name: rng.normal(0, 1, 300) for name in names})
    fresh = elsewhere.assign(**{name: rng.normal(0, 1, 2000) for name in names})
    terms = (Linear("age"), Linear("hu_ratio"), *(Linear(name) for name in names))
    result = validate_internally(noisy, noisy["loosening"], Procedure(terms), seed=1, resamples=120)
    developed = develop_model(noisy, noisy["loosening"], Procedure(terms), seed=1)
    applied = model_from_development(developed, terms, noisy, outcome="loosening")
    truth = validate_externally(applied, fresh, fresh["loosening"])
    assert result.auc.optimism > 0.02
    assert result.auc.corrected == pytest.approx(truth.auc.estimate, abs=0.07)
    assert result.slope.corrected < 0.92
    assert result.brier.corrected > result.brier.apparent


def test_selection_inside_the_bootstrap_is_counted(cohort):
    procedure = Procedure(
        (Linear("age"), Linear("hu_ratio"), Linear("noise")), rule=SelectionRule(enter_below=0.05, stay_below=0.05)
    )
    result = validate_internally(cohort, cohort["loosening"], procedure, seed=2, resamples=60)
    frequency = dict(result.selection_frequency)
    assert frequency["hu_ratio"] > 0.9
    assert 0 < frequency["noise"] < frequency["hu_ratio"]


@pytest.mark.filterwarnings("error")
def test_resamples_in_which_no_term_is_selected_count_as_a_model_without_predictors():
    """A weak predictor is lost in some resamples: their slope is 0 and their curve a single point."""
    rng = np.random.default_rng(1)
    weak = rng.normal(0, 1, 120)
    table = pd.DataFrame({"weak": weak, "y": (rng.random(120) < expit(-0.5 + 0.7 * weak)).astype(int)})
    procedure = Procedure((Linear("weak"),), rule=SelectionRule(enter_below=0.05))
    result = validate_internally(table, table["y"], procedure, seed=1, resamples=60)
    assert 0.3 < dict(result.selection_frequency)["weak"] < 1
    assert result.used == 60
    assert np.isfinite(result.curve.mean_absolute_error)


def test_imputation_inside_the_bootstrap_uses_every_patient_and_reports_progress(cohort):
    gappy = cohort.copy()
    gappy.loc[::6, "hu_ratio"] = np.nan
    calls = []
    procedure = Procedure(TERMS, imputation=ImputationSettings(imputations=2, iterations=2))
    result = validate_internally(
        gappy, gappy["loosening"], procedure, seed=3, resamples=20, progress=lambda done, of: calls.append((done, of))
    )
    assert result.n == 300
    assert calls == [(done, 20) for done in range(1, 21)]
    assert 0.6 < result.auc.corrected < result.auc.apparent
    assert validate_internally(gappy, gappy["loosening"], Procedure(TERMS), seed=3, resamples=20).n == 250


def test_the_same_seed_gives_the_same_validation(cohort):
    once, again = (
        validate_internally(cohort, cohort["loosening"], Procedure(TERMS), seed=4, resamples=20) for _ in range(2)
    )
    assert once.auc == again.auc
    assert (once.curve.corrected == again.curve.corrected).all()


def test_a_level_absent_from_resamples_is_counted_and_not_fatal(cohort):
    """Two patients of grade 3: the chance that a resample has neither is 13 %."""
    table = cohort.copy()
    table.loc[table["goutallier"] == 3, "goutallier"] = 2
    table.loc[[0, 1], "goutallier"] = 3
    table.loc[[0, 1], "loosening"] = [0, 1]
    result = validate_internally(table, table["loosening"], Procedure((GRADE, Linear("age"))), seed=5, resamples=60)
    assert dict(result.failures)["a level or a spread is absent"] > 0
    assert result.used + sum(count for _, count in result.failures) == 60
    assert "left out" in result.reason
    # A resample that holds only one of the two is separated by the level, and penalised.
    assert result.penalised > 0


def test_a_procedure_that_mostly_fails_is_refused():
    """Four levels of one patient each: a resample holds all four with a chance of 16 %."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"x": rng.normal(0, 1, 40), "g": ["a"] * 36 + ["b", "c", "d", "e"], "event": rng.integers(0, 2, 40)}
    )
    procedure = Procedure((Linear("x"), Category("g", ("a", "b", "c", "d", "e"), "a")))
    with pytest.raises(StatisticsError, match=r"of 40 resamples failed: a level or a spread is absent \("):
        validate_internally(table, table["event"], procedure, seed=1, resamples=40)
    with pytest.raises(StatisticsError, match="at least 2 resamples"):
        validate_internally(table, table["event"], procedure, seed=1, resamples=1)


def test_two_predicted_risks_make_no_calibration_curve():
    table = pd.DataFrame({"x": [0.0] * 11 + [1.0], "event": [0] * 6 + [1] * 6})
    with pytest.raises(StatisticsError, match="different predicted risks"):
        validate_internally(table, table["event"], Procedure((Linear("x"),)), seed=1, resamples=20)


def test_development_on_one_class_is_refused(cohort):
    with pytest.raises(StatisticsError, match="Both classes"):
        develop_model(cohort, np.zeros(300), Procedure(TERMS), seed=1)
    with pytest.raises(StatisticsError, match="300 rows"):
        develop_model(cohort, np.zeros(3), Procedure(TERMS), seed=1)


def test_development_without_gaps_is_plain_logistic_regression(cohort):
    developed = develop_model(cohort, cohort["loosening"], Procedure(TERMS), seed=1)
    fit = logistic_regression(build_design(cohort, TERMS), cohort["loosening"])
    assert developed.estimates == pytest.approx(fit.beta, rel=1e-10)
    assert developed.pooled == ()


def test_events_per_parameter_of_the_seed_study():
    assert events_per_parameter(45, 313, 6) == 7.5
    with pytest.raises(StatisticsError, match="at least one parameter"):
        events_per_parameter(45, 313, 0)
