"""Screening summary for a hospital: how many patients fall below which HU, and who might be asked back.

It is no diagnosis: HU depend on scanner, tube voltage and kernel; osteoporosis is diagnosed by DXA or by a fracture.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from spongiosa.config.studies import ScreeningSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report import figures, theme
from spongiosa.report.exhibits import FigureExhibit, TableExhibit
from spongiosa.report.formatting import count_share, interval, number, percent, whole
from spongiosa.report.theme import GroupStyle
from spongiosa.report.variables import SEX_LABELS, index_label
from spongiosa.statistics.linear import LinearFit, linear_regression
from spongiosa.statistics.proportions import proportion
from spongiosa.studies.flow_table import apply_criteria, flow_exhibit, numbers, patient_names, without_index
from spongiosa.studies.result import StudyResult, attempt

NAME = "screening"
TITLE = "Screening summary"
WARNING = (
    "Not a diagnosis: HU depend on scanner, tube voltage, kernel and contrast agent. Osteoporosis is diagnosed by DXA "
    "or by a fragility fracture; the list says who might benefit from one."
)
ZONES = {
    "low": GroupStyle("Low", theme.VERMILLION, "s"),
    "between": GroupStyle("Between", theme.ORANGE, "^", "////"),
    "high": GroupStyle("High", theme.BLUE, "o"),
}
#: The band of the age-expected curve: tenth to ninetieth percentile of a normal distribution.
BAND_SD = 1.2816


def analyse(
    patients: pd.DataFrame, settings: ScreeningSettings, thresholds: ThresholdsSettings, seed: int
) -> StudyResult:
    """The summary from the patient table; age and sex are used where they are given.  Nothing is random."""
    frame, flow = apply_criteria(patients.reset_index(drop=True), without_index(patients, settings.index))
    label = index_label(settings.index)
    if frame.empty:
        return StudyResult(
            NAME, TITLE, f"No patient has {settings.index}.", _methods(settings, label), (flow_exhibit(flow),), (),
            omitted=(("All figures", "Nobody is analysed."),), notes=(WARNING,), audit={"analysed": 0, "seed": seed},
        )  # fmt: skip
    frame = frame.assign(index_hu=numbers(frame, settings.index), age=numbers(frame, "age_years"))
    frame["zone"] = zones(frame["index_hu"], settings.low_hu, settings.high_hu)
    expected = expected_by_age(frame)
    frame["expected_hu"], frame["z_for_age"] = _against_expected(frame, expected)
    low = int((frame["zone"] == "low").sum())
    share = proportion(low, len(frame), confidence=settings.confidence)
    drawn = [_share_figure(frame, settings), _age_figure(frame, expected, settings, label)]
    made = tuple(figure for figure, _ in drawn if figure is not None)
    return StudyResult(
        name=NAME,
        title=TITLE,
        headline=f"{label} is {settings.low_hu:g} or less in {low} of {len(frame)} patients "
        f"({percent(share.estimate)}, {settings.confidence:.0%} CI "
        f"{interval(100 * share.ci_low, 100 * share.ci_high, 1)} %). Not a diagnosis.",
        methods=_methods(settings, label),
        tables=(
            flow_exhibit(flow),
            _cut_off_table(frame, settings, thresholds),
            _stratum_table(frame, settings),
            _recall_table(frame, settings),
        ),
        figures=made,
        omitted=tuple(("Figure", reason) for figure, reason in drawn if figure is None),
        notes=(WARNING,),
        audit={
            "analysed": len(frame),
            "flow": dict(zip(flow["step"], flow["patients"].tolist(), strict=True)),
            "zones": {zone: int((frame["zone"] == zone).sum()) for zone in ZONES},
            "settings": settings.model_dump(mode="json"),
            "seed": seed,
        },
    )


def zones(index_hu: pd.Series, low_hu: float, high_hu: float) -> pd.Series:
    """`low` (<= low_hu), `between`, or `high` (> high_hu)."""
    return pd.Series(np.select([index_hu <= low_hu, index_hu <= high_hu], ["low", "between"], "high"), index_hu.index)


def expected_by_age(frame: pd.DataFrame) -> dict[str, LinearFit]:
    """HU on age by least squares, per sex where it is given; a sex with too few patients has no curve."""
    sexes = frame["sex"] if "sex" in frame else pd.Series("all", index=frame.index)
    fits = {}
    for sex in sorted(sexes.dropna().astype(str).unique()):
        part = frame[(sexes == sex).fillna(value=False)]
        fit, _ = attempt(linear_regression, part["index_hu"], {"age": part["age"]})
        if fit is not None:
            fits[sex] = fit
    return fits


def _against_expected(frame: pd.DataFrame, fits: dict[str, LinearFit]) -> tuple[pd.Series, pd.Series]:
    """The HU expected for age and sex, and the distance from it in residual SDs."""
    expected = pd.Series(math.nan, index=frame.index)
    z = pd.Series(math.nan, index=frame.index)
    sexes = frame["sex"].astype("str") if "sex" in frame else pd.Series("all", index=frame.index)
    for sex, fit in fits.items():
        of_sex = (sexes == sex).fillna(value=False)
        line = fit.coefficients[0].estimate + fit.coefficients[1].estimate * frame["age"]
        expected = expected.mask(of_sex, line)
        if fit.residual_sd > 0:
            z = z.mask(of_sex, (frame["index_hu"] - line) / fit.residual_sd)
    return expected, z


def _cut_off_table(frame: pd.DataFrame, settings: ScreeningSettings, thresholds: ThresholdsSettings) -> TableExhibit:
    """Patients at or below each cut-off, all and by sex."""
    cut_offs = sorted({*thresholds.hu_cutoffs, settings.low_hu, settings.high_hu})
    groups = {"All": frame}
    if "sex" in frame:
        groups |= {label: frame[(frame["sex"] == sex).fillna(value=False)] for sex, label in SEX_LABELS.items()}
    groups = {label: part for label, part in groups.items() if len(part)}
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for cut_off in cut_offs:
        row = {"HU": f"≤ {cut_off:g}"}
        for label, part in groups.items():
            share = proportion(int((part["index_hu"] <= cut_off).sum()), len(part), confidence=settings.confidence)
            records.append(
                {"cut_off_hu": cut_off, "group": label.lower(), "patients": share.total, "at_or_below": share.count,
                 "share": share.estimate, "ci_low": share.ci_low, "ci_high": share.ci_high}
            )  # fmt: skip
            row[f"{label} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{share.total})"] = (
                f"{count_share(share.count, share.total)}, CI {interval(100 * share.ci_low, 100 * share.ci_high, 1)}"
            )
        printed.append(row)
    return TableExhibit(
        key="t1_below_cut_offs",
        title="Table 1. Patients at or below a cut-off",
        frame=pd.DataFrame.from_records(records),
        printed=pd.DataFrame(printed),
        caption=f"Wilson intervals, {settings.confidence:.0%}.",
        notes=(WARNING,),
    )


def _stratum_table(frame: pd.DataFrame, settings: ScreeningSettings) -> TableExhibit:
    """The three zones by age and sex."""
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    sexes: Sequence[tuple[str, str]] = tuple(SEX_LABELS.items()) if "sex" in frame else (("", "All"),)
    for sex, sex_label in sexes:
        of_sex = frame[(frame["sex"] == sex).fillna(value=False)] if sex else frame
        for label, member in _bands(of_sex["age"], settings.age_bands_years):
            part = of_sex[member]
            if part.empty:
                continue
            counts = {zone: int((part["zone"] == zone).sum()) for zone in ZONES}
            records.append(
                {"sex": sex or "all", "age": label, "patients": len(part), **counts, "mean_hu": part["index_hu"].mean()}
            )
            printed.append(
                {
                    "Sex": sex_label,
                    "Age [years]": label,
                    "Patients": whole(len(part)),
                    f"≤ {settings.low_hu:g} HU": count_share(counts["low"], len(part)),
                    f"to {settings.high_hu:g} HU": count_share(counts["between"], len(part)),
                    f"> {settings.high_hu:g} HU": count_share(counts["high"], len(part)),
                    "Mean HU": number(float(part["index_hu"].mean())),
                }
            )
    return TableExhibit(
        key="t2_age_and_sex",
        title="Table 2. Zones by age and sex",
        frame=pd.DataFrame.from_records(records),
        printed=pd.DataFrame(printed),
        caption="Strata without patients are left out.",
    )


def _recall_table(frame: pd.DataFrame, settings: ScreeningSettings) -> TableExhibit:
    """The list for recall: every patient at or below `low_hu`, the lowest first."""
    low = frame[frame["zone"] == "low"].sort_values(["index_hu", "patient_id"])
    scores = [column for column in ("t_score_lumbar", "t_score_femoral_neck", "t_score_total_hip") if column in frame]
    listed = pd.DataFrame(
        {
            "patient_id": low["patient_id"],
            "age_years": low["age"],
            "sex": low.get("sex"),
            "index_hu": low["index_hu"],
            "expected_hu": low["expected_hu"],
            "z_for_age": low["z_for_age"],
            "lowest_t_score": low[scores].astype("float64").min(axis=1) if scores else math.nan,
        }
    )
    printed = pd.DataFrame(
        {
            "Patient": listed["patient_id"].astype(str),
            "Age [years]": [number(value, 0) for value in listed["age_years"]],
            "Sex": listed["sex"].map(SEX_LABELS).fillna("–"),
            "HU": [number(value) for value in listed["index_hu"]],
            "Expected for age": [number(value) for value in listed["expected_hu"]],
            "SD from expected": [number(value) for value in listed["z_for_age"]],
            "Lowest T-score": [number(value) for value in listed["lowest_t_score"]],
        }
    )
    return TableExhibit(
        key="t3_recall",
        title="Table 3. List for recall",
        frame=listed,
        printed=printed,
        caption=f"Every patient with {settings.low_hu:g} HU or less, the lowest first. Expected: the cohort's own line "
        "of HU on age, per sex. An en dash: not given.",
        notes=(WARNING,),
    )


def _share_figure(frame: pd.DataFrame, settings: ScreeningSettings) -> tuple[FigureExhibit | None, str]:
    """Shares of the three zones per age band."""
    bands = [(label, frame[member]) for label, member in _bands(frame["age"], settings.age_bands_years)]
    bands = [(label, part) for label, part in bands if len(part)]
    if not bands:
        return None, "No age is given."
    counts = {zone: [int((part["zone"] == zone).sum()) for _, part in bands] for zone in ZONES}
    styles = {
        "low": GroupStyle(f"≤ {settings.low_hu:g} HU", theme.VERMILLION, "s"),
        "between": GroupStyle("between", theme.ORANGE, "^", "////"),
        "high": GroupStyle(f"> {settings.high_hu:g} HU", theme.BLUE, "o"),
    }
    return FigureExhibit(
        key="f1_zones_by_age",
        title="Figure 1. Zones by age",
        figure=figures.stacked_shares([("", counts, styles)], [label for label, _ in bands]),
        data=pd.DataFrame({"age": [label for label, _ in bands], **counts}),
        caption="Shares per age band in years; the numbers in the bars are patients.",
        alt=f"Stacked bars of three HU zones over {len(bands)} age bands.",
    ), ""


def _age_figure(
    frame: pd.DataFrame, fits: dict[str, LinearFit], settings: ScreeningSettings, label: str
) -> tuple[FigureExhibit | None, str]:
    """HU against age with the age-expected line and band, one panel per sex."""
    if not fits:
        return None, "Fewer than three patients with an age: no age-expected curve."
    styles = {
        zone: GroupStyle(
            {"low": f"≤ {settings.low_hu:g} HU", "between": "between", "high": f"> {settings.high_hu:g} HU"}[zone],
            style.colour,
            style.marker,
        )
        for zone, style in ZONES.items()
    }
    panels = []
    for sex, fit in fits.items():
        part = frame[frame["age"].notna()]
        part = part[part["sex"].astype("str") == sex] if sex != "all" else part
        intercept, slope = fit.coefficients[0].estimate, fit.coefficients[1].estimate
        panels.append(
            figures.ScatterPanel(
                title=SEX_LABELS.get(sex, "All"),
                x=np.asarray(part["age"], dtype=np.float64),
                y=np.asarray(part["index_hu"], dtype=np.float64),
                group=part["zone"].to_numpy(dtype=str),
                x_label="Age [years]",
                y_label=label,
                line=(intercept, slope),
                band=BAND_SD * fit.residual_sd,
                names=patient_names(part),
                remark=f"{number(10 * slope)} HU per ten years, n = {len(part)}",
            )
        )
    remarks = "; ".join(f"{panel.title}: {panel.remark}" for panel in panels)
    columns = [c for c in ("patient_id", "age_years", "sex", "index_hu", "expected_hu", "z_for_age") if c in frame]
    return FigureExhibit(
        key="f2_expected_for_age",
        title="Figure 2. HU expected for age",
        figure=figures.scatter(panels, styles, horizontal_marks=[settings.low_hu, settings.high_hu]),
        data=frame[columns],
        caption=f"{label}. Line and band: least squares of this cohort, tenth to ninetieth percentile.",
        alt=f"Scatter plots of HU against age with the expected line. {remarks}.",
    ), ""


def _bands(age: pd.Series, borders: Sequence[float]) -> list[tuple[str, pd.Series]]:
    """(label, members) of the age bands, and of the patients without age."""
    bands: list[tuple[str, pd.Series]] = []
    for low, high in itertools.pairwise([-math.inf, *borders, math.inf]):
        label = f"< {high:g}" if math.isinf(low) else f"≥ {low:g}" if math.isinf(high) else f"{low:g} to < {high:g}"
        bands.append((label, (age >= low) & (age < high)))
    return [*bands, ("not given", age.isna())]


def _methods(settings: ScreeningSettings, label: str) -> str:
    return (
        f"{label} (column {settings.index}) was divided at {settings.low_hu:g} and {settings.high_hu:g} HU; the "
        "defaults of 110 and 160 HU are those of a comparison of L1 with DXA at 120 kVp (Pickhardt et al. 2013). "
        f"Shares are given with Wilson intervals ({settings.confidence:.0%}). The expected HU is the least-squares "
        f"line of HU on age in this cohort, per sex; the distance is in its residual standard deviations. {WARNING}"
    )
