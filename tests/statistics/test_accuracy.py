"""Confusion counts, indices, kappa and threshold tables."""

import math

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from spongiosa.statistics.accuracy import (
    Confusion,
    accuracy_indices,
    classify,
    confusion,
    predictive_values_at,
    threshold_frame,
    threshold_table,
)
from spongiosa.statistics.kappa import cohen_kappa
from spongiosa.statistics.proportions import proportion
from spongiosa.statistics.samples import StatisticsError


@pytest.mark.parametrize(("count", "total"), [(0, 7), (7, 7), (1, 3), (36, 60), (250, 268)])
def test_wilson_interval_agrees_with_statsmodels(count, total):
    """1e-12 absolute: the same closed form."""
    ours = proportion(count, total)
    assert (ours.ci_low, ours.ci_high) == pytest.approx(proportion_confint(count, total, method="wilson"), abs=1e-12)


def test_a_share_of_nobody_has_a_reason_and_an_impossible_one_is_refused():
    assert "no events" in proportion(0, 0, of="events").reason
    with pytest.raises(StatisticsError, match="no proportion"):
        proportion(3, 2)
    with pytest.raises(StatisticsError, match="confidence"):
        proportion(1, 2, confidence=1.0)


@pytest.mark.parametrize(
    ("operator", "positives"), [("<=", [1, 1, 0]), ("<", [1, 0, 0]), (">=", [0, 1, 1]), (">", [0, 0, 1])]
)
def test_the_operator_decides_about_the_patient_at_the_cut(operator, positives):
    assert classify([99.0, 100.0, 101.0], 100.0, operator).astype(int).tolist() == positives


def test_a_missing_marker_is_never_negative():
    with pytest.raises(StatisticsError, match="neither"):
        classify([1.0, np.nan], 1.0, "<=")
    with pytest.raises(StatisticsError, match="operator"):
        classify([1.0], 1.0, "==")


def test_confusion_counts_complete_pairs_only():
    assert confusion([1, 1, 0, 0, 1, None], [1, 0, 1, 0, None, 1]) == Confusion(1, 1, 1, 1)


def test_an_event_that_is_neither_0_nor_1_is_refused():
    with pytest.raises(StatisticsError, match="0 and 1"):
        confusion([1, 0], [1, 2])


def test_indices_of_a_table_by_hand():
    """36/60, 94/120, 36/62, 94/118 and their ratios, computed on paper; 1e-12 is rounding."""
    indices = accuracy_indices(Confusion(36, 26, 94, 24))
    assert indices.sensitivity.estimate == 0.6
    assert indices.specificity.estimate == pytest.approx(94 / 120)
    assert indices.positive_likelihood_ratio.estimate == pytest.approx(0.6 / (26 / 120))
    assert indices.negative_likelihood_ratio.estimate == pytest.approx(0.4 / (94 / 120))
    assert indices.diagnostic_odds_ratio.estimate == pytest.approx(36 * 94 / (26 * 24))
    assert indices.youden == pytest.approx(0.6 + 94 / 120 - 1)


@pytest.mark.parametrize(
    "counts", [Confusion(0, 0, 5, 5), Confusion(5, 0, 5, 0), Confusion(3, 4, 0, 0), Confusion(0, 3, 4, 0)]
)
def test_whatever_is_undefined_in_a_table_with_empty_cells_has_a_reason(counts):
    indices = accuracy_indices(counts)
    for name, value in vars(indices).items():
        numbers = (
            [number for number in vars(value).values() if isinstance(number, float)] if hasattr(value, "reason") else []
        )
        if any(not math.isfinite(number) for number in numbers):
            assert value.reason, name


def test_an_empty_table_is_refused():
    with pytest.raises(StatisticsError, match="empty"):
        accuracy_indices(Confusion(0, 0, 0, 0))
    with pytest.raises(StatisticsError, match="with and without"):
        predictive_values_at(Confusion(1, 0, 0, 0), 0.2)


def test_predictive_values_at_the_own_prevalence_are_the_observed_ones():
    counts = Confusion(36, 26, 94, 24)
    carried = predictive_values_at(counts, 60 / 180)
    assert (carried.positive.estimate, carried.negative.estimate) == pytest.approx((36 / 62, 94 / 118))
    assert carried.positive.ci_low < 36 / 62 < carried.positive.ci_high
    assert predictive_values_at(counts, 0.05).positive.estimate < carried.positive.estimate
    with pytest.raises(StatisticsError, match="prevalence"):
        predictive_values_at(counts, 0.0)


def test_the_threshold_table_has_a_row_per_threshold_and_rises_in_sensitivity():
    rng = np.random.default_rng(5)
    hu, osteoporosis = rng.normal(110, 35, 80), rng.random(80) < 0.4
    hu[0] = np.nan
    frame = threshold_frame(threshold_table(hu, osteoporosis, [90, 100, 110], operator="<="))
    assert frame["rule"].tolist() == ["<= 90", "<= 100", "<= 110"]
    assert frame["sensitivity"].is_monotonic_increasing
    assert (frame["n"] == 79).all()
    counted = int((osteoporosis[1:] & (hu[1:] <= 100)).sum())
    assert frame.loc[1, "true_positive"] == counted


@pytest.mark.parametrize(
    ("weights", "theirs"), [("unweighted", None), ("linear", "linear"), ("quadratic", "quadratic")]
)
def test_kappa_and_its_interval_agree_with_statsmodels(weights, theirs):
    """1e-10 relative: the same Fleiss-Cohen-Everitt formulas."""
    table = np.array([[20, 5, 1], [3, 15, 6], [2, 4, 12]])
    other = cohens_kappa(table, wt=theirs)
    ours = cohen_kappa(table, weights=weights)
    assert (ours.estimate, ours.ci_low, ours.ci_high, ours.null_standard_error) == pytest.approx(
        (other.kappa, other.kappa_low, other.kappa_upp, other.std_kappa0), rel=1e-10
    )


def test_kappa_of_one_category_is_undefined_with_a_reason():
    assert "one category" in cohen_kappa([[9, 0], [0, 0]]).reason
    assert "single category" in cohen_kappa([[9, 4], [0, 0]]).reason
    assert "perfect" in cohen_kappa([[9, 0], [0, 4]]).reason
    with pytest.raises(StatisticsError, match="square"):
        cohen_kappa([[1, 2, 3], [3, 2, 1]])
