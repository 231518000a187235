"""Who is analysed in the HU-DXA concordance study, and into which of the four groups each patient falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spongiosa.config.studies import HuDxaConcordanceSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.outcome import MEANING, Reason
from spongiosa.report import theme
from spongiosa.report.theme import GroupStyle

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
_MEANINGS = {reason.value: sentence for reason, sentence in MEANING.items()}


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
    sites = tuple(site for site in settings.t_score_sites if _has_values(patients, f"t_score_{site}"))
    frame = patients.reset_index(drop=True).copy()
    frame["index_hu"] = _numbers(frame, settings.index)
    frame = frame.join(lowest_t_score(frame, sites))
    left = pd.Series("", index=frame.index)
    for step, leaves in _criteria(frame, settings):
        left = left.mask((left == "") & leaves, step)
    flow = _flow(frame, left, settings)
    analysed = frame[left == ""].reset_index(drop=True)
    notes = _notes(analysed, settings, sites)
    return ConcordanceCohort(_classify(analysed, thresholds), flow, sites, notes)


def lowest_t_score(frame: pd.DataFrame, sites: Sequence[str]) -> pd.DataFrame:
    """Per patient the lowest of the T-scores that were measured, its site (`tie` when sites share it), and the lowest
    young-adult mean; missing where no site was measured."""
    scores = np.column_stack([_numbers(frame, f"t_score_{site}") for site in sites]) if sites else None
    yams = [_numbers(frame, f"yam_{site}_percent") for site in sites]
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


def _criteria(frame: pd.DataFrame, settings: HuDxaConcordanceSettings) -> list[tuple[str, pd.Series]]:
    """The steps in their order; a patient leaves at the first that applies."""
    column = f"{settings.index}_reason"
    reasons = frame[column].astype("str") if column in frame else pd.Series(None, index=frame.index, dtype="str")
    reasons = reasons.mask(reasons.isna() | (reasons == ""), Reason.NOT_MEASURED.value)
    steps: list[tuple[str, pd.Series]] = [
        (f"no_index:{reason}", frame["index_hu"].isna() & (reasons == reason)) for reason in sorted(reasons.unique())
    ]
    steps.append(("no_t_score", frame["low_t_score"].isna()))
    if settings.minimum_age_years is not None and "age_years" in frame:
        steps.append(("too_young", _numbers(frame, "age_years") < settings.minimum_age_years))
    if settings.maximum_ct_dxa_interval_days is not None and "ct_dxa_interval_days" in frame:
        interval = _numbers(frame, "ct_dxa_interval_days").abs()
        steps.append(("interval_too_long", interval > settings.maximum_ct_dxa_interval_days))
    return steps


def _flow(frame: pd.DataFrame, left: pd.Series, settings: HuDxaConcordanceSettings) -> pd.DataFrame:
    rows = [("in_patient_table", len(frame), "Patients in the patient table.")]
    for step, _ in _criteria(frame, settings):
        count = int((left == step).sum())
        if count:
            rows.append((step, count, _explain(step, settings)))
    rows.append(("analysed", int((left == "").sum()), "Patients analysed in this study."))
    return pd.DataFrame(rows, columns=["step", "patients", "explanation"])


def _explain(step: str, settings: HuDxaConcordanceSettings) -> str:
    if step.startswith("no_index:"):
        code = step.removeprefix("no_index:")
        meaning = _MEANINGS.get(code, code)
        return f"Left out: no {settings.index}. {meaning}"
    if step == "no_t_score":
        return f"Left out: no T-score of {' or '.join(settings.t_score_sites).replace('_', ' ')}."
    if step == "too_young":
        return f"Left out: younger than {settings.minimum_age_years:g} years."
    return f"Left out: more than {settings.maximum_ct_dxa_interval_days:g} days between CT and DXA."


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
        unknown = int(_numbers(analysed, "age_years").isna().sum())
        if unknown:
            notes.append(f"{unknown} patient(s) without a known age were kept.")
    ties = int((analysed["low_site"] == "tie").sum())
    if ties:
        notes.append(f"In {ties} patient(s) sites share the lowest T-score; their site is counted as a tie.")
    return tuple(notes)


def _has_values(frame: pd.DataFrame, column: str) -> bool:
    return column in frame.columns and bool(frame[column].notna().any())


def _numbers(frame: pd.DataFrame, column: str) -> pd.Series:
    """The column as float64, all missing where the table lacks it."""
    if column not in frame.columns:
        return pd.Series(np.nan, index=frame.index, dtype=np.float64)
    return pd.Series(frame[column].to_numpy(dtype=np.float64, na_value=np.nan), index=frame.index)
