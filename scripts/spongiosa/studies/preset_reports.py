"""The five studies on synthetic cohorts, from their tables alone: `python -m spongiosa.studies.preset_reports FOLDER`.

Shows what each study writes and what the report looks like, without an image.  The cohorts are random draws that
follow the published figures; nothing in them is a patient.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from spongiosa import __version__
from spongiosa.config.report import ReportSettings
from spongiosa.config.studies import StudiesSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.provenance import package_versions, write_text
from spongiosa.report.page import Provenance, ReportTables, render_report
from spongiosa.report.study_files import PICTURES_FOLDER
from spongiosa.studies.catalogue import STUDIES
from spongiosa.studies.pictured_cohort import PicturedCohort
from spongiosa.studies.pictures import PICTURES, draw_pictures, write_pictures
from spongiosa.studies.result import StudyResult, write_study
from spongiosa.synthetic.population import PRESETS, as_recorded, sample_population
from spongiosa.synthetic.population_fusion import sample_fusion_cohort
from spongiosa.synthetic.population_readers import READING_PLANS, sample_readings
from spongiosa.synthetic.population_screws import sample_screws, with_acquisition

#: Study -> preset of the synthetic population.
PRESET_OF_STUDY = {
    "hu_dxa_concordance": "hu_dxa_concordance",
    "screening": "hu_dxa_concordance",
    "roi_comparison": "roi_shapes",
    "screw_loosening_qct": "qct_loosening",
    "screw_loosening_nomogram": "hu_ratio_nomogram",
    "new_fracture_3d_hu": "fracture_3d_hu",
}


def study_of_preset(name: str, seed: int, settings: StudiesSettings) -> tuple[pd.DataFrame, StudyResult]:
    """The synthetic cohort of a study, of the published size, and the study made of it."""
    preset = PRESETS[PRESET_OF_STUDY[name]]
    if name == "screw_loosening_nomogram":
        sampled = sample_fusion_cohort(preset, seed)
    else:
        sampled = as_recorded(sample_population(preset, preset.patients, seed))
    patients = with_acquisition(sampled, preset.name, seed)
    tables: dict[str, pd.DataFrame] = {}
    if preset.name in READING_PLANS and name != "screening":
        tables["readers"] = sample_readings(patients, READING_PLANS[preset.name], seed)
    if name == "screw_loosening_qct":
        tables["screws"] = sample_screws(patients, seed)
    return patients, STUDIES[name](patients, getattr(settings, name), ThresholdsSettings(), seed, **tables)


def write_reports(folder: Path, seed: int, settings: StudiesSettings) -> list[Path]:
    """One folder per study with its files and its report; returns the reports."""
    pages = []
    for name in PRESET_OF_STUDY:
        patients, result = study_of_preset(name, seed, settings)
        study_folder = folder / name / "studies" / name
        write_study(result, study_folder)
        if name in PICTURES:
            cohort = PicturedCohort(patients, PICTURES[name].wanted, is_synthetic=True)
            drawn = draw_pictures(name, getattr(settings, name).pictures, cohort)
            write_pictures(name, drawn, study_folder / PICTURES_FOLDER)
        page = folder / name / "report" / "index.html"
        write_text(page, _page(patients, study_folder, result.title, seed))
        sys.stdout.write(f"{name}: {result.headline}\n  {page}\n")
        pages.append(page)
    return pages


def _page(patients: pd.DataFrame, study_folder: Path, title: str, seed: int) -> str:
    nothing = pd.DataFrame(
        columns=["patient_id", "session", "modality", "status", "stage", "reason", "detail", "flags", "review_picture"]
    )
    tables = ReportTables(
        scans=nothing,
        series=pd.DataFrame(),
        measurements=pd.DataFrame(),
        patients=patients,
        exclusions=pd.DataFrame(columns=["patient_id", "session", "modality", "level", "stage", "reason", "detail"]),
    )
    settings = ReportSettings(title=f"{title} (synthetic cohort)")
    provenance = Provenance(__version__, "none: no image was measured", seed, package_versions())
    return render_report(tables, [study_folder], study_folder.parents[1], settings, provenance)


if __name__ == "__main__":
    write_reports(Path(sys.argv[1]), 2026, StudiesSettings())
