"""The page in a real browser: nothing is requested, nothing complains, tables sort, copy and unfold."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spongiosa.config.report import ReportSettings
from spongiosa.report.page import render_report

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)."),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Any, demo_cohort, provenance) -> Iterator[tuple[Any, list[str]]]:
    """The demo report in a tab, and what the tab complained about or asked for besides the page itself."""
    file = demo_cohort.folder / "report" / "index.html"
    file.parent.mkdir(exist_ok=True)
    settings = ReportSettings(rows_shown=5)
    file.write_text(
        render_report(demo_cohort.tables, demo_cohort.studies, demo_cohort.folder, settings, provenance),
        encoding="utf-8",
    )
    tab = browser.new_page()
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on(
        "request",
        lambda request: (
            None
            if request.url == file.as_uri() or request.url.startswith("data:")
            else complaints.append(f"request: {request.url}")
        ),
    )
    tab.goto(file.as_uri())
    yield tab, complaints
    tab.close()


def cells(tab: Any, table: str, column: int) -> list[str]:
    return tab.eval_on_selector_all(
        f"#{table} tbody tr", f"rows => rows.map(row => row.cells[{column}].textContent.trim())"
    )


def test_nothing_is_requested_and_nothing_complains(opened) -> None:
    tab, complaints = opened
    tab.wait_for_timeout(300)
    assert complaints == []
    assert tab.title() == "Vertebral bone density from CT"


def test_a_heading_sorts_up_down_and_back_with_missing_values_last(opened) -> None:
    tab, complaints = opened
    original = cells(tab, "patient-list", 0)
    heading = tab.locator("#patient-list thead th", has_text="HU of L1-L4, three slices")
    column = heading.evaluate("th => th.cellIndex")
    heading.locator("button").click()
    values = cells(tab, "patient-list", column)
    numbers = [float(text.replace("−", "-")) for text in values if text != "–"]
    assert numbers == sorted(numbers) and values[-2:] == ["–", "–"]
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").click()
    values = cells(tab, "patient-list", column)
    assert [float(text) for text in values if text != "–"] == sorted(numbers, reverse=True)
    assert values[-2:] == ["–", "–"]
    heading.locator("button").click()
    assert cells(tab, "patient-list", 0) == original
    assert complaints == []


def test_negative_numbers_and_cut_off_signs_are_sorted_as_numbers(opened) -> None:
    tab, _ = opened
    tab.locator("#patient-list thead th", has_text="Lumbar T").locator("button").click()
    column = tab.locator("#patient-list thead th", has_text="Lumbar T").evaluate("th => th.cellIndex")
    values = [float(text.replace("−", "-")) for text in cells(tab, "patient-list", column) if text != "–"]
    assert values == sorted(values) and values[0] < 0


def test_the_keyboard_reaches_and_works_the_headings(opened) -> None:
    tab, _ = opened
    tab.locator("#patient-list thead button").first.focus()
    tab.keyboard.press("Enter")
    tab.keyboard.press("Enter")
    assert cells(tab, "patient-list", 0)[0] == "P016"


def test_long_tables_unfold_and_filter(opened) -> None:
    tab, _ = opened
    rows = tab.locator("#patient-list tbody tr")
    assert [rows.nth(index).is_visible() for index in range(16)] == [True] * 5 + [False] * 11
    tab.locator("#patient-list input").fill("P013")
    shown = [rows.nth(index) for index in range(16) if rows.nth(index).is_visible()]
    assert [row.locator("th").inner_text() for row in shown] == ["P013"]
    tab.locator("#patient-list input").fill("")
    tab.locator("#patient-list [data-action=unfold]").click()
    assert all(rows.nth(index).is_visible() for index in range(16))


def test_a_table_is_saved_as_csv_with_its_true_characters(opened, tmp_path: Path) -> None:
    tab, complaints = opened
    with tab.expect_download() as download:
        tab.locator("#hu_dxa_concordance-t1_group_definitions [data-action=save]").click()
    file = tmp_path / "table.csv"
    download.value.save_as(file)
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith('"Group","DXA criterion"')
    assert lines[1].startswith('"DXA−/HU−","lowest T-score > −2.5"')
    assert complaints == []


def test_a_point_says_which_patient_it_is(opened) -> None:
    tab, _ = opened
    titles = tab.eval_on_selector_all(
        "#hu_dxa_concordance-f1_scatter svg title", "titles => titles.map(title => title.textContent)"
    )
    # Three panels of the fourteen analysed patients.
    assert len(titles) == 3 * 14
    assert any(title.startswith("P010, DXA") and "HU" in title for title in titles)


def test_the_theme_button_changes_ink_and_paper(opened) -> None:
    tab, _ = opened
    before = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.locator("[data-action=theme]").click()
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_text_stands_out_from_its_background_in_both_themes(opened) -> None:
    """4.5 : 1 is the contrast that WCAG 2.1 (1.4.3, level AA) asks of text."""
    tab, _ = opened
    contrast = """() => {
      const light = (colour) => {
        const parts = colour.match(/[0-9.]+/g).slice(0, 3).map((part) => {
          const share = part / 255;
          return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
      };
      const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
          const colour = getComputedStyle(at).backgroundColor;
          if (!/, 0\\)$/.test(colour)) return colour;
        }
      };
      return Math.min(...["body", ".caption", "a", ".notes", "thead button", "figcaption", ".tiles dt", ".product"].map(
        (name) => {
          const element = document.querySelector(name);
          const pair = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a);
          return (pair[0] + 0.05) / (pair[1] + 0.05);
        }));
    }"""
    assert tab.evaluate(contrast) >= 4.5
    tab.locator("[data-action=theme]").click()
    assert tab.evaluate(contrast) >= 4.5
