"""3D-HU and three-slice HU against new vertebral fractures after vertebral augmentation.

Tables and figures follow the study of postmenopausal women with a painful osteoporotic fracture.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from spongiosa.anatomy.levels import L1_TO_L4
from spongiosa.config.studies import NewFractureSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report import figures, theme
from spongiosa.report.exhibits import FigureExhibit, Footnotes, TableExhibit
from spongiosa.report.formatting import estimate_interval, number, p_value, percent
from spongiosa.report.theme import GroupStyle
from spongiosa.report.variables import Variable, demographic_variables, present
from spongiosa.statistics.accuracy import accuracy_indices, classify, confusion
from spongiosa.statistics.association import pearson
from spongiosa.statistics.cutoff import youden
from spongiosa.statistics.linear import linear_regression
from spongiosa.statistics.selection import Selection, SelectionRule, select_model
from spongiosa.statistics.terms import Linear
from spongiosa.studies import agreement, strata
from spongiosa.studies.auc_comparison import auc_comparison_table
from spongiosa.studies.audit import counts_of_tables, missing_values, roc_checks
from spongiosa.studies.correlations import Pair, correlation_table
from spongiosa.studies.discrimination import Marker, areas_in_words, roc_figure, roc_table
from spongiosa.studies.flow_figure import flow_figure
from spongiosa.studies.flow_table import apply_criteria, flow_exhibit, numbers, patient_names, without_index
from spongiosa.studies.levels_used import levels_table
from spongiosa.studies.outcome_baseline import YES_NO, outcome_baseline
from spongiosa.studies.readings import Target
from spongiosa.studies.regression_tables import selection_table
from spongiosa.studies.result import StudyResult, attempt, drawn_figures, omitted_figures
from spongiosa.studies.time_to_event import METHODS as TIME_METHODS
from spongiosa.studies.time_to_event import time_to_event_table

NAME = "new_fracture_3d_hu"
TITLE = "3D-HU and new vertebral fractures"
OUTCOME = "new_fracture"
MARKERS = (Marker("hu_3d_l1_l4", "3D-HU", "HU", "low"), Marker("ax_l1_l4_hu", "HU", "HU", "low"))
_L1_L4 = tuple(level.name for level in L1_TO_L4)
TARGETS = (
    Target("hu_3d_l1_l4", "3D-HU", "HU", "hu_mean", ("body_trabecular",), _L1_L4),
    Target("ax_l1_l4_hu", "HU", "HU", "hu_mean", ("ellipse_superior", "ellipse_mid", "ellipse_inferior"), _L1_L4),
)
GROUPS = {
    "event": GroupStyle("New fracture", theme.VERMILLION, "s"),
    "none": GroupStyle("No new fracture", theme.BLUE, "o"),
}
LABELS = {
    "age_years": "Age, per year",
    "bmi_kg_m2": "Body mass index, per kg/m²",
    "hypertension": "Hypertension",
    "diabetes": "Diabetes",
    "multiple_fracture": "Multiple fractures",
    "thoracolumbar_junction": "Thoracolumbar junction treated",
    "hu_3d_l1_l4": "3D-HU, per HU",
    "ax_l1_l4_hu": "HU, per HU",
    "t_score_lumbar": "Lumbar T-score, per SD",
}


def analyse(
    patients: pd.DataFrame,
    settings: NewFractureSettings,
    _thresholds: ThresholdsSettings,
    seed: int,
    *,
    readers: pd.DataFrame | None = None,
) -> StudyResult:
    """The whole study from the patient table; patients with 3D-HU, HU and a known outcome are analysed.

    No threshold of the configuration enters the study.
    """
    frame = patients.reset_index(drop=True)
    criteria = [criterion for marker in MARKERS for criterion in without_index(frame, marker.column)]
    criteria.append(("no_outcome", numbers(frame, OUTCOME).isna(), "new fracture not known."))
    frame, flow = apply_criteria(frame, criteria)
    methods = _methods(settings, seed)
    if frame.empty:
        return StudyResult(
            NAME, TITLE, "No patient has 3D-HU, HU and a known outcome.", methods, (flow_exhibit(flow),), (),
            omitted=(("All figures", "Nobody is analysed."),), audit={"analysed": 0, "seed": seed},
        )  # fmt: skip
    frame = frame.astype({marker.column: "float64" for marker in MARKERS})
    event = numbers(frame, OUTCOME) == 1
    frame = frame.join(pd.Series(np.where(event, "event", "none"), name="group"))
    selection, no_selection = _select(frame, event, settings)
    discrimination = roc_table(
        "t3_roc", "Table 3. Discrimination of new fractures", "Low HU means the event.", frame, event, MARKERS,
        confidence=settings.confidence, draws=settings.bootstrap_draws, seed=seed,
    )  # fmt: skip
    tables = [
        flow_exhibit(flow),
        outcome_baseline(
            "t1_baseline", "Table 1. Patients with and without a new fracture", f"n = {len(frame)}.", frame,
            frame["group"], {name: style.label for name, style in GROUPS.items()}, present(_variables(), frame),
            seed=seed, alpha=settings.alpha,
        ),
        selection_table(
            "t2_logistic", "Table 2. Logistic regression", "Event: a new vertebral fracture.",
            selection.univariable if selection else (), selection.multivariable if selection else None, LABELS,
            reason=no_selection or (selection.reason if selection else ""),
        ),
        discrimination,
        auc_comparison_table(
            "t4_auc_difference", "Table 4. 3D-HU against HU", frame, event, MARKERS, confidence=settings.confidence
        ),
        _accuracy_table(frame, event, settings.confidence),
    ]  # fmt: skip
    has_t_score = bool(present([Variable("t_score_lumbar", "")], frame))
    if has_t_score:
        pairs = [Pair(m.column, "t_score_lumbar", f"{m.label} and lumbar T-score") for m in MARKERS]
        tables.append(
            correlation_table(
                "t6_correlations", "Table 6. Correlation with the T-score", frame, pairs, unit="HU",
                confidence=settings.confidence,
            )
        )  # fmt: skip
    if settings.time_to_event:
        entered = selection.entered if selection and selection.entered else tuple(m.column for m in MARKERS[:1])
        tables.append(
            time_to_event_table(
                "t10_time_to_event", "Table 10. Time to the new fracture", frame, event, entered, LABELS,
                confidence=settings.confidence,
            )
        )  # fmt: skip
    tables += levels_table(frame, [marker.column for marker in MARKERS])
    tables += strata.strata_table(
        "t8_strata", "Table 8. Discrimination by scanner and site", frame, event, MARKERS, "New fracture",
        confidence=settings.confidence,
    )  # fmt: skip
    read = agreement.agreement(
        readers, TARGETS, frame["patient_id"].tolist(), "t9", "9", confidence=settings.confidence
    )
    tables += read.tables if read else ()
    drawn = {
        "Flow of patients": flow_figure(flow, {s.label: int((frame["group"] == g).sum()) for g, s in GROUPS.items()}),
        "HU and T-score": (_scatter_figure(frame) if has_t_score else None, "No T-score is given."),
        "ROC curves": roc_figure(
            "f2_roc", "Figure 2. ROC curves for new fractures", "Low HU means the event. Points: Youden cut-offs.",
            frame, event, MARKERS, confidence=settings.confidence,
        ),
        "HU by outcome": (_box_figure(frame), ""),
    }  # fmt: skip
    if read is not None:
        drawn["Readers"] = agreement.agreement_figure("f4_readers", "Figure 4. Readers and workflow", read.pairs)
    return StudyResult(
        name=NAME,
        title=TITLE,
        headline=_headline(discrimination, len(frame), int(event.sum())),
        methods=methods,
        tables=tuple(tables),
        figures=drawn_figures(drawn),
        omitted=omitted_figures(drawn),
        audit={
            "analysed": len(frame),
            "events": int(event.sum()),
            "flow": dict(zip(flow["step"], flow["patients"].tolist(), strict=True)),
            "direction": "low HU means a new fracture; fixed beforehand",
            "selection_rule": selection.rule if selection else None,
            "entered": list(selection.entered) if selection else [],
            "roc": roc_checks(frame, event, MARKERS),
            "missing": missing_values(frame, [variable.column for variable in _variables()]),
            "n_per_analysis": counts_of_tables(tables),
            "settings": settings.model_dump(mode="json"),
            "seed": seed,
        },
    )


def _variables() -> list[Variable]:
    yes_no = ("hypertension", "diabetes", "anti_osteoporosis_therapy", "multiple_fracture", "thoracolumbar_junction")
    return [
        *demographic_variables(),
        *(Variable(name, name.replace("_", " ").capitalize(), categories=YES_NO) for name in yes_no),
        Variable("procedure", "Procedure", categories={"PKP": "PKP", "PVP": "PVP"}),
        Variable("t_score_lumbar", "Lumbar T-score", "SD", 2),
        Variable("ax_l1_l4_hu", "HU of L1-L4, three slices", "HU"),
        Variable("hu_3d_l1_l4", "3D-HU of L1-L4", "HU"),
        Variable("follow_up_months", "Follow-up", "months"),
    ]


def _select(frame: pd.DataFrame, event: pd.Series, settings: NewFractureSettings) -> tuple[Selection | None, str]:
    """Univariable, then multivariable logistic regression with profile-likelihood intervals."""
    columns = [name for name in settings.candidates if name in frame and frame[name].notna().any()]
    table = pd.DataFrame({name: numbers(frame, name) for name in columns})
    rule = SelectionRule(enter_below=settings.enter_below)
    terms = [Linear(name) for name in columns]
    return attempt(
        select_model, table, event.to_numpy(), terms, rule, interval="profile", confidence=settings.confidence
    )


def _accuracy_table(frame: pd.DataFrame, event: pd.Series, confidence: float) -> TableExhibit:
    """Table 5: every index at the Youden cut-off, as an AUC is no accuracy."""
    footnotes = Footnotes()
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for marker in MARKERS:
        best, reason = attempt(youden, frame[marker.column], event, direction="low")
        if best is None:
            records.append({"marker": marker.column, "reason": reason})
            printed.append({"Marker": marker.label, "Rule": footnotes.gap(reason)})
            continue
        positive = classify(frame[marker.column], best.best.midpoint, "<")
        indices = accuracy_indices(confusion(positive, event), confidence=confidence)
        shares = {
            "Sensitivity": indices.sensitivity,
            "Specificity": indices.specificity,
            "PPV": indices.positive_predictive_value,
            "NPV": indices.negative_predictive_value,
            "Accuracy": indices.accuracy,
        }
        records.append(
            {"marker": marker.column, "cut_off_hu": best.best.midpoint, **vars(indices.confusion),
             **{name.lower(): share.estimate for name, share in shares.items()}, "reason": ""}
        )  # fmt: skip
        cells = {
            f"{name} (CI)": footnotes.gap(share.reason)
            if share.reason
            else estimate_interval(share.estimate, share.ci_low, share.ci_high)
            for name, share in shares.items()
        }
        printed.append({"Marker": marker.label, "Rule": f"< {number(best.best.midpoint, 1)} HU", **cells})
    caption = f"Wilson intervals, {confidence:.0%}. Cut-offs chosen on these patients flatter all indices."
    return TableExhibit.of_rows(
        "t5_accuracy", "Table 5. Accuracy at the Youden cut-off", caption, records, printed, footnotes.notes()
    )


def _scatter_figure(frame: pd.DataFrame) -> FigureExhibit:
    panels = []
    known = frame[frame["t_score_lumbar"].notna()]
    for marker in MARKERS:
        x, y = (np.asarray(known[column], dtype=np.float64) for column in (marker.column, "t_score_lumbar"))
        fit, _ = attempt(linear_regression, y, {"hu": x})
        r, _ = attempt(pearson, x, y)
        panels.append(
            figures.ScatterPanel(
                title=f"{marker.label} and T-score",
                x=x,
                y=y,
                group=known["group"].to_numpy(dtype=str),
                x_label=marker.label,
                y_label="Lumbar T-score [SD]",
                line=(fit.coefficients[0].estimate, fit.coefficients[1].estimate) if fit else None,
                names=patient_names(known),
                remark=f"r = {number(r.estimate, 3)}, P {p_value(r.p_value)}, n = {x.size}" if r else "",
            )
        )
    remarks = "; ".join(f"{panel.title}: {panel.remark}" for panel in panels)
    columns = ["patient_id", *(marker.column for marker in MARKERS), "t_score_lumbar", "group"]
    return FigureExhibit(
        key="f1_scatter",
        title="Figure 1. HU and T-score",
        figure=figures.scatter(panels, GROUPS),
        data=frame[[column for column in columns if column in frame]],
        caption="Line: least squares.",
        alt=f"Scatter plots of 3D-HU and HU against the lumbar T-score. {remarks}.",
    )


def _box_figure(frame: pd.DataFrame) -> FigureExhibit:
    panels = [
        figures.BoxPanel(
            marker.label,
            marker.label,
            [np.asarray(frame.loc[frame["group"] == name, marker.column], dtype=np.float64) for name in GROUPS],
        )
        for marker in MARKERS
    ]
    return FigureExhibit(
        key="f3_boxes",
        title="Figure 3. 3D-HU and HU by outcome",
        figure=figures.boxes(panels, list(GROUPS.values())),
        data=frame[["patient_id", "group", *(marker.column for marker in MARKERS)]],
        caption="Boxes: quartiles.",
        alt="Box plots of 3D-HU and HU of patients with and without a new fracture.",
    )


def _headline(discrimination: TableExhibit, n: int, events: int) -> str:
    start = f"{events} new fractures in {n} patients ({percent(events / n)})"
    areas = areas_in_words(discrimination, {marker.column: marker.label for marker in MARKERS})
    return (
        f"{start}: AUC of {areas}." if areas else f"{start}: no ROC analysis ({discrimination.frame['reason'].iloc[0]})"
    )


def _methods(settings: NewFractureSettings, seed: int) -> str:
    return (
        "3D-HU is the mean of the whole trabecular volume of the body, HU that of three ellipses per body, both "
        "averaged over the valid levels of L1-L4. Fractured, cemented and treated levels, as the clinical table, the "
        "review or a configured grade of deformity names them, enter no mean; a patient needs the configured number of "
        "remaining levels. "
        "Groups were compared by Student's t or Mann-Whitney (after Shapiro-Wilk) and by chi-square without correction "
        f"or Fisher's test. Columns with a univariable P below {settings.enter_below:g} entered a multivariable "
        "logistic model with profile-likelihood intervals; HU and T-score were left out of it on purpose. "
        "Discrimination: AUC with DeLong's interval and paired test, which the original study did not make; Youden "
        "cut-off at the midpoint of two neighbouring values, a patient below it being positive; low HU means the "
        f"event, fixed beforehand. Stratified bootstrap of {settings.bootstrap_draws} resamples. Intervals cover "
        f"{settings.confidence:.0%}, tests are two-sided at {settings.alpha:g}. {strata.METHODS}{agreement.METHODS}"
        f"{TIME_METHODS if settings.time_to_event else ''} Seed {seed}."
    )
