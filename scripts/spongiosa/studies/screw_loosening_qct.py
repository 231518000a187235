"""vBMD of body, pedicle and screw trajectory of L5 against screw loosening.

Tables and figures follow the QCT study of single-level lumbar fusion.  The event is loosening throughout: the published
tables of the field sometimes print sensitivities of the other class.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from spongiosa.config.studies import ScrewLooseningQctSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report import figures, theme
from spongiosa.report.exhibits import FigureExhibit, TableExhibit
from spongiosa.report.formatting import percent
from spongiosa.report.theme import GroupStyle
from spongiosa.report.variables import Variable, demographic_variables, present
from spongiosa.statistics.collinearity import Collinearity
from spongiosa.statistics.collinearity import collinearity as diagnose_collinearity
from spongiosa.statistics.logistic import LogisticFit
from spongiosa.statistics.selection import Selection, SelectionRule, fit_or_penalise, select_model
from spongiosa.statistics.terms import Linear, build_design
from spongiosa.studies import agreement, per_screw, strata
from spongiosa.studies.auc_comparison import auc_comparison_table
from spongiosa.studies.audit import counts_of_tables, missing_values, roc_checks
from spongiosa.studies.discrimination import Marker, areas_in_words, roc_figure, roc_table
from spongiosa.studies.flow_figure import flow_figure
from spongiosa.studies.flow_table import apply_criteria, flow_exhibit, numbers, without_index
from spongiosa.studies.outcome_baseline import YES_NO, outcome_baseline
from spongiosa.studies.per_screw import loosening_of_patients, per_screw_tables, screw_audit, screw_cohort
from spongiosa.studies.readings import Target
from spongiosa.studies.regression_tables import model_table, selection_table
from spongiosa.studies.result import StudyResult, attempt, drawn_figures, omitted_figures

NAME = "screw_loosening_qct"
TITLE = "vBMD of L5 and screw loosening"
OUTCOME = "loosening"
T_SCORE = "t_score_total_hip"
DENSITIES = {
    "l5_body_vbmd_mg_cm3": "A: body",
    "l5_pedicle_vbmd_mg_cm3": "B: pedicle",
    "l5_trajectory_vbmd_mg_cm3": "C: trajectory",
}
TARGETS = tuple(
    Target(column, f"vBMD {label}", "mg/cm³", "vbmd_mean_mg_cm3", (region,), ("L5",))
    for (column, label), region in zip(DENSITIES.items(), ("body_central", "pedicle", "trajectory"), strict=True)
)
GROUPS = {
    "event": GroupStyle("Loosening", theme.VERMILLION, "s"),
    "none": GroupStyle("No loosening", theme.BLUE, "o"),
}
CANDIDATES = ("age_years", "bmi_kg_m2", "diabetes", "hypertension", "smoker", "t_score_lumbar", T_SCORE, *DENSITIES)
LABELS = {
    "age_years": "Age, per year",
    "bmi_kg_m2": "Body mass index, per kg/m²",
    "diabetes": "Diabetes",
    "hypertension": "Hypertension",
    "smoker": "Smoker",
    "t_score_lumbar": "Lumbar T-score, per SD",
    T_SCORE: "Total hip T-score, per SD",
    **{column: f"vBMD {label}, per mg/cm³" for column, label in DENSITIES.items()},
}


def analyse(
    patients: pd.DataFrame,
    settings: ScrewLooseningQctSettings,
    _thresholds: ThresholdsSettings,
    seed: int,
    *,
    readers: pd.DataFrame | None = None,
    screws: pd.DataFrame | None = None,
) -> StudyResult:
    """The whole study from the patient table; patients with all three densities and a known outcome are analysed.

    With `screws` (columns of cohort/screws.parquet) also per screw, and a patient whose outcome the clinical table
    does not state has loosening where any screw is loose.  No threshold of the configuration enters the study.
    """
    frame = patients.reset_index(drop=True)
    frame[OUTCOME] = _outcome(frame, screws)
    criteria = [criterion for column in DENSITIES for criterion in without_index(frame, column)]
    criteria.append(("no_outcome", frame[OUTCOME].isna(), "screw loosening not known."))
    frame, flow = apply_criteria(frame, criteria)
    methods = _methods(settings, seed)
    if frame.empty:
        return StudyResult(
            NAME, TITLE, "No patient has the three densities of L5 and a known outcome.", methods,
            (flow_exhibit(flow),), (), omitted=(("All figures", "Nobody is analysed."),),
            audit={"analysed": 0, "seed": seed},
        )  # fmt: skip
    frame = frame.assign(**{column: numbers(frame, column) for column in (*DENSITIES, T_SCORE)})
    event = frame[OUTCOME] == 1
    frame = frame.join(pd.Series(np.where(event, "event", "none"), name="group"))
    markers = _markers(frame)
    selection, no_selection = _univariable(frame, event, settings)
    models = _models(frame, event, settings.confidence)
    discrimination = roc_table(
        "t3_roc", "Table 3. Discrimination of loosening", "Event: loosening. Low values mean the event.", frame, event,
        markers, confidence=settings.confidence, draws=settings.bootstrap_draws, seed=seed,
    )  # fmt: skip
    of_screws = None if screws is None else screw_cohort(screws, frame, T_SCORE)
    read = agreement.agreement(
        readers, TARGETS, frame["patient_id"].tolist(), "t8", "8", confidence=settings.confidence
    )
    tables = (
        flow_exhibit(flow),
        outcome_baseline(
            "t1_baseline", "Table 1. Patients with and without loosening", f"n = {len(frame)}.", frame, frame["group"],
            {name: style.label for name, style in GROUPS.items()}, present(_variables(), frame), seed=seed,
            alpha=settings.alpha,
        ),
        selection_table(
            "t2a_univariable", "Table 2a. Univariable logistic regression",
            f"Event: loosening. Columns with P < {settings.enter_below:g} may enter a model; the three densities are "
            "collinear and never enter one together.",
            selection.univariable if selection else (), None, LABELS, reason=no_selection or "see Table 2b.",
        ),
        model_table(
            "t2b_models", "Table 2b. Three separate models", "Total hip T-score with one density each.",
            {f"Model with {DENSITIES[column]}": fitted for column, fitted in models.items()}, LABELS,
        ),
        discrimination,
        auc_comparison_table(
            "t4_auc_differences", "Table 4. Differences between the AUCs", frame, event, markers,
            confidence=settings.confidence,
        ),
        _collinearity_table(frame),
        *(
            per_screw_tables(of_screws, T_SCORE, models, discrimination.frame, confidence=settings.confidence)
            if of_screws is not None and len(of_screws)
            else ()
        ),
        *strata.strata_table(
            "t7_strata", "Table 7. Discrimination by scanner and site", frame, event, markers[-1:] + markers[:-1],
            "Loosening", confidence=settings.confidence,
        ),
        *(read.tables if read else ()),
    )  # fmt: skip
    drawn = {
        "Flow of patients": flow_figure(flow, {s.label: int((frame["group"] == g).sum()) for g, s in GROUPS.items()}),
        "ROC curves": roc_figure(
            "f1_roc", "Figure 1. ROC curves for loosening", "Low values mean loosening. Points: Youden cut-offs.",
            frame, event, markers, confidence=settings.confidence,
        ),
        "vBMD by outcome": (_box_figure(frame), ""),
    }  # fmt: skip
    if read is not None:
        drawn["Readers"] = agreement.agreement_figure("f3_readers", "Figure 3. Readers and workflow", read.pairs)
    return StudyResult(
        name=NAME,
        title=TITLE,
        headline=_headline(discrimination, len(frame), int(event.sum())),
        methods=methods,
        tables=tables,
        figures=drawn_figures(drawn),
        omitted=omitted_figures(drawn),
        audit={
            "analysed": len(frame),
            "events": int(event.sum()),
            "flow": dict(zip(flow["step"], flow["patients"].tolist(), strict=True)),
            "direction": "low vBMD means loosening; the event is loosening throughout",
            # A density that protects has an odds ratio below 1; above 1 the event would be the other class.
            "odds_ratios_below_one": {
                column: fit.coefficients[-1].odds_ratio < 1 if fit else None for column, (fit, _) in models.items()
            },
            "roc": roc_checks(frame, event, markers),
            "missing": missing_values(frame, [variable.column for variable in _variables()]),
            "n_per_analysis": counts_of_tables(tables),
            "per_screw": screw_audit(of_screws) if of_screws is not None else None,
            "settings": settings.model_dump(mode="json"),
            "seed": seed,
        },
    )


def _outcome(frame: pd.DataFrame, screws: pd.DataFrame | None) -> pd.Series:
    """Loosening per patient: as the clinical table states it, else of any screw."""
    stated = numbers(frame, OUTCOME)
    if screws is None or "patient_id" not in frame:
        return stated
    return stated.fillna(frame["patient_id"].astype("str").map(loosening_of_patients(screws)))


def _variables() -> list[Variable]:
    return [
        *demographic_variables(),
        *(Variable(name, name.capitalize(), categories=YES_NO) for name in ("smoker", "diabetes", "hypertension")),
        Variable("t_score_lumbar", "Lumbar T-score", "SD", 2),
        Variable(T_SCORE, "Total hip T-score", "SD", 2),
        *(Variable(column, f"vBMD {label}", "mg/cm³") for column, label in DENSITIES.items()),
    ]


def _markers(frame: pd.DataFrame) -> list[Marker]:
    markers = [Marker(column, f"vBMD {label}", "mg/cm³", "low") for column, label in DENSITIES.items()]
    if frame[T_SCORE].notna().any():
        markers.insert(0, Marker(T_SCORE, "Total hip T-score", "SD", "low", 2))
    return markers


def _univariable(
    frame: pd.DataFrame, event: pd.Series, settings: ScrewLooseningQctSettings
) -> tuple[Selection | None, str]:
    columns = [name for name in CANDIDATES if name in frame and frame[name].notna().any()]
    table = pd.DataFrame({name: numbers(frame, name) for name in columns})
    rule = SelectionRule(enter_below=settings.enter_below)
    terms = [Linear(name) for name in columns]
    return attempt(select_model, table, event.to_numpy(), terms, rule, confidence=settings.confidence)


def _models(frame: pd.DataFrame, event: pd.Series, confidence: float) -> dict[str, tuple[LogisticFit | None, str]]:
    """{T-score, density} for each of the three densities, by its column; alone where no T-score is given."""
    first = [T_SCORE] if frame[T_SCORE].notna().any() else []
    models = {}
    for column in DENSITIES:
        names = [*first, column]
        models[column] = attempt(
            fit_or_penalise, frame[names], event.to_numpy(), [Linear(name) for name in names], "wald", confidence
        )
    return models


def _collinearity_table(frame: pd.DataFrame) -> TableExhibit:
    """Table 5: why the three densities do not share a model."""
    columns = list(DENSITIES)
    found, reason = attempt(_collinearity, frame, columns)
    rows = list(found.columns) if found else []
    records = [{"column": row.column, "tolerance": row.tolerance, "vif": row.vif} for row in rows]
    return TableExhibit(
        key="t5_collinearity",
        title="Table 5. Collinearity of the three densities",
        frame=pd.DataFrame.from_records(records),
        printed=pd.DataFrame(
            [
                {"Density": DENSITIES[row.column], "Tolerance": f"{row.tolerance:.3f}", "VIF": f"{row.vif:.2f}"}
                for row in rows
            ]
        ),
        caption="Variance inflation factor of each density given the other two.",
        notes=() if found else (f"Not computed: {reason}",),
    )


def _collinearity(frame: pd.DataFrame, columns: list[str]) -> Collinearity:
    return diagnose_collinearity(build_design(frame[columns], [Linear(name) for name in columns]))


def _box_figure(frame: pd.DataFrame) -> FigureExhibit:
    panels = [
        figures.BoxPanel(
            label,
            "vBMD [mg/cm³]",
            [np.asarray(frame.loc[frame["group"] == name, column], dtype=np.float64) for name in GROUPS],
        )
        for column, label in DENSITIES.items()
    ]
    return FigureExhibit(
        key="f2_boxes",
        title="Figure 2. vBMD of the three regions by outcome",
        figure=figures.boxes(panels, list(GROUPS.values())),
        data=frame[["patient_id", "group", *DENSITIES]],
        caption="Boxes: quartiles. Every panel has the same scale.",
        alt="Box plots of the vBMD of body, pedicle and trajectory of patients with and without loosening.",
    )


def _headline(discrimination: TableExhibit, n: int, events: int) -> str:
    start = f"Loosening in {events} of {n} patients ({percent(events / n)})"
    areas = areas_in_words(discrimination, {column: label.partition(": ")[2] for column, label in DENSITIES.items()})
    if not areas:
        return f"{start}: no ROC analysis ({discrimination.frame['reason'].iloc[0]})"
    return f"{start}: AUC of vBMD in {areas}."


def _methods(settings: ScrewLooseningQctSettings, seed: int) -> str:
    return (
        "vBMD of L5 was measured in the central body (A), in the pedicles (B) and along the screw trajectories (C), "
        "left and right averaged. Groups were compared by Student's t or Mann-Whitney (after Shapiro-Wilk) and by "
        "chi-square without correction or Fisher's test. Columns were tried one by one (P < "
        f"{settings.enter_below:g}); as the three densities are collinear, three separate logistic models hold the "
        "total hip T-score and one density each, with Wald intervals, or Firth's penalised likelihood where the "
        "outcome is separated. Loosening is the event in every analysis and low values mean the event, fixed "
        "beforehand. AUC with DeLong's interval and paired tests (Holm), Youden cut-offs at the midpoint of two "
        f"neighbouring values, stratified bootstrap of {settings.bootstrap_draws} resamples. Intervals cover "
        f"{settings.confidence:.0%}; tests are two-sided at {settings.alpha:g}. {strata.METHODS}{per_screw.METHODS}"
        f"{agreement.METHODS} Seed {seed}."
    )
