"""The page: complete, self-contained, the same each time, and safe with any text."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from spongiosa.config.report import ReportSettings
from spongiosa.report.exhibits import TableExhibit
from spongiosa.report.page import Provenance, ReportTables, render_report
from spongiosa.studies.result import StudyResult, write_study

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}'


def page_of(cohort, settings: ReportSettings, provenance: Provenance, tables: ReportTables | None = None) -> str:
    return render_report(tables or cohort.tables, cohort.studies, cohort.folder, settings, provenance)


@pytest.fixture(scope="module")
def page(demo_cohort, report_settings: ReportSettings, provenance: Provenance) -> str:
    return page_of(demo_cohort, report_settings, provenance)


def test_the_same_run_gives_the_same_page(demo_cohort, page: str, report_settings, provenance) -> None:
    assert page_of(demo_cohort, report_settings, provenance) == page


def test_the_page_names_no_address_to_load_from(page: str) -> None:
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert loaded
    assert "review.html" not in loaded
    for address in loaded:
        assert address.startswith(("#", "data:", "../sub-", "../cohort/", "../studies/")), address
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_every_identifier_of_the_page_is_unique_and_every_inner_link_has_its_target(page: str) -> None:
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    targets = set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
    assert targets <= set(identifiers)


def test_the_page_shows_headline_flow_study_methods_exclusions_and_provenance(page: str, demo_cohort) -> None:
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    for words in (
        "and DXA agree in",
        "Choice of the series: 1 left",
        "The folder holds 2 localizer images and no series of slices.",
        "T12 is just in view, but no complete lumbar vertebra.",
        "Table 3. Agreement with DXA at several HU cut-offs",
        "Figure 6. Sex and site of the lowest T-score",
        "Cohen's unweighted kappa",
        "Siemens",
        "0123456789abcdef",
        "ax_l1_l4_hu",
    ):
        assert words in text, words
    of_study = len(list((demo_cohort.studies[0]).glob("*.svg")))
    assert page.count("<svg") == 2 + of_study
    assert text.count("P016") >= 1


def test_a_failed_scan_raises_a_banner_before_everything_else(failed_cohort, report_settings, provenance) -> None:
    page = page_of(failed_cohort, report_settings, provenance)
    assert page.index('class="banner"') < page.index("<header")
    assert "1 scan failed with an unexpected error" in page
    assert "P003, preop ct" in page


def test_without_failure_there_is_no_banner(page: str) -> None:
    assert 'class="banner"' not in page


def test_without_clinical_table_and_study_the_page_describes_what_was_measured(
    failed_cohort, report_settings, provenance
) -> None:
    page = page_of(failed_cohort, report_settings, provenance)
    assert "9 of 12 patients measured; mean HU of L1-L4" in page
    assert "HU per level" in page
    assert "hu_dxa_concordance" not in page


def test_a_cohort_in_which_nothing_was_measured_still_has_its_page(demo_cohort, report_settings, provenance) -> None:
    scans = demo_cohort.tables.scans.head(2)
    patients = demo_cohort.tables.patients.head(2)
    tables = replace(
        demo_cohort.tables,
        scans=scans,
        patients=patients,
        measurements=pd.DataFrame(),
        exclusions=demo_cohort.tables.exclusions.head(2),
    )
    page = render_report(tables, [], demo_cohort.folder, report_settings, provenance)
    assert "0 of 2 patients measured" in page
    assert "No scan was measured." in page


def test_hostile_text_is_shown_as_text(demo_cohort, provenance) -> None:
    scans = demo_cohort.tables.scans.copy()
    patients = demo_cohort.tables.patients.copy()
    exclusions = demo_cohort.tables.exclusions.copy()
    measurements = demo_cohort.tables.measurements.assign(kernel=HOSTILE, manufacturer="{% raw %}")
    scans.loc[3, "patient_id"] = patients.loc[3, "patient_id"] = HOSTILE
    scans.loc[0, "detail"] = HOSTILE
    exclusions.loc[0, "detail"] = HOSTILE
    scans["flags"] = [[HOSTILE]] * len(scans)
    tables = ReportTables(scans, pd.DataFrame(), measurements, patients, exclusions)
    page = page_of(demo_cohort, ReportSettings(title=HOSTILE[:190]), provenance, tables)
    assert "<script>alert" not in page and "<img src=x" not in page
    assert html.escape(HOSTILE).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
    assert page.count("<script>") == 1
    assert "{{ 7*7 }}" in page and "{% raw %}" in page


def test_long_tables_are_folded_and_say_what_is_left_out(demo_cohort, provenance) -> None:
    page = page_of(demo_cohort, ReportSettings(rows_shown=5, patients_listed=10, thumbnails=3), provenance)
    assert "Show all 10 rows" in page
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    assert "6 further rows are in cohort/patients.csv" in text
    assert 'href="../cohort/patients.csv"' in page
    assert "14 of 14 pictures: all 3 scans with remarks, then 11 of 11 without." in text
    assert page.count("data:image/jpeg;base64") == 14


def test_the_pictures_of_a_large_cohort_are_a_sample_and_the_page_says_so(demo_cohort, provenance) -> None:
    page = page_of(demo_cohort, ReportSettings(thumbnails=1, thumbnails_sampled=2), provenance)
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    assert "3 of 14 pictures: 1 of 3 scans with remarks, then 2 of 11 without, drawn by the seed 2026." in text
    assert page.count("data:image/jpeg;base64") == 3


def test_a_list_of_exclusions_is_cut_and_names_its_file(demo_cohort, provenance) -> None:
    page = page_of(demo_cohort, ReportSettings(patients_listed=1), provenance)
    assert '1 further rows are in <a href="../cohort/exclusions.parquet">cohort/exclusions.parquet</a>' in page


def test_nothing_links_to_a_page_that_is_not_written(page: str) -> None:
    assert "review.html" not in page


def test_pictures_with_remarks_come_first_and_link_to_the_full_size(page: str) -> None:
    gallery = page[page.index('class="gallery"') :]
    first = gallery.index("near edge")
    assert first < gallery.index("P003 preop")
    assert 'href="../sub-P006/ses-preop/ct/sub-P006_ses-preop_desc-review.png"' in gallery


def test_a_picture_that_is_gone_costs_only_itself(demo_cohort, provenance, tmp_path: Path) -> None:
    page = render_report(demo_cohort.tables, [], tmp_path, ReportSettings(), provenance)
    assert "No review picture is shown. 14 are linked in the table of patients." in page


def test_findings_of_all_studies_stand_first_and_lead_to_their_study(page: str) -> None:
    findings = page[page.index('id="findings"') : page.index('id="flow"')]
    assert 'href="#study-hu_dxa_concordance"' in findings and "and DXA agree in" in findings
    masthead = page[page.index("<header") : page.index("</header>")]
    assert "14 of 16 patients measured; mean HU of L1-L4" in masthead


def test_a_report_of_one_study_alone_has_its_headline_at_the_top_and_no_list_of_findings(
    demo_cohort, report_settings, provenance
) -> None:
    tables = replace(
        demo_cohort.tables,
        scans=demo_cohort.tables.scans.head(0),
        measurements=pd.DataFrame(),
        exclusions=demo_cohort.tables.exclusions.head(0),
    )
    page = page_of(demo_cohort, report_settings, provenance, tables)
    assert 'id="findings"' not in page
    assert "and DXA agree in" in page[page.index("<header") : page.index("</header>")]


def test_every_figure_and_table_of_a_study_links_to_its_files(page: str, demo_cohort) -> None:
    folder = demo_cohort.studies[0]
    for address in re.findall(r'href="\.\./studies/([^"]+)"', page):
        assert (folder.parent / address).exists(), address
    linked = set(re.findall(r'href="\.\./studies/hu_dxa_concordance/([^"]+)"', page))
    assert {"f2_roc.svg", "f2_roc.png", "f2_roc.csv", "t3_threshold_sensitivity.csv"} <= linked
    assert {"hu_dxa_concordance.xlsx", "audit.json"} <= linked


def test_image_series_are_counted_with_the_reason_why_they_were_not_measured(
    demo_cohort, report_settings, provenance
) -> None:
    series = pd.DataFrame(
        {"is_chosen": [True, False, False, False], "reason": [None, "localizer_only", "localizer_only", None]}
    )
    page = page_of(demo_cohort, report_settings, provenance, replace(demo_cohort.tables, series=series))
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    assert "The input holds only localizer (scout) images. 2 (50.0 %)" in text
    assert "Usable, but another series of the scan was preferred. 1 (25.0 %)" in text


def test_a_table_that_could_not_be_computed_is_shown_with_its_reason(
    demo_cohort, report_settings, provenance, tmp_path: Path
) -> None:
    nothing = TableExhibit("t1", "Table 1", pd.DataFrame(), pd.DataFrame(), "", ("Not computed: too few.",))
    write_study(StudyResult("study", "A study", "Nothing.", "", (nothing,), ()), tmp_path / "study")
    page = render_report(demo_cohort.tables, [tmp_path / "study"], demo_cohort.folder, report_settings, provenance)
    assert "Nothing to show." in page and "Not computed: too few." in page
