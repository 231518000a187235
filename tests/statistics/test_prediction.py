"""Calibration, validation, decision curves, nomogram, and the model that another site can apply."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from spongiosa.statistics.calibration import calibration, hosmer_lemeshow
from spongiosa.statistics.calibration_curve import default_grid, smooth_calibration
from spongiosa.statistics.decision import clinical_impact, decision_curve, net_benefit
from spongiosa.statistics.development import Procedure, develop_model, events_per_parameter
from spongiosa.statistics.imputation import ImputationSettings
from spongiosa.statistics.logistic import logistic_regression
from spongiosa.statistics.nomogram import build_nomogram, pretty
from spongiosa.statistics.partial_auc import partial_auc
from spongiosa.statistics.prediction_model import (
    PredictionModel,
    from_json,
    model_from_development,
    model_from_fit,
    to_json,
    validate_externally,
)
from spongiosa.statistics.roc import auc
from spongiosa.statistics.samples import StatisticsError
from spongiosa.statistics.selection import SelectionRule
from spongiosa.statistics.terms import Category, Linear, RestrictedCubicSpline, build_design
from spongiosa.statistics.validation import validate_internally

GRADE = Category("goutallier", ("1", "2", "3", "4"), "4")
TERMS = (Linear("age"), Linear("hu_ratio"), GRADE)


def sample(n, seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": rng.normal(65, 9, n).round(),
            "hu_ratio": rng.normal(1.5, 0.4, n).round(2),
            "noise": rng.normal(0, 1, n),
            "goutallier": rng.choice([1, 2, 3, 4], n, p=[0.2, 0.5, 0.15, 0.15]),
        }
    )
    risk = expit(-1.7 + 0.06 * (table["age"] - 65) - 2 * (table["hu_ratio"] - 1.5) - 0.7 * (table["goutallier"] == 1))
    return table.assign(risk=risk, loosening=(rng.random(n) < risk).astype(int))


@pytest.fixture(scope="module")
def cohort():
    return sample(300, 41)


@pytest.fixture(scope="module")
def elsewhere():
    return sample(2000, 42)


@pytest.fixture(scope="module")
def model(cohort):
    fit = logistic_regression(build_design(cohort, TERMS), cohort["loosening"])
    return model_from_fit(fit, TERMS, cohort, outcome="loosening", cut_off=0.2)


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


# ------------------------------------------------------------------------------------------------ decision


def test_net_benefit_by_hand_and_by_definition():
    """Second oracle: counting. p >= .3 calls 3 of 6 positive, 2 of them events: 2/6 - 1/6 x 3/7."""
    chance, event = [0.1, 0.2, 0.3, 0.4, 0.9, 0.05], [0, 1, 0, 1, 1, 0]
    curve = decision_curve(chance, event, [0.3])
    assert curve.model[0] == pytest.approx(2 / 6 - 1 / 6 * 3 / 7)
    assert curve.treat_all[0] == pytest.approx(0.5 - 0.5 * 3 / 7)
    assert curve.model[0] == net_benefit(2, 1, 6, 0.3)


def test_treating_all_is_the_model_at_a_threshold_below_every_risk(cohort, model):
    chance = model.probability(cohort)
    curve = decision_curve(chance, cohort["loosening"], [chance.min() / 2])
    assert curve.model == pytest.approx(curve.treat_all)
    assert not curve.useful.any()


def test_interventions_avoided_are_the_gain_in_the_currency_of_false_positives(cohort, model):
    curve = decision_curve(model.probability(cohort), cohort["loosening"], [0.2])
    assert curve.interventions_avoided_per_100[0] == pytest.approx(100 * (curve.model - curve.treat_all)[0] * 0.8 / 0.2)


def test_clinical_impact_counts_per_thousand():
    impact = clinical_impact([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1], [0.2, 0.35])
    assert impact.high_risk.tolist() == [750, 250]
    assert impact.high_risk_with_event.tolist() == [500, 250]
    assert impact.cost_benefit[0] == pytest.approx(0.25)


def test_a_marker_that_is_no_probability_has_no_decision_curve():
    with pytest.raises(StatisticsError, match="between 0 and 1"):
        decision_curve([80.0, 120.0], [1, 0], [0.2])
    with pytest.raises(StatisticsError, match="threshold probability"):
        decision_curve([0.2, 0.4], [1, 0], [1.0])


# ------------------------------------------------------------------------------------------------ model and nomogram


def test_a_model_read_from_its_json_predicts_the_same(cohort, model):
    again = from_json(to_json(model))
    assert again == model
    assert (again.probability(cohort) == model.probability(cohort)).all()
    document = json.loads(to_json(model))
    assert document["terms"][2]["levels"] == ["1", "2", "3", "4"]
    assert document["link"] == "logit"


def test_a_spline_survives_the_journey(cohort):
    terms = (RestrictedCubicSpline("age", (50.0, 65.0, 80.0)), Linear("hu_ratio"))
    fit = logistic_regression(build_design(cohort, terms), cohort["loosening"])
    model = model_from_fit(fit, terms, cohort, outcome="loosening")
    assert from_json(to_json(model)).linear_predictor(cohort) == pytest.approx(fit.linear_predictor, rel=1e-12)


@pytest.mark.parametrize("text", ["", "[]", '{"format": "other", "format_version": 1}', '{"format": 3}'])
def test_a_file_that_is_no_model_is_refused_with_a_sentence(text):
    with pytest.raises(StatisticsError, match=r"not readable|Not a"):
        from_json(text)


def test_a_model_with_impossible_numbers_is_refused():
    with pytest.raises(StatisticsError, match="finite"):
        PredictionModel("x", 0.0, (Linear("a"),), ((math.inf,),))
    with pytest.raises(StatisticsError, match="its coefficients"):
        PredictionModel("x", 0.0, (Linear("a"),), ())
    with pytest.raises(StatisticsError, match="intercept"):
        PredictionModel("x", math.nan, (), ())
    with pytest.raises(StatisticsError, match="cut_off"):
        PredictionModel("x", 0.0, (), (), cut_off=2.0)


def test_external_validation_counts_who_lacks_a_predictor_or_is_beyond_the_limits(model, elsewhere):
    table = elsewhere.copy()
    table.loc[:19, "age"] = np.nan
    table.loc[20:24, "hu_ratio"] = 9.0
    result = validate_externally(model, table, table["loosening"])
    assert (result.missing, result.n) == (20, 1980)
    assert result.outside_limits["hu_ratio"] >= 5
    assert result.hosmer_lemeshow.df == 10
    expected = auc(model.probability(table), table["loosening"], direction="high")
    assert result.auc.estimate == pytest.approx(expected, rel=1e-12)


def test_points_add_up_to_the_risk_of_the_model(cohort, model):
    """For every patient the nomogram's risk is the model's; 1e-10 is rounding."""
    nomogram = build_nomogram(model)
    for _, patient in cohort.head(40).iterrows():
        score = nomogram.score(patient.to_dict())
        assert score.risk == pytest.approx(model.probability(pd.DataFrame([patient]))[0], rel=1e-10)
        assert score.total_points == pytest.approx(sum(score.points.values()))
        assert nomogram.risk_at(score.total_points) == pytest.approx(score.risk)


def test_the_widest_axis_has_100_points_and_ratio_descends(model):
    nomogram = build_nomogram(model)
    assert max(max(axis.points) for axis in nomogram.axes) == pytest.approx(100)
    assert min(min(axis.points) for axis in nomogram.axes) == pytest.approx(0, abs=1e-9)
    axes = {axis.term: axis for axis in nomogram.axes}
    assert axes["hu_ratio"].is_descending
    assert not axes["age"].is_descending
    assert axes["goutallier"].labels == ("1", "2", "3", "4")


def test_risk_rises_with_total_points_and_maps_back(model):
    nomogram = build_nomogram(model)
    risks = [nomogram.risk_at(total) for total in np.linspace(0, nomogram.largest_total, 20)]
    assert risks == sorted(risks)
    assert nomogram.total_points_at(nomogram.risk_at(77.0)) == pytest.approx(77.0)
    assert all(0 <= tick.total_points <= nomogram.largest_total for tick in nomogram.risk_ticks)


def test_the_seed_study_s_logits_differ_by_4_257_points_units(model):
    """logit(.95) - logit(.212) = 4.257: the cut-off lies 4.257 k points below the printed patient's total."""
    nomogram = build_nomogram(model)
    distance = nomogram.total_points_at(0.95) - nomogram.total_points_at(0.212)
    assert distance / nomogram.points_per_logit == pytest.approx(4.257, abs=5e-4)


def test_a_patient_beyond_an_axis_or_without_a_value_is_told(model):
    nomogram = build_nomogram(model)
    score = nomogram.score({"age": 140.0, "hu_ratio": 1.5, "goutallier": 3})
    assert score.is_extrapolated == ("age",)
    with pytest.raises(StatisticsError, match="lacks hu_ratio"):
        nomogram.score({"age": 70.0, "goutallier": 3})
    with pytest.raises(StatisticsError, match="lacks hu_ratio"):
        nomogram.score({"age": 70.0, "hu_ratio": np.nan, "goutallier": 3})


def test_a_nomogram_needs_limits_and_a_term_that_matters():
    flat = PredictionModel("x", 0.0, (Linear("a"),), ((0.0,),))
    with pytest.raises(StatisticsError, match="needs its limits"):
        build_nomogram(flat)
    with pytest.raises(StatisticsError, match="no nomogram"):
        build_nomogram(flat, limits={"a": (0.0, 1.0)})
    with pytest.raises(StatisticsError, match="must rise"):
        build_nomogram(flat, limits={"a": (1.0, 1.0)})


def test_pretty_marks_cover_the_range_in_round_steps():
    marks = pretty(51.3, 88.0, 8)
    assert marks.tolist() == [50, 55, 60, 65, 70, 75, 80, 85, 90]
    assert pretty(0.0, 0.3, 3).tolist() == [0.0, 0.1, 0.2, 0.3]


def test_partial_auc_over_the_whole_range_is_the_auc(cohort):
    whole = partial_auc(cohort["hu_ratio"], cohort["loosening"], direction="low", low=0.0, high=1.0, seed=1, draws=50)
    area = auc(cohort["hu_ratio"], cohort["loosening"], direction="low")
    assert (whole.estimate, whole.corrected) == pytest.approx((area, area), rel=1e-10)
    assert whole.ci_low < area < whole.ci_high


def test_partial_auc_below_chance_has_no_mcclish_correction(cohort):
    result = partial_auc(cohort["hu_ratio"], cohort["loosening"], direction="high", low=0.8, high=1.0, seed=1, draws=20)
    assert math.isnan(result.corrected)
    assert "below chance" in result.reason
    with pytest.raises(StatisticsError, match="range"):
        partial_auc([1.0, 2.0], [0, 1], direction="high", low=0.9, high=0.8, seed=1)
    with pytest.raises(StatisticsError, match="focus"):
        partial_auc([1.0, 2.0], [0, 1], direction="high", low=0.8, high=0.9, seed=1, focus="accuracy")
