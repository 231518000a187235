"""Printed figures of the five seed papers that follow from other printed figures.

Each test recomputes a number from numbers that the paper prints, and compares with the printed one to the digits that
are printed.  Where a paper contradicts itself the test asserts our value and says what the contradiction is.
Papers: 000 HU versus DXA discordance, 001 five ROI shapes, 002 QCT and loosening, 003 nomogram, 004 3D-HU and new
fracture.
"""

import math

import numpy as np
import pytest
from scipy import stats

from spongiosa.statistics.accuracy import Confusion, accuracy_indices
from spongiosa.statistics.audit import auc_from_z, counts_of_share, largest_auc
from spongiosa.statistics.calibration import hosmer_lemeshow
from spongiosa.statistics.comparison import student_t_from_summary, welch_t_from_summary
from spongiosa.statistics.contingency import chi_square, fisher_exact
from spongiosa.statistics.decision import net_benefit, net_benefit_of_treating_all
from spongiosa.statistics.roc import auc_hanley_mcneil, auc_null_p
from spongiosa.statistics.samples import two_sided_t_p

# ------------------------------------------------------------------------------------------------ 000


def test_000_discordance_in_the_grey_zone_has_fisher_p_0_311():
    test = fisher_exact([[17, 73 - 17], [33, 107 - 33]])
    assert round(test.p_value, 3) == 0.311
    assert test.p_value == pytest.approx(0.31097, abs=5e-6)


def test_000_pooling_outside_the_grey_zone_hides_a_gradient():
    """Printed: 30.8 % discordant outside 100-150 HU.  It joins 41.9 % at or below 100 HU with 15.6 % above 150."""
    below, grey, above = (26, 62), (17, 73), (7, 45)
    assert round(100 * (below[0] + above[0]) / (below[1] + above[1]), 1) == 30.8
    assert [round(100 * k / n, 1) for k, n in (below, grey, above)] == [41.9, 23.3, 15.6]
    three_zones = chi_square([[k, n - k] for k, n in (below, grey, above)])
    assert three_zones.p_value < 0.01


def test_000_indices_at_100_hu_are_the_printed_ones():
    """DXA+/HU+ 36, DXA-/HU+ 26, DXA-/HU- 94, DXA+/HU- 24: printed .600, .783, .581, .797 and 72.2 % concordance."""
    indices = accuracy_indices(Confusion(36, 26, 94, 24))
    printed = {
        "sensitivity": 0.600,
        "specificity": 0.783,
        "positive_predictive_value": 0.581,
        "negative_predictive_value": 0.797,
    }
    for name, value in printed.items():
        assert round(getattr(indices, name).estimate, 3) == value, name
    assert round(100 * indices.accuracy.estimate, 1) == 72.2


def test_000_kappa_at_100_hu_is_0_380():
    kappa = accuracy_indices(Confusion(36, 26, 94, 24)).kappa
    assert [round(value, 3) for value in (kappa.estimate, kappa.ci_low, kappa.ci_high)] == [0.380, 0.238, 0.522]


def test_000_discordance_is_27_8_percent_and_not_27():
    """The abstract's "27 %" is 50 of 180 cut off instead of rounded."""
    assert round(100 * (24 + 26) / 180, 1) == 27.8


@pytest.mark.parametrize("correlation", [0.505, 0.467, 0.664, 0.617, 0.450])
def test_000_every_correlation_of_180_patients_is_below_0_001(correlation):
    assert two_sided_t_p(correlation * math.sqrt(178 / (1 - correlation**2)), 178) < 0.001


def test_000_age_and_bmi_differ_by_student_as_well_as_printed_for_mann_whitney():
    """Printed (Mann-Whitney): age .003; BMI .009 and .029.  Student's t from the printed means and SDs against
    DXA-/HU- (n 94) is of the same size: .004 with the concordant positives for age, .015 and .025 for BMI."""
    age = student_t_from_summary(75.9, 6.5, 36, 71.1, 9.1, 94)
    bmi_concordant = student_t_from_summary(22.9, 3.8, 36, 24.8, 3.8, 94)
    bmi_discordant = student_t_from_summary(22.7, 4.8, 24, 24.8, 3.8, 94)
    assert age.p_value < 0.01
    assert bmi_concordant.p_value < 0.02
    assert bmi_discordant.p_value < 0.03


def test_000_auc_interval_is_not_centred_and_so_no_wald_interval():
    """Printed .700 (.614-.781): the middle is .6975.  A Wald interval (SPSS, DeLong) is centred within rounding."""
    assert abs((0.614 + 0.781) / 2 - 0.700) > 0.001


# ------------------------------------------------------------------------------------------------ 001

# ROI: printed sensitivity and specificity for osteoporosis with their true counts TN/73 and TP/27, J printed
OSTEOPOROSIS = {
    "round": (79.5, 58, 81.5, 22, 0.61),
    "oval": (76.7, 56, 81.5, 22, 0.58),
    "right": (69.9, 51, 92.6, 25, 0.62),
    "left": (69.9, 51, 88.9, 24, 0.56),
    "front": (79.5, 58, 81.5, 22, 0.61),
}
# ROI: printed sensitivity (k/33) and specificity (k/67) of the exclusion cut-off, J printed
EXCLUSION = {
    "round": (84.8, 28, 73.1, 49, 0.58),
    "oval": (90.9, 30, 76.1, 51, 0.55),
    "right": (84.8, 28, 65.7, 44, 0.51),
    "front": (81.8, 27, 74.6, 50, 0.56),
}


@pytest.mark.parametrize("shape", OSTEOPOROSIS)
def test_001_printed_sensitivity_is_the_specificity_for_osteoporosis(shape):
    """SPSS took the higher HU as the positive state, so k/73 (no osteoporosis) is printed as sensitivity."""
    printed_sensitivity, true_negative, printed_specificity, true_positive, printed_youden = OSTEOPOROSIS[shape]
    indices = accuracy_indices(Confusion(true_positive, 73 - true_negative, true_negative, 27 - true_positive))
    assert round(100 * indices.specificity.estimate, 1) == printed_sensitivity
    assert round(100 * indices.sensitivity.estimate, 1) == printed_specificity
    if shape == "left":
        # Printed .56, but .699 + .889 - 1 = .588: the printed J contradicts the printed rates.
        assert round(indices.youden, 3) == 0.588
    else:
        # .625 is printed as .62 for the right ROI (rounded rates give .624); 0.0055 is that rounding.
        assert indices.youden == pytest.approx(printed_youden, abs=0.0055)


@pytest.mark.parametrize("shape", EXCLUSION)
def test_001_exclusion_cut_offs_are_whole_patients_of_33_and_67(shape):
    printed_sensitivity, normal, printed_specificity, low_bone, printed_youden = EXCLUSION[shape]
    indices = accuracy_indices(Confusion(normal, 67 - low_bone, low_bone, 33 - normal))
    assert round(100 * indices.sensitivity.estimate, 1) == printed_sensitivity
    assert round(100 * indices.specificity.estimate, 1) == printed_specificity
    if shape == "oval":
        # Printed .55, but .909 + .761 - 1 = .670: the printed J contradicts the printed rates.
        assert round(indices.youden, 3) == 0.670
    else:
        # One unit of the last printed digit: .505 and .564 stand as .51 and .56.
        assert indices.youden == pytest.approx(printed_youden, abs=0.0055)


def test_001_left_roi_exclusion_rates_fit_no_number_of_patients():
    """Printed 88.9 % of 33 and 89.1 % of 67: no whole number gives them."""
    assert counts_of_share(0.889, 33, decimals=3) == ()
    assert counts_of_share(0.891, 67, decimals=3) == ()


def test_001_right_roi_specificity_in_the_text_is_impossible():
    """The text's 85.7 % is 24/28, and there are 27; the table's 92.6 % = 25/27 agrees with J."""
    assert counts_of_share(0.857, 27, decimals=3) == ()
    assert counts_of_share(0.926, 27, decimals=3) == (25,)


def test_001_left_roi_auc_exceeds_what_its_youden_index_allows():
    """AUC <= 1 - (1 - J)^2 / 2.  J .588 allows .915, printed is .936."""
    youden = 51 / 73 + 24 / 27 - 1
    assert round(largest_auc(youden), 3) == 0.915
    assert largest_auc(youden) < 0.936


def test_001_kruskal_wallis_h_2_81_of_five_rois_has_p_0_59():
    assert round(float(stats.chi2.sf(2.81, 4)), 2) == 0.59


# ------------------------------------------------------------------------------------------------ 002


@pytest.mark.parametrize(
    ("area", "printed"),
    [(0.596, 0.032)],
)
def test_002_auc_p_is_the_asymptotic_one_of_spss(area, printed):
    """T2: AUC .596 with 63 loosened and 123 not.  P = 2 Phi(-|A - .5| / SE0) = .0323, printed .032."""
    assert round(auc_null_p(area, 63, 123), 3) == printed
    assert auc_null_p(area, 63, 123) == pytest.approx(0.0323, abs=5e-5)


def test_002_aucs_of_vbmd_are_below_0_001():
    assert all(auc_null_p(area, 63, 123) < 0.001 for area in (0.682, 0.714, 0.736))


@pytest.mark.parametrize(
    ("area", "low", "high"),
    [(0.596, 0.509, 0.684), (0.682, 0.603, 0.762), (0.714, 0.636, 0.791), (0.736, 0.659, 0.812)],
)
def test_002_auc_intervals_are_centred_as_those_of_spss_and_delong(area, low, high):
    """Half a unit of the last digit of each of the three figures: 0.001."""
    assert (low + high) / 2 == pytest.approx(area, abs=0.001)


@pytest.mark.parametrize(
    ("area", "events", "non_events", "low", "high"), [(0.736, 63, 123, 0.659, 0.812), (0.877, 61, 288, 0.831, 0.923)]
)
def test_002_004_hanley_mcneil_fits_neither_way_round(area, events, non_events, low, high):
    """The printed standard errors (.0390 and .0235) lie between those of the exponential form with the one and with
    the other class called positive, by more than their rounding (0.0003): the intervals are nonparametric."""
    printed = (high - low) / (2 * 1.959964)
    one_way, other_way = auc_hanley_mcneil(area, events, non_events), auc_hanley_mcneil(area, non_events, events)
    assert other_way + 0.0003 < printed < one_way - 0.0003


@pytest.mark.parametrize(
    ("printed_sensitivity", "printed_specificity", "not_loosened", "loosened"),
    [(0.634, 0.571, 78, 36), (0.789, 0.492, 97, 31), (0.805, 0.524, 99, 33), (0.724, 0.667, 89, 42)],
)
def test_002_printed_sensitivity_belongs_to_the_patients_without_loosening(
    printed_sensitivity, printed_specificity, not_loosened, loosened
):
    """The modelled state was non-loosening; for loosening the two are swapped (C-vBMD: sensitivity .667)."""
    indices = accuracy_indices(Confusion(loosened, 123 - not_loosened, not_loosened, 63 - loosened))
    assert round(indices.specificity.estimate, 3) == printed_sensitivity
    assert round(indices.sensitivity.estimate, 3) == printed_specificity


@pytest.mark.parametrize(("z", "from_z", "printed"), [(-4.259, 0.691, 0.682), (-5.172, 0.732, 0.714)])
def test_002_mann_whitney_z_and_auc_contradict_each_other(z, from_z, printed):
    """Z and AUC are functions of each other: A = .5 + |Z| SE0 (without ties).  The printed AUCs are smaller."""
    assert round(auc_from_z(z, 63, 123), 3) == from_z
    assert from_z - printed > 0.005


@pytest.mark.parametrize(
    ("odds_ratio", "low", "high"),
    [
        (0.479, 0.269, 0.853),
        (1.041, 1.021, 1.061),
        (0.273, 0.142, 0.527),
        (1.054, 1.034, 1.075),
        (0.178, 0.084, 0.379),
        (1.077, 1.050, 1.105),
    ],
)
def test_002_odds_ratios_are_the_geometric_means_of_their_intervals(odds_ratio, low, high):
    """So the intervals are Wald's.  0.001 is the rounding of the printed figures."""
    assert math.sqrt(low * high) == pytest.approx(odds_ratio, abs=0.001)


def test_002_p_of_t2_follows_from_its_odds_ratio_and_interval():
    """Printed .479 (.269-.853), P .012."""
    error = math.log(0.853 / 0.269) / (2 * 1.959964)
    assert round(float(2 * stats.norm.sf(abs(math.log(0.479)) / error)), 3) == 0.012


# ------------------------------------------------------------------------------------------------ 003


def test_003_cut_off_0_212_has_the_printed_indices():
    """36 of 45 and 236 of 268: printed 80.0 %, 88.1 %, J .681, PPV 52.9 %, NPV 96.3 %."""
    indices = accuracy_indices(Confusion(36, 32, 236, 9))
    printed = (80.0, 88.1, 52.9, 96.3)
    ours = (
        indices.sensitivity,
        indices.specificity,
        indices.positive_predictive_value,
        indices.negative_predictive_value,
    )
    assert tuple(round(100 * share.estimate, 1) for share in ours) == printed
    assert round(indices.youden, 3) == 0.681


def test_003_net_benefit_at_the_cut_off_is_far_above_treating_all():
    """.0875 for the model and -.0866 for treating everybody."""
    assert net_benefit(36, 32, 313, 0.212) == pytest.approx(0.0875, abs=5e-5)
    assert net_benefit_of_treating_all(45 / 313, 0.212) == pytest.approx(-0.0866, abs=5e-5)


def test_003_share_of_loosening_is_14_38_percent_and_not_14_3():
    assert round(100 * 45 / 313, 2) == 14.38


def test_003_spearman_of_pbq_and_hu_ratio_is_p_0_492_within_the_rounding_of_rho():
    """Printed rho .039, P .491; .039 exactly gives .492, and rho between .0385 and .0395 gives .486 to .497."""
    p_values = [two_sided_t_p(rho * math.sqrt(311 / (1 - rho**2)), 311) for rho in (0.0385, 0.039, 0.0395)]
    assert [round(p, 3) for p in p_values] == [0.497, 0.492, 0.486]
    assert p_values[2] < 0.491 < p_values[0]


def test_003_hosmer_lemeshow_p_0_393_is_a_chi_square_of_8_43_with_ten_groups():
    assert round(float(stats.chi2.sf(8.43, 8)), 3) == 0.393
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.02, 0.6, 313)
    assert hosmer_lemeshow(chance, rng.random(313) < chance).df == 8


def test_003_auc_interval_is_centred_on_0_904():
    """Printed .904 (.856-.953); half a unit of each last digit."""
    assert pytest.approx(0.904, abs=0.001) == (0.856 + 0.953) / 2


def test_003_tolerance_and_vif_are_reciprocal():
    """Printed tolerances .905-.985, VIF 1.015-1.105."""
    assert round(1 / 0.905, 3) == 1.105
    assert round(1 / 0.985, 3) == 1.015


def test_003_nomogram_points_add_up_to_217():
    assert 44 + 56 + 73 + 44 == 217


def test_003_events_per_parameter_of_the_final_model_is_7_5():
    assert 45 / 6 == 7.5


# ------------------------------------------------------------------------------------------------ 004


def test_004_indices_of_3d_hu_and_hu_are_whole_patients():
    """3D-HU: 49/61 and 244/288, printed .803 and .847; HU: 50/61 and 215/288, printed .820 and .747."""
    volume, plane = accuracy_indices(Confusion(49, 44, 244, 12)), accuracy_indices(Confusion(50, 73, 215, 11))
    assert [round(x.estimate, 3) for x in (volume.sensitivity, volume.specificity)] == [0.803, 0.847]
    assert [round(x.estimate, 3) for x in (plane.sensitivity, plane.specificity)] == [0.820, 0.747]


def test_004_predictive_accuracy_of_87_7_percent_is_the_auc():
    """The accuracy at the cut-off is 84.0 % (HU 75.9 %), the positive predictive value 52.7 %."""
    volume, plane = accuracy_indices(Confusion(49, 44, 244, 12)), accuracy_indices(Confusion(50, 73, 215, 11))
    assert round(100 * volume.accuracy.estimate, 1) == 84.0
    assert round(100 * plane.accuracy.estimate, 1) == 75.9
    assert round(100 * volume.positive_predictive_value.estimate, 1) == 52.7


@pytest.mark.parametrize(("odds_ratio", "low", "high"), [(0.927, 0.906, 0.945), (0.964, 0.918, 1.010)])
def test_004_odds_ratios_are_off_the_geometric_mean_and_so_profiled(odds_ratio, low, high):
    """Half widths .0229 below and .0192 above for 3D-HU: no Wald interval is that lopsided."""
    below, above = math.log(odds_ratio / low), math.log(high / odds_ratio)
    assert below > above
    if odds_ratio == 0.927:
        assert (below, above) == (pytest.approx(0.0229, abs=1e-4), pytest.approx(0.0192, abs=1e-4))


def test_004_3d_hu_of_the_groups_differs_and_its_normal_model_gives_the_printed_auc():
    """Printed 40.64 +- 22.43 (61) against 79.93 +- 25.69 (288), P < .001, AUC .877.  Two normal distributions of these
    means and SDs have an AUC of .875; 0.005 allows for shape."""
    test = student_t_from_summary(40.64, 22.43, 61, 79.93, 25.69, 288)
    assert test.p_value < 0.001
    assert test.estimate == pytest.approx(-39.29)
    model = float(stats.norm.cdf((79.93 - 40.64) / math.hypot(22.43, 25.69)))
    assert model == pytest.approx(0.877, abs=0.005)


def test_004_share_of_new_fracture_is_17_48_percent():
    assert round(100 * 61 / 349, 2) == 17.48


@pytest.mark.parametrize("area", [0.877, 0.823])
def test_004_both_aucs_are_far_from_chance(area):
    assert auc_null_p(area, 61, 288) < 1e-12


def test_welch_and_student_differ_as_the_papers_show():
    """With unequal SDs and sizes the two tests part, so that a printed P tells which one was used (002, 004)."""
    student = student_t_from_summary(23.0, 2.5, 61, 23.2, 3.9, 288)
    welch = welch_t_from_summary(23.0, 2.5, 61, 23.2, 3.9, 288)
    assert student.p_value - welch.p_value > 0.05
