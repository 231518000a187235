"""The table that describes the patients of a cohort, one row per variable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import count_share, mean_sd, median_quartiles, number, p_value, whole
from spongiosa.report.variables import Variable
from spongiosa.statistics.description import normality, summarise_categorical, summarise_numeric


def characteristics(
    key: str, title: str, caption: str, frame: pd.DataFrame, variables: Sequence[Variable]
) -> TableExhibit:
    """One row per variable (per category for counted ones): mean and SD, median and quartiles, range, missing."""
    footnotes = Footnotes()
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for variable in variables:
        rows = _counted(variable, frame) if variable.categories else [_averaged(variable, frame, footnotes)]
        records += [record for record, _ in rows]
        printed += [text for _, text in rows]
    notes = (
        "SD: standard deviation. Quartiles at (n + 1) p. Shapiro-Wilk: P of a normal distribution.",
        *footnotes.notes(),
    )
    return TableExhibit.of_rows(key, title, caption, records, printed, notes)


def _averaged(
    variable: Variable, frame: pd.DataFrame, footnotes: Footnotes
) -> tuple[dict[str, object], dict[str, str]]:
    values = frame[variable.column]
    if not values.notna().any():
        gap = footnotes.gap("Nobody has a value.")
        record: dict[str, object] = {"variable": variable.column, "n": 0, "missing": int(values.size)}
        return record, {"Characteristic": variable.heading, "n": "0", "Mean ± SD or n (%)": gap}
    summary, normal = summarise_numeric(values), normality(values)
    decimals = variable.decimals
    return {"variable": variable.column, **asdict(summary), "shapiro_p": normal.p_value}, {
        "Characteristic": variable.heading,
        "n": whole(summary.n),
        "Mean ± SD or n (%)": mean_sd(summary.mean, summary.sd, decimals),
        "Median (Q1, Q3)": median_quartiles(summary.median, summary.q1, summary.q3, decimals),
        "Range": f"{number(summary.minimum, decimals)} to {number(summary.maximum, decimals)}",
        "Missing": whole(summary.missing),
        "Shapiro-Wilk P": footnotes.gap(normal.reason) if normal.reason else p_value(normal.p_value),
    }


def _counted(variable: Variable, frame: pd.DataFrame) -> list[tuple[dict[str, object], dict[str, str]]]:
    summary = summarise_categorical(frame[variable.column], list(variable.categories))
    return [
        (
            {"variable": variable.column, "category": category.category, "n": summary.n, "missing": summary.missing,
             "count": category.count, "share": category.share},
            {"Characteristic": f"{variable.heading}: {variable.categories[category.category]}",
             "n": whole(summary.n), "Mean ± SD or n (%)": count_share(category.count, summary.n),
             "Missing": whole(summary.missing)},
        )
        for category in summary.categories
    ]  # fmt: skip
