"""Five shapes of the region of interest against the DXA class: which one tells osteoporosis best.

Tables and figures follow the study of round, oval, right, left and front regions on one mid-slice of each vertebra.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from spongiosa.config.studies import RoiComparisonSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report import figures, theme
from spongiosa.report.exhibits import FigureExhibit, Footnotes, TableExhibit
from spongiosa.report.formatting import estimate_interval, median_quartiles, number, p_value
from spongiosa.report.theme import GroupStyle
from spongiosa.report.variables import SITE_LABELS, demographic_variables, dxa_variables, present
from spongiosa.statistics.description import summarise_numeric
from spongiosa.statistics.groups import kruskal_wallis, pairwise_mann_whitney
from spongiosa.studies import agreement, strata
from spongiosa.studies.audit import counts_of_tables, missing_values
from spongiosa.studies.baseline import heading_with_count
from spongiosa.studies.discrimination import draw_roc
from spongiosa.studies.fit import Fit, make_fits
from spongiosa.studies.flow_figure import flow_figure
from spongiosa.studies.flow_table import flow_exhibit, patient_names
from spongiosa.studies.needs import NEEDS
from spongiosa.studies.outcome_baseline import outcome_baseline
from spongiosa.studies.result import StudyResult, attempt, drawn_figures, omitted_figures, record_where
from spongiosa.studies.roi_fits import FITS, dxa_outcome, markers
from spongiosa.studies.roi_values import LEVELS, SHAPE_LABELS, ShapeCohort, form_shape_cohort

NAME = "roi_comparison"
TITLE = "Five shapes of the region of interest"
CLASSES = {
    "osteoporosis": GroupStyle("Osteoporosis", theme.VERMILLION, "s"),
    "osteopenia": GroupStyle("Osteopenia", theme.ORANGE, "^", "////"),
    "normal": GroupStyle("Normal", theme.BLUE, "o"),
}


def analyse(
    patients: pd.DataFrame,
    settings: RoiComparisonSettings,
    thresholds: ThresholdsSettings,
    seed: int,
    *,
    readers: pd.DataFrame | None = None,
    fits: Mapping[str, Fit] | None = None,
) -> StudyResult:
    """The whole study from the patient table and the readers' table; patients with all shapes and a T-score are
    analysed.  `fits` are those of `FITS` for the same patients and settings, made here where they are not given."""
    cohort = form_shape_cohort(patients, settings, readers)
    methods = _methods(settings, thresholds, cohort.sites, seed)
    if cohort.frame.empty:
        return StudyResult(
            NAME, TITLE, "No patient has all shapes and a T-score.", methods, (flow_exhibit(cohort.flow),), (),
            omitted=(("All figures", "Nobody is analysed."),), audit={"analysed": 0, "seed": seed},
        )  # fmt: skip
    if fits is None:
        fits = make_fits(FITS, NEEDS[NAME].fits, patients, settings, thresholds, seed, {"readers": readers})
    frame = cohort.frame.join(dxa_class(cohort.frame["low_t_score"], thresholds).rename("dxa_class"))
    found = fits["osteoporosis"].tables["t3a_roc_osteoporosis"]
    tables = _tables(cohort, frame, settings, seed, fits)
    drawn = _figures(cohort, frame, settings, fits)
    events = int((frame["dxa_class"] == "osteoporosis").sum())
    return StudyResult(
        name=NAME,
        title=TITLE,
        headline=_headline(found, cohort.shapes, len(frame), events),
        methods=methods,
        tables=tables,
        figures=drawn_figures(drawn),
        omitted=omitted_figures(drawn),
        audit=_audit(cohort, frame, settings, thresholds, seed, tables, fits),
    )


def _tables(
    cohort: ShapeCohort, frame: pd.DataFrame, settings: RoiComparisonSettings, seed: int, fits: Mapping[str, Fit]
) -> tuple[TableExhibit, ...]:
    association, osteoporosis, low_mass = (fits[part].tables for part in ("association", "osteoporosis", "low_mass"))
    by_stratum = strata.strata_exhibit(
        "t7_strata", "Table 7. Discrimination of osteoporosis by scanner and site",
        fits["osteoporosis"].frames["strata"], markers(settings), "Osteoporosis",
    )  # fmt: skip
    return (
        flow_exhibit(cohort.flow),
        outcome_baseline(
            "t1_baseline_by_class", "Table 1. Patients by DXA class", f"n = {len(frame)}.", frame, frame["dxa_class"],
            {name: style.label for name, style in CLASSES.items()},
            present([*demographic_variables(), *dxa_variables(cohort.sites)], frame), seed=seed, alpha=settings.alpha,
        ),
        _class_table(frame, settings),
        osteoporosis["t3a_roc_osteoporosis"],
        low_mass["t3b_roc_low_mass"],
        osteoporosis["t4a_auc_differences"],
        low_mass["t4b_auc_differences"],
        association["t5a_between_shapes"],
        association["t5b_between_levels"],
        association["t6_correlations"],
        *([by_stratum] if by_stratum is not None else []),
        *(table for key, table in association.items() if key.startswith("t8")),
    )  # fmt: skip


def _figures(
    cohort: ShapeCohort, frame: pd.DataFrame, settings: RoiComparisonSettings, fits: Mapping[str, Fit]
) -> dict[str, tuple[FigureExhibit | None, str]]:
    osteoporosis, low_mass = fits["osteoporosis"], fits["low_mass"]
    groups = {style.label: int((frame["dxa_class"] == name).sum()) for name, style in CLASSES.items()}
    drawn: dict[str, tuple[FigureExhibit | None, str]] = {
        "Flow of patients": flow_figure(cohort.flow, groups),
        "HU and DXA": _scatter_figure(cohort, frame, fits["association"].tables["t6_correlations"].frame),
        "ROC for osteoporosis": draw_roc(
            "f2_roc_osteoporosis", "Figure 2. ROC curves for osteoporosis", "Event: osteoporosis against the rest.",
            osteoporosis.frames["roc_points"], osteoporosis.tables["t3a_roc_osteoporosis"].frame, markers(settings),
        ),
        "ROC for low bone mass": draw_roc(
            "f3_roc_low_mass", "Figure 3. ROC curves for low bone mass", "Event: osteopenia or osteoporosis.",
            low_mass.frames["roc_points"], low_mass.tables["t3b_roc_low_mass"].frame, markers(settings),
        ),
        "HU by class": (_box_figure(frame, cohort.shapes), ""),
    }  # fmt: skip
    if "agreement_pairs" in fits["association"].frames:
        drawn["Readers"] = agreement.agreement_figure(
            "f5_readers", "Figure 5. Readers and workflow", fits["association"].frames["agreement_pairs"]
        )
    return drawn


def dxa_class(low_t_score: pd.Series, thresholds: ThresholdsSettings) -> pd.Series:
    """WHO class of the lowest T-score: osteoporosis <= -2.5 < osteopenia < -1.0 <= normal (cut-offs configurable)."""
    conditions = [low_t_score <= thresholds.t_osteoporosis, low_t_score < thresholds.t_osteopenia]
    classes = np.select(conditions, ["osteoporosis", "osteopenia"], "normal")
    return pd.Series(classes, index=low_t_score.index, dtype="str")


def _class_table(frame: pd.DataFrame, settings: RoiComparisonSettings) -> TableExhibit:
    """Table 2: BMD and HU of every shape and level by class, Kruskal-Wallis, marks of the pairwise comparisons."""
    footnotes = Footnotes()
    headings = {
        name: heading_with_count(s.label, int((frame["dxa_class"] == name).sum())) for name, s in CLASSES.items()
    }
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for level in LEVELS:
        for shape, column in _rows_of_level(level, settings):
            if column not in frame or not frame[column].notna().any():
                continue
            decimals = 3 if shape == "bmd" else 1
            values = {name: frame.loc[frame["dxa_class"] == name, column].astype("float64") for name in CLASSES}
            test, reason = attempt(kruskal_wallis, values)
            marks = _marks(values, settings.alpha)
            label = "DXA BMD [g/cm²]" if shape == "bmd" else f"{SHAPE_LABELS[shape]} [HU]"
            row = {"Level": level.upper().replace("_", "-"), "Region": label}
            for name, part in values.items():
                summary, gap = attempt(summarise_numeric, part)
                if summary is None:
                    row[headings[name]] = footnotes.gap(gap)
                    continue
                text = median_quartiles(summary.median, summary.q1, summary.q3, decimals)
                row[headings[name]] = text + marks[name]
                records.append(
                    {"level": level, "shape": shape, "class": name, "n": summary.n, "median": summary.median,
                     "q1": summary.q1, "q3": summary.q3, "mean": summary.mean, "sd": summary.sd,
                     "marks": marks[name], "p_kruskal_wallis": test.p_value if test else math.nan}
                )  # fmt: skip
            printed.append({**row, "P": p_value(test.p_value) if test else footnotes.gap(reason)})
    return TableExhibit(
        key="t2_hu_by_class",
        title="Table 2. HU of the shapes by DXA class",
        frame=pd.DataFrame.from_records(records),
        printed=pd.DataFrame(printed),
        caption="Median (quartiles). P: Kruskal-Wallis over the three classes.",
        notes=(
            "△ differs from normal, * differs from osteopenia: pairwise Mann-Whitney, Bonferroni for three pairs, "
            f"P < {settings.alpha:g}.",
            *footnotes.notes(),
        ),
    )


def _rows_of_level(level: str, settings: RoiComparisonSettings) -> list[tuple[str, str]]:
    """(`bmd` or a shape, its column) of one level, in the order of the table."""
    bmd = "bmd_lumbar_g_cm2" if level == "l1_l4" else f"bmd_{level}_g_cm2"
    return [("bmd", bmd), *((shape, f"{shape}_{level}_hu") for shape in settings.shapes)]


def _marks(values: dict[str, pd.Series], alpha: float) -> dict[str, str]:
    """Marks of the classes that differ from normal or from osteopenia after Bonferroni's correction."""
    pairs, _ = attempt(pairwise_mann_whitney, values)
    differing = {frozenset((pair.first, pair.second)) for pair in pairs or () if pair.p_adjusted < alpha}
    return {
        name: (" △" if frozenset((name, "normal")) in differing else "")
        + (" *" if name == "osteoporosis" and frozenset((name, "osteopenia")) in differing else "")
        for name in values
    }


def _scatter_figure(cohort: ShapeCohort, frame: pd.DataFrame, lines: pd.DataFrame) -> tuple[FigureExhibit | None, str]:
    """HU of every shape against DXA with the lines of `lines` (the frame of Table 6)."""
    outcome, label = dxa_outcome(frame, cohort.sites)
    known = frame[frame[outcome].notna()]
    fitted = lines[lines["outcome"] == outcome]
    panels = []
    for column, name in cohort.shapes.items():
        line = record_where(fitted, "marker", column)
        rho, slope = float(line["spearman_estimate"]), float(line["slope"])
        panels.append(
            figures.ScatterPanel(
                title=name,
                x=known[column].to_numpy(dtype=float),
                y=known[outcome].to_numpy(dtype=float),
                group=known["dxa_class"].to_numpy(dtype=str),
                x_label="HU",
                y_label=label.capitalize() if outcome == "low_t_score" else f"{label[0].upper() + label[1:]} [g/cm²]",
                line=None if math.isnan(slope) else (float(line["intercept"]), slope),
                names=patient_names(known),
                remark="" if math.isnan(rho) else f"ρ = {number(rho, 2)}, n = {len(known)}",
            )
        )
    remarks = "; ".join(f"{panel.title}: {panel.remark}" for panel in panels)
    return FigureExhibit(
        key="f1_scatter",
        title=f"Figure 1. HU of the five shapes and {label}",
        figure=figures.scatter(panels, CLASSES),
        data=frame[[c for c in ("patient_id", *cohort.shapes, outcome, "dxa_class") if c in frame]],
        caption="Means of L1-L4. Line: least squares.",
        alt=f"Scatter plots of HU against {label} for five shapes. {remarks}.",
    ), ""


def _box_figure(frame: pd.DataFrame, shapes: dict[str, str]) -> FigureExhibit:
    panels = [
        figures.BoxPanel(
            name, "HU", [np.asarray(frame.loc[frame["dxa_class"] == c, column], dtype=np.float64) for c in CLASSES]
        )
        for column, name in shapes.items()
    ]
    return FigureExhibit(
        key="f4_boxes",
        title="Figure 4. HU of the shapes by DXA class",
        figure=figures.boxes(panels, list(CLASSES.values())),
        data=frame[[c for c in ("patient_id", "dxa_class", *shapes) if c in frame]],
        caption="Boxes: quartiles. Every panel has the same scale.",
        alt="Box plots of HU by DXA class, one panel per shape.",
    )


def _headline(found: TableExhibit, shapes: dict[str, str], n: int, events: int) -> str:
    areas = found.frame.set_index("marker")["auc_estimate"].dropna()
    if areas.empty:
        return f"{n} patients, {events} with osteoporosis: no ROC analysis ({found.frame['reason'].iloc[0]})"
    best = str(areas.idxmax())
    row = found.frame["marker"] == best
    low, high = (float(found.frame.loc[row, f"auc_{name}"].iloc[0]) for name in ("ci_low", "ci_high"))
    text = estimate_interval(float(areas.max()), low, high)
    spread = f"{number(float(areas.min()), 3)} to {number(float(areas.max()), 3)}"
    return (
        f"{n} patients, {events} with osteoporosis: AUC {spread} over the shapes; the largest with the "
        f"{shapes[best].lower()} region, {text}."
    )


def _methods(settings: RoiComparisonSettings, thresholds: ThresholdsSettings, sites: tuple[str, ...], seed: int) -> str:
    named = ", ".join(SITE_LABELS[site].lower() for site in sites) or "no site"
    source = (
        "HU are the mean of the readers' first trials; a mean over levels needs at least "
        f"{settings.minimum_levels} of them. "
        if settings.values == "readers"
        else ""
    )
    return (
        f"The class is that of the lowest T-score ({named}): osteoporosis at ≤ {number(thresholds.t_osteoporosis)}, "
        f"osteopenia below {number(thresholds.t_osteopenia)}, otherwise normal. Each shape lies on one slice at the "
        f"mid-height of L1-L4; the mean of the valid levels is used. {source}HU are given as median and quartiles at "
        "(n + 1) p; classes were compared by Kruskal-Wallis and pairwise Mann-Whitney tests with Bonferroni's "
        "correction for three pairs. The shapes were compared with each other by Kruskal-Wallis, as published, and by "
        "Friedman's test, which respects that they come from the same patients; the levels of a shape by Friedman's "
        "test. HU and DXA were related by Spearman's rho and "
        "Pearson's r. ROC analyses have low HU as the sign of the event, which is fixed beforehand: osteoporosis "
        "against the rest, and osteopenia or osteoporosis against normal; DeLong's intervals and paired test, Youden "
        "cut-offs at the midpoint "
        f"of two neighbouring values, stratified bootstrap of {settings.bootstrap_draws} resamples. Tests are "
        f"two-sided at {settings.alpha:g}. {strata.METHODS}{agreement.METHODS} Seed {seed}."
    )


def _audit(
    cohort: ShapeCohort,
    frame: pd.DataFrame,
    settings: RoiComparisonSettings,
    thresholds: ThresholdsSettings,
    seed: int,
    tables: tuple[TableExhibit, ...],
    fits: Mapping[str, Fit],
) -> dict[str, Any]:
    variables = [*cohort.shapes, *(f"t_score_{site}" for site in settings.t_score_sites), "age_years", "sex"]
    return {
        "analysed": len(frame),
        "flow": dict(zip(cohort.flow["step"], cohort.flow["patients"].tolist(), strict=True)),
        "classes": {name: int((frame["dxa_class"] == name).sum()) for name in CLASSES},
        "direction": "low HU means the event; fixed beforehand",
        "values": settings.values,
        "roc": {part: fits[part].values["checks"] for part in ("osteoporosis", "low_mass")},
        "missing": missing_values(frame, variables),
        "n_per_analysis": counts_of_tables(tables),
        "settings": settings.model_dump(mode="json"),
        "thresholds": thresholds.model_dump(mode="json", include=set(NEEDS[NAME].thresholds)),
        "seed": seed,
    }
