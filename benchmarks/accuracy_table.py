"""The page docs/accuracy.md from the differences of the accuracy run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from accuracy_pedicles import axes_section, limits, pedicle_section

#: Groups of slice thickness.  [mm]
GROUPS = {"all": (0.0, 9.0), "up to 1.5 mm": (0.0, 1.5), "2-3 mm": (1.5, 3.0), "5 mm": (3.0, 9.0)}

#: What errors of anatomy shall keep within.  [degrees, mm]
TOLERATED = {
    "superior_angle_deg": 2.0,
    "inferior_angle_deg": 2.0,
    "superior_offset_mm": 1.0,
    "inferior_offset_mm": 1.0,
    **{f"pedicle_{side}_angle_deg": 2.0 for side in ("left", "right")},
    **{f"pedicle_{side}_offset_mm": 1.5 for side in ("left", "right")},
    **{f"{place}_height_error_mm": 0.7 for place in ("anterior", "middle", "posterior")},
}


def write_page(hu: pd.DataFrame, anatomy: pd.DataFrame, path: Path) -> None:
    """Write the page.

    `hu`: one row per measurement (`case, slice_mm, pixel_mm, kernel, level, region, side, variant, pedicle_width_mm,
    measured, truth, own_slice, ideal, placed, noise, is_plain, is_other_slice`, HU); `anatomy`: one row per vertebra
    (errors in mm and degrees, true and measured grade).
    """
    measured = hu["measured"].astype(float)
    hu = hu.assign(
        difference=measured - hu["truth"],
        in_own_slice=measured - hu["own_slice"],
        from_ideal=measured - hu["ideal"],
        measuring=measured - hu["placed"],
    )
    unfounded = int((measured.notna() & hu["truth"].isna()).sum())
    text = [
        "# Accuracy against synthetic patients",
        "",
        f"Made by `make accuracy`: {hu['case'].nunique()} synthetic scans, levels T12-L5, voxels of 0.6 to 5 mm, three "
        "kernels, with fractures, osteophytes, sclerosis and scoliosis; of each scan every other level and all "
        "that are changed. The true label map is given; frames and regions are found as in a run. Differences are "
        "measured minus true. The scans of this page have a seed of their own: regions were developed on others.",
        "",
        "## HU of the regions",
        "",
        "Bias, and mean +- 1.96 SD of the differences, in HU. `oblique` is the plane parallel to the endplate. The "
        "truth is always a mean of the noise-free continuous field, over different bone:",
        "",
        "- **as defined**: the region of `regions.md` on the generator's own surfaces, axes and planes and the scan's "
        "grid: the slice that the rule chooses, with the thickness that it has, the inset that the voxels demand. This "
        "is what the region claims to measure; placing and measuring err against it. Pedicle and trajectory know no "
        "grid: their ideal regions are those of the definition.",
        "- **plain levels**: the same without the levels with a fracture, sclerosis or osteophytes, whose HU change "
        "by a hundred within millimetres.",
        "- **other slice**: how often another native slice than the defined one was measured. Where the rule falls "
        "between two slices, a tenth of a millimetre of the endplate decides, and below a sclerotic or crushed one "
        "neighbouring slices differ by up to 250 HU: a single such choice widens the limits as defined by tens of HU.",
        "- **own slice**: against the region laid out in the same way in the slice that was measured. This is the "
        "error of the value for the slice that the region names; how well slices are chosen is the error of endplates "
        "below.",
        "- **ideal**: the generator's region, which knows no scan: planes exactly 4 mm from the endplate's plane and "
        "without thickness, insets of two voxels, region A without regard to the endplates. The difference from "
        "*as defined* is what a scan of such slices cannot answer, because its slices do not lie there or reach the "
        "endplate there.",
        "- **measuring**: over exactly the voxels that were weighed: blur, partial volume and noise alone.",
        "- **noise**: of that the noise of the image, known from the generator, averaged over the same voxels. No "
        "region of this size can have narrower limits in such a scan.",
        "",
        "Refused regions have a reason and no value; in brackets how many of them have no room in the truth either, "
        f"the others have fewer voxels than `extract.minimum_effective_voxels`. {unfounded} regions have a value where "
        "the truth has no room.",
        "",
        *_hu_table(hu),
        "",
        *pedicle_section(hu, GROUPS["up to 1.5 mm"][1]),
        "",
        "## Anatomy",
        "",
        *_anatomy_table(anatomy),
        "",
        *axes_section(anatomy),
        "",
        "## Fracture grade",
        "",
        *_grade_table(anatomy),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


def _hu_table(hu: pd.DataFrame) -> list[str]:
    lines = [
        "| region | slices | n | refused | as defined: bias | 95 % limits | plain levels: n | bias | 95 % limits "
        "| other slice | own slice: bias | 95 % limits | ideal: bias | 95 % limits | measuring: bias | 95 % limits "
        "| noise: 95 % limits |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (region, variant), of_region in hu.groupby(["region", "variant"], sort=False):
        name = region if variant == "default" else f"{region} ({variant})"
        for group, rows in _groups(of_region):
            valid = rows.dropna(subset="difference")
            refused = rows[rows["measured"].isna()]
            plain = valid.loc[valid["is_plain"], "difference"]
            other = int(valid["is_other_slice"].astype(bool).sum())
            lines.append(
                f"| {name} | {group} | {len(valid)} | {len(refused)} ({int(refused['truth'].isna().sum())}) "
                f"| {_bias(valid['difference'])} | {len(plain)} | {_bias(plain)} "
                f"| {other} | {_bias(valid['in_own_slice'])} | {_bias(valid['from_ideal'])} "
                f"| {_bias(valid['measuring'])} | {limits(valid['noise'])} |"
            )
    return lines


def _anatomy_table(anatomy: pd.DataFrame) -> list[str]:
    lines = [
        "| quantity | slices | n | mean | root mean square | 95th percentile of the absolute error | within |",
        "|---|---|---|---|---|---|---|",
    ]
    for column, tolerated in TOLERATED.items():
        for group, rows in _groups(anatomy):
            values = rows[column].dropna()
            if len(values):
                size = values.abs()
                lines.append(
                    f"| {column} | {group} | {len(values)} | {values.mean():.2f} | {(values**2).mean() ** 0.5:.2f} "
                    f"| {np.quantile(size, 0.95):.2f} | {(size <= tolerated).mean():.0%} in {tolerated} |"
                )
    return lines


def _grade_table(anatomy: pd.DataFrame) -> list[str]:
    graded = anatomy.dropna(subset="grade")
    right = (graded["grade"].astype(int) == graded["true_grade"]).mean()
    fractured = graded[graded["true_grade"] > 0]
    right_fractured = (fractured["grade"].astype(int) == fractured["true_grade"]).mean()
    lines = [
        f"Right in {right:.1%} of {len(graded)} vertebrae, and in {right_fractured:.1%} of the {len(fractured)} "
        "fractured ones.",
        "",
        "| true grade | measured 0 | 1 | 2 | 3 |",
        "|---|---|---|---|---|",
    ]
    for grade in range(4):
        counts = [int(((graded["true_grade"] == grade) & (graded["grade"] == other)).sum()) for other in range(4)]
        lines.append(f"| {grade} | " + " | ".join(map(str, counts)) + " |")
    return lines


def _groups(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    thickness = rows["slice_mm"]
    return [(name, rows[(thickness > low) & (thickness <= high)]) for name, (low, high) in GROUPS.items()]


def _bias(values: pd.Series) -> str:
    return "- | -" if len(values) < 2 else f"{values.mean():+.2f} | {limits(values)}"
