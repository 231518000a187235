"""The calculator in a real browser: it computes what the model computes, warns, and asks nobody."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect
from scipy.special import expit, logit

from spongiosa.config.report import ReportSettings
from spongiosa.report.calculator import calculator_page
from spongiosa.report.page import render_report
from spongiosa.statistics.development import Procedure
from spongiosa.statistics.logistic import logistic_regression
from spongiosa.statistics.nomogram import build_nomogram
from spongiosa.statistics.prediction_model import PredictionModel, model_from_fit
from spongiosa.statistics.terms import Category, Linear, RestrictedCubicSpline, Term, build_design
from spongiosa.studies.calculator import field_of
from spongiosa.studies.nomogram_model import covariance_of_model
from spongiosa.studies.result import StudyResult, write_study

pytestmark = pytest.mark.browser

TERMS: tuple[Term, ...] = (
    RestrictedCubicSpline("age_years", (52.0, 66.0, 80.0)),
    Linear("hu_ratio"),
    Category("goutallier", ("1", "2", "3", "4"), "4"),
)


def cohort(count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age_years": rng.normal(66, 9, count).round(1),
            "hu_ratio": rng.normal(1.8, 0.4, count).round(2),
            "goutallier": rng.choice([1, 2, 3, 4], count),
        }
    )
    predictor = 0.08 * (frame["age_years"] - 66) - 1.6 * (frame["hu_ratio"] - 1.8) + 0.3 * frame["goutallier"] - 1.6
    return frame.assign(loosening=rng.random(count) < expit(predictor))


@pytest.fixture(scope="module")
def patients() -> pd.DataFrame:
    return cohort(500, seed=4)


@pytest.fixture(scope="module")
def model(patients: pd.DataFrame) -> PredictionModel:
    fit = logistic_regression(build_design(patients, TERMS), patients["loosening"])
    return model_from_fit(fit, TERMS, patients, outcome="screw loosening", cut_off=0.3)


@pytest.fixture(scope="module")
def covariance(patients: pd.DataFrame) -> np.ndarray:
    return covariance_of_model(patients, patients["loosening"], Procedure(TERMS), seed=1)


@pytest.fixture(scope="module")
def page(model: PredictionModel, patients: pd.DataFrame, covariance: np.ndarray, tmp_path_factory) -> Path:
    """The page of a model with a spline, a number and a category, with hostile words."""
    drawn = build_nomogram(model)
    fields = [
        field_of(term, slopes, minimum, model.limits, patients)
        for term, slopes, minimum in zip(model.terms, model.coefficients, drawn.minima, strict=True)
    ]
    document: dict[str, Any] = {
        "title": "Risk </title><script>alert(1)</script>", "subtitle": "From 500 patients.", "outcome": "loosening",
        "statement": "</script><script>alert(2)</script>", "intercept": model.intercept, "method": "Likelihood.",
        "covariance": covariance.tolist(), "quantile": 1.959963984540054, "confidence": "95%", "cut_off": 0.3,
        "points_per_logit": drawn.points_per_logit, "facts": [["AUC, apparent", "0.750"]], "fields": fields,
    }  # fmt: skip
    file = tmp_path_factory.mktemp("calculator") / "calculator.html"
    file.write_text(calculator_page(document), encoding="utf-8")
    return file


def type_in(tab: Any, patient: dict[str, object]) -> None:
    for name, value in patient.items():
        place = tab.locator(f"[data-field={name}]")
        if place.locator("select").count():
            place.locator("select").select_option(str(value))
        else:
            place.locator("input[type=text]").fill(str(value))


def words(tab: Any, part: str) -> str:
    return tab.locator(f"[data-part={part}]").first.inner_text()


def test_fifty_patients_get_the_risk_and_the_interval_of_the_model(
    open_page, page: Path, model: PredictionModel, covariance: np.ndarray
) -> None:
    """Half a unit of the third digit, as that is what is shown; the interval is shown to 0.1 %."""
    opened = open_page(page)
    others = cohort(50, seed=9)[["age_years", "hu_ratio", "goutallier"]]
    risks = model.probability(others)
    design = build_design(others, TERMS).matrix
    rows = np.column_stack([np.ones(len(others)), design])
    errors = np.sqrt(np.einsum("ij,jk,ik->i", rows, covariance, rows))
    for position, patient in enumerate(others.to_dict("records")):
        type_in(opened.tab, patient)
        risk = float(risks[position])
        shown = opened.tab.locator(".calculator").get_attribute("data-probability")
        assert float(shown) == pytest.approx(risk, abs=0.5001 * 10 ** (np.floor(np.log10(risk)) - 2))
        assert words(opened.tab, "risk") == f"{100 * risk:.1f} %"
        half = 1.959963984540054 * errors[position]
        low, high = (100 * float(expit(logit(risk) + sign * half)) for sign in (-1, 1))
        assert words(opened.tab, "interval") == f"95% interval {low:.1f} % to {high:.1f} %"
        side = "at or above" if risk >= 0.3 else "below"
        assert f"{side} the cut-off of 30.0 %" in words(opened.tab, "words")
    assert opened.complaints == []


def test_without_all_values_there_is_no_risk_and_the_page_says_what_it_needs(open_page, page: Path) -> None:
    tab = open_page(page).tab
    assert words(tab, "risk") == "–"
    assert words(tab, "words") == "Still needed: Age [years], HU ratio, Goutallier grade."
    type_in(tab, {"age_years": 70, "goutallier": 2})
    assert words(tab, "words") == "Still needed: HU ratio."
    type_in(tab, {"hu_ratio": "one"})
    assert words(tab, "risk") == "–"
    assert "This is not a number." in tab.locator("[data-field=hu_ratio]").inner_text()


def test_values_beyond_the_patients_warn_and_impossible_ones_are_refused(open_page, page: Path) -> None:
    tab = open_page(page).tab
    type_in(tab, {"age_years": 99, "hu_ratio": "1.8", "goutallier": 2})
    assert "Outside the patients of the model" in tab.locator("[data-field=age_years]").inner_text()
    assert "do not rely on this number" in words(tab, "words")
    assert words(tab, "risk") != "–"
    type_in(tab, {"age_years": 700})
    assert "Not possible: between 0 and 120 is allowed." in tab.locator("[data-field=age_years]").inner_text()
    assert words(tab, "risk") == "–"


def test_a_decimal_comma_is_read_as_a_point(open_page, page: Path) -> None:
    tab = open_page(page).tab
    type_in(tab, {"age_years": "70.5", "hu_ratio": "1.85", "goutallier": 2})
    with_point = words(tab, "risk")
    type_in(tab, {"age_years": "70,5", "hu_ratio": "1,85"})
    assert words(tab, "risk") == with_point


def test_the_keyboard_alone_reaches_a_risk(open_page, page: Path) -> None:
    tab = open_page(page).tab
    tab.locator(".skip").focus()
    tab.keyboard.press("Enter")
    expect(tab).to_have_url(re.compile("#.+"))
    tab.keyboard.press("Tab")
    tab.keyboard.type("70")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.type("1.5")
    tab.keyboard.press("Tab")
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("Tab")
    tab.keyboard.type("3")
    assert words(tab, "risk").endswith("%")
    assert tab.locator("[data-field=hu_ratio] input[type=text]").input_value() == "1.49"


def test_a_typical_patient_can_be_shown_and_cleared(open_page, page: Path) -> None:
    tab = open_page(page).tab
    tab.get_by_role("button", name="Typical patient").click()
    assert words(tab, "risk").endswith("%")
    tab.get_by_role("button", name="Clear").click()
    assert words(tab, "risk") == "–"


def test_hostile_words_of_the_model_stay_words(open_page, page: Path) -> None:
    opened = open_page(page)
    assert opened.tab.title() == "Risk </title><script>alert(1)</script>"
    assert "</script><script>alert(2)</script>" in opened.tab.locator(".warning-line").inner_text()
    assert opened.tab.locator("script").count() == 2
    assert opened.complaints == []


def test_the_page_holds_the_coefficients_in_full(page: Path, open_page, model: PredictionModel) -> None:
    text = open_page(page).tab.locator("[data-part=model]").text_content()
    document = json.loads(text)
    assert [field["coefficients"] for field in document["fields"]] == [list(part) for part in model.coefficients]


def test_the_calculator_inside_a_report_computes_the_same(
    open_page, page: Path, demo_cohort, provenance, tmp_path: Path
) -> None:
    document = json.loads(open_page(page).tab.locator("[data-part=model]").text_content())
    folder = tmp_path / "studies" / "study"
    documents = (("calculator.json", json.dumps(document)), ("calculator.html", page.read_text(encoding="utf-8")))
    write_study(StudyResult("study", "A study", "Found.", "", (), (), documents=documents), folder)
    report = tmp_path / "report" / "index.html"
    report.parent.mkdir()
    text = render_report(demo_cohort.tables, [folder], demo_cohort.folder, ReportSettings(), provenance)
    report.write_text(text, encoding="utf-8")
    shown = []
    for file in (page, report):
        opened = open_page(file)
        opened.tab.get_by_role("button", name="Typical patient").click()
        shown.append((words(opened.tab, "risk"), words(opened.tab, "interval")))
        assert opened.complaints == []
    assert shown[0] == shown[1] and shown[0][0].endswith("%")
    with opened.tab.expect_navigation():
        opened.tab.get_by_role("link", name="As a page of its own").click()
    assert opened.tab.url == (folder / "calculator.html").as_uri()
