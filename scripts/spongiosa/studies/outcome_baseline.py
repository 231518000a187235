"""The baseline table of a study with an outcome or a class: each variable per group, its test by stated rules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import count_share, mean_sd, median_quartiles, number, p_value
from spongiosa.report.variables import Variable
from spongiosa.statistics.baseline import BaselineRow, BaselineRules, baseline_table
from spongiosa.statistics.description import CategoricalSummary, NumericSummary
from spongiosa.studies.baseline import heading_with_count
from spongiosa.studies.result import attempt

YES_NO = {"False": "no", "True": "yes"}


def outcome_baseline(
    key: str,
    title: str,
    caption: str,
    frame: pd.DataFrame,
    group: pd.Series,
    groups: Mapping[str, str],
    variables: Sequence[Variable],
    *,
    seed: int,
    alpha: float = 0.05,
) -> TableExhibit:
    """One row per variable (per category for counted ones) with each group's summary and the P of their comparison.

    `groups` maps the values of `group` to labels, in the order of the columns.
    """
    rules = BaselineRules(normality_alpha=alpha, seed=seed)
    ordered = pd.Series(pd.Categorical(group.astype("str"), categories=list(groups)))
    table = frame[[variable.column for variable in variables]].reset_index(drop=True)
    for variable in variables:
        if variable.categories:
            table[variable.column] = table[variable.column].map(str, na_action="ignore")
        else:
            table[variable.column] = table[variable.column].astype("float64")
    rows, reason = attempt(
        baseline_table,
        table,
        ordered,
        numeric=[variable.column for variable in variables if not variable.categories],
        categorical={variable.column: list(variable.categories) for variable in variables if variable.categories},
        rules=rules,
    )
    notes = [
        f"{rules} Two-sided, not corrected for multiple comparisons. Statistic: t, Mann-Whitney's Z, F, "
        "Kruskal-Wallis's H, chi-square, or the odds ratio of Fisher's exact test."
    ]
    if rows is None:
        return TableExhibit(key, title, pd.DataFrame(), pd.DataFrame(), caption, (f"Not computed: {reason}",))
    by_name = {row.variable: row for row in rows}
    headings = {name: heading_with_count(label, int((ordered == name).sum())) for name, label in groups.items()}
    footnotes = Footnotes()
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for variable in variables:
        row = by_name[variable.column]
        records += _records(row)
        printed += _printed(variable, row, headings, footnotes)
    return TableExhibit.of_rows(key, title, caption, records, printed, (*notes, *footnotes.notes()))


def _records(row: BaselineRow) -> list[dict[str, object]]:
    common: dict[str, object] = {
        "variable": row.variable,
        "statistic": row.statistic,
        "p_value": row.p_value,
        "standardised_difference": row.standardised_difference,
        "method": row.method,
        "reason": row.reason,
    }
    records: list[dict[str, object]] = []
    for name, summary in row.groups.items():
        if isinstance(summary, NumericSummary):
            kept = ("n", "missing", "mean", "sd", "median", "q1", "q3")
            records.append({**common, "group": name, **{key: getattr(summary, key) for key in kept}})
        else:
            records += [
                {**common, "group": name, "category": c.category, "n": summary.n, "missing": summary.missing,
                 "count": c.count, "share": c.share}
                for c in summary.categories
            ]  # fmt: skip
    return records


def _printed(
    variable: Variable, row: BaselineRow, headings: Mapping[str, str], footnotes: Footnotes
) -> list[dict[str, str]]:
    p = footnotes.gap(row.reason or "No test.") if math.isnan(row.p_value) else p_value(row.p_value)
    statistic = {"Statistic": "" if math.isnan(row.statistic) else number(row.statistic, 3)}
    difference = {}
    if len(headings) == 2:
        difference = {"Std. difference": number(row.standardised_difference, 2)}
    if not variable.categories:
        cells = {
            heading: _number_cell(row.groups.get(name), variable, row.is_normal is True, footnotes)
            for name, heading in headings.items()
        }
        return [{"Characteristic": variable.heading, **cells, **statistic, "P": p, **difference}]
    rows = []
    shown = list(enumerate(variable.categories.values()))
    if variable.categories == YES_NO:
        shown = [(1, "")]
    for place, (position, label) in enumerate(shown):
        cells = {}
        for name, column in headings.items():
            cells[column] = _count_cell(row.groups.get(name), position)
        first = {**statistic, "P": p, **difference} if place == 0 else {}
        heading = f"{variable.heading}: {label}" if label else variable.heading
        rows.append({"Characteristic": heading, **cells, **first})
    return rows


def _count_cell(summary: NumericSummary | CategoricalSummary | None, position: int) -> str:
    if not isinstance(summary, CategoricalSummary):
        return "0"
    return count_share(summary.categories[position].count, summary.n)


def _number_cell(
    summary: NumericSummary | CategoricalSummary | None, variable: Variable, is_normal: bool, footnotes: Footnotes
) -> str:
    if not isinstance(summary, NumericSummary):
        return footnotes.gap("A group has no value.")
    text = (
        mean_sd(summary.mean, summary.sd, variable.decimals)
        if is_normal
        else median_quartiles(summary.median, summary.q1, summary.q3, variable.decimals)
    )
    return f"{text} (n = {summary.n})" if summary.missing else text
