"""A cohort as cohort/ holds it: measured, excluded and failed scans, levels that are missing, review pictures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from spongiosa.config.report import ReportSettings
from spongiosa.config.studies import HuDxaConcordanceSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report.page import Provenance, ReportTables
from spongiosa.studies.hu_dxa_concordance import analyse
from spongiosa.studies.result import write_study

LEVELS = ("T12", "L1", "L2", "L3", "L4", "L5")
PROVENANCE = Provenance("0.1.0", "0123456789abcdef", 2026, {"numpy": "2.4.0", "scipy": "1.17.0"})


@dataclass(frozen=True)
class Cohort:
    """The tables of a run and the folder in which its studies and pictures lie."""

    tables: ReportTables
    folder: Path

    @property
    def studies(self) -> list[Path]:
        return sorted(path.parent for path in self.folder.glob("studies/*/audit.json"))


def scans_table(count: int, excluded: int, failed: int) -> pd.DataFrame:
    """`count` scans of which the first are excluded (two reasons in turn), the next failed, the rest measured."""
    causes = [
        ("index_series", "localizer_only", "The folder holds 2 localizer images and no series of slices."),
        ("localise_vertebrae", "no_lumbar_vertebra", "T12 is just in view, but no complete lumbar vertebra."),
    ]
    rows = []
    for number in range(count):
        patient_id = f"P{number + 1:03d}"
        row = {"patient_id": patient_id, "session": "preop", "modality": "ct", "unit": f"u{number:05d}", "flags": []}
        stem = f"sub-{patient_id}/ses-preop/ct/sub-{patient_id}_ses-preop_desc-review.png"
        outcome: dict[str, object] = {"status": "ok", "stage": None, "reason": None, "detail": None}
        outcome["review_picture"] = stem
        if number < excluded:
            stage, reason, detail = causes[number % 2]
            outcome = {"status": "excluded", "stage": stage, "reason": reason, "detail": detail, "review_picture": None}
        elif number < excluded + failed:
            outcome = {"status": "failed", "stage": "mask_regions", "reason": "unexpected_error",
                       "detail": "ValueError: shapes differ", "review_picture": None}  # fmt: skip
        elif number % 5 == 0:
            row["flags"] = ["near_edge"]
        rows.append({**row, **outcome})
    return pd.DataFrame(rows)


def measurements_table(patients: pd.DataFrame, measured: list[str], rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    regions = ("ellipse_superior", "ellipse_mid", "ellipse_inferior", "body_trabecular")
    for patient_id, hu in zip(patients["patient_id"], patients["ax_l1_l4_hu"], strict=True):
        if patient_id not in measured:
            continue
        maker = rng.choice(["Siemens", "GE", "Philips"])
        for step, level in enumerate(LEVELS):
            for region in regions:
                is_cut = level == "T12" and rng.random() < 0.4
                rows.append(
                    {"patient_id": patient_id, "session": "preop", "modality": "ct", "level": level, "region": region,
                     "side": "none", "variant": "default", "status": "excluded" if is_cut else "ok",
                     "reason": "level_truncated" if is_cut else None,
                     "hu_mean": None if is_cut else hu + 6 - 3 * step + rng.normal(0, 6),
                     "vbmd_mean_mg_cm3": None, "calibration_method": "none", "kvp": 120.0,
                     "kernel": {"Siemens": "Br40", "GE": "STANDARD", "Philips": None}[str(maker)],
                     "manufacturer": str(maker), "slice_thickness_mm": float(rng.choice([1.0, 3.0])),
                     "slice_spacing_mm": 1.0, "contrast_phase": "none", "localiser": "embedded"}
                )  # fmt: skip
    return pd.DataFrame(rows)


def patients_table(scans: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    count = len(scans)
    age = rng.normal(70, 8, count).clip(51, 92)
    latent = rng.normal(0, 1, count) - (age - 70) / 16
    hu = 118 + 32 * latent
    frame = pd.DataFrame(
        {
            "patient_id": scans["patient_id"],
            "age_years": age.round(1),
            "sex": rng.choice(["female", "male"], count, p=[0.65, 0.35]),
            "bmi_kg_m2": rng.normal(24, 3.5, count).round(1),
            "t_score_lumbar": (-1.4 + 0.9 * latent + rng.normal(0, 0.9, count)).round(1),
            "t_score_femoral_neck": (-1.8 + 0.7 * latent + rng.normal(0, 0.7, count)).round(1),
            "ax_l1_l4_hu": hu,
            "hu_3d_l1_l4": hu - 4 + rng.normal(0, 4, count),
        }
    )
    left = (scans["status"] != "ok").to_numpy()
    frame.loc[left, ["ax_l1_l4_hu", "hu_3d_l1_l4"]] = np.nan
    frame["ax_l1_l4_hu_reason"] = scans["reason"].to_numpy()
    frame["l1_hu"] = frame["ax_l1_l4_hu"] + 5
    return frame.convert_dtypes()


def exclusions_table(scans: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    left = scans[scans["status"] != "ok"].assign(level=None)
    columns = ["patient_id", "session", "modality", "level", "stage", "reason", "detail"]
    parts = [left[columns]]
    if len(measurements):
        lost = measurements[measurements["status"] != "ok"].drop_duplicates(["patient_id", "level", "reason"])
        parts.append(lost.assign(stage="extract_density", detail=lost["level"] + ": cut by the edge.")[columns])
    return pd.concat([part.astype("string") for part in parts], ignore_index=True)


def draw_pictures(scans: pd.DataFrame, folder: Path) -> None:
    for number, path in enumerate(scans["review_picture"].dropna()):
        picture = Image.new("L", (480, 360), 25)
        pen = ImageDraw.Draw(picture)
        for body in range(6):
            pen.rectangle((180 + 5 * body, 20 + 55 * body, 260 + 5 * body, 60 + 55 * body), fill=120 + number % 60)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        picture.save(folder / path)


def make_cohort(
    folder: Path, count: int, *, excluded: int = 2, failed: int = 0, clinical: bool = True, study: bool = True
) -> Cohort:
    """A run of `count` scans in `folder`."""
    rng = np.random.default_rng(count)
    scans = scans_table(count, excluded, failed)
    patients = patients_table(scans, rng)
    measurements = measurements_table(patients, list(scans.loc[scans["status"] == "ok", "patient_id"]), rng)
    draw_pictures(scans.head(60), folder)
    if study:
        result = analyse(patients, HuDxaConcordanceSettings(bootstrap_draws=100), ThresholdsSettings(), 1)
        write_study(result, folder / "studies" / result.name)
    if not clinical:
        keep = [name for name in patients if name == "patient_id" or "hu" in name]
        patients = patients[keep]
    tables = ReportTables(
        scans=scans,
        series=pd.DataFrame(),
        measurements=measurements,
        patients=patients,
        exclusions=exclusions_table(scans, measurements),
    )
    return Cohort(tables, folder)


@pytest.fixture(scope="session")
def demo_cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Sixteen patients, two excluded for different reasons, one study."""
    return make_cohort(tmp_path_factory.mktemp("demo"), 16)


@pytest.fixture(scope="session")
def failed_cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Twelve patients, one of whom failed with an unexpected error; no clinical table and no study."""
    return make_cohort(tmp_path_factory.mktemp("failed"), 12, failed=1, clinical=False, study=False)


@pytest.fixture(scope="session")
def report_settings() -> ReportSettings:
    return ReportSettings()


@pytest.fixture(scope="session")
def provenance() -> Provenance:
    return PROVENANCE


CHROMIUM = shutil.which("chromium")

#: How long a tab may take for one step: only a page that never does it fails, and no busy machine.
PATIENCE_MS = 180_000


@dataclass
class Opened:
    """A page in a tab, and what it complained about or asked for besides itself."""

    tab: Any
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium; the tests that need it are skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt-get install chromium).")
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=PATIENCE_MS)
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags, timeout=PATIENCE_MS)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Any]:
    """Opens files: `open_page(path, **options of the tab)` gives an `Opened`."""
    tabs = []

    def opener(file: Path, **options: Any) -> Opened:
        opened = Opened(browser.new_page(**options))
        opened.tab.set_default_timeout(PATIENCE_MS)
        tabs.append(opened.tab)
        opened.tab.on("console", lambda message: opened.complaints.append(f"{message.type}: {message.text}"))
        opened.tab.on("pageerror", lambda error: opened.complaints.append(str(error)))

        def note(request: Any) -> None:
            if request.url != file.as_uri() and not request.url.startswith(("data:", "blob:")):
                opened.complaints.append(f"request: {request.url}")

        opened.tab.on("request", note)
        opened.tab.goto(file.as_uri())
        return opened

    yield opener
    for tab in tabs:
        tab.close()
