"""ROC curves, AUC and cut-offs."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from spongiosa.statistics.cutoff import bootstrap_roc, youden
from spongiosa.statistics.roc import (
    auc,
    auc_delong,
    auc_spss,
    compare_delong,
    markers_side_by_side,
    roc_curve,
)
from spongiosa.statistics.samples import StatisticsError


@pytest.fixture
def hu_and_osteoporosis():
    """120 patients whose HU are whole numbers, so that there are ties across the classes."""
    rng = np.random.default_rng(2)
    event = rng.random(120) < 0.35
    return np.where(event, rng.normal(90, 25, 120), rng.normal(115, 30, 120)).round(), event


def test_auc_agrees_with_sklearn_for_a_low_marker(hu_and_osteoporosis):
    hu, event = hu_and_osteoporosis
    assert auc(hu, event, direction="low") == pytest.approx(roc_auc_score(event, -hu), rel=1e-12)


def test_a_marker_in_the_wrong_direction_stays_below_one_half(hu_and_osteoporosis):
    hu, event = hu_and_osteoporosis
    right = auc_delong(hu, event, direction="low")
    wrong = auc_delong(hu, event, direction="high")
    assert wrong.estimate == pytest.approx(1 - right.estimate, rel=1e-12)
    assert wrong.estimate < 0.5
    assert wrong.standard_error == pytest.approx(right.standard_error, rel=1e-12)


def test_delong_variance_equals_the_sum_over_all_pairs(hu_and_osteoporosis):
    """The definition with its n1 x n0 matrix, written out; 1e-10 relative is rounding."""
    hu, event = hu_and_osteoporosis
    wins = (hu[event][:, None] < hu[~event]) + 0.5 * (hu[event][:, None] == hu[~event])
    n1, n0 = wins.shape
    expected = math.sqrt(wins.mean(axis=1).var(ddof=1) / n1 + wins.mean(axis=0).var(ddof=1) / n0)
    assert auc_delong(hu, event, direction="low").standard_error == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("function", [auc_delong, auc_spss])
def test_p_of_an_auc_uses_the_standard_error_under_no_discrimination(hu_and_osteoporosis, function):
    hu, event = hu_and_osteoporosis
    result = function(hu, event, direction="low")
    n1, n0 = int(event.sum()), int((~event).sum())
    z = (result.estimate - 0.5) / math.sqrt((n1 + n0 + 1) / (12 * n1 * n0))
    assert result.p_value == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), rel=1e-9)
    assert (result.n, result.events) == (120, n1)


def test_spss_standard_error_is_close_to_delong_and_not_the_same(hu_and_osteoporosis):
    """The seed studies cannot be told apart below 0.0005; here they differ by more than rounding."""
    hu, event = hu_and_osteoporosis
    difference = (
        auc_spss(hu, event, direction="low").standard_error - auc_delong(hu, event, direction="low").standard_error
    )
    assert 1e-9 < abs(difference) < 5e-4


def test_spss_q1_and_q2_equal_their_count_over_triples():
    """Ties among g + e patients count g^2 + g e + e^2 / 3: the chance that two random ones are both above, counting a
    three-way tie as 1/3 and a two-way tie as 1/2, enumerated here over all triples (with repetition)."""
    event_values, other_values = np.array([3.0, 2.0, 2.0, 1.0]), np.array([2.0, 1.0, 1.0])
    marker = np.concatenate([event_values, other_values])
    event = np.array([True] * 4 + [False] * 3)

    def chance(first, second, third):
        ties = sum(value == third for value in (first, second))
        if min(first, second) < third:
            return 0.0
        return {0: 1.0, 1: 0.5, 2: 1 / 3}[ties]

    q1 = np.mean([chance(a, b, c) for a in event_values for b in event_values for c in other_values])
    q2 = np.mean([chance(-a, -b, -c) for a in other_values for b in other_values for c in event_values])
    area = auc(marker, event, direction="high")
    variance = (area * (1 - area) + 3 * (q1 - area**2) + 2 * (q2 - area**2)) / 12
    assert auc_spss(marker, event, direction="high").standard_error == pytest.approx(math.sqrt(variance), rel=1e-12)


def test_area_under_the_curve_points_is_the_auc(hu_and_osteoporosis):
    hu, event = hu_and_osteoporosis
    curve = roc_curve(hu, event, direction="low")
    area = np.trapezoid(curve.sensitivity, 1 - curve.specificity)
    assert area == pytest.approx(auc(hu, event, direction="low"), rel=1e-12)
    assert (curve.sensitivity[0], curve.specificity[-1]) == (0.0, 0.0)


def test_one_class_only_is_refused_by_name():
    with pytest.raises(StatisticsError, match="all events"):
        auc([1.0, 2.0, 3.0], [1, 1, 1], direction="low")
    with pytest.raises(StatisticsError, match="without the event"):
        auc([1.0, 2.0, np.nan], [0, 0, 1], direction="low")
    with pytest.raises(StatisticsError, match="direction"):
        auc([1.0, 2.0], [0, 1], direction="auto")


def test_perfect_and_tied_markers_say_that_their_interval_is_empty():
    event = [0, 0, 0, 1, 1, 1]
    perfect = auc_delong([1.0, 2, 3, 4, 5, 6], event, direction="high")
    tied = auc_delong([1.0] * 6, event, direction="high")
    assert (perfect.estimate, tied.estimate) == (1.0, 0.5)
    assert "no width" in perfect.reason
    assert "no width" in tied.reason


def test_one_patient_in_a_class_has_no_delong_variance():
    with pytest.raises(StatisticsError, match="two patients per class"):
        auc_delong([1.0, 2.0, 3.0], [0, 0, 1], direction="high")


def test_paired_test_of_a_marker_with_its_own_copy_has_no_standard_error(hu_and_osteoporosis):
    hu, event = hu_and_osteoporosis
    result = compare_delong(hu, 2 * hu + 1, event, direction_first="low", direction_second="low")
    assert result.estimate == 0.0
    assert math.isnan(result.p_value)
    assert "do not vary" in result.reason


def test_every_pair_of_markers_is_compared_on_the_patients_who_have_both(hu_and_osteoporosis):
    hu, event = hu_and_osteoporosis
    noise = np.random.default_rng(3).normal(0, 40, 120)
    age = np.where(np.arange(120) < 5, np.nan, 70 + noise)
    pairs = markers_side_by_side(
        {"hu": hu, "age": age, "coarse": (hu / 20).round()},
        event,
        directions={"hu": "low", "age": "high", "coarse": "low"},
    )
    assert [(one, other, result.n) for one, other, result in pairs] == [
        ("hu", "age", 115),
        ("hu", "coarse", 120),
        ("age", "coarse", 115),
    ]


def test_youden_names_every_tie_with_midpoint_and_observed_value():
    """Low HU = event.  60 and 70 are events, 80 not, 90 event, 100 and 110 not: cutting after 70 and after 90 both
    give J = 2/3."""
    result = youden([60, 70, 80, 90, 100, 110], [1, 1, 0, 1, 0, 0], direction="low")
    assert result.youden == pytest.approx(2 / 3)
    assert [(tie.midpoint, tie.observed) for tie in result.ties] == [(95.0, 90.0), (75.0, 70.0)]
    assert result.best.rule == "<= 90"
    assert (result.best.sensitivity, result.best.specificity) == (1.0, pytest.approx(2 / 3))
    assert (result.best.true_positive, result.best.false_positive) == (3, 1)


def test_youden_of_a_high_marker_cuts_from_the_observed_value_upwards():
    result = youden([1, 2, 3, 4], [0, 0, 1, 1], direction="high")
    assert (result.best.midpoint, result.best.observed, result.best.rule) == (2.5, 3.0, ">= 3")


def test_youden_of_a_useless_marker_is_refused():
    with pytest.raises(StatisticsError, match="better than chance"):
        youden([1, 1, 1, 1], [0, 1, 0, 1], direction="low")


def test_bootstrap_of_the_auc_agrees_with_delong_and_with_itself(hu_and_osteoporosis):
    """Percentile and Wald limits of an AUC near 0.75 with 120 patients differ by a few thousandths; the standard
    error over 2,000 draws has a relative Monte-Carlo error of 1/sqrt(4000) = 1.6 %, and 8 % is five of them."""
    hu, event = hu_and_osteoporosis
    once = bootstrap_roc(hu, event, direction="low", seed=1)
    again = bootstrap_roc(hu, event, direction="low", seed=1)
    delong = auc_delong(hu, event, direction="low")
    assert once == again
    assert once.auc.estimate == pytest.approx(delong.estimate, rel=1e-12)
    assert once.auc.standard_error == pytest.approx(delong.standard_error, rel=0.08)
    assert once.auc.ci_low == pytest.approx(delong.ci_low, abs=0.02)
    assert once.cut_off.ci_low <= once.cut_off.estimate <= once.cut_off.ci_high


def test_resamples_without_a_cut_off_are_counted():
    """A marker that points the wrong way: most resamples have no cut-off better than chance."""
    result = bootstrap_roc([4.0, 3, 2, 1], [0, 0, 1, 1], direction="high", seed=1, draws=50)
    assert result.cut_off.skipped == 50
    assert "better than chance" in result.cut_off.reason
