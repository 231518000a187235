"""The page in a real browser: nothing is requested, nothing complains, tables sort, copy and unfold."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from spongiosa.config.report import ReportSettings
from spongiosa.report.page import ReportTables, render_report

pytestmark = pytest.mark.browser

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
FORMULA = "=HYPERLINK(0)"


def written(cohort: Any, provenance: Any, tables: ReportTables | None = None, rows_shown: int = 5) -> Path:
    """The report of a cohort as a file where it lies in a run."""
    file = cohort.folder / "report" / ("index.html" if tables is None else "hostile.html")
    file.parent.mkdir(exist_ok=True)
    settings = ReportSettings(rows_shown=rows_shown)
    page = render_report(tables or cohort.tables, cohort.studies, cohort.folder, settings, provenance)
    file.write_text(page, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def demo_page(demo_cohort, provenance) -> Path:
    return written(demo_cohort, provenance)


@pytest.fixture
def opened(open_page, demo_page: Path) -> tuple[Any, list[str]]:
    """The demo report in a tab, and what the tab complained about or asked for besides the page itself."""
    page = open_page(demo_page)
    return page.tab, page.complaints


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


def test_numbers_of_every_printed_form_sort_by_their_value(opened) -> None:
    """Signs of comparison, true minus signs, thin spaces between thousands, intervals, shares; gaps last."""
    tab, complaints = opened
    tab.evaluate(
        """texts => {
          const body = document.querySelector("#patient-list tbody");
          const cell = [...document.querySelectorAll("#patient-list thead th")].findIndex((th) =>
            th.textContent.includes("three slices"));
          [...body.rows].forEach((row, place) => { row.cells[cell].textContent = texts[place % texts.length]; });
        }""",
        ["≤ 82.5", "−1.8", "1\u202f234", "0.700 (0.614 to 0.781)", "36 (60.0 %)", "–", "– (a)", "< 0.001"],
    )
    heading = tab.locator("#patient-list thead th", has_text="HU of L1-L4, three slices")
    column = heading.evaluate("th => th.cellIndex")
    heading.locator("button").click()
    first = list(dict.fromkeys(cells(tab, "patient-list", column)))
    order = ["−1.8", "< 0.001", "0.700 (0.614 to 0.781)", "36 (60.0 %)", "≤ 82.5", "1\u202f234"]
    assert first[:6] == order and set(first[6:]) == {"–", "– (a)"}
    assert complaints == []


def test_a_table_is_copied_as_rows_of_a_spreadsheet(opened) -> None:
    tab, complaints = opened
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = tab.locator("#levels [data-action=copy]")
    button.click()
    expect(tab.locator("#status")).not_to_be_empty()
    text = tab.evaluate("navigator.clipboard.readText()")
    frame = pd.read_csv(io.StringIO(text), sep="\t", dtype=str)
    assert frame.columns[0] == "Level"
    assert frame["Level"].tolist() == ["T12", "L1", "L2", "L3", "L4", "L5"]
    assert tab.locator("#status").inner_text() == "The table was copied."
    assert complaints == []


def test_hostile_text_is_shown_and_does_nothing(open_page, demo_cohort, provenance, tmp_path: Path) -> None:
    """In ids, clinical text, reasons, flags and acquisition: shown, sorted, filtered and saved as text."""
    tables = demo_cohort.tables
    scans, patients = tables.scans.copy(), tables.patients.copy()
    scans.loc[3, "patient_id"] = patients.loc[3, "patient_id"] = HOSTILE
    scans.loc[4, "patient_id"] = patients.loc[4, "patient_id"] = FORMULA
    scans.loc[0, "detail"] = HOSTILE
    scans["flags"] = [[HOSTILE]] * len(scans)
    exclusions = tables.exclusions.assign(detail=HOSTILE, reason=HOSTILE)
    measurements = tables.measurements.assign(kernel=HOSTILE, manufacturer=HOSTILE)
    file = written(
        demo_cohort, provenance, ReportTables(scans, pd.DataFrame(), measurements, patients, exclusions), rows_shown=50
    )
    page = open_page(file)
    tab = page.tab
    tab.on("dialog", lambda dialog: page.complaints.append(f"dialog: {dialog.message}"))
    assert HOSTILE in cells(tab, "patient-list", 0)
    tab.locator("#patient-list thead button").first.click()
    assert FORMULA in cells(tab, "patient-list", 0)
    assert tab.locator("img[src=x]").count() == 0
    assert tab.locator("script:not([type])").count() == 1
    with tab.expect_download() as download:
        tab.locator("#patient-list [data-action=save]").click()
    saved = tmp_path / "patients.csv"
    download.value.save_as(saved)
    text = saved.read_text(encoding="utf-8-sig")
    # A spreadsheet reads a cell that begins with = as a formula unless an apostrophe stands before it.
    assert f'"\'{FORMULA}"' in text
    tab.wait_for_timeout(200)
    assert page.complaints == []


def test_every_bar_and_point_that_can_be_pointed_at_says_its_numbers(opened) -> None:
    tab, _ = opened
    titles = tab.eval_on_selector_all(
        "#hu_dxa_concordance-f3_distribution svg title", "titles => titles.map(title => title.textContent)"
    )
    assert titles and all(re.search(r": \d+ above \d+ and up to \d+$", title) for title in titles)
    assert tab.locator("#hu_dxa_concordance-f1_scatter svg use:has(title)").count() == 3 * 14


def test_the_keyboard_walks_from_the_skip_link_to_the_tables_without_a_trap(opened) -> None:
    """Every stop of the tabulator is visible and has a name; 400 stops leave the page's table of contents behind."""
    tab, _ = opened
    stops = []
    for _ in range(400):
        tab.keyboard.press("Tab")
        stop = tab.evaluate(
            """() => {
              const at = document.activeElement;
              if (at === document.body) return null;
              const box = at.getBoundingClientRect();
              const words = at.getAttribute("aria-label") || at.textContent || at.placeholder || "";
              return [at.tagName, words.trim().slice(0, 40), box.width * box.height];
            }"""
        )
        if stop is None:
            break
        stops.append(stop)
    assert stops[0][1] == "Skip to the content"
    assert all(words for _, words, _ in stops)
    assert all(area > 0 for _, _, area in stops)
    assert {"A", "BUTTON", "DIV"} <= {tag for tag, _, _ in stops}


def test_the_skip_link_leads_past_the_contents(opened) -> None:
    tab, _ = opened
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(tab).to_have_url(re.compile("#content$"))
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.closest('main') !== null")


def test_on_paper_everything_folded_is_shown_and_nothing_of_the_screen_is_left(opened) -> None:
    tab, _ = opened
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert not tab.locator("nav").is_visible()
    assert not tab.locator("[data-action=copy]").first.is_visible()
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    pdf = tab.pdf(format="A4", prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", pdf)) > 3
    wide = tab.evaluate(
        """() => [...document.querySelectorAll("main figure, main .flow")]
          .filter((element) => element.scrollWidth > document.documentElement.clientWidth + 1).length"""
    )
    assert wide == 0


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_width_of_the_screen_makes_the_page_scroll_sideways(open_page, demo_page: Path, width: int) -> None:
    tab = open_page(demo_page, viewport={"width": width, "height": 800}).tab
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_figures_take_the_ink_of_the_page(open_page, demo_page: Path) -> None:
    tab = open_page(demo_page, color_scheme="dark").tab
    inks = tab.eval_on_selector_all(
        "#cohort-hu_by_level svg text, #cohort-hu_by_level svg g[style*='--ink'] use",
        "marks => marks.map(mark => getComputedStyle(mark).fill)",
    )
    body = tab.evaluate("getComputedStyle(document.body).color")
    assert inks and set(inks) == {body}


def test_a_page_under_a_stricter_policy_of_the_server_still_works(open_page, demo_page: Path) -> None:
    """The page's own policy allows its scripts by their hash only; nothing in the page needs more."""
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', demo_page.read_text(encoding="utf-8"))
    assert policy is not None
    rules = dict(part.strip().split(" ", 1) for part in policy.group(1).replace("&#39;", "'").split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in rules["script-src"] and "connect-src" not in rules
    page = open_page(demo_page)
    blocked = page.tab.evaluate(
        """async () => {
          try { await fetch("https://example.invalid/"); return false; } catch { return true; }
        }"""
    )
    assert blocked
    assert any("Content Security Policy" in complaint for complaint in page.complaints)


def test_the_largest_table_answers_at_once(open_page, demo_cohort, provenance) -> None:
    """2,000 rows are sorted and filtered by the page itself; what a person waits for stands in benchmarks/."""
    rng = np.random.default_rng(1)
    patients = pd.DataFrame({"patient_id": [f"Q{number:05d}" for number in range(2000)], "age_years": 70.0})
    patients["ax_l1_l4_hu"] = rng.normal(120, 30, len(patients))
    scans = demo_cohort.tables.scans
    tables = ReportTables(scans, pd.DataFrame(), pd.DataFrame(), patients, demo_cohort.tables.exclusions)
    tab = open_page(written(demo_cohort, provenance, tables)).tab
    heading = tab.locator("#patient-list thead th", has_text="HU of L1-L4, three slices")
    heading.locator("button").click()
    column = heading.evaluate("th => th.cellIndex")
    values = [float(text) for text in cells(tab, "patient-list", column)]
    assert len(values) == 2000 and values == sorted(values)
    tab.locator("#patient-list input").fill("Q01234")
    assert tab.locator("#patient-list tbody tr:not(.filtered)").count() == 1


def test_the_contents_follow_the_reader_and_open_one_study_at_a_time(open_page, demo_page: Path) -> None:
    tab = open_page(demo_page, viewport={"width": 1440, "height": 900}, reduced_motion="reduce").tab
    link = tab.locator('nav a[href="#hu_dxa_concordance-f2_roc"]')
    assert not link.is_visible()
    tab.evaluate("document.getElementById('hu_dxa_concordance-f2_roc').scrollIntoView()")
    current = tab.locator("nav [aria-current]")
    expect(current).to_have_attribute("href", re.compile("^#hu_dxa_concordance-f"))
    assert link.is_visible()
    tab.evaluate("document.getElementById('methods').scrollIntoView()")
    expect(current).not_to_have_attribute("href", re.compile("^#hu_dxa_concordance-"))
    assert not link.is_visible()


def test_pointing_at_a_point_shows_its_numbers_at_once_and_leaves_no_trace(open_page, demo_page: Path) -> None:
    """Without motion: a point that is still scrolling would no longer be where it was found."""
    page = open_page(demo_page, reduced_motion="reduce")
    tab, complaints = page.tab, page.complaints
    points = tab.locator("#hu_dxa_concordance-f1_scatter svg use:has(title)")
    said = points.first.locator("title").text_content()
    count = points.count()
    points.first.scroll_into_view_if_needed()
    box = points.first.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = tab.locator(".tip")
    tip.wait_for(state="visible")
    assert tip.inner_text() == said or tip.inner_text().startswith("P")
    inside = tip.bounding_box()
    assert inside["x"] >= 0 and inside["y"] >= 0
    tab.mouse.move(1, 1)
    tip.wait_for(state="hidden")
    assert points.count() == count
    assert complaints == []
