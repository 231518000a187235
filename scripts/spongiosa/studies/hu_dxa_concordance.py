"""Concordance of opportunistic HU with DXA: four groups, cut-offs, gray zone, correlations, ROC, who is discordant.

The questions, tables and figures follow the HU-DXA concordance study of pre-operative lumbar CT; statistics are those
of `spongiosa.statistics`, the choices those of `studies.hu_dxa_concordance` and `thresholds`.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from spongiosa.config.studies import HuDxaConcordanceSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report.characteristics import characteristics
from spongiosa.report.exhibits import FigureExhibit, TableExhibit
from spongiosa.report.formatting import estimate_interval, number, percent
from spongiosa.report.variables import (
    SITE_LABELS,
    Variable,
    demographic_variables,
    dxa_variables,
    index_label,
    present,
)
from spongiosa.statistics.accuracy import AccuracyIndices, accuracy_indices, confusion
from spongiosa.statistics.comparison import mann_whitney
from spongiosa.statistics.description import missingness
from spongiosa.statistics.linear import LinearFit, linear_regression
from spongiosa.statistics.roc import auc_delong
from spongiosa.studies import hu_dxa_figures as draw
from spongiosa.studies import hu_dxa_tables as tabulate
from spongiosa.studies.baseline import group_comparison
from spongiosa.studies.correlations import Pair, correlation_table
from spongiosa.studies.discrimination import Marker, roc_figure, roc_table
from spongiosa.studies.flow_table import flow_exhibit
from spongiosa.studies.hu_dxa_groups import GROUP_STYLES, ConcordanceCohort, form_groups
from spongiosa.studies.hu_dxa_strata import strata_table
from spongiosa.studies.result import StudyResult, attempt

NAME = "hu_dxa_concordance"
TITLE = "Concordance of CT attenuation with DXA"


def analyse(
    patients: pd.DataFrame, settings: HuDxaConcordanceSettings, thresholds: ThresholdsSettings, seed: int
) -> StudyResult:
    """The whole study from the patient table (columns of cohort/patients.parquet).

    A quantity that these patients do not determine (one class only, too few values) is shown with its reason; nothing
    is left out silently.  Every random step uses `seed`.
    """
    cohort = form_groups(patients, settings, thresholds)
    if cohort.frame.empty:
        return StudyResult(
            name=NAME,
            title=TITLE,
            headline="No patient has both an HU index and a T-score, so concordance could not be studied.",
            methods=_methods(cohort, settings, thresholds, seed),
            tables=(flow_exhibit(cohort.flow, cohort.notes),),
            figures=(),
            omitted=(("All figures", draw.NOBODY),),
            notes=cohort.notes,
            audit={"analysed": 0, "seed": seed},
        )
    indices, index_reason = attempt(
        lambda: accuracy_indices(
            confusion(cohort.frame["is_hu_positive"], cohort.frame["is_dxa_positive"]), confidence=settings.confidence
        )
    )
    fit, fit_reason = attempt(linear_regression, cohort.frame["low_t_score"], {"hu": cohort.frame["index_hu"]})
    figures, omitted = _figures(cohort, settings, thresholds, fit, fit_reason)
    return StudyResult(
        name=NAME,
        title=TITLE,
        headline=_headline(cohort, settings, thresholds, indices, index_reason),
        methods=_methods(cohort, settings, thresholds, seed),
        tables=_tables(cohort, settings, thresholds, seed),
        figures=figures,
        omitted=omitted,
        notes=cohort.notes,
        audit=_audit(cohort, settings, thresholds, indices, seed),
    )


def _tables(
    cohort: ConcordanceCohort, settings: HuDxaConcordanceSettings, thresholds: ThresholdsSettings, seed: int
) -> tuple[TableExhibit, ...]:
    frame = cohort.frame
    variables = present(_variables(cohort, settings), frame)
    concordance = frame["is_concordant"].map({True: "concordant", False: "discordant"})
    strata = strata_table(cohort, settings.confidence)
    return (
        flow_exhibit(cohort.flow, cohort.notes),
        tabulate.definition_table(cohort, thresholds, settings.index),
        characteristics(
            "t2_patient_characteristics",
            "Table 2. Patient characteristics",
            f"n = {len(frame)}.",
            frame,
            variables,
        ),
        tabulate.sensitivity_table(cohort, thresholds, settings.confidence),
        group_comparison(
            "t4_baseline_by_group",
            "Table 4. Patients of the four groups",
            "Every group is compared with DXA−/HU−.",
            frame,
            frame["group"],
            {name: style.label for name, style in GROUP_STYLES.items()},
            variables,
            seed=seed,
        ),
        tabulate.gray_zone_table(cohort, thresholds, seed=seed),
        correlation_table(
            "t6_correlations",
            "Table 6. Correlation of HU with DXA",
            frame,
            [Pair("index_hu", column, f"HU and {label}") for column, label in _dxa_outcomes(cohort).items()],
            unit="HU",
            confidence=settings.confidence,
        ),
        roc_table(
            "t7_roc",
            "Table 7. Discrimination of DXA osteoporosis",
            f"Event: lowest T-score ≤ {number(thresholds.t_osteoporosis)}. Low HU means the event.",
            frame,
            frame["is_dxa_positive"],
            _markers(cohort),
            confidence=settings.confidence,
            draws=settings.bootstrap_draws,
            seed=seed,
        ),
        group_comparison(
            "t8_concordant_discordant",
            "Table 8. Discordant and concordant patients",
            "Discordant: DXA and CT disagree.",
            frame,
            concordance,
            {"concordant": "Concordant", "discordant": "Discordant"},
            variables,
            seed=seed,
        ),
        tabulate.age_table(cohort, settings.age_bands_years, thresholds.hu_osteoporosis, settings.confidence),
        *([strata] if strata is not None else []),
    )


def _figures(
    cohort: ConcordanceCohort,
    settings: HuDxaConcordanceSettings,
    thresholds: ThresholdsSettings,
    fit: LinearFit | None,
    fit_reason: str,
) -> tuple[tuple[FigureExhibit, ...], tuple[tuple[str, str], ...]]:
    label = index_label(settings.index)
    drawn = {
        "HU and T-score": draw.scatter_figure(cohort, thresholds, label),
        "ROC curve": roc_figure(
            "f2_roc",
            "Figure 2. ROC curve of HU for DXA osteoporosis",
            f"{label}; event: lowest T-score ≤ {number(thresholds.t_osteoporosis)}. The point is the Youden cut-off.",
            cohort.frame,
            cohort.frame["is_dxa_positive"],
            _markers(cohort)[:1],
            confidence=settings.confidence,
        ),
        "Distribution of HU": draw.distribution_figure(cohort, thresholds, label),
        "Residuals": draw.residual_figure(cohort, fit, fit_reason),
        "Age and body mass index": draw.box_figure(cohort),
        "Sex and site": draw.share_figure(cohort),
    }
    figures = tuple(figure for figure, _ in drawn.values() if figure is not None)
    return figures, tuple((title, reason) for title, (figure, reason) in drawn.items() if figure is None)


def _variables(cohort: ConcordanceCohort, settings: HuDxaConcordanceSettings) -> list[Variable]:
    sites = {site: SITE_LABELS[site] for site in cohort.sites} | {"tie": "tie"}
    return [
        *demographic_variables(),
        Variable("index_hu", index_label(settings.index), "HU"),
        *dxa_variables(cohort.sites),
        Variable("low_t_score", "Lowest T-score", "SD", 2),
        Variable("low_yam_percent", "Lowest young-adult mean", "%", 0),
        Variable("low_site", "Site of the lowest T-score", categories=sites),
    ]


def _markers(cohort: ConcordanceCohort) -> list[Marker]:
    levels = present([Variable(f"{level}_hu", "") for level in ("l1", "l2", "l3", "l4")], cohort.frame)
    return [
        Marker("index_hu", "HU index", "HU", "low"),
        *(Marker(level.column, index_label(level.column), "HU", "low") for level in levels),
    ]


def _dxa_outcomes(cohort: ConcordanceCohort) -> dict[str, str]:
    outcomes = {"low_t_score": "lowest T-score"}
    for site in cohort.sites:
        outcomes[f"t_score_{site}"] = f"{SITE_LABELS[site].lower()} T-score"
        if present([Variable(f"bmd_{site}_g_cm2", "")], cohort.frame):
            outcomes[f"bmd_{site}_g_cm2"] = f"{SITE_LABELS[site].lower()} BMD"
    return outcomes


def _headline(
    cohort: ConcordanceCohort,
    settings: HuDxaConcordanceSettings,
    thresholds: ThresholdsSettings,
    indices: AccuracyIndices | None,
    reason: str,
) -> str:
    if indices is None:
        return f"Agreement of HU with DXA could not be computed: {reason}"
    agreeing = int(cohort.frame["is_concordant"].sum())
    kappa = indices.kappa
    kappa_text = (
        f"kappa not computed ({kappa.reason.rstrip('.')})"
        if math.isnan(kappa.estimate)
        else f"kappa {tabulate.kappa_text(kappa)}"
    )
    frame = cohort.frame
    area, why = attempt(
        auc_delong, frame["index_hu"], frame["is_dxa_positive"], direction="low", confidence=settings.confidence
    )
    area_text = (
        f"AUC {estimate_interval(area.estimate, area.ci_low, area.ci_high)}" if area else f"no AUC ({why.rstrip('.')})"
    )
    return (
        f"HU ≤ {thresholds.hu_osteoporosis:g} and DXA agree in {agreeing} of {len(frame)} patients "
        f"({percent(agreeing / len(frame))}): {kappa_text}; {area_text} for DXA osteoporosis."
    )


def _methods(
    cohort: ConcordanceCohort, settings: HuDxaConcordanceSettings, thresholds: ThresholdsSettings, seed: int
) -> str:
    sites = ", ".join(SITE_LABELS[site].lower() for site in cohort.sites) or "no site"
    low, high = thresholds.hu_gray_zone
    age = (
        f"Patients younger than {settings.minimum_age_years:g} years were left out. "
        if settings.minimum_age_years is not None
        else ""
    )
    cut_offs = ", ".join(f"{cut_off:g}" for cut_off in thresholds.hu_cutoffs)
    return (
        f"{index_label(settings.index)} (column {settings.index}) was compared with the lowest T-score of the sites "
        f"measured ({sites}); sites that share it count as a tie. {age}"
        f"DXA was positive at T ≤ {number(thresholds.t_osteoporosis)}, CT at ≤ {thresholds.hu_osteoporosis:g} HU, "
        "both inclusive; the two classes form four groups, of which the two that agree are concordant. Numbers are "
        "given as mean ± SD and median with quartiles at (n + 1) p; normality by Shapiro-Wilk. Groups were compared "
        "with DXA−/HU− by the Mann-Whitney test (asymptotic, tie-corrected, without continuity correction), with "
        "Student's t and Levene's test as sensitivity analysis in the data files, and counts by Pearson's chi-square "
        "without Yates' correction or, where an expected count was below 5, by Fisher's test (exact for 2 × 2, "
        f"otherwise Monte Carlo with 100,000 draws). Cut-offs of {cut_offs} HU and the Youden cut-off (midpoint of two "
        "neighbouring values) were assessed by concordance, sensitivity, specificity, predictive values with Wilson "
        "intervals, and Cohen's unweighted kappa with the standard error of Fleiss, Cohen and Everitt. Discordance "
        f"inside and outside {low:g}-{high:g} HU was compared by Fisher's exact test, and over three zones by "
        "chi-square or Fisher's test. HU and T-score were related by Pearson's r (Fisher's z), Spearman's rho (Bonett "
        "and Wright) and least squares predicting T from HU. Discrimination is the area under the ROC curve with low "
        "HU meaning the event, with DeLong's interval and a stratified percentile bootstrap "
        f"({settings.bootstrap_draws} resamples). Intervals cover {settings.confidence:.0%}; tests are two-sided at "
        f"{settings.alpha:g}, without correction for multiple comparisons. Missing values were left out per analysis. "
        f"Seed {seed}."
    )


def _audit(
    cohort: ConcordanceCohort,
    settings: HuDxaConcordanceSettings,
    thresholds: ThresholdsSettings,
    indices: AccuracyIndices | None,
    seed: int,
) -> dict[str, Any]:
    frame = cohort.frame
    audit: dict[str, Any] = {
        "analysed": len(frame),
        "flow": dict(zip(cohort.flow["step"], cohort.flow["patients"].tolist(), strict=True)),
        "direction": "low HU means DXA osteoporosis; fixed beforehand",
        "rules": {
            "hu_positive": f"<= {thresholds.hu_osteoporosis:g}",
            "dxa_positive": f"<= {thresholds.t_osteoporosis:g}",
        },
        "missing": {
            variable.column: missingness(frame[variable.column]).missing
            for variable in _variables(cohort, settings)
            if variable.column in frame
        },
        "seed": seed,
        "bootstrap_draws": settings.bootstrap_draws,
        "settings": settings.model_dump(mode="json"),
        "thresholds": thresholds.model_dump(mode="json"),
    }
    if indices is not None:
        audit["counts"] = vars(indices.confusion)
        # Sensitivity must have the events as its denominator; printed tables of the field sometimes swap the classes.
        audit["swap_check"] = {
            "sensitivity_denominator": indices.sensitivity.total,
            "dxa_positive": int(frame["is_dxa_positive"].sum()),
            "is_consistent": indices.sensitivity.total == int(frame["is_dxa_positive"].sum()),
        }
    return audit | _curve_checks(cohort)


def _curve_checks(cohort: ConcordanceCohort) -> dict[str, Any]:
    """Identities that a correct ROC analysis obeys: AUC is U / (n1 n0), and J bounds it from above."""
    frame = cohort.frame
    event = frame["is_dxa_positive"]
    area, _ = attempt(auc_delong, frame["index_hu"], event, direction="low")
    ranks, _ = attempt(mann_whitney, frame.loc[~event, "index_hu"], frame.loc[event, "index_hu"])
    best, _ = tabulate.youden_cut_off(cohort)
    checks: dict[str, Any] = {}
    if area is not None:
        checks["points_the_other_way"] = area.estimate < 0.5
    if area is not None and ranks is not None:
        checks["auc_equals_mann_whitney"] = math.isclose(area.estimate, ranks.probability_a_greater, abs_tol=1e-12)
    if area is not None and best is not None:
        # A curve whose greatest Youden index is J lies below the line sensitivity = J + (1 - specificity).
        bound = 1 - (1 - best.youden) ** 2 / 2
        checks["youden_bound"] = {"auc": area.estimate, "bound": bound, "holds": area.estimate <= bound + 1e-12}
    return checks
