"""How long the report of a large cohort takes to render and to open: `python benchmarks/report_open.py FOLDER [N ...]`.

For each cohort of N patients (default 10,000 and 100,000): stub tables of the right shape, then, each in a process of
its own, rendering (CPU time, peak memory, size of the page) and opening in headless Chromium (wall time until the page
is loaded and painted, CPU time of the browser).  Wall times hold for this machine under its load.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

LEVELS = ("T12", "L1", "L2", "L3", "L4", "L5")
REGIONS = ("ellipse_superior", "ellipse_mid", "ellipse_inferior", "body_trabecular", "body_central", "shape_oval",
           "shape_round", "shape_front", "shape_left", "shape_right", "pedicle", "trajectory")  # fmt: skip
#: Patients of one row group of measurements.parquet.
CHUNK = 5000


def write_tables(folder: Path, patients: int) -> None:
    """cohort/ of a made-up run: 3 % excluded, 0.1 % failed, 8 % flagged, 72 measurements per scan."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    cohort = folder / "cohort"
    cohort.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    ids = np.array([f"P{number:06d}" for number in range(patients)])
    outcome = rng.choice(["ok", "excluded", "failed"], patients, p=[0.969, 0.03, 0.001])
    age = rng.normal(68, 10, patients).round(1)
    hu = 230 - 1.6 * age + rng.normal(0, 30, patients)
    scans = pd.DataFrame(
        {
            "patient_id": ids, "session": "preop", "modality": "ct", "unit": "u00001", "status": outcome,
            "stage": np.where(outcome == "ok", None, "localise_vertebrae"),
            "reason": np.where(outcome == "excluded", "no_lumbar_vertebra", None),
            "detail": np.where(outcome == "ok", None, "T12 is just in view, but no complete lumbar vertebra."),
            "flags": [["near_edge"] if flag else [] for flag in rng.random(patients) < 0.08],
            "review_picture": np.where(outcome == "ok", np.char.add("sub-", np.char.add(ids, "/review.png")), None),
        }
    )  # fmt: skip
    scans.to_parquet(cohort / "scans.parquet", index=False)
    left = scans[scans["status"] != "ok"].assign(level=None)
    columns = ["patient_id", "session", "modality", "level", "stage", "reason", "detail"]
    left[columns].to_parquet(cohort / "exclusions.parquet", index=False)
    table = pd.DataFrame(
        {
            "patient_id": ids, "age_years": age, "sex": rng.choice(["female", "male"], patients),
            "bmi_kg_m2": rng.normal(25, 4, patients).round(1), "ax_l1_l4_hu": hu, "hu_3d_l1_l4": hu - 5,
            "t_score_lumbar": ((hu - 150) / 40).round(1), **{f"extra_{number}": hu for number in range(60)},
        }
    )  # fmt: skip
    table.to_parquet(cohort / "patients.parquet", index=False)
    series = pd.DataFrame(
        {"is_chosen": [True, False, False] * patients, "reason": [None, "localizer_only", None] * patients}
    )
    series.to_parquet(cohort / "series.parquet", index=False)
    writer = None
    for start in range(0, patients, CHUNK):
        chunk = ids[start : start + CHUNK]
        count = len(chunk) * len(LEVELS) * len(REGIONS)
        rows = pd.DataFrame(
            {
                "patient_id": np.repeat(chunk, len(LEVELS) * len(REGIONS)), "session": "preop", "modality": "ct",
                "level": np.tile(np.repeat(LEVELS, len(REGIONS)), len(chunk)),
                "region": np.tile(REGIONS, len(chunk) * len(LEVELS)), "variant": "default", "status": "ok",
                "hu_mean": np.repeat(hu[start : start + CHUNK], len(LEVELS) * len(REGIONS)) + rng.normal(0, 9, count),
                "vbmd_mean_mg_cm3": np.nan, "manufacturer": "Siemens", "kvp": 120.0, "kernel": "Br40",
                "slice_thickness_mm": 1.0, "slice_spacing_mm": 1.0, "contrast_phase": "none", "localiser": "embedded",
                "calibration_method": "none",
            }
        )  # fmt: skip
        batch = pa.Table.from_pandas(rows, preserve_index=False)
        writer = writer or pq.ParquetWriter(cohort / "measurements.parquet", batch.schema, compression="zstd")
        writer.write_table(batch)
    if writer is not None:
        writer.close()


def render(folder: Path, listed: int) -> dict[str, float]:
    """The page of the tables in `folder`, and what it cost this process."""
    import pandas as pd

    from spongiosa.config.report import ReportSettings
    from spongiosa.report.cohort_tables import SERIES_COLUMNS
    from spongiosa.report.page import Provenance, ReportTables, render_report

    cohort = folder / "cohort"
    started = time.process_time()
    tables = ReportTables(
        measurements=cohort / "measurements.parquet",
        series=pd.read_parquet(cohort / "series.parquet", columns=list(SERIES_COLUMNS)),
        **{name: pd.read_parquet(cohort / f"{name}.parquet") for name in ("scans", "patients", "exclusions")},
    )
    page = render_report(tables, [], folder, ReportSettings(patients_listed=listed), Provenance("benchmark", "", 1))
    (folder / "report").mkdir(exist_ok=True)
    (folder / "report" / "index.html").write_text(page, encoding="utf-8")
    return {
        "listed": listed,
        "page_mb": round(len(page.encode()) / 1e6, 2),
        "render_cpu_s": round(time.process_time() - started, 1),
        "render_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def open_page(folder: Path) -> dict[str, float]:
    """Seconds until the page is loaded and painted; CPU seconds of the whole browser, sorting of a table included."""
    from playwright.sync_api import sync_playwright

    page = folder / "report" / "index.html"
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.goto("about:blank")
        before, started = children_cpu_s(), time.perf_counter()
        tab.goto(page.as_uri(), wait_until="load")
        tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        opened = time.perf_counter() - started
        cpu = children_cpu_s() - before
        started = time.perf_counter()
        tab.locator("#patient-list thead button").nth(2).click()
        tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        sorted_in = time.perf_counter() - started
        nodes = tab.evaluate("document.querySelectorAll('*').length")
        browser.close()
    return {
        "open_wall_s": round(opened, 2),
        "open_cpu_s": round(cpu, 2),
        "sort_wall_s": round(sorted_in, 2),
        "elements": nodes,
    }


def children_cpu_s() -> float:
    """CPU seconds of all processes below this one that are alive (Linux)."""
    parents, seconds = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while the list was read
        pid = int(stat.parent.name)
        parents[pid], seconds[pid] = int(fields[1]), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_ours(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == os.getpid():
                return True
        return False

    return sum(spent for pid, spent in seconds.items() if is_ours(pid))


def main() -> None:
    """Each measurement in a process of its own, so that peak memory is that of the rendering alone."""
    folder = Path(sys.argv[1]).resolve()
    if sys.argv[2:3] == ["--render"]:
        print(json.dumps(render(folder, int(sys.argv[3]))))
        return
    for patients in [int(text) for text in sys.argv[2:]] or [10_000, 100_000]:
        run = folder / f"{patients}"
        if not (run / "cohort" / "measurements.parquet").exists():
            write_tables(run, patients)
        for listed in sorted({2000, min(patients, 10_000)}):
            command = [sys.executable, __file__, str(run), "--render", str(listed)]
            rendered = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(json.dumps({"patients": patients, **rendered, **open_page(run)}), flush=True)


if __name__ == "__main__":
    main()
