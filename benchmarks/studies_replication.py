"""The printed headlines of the five papers beside ours over many synthetic cohorts: docs/studies_replication.md.

    python benchmarks/studies_replication.py --seeds 200

For each seed every preset gives a cohort of the paper's size; our statistics measure the headlines on it; a printed
value is met where it lies, within its rounding, in the central 95 % of ours.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.studies_headlines import MEASURES, VALIDATION_DRAWS  # noqa: E402
from benchmarks.studies_printed import PRINTED  # noqa: E402

from spongiosa.synthetic.population import PRESETS, as_recorded, sample_population  # noqa: E402

CENTRAL = (2.5, 97.5)


def measured(study: str, seeds: int) -> pd.DataFrame:
    """One row per seed with every headline of the study; missing where a cohort does not determine it."""
    preset = PRESETS[study]
    rows = []
    for seed in range(seeds):
        table = as_recorded(sample_population(preset, preset.patients, seed))
        rows.append(MEASURES[study](table, seed))
        if seed % 50 == 49:
            sys.stdout.write(f"{study}: {seed + 1} cohorts, {time.process_time():.0f} s CPU\n")
            sys.stdout.flush()
    return pd.DataFrame(rows)


def compared(seeds: int) -> pd.DataFrame:
    """One row per printed headline: ours over the seeds, and whether the printed value lies in their central 95 %."""
    found = {study: measured(study, seeds) for study in MEASURES}
    rows = []
    for headline in PRINTED:
        values = found[headline.study][headline.name].to_numpy(dtype=float)
        known = values[~np.isnan(values)]
        low, high = np.percentile(known, CENTRAL)
        is_met = low - headline.rounding <= headline.printed <= high + headline.rounding
        rows.append(
            {"study": headline.study, "headline": headline.name, "printed": headline.printed,
             "median": float(np.median(known)), "low": low, "high": high, "cohorts": known.size, "is_met": is_met,
             "remark": headline.remark}
        )  # fmt: skip
    return pd.DataFrame(rows)


def document(table: pd.DataFrame, seeds: int) -> str:
    """The page: the table of headlines, and what each preset is made from."""
    met = int(table["is_met"].sum())
    lines = [
        "# The papers' headlines on synthetic cohorts",
        "",
        f"Written by `python benchmarks/studies_replication.py --seeds {seeds}`. For each of {seeds} seeds every "
        "preset gives a cohort of the paper's size, recorded as a hospital records it; our statistics measure the "
        "headlines on it. A printed value is met where it lies, within its rounding, between the 2.5th and the 97.5th "
        f"percentile of ours: {met} of {len(table)}.",
        "",
        "This shows that the presets, and the statistics on them, are of the papers' size and shape. It does not test "
        "the papers, and a value that a preset was fitted to (an AUC, a correlation) is met by construction; what "
        "follows from the rest (cut-offs, sensitivities, kappa, odds ratios) is not. Which is which stands in the "
        "second part.",
        "",
        f"The optimism of the nomogram's AUC rests on {VALIDATION_DRAWS} resamples per cohort.",
        "",
    ]
    for study, rows in table.groupby("study", sort=False):
        preset = PRESETS[str(study)]
        lines += [f"## {preset.paper}", "", "| headline | printed | ours, median | ours, central 95 % | met | remark |"]
        lines += ["|---|---:|---:|---:|---|---|"]
        for row in rows.to_dict("records"):
            digits = _digits(row["printed"])
            span = f"{row['low']:.{digits}f} to {row['high']:.{digits}f}"
            few = "" if row["cohorts"] == seeds else f" ({row['cohorts']} cohorts)"
            lines.append(
                f"| {row['headline']} | {row['printed']:.{digits}f} | {row['median']:.{digits}f} | {span}{few} | "
                f"{'yes' if row['is_met'] else '**no**'} | {row['remark']} |"
            )
        lines.append("")
    lines += ["# What the presets are made from", ""]
    lines += ["*Printed* stands in the paper, *derived* follows from printed figures, *assumed* is ours.", ""]
    for study in MEASURES:
        preset = PRESETS[study]
        lines += [f"## {preset.name}: {preset.paper}", "", "| figure | value | origin | source |", "|---|---|---|---|"]
        for row in preset.figures().to_dict("records"):
            lines.append(f"| {row['figure']} | {row['value']} | {row['origin']} | {row['source']} |")
        lines.append("")
    return "\n".join(lines)


def _digits(printed: float) -> int:
    return 0 if float(printed).is_integer() and abs(printed) >= 20 else 1 if abs(printed) >= 20 else 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "studies_replication.md")
    arguments = parser.parse_args()
    table = compared(arguments.seeds)
    arguments.output.write_text(document(table, arguments.seeds), encoding="utf-8")
    sys.stdout.write(table[~table["is_met"]].to_string() + "\n")
    sys.stdout.write(f"{int(table['is_met'].sum())} of {len(table)} met; {time.process_time():.0f} s CPU\n")


if __name__ == "__main__":
    main()
