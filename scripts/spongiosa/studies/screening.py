"""Screening summary for a hospital: how many patients fall below which HU, and who might be asked back.

It is no diagnosis: HU depend on scanner, tube voltage and kernel; osteoporosis is diagnosed by DXA or by a fracture.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from spongiosa.config.studies import ScreeningSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report import figures, theme
from spongiosa.report.exhibits import FigureExhibit, TableExhibit
from spongiosa.report.formatting import count_share, interval, mean_sd, number, percent, whole
from spongiosa.report.theme import GroupStyle
from spongiosa.report.variables import SEX_LABELS, index_label
from spongiosa.statistics.linear import linear_regression
from spongiosa.statistics.proportions import proportion
from spongiosa.studies.audit import missing_values
from spongiosa.studies.fit import Fit, FitFunction, FitThresholds, make_fits
from spongiosa.studies.flow_figure import flow_figure
from spongiosa.studies.flow_table import apply_criteria, flow_exhibit, numbers, patient_names, without_index
from spongiosa.studies.needs import NEEDS
from spongiosa.studies.qct_class import qct_table
from spongiosa.studies.result import StudyResult, attempt
from spongiosa.studies.strata import strata_of

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
    patients: pd.DataFrame,
    settings: ScreeningSettings,
    thresholds: ThresholdsSettings,
    seed: int,
    *,
    fits: Mapping[str, Fit] | None = None,
) -> StudyResult:
    """The summary from the patient table; age and sex are used where they are given.  Nothing is random.

    `fits` are those of `FITS` for the same patients and settings, made here where they are not given.
    """
    frame, flow = _screened(patients, settings)
    label = index_label(settings.index)
    if frame.empty:
        return StudyResult(
            NAME, TITLE, f"No patient has {settings.index}.", _methods(settings, label), (flow_exhibit(flow),), (),
            omitted=(("All figures", "Nobody is analysed."),), notes=(WARNING,), audit={"analysed": 0, "seed": seed},
        )  # fmt: skip
    if fits is None:
        fits = make_fits(FITS, NEEDS[NAME].fits, patients, settings, thresholds, seed, {})
    expected = fits["expectation"].frames["lines"]
    frame["zone"] = zones(frame["index_hu"], settings.low_hu, settings.high_hu)
    frame["expected_hu"], frame["z_for_age"] = _against_expected(frame, expected)
    low = int((frame["zone"] == "low").sum())
    share = proportion(low, len(frame), confidence=settings.confidence)
    in_zones = {_zone_labels(settings)[zone]: int((frame["zone"] == zone).sum()) for zone in ZONES}
    drawn = [
        flow_figure(flow, in_zones),
        _share_figure(frame, settings),
        _age_figure(frame, expected, settings, label),
    ]
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
            *_strata_table(frame, settings),
            *qct_table(frame, thresholds, settings.confidence),
        ),
        figures=made,
        omitted=tuple(("Figure", reason) for figure, reason in drawn if figure is None),
        notes=(WARNING,),
        audit={
            "analysed": len(frame),
            "flow": dict(zip(flow["step"], flow["patients"].tolist(), strict=True)),
            "direction": "low HU puts a patient on the list; fixed beforehand",
            "zones": {zone: int((frame["zone"] == zone).sum()) for zone in ZONES},
            "missing": missing_values(frame, ["age_years", "sex"]),
            "n_per_line": expected.set_index("sex")["n"].to_dict() if len(expected) else {},
            "settings": settings.model_dump(mode="json"),
            "seed": seed,
        },
    )


def zones(index_hu: pd.Series, low_hu: float, high_hu: float) -> pd.Series:
    """`low` (<= low_hu), `between`, or `high` (> high_hu)."""
    return pd.Series(np.select([index_hu <= low_hu, index_hu <= high_hu], ["low", "between"], "high"), index_hu.index)


def fit_expectation(patients: pd.DataFrame, settings: ScreeningSettings, _thresholds: FitThresholds, _seed: int) -> Fit:
    """HU on age by least squares, per sex where it is given; a sex with too few patients has no line.

    Frame `lines`: sex, intercept, slope, residual_sd, n.
    """
    frame, _ = _screened(patients, settings)
    sexes = frame["sex"] if "sex" in frame else pd.Series("all", index=frame.index)
    lines = []
    for sex in sorted(sexes.dropna().astype(str).unique()):
        part = frame[(sexes == sex).fillna(value=False)]
        fit, _ = attempt(linear_regression, part["index_hu"], {"age": part["age"]})
        if fit is not None:
            intercept, slope = (one.estimate for one in fit.coefficients)
            lines.append((sex, intercept, slope, fit.residual_sd, fit.n))
    return Fit(frames={"lines": pd.DataFrame(lines, columns=["sex", "intercept", "slope", "residual_sd", "n"])})


FITS: dict[str, FitFunction] = {"expectation": fit_expectation}


def _screened(patients: pd.DataFrame, settings: ScreeningSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Patients with the index, as `index_hu` and `age`, and the flow."""
    frame, flow = apply_criteria(patients.reset_index(drop=True), without_index(patients, settings.index))
    return frame.assign(index_hu=numbers(frame, settings.index), age=numbers(frame, "age_years")), flow


def _against_expected(frame: pd.DataFrame, lines: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The HU expected for age and sex, and the distance from it in residual SDs."""
    expected = pd.Series(math.nan, index=frame.index)
    z = pd.Series(math.nan, index=frame.index)
    sexes = frame["sex"].astype("str") if "sex" in frame else pd.Series("all", index=frame.index)
    for sex, intercept, slope, residual_sd, _ in lines.itertuples(index=False, name=None):
        of_sex = (sexes == sex).fillna(value=False)
        line = intercept + slope * frame["age"]
        expected = expected.mask(of_sex, line)
        if residual_sd > 0:
            z = z.mask(of_sex, (frame["index_hu"] - line) / residual_sd)
    return expected, z


def _zone_labels(settings: ScreeningSettings) -> dict[str, str]:
    return {
        "low": f"≤ {settings.low_hu:g} HU",
        "between": f"> {settings.low_hu:g} to {settings.high_hu:g} HU",
        "high": f"> {settings.high_hu:g} HU",
    }


def _strata_table(frame: pd.DataFrame, settings: ScreeningSettings) -> tuple[TableExhibit, ...]:
    """Table 4: mean HU and the share on the list per scanner and protocol; none where nothing parts the patients."""
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for stratum in strata_of(frame):
        part = frame[stratum.members]
        low = int((part["zone"] == "low").sum())
        share = proportion(low, len(part), confidence=settings.confidence) if len(part) else None
        mean, sd = float(part["index_hu"].mean()), float(part["index_hu"].std())
        records.append(
            {"column": stratum.column, "value": stratum.value, "is_most_frequent": stratum.is_most_frequent,
             "patients": len(part), "low": low, "share": share.estimate if share else math.nan,
             "ci_low": share.ci_low if share else math.nan, "ci_high": share.ci_high if share else math.nan,
             "mean_hu": mean, "sd_hu": sd}
        )  # fmt: skip
        limits = interval(100 * share.ci_low, 100 * share.ci_high, 1) if share else ""
        printed.append(
            {"Stratum": stratum.title, "Value": stratum.value, "Patients": whole(len(part)),
             "HU, mean ± SD": mean_sd(mean, sd), f"≤ {settings.low_hu:g} HU": count_share(low, len(part)),
             "CI [%]": limits}
        )  # fmt: skip
    if not records:
        return ()
    return (
        TableExhibit(
            key="t4_strata",
            title="Table 4. Patients on the list by scanner and site",
            frame=pd.DataFrame.from_records(records),
            printed=pd.DataFrame(printed),
            caption="A cut-off in HU holds for one protocol. The last row keeps the patients who have the most "
            f"frequent value of every column above. Wilson intervals, {settings.confidence:.0%}.",
            notes=(WARNING,),
        ),
    )


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
    styles = {zone: replace(style, label=_zone_labels(settings)[zone]) for zone, style in ZONES.items()}
    return FigureExhibit(
        key="f1_zones_by_age",
        title="Figure 1. Zones by age",
        figure=figures.stacked_shares([("", counts, styles)], [label for label, _ in bands]),
        data=pd.DataFrame({"age": [label for label, _ in bands], **counts}),
        caption="Shares per age band in years; the numbers in the bars are patients.",
        alt=f"Stacked bars of three HU zones over {len(bands)} age bands.",
    ), ""


def _age_figure(
    frame: pd.DataFrame, lines: pd.DataFrame, settings: ScreeningSettings, label: str
) -> tuple[FigureExhibit | None, str]:
    """HU against age with the age-expected line and band, one panel per sex."""
    if lines.empty:
        return None, "Fewer than three patients with an age: no age-expected curve."
    styles = {
        zone: GroupStyle(_zone_labels(settings)[zone], style.colour, style.marker) for zone, style in ZONES.items()
    }
    panels = []
    for sex, intercept, slope, residual_sd, _ in lines.itertuples(index=False, name=None):
        part = frame[frame["age"].notna()]
        part = part[part["sex"].astype("str") == sex] if sex != "all" else part
        panels.append(
            figures.ScatterPanel(
                title=SEX_LABELS.get(sex, "All"),
                x=np.asarray(part["age"], dtype=np.float64),
                y=np.asarray(part["index_hu"], dtype=np.float64),
                group=part["zone"].to_numpy(dtype=str),
                x_label="Age [years]",
                y_label=label,
                line=(intercept, slope),
                band=BAND_SD * residual_sd,
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
