"""The parts of docs/accuracy.md on pedicles and trajectories: what kernel, voxel and width of the pedicle change."""

from __future__ import annotations

import pandas as pd

REGIONS = ("pedicle", "trajectory")
#: Outer width of a pedicle, by which it is grouped.  [mm]
WIDTHS_MM = (0.0, 8.0, 10.0, 30.0)


def pedicle_section(hu: pd.DataFrame, thickest_mm: float) -> list[str]:
    """Lines of the section: differences of scans with slices up to `thickest_mm`, by kernel and pixel, and by width.

    `hu` has the columns of `accuracy_table.write_page` with `difference` and `measuring`; without such scans there is
    no section.
    """
    thin = hu[hu["region"].isin(REGIONS) & (hu["slice_mm"] <= thickest_mm) & (hu["variant"] == "default")]
    if thin.empty:
        return []
    image = thin["kernel"] + " kernel, " + thin["pixel_mm"].map("{:.2f}".format) + " x "
    image += thin["slice_mm"].map("{:.2f} mm".format)
    names = [f"up to {WIDTHS_MM[1]:.0f} mm wide", f"{WIDTHS_MM[1]:.0f} to {WIDTHS_MM[2]:.0f} mm", "wider"]
    width = pd.cut(thin["pedicle_width_mm"], WIDTHS_MM, labels=names).astype(str)
    lines = [
        f"### Pedicle and trajectory in slices up to {thickest_mm} mm",
        "",
        "Limits as above. A kernel that enhances edges digs a trough beside the cortex, a soft one smears it: what is "
        "left of either at the inset of the region is the difference between *measuring* and *noise*.",
        "",
        "| region | image, or outer width of the pedicle | n | refused | as defined: bias | 95 % limits "
        "| measuring: 95 % limits | noise: 95 % limits |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for region in REGIONS:
        of_region = thin["region"] == region
        for groups in (image, width):
            for name in sorted(groups[of_region].unique()):
                rows = thin[of_region & (groups == name)]
                valid = rows.dropna(subset="difference")
                lines.append(
                    f"| {region} | {name} | {len(valid)} | {int(rows['measured'].isna().sum())} "
                    f"| {valid['difference'].mean():+.2f} | {limits(valid['difference'])} "
                    f"| {limits(valid['measuring'])} | {limits(valid['noise'])} |"
                )
    return lines


def axes_section(anatomy: pd.DataFrame) -> list[str]:
    """Lines of the table of axes by voxel; `anatomy` has the columns of `accuracy_table.write_page`."""
    lines = [
        "### Pedicle axes by voxel",
        "",
        "In thick slices the tilt up or down is uncertain. In voxels of 3 mm, of which a pedicle has 2 to 4 across, "
        "the one to the side is so too.",
        "",
        "| voxel | pedicles | traced | angle: mean | 95th percentile | across the axis: 95th percentile |",
        "|---|---|---|---|---|---|",
    ]
    for (pixel_mm, slice_mm), rows in anatomy.groupby(["pixel_mm", "slice_mm"]):
        angles, offsets = (
            pd.concat([rows[f"pedicle_{side}_{name}"] for side in ("left", "right")])
            for name in ("angle_deg", "offset_mm")
        )
        lines.append(
            f"| {pixel_mm:.2f} x {pixel_mm:.2f} x {slice_mm:.2f} mm | {len(angles)} | {angles.count()} "
            f"| {angles.mean():.2f} deg | {angles.quantile(0.95):.2f} deg | {offsets.quantile(0.95):.2f} mm |"
        )
    return lines


def limits(values: pd.Series) -> str:
    """Mean +- 1.96 SD."""
    if len(values) < 2:
        return "-"
    spread = 1.96 * values.std()
    return f"{values.mean() - spread:+.1f} to {values.mean() + spread:+.1f}"
