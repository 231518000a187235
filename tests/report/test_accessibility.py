"""axe-core in every kind of page: no serious or critical finding, light and dark.

The checker (MPL-2.0) is fetched for the tests only, by `.ci/run` into build/axe, and is no part of the repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spongiosa.config.report import ReportSettings
from spongiosa.config.studies import ScrewLooseningNomogramSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report.page import render_report
from spongiosa.studies.result import write_study
from spongiosa.studies.screw_loosening_nomogram import analyse
from spongiosa.synthetic.population import PRESETS, as_recorded, sample_population

AXE = Path(__file__).resolve().parents[2] / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed in build/axe (.ci/run fetches it by npm)."),
]
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def pages(demo_cohort, failed_cohort, provenance, tmp_path_factory) -> dict[str, Path]:
    """A report of a run with its study, one with a failed scan, one of a study alone, and the calculator."""
    found = {}
    for name, cohort in (("run", demo_cohort), ("failed", failed_cohort)):
        found[name] = tmp_path_factory.mktemp(name) / "index.html"
        text = render_report(cohort.tables, cohort.studies, cohort.folder, ReportSettings(rows_shown=5), provenance)
        found[name].write_text(text, encoding="utf-8")
    patients = as_recorded(sample_population(PRESETS["hu_ratio_nomogram"], 313, 1))
    settings = ScrewLooseningNomogramSettings(bootstrap_draws=100, validation_draws=10)
    result = analyse(patients, settings, ThresholdsSettings(), 1)
    folder = tmp_path_factory.mktemp("study") / "studies" / result.name
    write_study(result, folder)
    found["calculator"] = folder / "calculator.html"
    found["study"] = folder / "index.html"
    text = render_report(failed_cohort.tables, [folder], folder, ReportSettings(), provenance)
    found["study"].write_text(text, encoding="utf-8")
    return found


def findings(tab: Any) -> list[str]:
    """Rule, words and place of each serious or critical finding.

    The page's own policy forbids scripts from outside, so that the checker is put in by the browser's tools.
    """
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    result = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{found['id']}: {found['help']} at {node['target']}"
        for found in result["violations"]
        if found["impact"] in SERIOUS
        for node in found["nodes"][:5]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["run", "failed", "study", "calculator"])
def test_the_checker_finds_nothing_serious(open_page, pages: dict[str, Path], name: str, scheme: str) -> None:
    tab = open_page(pages[name], color_scheme=scheme).tab
    assert findings(tab) == []


def test_the_checker_finds_nothing_serious_in_a_calculator_that_warns(open_page, pages: dict[str, Path]) -> None:
    tab = open_page(pages["calculator"]).tab
    tab.get_by_role("button", name="Typical patient").click()
    tab.locator("[data-field=age_years] input[type=text]").fill("119")
    tab.locator("[data-field=pbq] input[type=text]").fill("much")
    assert findings(tab) == []


def test_the_checker_does_see_a_fault(open_page, tmp_path: Path) -> None:
    """A picture without words: if this were not found, the checker would not be running."""
    page = tmp_path / "bad.html"
    page.write_text("<!doctype html><html lang=en><title>x</title><body><img src='data:,'></body></html>")
    assert any("image-alt" in found for found in findings(open_page(page).tab))
