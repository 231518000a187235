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
