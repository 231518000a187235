"""The figures of the HU-DXA concordance study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report import figures, theme
from spongiosa.report.exhibits import FigureExhibit
from spongiosa.report.formatting import number, p_value
from spongiosa.report.theme import GroupStyle
from spongiosa.report.variables import SITE_LABELS
from spongiosa.statistics.comparison import levene
from spongiosa.studies.baseline import compare_numbers
from spongiosa.studies.flow_table import patient_names
from spongiosa.studies.hu_dxa_groups import GROUP_STYLES, GROUPS, REFERENCE_GROUP, ConcordanceCohort
from spongiosa.studies.result import attempt, record_where

SEX_STYLES = {
    "female": GroupStyle("Female", theme.PURPLE, "o"),
    "male": GroupStyle("Male", theme.GREEN, "s", "////"),
}
SITE_STYLES = {
    "lumbar": GroupStyle(SITE_LABELS["lumbar"], theme.BLUE, "o"),
    "femoral_neck": GroupStyle(SITE_LABELS["femoral_neck"], theme.ORANGE, "s", "////"),
    "total_hip": GroupStyle(SITE_LABELS["total_hip"], theme.VERMILLION, "^", "...."),
    "tie": GroupStyle("Tie", theme.MUTED, "D", "xxxx"),
}
Drawn = tuple[FigureExhibit | None, str]
NOBODY = "Nobody is analysed."


def scatter_figure(
    cohort: ConcordanceCohort, thresholds: ThresholdsSettings, index_label: str, lines: pd.DataFrame
) -> Drawn:
    """F1: HU against the lowest T-score and each site's, with the lines of `lines` (the frame of Table 6)."""
    frame = cohort.frame
    if frame.empty:
        return None, NOBODY
    outcomes = {"low_t_score": "Lowest T-score"} | {f"t_score_{s}": f"{SITE_LABELS[s]} T-score" for s in cohort.sites}
    panels = []
    for column, label in outcomes.items():
        known = frame[frame[column].notna()]
        x, y = known["index_hu"].to_numpy(dtype=float), known[column].to_numpy(dtype=float)
        line = record_where(lines, "outcome", column)
        intercept, slope = float(line["intercept"]), float(line["slope"])
        r, rho = float(line["pearson_estimate"]), float(line["spearman_estimate"])
        is_known = not (math.isnan(r) or math.isnan(rho))
        remark = f"r = {number(r, 2)}, ρ = {number(rho, 2)}, n = {x.size}" if is_known else ""
        panels.append(
            figures.ScatterPanel(
                title=label,
                x=x,
                y=y,
                group=known["group"].to_numpy(dtype=str),
                x_label="HU",
                y_label="T-score [SD]",
                line=None if math.isnan(slope) else (intercept, slope),
                remark=remark,
                names=patient_names(known),
            )
        )
    drawing = figures.scatter(
        panels,
        GROUP_STYLES,
        vertical_marks=[thresholds.hu_osteoporosis],
        horizontal_marks=[thresholds.t_osteoporosis],
    )
    columns = [c for c in ("patient_id", "index_hu", *outcomes, "group") if c in frame]
    remarks = "; ".join(f"{panel.title}: {panel.remark}" for panel in panels if panel.remark)
    return FigureExhibit(
        key="f1_scatter",
        title="Figure 1. HU and T-score",
        figure=drawing,
        data=frame[columns],
        caption=f"{index_label} against T-scores. Line: least squares. Dashed: {thresholds.hu_osteoporosis:g} HU and "
        f"T = {number(thresholds.t_osteoporosis)}.",
        alt=f"Scatter plots of HU against T-scores with regression lines, coloured by group. {remarks}.",
    ), ""


def distribution_figure(cohort: ConcordanceCohort, thresholds: ThresholdsSettings, index_label: str) -> Drawn:
    """F3: distribution of HU coloured by group, with the borders of the gray zone."""
    frame = cohort.frame
    if frame.empty:
        return None, NOBODY
    order = (
        "dxa_positive_hu_positive",
        "dxa_negative_hu_positive",
        "dxa_positive_hu_negative",
        "dxa_negative_hu_negative",
    )
    values = {name: frame.loc[frame["group"] == name, "index_hu"].to_numpy(dtype=float) for name in order}
    values = {name: part for name, part in values.items() if part.size}
    drawing, edges = figures.stacked_histogram(
        values, GROUP_STYLES, x_label=f"{index_label} [HU]", bin_width=10.0, marks=thresholds.hu_gray_zone
    )
    data = pd.DataFrame({"hu_above": edges[:-1], "hu_up_to": edges[1:]})
    for name, part in values.items():
        data[name] = figures.count_in_bins(part, edges)
    discordant = int((~frame["is_concordant"]).sum())
    low, high = thresholds.hu_gray_zone
    return FigureExhibit(
        key="f3_distribution",
        title="Figure 3. Distribution of HU by concordance",
        figure=drawing,
        data=data,
        caption=f"Dark: concordant, light and hatched: discordant. Dashed: borders of the gray zone, {low:g} and "
        f"{high:g} HU.",
        alt=f"Stacked histogram of HU in bins of 10 HU. {discordant} of {len(frame)} patients are discordant.",
    ), ""


def residual_figure(cohort: ConcordanceCohort, lines: pd.DataFrame, values: Mapping[str, Any]) -> Drawn:
    """F4: residuals of the line of Table 6 (`lines`) that predicts the lowest T-score from HU."""
    if values["line_reason"]:
        return None, str(values["line_reason"])
    line = record_where(lines, "outcome", "low_t_score")
    fitted = float(line["intercept"]) + float(line["slope"]) * cohort.frame["index_hu"].to_numpy(dtype=float)
    residuals = cohort.frame["low_t_score"].to_numpy(dtype=float) - fitted
    residual_sd, shapiro = (
        float("nan") if values[name] is None else float(values[name]) for name in ("residual_sd", "shapiro_p")
    )
    bins = max(5, min(30, int(math.sqrt(residuals.size) * 1.5)))
    drawing = figures.residuals(
        residuals,
        fitted,
        cohort.frame["group"].to_numpy(dtype=str),
        GROUP_STYLES,
        residual_label="Residual of the lowest T-score [SD]",
        fitted_label="T-score predicted from HU [SD]",
        bins=bins,
        sd=residual_sd,
    )
    concordant = cohort.frame["is_concordant"].to_numpy(dtype=bool)
    spread, spread_reason = attempt(levene, residuals[concordant], residuals[~concordant])
    spread_text = (
        f"Spread in concordant and discordant patients: Levene P {p_value(spread.p_value)}."
        if spread
        else f"Spread by concordance not compared: {spread_reason}"
    )
    columns = [c for c in ("patient_id", "index_hu", "low_t_score", "group", "is_concordant") if c in cohort.frame]
    return FigureExhibit(
        key="f4_residuals",
        title="Figure 4. Residuals of the HU-T-score line",
        figure=drawing,
        data=cohort.frame[columns].assign(fitted=fitted, residual=residuals),
        caption=f"Left: the normal curve has the same SD. Residual SD {number(residual_sd, 2)}, Shapiro-Wilk P "
        f"{p_value(shapiro)}. {spread_text}",
        alt=f"Histogram of {residuals.size} residuals with a normal curve, and residuals over the predicted T-score.",
    ), ""


def box_figure(cohort: ConcordanceCohort) -> Drawn:
    """F5: age and body mass index over the four groups, with P against DXA-/HU-."""
    frame = cohort.frame
    panels = []
    for column, title, label in (("age_years", "Age", "Age [years]"), ("bmi_kg_m2", "BMI", "Body mass index [kg/m²]")):
        if column not in frame or not frame[column].notna().any():
            continue
        groups = [frame.loc[frame["group"] == name, column].astype(float) for name in GROUPS]
        comparisons = []
        for position in range(1, len(GROUPS)):
            test = compare_numbers(groups[position], groups[0])
            if not test.reason:
                comparisons.append((0, position, _bracket(test.p_value)))
        values = [np.asarray(group.dropna(), dtype=np.float64) for group in groups]
        panels.append(figures.BoxPanel(title, label, values, comparisons))
    if not panels:
        return None, "Neither age nor body mass index is given."
    columns = [c for c in ("patient_id", "group", "age_years", "bmi_kg_m2") if c in frame]
    return FigureExhibit(
        key="f5_age_bmi",
        title="Figure 5. Age and body mass index of the four groups",
        figure=figures.boxes(panels, [GROUP_STYLES[name] for name in GROUPS]),
        data=frame[columns],
        caption=f"Boxes: quartiles. P: Mann-Whitney against {GROUP_STYLES[REFERENCE_GROUP].label}, not corrected.",
        alt=f"Box plots of {' and '.join(panel.title for panel in panels)} over the four groups.",
    ), ""


def share_figure(cohort: ConcordanceCohort) -> Drawn:
    """F6: sex and site of the lowest T-score per group, as bars of 100 %."""
    frame = cohort.frame
    panels = []
    for column, title, styles in (
        ("sex", "Sex", SEX_STYLES),
        ("low_site", "Site of the lowest T-score", SITE_STYLES),
    ):
        if column not in frame or not frame[column].notna().any():
            continue
        counts = {
            category: [int(((frame["group"] == name) & (frame[column] == category)).sum()) for name in GROUPS]
            for category in styles
        }
        panels.append((title, {category: row for category, row in counts.items() if any(row)}, styles))
    if not panels:
        return None, "Neither sex nor a T-score is given."
    data = pd.DataFrame(
        [
            {"variable": title, "category": category, **dict(zip(GROUPS, row, strict=True))}
            for title, counts, _ in panels
            for category, row in counts.items()
        ]
    )
    return FigureExhibit(
        key="f6_sex_site",
        title="Figure 6. Sex and site of the lowest T-score",
        figure=figures.stacked_shares(panels, [GROUP_STYLES[name].label for name in GROUPS]),
        data=data,
        caption="Shares per group; the numbers in the bars are patients.",
        alt=f"Stacked bars of {' and '.join(title.lower() for title, _, _ in panels)} for the four groups.",
    ), ""


def _bracket(p: float) -> str:
    text = p_value(p)
    return f"P {text}" if text[0] in "<>" else f"P = {text}"
