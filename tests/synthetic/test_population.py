"""The cohort sampler: distributions, relations, and tables whose columns the rest of the workflow understands."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from spongiosa.cohort.dictionary import clinical_dictionary
from spongiosa.synthetic.parameters import ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.population import PRESETS, as_recorded, sample_matched_population, sample_population
from spongiosa.synthetic.population_marginals import Event, Grades, LogNormal, Normal, TruncatedNormal
from spongiosa.synthetic.population_patient import patient_parameters
from spongiosa.synthetic.population_relations import LatentModel, area_under_curve, latent_correlation
from spongiosa.synthetic.presets_demo import DEMO
from spongiosa.synthetic.presets_published import area_under_curve as measured_area
from spongiosa.synthetic.presets_studies import HU_DXA_CONCORDANCE, HU_RATIO_NOMOGRAM
from spongiosa.synthetic.scanner import render_ct

LATENT = np.random.default_rng(11).standard_normal(200_000)
MEASURED_BY_THE_WORKFLOW = {
    "st_hu",
    "b_hu",
    "hu_ratio",
    "ax_l1_l4_hu",
    "hu_3d_l1_l4",
    "l1_hu",
    "l2_hu",
    "l3_hu",
    "l4_hu",
}


@pytest.mark.parametrize(
    "marginal", [Normal(5.0, 2.0), TruncatedNormal(72.4, 8.2, low=50.0), LogNormal(124.9, 48.8)], ids=str
)
def test_distributions_have_the_mean_and_sd_that_they_are_named_by(marginal):
    """Four standard errors of a mean and of an SD over 200,000 draws (kurtosis of the log-normal: at most 7)."""
    values = marginal.values(LATENT)
    assert values.mean() == pytest.approx(marginal.mean, abs=4 * marginal.sd / np.sqrt(values.size))
    assert values.std() == pytest.approx(marginal.sd, rel=4 * np.sqrt(6.0 / 4.0 / values.size))


def test_a_truncated_distribution_stays_inside_and_refuses_an_impossible_width():
    assert TruncatedNormal(72.4, 8.2, low=50.0).values(LATENT).min() >= 50.0
    with pytest.raises(ValueError, match="No normal cut"):
        TruncatedNormal(51.0, 8.0, low=50.0).values(LATENT)


def test_grades_and_events_come_in_their_proportions():
    """Four standard errors of a share over 200,000 draws are at most 0.0045."""
    grades = Grades((1, 2, 3, 4), (52, 220, 10, 31)).values(LATENT)
    assert [(grades == grade).mean() for grade in (1, 2, 3, 4)] == pytest.approx(
        [52 / 313, 220 / 313, 10 / 313, 31 / 313], abs=0.0045
    )
    assert Event(0.1748).values(LATENT).mean() == pytest.approx(0.1748, abs=0.0045)


def test_pearson_correlation_holds_for_the_quantities_and_not_only_for_the_latent_variables():
    """A standard error of r over 200,000 pairs is about 0.002 for a log-normal quantity."""
    first, second = LogNormal(100.0, 80.0), Normal(0.0, 1.0)
    rho = latent_correlation("pearson", 0.6, first, second)
    other = rho * LATENT + np.sqrt(1 - rho**2) * np.random.default_rng(12).standard_normal(LATENT.size)
    assert rho > 0.62
    assert np.corrcoef(first.values(LATENT), second.values(other))[0, 1] == pytest.approx(0.6, abs=0.008)


def test_area_under_the_curve_agrees_with_counting_pairs():
    """A standard error of the area over 200,000 draws with 15 % events is about 0.0015."""
    rho = latent_correlation("auc", 0.264, Normal(0.0, 1.0), Event(0.15))
    other = rho * LATENT + np.sqrt(1 - rho**2) * np.random.default_rng(13).standard_normal(LATENT.size)
    event = pd.Series(Event(0.15).values(other) > 0.5)
    assert rho < 0
    assert measured_area(pd.Series(LATENT), event) == pytest.approx(0.264, abs=0.006)
    assert area_under_curve(0.0, 0.15) == pytest.approx(0.5, abs=1e-9)


def test_unreachable_and_contradicting_relations_are_refused():
    with pytest.raises(ValueError, match="No correlation"):
        latent_correlation("pearson", 0.99, LogNormal(1.0, 5.0), Normal(0.0, 1.0))
    with pytest.raises(ValueError, match="needs an event"):
        latent_correlation("auc", 0.7, Normal(0.0, 1.0), Normal(0.0, 1.0))
    with pytest.raises(ValueError, match="contradict"):
        LatentModel(np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]]))


def test_matched_draws_have_exactly_the_moments_asked_for():
    correlation = np.array([[1.0, 0.5], [0.5, 1.0]])
    draws = LatentModel(correlation).draw_matched(5, np.random.default_rng(0))
    np.testing.assert_allclose(draws.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.cov(draws, rowvar=False), correlation, atol=1e-12)
    with pytest.raises(ValueError, match="can not match"):
        LatentModel(correlation).draw_matched(2, np.random.default_rng(0))


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_can_be_sampled_and_names_the_origin_of_every_figure(name):
    preset = PRESETS[name]
    table = sample_population(preset, 40, seed=1)
    assert len(table) == 40
    assert not table.isna().any().any()
    figures = preset.figures()
    assert len(figures) == len(preset.columns) + len(preset.relations)
    assert set(figures["origin"]) <= {"printed", "derived", "assumed"}
    assert (figures["source"].str.len() > 0).all()


@pytest.mark.parametrize("name", list(PRESETS))
def test_clinical_columns_are_in_the_dictionary_and_in_its_ranges(name):
    table = as_recorded(sample_population(PRESETS[name], 500, seed=3))
    for column in table.columns:
        is_shape = column.startswith(("oval_", "round_", "front_", "left_", "right_"))
        if column in MEASURED_BY_THE_WORKFLOW or is_shape or column.endswith("_vbmd_mg_cm3"):
            continue
        for value in table[column].unique():
            clinical_dictionary()[column].parsed(str(value))  # raises ImpossibleValue


def test_same_seed_gives_the_same_table_and_another_seed_another():
    once, again = (sample_population(DEMO, 16, seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(once, again)
    assert not once["ax_l1_l4_hu"].equals(sample_population(DEMO, 16, seed=6)["ax_l1_l4_hu"])


def test_levels_average_to_the_index_and_body_mass_index_fits_height_and_weight():
    table = sample_population(DEMO, 50, seed=2)
    levels = table[["l1_hu", "l2_hu", "l3_hu", "l4_hu"]].mean(axis=1)
    np.testing.assert_allclose(levels, table["ax_l1_l4_hu"], atol=1e-9)
    np.testing.assert_allclose(table["weight_kg"] / table["height_m"] ** 2, table["bmi_kg_m2"], rtol=1e-12)


def test_areal_density_and_young_adult_mean_follow_the_t_score():
    table = sample_population(DEMO, 300, seed=2)
    slope, intercept = np.polyfit(table["t_score_lumbar"], table["bmd_lumbar_g_cm2"], 1)
    np.testing.assert_allclose(100 * table["bmd_lumbar_g_cm2"] / intercept, table["yam_lumbar_percent"], rtol=1e-9)
    assert 0.10 < slope < 0.13


def test_trajectory_hu_is_the_ratio_times_the_body_hu():
    table = sample_population(HU_RATIO_NOMOGRAM, 50, seed=2)
    np.testing.assert_allclose(table["st_hu"] / table["b_hu"], table["hu_ratio"], rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_a_small_matched_cohort_shows_the_correlation_of_the_study(seed):
    """Exactly: the logarithm of a log-normal HU and a normal T-score are both linear in their latent variables."""
    table = sample_matched_population(DEMO, 14, seed)
    names = [column.name for column in DEMO.columns]
    latent = DEMO.latent_model.correlation[names.index("ax_l1_l4_hu"), names.index("t_score_lumbar")]
    found = np.corrcoef(np.log(table["ax_l1_l4_hu"]), table["t_score_lumbar"])[0, 1]
    assert found == pytest.approx(latent, abs=1e-9)
    assert table["t_score_lumbar"].mean() == pytest.approx(-0.5, abs=1e-9)


def test_recorded_values_are_rounded_as_a_hospital_writes_them():
    table = as_recorded(sample_population(DEMO, 20, seed=2))
    for column, digits in {"age_years": 0, "t_score_lumbar": 1, "bmd_lumbar_g_cm2": 3, "height_m": 2}.items():
        np.testing.assert_allclose(table[column], table[column].round(digits), atol=1e-12)


def test_a_patient_built_from_a_row_has_the_row_s_bone():
    """Up to 15 HU: the row sets the core, and regions differ from it by the trend within a body and by texture."""
    rows = sample_population(HU_DXA_CONCORDANCE, 4, seed=8).to_dict("records")
    scanner = ScannerParameters(rows=96, columns=96, pixel_spacing_mm=2.4, slice_thickness_mm=5.0, slice_spacing_mm=5.0)
    truths = []
    for row in rows:
        parameters = patient_parameters(row, seed=1)
        assert parameters == patient_parameters(row, seed=1)
        assert (parameters.sex == "F") == (row["sex"] == "female")
        truths.append(render_ct(build_patient(parameters, seed=1), scanner, seed=1).truth.cohort_columns())
    expected = np.array([row["ax_l1_l4_hu"] for row in rows])
    found = np.array([truth["ax_l1_l4_hu"] for truth in truths])
    assert np.abs(found - expected).max() < 15.0
    assert stats.spearmanr(found, expected).statistic == pytest.approx(1.0)
