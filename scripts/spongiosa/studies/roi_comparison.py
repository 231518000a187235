"""Five shapes of the region of interest against the DXA class: which one tells osteoporosis best.

Tables and figures follow the study of round, oval, right, left and front regions on one mid-slice of each vertebra.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from spongiosa.config.studies import RoiComparisonSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report import figures, theme
from spongiosa.report.exhibits import FigureExhibit, Footnotes, TableExhibit
from spongiosa.report.formatting import estimate_interval, median_quartiles, number, p_value
from spongiosa.report.theme import GroupStyle
from spongiosa.report.variables import SITE_LABELS, Variable, demographic_variables, dxa_variables, present
from spongiosa.statistics.association import spearman
from spongiosa.statistics.description import summarise_numeric
from spongiosa.statistics.groups import GroupTest, friedman, kruskal_wallis, pairwise_mann_whitney
from spongiosa.statistics.linear import linear_regression
from spongiosa.studies.auc_comparison import auc_comparison_table
from spongiosa.studies.baseline import heading_with_count
from spongiosa.studies.correlations import Pair, correlation_table
from spongiosa.studies.discrimination import Marker, roc_figure, roc_table
from spongiosa.studies.flow_table import apply_criteria, flow_exhibit, patient_names, without_index
from spongiosa.studies.hu_dxa_groups import lowest_t_score
from spongiosa.studies.outcome_baseline import outcome_baseline
from spongiosa.studies.result import StudyResult, attempt

NAME = "roi_comparison"
TITLE = "Five shapes of the region of interest"
CLASSES = {
    "osteoporosis": GroupStyle("Osteoporosis", theme.VERMILLION, "s"),
    "osteopenia": GroupStyle("Osteopenia", theme.ORANGE, "^", "////"),
    "normal": GroupStyle("Normal", theme.BLUE, "o"),
}
LEVELS = ("l1", "l2", "l3", "l4", "l1_l4")
SHAPE_LABELS = {"round": "Round", "oval": "Oval", "right": "Right", "left": "Left", "front": "Front"}


def analyse(
    patients: pd.DataFrame, settings: RoiComparisonSettings, thresholds: ThresholdsSettings, seed: int
) -> StudyResult:
    """The whole study from the patient table; patients with all shapes and a T-score are analysed."""
    shapes = {f"{shape}_l1_l4_hu": SHAPE_LABELS[shape] for shape in settings.shapes}
    frame = patients.reset_index(drop=True).copy()
    sites = tuple(s for s in settings.t_score_sites if f"t_score_{s}" in frame and frame[f"t_score_{s}"].notna().any())
    frame = frame.join(lowest_t_score(frame, sites))
    criteria = [criterion for column in shapes for criterion in without_index(frame, column)]
    criteria.append(("no_t_score", frame["low_t_score"].isna(), "no T-score."))
    frame, flow = apply_criteria(frame, criteria)
    methods = _methods(settings, thresholds, sites, seed)
    if frame.empty:
        return StudyResult(
            NAME, TITLE, "No patient has all shapes and a T-score.", methods, (flow_exhibit(flow),), (),
            omitted=(("All figures", "Nobody is analysed."),), audit={"analysed": 0, "seed": seed},
        )  # fmt: skip
    frame = frame.astype(dict.fromkeys(shapes, "float64"))
    frame["dxa_class"] = dxa_class(frame["low_t_score"], thresholds)
    osteoporosis = frame["dxa_class"] == "osteoporosis"
    low_mass = frame["dxa_class"] != "normal"
    markers = [Marker(column, label, "HU", "low") for column, label in shapes.items()]
    found = roc_table(
        "t3a_roc_osteoporosis", "Table 3a. Discrimination of osteoporosis",
        "Event: osteoporosis against osteopenia and normal. Low HU means the event.", frame, osteoporosis, markers,
        confidence=settings.confidence, draws=settings.bootstrap_draws, seed=seed,
    )  # fmt: skip
    outcome, outcome_label = _dxa_outcome(frame, sites)
    tables = (
        flow_exhibit(flow),
        outcome_baseline(
            "t1_baseline_by_class", "Table 1. Patients by DXA class", f"n = {len(frame)}.", frame, frame["dxa_class"],
            {name: style.label for name, style in CLASSES.items()},
            present([*demographic_variables(), *dxa_variables(sites)], frame), seed=seed, alpha=settings.alpha,
        ),
        _class_table(frame, settings),
        found,
        roc_table(
            "t3b_roc_low_mass", "Table 3b. Discrimination of low bone mass (exclusion)",
            "Event: osteopenia or osteoporosis against normal. A patient above the cut-off counts as normal.", frame,
            low_mass, markers, confidence=settings.confidence, draws=settings.bootstrap_draws, seed=seed,
        ),
        auc_comparison_table(
            "t4_auc_differences", "Table 4. Differences between the shapes' AUCs for osteoporosis", frame, osteoporosis,
            markers, confidence=settings.confidence,
        ),
        _agreement_table(frame, shapes),
        correlation_table(
            "t6_correlations", f"Table 6. HU of the shapes and {outcome_label}", frame,
            [Pair(column, outcome, f"{name} HU and {outcome_label}") for column, name in shapes.items()],
            unit="HU", confidence=settings.confidence,
        ),
    )  # fmt: skip
    drawn = {
        "HU and DXA": _scatter_figure(frame, shapes, sites),
        "ROC for osteoporosis": roc_figure(
            "f2_roc_osteoporosis", "Figure 2. ROC curves for osteoporosis", "Event: osteoporosis against the rest.",
            frame, osteoporosis, markers, confidence=settings.confidence,
        ),
        "ROC for low bone mass": roc_figure(
            "f3_roc_low_mass", "Figure 3. ROC curves for low bone mass", "Event: osteopenia or osteoporosis.",
            frame, low_mass, markers, confidence=settings.confidence,
        ),
        "HU by class": (_box_figure(frame, shapes), ""),
    }  # fmt: skip
    return StudyResult(
        name=NAME,
        title=TITLE,
        headline=_headline(found, shapes, len(frame), int(osteoporosis.sum())),
        methods=methods,
        tables=tables,
        figures=tuple(figure for figure, _ in drawn.values() if figure is not None),
        omitted=tuple((title, reason) for title, (figure, reason) in drawn.items() if figure is None),
        audit=_audit(frame, flow, settings, thresholds, seed),
    )


def dxa_class(low_t_score: pd.Series, thresholds: ThresholdsSettings) -> pd.Series:
    """WHO class of the lowest T-score: osteoporosis <= -2.5 < osteopenia < -1.0 <= normal (cut-offs configurable)."""
    conditions = [low_t_score <= thresholds.t_osteoporosis, low_t_score < thresholds.t_osteopenia]
    classes = np.select(conditions, ["osteoporosis", "osteopenia"], "normal")
    return pd.Series(classes, index=low_t_score.index, dtype="str")


def _class_table(frame: pd.DataFrame, settings: RoiComparisonSettings) -> TableExhibit:
    """Table 2: HU of every shape and level by class, with Kruskal-Wallis and marks of the pairwise comparisons."""
    footnotes = Footnotes()
    headings = {
        name: heading_with_count(s.label, int((frame["dxa_class"] == name).sum())) for name, s in CLASSES.items()
    }
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for level in LEVELS:
        for shape in settings.shapes:
            column = f"{shape}_{level}_hu"
            if column not in frame or not frame[column].notna().any():
                continue
            values = {name: frame.loc[frame["dxa_class"] == name, column].astype("float64") for name in CLASSES}
            test, reason = attempt(kruskal_wallis, values)
            marks = _marks(values, settings.alpha)
            row = {"Level": level.upper().replace("_", "-"), "Shape": SHAPE_LABELS[shape]}
            for name, part in values.items():
                summary, gap = attempt(summarise_numeric, part)
                if summary is None:
                    row[headings[name]] = footnotes.gap(gap)
                    continue
                row[headings[name]] = median_quartiles(summary.median, summary.q1, summary.q3) + marks[name]
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
        caption="Median (quartiles) in HU. P: Kruskal-Wallis.",
        notes=(
            "△ differs from normal, * differs from osteopenia: pairwise Mann-Whitney, Bonferroni for three pairs, "
            f"P < {settings.alpha:g}.",
            *footnotes.notes(),
        ),
    )


def _marks(values: dict[str, pd.Series], alpha: float) -> dict[str, str]:
    """Marks of the classes that differ from normal or from osteopenia after Bonferroni's correction."""
    pairs, _ = attempt(pairwise_mann_whitney, values)
    differing = {frozenset((pair.first, pair.second)) for pair in pairs or () if pair.p_adjusted < alpha}
    return {
        name: (" △" if frozenset((name, "normal")) in differing else "")
        + (" *" if name == "osteoporosis" and frozenset((name, "osteopenia")) in differing else "")
        for name in values
    }


def _agreement_table(frame: pd.DataFrame, shapes: dict[str, str]) -> TableExhibit:
    """Table 5: do the five shapes give the same HU?  Kruskal-Wallis as published, Friedman as the data ask for."""
    conditions = {label: frame[column] for column, label in shapes.items()}
    tests: list[tuple[str, GroupTest | None, str]] = [
        ("Kruskal-Wallis (ignores that they are the same patients)", *attempt(kruskal_wallis, conditions)),
        ("Friedman (same patients)", *attempt(friedman, conditions)),
    ]
    footnotes = Footnotes()
    return TableExhibit(
        key="t5_between_shapes",
        title="Table 5. HU between the shapes",
        frame=pd.DataFrame(
            [
                {"test": name, "statistic": test.statistic if test else math.nan,
                 "df": test.df_between if test else math.nan, "p_value": test.p_value if test else math.nan,
                 "effect_size": test.effect_size if test else math.nan, "method": test.method if test else "",
                 "reason": reason}
                for name, test, reason in tests
            ]
        ),
        printed=pd.DataFrame(
            [
                {"Test": name, "Statistic": number(test.statistic, 2) if test else footnotes.gap(reason),
                 "df": number(test.df_between, 0) if test else "", "P": p_value(test.p_value) if test else ""}
                for name, test, reason in tests
            ]
        ),
        caption="Medians: "
        + ", ".join(f"{label} {number(float(values.median()))}" for label, values in conditions.items())
        + " HU.",
        notes=footnotes.notes(),
    )  # fmt: skip


def _dxa_outcome(frame: pd.DataFrame, sites: tuple[str, ...]) -> tuple[str, str]:
    for site in sites:
        if present([Variable(f"bmd_{site}_g_cm2", "")], frame):
            return f"bmd_{site}_g_cm2", f"{SITE_LABELS[site].lower()} BMD"
    return "low_t_score", "lowest T-score"


def _scatter_figure(
    frame: pd.DataFrame, shapes: dict[str, str], sites: tuple[str, ...]
) -> tuple[FigureExhibit | None, str]:
    outcome, label = _dxa_outcome(frame, sites)
    panels = []
    for column, name in shapes.items():
        known = frame[frame[outcome].notna()]
        x, y = (np.asarray(known[c], dtype=np.float64) for c in (column, outcome))
        fit, _ = attempt(linear_regression, y, {"hu": x})
        rho, _ = attempt(spearman, x, y)
        panels.append(
            figures.ScatterPanel(
                title=name,
                x=x,
                y=y,
                group=known["dxa_class"].to_numpy(dtype=str),
                x_label="HU",
                y_label=label.capitalize() if outcome == "low_t_score" else f"{label[0].upper() + label[1:]} [g/cm²]",
                line=(fit.coefficients[0].estimate, fit.coefficients[1].estimate) if fit else None,
                names=patient_names(known),
                remark=f"ρ = {number(rho.estimate, 2)}, n = {x.size}" if rho else "",
            )
        )
    remarks = "; ".join(f"{panel.title}: {panel.remark}" for panel in panels)
    return FigureExhibit(
        key="f1_scatter",
        title=f"Figure 1. HU of the five shapes and {label}",
        figure=figures.scatter(panels, CLASSES),
        data=frame[[c for c in ("patient_id", *shapes, outcome, "dxa_class") if c in frame]],
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
    return (
        f"The class is that of the lowest T-score ({named}): osteoporosis at ≤ {number(thresholds.t_osteoporosis)}, "
        f"osteopenia below {number(thresholds.t_osteopenia)}, otherwise normal. Each shape lies on one slice at the "
        "mid-height of L1-L4; the mean of the valid levels is used. HU are given as median and quartiles at (n + 1) p; "
        "classes were compared by Kruskal-Wallis and pairwise Mann-Whitney tests with Bonferroni's correction for "
        "three pairs. The shapes were compared with each other by Kruskal-Wallis, as published, and by Friedman's "
        "test, which respects that they come from the same patients. HU and DXA were related by Spearman's rho and "
        "Pearson's r. ROC analyses have low HU as the sign of the event, which is fixed beforehand: osteoporosis "
        "against the rest, and osteopenia or osteoporosis against normal; DeLong's intervals and paired test, Youden "
        "cut-offs at the midpoint "
        f"of two neighbouring values, stratified bootstrap of {settings.bootstrap_draws} resamples. Tests are "
        f"two-sided at {settings.alpha:g}. Seed {seed}."
    )


def _audit(
    frame: pd.DataFrame,
    flow: pd.DataFrame,
    settings: RoiComparisonSettings,
    thresholds: ThresholdsSettings,
    seed: int,
) -> dict[str, Any]:
    return {
        "analysed": len(frame),
        "flow": dict(zip(flow["step"], flow["patients"].tolist(), strict=True)),
        "classes": {name: int((frame["dxa_class"] == name).sum()) for name in CLASSES},
        "direction": "low HU means the event; fixed beforehand",
        "settings": settings.model_dump(mode="json"),
        "thresholds": thresholds.model_dump(mode="json"),
        "seed": seed,
    }
