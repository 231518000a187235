"""Groups of patients compared with a reference group, variable by variable."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import count_share, mean_sd, p_value
from spongiosa.report.variables import Variable
from spongiosa.statistics.comparison import mann_whitney, student_t
from spongiosa.statistics.contingency import association_test, cross_tabulate
from spongiosa.statistics.description import summarise_categorical, summarise_numeric
from spongiosa.statistics.groups import kruskal_wallis
from spongiosa.studies.result import attempt


@dataclass(frozen=True)
class Comparison:
    """P of one group against the reference for one variable, with the sensitivity analysis beside it."""

    p_value: float
    p_student: float
    levene_p: float
    n: int
    method: str
    reason: str


def group_comparison(
    key: str,
    title: str,
    caption: str,
    frame: pd.DataFrame,
    group: pd.Series,
    groups: Mapping[str, str],
    variables: Sequence[Variable],
    *,
    seed: int,
) -> TableExhibit:
    """Each variable per group, every group against the first one, and of more than two groups all together.

    `groups` maps the values of `group` to labels, the reference first.  Numbers: Mann-Whitney, Student's t beside it
    in `frame`; all groups by Kruskal-Wallis.  Counts: chi-square, Fisher where an expected count is below 5.  No
    correction for multiple tests.
    """
    footnotes = Footnotes()
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for variable in variables:
        comparisons = _compare(variable, frame, group, list(groups), seed)
        overall, reason = _overall(variable, frame, group, list(groups), seed)
        records += _records(variable, frame, group, list(groups), comparisons, overall)
        printed += _printed(variable, frame, group, groups, comparisons, (overall, reason), footnotes)
    notes = (
        f"Numbers are mean ± standard deviation, counts n (%). Every P of a group is against "
        f"{next(iter(groups.values()))}. Of numbers it is Mann-Whitney's (asymptotic, tie-corrected), of counts "
        "Pearson's chi-square, or Fisher's where an expected count is below 5. "
        + ("P overall compares all groups, numbers by Kruskal-Wallis. " if len(groups) > 2 else "")
        + "Two-sided, not corrected for multiple comparisons.",
        *footnotes.notes(),
    )
    return TableExhibit.of_rows(key, title, caption, records, printed, notes)


def compare_numbers(first: pd.Series, second: pd.Series) -> Comparison:
    """Mann-Whitney of two samples with Student's t and Levene beside it; NaN with a reason where impossible."""
    known = int(first.notna().sum() + second.notna().sum())
    if not first.notna().any() or not second.notna().any():
        reason = "One of the two groups has no value."
        return Comparison(math.nan, math.nan, math.nan, known, "Mann-Whitney U", reason)
    ranks, reason = attempt(mann_whitney, first, second)
    means, _ = attempt(student_t, first, second)
    return Comparison(
        p_value=ranks.p_value if ranks else math.nan,
        p_student=means.p_value if means else math.nan,
        levene_p=means.levene_p if means else math.nan,
        n=known,
        method=ranks.method if ranks else "Mann-Whitney U",
        reason=reason,
    )


def compare_counts(values: pd.Series, group: pd.Series, seed: int) -> Comparison:
    """Association of categories with groups; NaN with a reason where impossible."""
    known = int((values.notna() & group.notna()).sum())
    table = cross_tabulate(values, group)
    if min(table.shape) < 2:
        reason = "Only one group or one category is present."
        return Comparison(math.nan, math.nan, math.nan, known, "chi-square or Fisher's test", reason)
    test, reason = attempt(association_test, table, seed=seed)
    if test is None:
        return Comparison(math.nan, math.nan, math.nan, known, "chi-square or Fisher's test", reason)
    return Comparison(test.p_value, math.nan, math.nan, test.n, test.method, "")


def _compare(
    variable: Variable, frame: pd.DataFrame, group: pd.Series, groups: Sequence[str], seed: int
) -> list[Comparison]:
    values, reference = frame[variable.column], groups[0]
    if variable.categories:
        return [
            compare_counts(values[group.isin([reference, other])], group[group.isin([reference, other])], seed)
            for other in groups[1:]
        ]
    return [compare_numbers(values[group == other], values[group == reference]) for other in groups[1:]]


def _overall(
    variable: Variable, frame: pd.DataFrame, group: pd.Series, groups: Sequence[str], seed: int
) -> tuple[Comparison | None, str]:
    if len(groups) < 3:
        return None, ""
    if not variable.categories:
        overall = _rank_all(frame[variable.column], group, groups)
        return overall, overall.reason
    comparison = compare_counts(frame[variable.column], group, seed)
    return comparison, comparison.reason


def _rank_all(values: pd.Series, group: pd.Series, groups: Sequence[str]) -> Comparison:
    """Kruskal-Wallis over the groups that have a value."""
    parts = {name: values[group == name] for name in groups if values[group == name].notna().any()}
    known = int(sum(part.notna().sum() for part in parts.values()))
    test, reason = attempt(kruskal_wallis, parts)
    method = test.method if test else "Kruskal-Wallis"
    return Comparison(test.p_value if test else math.nan, math.nan, math.nan, known, method, reason)


def _records(
    variable: Variable,
    frame: pd.DataFrame,
    group: pd.Series,
    groups: Sequence[str],
    comparisons: Sequence[Comparison],
    overall: Comparison | None,
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for position, name in enumerate(groups):
        values = frame.loc[group == name, variable.column]
        tests = asdict(comparisons[position - 1]) if position else {}
        common: dict[str, object] = {
            "variable": variable.column,
            "group": name,
            **{f"{test}_vs_reference": value for test, value in tests.items()},
            "p_overall": overall.p_value if overall else math.nan,
            "method_overall": overall.method if overall else None,
        }
        if variable.categories:
            counted = summarise_categorical(values, list(variable.categories))
            rows += [
                {**common, "category": c.category, "n": counted.n, "missing": counted.missing, "count": c.count,
                 "share": c.share}
                for c in counted.categories
            ]  # fmt: skip
        else:
            summary, _ = attempt(summarise_numeric, values)
            described = asdict(summary) if summary else {"n": 0, "missing": int(values.size)}
            kept = ("n", "missing", "mean", "sd", "median", "q1", "q3", "minimum", "maximum")
            rows.append({**common, **{name: described.get(name, math.nan) for name in kept}})
    return rows


def _printed(
    variable: Variable,
    frame: pd.DataFrame,
    group: pd.Series,
    groups: Mapping[str, str],
    comparisons: Sequence[Comparison],
    overall: tuple[Comparison | None, str],
    footnotes: Footnotes,
) -> list[dict[str, str]]:
    names = list(groups)
    tests = {
        f"P: {groups[name]}" if len(names) > 2 else "P": _p_cell(comparison, footnotes)
        for name, comparison in zip(names[1:], comparisons, strict=True)
    }
    whole_p = {"P overall": _p_cell(overall[0], footnotes) if overall[0] else ""} if len(groups) > 2 else {}
    parts = {name: frame.loc[group == name, variable.column] for name in names}
    headings = {
        name: f"{groups[name]} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{int((group == name).sum())})" for name in names
    }
    if not variable.categories:
        cells = {headings[name]: _number_cell(values, variable, footnotes) for name, values in parts.items()}
        return [{"Characteristic": variable.heading, **cells, **tests, **whole_p}]
    counted = {name: summarise_categorical(values, list(variable.categories)) for name, values in parts.items()}
    rows = []
    for position, label in enumerate(variable.categories.values()):
        cells = {
            headings[name]: count_share(summary.categories[position].count, summary.n)
            for name, summary in counted.items()
        }
        first = position == 0
        rows.append(
            {"Characteristic": f"{variable.heading}: {label}", **cells, **(tests if first else {}),
             **(whole_p if first else {})}
        )  # fmt: skip
    return rows


def heading_with_count(label: str, count: int) -> str:
    """ "DXA+/HU+ (n = 36)", the count kept on one line."""
    return f"{label} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{count})"


def _number_cell(values: pd.Series, variable: Variable, footnotes: Footnotes) -> str:
    summary, _ = attempt(summarise_numeric, values)
    if summary is None:
        return footnotes.gap("No patient of this group has a value." if values.size else "Nobody is in this group.")
    text = mean_sd(summary.mean, summary.sd, variable.decimals)
    return f"{text} (n = {summary.n})" if summary.missing else text


def _p_cell(comparison: Comparison, footnotes: Footnotes) -> str:
    return footnotes.gap(comparison.reason) if comparison.reason else p_value(comparison.p_value)
