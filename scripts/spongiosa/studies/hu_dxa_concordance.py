"""Concordance of opportunistic HU with DXA: four groups, cut-offs, gray zone, correlations, ROC, who is discordant.

The questions, tables and figures follow the HU-DXA concordance study of pre-operative lumbar CT; statistics are those
of `spongiosa.statistics`, the choices those of `studies.hu_dxa_concordance` and `thresholds`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from spongiosa.config.studies import HuDxaConcordanceSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report.characteristics import characteristics
from spongiosa.report.exhibits import FigureExhibit, TableExhibit
from spongiosa.report.formatting import estimate_interval, number, percent
from spongiosa.report.variables import SITE_LABELS, Variable, demographic_variables, dxa_variables, present
from spongiosa.statistics.accuracy import AccuracyIndices, accuracy_indices, confusion
from spongiosa.studies import agreement, strata
from spongiosa.studies import hu_dxa_figures as draw
from spongiosa.studies import hu_dxa_tables as tabulate
from spongiosa.studies.audit import counts_of_tables, missing_values
from spongiosa.studies.baseline import group_comparison
from spongiosa.studies.discrimination import draw_roc
from spongiosa.studies.fit import Fit, make_fits
from spongiosa.studies.flow_figure import flow_figure
from spongiosa.studies.flow_table import flow_exhibit
from spongiosa.studies.hu_dxa_fits import FITS, markers
from spongiosa.studies.hu_dxa_groups import GROUP_STYLES, ConcordanceCohort, form_groups, hu_label
from spongiosa.studies.needs import NEEDS
from spongiosa.studies.result import StudyResult, attempt

NAME = "hu_dxa_concordance"
TITLE = "Concordance of CT attenuation with DXA"


def analyse(
    patients: pd.DataFrame,
    settings: HuDxaConcordanceSettings,
    thresholds: ThresholdsSettings,
    seed: int,
    *,
    readers: pd.DataFrame | None = None,
    fits: Mapping[str, Fit] | None = None,
) -> StudyResult:
    """The whole study from the patient table (columns of cohort/patients.parquet) and the readers' table.

    `fits` are those of `FITS` for the same patients and settings, made here where they are not given.  A quantity that
    these patients do not determine (one class only, too few values) is shown with its reason; nothing is left out
    silently.  Every random step uses `seed`.
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
    if fits is None:
        fits = make_fits(FITS, NEEDS[NAME].fits, patients, settings, thresholds, seed, {"readers": readers})
    indices, index_reason = attempt(
        lambda: accuracy_indices(
            confusion(cohort.frame["is_hu_positive"], cohort.frame["is_dxa_positive"]), confidence=settings.confidence
        )
    )
    figures, omitted = _figures(cohort, settings, thresholds, fits)
    tables = _tables(cohort, settings, thresholds, seed, fits)
    return StudyResult(
        name=NAME,
        title=TITLE,
        headline=_headline(cohort, thresholds, indices, index_reason, fits["discrimination"].tables["t7_roc"]),
        methods=_methods(cohort, settings, thresholds, seed),
        tables=tables,
        figures=figures,
        omitted=omitted,
        notes=cohort.notes,
        audit=_audit(cohort, settings, thresholds, indices, seed, tables, fits["discrimination"]),
    )


def _tables(
    cohort: ConcordanceCohort,
    settings: HuDxaConcordanceSettings,
    thresholds: ThresholdsSettings,
    seed: int,
    fits: Mapping[str, Fit],
) -> tuple[TableExhibit, ...]:
    frame = cohort.frame
    variables = present(_variables(cohort, settings), frame)
    concordance = frame["is_concordant"].map({True: "concordant", False: "discordant"})
    fitted = {key: table for fit in fits.values() for key, table in fit.tables.items()}
    by_stratum = strata.strata_exhibit(
        "t10_strata", "Table 10. Concordance by scanner and site", fits["discrimination"].frames["strata"],
        markers(frame, settings)[:1], "DXA+", tabulate.concordance_of_strata(frame, settings.confidence),
    )  # fmt: skip
    return (
        flow_exhibit(cohort.flow, cohort.notes),
        tabulate.definition_table(cohort, thresholds, hu_label(settings)),
        characteristics(
            "t2_patient_characteristics", "Table 2. Patient characteristics", f"n = {len(frame)}.", frame, variables
        ),
        tabulate.sensitivity_table(cohort, thresholds, settings.confidence, fits["discrimination"]),
        group_comparison(
            "t4_baseline_by_group", "Table 4. Patients of the four groups", "Every group is compared with DXA−/HU−.",
            frame, frame["group"], {name: style.label for name, style in GROUP_STYLES.items()}, variables, seed=seed,
        ),
        tabulate.gray_zone_table(cohort, thresholds, seed=seed),
        fitted["t6_correlations"],
        fitted["t7_roc"],
        group_comparison(
            "t8_concordant_discordant", "Table 8. Discordant and concordant patients",
            "Discordant: DXA and CT disagree.", frame, concordance,
            {"concordant": "Concordant", "discordant": "Discordant"}, variables, seed=seed,
        ),
        tabulate.age_table(cohort, settings.age_bands_years, thresholds.hu_osteoporosis, settings.confidence),
        *([by_stratum] if by_stratum is not None else []),
        *(table for key, table in fitted.items() if key.startswith("t11")),
    )  # fmt: skip


def _figures(
    cohort: ConcordanceCohort,
    settings: HuDxaConcordanceSettings,
    thresholds: ThresholdsSettings,
    fits: Mapping[str, Fit],
) -> tuple[tuple[FigureExhibit, ...], tuple[tuple[str, str], ...]]:
    label = hu_label(settings)
    lines = fits["association"].tables["t6_correlations"].frame
    curve = fits["discrimination"]
    groups = {style.label: int((cohort.frame["group"] == name).sum()) for name, style in GROUP_STYLES.items()}
    drawn = {
        "Flow of patients": flow_figure(cohort.flow, groups),
        "HU and T-score": draw.scatter_figure(cohort, thresholds, label, lines),
        "ROC curve": draw_roc(
            "f2_roc",
            "Figure 2. ROC curve of HU for DXA osteoporosis",
            f"{label}; event: lowest T-score ≤ {number(thresholds.t_osteoporosis)}. The point is the Youden cut-off.",
            curve.frames["roc_points"],
            curve.tables["t7_roc"].frame,
            markers(cohort.frame, settings)[:1],
        ),
        "Distribution of HU": draw.distribution_figure(cohort, thresholds, label),
        "Residuals": draw.residual_figure(cohort, lines, fits["association"].values),
        "Age and body mass index": draw.box_figure(cohort),
        "Sex and site": draw.share_figure(cohort),
    }
    if "agreement_pairs" in fits["association"].frames:
        drawn["Readers"] = agreement.agreement_figure(
            "f7_readers", "Figure 7. Readers and workflow", fits["association"].frames["agreement_pairs"]
        )
    figures = tuple(figure for figure, _ in drawn.values() if figure is not None)
    return figures, tuple((title, reason) for title, (figure, reason) in drawn.items() if figure is None)


def _variables(cohort: ConcordanceCohort, settings: HuDxaConcordanceSettings) -> list[Variable]:
    sites = {site: SITE_LABELS[site] for site in cohort.sites} | {"tie": "tie"}
    return [
        *demographic_variables(),
        Variable("index_hu", hu_label(settings), "HU"),
        *dxa_variables(cohort.sites),
        Variable("low_t_score", "Lowest T-score", "SD", 2),
        Variable("low_yam_percent", "Lowest young-adult mean", "%", 0),
        Variable("low_site", "Site of the lowest T-score", categories=sites),
    ]


def _headline(
    cohort: ConcordanceCohort,
    thresholds: ThresholdsSettings,
    indices: AccuracyIndices | None,
    reason: str,
    discrimination: TableExhibit,
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
    row = discrimination.frame.iloc[0]
    area = estimate_interval(float(row["auc_estimate"]), float(row["auc_ci_low"]), float(row["auc_ci_high"]))
    area_text = f"no AUC ({row['reason'].rstrip('.')})" if math.isnan(row["auc_estimate"]) else f"AUC {area}"
    return (
        f"HU ≤ {thresholds.hu_osteoporosis:g} and DXA agree in {agreeing} of {len(cohort.frame)} patients "
        f"({percent(agreeing / len(cohort.frame))}): {kappa_text}; {area_text} for DXA osteoporosis."
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
        f"{hu_label(settings)} (column {settings.hu_column}) was compared with the lowest T-score of the sites "
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
        f"All four groups together were compared by the Kruskal-Wallis test. {strata.METHODS}{agreement.METHODS} "
        f"Seed {seed}."
    )


def _audit(
    cohort: ConcordanceCohort,
    settings: HuDxaConcordanceSettings,
    thresholds: ThresholdsSettings,
    indices: AccuracyIndices | None,
    seed: int,
    tables: tuple[TableExhibit, ...],
    discrimination: Fit,
) -> dict[str, Any]:
    frame = cohort.frame
    checks = discrimination.values["checks"]
    return {
        "analysed": len(frame),
        "flow": dict(zip(cohort.flow["step"], cohort.flow["patients"].tolist(), strict=True)),
        "direction": "low HU means DXA osteoporosis; fixed beforehand",
        "rules": {
            "hu_positive": f"<= {thresholds.hu_osteoporosis:g}",
            "dxa_positive": f"<= {thresholds.t_osteoporosis:g}",
        },
        "counts": vars(indices.confusion) if indices is not None else {},
        "missing": missing_values(frame, [variable.column for variable in _variables(cohort, settings)]),
        "n_per_analysis": counts_of_tables(tables),
        "roc": checks,
        **{
            name: checks["index_hu"][name]
            for name in ("points_the_other_way", "auc_equals_mann_whitney", "youden_bound", "swap_check")
            if name in checks["index_hu"]
        },
        "seed": seed,
        "bootstrap_draws": settings.bootstrap_draws,
        "settings": settings.model_dump(mode="json"),
        "thresholds": thresholds.model_dump(mode="json", include=set(NEEDS[NAME].thresholds)),
    }
