"""The page docs/calibration.md from the rows of benchmarks/calibration.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from spongiosa.config.phantoms import PRESETS
from spongiosa.statistics.repeatability import repeatability

#: Phantoms x voltages x slice thicknesses x kernels.
WHOLE_RUN = len(PRESETS) * 4 * 4 * 3

INTRODUCTION = """\
# Calibration

Made by `make calibration` (`benchmarks/calibration.py`): synthetic patients on synthetic phantoms, whose densities and
places are known. True is what a perfect calibration with the phantom gives for the noise-free field over the ideal
region; a phantom cannot see the fat in the marrow, so that this is not the mass of hydroxyapatite in the bone. The
label maps are the true ones; regions and rods are found as in a run.
"""

METHOD = """
## How a phantom is found

Round spots are followed from slab to slab along the patient, in any direction within 20 degrees of the axis. Averaged
along that direction the scan shows even faint rods. The layout of the phantom, moved, turned, mirrored and scaled
within its tolerance, says which spot is which rod; every rod must have HU that a credible line can give it, an even
core, and the same plastic around it as the others. Rods are measured slice by slice, 3 mm inside their edge, with
sub-voxel weights. The line is fitted by least squares without at most one outlying rod. No line is given when the
slope, the offset of water, r2, the residuals, the drift along the patient or the share of slices is not credible, when
further rods are seen, or when the rods can be told apart in two ways.

A rod that cannot be seen, because it is as dark as its plastic, may lie only where nothing can be seen over the whole
of its section: a place that reaches the edge of the plastic is none. A phantom of two rods has least to be known by:
a round muscle at the right distance from its bright rod is a second way to tell the rods, and the scan is refused (with
other poses, `--seed 2`, this cost scans of `siemens_osteo`; no rod was taken for another).

The name of the phantom is the user's word. The HU of rods of 0, 100 and 200 mg/cm3 and of 0, 75 and 150 mg/cm3 lie on
credible lines of either phantom, which differ by a third; the distances of the rods then decide. Where those of the
named phantom are wrong by more than 20 % and those of another one fit within 10 %, the scan is refused
(`phantom_mismatch`). In between they cannot tell, as the distances of the presets are nominal: type in `position_mm` of
the rods from the drawing, with `layout_tolerance: 0.05`, and the other phantom is not found at all.
"""


def write_page(accuracy: pd.DataFrame, traps: pd.DataFrame, repeats: Sequence[Sequence[float]], path: Path) -> None:
    """Write the page from what there is so far."""
    parts = [INTRODUCTION]
    if len(accuracy):
        parts += ["## Accuracy", "", *_summary(accuracy), ""]
        for column, title in (
            ("phantom", "Phantom"),
            ("kvp", "kVp"),
            ("slice_mm", "Slices [mm]"),
            ("kernel", "Kernel"),
        ):
            parts += [*_table(accuracy, column, title), ""]
    if repeats:
        parts += ["## Repeatability", "", *_repeatability(repeats), ""]
    if len(traps):
        parts += ["## Traps", "", *_traps(traps), ""]
    parts += [METHOD, "", "## Where the values of the presets are from", "", *_sources()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _summary(rows: pd.DataFrame) -> list[str]:
    scans = rows.drop_duplicates("scan")
    found = scans["reason"].isna()
    wrong = int((scans.loc[found, "is_right"] == False).sum())  # noqa: E712
    error = _errors(rows)
    return [
        f"{len(scans)} of the {WHOLE_RUN} scans of a whole run: rods found and believed in {int(found.sum())} "
        f"({100 * found.mean():.1f} %; aim 99 %), a rod taken for another in {wrong} (aim 0). vBMD of `body_central` "
        f"at {len(error)} levels: mean absolute error {error.abs().mean():.2f} mg/cm3 (aim 2), bias "
        f"{error.mean():+.2f}, largest {error.abs().max():.2f}. Error of the line alone at 0 and 200 HU: mean "
        f"{scans['line_error'].mean():.2f}, largest {scans['line_error'].max():.2f} mg/cm3.",
        "",
        _refusals(scans),
    ]


def _refusals(scans: pd.DataFrame) -> str:
    """What was refused, and which poses were never scanned."""
    refused = scans.loc[scans["reason"].notna(), ["phantom", "kvp", "slice_mm", "kernel", "reason"]]
    named = [
        f"{row['phantom']} at {row['kvp']:g} kVp, {row['slice_mm']:g} mm, {row['kernel']} kernel (`{row['reason']}`)"
        for row in refused.to_dict("records")
    ]
    dropped = int(scans.drop_duplicates(["phantom", "kvp", "slice_mm"])["poses_out_of_view"].sum())
    return (
        f"Refused: {'; '.join(named) or 'none'}. Every rod lies wholly in the field of view, by its geometry; "
        f"poses that were drawn anew for that: {dropped}. A phantom that is cut is among the traps below."
    )


def _errors(rows: pd.DataFrame) -> pd.Series:
    return (rows["measured"].astype(float) - rows["truth"].astype(float)).dropna()


def _table(rows: pd.DataFrame, column: str, title: str) -> list[str]:
    lines = [
        f"| {title} | scans | found | mean abs. error | bias | largest | line alone, largest |",
        "|---|---|---|---|---|---|---|",
    ]
    for value, group in rows.groupby(column):
        scans, error = group.drop_duplicates("scan"), _errors(group)
        lines.append(
            f"| {value} | {len(scans)} | {100 * scans['reason'].isna().mean():.1f} % | {error.abs().mean():.2f} | "
            f"{error.mean():+.2f} | {error.abs().max():.2f} | {scans['line_error'].max():.2f} |"
        )
    return lines


def _repeatability(repeats: Sequence[Sequence[float]]) -> list[str]:
    most = max(len(values) for values in repeats)
    table = np.array([[*values, *[np.nan] * (most - len(values))] for values in repeats])
    found = repeatability(table)
    return [
        f"{found.n} patients of {np.nanmin(table):.0f} to {np.nanmax(table):.0f} mg/cm3 (mean of L1 and L2, Mindways "
        f"Model 3), {found.measurements} scans, each with new noise, a new pose of the patient, of every vertebra (SD "
        f"1 degree, 0.5 mm) and of the phantom. RMS-SD {found.within_subject_sd:.2f} mg/cm3 (95 % CI "
        f"{found.ci_low:.2f} to {found.ci_high:.2f}; aim 1.0), RMS-CV {found.rms_cv_percent:.2f} % (aim 1.0), least "
        f"significant change {found.least_significant_change:.1f} mg/cm3.",
    ]


def _traps(traps: pd.DataFrame) -> list[str]:
    lines = ["| phantom | trap | what was said | error of the line [mg/cm3] |", "|---|---|---|---|"]
    for row in traps.to_dict("records"):
        accepted = "accepted, right rods" if row.get("is_right") is True else "**accepted**"
        said = f"`{row['reason']}`" if row["reason"] else accepted
        error = row.get("line_error")
        shown = "" if error is None or np.isnan(error) else f"{error:.1f}"
        lines.append(f"| {row['phantom']} | {row['trap']} | {said} | {shown} |")
    return lines


def _sources() -> Iterable[str]:
    for name, phantom in PRESETS.items():
        rods = ", ".join(f"{rod.density_mg_cm3:g}" for rod in phantom.rods)
        yield f"- `{name}` ({phantom.material}; {rods} mg/cm3). {phantom.source}"
    yield ""
    yield "Type in the values of your own certificate: `python -m spongiosa.config.phantoms NAME` prints a preset."
