"""What the studies printed, measured again on sampled cohorts: which figures the presets meet, and which they don't."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from scipy import stats

from spongiosa.synthetic.population import sample_population
from spongiosa.synthetic.presets_studies import STUDY_PRESETS

Measure = Callable[[pd.DataFrame], float]


@dataclass(frozen=True)
class PublishedFigure:
    """A printed figure of a study: how to measure it on a cohort, its value, and half a unit of its last digit.

    `is_fitted` is false for figures that the preset was not made to meet: they show how far the Gaussian model goes.
    """

    study: str
    name: str
    measure: Measure
    value: float
    rounding: float
    is_fitted: bool = True


def compare_with_published(cohorts: int = 60) -> pd.DataFrame:
    """Each figure over `cohorts` samples (seeds 0, 1, ...) of the study's own size.

    Columns: `study, figure, published, sampled` (mean), `sd` (between cohorts), `standard_error` (of the mean),
    `rounding, is_fitted`.
    """
    tables = {
        name: [sample_population(preset, preset.patients, seed) for seed in range(cohorts)]
        for name, preset in STUDY_PRESETS.items()
    }
    rows = []
    for figure in PUBLISHED:
        values = np.array([figure.measure(table) for table in tables[figure.study]])
        sd = float(values.std(ddof=1))
        error = sd / np.sqrt(cohorts)
        rows.append(
            (figure.study, figure.name, figure.value, values.mean(), sd, error, figure.rounding, figure.is_fitted)
        )
    columns = ["study", "figure", "published", "sampled", "sd", "standard_error", "rounding", "is_fitted"]
    return pd.DataFrame(rows, columns=columns)


def area_under_curve(marker: pd.Series, event: pd.Series) -> float:
    """P(marker of an event > marker of a non-event), ties one half; NaN where one of the two is absent."""
    ranks = stats.rankdata(marker)
    events, others = int(event.sum()), int((~event).sum())
    if events == 0 or others == 0:
        return float("nan")
    return float((ranks[event.to_numpy()].sum() - events * (events + 1) / 2.0) / (events * others))


def _mean(column: str) -> Measure:
    return lambda table: float(table[column].mean())


def _sd(column: str) -> Measure:
    return lambda table: float(table[column].std())


def _count(condition: Callable[[pd.DataFrame], pd.Series]) -> Measure:
    return lambda table: float(condition(table).sum())


def _correlation(first: str, second: str, method: Literal["pearson", "spearman"]) -> Measure:
    return lambda table: float(_with_low_t(table)[first].corr(_with_low_t(table)[second], method=method))


def _low_value_auc(marker: str, event: Callable[[pd.DataFrame], pd.Series]) -> Measure:
    return lambda table: area_under_curve(-table[marker], event(table))


def _with_low_t(table: pd.DataFrame) -> pd.DataFrame:
    sites = [name for name in ("t_score_lumbar", "t_score_femoral_neck") if name in table]
    return table.assign(low_t=table[sites].min(axis=1))


def _is_osteoporotic(table: pd.DataFrame) -> pd.Series:
    return _with_low_t(table)["low_t"] <= -2.5


def _is_low_hu(table: pd.DataFrame) -> pd.Series:
    return table["ax_l1_l4_hu"] <= 100.0


def _share(condition: Measure, of: Measure) -> Measure:
    return lambda table: condition(table) / of(table)


def _nomogram_auc(table: pd.DataFrame) -> float:
    """Apparent AUC of age, PBQ, HU ratio and Goutallier grade (as categories) by a linear discriminant."""
    grades = pd.get_dummies(table["goutallier"], drop_first=True).to_numpy(dtype=np.float64)
    design = np.column_stack([np.ones(len(table)), table[["age_years", "pbq", "hu_ratio"]], grades])
    score = design @ np.linalg.lstsq(design, table["loosening"].to_numpy(dtype=np.float64), rcond=None)[0]
    return area_under_curve(pd.Series(score), table["loosening"])


def _student_t(column: str, event: str) -> Measure:
    return lambda table: float(stats.ttest_ind(table[column][table[event]], table[column][~table[event]]).statistic)


def _concordance() -> tuple[PublishedFigure, ...]:
    study, hu = "hu_dxa_concordance", "ax_l1_l4_hu"
    positive, negative = _count(_is_osteoporotic), _count(lambda t: ~_is_osteoporotic(t))
    both, neither = (
        _count(lambda t: _is_osteoporotic(t) & _is_low_hu(t)),
        _count(lambda t: ~_is_osteoporotic(t) & ~_is_low_hu(t)),
    )
    return (
        PublishedFigure(study, "age, mean [years]", _mean("age_years"), 72.4, 0.05),
        PublishedFigure(study, "age, SD [years]", _sd("age_years"), 8.2, 0.05),
        PublishedFigure(study, "r of HU and lumbar T", _correlation(hu, "t_score_lumbar", "pearson"), 0.664, 0.0005),
        PublishedFigure(
            study, "rho of HU and neck T", _correlation(hu, "t_score_femoral_neck", "spearman"), 0.450, 0.0005
        ),
        PublishedFigure(study, "r of HU and lowest T", _correlation(hu, "low_t", "pearson"), 0.505, 0.0005),
        PublishedFigure(study, "HU at most 100 [n]", _count(_is_low_hu), 62, 0.5),
        PublishedFigure(study, "HU above 150 [n]", _count(lambda t: t["ax_l1_l4_hu"] > 150.0), 45, 0.5),
        PublishedFigure(study, "lowest T at most -2.5 [n]", positive, 60, 0.5),
        PublishedFigure(study, "DXA-/HU- [n]", neither, 94, 0.5, False),
        PublishedFigure(study, "DXA+/HU+ [n]", both, 36, 0.5, False),
        PublishedFigure(study, "sensitivity at 100 HU", _share(both, positive), 0.600, 0.0005, False),
        PublishedFigure(study, "specificity at 100 HU", _share(neither, negative), 0.783, 0.0005, False),
        PublishedFigure(
            study, "rho of HU and lumbar T", _correlation(hu, "t_score_lumbar", "spearman"), 0.617, 0.0005, False
        ),
        PublishedFigure(study, "rho of HU and lowest T", _correlation(hu, "low_t", "spearman"), 0.467, 0.0005, False),
        PublishedFigure(study, "AUC of HU for lowest T", _low_value_auc(hu, _is_osteoporotic), 0.700, 0.0005, False),
    )


def _shapes() -> tuple[PublishedFigure, ...]:
    study = "roi_shapes"

    def is_class(low: float, high: float) -> Measure:
        return _count(lambda t: (t["t_score_lumbar"] > low) & (t["t_score_lumbar"] < high))

    aucs = {"round": 0.852, "oval": 0.853, "right": 0.857, "left": 0.936, "front": 0.850}
    return (
        PublishedFigure(study, "men [n]", _count(lambda t: t["sex"] == "male"), 17, 0.5),
        PublishedFigure(study, "osteoporosis [n]", _count(_is_osteoporotic), 27, 0.5),
        PublishedFigure(study, "osteopenia [n]", is_class(-2.5, -1.0), 40, 0.5),
        PublishedFigure(study, "normal [n]", _count(lambda t: t["t_score_lumbar"] >= -1.0), 33, 0.5),
        *(
            PublishedFigure(
                study,
                f"AUC of {shape} for osteoporosis",
                _low_value_auc(f"{shape}_l1_l4_hu", _is_osteoporotic),
                value,
                0.0005,
                False,
            )
            for shape, value in aucs.items()
        ),
    )


def _loosening() -> tuple[PublishedFigure, ...]:
    study = "qct_loosening"

    def event(table: pd.DataFrame) -> pd.Series:
        return table["loosening"]

    return (
        PublishedFigure(study, "age, mean [years]", _mean("age_years"), 64.60, 0.005),
        PublishedFigure(study, "age, SD [years]", _sd("age_years"), 9.06, 0.005),
        PublishedFigure(study, "women [n]", _count(lambda t: t["sex"] == "female"), 97, 0.5),
        PublishedFigure(study, "loosening [n]", _count(event), 63, 0.5),
        PublishedFigure(study, "AUC of total hip T", _low_value_auc("t_score_total_hip", event), 0.596, 0.0005),
        PublishedFigure(study, "AUC of body vBMD", _low_value_auc("l5_body_vbmd_mg_cm3", event), 0.682, 0.0005),
        PublishedFigure(study, "AUC of pedicle vBMD", _low_value_auc("l5_pedicle_vbmd_mg_cm3", event), 0.714, 0.0005),
        PublishedFigure(
            study, "AUC of trajectory vBMD", _low_value_auc("l5_trajectory_vbmd_mg_cm3", event), 0.736, 0.0005
        ),
        PublishedFigure(
            study, "t of trajectory vBMD", _student_t("l5_trajectory_vbmd_mg_cm3", "loosening"), -5.657, 0.0005, False
        ),
    )


def _nomogram() -> tuple[PublishedFigure, ...]:
    study = "hu_ratio_nomogram"

    def is_grade(grade: int) -> Measure:
        return _count(lambda t: t["goutallier"] == grade)

    return (
        PublishedFigure(study, "loosening [n]", _count(lambda t: t["loosening"]), 45, 0.5),
        *(
            PublishedFigure(study, f"Goutallier {grade} [n]", is_grade(grade), count, 0.5)
            for grade, count in ((1, 52), (2, 220), (3, 10), (4, 31))
        ),
        PublishedFigure(study, "rho of PBQ and HU ratio", _correlation("pbq", "hu_ratio", "spearman"), 0.039, 0.0005),
        PublishedFigure(study, "AUC of the model, apparent", _nomogram_auc, 0.904, 0.0005),
    )


def _fracture() -> tuple[PublishedFigure, ...]:
    study = "fracture_3d_hu"

    def event(table: pd.DataFrame) -> pd.Series:
        return table["new_fracture"]

    def sensitivity(column: str, cut: float) -> Measure:
        return lambda t: float((t[column][event(t)] < cut).mean())

    def specificity(column: str, cut: float) -> Measure:
        return lambda t: float((t[column][~event(t)] >= cut).mean())

    return (
        PublishedFigure(study, "age, mean [years]", _mean("age_years"), 70.37, 0.005),
        PublishedFigure(study, "age, SD [years]", _sd("age_years"), 9.01, 0.005),
        PublishedFigure(study, "new fracture [n]", _count(event), 61, 0.5),
        PublishedFigure(
            study, "r of 3D-HU and T", _correlation("hu_3d_l1_l4", "t_score_lumbar", "pearson"), 0.628, 0.0005
        ),
        PublishedFigure(
            study, "r of HU and T", _correlation("ax_l1_l4_hu", "t_score_lumbar", "pearson"), 0.570, 0.0005
        ),
        PublishedFigure(study, "AUC of 3D-HU", _low_value_auc("hu_3d_l1_l4", event), 0.877, 0.0005),
        PublishedFigure(study, "AUC of HU", _low_value_auc("ax_l1_l4_hu", event), 0.823, 0.0005),
        PublishedFigure(study, "sensitivity at 3D-HU 56.3", sensitivity("hu_3d_l1_l4", 56.3), 0.803, 0.0005, False),
        PublishedFigure(study, "specificity at 3D-HU 56.3", specificity("hu_3d_l1_l4", 56.3), 0.847, 0.0005, False),
        PublishedFigure(study, "sensitivity at HU 51.4", sensitivity("ax_l1_l4_hu", 51.4), 0.820, 0.0005, False),
        PublishedFigure(study, "specificity at HU 51.4", specificity("ax_l1_l4_hu", 51.4), 0.747, 0.0005, False),
    )


PUBLISHED: Final = (*_concordance(), *_shapes(), *_loosening(), *_nomogram(), *_fracture())
