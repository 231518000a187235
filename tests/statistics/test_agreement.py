"""Agreement of readers and methods, and precision of repeated measurement."""

import math
from fractions import Fraction
from itertools import combinations
from statistics import median

import numpy as np
import pytest
from scipy.optimize import minimize

from spongiosa.statistics.bland_altman import bland_altman
from spongiosa.statistics.icc import intraclass_correlations
from spongiosa.statistics.method_comparison import deming, passing_bablok
from spongiosa.statistics.repeatability import repeatability
from spongiosa.statistics.samples import StatisticsError

# Shrout and Fleiss, Psychol Bull 86 (1979) 420-428, table 2: six subjects, four judges.
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


def test_icc_of_the_published_worked_example():
    """Shrout and Fleiss print ICC(2,1) .29, ICC(3,1) .71, ICC(2,4) .62, ICC(3,4) .91."""
    table = intraclass_correlations(SHROUT_FLEISS)
    printed = {"a_1": 0.29, "c_1": 0.71, "a_k": 0.62, "c_k": 0.91}
    assert {name: round(getattr(table, name).estimate, 2) for name in printed} == printed


def test_the_forms_are_named_so_that_nobody_is_misled():
    table = intraclass_correlations(SHROUT_FLEISS)
    assert [form.form for form in (table.a_1, table.a_k, table.c_1, table.c_k)] == ["(A,1)", "(A,k)", "(C,1)", "(C,k)"]
    assert "mean of 4 ratings" in table.a_k.meaning


def test_a_reader_who_is_always_higher_disagrees_but_is_consistent():
    rng = np.random.default_rng(0)
    hu = rng.normal(110, 30, 30)
    table = intraclass_correlations(np.column_stack([hu, hu + 25 + rng.normal(0, 1, 30)]))
    assert table.c_1.estimate > 0.99
    assert table.a_1.estimate < 0.9


def test_subjects_with_a_missing_rating_are_left_out_and_counted():
    ratings = SHROUT_FLEISS.copy()
    ratings[0, 0] = np.nan
    assert (intraclass_correlations(ratings).n, intraclass_correlations(ratings).dropped) == (5, 1)


def test_icc_that_cannot_be_computed_says_why():
    with pytest.raises(StatisticsError, match="do not differ"):
        intraclass_correlations(np.tile([1.0, 1.0], (5, 1)))
    with pytest.raises(StatisticsError, match="at least two raters"):
        intraclass_correlations(np.ones((5, 1)))
    with pytest.raises(StatisticsError, match="at least 2"):
        intraclass_correlations([[1.0, np.nan], [2.0, 3.0]])
    perfect = intraclass_correlations(np.tile(np.arange(5.0)[:, None], (1, 2)))
    assert perfect.a_1.estimate == 1.0
    assert perfect.a_1.reason


def test_bland_altman_with_equal_differences_has_no_width_and_says_so():
    result = bland_altman(np.arange(5.0) + 0.1, np.arange(5.0))
    assert result.bias.estimate == pytest.approx(0.1)
    assert "no width" in result.reason
    with pytest.raises(StatisticsError, match="at least 3"):
        bland_altman([1.0, 2.0], [1.0, 2.0])


def test_bland_altman_finds_a_proportional_bias():
    rng = np.random.default_rng(3)
    truth = rng.uniform(50, 200, 60)
    result = bland_altman(1.2 * truth + rng.normal(0, 5, 60), truth + rng.normal(0, 5, 60))
    assert result.proportional_slope.p_value < 1e-6
    # Four standard errors: 7.1 / (48 sqrt(60)) = 0.019 each.
    assert result.proportional_slope.estimate == pytest.approx(0.2 / 1.1, abs=0.08)


def test_limits_of_agreement_have_the_interval_of_bland_and_altman():
    """SE = SD sqrt(1/n + 1.96^2 / (2 (n - 1))), written out for n = 30."""
    rng = np.random.default_rng(9)
    result = bland_altman(rng.normal(0, 2, 30), np.zeros(30))
    error = result.sd_of_differences * math.sqrt(1 / 30 + 1.959963984540054**2 / 58)
    assert result.upper_limit.ci_high - result.upper_limit.estimate == pytest.approx(2.045229642 * error, rel=1e-8)


@pytest.mark.parametrize("ratio", [1.0, 4.0, 0.25])
def test_deming_minimises_the_distances_weighted_by_the_error_variances(ratio):
    """Second oracle: sum (y - a - b x)^2 / (1 + b^2 r) minimised numerically (Nelder-Mead to 1e-10; 1e-5 covers it)."""
    rng = np.random.default_rng(2)
    truth = rng.uniform(20, 200, 40)
    x, y = truth + rng.normal(0, 6 * math.sqrt(ratio), 40), 5 + 1.1 * truth + rng.normal(0, 6, 40)

    def distances(line):
        return float(((y - line[0] - line[1] * x) ** 2).sum() / (1 + line[1] ** 2 * ratio))

    found = minimize(
        distances, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-10, "maxiter": 5000}
    )
    ours = deming(x, y, variance_ratio=ratio)
    assert (ours.intercept, ours.slope) == pytest.approx(tuple(found.x), rel=1e-5)
    assert ours.slope_ci_low < 1.1 < ours.slope_ci_high


def test_deming_turned_round_gives_the_inverse_line():
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 100, 30)
    y = 3 + 1.3 * x + rng.normal(0, 4, 30)
    there, back = deming(x, y, variance_ratio=2.0), deming(y, x, variance_ratio=0.5)
    assert there.slope * back.slope == pytest.approx(1.0, rel=1e-10)


def test_methods_that_do_not_covary_have_no_deming_line():
    with pytest.raises(StatisticsError, match="do not covary"):
        deming([1.0, 2.0, 3.0, 4.0], [5.0, 5.0, 5.0, 5.0])
    with pytest.raises(StatisticsError, match="positive"):
        deming([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 5.0], variance_ratio=0.0)


def slopes_by_hand(x, y):
    """All pairs in exact fractions, after Passing and Bablok 1983, section 2: sorted, with their K."""
    slopes = []
    for i, j in combinations(range(len(x)), 2):
        dx, dy = Fraction(x[j] - x[i]), Fraction(y[j] - y[i])
        if dx == dy == 0:
            continue
        slope = math.copysign(math.inf, dy) if dx == 0 else dy / dx
        if slope != -1:
            slopes.append(slope)
    slopes.sort()
    return slopes, sum(slope < -1 for slope in slopes)


def test_passing_bablok_is_the_shifted_median_of_all_slopes():
    """Second oracle: the definition of the paper in exact fractions, for whole HU with ties."""
    rng = np.random.default_rng(13)
    truth = rng.uniform(40, 160, 35)
    x, y = (
        (truth + rng.normal(0, 15, 35)).round().astype(int),
        (1.1 * truth + rng.normal(0, 15, 35)).round().astype(int),
    )
    slopes, shift = slopes_by_hand(x.tolist(), y.tolist())
    count = len(slopes)
    middle = (
        slopes[(count + 1) // 2 + shift - 1]
        if count % 2
        else (slopes[count // 2 + shift - 1] + slopes[count // 2 + shift]) / 2
    )
    width = 1.959963984540054 * math.sqrt(35 * 34 * 75 / 18)
    lower = round((count - width) / 2)
    ours = passing_bablok(x, y)
    assert ours.slope == pytest.approx(float(middle), rel=1e-12)
    assert ours.slope_ci_low == pytest.approx(float(slopes[lower + shift - 1]), rel=1e-12)
    assert ours.slope_ci_high == pytest.approx(float(slopes[count - lower + shift]), rel=1e-12)
    assert ours.intercept == pytest.approx(median((y - float(middle) * x).tolist()), rel=1e-12)


def test_passing_bablok_turned_round_gives_the_inverse_slope():
    """The shift by K makes the method symmetric; an odd number of slopes has one middle, so the inverse is exact."""
    x = [1.0, 2.0, 4.0, 5.0, 7.0, 9.0, 12.0]
    y = [1.5, 2.1, 4.4, 4.9, 8.0, 9.1, 12.9]
    assert passing_bablok(x, y).slope * passing_bablok(y, x).slope == pytest.approx(1.0, rel=1e-12)


def test_passing_bablok_refuses_what_it_cannot_relate():
    with pytest.raises(StatisticsError, match="same value"):
        passing_bablok([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])
    with pytest.raises(StatisticsError, match="against each other"):
        passing_bablok(np.arange(6.0), -2 * np.arange(6.0) + np.array([0, 0.1, 0, 0.1, 0, 0.1]))
    few = passing_bablok([1.0, 2.0, 3.0], [1.0, 2.1, 3.0])
    assert "too few" in few.reason


def test_rms_cv_and_least_significant_change_by_hand():
    """Pairs 100/104 and 50/50: SDs 2.828 and 0, means 102 and 50, df 2."""
    result = repeatability([[100.0, 104.0], [50.0, 50.0], [80.0, np.nan]])
    assert result.within_subject_sd == pytest.approx(2.0)
    assert result.rms_cv_percent == pytest.approx(100 * math.sqrt(8 / 102**2 / 2))
    assert result.least_significant_change == pytest.approx(2.0 * 2.7718, rel=1e-4)
    assert (result.n, result.df) == (2, 2)


def test_a_subject_measured_three_times_weighs_twice_one_measured_twice():
    result = repeatability([[10.0, 12.0, 14.0], [20.0, 22.0, np.nan]])
    assert result.within_subject_sd == pytest.approx(math.sqrt((8 + 2) / 3))


def test_a_mean_below_zero_has_no_cv_and_says_so():
    result = repeatability([[-5.0, 3.0], [50.0, 52.0]])
    assert math.isnan(result.rms_cv_percent)
    assert "no meaning" in result.reason
    with pytest.raises(StatisticsError, match="measured twice"):
        repeatability([[1.0, np.nan]])
