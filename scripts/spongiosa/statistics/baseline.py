"""The baseline table: every variable described per group and compared by a test chosen by stated rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spongiosa.statistics.comparison import levene, mann_whitney, student_t, welch_t
from spongiosa.statistics.contingency import association_test, cross_tabulate
from spongiosa.statistics.description import (
    CategoricalSummary,
    NumericSummary,
    QuantileMethod,
    category_text,
    normality,
    standardised_difference,
    standardised_difference_of_shares,
    summarise_categorical,
    summarise_numeric,
)
from spongiosa.statistics.groups import kruskal_wallis, one_way_anova
from spongiosa.statistics.samples import StatisticsError, Values


@dataclass(frozen=True)
class BaselineRules:
    """How the test of a row is chosen.

    A number is summarised as mean and SD and compared by a t test (ANOVA for more groups) when Shapiro-Wilk keeps
    normality in every group at `normality_alpha`, else as median and quartiles and by Mann-Whitney (Kruskal-Wallis).
    `welch_if_unequal` takes Welch's test when Levene's P is below 0.05.  A category is compared by chi-square, or by
    Fisher's test when an expected count is below 5.
    """

    normality_alpha: float = 0.05
    welch_if_unequal: bool = False
    quantile_method: QuantileMethod = "weibull"
    fisher_draws: int = 100_000
    seed: int = 20250101

    def __str__(self) -> str:
        unequal = ", Welch's when Levene's P < 0.05" if self.welch_if_unequal else ""
        return (
            f"Shapiro-Wilk P > {self.normality_alpha:g} in every group: mean and SD, Student's t test{unequal} (ANOVA "
            "for more than two groups); otherwise median and quartiles, Mann-Whitney (Kruskal-Wallis); categories: "
            "chi-square without correction, Fisher's test when an expected count is below 5."
        )


@dataclass(frozen=True)
class BaselineRow:
    """One variable; `groups` maps each group to its summary; `p_value` is NaN with a `reason` where it has no test.

    `is_normal` is None for a category; `standardised_difference` is None for more than two groups.
    """

    variable: str
    groups: dict[str, NumericSummary | CategoricalSummary]
    overall: NumericSummary | CategoricalSummary
    is_normal: bool | None
    statistic: float
    p_value: float
    standardised_difference: float | None
    method: str
    reason: str = ""


def baseline_table(
    table: pd.DataFrame,
    group: Values,
    *,
    numeric: Sequence[str] = (),
    categorical: Mapping[str, Sequence[object] | None] | None = None,
    rules: BaselineRules | None = None,
) -> tuple[BaselineRow, ...]:
    """Describe and compare the columns of `table` (one row per patient) over the groups.

    `categorical` maps a column to the order of its categories (None: sorted).  Patients whose group is missing are
    left out; a missing value leaves its own row only.  Rows come in the order of `numeric`, then `categorical`.
    Raises `StatisticsError` when fewer than two groups are present.
    """
    chosen = rules or BaselineRules()
    labels = pd.Series(group).reset_index(drop=True)
    data = table.reset_index(drop=True)
    if len(labels) != len(data):
        raise StatisticsError(f"{len(data)} rows but {len(labels)} group labels.")
    names = labels.map(category_text, na_action="ignore")
    levels = list(labels.cat.categories.map(category_text)) if labels.dtype == "category" else None
    present = [level for level in (levels or sorted(names.dropna().unique())) if (names == level).any()]
    if len(present) < 2:
        raise StatisticsError("A baseline table by group needs at least two groups.")
    members = {level: (names == level).to_numpy(dtype=bool, na_value=False) for level in present}
    rows = [_numeric_row(name, data[name], members, chosen) for name in numeric]
    rows += [
        _categorical_row(name, data[name], names, members, order, chosen) for name, order in (categorical or {}).items()
    ]
    return tuple(rows)


def _numeric_row(name: str, column: pd.Series, members: dict[str, np.ndarray], rules: BaselineRules) -> BaselineRow:
    samples = {level: column[member] for level, member in members.items()}
    everyone = column[np.logical_or.reduce(list(members.values()))]
    overall = summarise_numeric(everyone, rules.quantile_method)
    try:
        groups: dict[str, NumericSummary | CategoricalSummary] = {
            level: summarise_numeric(sample, rules.quantile_method) for level, sample in samples.items()
        }
    except StatisticsError as error:
        return BaselineRow(name, {}, overall, None, np.nan, np.nan, None, "none", f"{name}: {error}")
    # A group whose normality cannot be tested (n < 3, constant) is treated as not normal: ranks assume less.
    is_normal = all(normality(sample, rules.normality_alpha).is_normal is True for sample in samples.values())
    reason, statistic, p_value, method = "", np.nan, np.nan, "none"
    try:
        statistic, p_value, method = _compare(samples, is_normal, rules)
    except StatisticsError as error:
        reason = str(error)
    difference: float | None = None
    if len(samples) == 2:
        try:
            difference = standardised_difference(*samples.values())
        except StatisticsError as error:
            reason = reason or str(error)
    return BaselineRow(name, groups, overall, is_normal, statistic, p_value, difference, method, reason)


def _compare(samples: dict[str, pd.Series], is_normal: bool, rules: BaselineRules) -> tuple[float, float, str]:
    if len(samples) > 2:
        test = one_way_anova(samples) if is_normal else kruskal_wallis(samples)
        return test.statistic, test.p_value, test.method
    first, second = samples.values()
    if not is_normal:
        ranks = mann_whitney(first, second)
        return ranks.z, ranks.p_value, ranks.method
    unequal = rules.welch_if_unequal and levene(first, second).p_value < 0.05
    means = welch_t(first, second) if unequal else student_t(first, second)
    return means.statistic, means.p_value, means.method


def _categorical_row(
    name: str,
    column: pd.Series,
    labels: pd.Series,
    members: dict[str, np.ndarray],
    order: Sequence[object] | None,
    rules: BaselineRules,
) -> BaselineRow:
    everyone = column[np.logical_or.reduce(list(members.values()))]
    overall = summarise_categorical(everyone, order)
    categories = [row.category for row in overall.categories]
    texts = column.map(category_text, na_action="ignore")
    groups = {level: summarise_categorical(texts[member], categories) for level, member in members.items()}
    reason, statistic, p_value, method = "", np.nan, np.nan, "none"
    try:
        test = association_test(cross_tabulate(texts, labels).to_numpy(), seed=rules.seed, draws=rules.fisher_draws)
        statistic, p_value, method = test.statistic, test.p_value, test.method
    except StatisticsError as error:
        reason = str(error)
    difference: float | None = None
    if len(groups) == 2 and all(summary.n for summary in groups.values()):
        shares = [[row.share for row in summary.categories] for summary in groups.values()]
        try:
            difference = standardised_difference_of_shares(shares[0], shares[1])
        except StatisticsError as error:
            reason = reason or str(error)
    return BaselineRow(name, dict(groups), overall, None, statistic, p_value, difference, method, reason)
