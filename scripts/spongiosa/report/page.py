"""The report: one HTML page that holds everything it shows and loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from spongiosa.config.report import ReportSettings
from spongiosa.outcome import Status
from spongiosa.report import cohort_tables, theme
from spongiosa.report.characteristics import characteristics
from spongiosa.report.dictionary import GLOSSARY, index_dictionary
from spongiosa.report.exhibits import FigureExhibit, TableExhibit
from spongiosa.report.flow import STAGE_TITLES, PatientFlow, patient_flow, patient_outcomes
from spongiosa.report.formatting import mean_sd, whole
from spongiosa.report.html import environment, policy_for, template_text
from spongiosa.report.listings import INDEX_VARIABLES, exclusion_tables, patient_table
from spongiosa.report.measured import Measured, batches_of, gather
from spongiosa.report.study_files import WrittenFigure, WrittenStudy, read_study
from spongiosa.report.tables import TableView, table_view, view_of_frame
from spongiosa.report.thumbnails import choose_pictures, thumbnails
from spongiosa.report.variables import demographic_variables, dxa_variables, present
from spongiosa.statistics.description import summarise_numeric

MAIN_INDEX = "ax_l1_l4_hu"


@dataclass(frozen=True)
class ReportTables:
    """The tables of cohort/, as they were written; of `measurements`, the largest, its file may be given instead."""

    scans: pd.DataFrame
    series: pd.DataFrame
    measurements: pd.DataFrame | Path
    patients: pd.DataFrame
    exclusions: pd.DataFrame


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from; `packages` maps package -> version."""

    version: str
    config_hash: str
    seed: int
    packages: Mapping[str, str] = field(default_factory=dict)


#: Words of a link and its address relative to the page.
Link = tuple[str, str]


@dataclass(frozen=True)
class FigureView:
    """A figure ready for the template: SVG markup, and the words around it."""

    key: str
    title: str
    caption: str
    notes: tuple[str, ...]
    svg: Markup
    width_px: int
    files: tuple[Link, ...] = ()


@dataclass(frozen=True)
class StudyView:
    """A study ready for the template; `table_files` belong to `tables`, `files` to the whole study."""

    study: WrittenStudy
    figures: tuple[FigureView, ...]
    tables: tuple[TableView, ...]
    table_files: tuple[tuple[Link, ...], ...]
    files: tuple[Link, ...]


def render_report(
    tables: ReportTables,
    study_folders: Sequence[Path],
    output_dir: Path,
    settings: ReportSettings,
    provenance: Provenance,
) -> str:
    """The page report/index.html as text; the same input gives the same text.

    `study_folders` as `studies.result.write_study` wrote them, in the order of the page; `output_dir` is where the
    review pictures of `tables.scans` lie.  Without scans (studies of a table alone) the page leaves out flow, pictures
    and exclusions.  Everything that comes from the user is escaped; a policy in the page
    forbids every request and every script but its own.
    """
    flow = patient_flow(tables.scans)
    session = cohort_tables.main_session(tables.scans)
    measured = gather(batches_of(tables.measurements), session)
    studies = [_study_view(read_study(folder), settings) for folder in study_folders]
    behaviour, calculation = template_text("behaviour.js"), template_text("calculator.js")
    return (
        environment()
        .get_template("page.html")
        .render(
            title=settings.title,
            headline=_headline(tables.patients, flow, studies),
            tiles=_tiles(tables, flow, measured),
            flow=flow,
            has_scans=not tables.scans.empty,
            failures=_failures(tables.scans),
            cohort=_cohort_section(tables, measured, session, settings),
            studies=studies,
            findings=bool(studies) and (bool(flow.scans) or len(studies) > 1),
            glossary=GLOSSARY,
            patients=patient_table(tables.patients, tables.scans, settings),
            pictures=_pictures(tables.scans, output_dir, settings, provenance.seed),
            exclusions=exclusion_tables(tables.exclusions, settings),
            methods=_methods(tables, measured),
            provenance=provenance,
            dictionary=view_of_frame("dictionary", "Columns of cohort/patients.csv", index_dictionary()),
            style=Markup(template_text("style.css")),
            behaviour=Markup(behaviour),
            calculation=Markup(calculation),
            policy=policy_for(behaviour, calculation),
        )
    )


def _study_view(study: WrittenStudy, settings: ReportSettings) -> StudyView:
    prefix, folder = f"{study.name}-", f"../studies/{study.name}"
    return StudyView(
        study=study,
        figures=tuple(
            _figure_view(
                figure,
                figure.svg,
                prefix,
                tuple((kind.upper(), f"{folder}/{figure.path}.{kind}") for kind in ("svg", "png", "csv")),
            )
            for figure in study.figures
        ),
        tables=tuple(table_view(table, prefix=prefix, shown=2 * settings.rows_shown) for table in study.tables),
        table_files=tuple((("Unrounded CSV", f"{folder}/{table.key}.csv"),) for table in study.tables),
        files=(("workbook (XLSX)", f"{folder}/{study.name}.xlsx"), ("audit (JSON)", f"{folder}/audit.json")),
    )


def _figure_view(
    figure: WrittenFigure | FigureExhibit, svg: str, prefix: str, files: tuple[Link, ...] = ()
) -> FigureView:
    key = f"{prefix}{figure.key}"
    markup = Markup(theme.svg_for_page(svg, key, figure.alt))
    return FigureView(key, figure.title, figure.caption, figure.notes, markup, theme.width_on_page_px(svg), files)


def _headline(patients: pd.DataFrame, flow: PatientFlow, studies: Sequence[StudyView]) -> str:
    """What was measured; of tables alone, the first study's headline."""
    if studies and not flow.scans:
        return studies[0].study.headline
    measured = f"{flow.measured} of {flow.in_manifest} patients measured"
    if MAIN_INDEX not in patients or not patients[MAIN_INDEX].notna().any():
        return f"{measured}; no mean HU of L1-L4."
    summary = summarise_numeric(patients[MAIN_INDEX])
    return f"{measured}; mean HU of L1-L4 {mean_sd(summary.mean, summary.sd, 0)} HU (n = {summary.n})."


def _tiles(tables: ReportTables, flow: PatientFlow, measured: Measured) -> list[tuple[str, str]]:
    if tables.scans.empty:
        return [("Patients", whole(len(tables.patients)))]
    return [
        ("Patients", whole(flow.in_manifest)),
        ("Measured", whole(flow.measured)),
        ("Excluded", whole(flow.excluded)),
        ("Failed", whole(flow.failed)),
        ("Scans", whole(flow.scans)),
        ("Vertebrae measured", whole(measured.vertebrae)),
    ]


def _failures(scans: pd.DataFrame) -> list[dict[str, str]]:
    failed = scans[scans["status"] == Status.FAILED].fillna({"stage": "", "detail": ""})
    return [
        {
            "scan": f"{row.patient_id}, {row.session} {row.modality}",
            "stage": STAGE_TITLES.get(str(row.stage), str(row.stage)),
            "detail": str(row.detail),
        }
        for row in failed.itertuples()
    ]


def _cohort_section(tables: ReportTables, measured: Measured, session: str, settings: ReportSettings) -> dict[str, Any]:
    outcomes = patient_outcomes(tables.scans)
    measured_ids = outcomes.loc[outcomes["status"] == Status.OK, "patient_id"]
    patients = tables.patients
    if len(tables.scans):
        patients = patients[patients["patient_id"].isin(measured_ids)]
    variables = present(
        [*demographic_variables(), *dxa_variables(("lumbar", "femoral_neck", "total_hip")), *INDEX_VARIABLES],
        patients,
    )
    exhibits: list[TableExhibit] = []
    drawn: list[FigureExhibit | None] = [cohort_tables.age_figure(patients)]
    if variables:
        caption = f"The {whole(len(patients))} measured patients." if len(tables.scans) else f"n = {len(patients)}."
        exhibits.append(characteristics("characteristics", "Patients", caption, patients, variables))
    if len(measured.scans):
        exhibits.append(cohort_tables.level_table(measured.level_means, len(measured_ids)))
        exhibits.append(cohort_tables.imaging_table(measured.scans))
        drawn.insert(0, cohort_tables.level_figure(measured.level_means))
    seen = cohort_tables.series_table(tables.series)
    figures = [
        _figure_view(figure, theme.svg_text(figure.figure, f"report/{figure.key}"), "cohort-")
        for figure in drawn
        if figure is not None
    ]
    views = [table_view(exhibit, shown=2 * settings.rows_shown) for exhibit in [*exhibits, *([seen] if seen else [])]]
    return {"session": session, "tables": views, "figures": figures}


def _pictures(scans: pd.DataFrame, output_dir: Path, settings: ReportSettings, seed: int) -> dict[str, Any]:
    choice = choose_pictures(
        scans, with_remarks=settings.thumbnails, without_remarks=settings.thumbnails_sampled, seed=seed
    )
    shown = thumbnails(scans.loc[list(choice.rows)], output_dir, width_px=settings.thumbnail_width_px)
    return {"shown": shown, "choice": choice, "seed": seed}


def _methods(tables: ReportTables, measured: Measured) -> str:
    """How the numbers were measured, from what the rows say about themselves."""
    if not measured.localisers:
        return "No scan was measured." if len(tables.scans) else "The patient table was given; no scan was measured."
    localisers = ", ".join(measured.localisers)
    calibrations = ", ".join(measured.calibrations) or "none"
    calibration = (
        "No calibration was applied, so densities are given in HU only."
        if calibrations == "none"
        else f"HU were calibrated to mg/cm³ by: {calibrations}."
    )
    return (
        f"Vertebrae were localised by: {localisers}. Regions were placed in the anatomical frame of each vertebra, "
        "with sizes in millimetres and voxels at a border weighted by the part that lies inside. The three-slice index "
        "is the mean of one ellipse below the superior endplate, one in the middle and one above the inferior endplate "
        "of each valid level of L1-L4, every slice with one weight; 3D-HU is the mean of the whole trabecular volume "
        f"of the body. {calibration} A value that could not be measured is missing, with its reason, never replaced."
    )
