"""Decision curves, nomogram, partial AUC, and the model that another site can apply."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from spongiosa.statistics.decision import clinical_impact, decision_curve, net_benefit
from spongiosa.statistics.logistic import logistic_regression
from spongiosa.statistics.nomogram import build_nomogram, pretty
from spongiosa.statistics.partial_auc import partial_auc
from spongiosa.statistics.prediction_model import (
    PredictionModel,
    from_json,
    model_from_fit,
    to_json,
    validate_externally,
)
from spongiosa.statistics.roc import auc
from spongiosa.statistics.samples import StatisticsError
from spongiosa.statistics.terms import Category, Linear, RestrictedCubicSpline, build_design

GRADE = Category("goutallier", ("1", "2", "3", "4"), "4")
TERMS = (Linear("age"), Linear("hu_ratio"), GRADE)

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
