"""Every pair of markers compared by DeLong's paired test on the patients who have both."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import estimate_interval, number, p_value, whole
from spongiosa.statistics.groups import adjust
from spongiosa.statistics.roc import compare_delong
from spongiosa.studies.discrimination import Marker
from spongiosa.studies.result import attempt


def auc_comparison_table(
    key: str, title: str, frame: pd.DataFrame, event: pd.Series, markers: Sequence[Marker], *, confidence: float
) -> TableExhibit:
    """Differences of AUC with interval and P, also Holm-adjusted for the number of pairs."""
    footnotes = Footnotes()
    records: list[dict[str, object]] = []
    cells: list[dict[str, str]] = []
    p_values: list[float] = []
    for position, first in enumerate(markers):
        for second in markers[position + 1 :]:
            found, reason = attempt(
                compare_delong,
                frame[first.column],
                frame[second.column],
                event,
                direction_first=first.direction,
                direction_second=second.direction,
                confidence=confidence,
            )
            names = {"first": first.column, "second": second.column}
            pair = {"Markers": f"{first.label} − {second.label}"}
            reason = reason or (found.reason if found else "")
            if found is None:
                records.append({**names, "n": 0, "reason": reason})
                cells.append({**pair, "Difference of AUC (CI)": footnotes.gap(reason)})
                p_values.append(float("nan"))
                continue
            records.append(
                {**names, "n": found.n, "events": found.events, "auc_first": found.auc_first,
                 "auc_second": found.auc_second, "difference": found.estimate, "ci_low": found.ci_low,
                 "ci_high": found.ci_high, "z": found.statistic, "p_value": found.p_value, "reason": reason}
            )  # fmt: skip
            cells.append(
                {**pair, "n": whole(found.n), "AUCs": f"{number(found.auc_first, 3)}, {number(found.auc_second, 3)}",
                 "Difference of AUC (CI)": estimate_interval(found.estimate, found.ci_low, found.ci_high),
                 "P": footnotes.gap(reason) if reason else p_value(found.p_value)}
            )  # fmt: skip
            p_values.append(found.p_value)
    adjusted = adjust(p_values, "holm")
    for row, record, p in zip(cells, records, adjusted, strict=True):
        record["p_holm"] = float(p)
        if len(cells) > 1:
            row["P (Holm)"] = p_value(float(p))
    caption = f"DeLong's paired test, {confidence:.0%} intervals." + (
        f" Holm: adjusted for {len(cells)} comparisons." if len(cells) > 1 else ""
    )
    return TableExhibit.of_rows(key, title, caption, records, cells, footnotes.notes())
