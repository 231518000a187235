"""The tables and figures that describe the cohort itself, with or without clinical data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spongiosa.outcome import MEANING
from spongiosa.report import figures, theme
from spongiosa.report.exhibits import FigureExhibit, TableExhibit
from spongiosa.report.formatting import count_share, mean_sd, median_quartiles, number, whole
from spongiosa.report.theme import GroupStyle
from spongiosa.statistics.description import NumericSummary, summarise_numeric

LEVELS = ("T12", "L1", "L2", "L3", "L4", "L5", "L6")
#: Acquisition values beyond this many are pooled in the imaging table.
MOST_VALUES = 8
#: Columns of series.parquet that the report reads.
SERIES_COLUMNS = ("is_chosen", "reason")

_ACQUISITION = {
    "manufacturer": ("Manufacturer", ""),
    "kvp": ("Tube voltage", " kVp"),
    "kernel": ("Kernel", ""),
    "slice_thickness_mm": ("Slice thickness", " mm"),
    "slice_spacing_mm": ("Slice spacing", " mm"),
    "contrast_phase": ("Contrast", ""),
    "localiser": ("Localisation", ""),
    "calibration_method": ("Calibration", ""),
}


def main_session(scans: pd.DataFrame) -> str:
    """`preop` where it occurs, otherwise the most frequent session: the one the cohort's tables describe."""
    sessions = scans.loc[scans["modality"] == "ct", "session"]
    if sessions.empty:
        return "preop"
    return "preop" if (sessions == "preop").any() else str(sessions.mode().iloc[0])


def imaging_table(scans: pd.DataFrame) -> TableExhibit:
    """How the scans (one row each) were made: counts per manufacturer, kVp, kernel, slice thickness and so on."""
    records: list[dict[str, object]] = []
    for column, (title, unit) in _ACQUISITION.items():
        if column not in scans:
            continue
        texts = scans[column].map(lambda value, unit=unit: _value_text(value, unit))
        counts = texts.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        shown = counts.iloc[:MOST_VALUES]
        records += [{"property": title, "value": value, "scans": int(count)} for value, count in shown.items()]
        rest = counts.iloc[MOST_VALUES:]
        if len(rest):
            records.append({"property": title, "value": f"{len(rest)} others", "scans": int(rest.sum())})
    frame = pd.DataFrame.from_records(records, columns=["property", "value", "scans"])
    first = ~frame["property"].duplicated()
    printed = pd.DataFrame(
        {
            "Property": frame["property"].where(first, ""),
            "Value": frame["value"],
            "Scans n (%)": [count_share(count, len(scans)) for count in frame["scans"]],
        }
    )
    return TableExhibit(
        key="imaging",
        title="How the scans were made",
        frame=frame,
        printed=printed,
        caption=f"{len(scans)} measured CT scans. HU depend on tube voltage and kernel: compare like with like.",
    )


def series_table(series: pd.DataFrame) -> TableExhibit | None:
    """Which DICOM series were seen and why they were not measured; None where none was (volumes, a table alone)."""
    if series.empty:
        return None
    words = {reason.value: sentence for reason, sentence in MEANING.items()}
    reasons = (
        series["reason"].astype("object").where(series["reason"].notna(), None).map(lambda code: words.get(code, code))
    )
    chosen = series["is_chosen"].astype(bool)
    outcome = reasons.where(reasons.notna(), "Usable, but another series of the scan was preferred.")
    outcome = outcome.where(~chosen, "Chosen and measured.")
    counts = outcome.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    frame = pd.DataFrame({"outcome": counts.index, "series": counts.to_numpy()})
    return TableExhibit(
        key="series",
        title="Image series that were seen",
        frame=frame,
        printed=pd.DataFrame(
            {"Outcome": frame["outcome"], "Series n (%)": [count_share(int(n), len(series)) for n in frame["series"]]}
        ),
        caption=f"{whole(len(series))} series; why each was chosen or not is in cohort/series.parquet.",
    )


def level_table(means: pd.DataFrame, patients: int) -> TableExhibit:
    """HU per level: three-slice mean, 3D-HU and, where calibrated, vBMD."""
    has_vbmd = bool(means["vbmd_mg_cm3"].notna().any())
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for level in (level for level in LEVELS if (means["level"] == level).any()):
        of_level = means[means["level"] == level]
        summaries = {name: _summary(of_level[name]) for name in ("axial_hu", "volume_hu", "vbmd_mg_cm3")}
        for name, summary in summaries.items():
            if summary is not None:
                kept = ("n", "mean", "sd", "median", "q1", "q3", "minimum", "maximum")
                records.append({"level": level, "quantity": name, **{key: getattr(summary, key) for key in kept}})
        axial, volume, vbmd = summaries.values()
        row = {
            "Level": level,
            "Patients": f"{len(of_level)} of {patients}",
            "Three-slice HU, mean ± SD": _mean_cell(axial),
            "Median (Q1, Q3)": median_quartiles(axial.median, axial.q1, axial.q3) if axial else "not measured",
            "Range": f"{number(axial.minimum, 0)} to {number(axial.maximum, 0)}" if axial else "",
            "3D-HU, mean ± SD": _mean_cell(volume),
        }
        printed.append({**row, "vBMD [mg/cm³], mean ± SD": _mean_cell(vbmd)} if has_vbmd else row)
    return TableExhibit(
        key="levels",
        title="HU per level",
        frame=pd.DataFrame.from_records(records),
        printed=pd.DataFrame(printed),
        caption="Three-slice HU: mean of the ellipses below the superior endplate, in the middle and above the "
        "inferior endplate. 3D-HU: the whole trabecular volume of the body.",
        notes=() if has_vbmd else ("No vBMD: the HU were not calibrated (calibration.method).",),
    )


def level_figure(means: pd.DataFrame) -> FigureExhibit | None:
    """Box plot of the three-slice HU per level; None where nothing was measured."""
    known = means[means["axial_hu"].notna()]
    levels = [level for level in LEVELS if (known["level"] == level).any()]
    if not levels:
        return None
    values = [np.asarray(known.loc[known["level"] == level, "axial_hu"], dtype=np.float64) for level in levels]
    styles = [GroupStyle(level, theme.BLUE, "o") for level in levels]
    middles = ", ".join(f"{level} {np.median(part):.0f}" for level, part in zip(levels, values, strict=True))
    return FigureExhibit(
        key="hu_by_level",
        title="HU by level",
        figure=figures.boxes([figures.BoxPanel("", "Three-slice mean [HU]", values)], styles),
        data=known[["patient_id", "level", "axial_hu"]],
        caption="Boxes: quartiles; whiskers: the last value within 1.5 box heights.",
        alt=f"Box plots of HU from {levels[0]} to {levels[-1]}; medians {middles} HU.",
    )


def age_figure(patients: pd.DataFrame, index: str = "ax_l1_l4_hu") -> FigureExhibit | None:
    """HU of L1-L4 against age, by sex where it is known; None where fewer than three patients have both."""
    if "age_years" not in patients or index not in patients:
        return None
    known = patients[patients["age_years"].notna() & patients[index].notna()]
    if len(known) < 3:
        return None
    age, hu = (np.asarray(known[column], dtype=np.float64) for column in ("age_years", index))
    sex = known["sex"].fillna("unknown").astype(str) if "sex" in known else pd.Series("unknown", index=known.index)
    styles = {
        "female": GroupStyle("Female", theme.PURPLE, "o"),
        "male": GroupStyle("Male", theme.GREEN, "s"),
        "unknown": GroupStyle("Patient", theme.BLUE, "^"),
    }
    slope, intercept = np.polyfit(age, hu, 1) if np.ptp(age) > 0 else (0.0, float(hu.mean()))
    panel = figures.ScatterPanel(
        title="",
        x=age,
        y=hu,
        group=sex.to_numpy(dtype=str),
        x_label="Age [years]",
        y_label="Mean of L1-L4 [HU]",
        line=(float(intercept), float(slope)),
        names=[str(name) for name in known["patient_id"]],
    )
    return FigureExhibit(
        key="hu_by_age",
        title="HU by age",
        figure=figures.scatter([panel], styles),
        data=known[[column for column in ("patient_id", "age_years", "sex", index) if column in known]],
        caption=f"Line: least squares, {number(10 * float(slope))} HU per ten years.",
        alt=f"Scatter plot of HU against age of {len(known)} patients; {number(10 * float(slope))} HU per ten years.",
    )


def _summary(values: pd.Series) -> NumericSummary | None:
    return summarise_numeric(values) if values.notna().any() else None


def _mean_cell(summary: NumericSummary | None) -> str:
    if summary is None:
        return "not measured"
    return f"{mean_sd(summary.mean, summary.sd)} (n = {whole(summary.n)})"


def _value_text(value: object, unit: str) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return "not stated"
    return f"{value:g}{unit}" if isinstance(value, int | float | np.number) else f"{value}{unit}"
