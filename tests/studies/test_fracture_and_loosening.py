"""3D-HU against new fractures, and vBMD against loosening, held against statsmodels and scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from spongiosa.config.studies import NewFractureSettings, ScrewLooseningQctSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.studies import new_fracture_3d_hu, screw_loosening_qct
from spongiosa.studies.result import StudyResult
from spongiosa.synthetic.population import PRESETS, sample_population
from spongiosa.synthetic.population_screws import sample_screws


@pytest.fixture(scope="module")
def women() -> pd.DataFrame:
    return sample_population(PRESETS["fracture_3d_hu"], 349, seed=2)


@pytest.fixture(scope="module")
def fracture(women: pd.DataFrame) -> StudyResult:
    return new_fracture_3d_hu.analyse(women, NewFractureSettings(bootstrap_draws=100), ThresholdsSettings(), 1)


@pytest.fixture(scope="module")
def fused() -> pd.DataFrame:
    return sample_population(PRESETS["qct_loosening"], 186, seed=2)


@pytest.fixture(scope="module")
def loosening(fused: pd.DataFrame) -> StudyResult:
    return screw_loosening_qct.analyse(fused, ScrewLooseningQctSettings(bootstrap_draws=100), ThresholdsSettings(), 1)


def frame_of(result: StudyResult, key: str) -> pd.DataFrame:
    return next(table.frame for table in result.tables if table.key == key)


def logit(outcome: pd.Series, predictors: pd.DataFrame) -> pd.Series:
    fitted = sm.Logit(outcome.astype(float), sm.add_constant(predictors.astype(float))).fit(disp=0, tol=1e-12)
    return np.exp(fitted.params)


def test_the_odds_ratios_of_the_fracture_study_are_those_of_statsmodels(
    fracture: StudyResult, women: pd.DataFrame
) -> None:
    table = frame_of(fracture, "t2_logistic").set_index("coefficient")
    entered = table.index[table["enters"].astype(bool)].tolist()
    assert "hu_3d_l1_l4" in entered
    expected = logit(women["new_fracture"], women[entered])
    # 1e-6: both maximise the same likelihood to about 1e-8 of a coefficient.
    for name in entered:
        assert table.loc[name, "multivariable_odds_ratio"] == pytest.approx(expected[name], rel=1e-6)
        assert table.loc[name, "multivariable_ci_low"] < expected[name] < table.loc[name, "multivariable_ci_high"]


def test_hu_and_t_score_are_left_out_of_the_model_on_purpose(fracture: StudyResult) -> None:
    assert not {"ax_l1_l4_hu", "t_score_lumbar"} & set(frame_of(fracture, "t2_logistic")["term"])


def test_accuracy_is_counted_below_the_cut_off_and_is_not_the_area(fracture: StudyResult, women: pd.DataFrame) -> None:
    row = frame_of(fracture, "t5_accuracy").set_index("marker").loc["hu_3d_l1_l4"]
    positive = women["hu_3d_l1_l4"] < row["cut_off_hu"]
    assert row["true_positive"] == (positive & women["new_fracture"]).sum()
    assert row["accuracy"] == pytest.approx((positive == women["new_fracture"]).mean())
    area = frame_of(fracture, "t3_roc").set_index("marker").loc["hu_3d_l1_l4", "auc_estimate"]
    assert row["accuracy"] != pytest.approx(area, abs=1e-4)


def test_patients_without_known_outcome_are_counted_and_left_out(women: pd.DataFrame) -> None:
    some = women.assign(new_fracture=women["new_fracture"].astype("boolean"))
    some.loc[:9, "new_fracture"] = pd.NA
    result = new_fracture_3d_hu.analyse(some, NewFractureSettings(bootstrap_draws=100), ThresholdsSettings(), 1)
    assert result.audit["flow"]["no_outcome"] == 10
    assert result.audit["analysed"] == 339


def test_each_loosening_model_holds_the_t_score_and_one_density(loosening: StudyResult, fused: pd.DataFrame) -> None:
    table = frame_of(loosening, "t2b_models")
    for _, model in table.groupby("model"):
        names = model["coefficient"].tolist()
        assert names[0] == "t_score_total_hip" and len(names) == 2
        expected = logit(fused["loosening"], fused[names])
        assert model["model_odds_ratio"].tolist() == pytest.approx([expected[name] for name in names], rel=1e-6)


def test_the_event_is_loosening_in_every_column(loosening: StudyResult, fused: pd.DataFrame) -> None:
    """Dense bone protects: odds ratios of the densities lie below 1, and sensitivity counts loosened screws."""
    assert all(loosening.audit["odds_ratios_below_one"].values())
    rows = frame_of(loosening, "t3_roc").set_index("marker")
    for column in screw_loosening_qct.DENSITIES:
        low, high = fused.loc[fused["loosening"], column], fused.loc[~fused["loosening"], column]
        area = stats.mannwhitneyu(high, low).statistic / (low.size * high.size)
        assert rows.loc[column, "auc_estimate"] == pytest.approx(area, rel=1e-12)
        assert rows.loc[column, "sensitivity"] == pytest.approx(
            (low <= rows.loc[column, "cut_off_midpoint"]).mean(), rel=1e-12
        )


def test_collinear_densities_show_their_inflation(loosening: StudyResult, fused: pd.DataFrame) -> None:
    table = frame_of(loosening, "t5_collinearity").set_index("column")
    others = fused[["l5_pedicle_vbmd_mg_cm3", "l5_trajectory_vbmd_mg_cm3"]]
    r_squared = sm.OLS(fused["l5_body_vbmd_mg_cm3"], sm.add_constant(others)).fit().rsquared
    assert table.loc["l5_body_vbmd_mg_cm3", "vif"] == pytest.approx(1 / (1 - r_squared), rel=1e-9)


def test_without_t_score_the_density_stands_alone(fused: pd.DataFrame) -> None:
    settings = ScrewLooseningQctSettings(bootstrap_draws=100)
    result = screw_loosening_qct.analyse(fused.drop(columns="t_score_total_hip"), settings, ThresholdsSettings(), 1)
    assert frame_of(result, "t2b_models").groupby("model").size().tolist() == [1, 1, 1]
    assert "t_score_total_hip" not in frame_of(result, "t3_roc")["marker"].tolist()


def test_the_time_to_the_fracture_is_an_option(women: pd.DataFrame) -> None:
    """Times that shorten with sparse bone: the hazard ratio of 3D-HU lies below 1, and C says how well it ranks."""
    rng = np.random.default_rng(6)
    sooner = np.ceil(30 * np.exp(0.02 * (women["hu_3d_l1_l4"] - 70)) * rng.uniform(0.5, 1.5, len(women)))
    timed = women.assign(event_months=sooner.where(women["new_fracture"]), follow_up_months=36.0)
    settings = NewFractureSettings(bootstrap_draws=100, time_to_event=True)
    result = new_fracture_3d_hu.analyse(timed, settings, ThresholdsSettings(), 1)
    rows = frame_of(result, "t10_time_to_event").set_index("coefficient")
    assert rows.loc["hu_3d_l1_l4", "ci_high"] < 1
    assert rows["concordance"].iloc[0] > 0.7
    assert "Cox regression" in result.methods
    without = new_fracture_3d_hu.analyse(women, settings, ThresholdsSettings(), 1)
    assert frame_of(without, "t10_time_to_event")["reason"].iloc[0] == "No row is complete."


def test_levels_left_out_are_tabulated_with_their_reasons(women: pd.DataFrame) -> None:
    left_out = pd.Series(["L1 (treated levels), L2 (fracture grade 2)"] * 9 + [None] * (len(women) - 9), dtype="string")
    with_levels = women.assign(levels_left_out=left_out, hu_3d_l1_l4_levels_used=[2] * 9 + [4] * (len(women) - 9))
    result = new_fracture_3d_hu.analyse(with_levels, NewFractureSettings(bootstrap_draws=100), ThresholdsSettings(), 1)
    rows = frame_of(result, "t7_levels").set_index("value")["patients"]
    assert rows.to_dict() == {
        "4 levels": 340, "2 levels": 9, "fracture grade 2": 9, "treated levels": 9, "none": 340
    }  # fmt: skip


@pytest.fixture(scope="module")
def screws(fused: pd.DataFrame) -> pd.DataFrame:
    return sample_screws(fused, seed=2)


def test_screws_stand_beside_patients_with_errors_for_their_clusters(fused: pd.DataFrame, screws: pd.DataFrame) -> None:
    settings = ScrewLooseningQctSettings(bootstrap_draws=100)
    result = screw_loosening_qct.analyse(fused, settings, ThresholdsSettings(), 1, screws=screws)
    rows = frame_of(result, "t6b_per_screw").set_index(["density", "analysis"])
    robust = rows.loc[("trajectory_vbmd_mg_cm3", "per screw, robust to clusters")]
    joined = screws.merge(fused[["patient_id", "t_score_total_hip"]], on="patient_id")
    design = sm.add_constant(joined[["t_score_total_hip", "trajectory_vbmd_mg_cm3"]].astype(float))
    groups = pd.factorize(joined["patient_id"])[0]
    fitted = sm.Logit(joined["loosening"].astype(float), design).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    clusters = len(fused)
    # statsmodels without its own small-sample factor; ours is G / (G - 1).
    error = fitted.bse["trajectory_vbmd_mg_cm3"] * np.sqrt(clusters / (clusters - 1))
    assert robust["odds_ratio"] == pytest.approx(np.exp(fitted.params["trajectory_vbmd_mg_cm3"]), rel=1e-6)
    assert np.log(robust["ci_high"] / robust["odds_ratio"]) == pytest.approx(1.959964 * error, rel=1e-4)
    per_patient = rows.loc[("trajectory_vbmd_mg_cm3", "per patient")]
    models = frame_of(result, "t2b_models").set_index("coefficient")
    assert per_patient["odds_ratio"] == pytest.approx(
        models.loc["l5_trajectory_vbmd_mg_cm3", "model_odds_ratio"], rel=1e-12
    )
    mixed = rows.loc[("trajectory_vbmd_mg_cm3", "per screw, random intercept")]
    assert mixed["between_sd"] > 1 and mixed["odds_ratio"] < robust["odds_ratio"] < 1
    assert result.audit["per_screw"]["screws"] == len(screws) == 4 * len(fused)


def test_a_patient_without_stated_outcome_has_that_of_any_screw(fused: pd.DataFrame, screws: pd.DataFrame) -> None:
    silent = fused.drop(columns="loosening")
    settings = ScrewLooseningQctSettings(bootstrap_draws=100)
    result = screw_loosening_qct.analyse(silent, settings, ThresholdsSettings(), 1, screws=screws)
    assert result.audit["events"] == int(fused["loosening"].sum())
    assert result.audit["analysed"] == len(fused)


def test_every_study_audits_its_curves_and_counts(fracture: StudyResult, loosening: StudyResult) -> None:
    for result in (fracture, loosening):
        for check in result.audit["roc"].values():
            assert check["direction"] == "low" and not check["points_the_other_way"]
            assert check["youden_bound"]["holds"] and check["swap_check"]["is_consistent"]
            assert check["auc_equals_mann_whitney"]
        assert result.audit["n_per_analysis"]["t3_roc"] == [result.audit["analysed"]]
        assert "seed" in result.audit and "missing" in result.audit
        assert result.figures[0].key == "f0_flow"


def test_scanners_part_every_study(women: pd.DataFrame) -> None:
    scanned = women.assign(kvp=np.where(np.arange(len(women)) < 300, 120.0, 100.0), kernel="Br40")
    result = new_fracture_3d_hu.analyse(scanned, NewFractureSettings(bootstrap_draws=100), ThresholdsSettings(), 1)
    rows = frame_of(result, "t8_strata")
    assert rows["value"].unique().tolist() == ["", "120 kVp", "100 kVp", "without the rarer values"]
    usual = rows[(rows["column"] == "without_rarer") & (rows["marker"] == "hu_3d_l1_l4")].iloc[0]
    part = scanned[scanned["kvp"] == 120.0]
    u = stats.mannwhitneyu(
        part.loc[~part["new_fracture"], "hu_3d_l1_l4"], part.loc[part["new_fracture"], "hu_3d_l1_l4"]
    ).statistic
    assert usual["auc"] == pytest.approx(u / (part["new_fracture"].sum() * (~part["new_fracture"]).sum()), rel=1e-12)
