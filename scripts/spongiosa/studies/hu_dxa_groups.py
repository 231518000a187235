"""Who is analysed in the HU-DXA concordance study, and into which of the four groups each patient falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spongiosa.config.studies import HuDxaConcordanceSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report import theme
from spongiosa.report.theme import GroupStyle
from spongiosa.report.variables import index_label
from spongiosa.studies.flow_table import Criterion, apply_criteria, numbers, without_index

#: The four groups in the order of every table; hue tells the DXA class, lightness concordance.
GROUP_STYLES: dict[str, GroupStyle] = {
    "dxa_negative_hu_negative": GroupStyle("DXA−/HU−", theme.BLUE, "o"),
    "dxa_positive_hu_positive": GroupStyle("DXA+/HU+", theme.VERMILLION, "s"),
    "dxa_positive_hu_negative": GroupStyle("DXA+/HU−", theme.ORANGE, "^", "////"),
    "dxa_negative_hu_positive": GroupStyle("DXA−/HU+", theme.SKY, "v", "\\\\\\\\"),
}
GROUPS = tuple(GROUP_STYLES)
REFERENCE_GROUP = GROUPS[0]
#: T-scores are printed with one decimal; sites closer than rounding of the binary number share the lowest value.
TIE_TOLERANCE_SD = 1e-6


@dataclass(frozen=True)
class ConcordanceCohort:
    """The analysed patients and how the others left.

    `frame` has one row per analysed patient with the added columns `index_hu`, `low_t_score`, `low_site` (a site or
    `tie`), `low_yam_percent`, `sites_observed`, `is_dxa_positive`, `is_hu_positive`, `is_concordant`, `group` and
    `hu_zone`.  `flow` counts each patient of the table once: step, patients, explanation.
    """

    frame: pd.DataFrame
    flow: pd.DataFrame
    sites: tuple[str, ...]
    notes: tuple[str, ...]


def form_groups(
    patients: pd.DataFrame, settings: HuDxaConcordanceSettings, thresholds: ThresholdsSettings
) -> ConcordanceCohort:
    """Apply the study's criteria in their order and classify who is left.

    HU+ is index <= `hu_osteoporosis`; DXA+ is lowest T-score <= `t_osteoporosis`; both inclusive.
    """
    analysed, flow, sites = analysed_patients(patients, settings)
    return ConcordanceCohort(_classify(analysed, thresholds), flow, sites, _notes(analysed, settings, sites))


def analysed_patients(
    patients: pd.DataFrame, settings: HuDxaConcordanceSettings
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Who is analysed, with the columns of `ConcordanceCohort.frame` that need no threshold; the flow; the sites."""
    sites = tuple(site for site in settings.t_score_sites if _has_values(patients, f"t_score_{site}"))
    frame = patients.reset_index(drop=True).copy()
    frame["index_hu"] = numbers(frame, settings.hu_column)
    frame = frame.join(lowest_t_score(frame, sites))
    analysed, flow = apply_criteria(frame, _criteria(frame, settings))
    return analysed, flow, sites


def hu_label(settings: HuDxaConcordanceSettings) -> str:
    """The words for the HU that are compared."""
    return index_label(settings.index) + (", phantom-referenced" if settings.hu == "referenced" else "")


def lowest_t_score(frame: pd.DataFrame, sites: Sequence[str]) -> pd.DataFrame:
    """Per patient the lowest of the T-scores that were measured, its site (`tie` when sites share it), and the lowest
    young-adult mean; missing where no site was measured."""
    scores = np.column_stack([numbers(frame, f"t_score_{site}") for site in sites]) if sites else None
    yams = [numbers(frame, f"yam_{site}_percent") for site in sites]
    if scores is None or len(frame) == 0:
        return pd.DataFrame(
            {
                "low_t_score": np.full(len(frame), np.nan),
                "low_site": pd.Series(None, index=frame.index, dtype="str"),
                "low_yam_percent": np.full(len(frame), np.nan),
                "sites_observed": 0,
            },
            index=frame.index,
        )
    observed = ~np.isnan(scores)
    lowest = np.where(observed, scores, np.inf).min(axis=1)
    at_lowest = observed & (scores <= lowest[:, np.newaxis] + TIE_TOLERANCE_SD)
    low_site = pd.Series(np.array(sites)[at_lowest.argmax(axis=1)], index=frame.index, dtype="str")
    low_site = low_site.mask(at_lowest.sum(axis=1) > 1, "tie").mask(~observed.any(axis=1))
    yam = np.column_stack(yams)
    return pd.DataFrame(
        {
            "low_t_score": np.where(np.isinf(lowest), np.nan, lowest),
            "low_site": low_site,
            "low_yam_percent": np.where(
                np.isnan(yam).all(axis=1), np.nan, np.where(np.isnan(yam), np.inf, yam).min(axis=1)
            ),
            "sites_observed": observed.sum(axis=1),
        },
        index=frame.index,
    )


def hu_zones(index_hu: pd.Series, gray_zone: tuple[float, float]) -> pd.Series:
    """`low` (at or below the zone), `gray` (above its lower and at or below its upper border) or `high`."""
    low, high = gray_zone
    return pd.Series(np.select([index_hu <= low, index_hu <= high], ["low", "gray"], "high"), index=index_hu.index)


def _classify(frame: pd.DataFrame, thresholds: ThresholdsSettings) -> pd.DataFrame:
    is_hu, is_dxa = frame["index_hu"] <= thresholds.hu_osteoporosis, frame["low_t_score"] <= thresholds.t_osteoporosis
    group = np.select([~is_dxa & ~is_hu, is_dxa & is_hu, is_dxa & ~is_hu], GROUPS[:3], GROUPS[3])
    return frame.assign(
        is_dxa_positive=is_dxa,
        is_hu_positive=is_hu,
        is_concordant=is_dxa == is_hu,
        group=pd.Series(group, index=frame.index, dtype="str"),
        hu_zone=hu_zones(frame["index_hu"], thresholds.hu_gray_zone),
    )


def _criteria(frame: pd.DataFrame, settings: HuDxaConcordanceSettings) -> list[Criterion]:
    """The steps in their order; a patient leaves at the first that applies."""
    sites = " or ".join(settings.t_score_sites).replace("_", " ")
    steps = without_index(frame, settings.hu_column)
    steps.append(("no_t_score", frame["low_t_score"].isna(), f"no T-score of {sites}."))
    if settings.minimum_age_years is not None:
        young = numbers(frame, "age_years") < settings.minimum_age_years
        steps.append(("too_young", young, f"younger than {settings.minimum_age_years:g} years."))
    if settings.maximum_ct_dxa_interval_days is not None:
        longest = settings.maximum_ct_dxa_interval_days
        late = numbers(frame, "ct_dxa_interval_days").abs() > longest
        steps.append(("interval_too_long", late, f"more than {longest:g} days between CT and DXA."))
    return steps


def _notes(analysed: pd.DataFrame, settings: HuDxaConcordanceSettings, sites: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    absent = [site.replace("_", " ") for site in settings.t_score_sites if site not in sites]
    if absent:
        notes.append(f"No patient has a T-score of the {' or the '.join(absent)}; the lowest T-score is without it.")
    partial = int((analysed["sites_observed"] < len(sites)).sum())
    if partial:
        notes.append(
            f"{partial} patient(s) lack a T-score of at least one site; their lowest is that of the sites they have."
        )
    if settings.minimum_age_years is not None:
        unknown = int(numbers(analysed, "age_years").isna().sum())
        if unknown:
            notes.append(f"{unknown} patient(s) without a known age were kept.")
    ties = int((analysed["low_site"] == "tie").sum())
    if ties:
        notes.append(f"In {ties} patient(s) sites share the lowest T-score; their site is counted as a tie.")
    return tuple(notes)


def _has_values(frame: pd.DataFrame, column: str) -> bool:
    return column in frame.columns and bool(frame[column].notna().any())
