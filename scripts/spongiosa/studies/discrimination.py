"""Discrimination of an event by markers: a table of AUCs and Youden cut-offs, and the ROC figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from spongiosa.report import figures
from spongiosa.report.exhibits import FigureExhibit, Footnotes, TableExhibit
from spongiosa.report.formatting import estimate_interval, interval, number, p_value
from spongiosa.statistics.cutoff import CutOff, RocBootstrap, bootstrap_roc, youden
from spongiosa.statistics.roc import Auc, Direction, auc_delong, auc_spss, roc_curve
from spongiosa.studies.result import attempt, record_where


@dataclass(frozen=True)
class Marker:
    """A column that is to tell events from the rest; `direction` says which of its ends means the event."""

    column: str
    label: str
    unit: str
    direction: Direction
    decimals: int = 1

    @property
    def heading(self) -> str:
        """The label with its unit where the label does not say it already."""
        return self.label if self.unit in self.label else f"{self.label} [{self.unit}]"


@dataclass(frozen=True)
class _Discrimination:
    """What was found for one marker; None with a reason where the data do not determine it."""

    n: int
    events: int
    area: Auc | None
    spss: Auc | None
    resampled: RocBootstrap | None
    cut: CutOff | None
    reason: str
    cut_reason: str


def roc_table(
    key: str,
    title: str,
    caption: str,
    frame: pd.DataFrame,
    event: pd.Series,
    markers: Sequence[Marker],
    *,
    confidence: float,
    draws: int,
    seed: int,
) -> TableExhibit:
    """AUC (DeLong, SPSS and bootstrap intervals) and the Youden cut-off with its interval, one row per marker."""
    footnotes = Footnotes()
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for marker in markers:
        found = _discriminate(frame[marker.column], event, marker.direction, confidence, draws, seed)
        records.append({"marker": marker.column, "direction": marker.direction, **_record(found)})
        printed.append({"Marker": marker.heading, **_cells(found, marker, footnotes)})
    notes = (
        f"AUC with DeLong's {confidence:.0%} interval; bootstrap: {draws} stratified resamples, percentiles. P: "
        "asymptotic, with the standard error under AUC = 0.5. Cut-off: midpoint of two neighbouring values with "
        "the greatest Youden index (of ties the most sensitive). The direction is fixed beforehand, never turned.",
        *footnotes.notes(),
    )
    return TableExhibit.of_rows(key, title, caption, records, printed, notes)


def areas_in_words(table: TableExhibit, names: Mapping[str, str]) -> str:
    """The AUCs of `roc_table` for a headline: "3D-HU 0.893 (0.852 to 0.934), HU ..."; "" where one has none.

    `names` maps the columns wanted to the words for them, in the order of the sentence.
    """
    columns = ("auc_estimate", "auc_ci_low", "auc_ci_high")
    found = {
        str(marker): (float(estimate), float(low), float(high))
        for marker, estimate, low, high in table.frame[["marker", *columns]].itertuples(index=False, name=None)
    }
    if any(math.isnan(found[column][0]) for column in names):
        return ""
    return ", ".join(f"{name} {estimate_interval(*found[column])}" for column, name in names.items())


def roc_points(frame: pd.DataFrame, event: pd.Series, markers: Sequence[Marker]) -> pd.DataFrame:
    """The points of every marker's curve, and one row with a `reason` for a marker that has none."""
    parts: list[pd.DataFrame] = []
    for marker in markers:
        curve, reason = attempt(roc_curve, frame[marker.column], event, direction=marker.direction)
        if curve is None:
            parts.append(pd.DataFrame({"marker": [marker.column], "reason": [reason]}))
            continue
        parts.append(
            pd.DataFrame(
                {
                    "marker": marker.column,
                    "false_positive_rate": 1 - curve.specificity,
                    "sensitivity": curve.sensitivity,
                    "cut_off_midpoint": curve.cut_off_midpoint,
                    "cut_off_observed": curve.cut_off_observed,
                    "reason": "",
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def draw_roc(
    key: str, title: str, caption: str, points: pd.DataFrame, areas: pd.DataFrame, markers: Sequence[Marker]
) -> tuple[FigureExhibit | None, str]:
    """The curves of `roc_points` with the AUC, interval and cut-off of `roc_table`'s frame, or why there is none."""
    lines: list[figures.RocLine] = []
    reasons: list[str] = []
    for marker in markers:
        curve = points[points["marker"] == marker.column]
        reason = str(curve["reason"].iloc[0])
        if reason:
            reasons.append(f"{marker.label}: {reason}")
            continue
        row = record_where(areas, "marker", marker.column)
        text = estimate_interval(row["auc_estimate"], row["auc_ci_low"], row["auc_ci_high"])
        has_cut = not math.isnan(row["cut_off_midpoint"])
        sign = "≤" if marker.direction == "low" else "≥"
        lines.append(
            figures.RocLine(
                label=marker.label,
                area=f"AUC {text}",
                false_positive_rate=curve["false_positive_rate"].to_numpy(dtype=float),
                sensitivity=curve["sensitivity"].to_numpy(dtype=float),
                chosen=(1 - row["specificity"], row["sensitivity"]) if has_cut else None,
                chosen_label=f"{sign} {number(row['cut_off_midpoint'], marker.decimals)} {marker.unit}"
                if has_cut
                else "",
            )
        )
    if not lines:
        return None, " ".join(reasons)
    summary = "; ".join(f"{line.label}, {line.area}" for line in lines)
    drawn = points[points["reason"] == ""].drop(columns="reason").reset_index(drop=True)
    return FigureExhibit(
        key=key,
        title=title,
        figure=figures.roc(lines),
        data=drawn,
        caption=caption,
        alt=f"ROC curve in a square with the diagonal of chance. {summary}.",
        notes=tuple(reasons),
    ), ""


def roc_figure(
    key: str,
    title: str,
    caption: str,
    frame: pd.DataFrame,
    event: pd.Series,
    markers: Sequence[Marker],
    *,
    confidence: float,
) -> tuple[FigureExhibit | None, str]:
    """The curves of all markers with AUC and interval in the legend, or the reason why there is none."""
    records = [
        {"marker": marker.column, **_record(_discriminate(frame[marker.column], event, marker.direction, confidence))}
        for marker in markers
    ]
    points = roc_points(frame, event, markers)
    return draw_roc(key, title, caption, points, pd.DataFrame.from_records(records), markers)


def _discriminate(
    marker: pd.Series, event: pd.Series, direction: Direction, confidence: float, draws: int = 0, seed: int = 0
) -> _Discrimination:
    """Everything of one marker; without the bootstrap where `draws` is 0."""
    known = marker.notna() & event.notna()
    area, reason = attempt(auc_delong, marker, event, direction=direction, confidence=confidence)
    spss, _ = attempt(auc_spss, marker, event, direction=direction, confidence=confidence)
    resampled = None
    if draws:
        resampled, _ = attempt(
            bootstrap_roc, marker, event, direction=direction, seed=seed, draws=draws, confidence=confidence
        )
    best, cut_reason = attempt(youden, marker, event, direction=direction)
    return _Discrimination(
        int(known.sum()),
        int(event[known].sum()),
        area,
        spss,
        resampled,
        best.best if best else None,
        reason,
        cut_reason,
    )


def _record(found: _Discrimination) -> dict[str, object]:
    nan = math.nan
    area_names = ("estimate", "ci_low", "ci_high", "standard_error", "p_value")
    return {
        "n": found.n,
        "events": found.events,
        **{f"auc_{name}": getattr(found.area, name) if found.area else nan for name in area_names},
        "spss_ci_low": found.spss.ci_low if found.spss else nan,
        "spss_ci_high": found.spss.ci_high if found.spss else nan,
        "bootstrap_ci_low": found.resampled.auc.ci_low if found.resampled else nan,
        "bootstrap_ci_high": found.resampled.auc.ci_high if found.resampled else nan,
        "youden": found.cut.youden if found.cut else nan,
        "cut_off_midpoint": found.cut.midpoint if found.cut else nan,
        "cut_off_observed": found.cut.observed if found.cut else nan,
        "cut_off_ci_low": found.resampled.cut_off.ci_low if found.resampled else nan,
        "cut_off_ci_high": found.resampled.cut_off.ci_high if found.resampled else nan,
        "sensitivity": found.cut.sensitivity if found.cut else nan,
        "specificity": found.cut.specificity if found.cut else nan,
        "reason": found.reason or found.cut_reason,
    }


def _cells(found: _Discrimination, marker: Marker, footnotes: Footnotes) -> dict[str, str]:
    cells = {"n / events": f"{found.n} / {found.events}"}
    if found.area is None:
        return {**cells, "AUC (DeLong CI)": footnotes.gap(found.reason)}
    area = estimate_interval(found.area.estimate, found.area.ci_low, found.area.ci_high)
    cells["AUC (DeLong CI)"] = f"{area} {footnotes.mark(found.area.reason)}" if found.area.reason else area
    if found.resampled is not None:
        cells["Bootstrap CI"] = interval(found.resampled.auc.ci_low, found.resampled.auc.ci_high)
    cells["P"] = p_value(found.area.p_value)
    if found.cut is None:
        return {**cells, "Youden cut-off (CI)": footnotes.gap(found.cut_reason)}
    cut_off = found.resampled.cut_off if found.resampled else None
    low, high = (cut_off.ci_low, cut_off.ci_high) if cut_off else (math.nan, math.nan)
    sign = "≤" if marker.direction == "low" else "≥"
    return {
        **cells,
        "Youden cut-off (CI)": f"{sign} {estimate_interval(found.cut.midpoint, low, high, marker.decimals)}",
        "Sensitivity": number(found.cut.sensitivity, 3),
        "Specificity": number(found.cut.specificity, 3),
    }
