"""The model and nomogram of screw loosening: every number from the patients, none built in."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.metrics import brier_score_loss, roc_auc_score

from spongiosa.config.studies import ScrewLooseningNomogramSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.statistics.prediction_model import from_json
from spongiosa.studies.nomogram_cohort import with_derived_columns
from spongiosa.studies.nomogram_fit import candidate_terms
from spongiosa.studies.nomogram_supplement import alternatives_table, with_merged_grades
from spongiosa.studies.result import StudyResult
from spongiosa.studies.screw_loosening_nomogram import analyse
from spongiosa.synthetic.population import PRESETS, sample_population

SETTINGS = ScrewLooseningNomogramSettings(bootstrap_draws=100, validation_draws=20, imputations=2)
FIGURES = ["f0_flow", "f1_nomogram", "f2_roc", "f3_calibration", "f4_decision", "f5_impact"]


@pytest.fixture(scope="module")
def patients() -> pd.DataFrame:
    return sample_population(PRESETS["hu_ratio_nomogram"], 313, seed=1)


@pytest.fixture(scope="module")
def result(patients: pd.DataFrame) -> StudyResult:
    return analyse(patients, SETTINGS, ThresholdsSettings(), 1)


def frame_of(result: StudyResult, key: str) -> pd.DataFrame:
    return next(table.frame for table in result.tables if table.key == key)


def predicted(model: dict[str, object], patients: pd.DataFrame) -> np.ndarray:
    """Risks by hand from the published form of the model: intercept plus coefficients, then the logistic function."""
    lp = np.full(len(patients), float(str(model["intercept"])))
    for term in model["terms"]:  # type: ignore[attr-defined]
        if term["kind"] == "linear":
            lp += term["coefficients"][0] * patients[term["name"]].to_numpy(dtype=float)
            continue
        levels = [level for level in term["levels"] if level != term["reference"]]
        for level, slope in zip(levels, term["coefficients"], strict=True):
            lp += slope * (patients[term["name"]].astype(int).astype(str) == level).to_numpy()
    return 1 / (1 + np.exp(-lp))


def test_every_figure_of_the_study_is_drawn(result: StudyResult) -> None:
    assert [figure.key for figure in result.figures] == FIGURES
    assert result.omitted == ()


def test_the_coefficients_are_the_maximum_likelihood_of_these_patients(
    result: StudyResult, patients: pd.DataFrame
) -> None:
    table = frame_of(result, "t3_model").set_index("coefficient")["estimate"]
    design = pd.DataFrame(index=patients.index)
    for name in table.index.drop("intercept"):
        column, _, level = name.partition("=")
        design[name] = (patients[column] == int(level)).astype(float) if level else patients[column].astype(float)
    fitted = sm.Logit(patients["loosening"].astype(float), sm.add_constant(design)).fit(disp=0, tol=1e-12)
    # 1e-5: both stop where the likelihood is flat to about 1e-8.
    assert table.to_numpy() == pytest.approx(fitted.params.to_numpy(), rel=1e-5)


def test_the_model_in_the_audit_predicts_what_the_tables_say(result: StudyResult, patients: pd.DataFrame) -> None:
    model = result.audit["model"]
    risk = predicted(model, patients)
    event = patients["loosening"].to_numpy()
    performance = frame_of(result, "t5_validation").set_index("figure")["apparent"]
    assert performance["auc"] == pytest.approx(roc_auc_score(event, risk), rel=1e-9)
    assert performance["brier"] == pytest.approx(brier_score_loss(event, risk), rel=1e-9)
    counts = frame_of(result, "t7_cut_off").set_index("index")["count"]
    # The cut-off is an observed risk: 1e-9 keeps that patient on the positive side after the detour over JSON.
    assert counts["Sensitivity"] == (risk[event] >= model["cut_off_probability"] - 1e-9).sum()


def test_the_model_can_be_read_back(result: StudyResult) -> None:
    assert from_json(json.dumps(result.audit["model"])).n == 313


def test_points_of_the_nomogram_rise_where_the_coefficient_is_positive(result: StudyResult) -> None:
    figure = next(figure for figure in result.figures if figure.key == "f1_nomogram")
    data = figure.data
    for term, sign in (("age_years", 1), ("hu_ratio", -1), ("pbq", 1)):
        axis = data[data["axis"] == term]
        slope = np.polyfit(axis["label"].astype(float), axis["points"], 1)[0]
        assert np.sign(slope) == sign
    assert data.loc[data["axis"] != "risk", "points"].max() == pytest.approx(100.0)


def test_optimism_makes_the_corrected_area_smaller_and_the_slope_flatter(result: StudyResult) -> None:
    figures = frame_of(result, "t5_validation").set_index("figure")
    assert figures.loc["auc", "corrected"] < figures.loc["auc", "apparent"]
    assert figures.loc["slope", "corrected"] < 1.0
    assert figures["optimism"].to_numpy() == pytest.approx((figures["training"] - figures["test"]).to_numpy())


@pytest.fixture(scope="module")
def holed(patients: pd.DataFrame) -> pd.DataFrame:
    """The cohort with some PBQ missing, patients with scoliosis, and where the fusion ends."""
    rng = np.random.default_rng(2)
    marked = patients.assign(
        scoliosis=np.arange(len(patients)) % 8 == 0,
        terminal_segment=rng.choice(["L3", "L4", "L5", "S1"], len(patients)),
        technique=rng.choice(["PLIF", "TLIF"], len(patients)),
    )
    marked.loc[3::9, "pbq"] = np.nan
    return marked


@pytest.fixture(scope="module")
def imputed(holed: pd.DataFrame) -> StudyResult:
    return analyse(holed, SETTINGS.model_copy(update={"validation_draws": 10}), ThresholdsSettings(), 1)


def test_patients_with_scoliosis_are_a_sensitivity_cohort_of_its_own_tables(imputed: StudyResult) -> None:
    assert imputed.audit["flow"]["scoliosis"] == 40
    assert frame_of(imputed, "s1_baseline").groupby(["variable", "group"])["n"].max().loc["age_years"].sum() == 313
    assert frame_of(imputed, "s2_selection").set_index("coefficient").loc["age_years", "n"] == 313
    assert {"AUC, apparent", "AUC, corrected"} <= set(frame_of(imputed, "s3_performance")["figure"])


def test_the_lowest_instrumented_vertebra_is_described_and_no_candidate(
    imputed: StudyResult, holed: pd.DataFrame
) -> None:
    analysed = holed[~holed["scoliosis"]]
    counts = frame_of(imputed, "s4_terminal_fused").groupby("terminal_group")["patients"].sum()
    assert counts["L4 or above"] == analysed["terminal_segment"].isin(["L3", "L4"]).sum()
    assert counts["S1 or below"] == (analysed["terminal_segment"] == "S1").sum()
    assert "terminal_group=L5" in set(frame_of(imputed, "s5_collinearity")["column"])
    assert not frame_of(imputed, "t2_selection")["coefficient"].str.startswith("terminal").any()


def test_the_selection_on_imputed_data_ends_in_the_model_and_complete_cases_stand_beside(imputed: StudyResult) -> None:
    selection = frame_of(imputed, "t2_selection").set_index("coefficient")
    model = frame_of(imputed, "t3_model").set_index("coefficient").drop("intercept")
    # The same completed data sets: 1e-9 is rounding.
    assert selection.loc[model.index, "final_odds_ratio"].to_numpy() == pytest.approx(
        model["odds_ratio"].to_numpy(), rel=1e-9
    )
    complete = frame_of(imputed, "t2_complete_cases").set_index("coefficient")
    assert complete.loc["pbq", "n"] < selection.loc["age_years", "n"]


def test_the_reference_grade_has_its_row_and_rare_grades_their_warning(imputed: StudyResult) -> None:
    table = next(table for table in imputed.tables if table.key == "t2_selection")
    printed = table.printed.set_index("Variable")
    assert printed.loc["Goutallier grade: 4", "OR (CI)"] == "1 (reference)"
    rare = frame_of(imputed, "t2_selection").set_index("coefficient").loc["goutallier=3"]
    assert rare["n"] < 20
    assert any(f"Goutallier grade 3 ({rare['n']} patients" in note for note in table.notes)


def test_rare_grades_are_merged_with_the_grade_below_in_another_fit(patients: pd.DataFrame) -> None:
    event = patients["loosening"].astype(bool)
    terms = candidate_terms(patients, SETTINGS)
    merged, changed = with_merged_grades(patients, terms)
    assert changed is not None
    assert changed[-1].columns == ("goutallier=1", "goutallier=2-3")
    joined = patients["goutallier"].isin([2, 3]).sum()
    assert (merged["goutallier"] == "2-3").sum() == joined
    models = alternatives_table(patients, event, terms, {}).frame.groupby("model", sort=False)["coefficient"].apply(set)
    assert list(models.index) == ["Maximum likelihood", "Firth", "Rare grades merged"]
    assert "goutallier=2-3" in models["Rare grades merged"]


def test_what_mri_and_ct_say_is_correlated_both_ways(result: StudyResult, patients: pd.DataFrame) -> None:
    table = frame_of(result, "t10_pbq_hu_ratio")["estimate"].to_numpy()
    by_rank = patients["pbq"].rank().corr(patients["hu_ratio"].rank())
    assert table == pytest.approx([patients["pbq"].corr(patients["hu_ratio"]), by_rank], abs=1e-9)


def test_the_covariance_of_the_calculator_has_the_standard_errors_of_the_table(result: StudyResult) -> None:
    document = json.loads(dict(result.documents)["calculator.json"])
    errors = np.sqrt(np.diag(np.array(document["covariance"])))
    # 1e-9: the same fit, computed twice.
    assert errors == pytest.approx(frame_of(result, "t3_model")["standard_error"].to_numpy(), rel=1e-9)


def test_the_covariance_over_imputations_has_the_pooled_standard_errors(imputed: StudyResult) -> None:
    document = json.loads(dict(imputed.documents)["calculator.json"])
    errors = np.sqrt(np.diag(np.array(document["covariance"])))
    assert errors == pytest.approx(frame_of(imputed, "t3_model")["standard_error"].to_numpy(), rel=1e-9)


def test_missing_predictors_are_imputed_and_said_so(imputed: StudyResult, holed: pd.DataFrame) -> None:
    assert "chained equations, m = 2" in imputed.audit["method"]
    analysed = holed[~holed["scoliosis"]]
    assert frame_of(imputed, "t9_missing").set_index("column").loc["pbq", "missing"] == analysed["pbq"].isna().sum()
    assert imputed.audit["model"]["n"] == len(analysed)


def test_grades_that_came_as_floats_are_grades(imputed: StudyResult, holed: pd.DataFrame) -> None:
    """A column with gaps reads as 1.0, 2.0; the baseline table counts grades 1, 2."""
    floats = holed.assign(goutallier=holed["goutallier"].astype("float64"))
    floats.loc[5, "goutallier"] = np.nan
    frame = with_derived_columns(floats)
    assert set(frame["goutallier"].dropna().map(str)) == {"1", "2", "3", "4"}
    baseline = frame_of(imputed, "t1_baseline")
    assert baseline.loc[baseline["variable"] == "goutallier", "count"].sum() == (~holed["scoliosis"]).sum()


def test_an_absent_reference_grade_is_replaced_by_the_highest(patients: pd.DataFrame) -> None:
    without = patients[patients["goutallier"] < 4]
    term = candidate_terms(without, SETTINGS)[-1]
    assert (term.name, getattr(term, "reference", None)) == ("goutallier", "3")


def test_too_few_events_give_a_sentence_instead_of_a_model(patients: pd.DataFrame) -> None:
    few = pd.concat([patients[patients["loosening"]].head(1), patients[~patients["loosening"]].head(6)])
    result = analyse(few, SETTINGS, ThresholdsSettings(), 1)
    assert "no model" in result.headline or "model of" in result.headline
    assert all(reason for _, reason in result.omitted)
