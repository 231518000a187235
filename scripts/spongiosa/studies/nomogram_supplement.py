"""What stands beside the model of the nomogram study: overlap of the predictors, missing values, sensitivity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from spongiosa.report.exhibits import TableExhibit
from spongiosa.report.formatting import count_share, estimate_interval, number, p_value
from spongiosa.statistics.association import pearson, spearman
from spongiosa.statistics.collinearity import Collinearity, collinearity
from spongiosa.statistics.contingency import ContingencyTest, association_test, cross_tabulate
from spongiosa.statistics.description import missingness
from spongiosa.statistics.firth import firth_regression
from spongiosa.statistics.logistic import LogisticFit
from spongiosa.statistics.selection import fit_or_penalise
from spongiosa.statistics.terms import Category, Term, build_design
from spongiosa.studies.flow_table import numbers
from spongiosa.studies.nomogram_cohort import TERMINAL
from spongiosa.studies.nomogram_selection import FEW_PATIENTS
from spongiosa.studies.regression_tables import coefficient_label, model_table
from spongiosa.studies.result import attempt


def pbq_table(frame: pd.DataFrame, confidence: float) -> list[TableExhibit]:
    """Whether PBQ (MRI) and HU ratio (CT) say the same; no table where one of them is not given."""
    if not {"pbq", "hu_ratio"} <= set(frame.columns):
        return []
    key, title = "t10_pbq_hu_ratio", "Table 10. PBQ against HU ratio"
    rows = []
    for label, correlate in (("Pearson r", pearson), ("Spearman ρ", spearman)):
        found, reason = attempt(correlate, numbers(frame, "pbq"), numbers(frame, "hu_ratio"), confidence=confidence)
        if found is None:
            return [absent(key, title, reason)]
        rows.append((label, found))
    return [
        TableExhibit(
            key=key,
            title=title,
            frame=pd.DataFrame(
                [
                    {"correlation": found.method, "n": found.n, "estimate": found.estimate, "ci_low": found.ci_low,
                     "ci_high": found.ci_high, "p_value": found.p_value}
                    for _, found in rows
                ]
            ),
            printed=pd.DataFrame(
                [
                    {"Correlation": label, "n": f"{found.n}",
                     "Estimate (CI)": estimate_interval(found.estimate, found.ci_low, found.ci_high),
                     "P": p_value(found.p_value)}
                    for label, found in rows
                ]
            ),
            caption="Whether what MRI and CT say of the pedicle is the same.",
        )
    ]  # fmt: skip


def collinearity_table(
    key: str, title: str, frame: pd.DataFrame, terms: Sequence[Term], labels: Mapping[str, str]
) -> TableExhibit:
    """Tolerance and VIF of each column, and the largest condition index."""
    found, reason = attempt(_diagnose, frame, terms)
    if found is None:
        return absent(key, title, reason)
    return TableExhibit(
        key=key,
        title=title,
        frame=pd.DataFrame([vars(column) for column in found.columns]),
        printed=pd.DataFrame(
            [
                {"Variable": coefficient_label(column.column, labels), "Tolerance": number(column.tolerance, 3),
                 "VIF": number(column.vif, 3)}
                for column in found.columns
            ]
        ),
        caption=f"n = {found.n} complete. Largest condition index {number(found.largest_condition_index, 1)} (with "
        "intercept, columns of unit length, not centred).",
    )  # fmt: skip


def _diagnose(frame: pd.DataFrame, terms: Sequence[Term]) -> Collinearity:
    return collinearity(build_design(frame, terms))


def missing_table(frame: pd.DataFrame, terms: Sequence[Term], labels: Mapping[str, str]) -> TableExhibit:
    """Table 9: how much of each candidate is missing."""
    found = {term.name: missingness(frame[term.name]) for term in terms}
    return TableExhibit(
        key="t9_missing",
        title="Table 9. Missing values",
        frame=pd.DataFrame([{"column": name, **vars(row)} for name, row in found.items()]),
        printed=pd.DataFrame(
            [
                {"Variable": labels.get(name, name), "Missing n (%)": count_share(row.missing, row.n)}
                for name, row in found.items()
            ]
        ),
        caption="Candidates of the model.",
    )


def alternatives_table(
    frame: pd.DataFrame, event: pd.Series, terms: Sequence[Term], labels: Mapping[str, str]
) -> TableExhibit:
    """Table S7: the final terms again on complete rows, by maximum likelihood, penalised, and with rare grades merged.

    Says how far the odds ratios depend on a choice that the study does not settle.
    """
    key, title = "s7_alternatives", "Table S7. The final terms in other fits"
    fits: dict[str, tuple[LogisticFit | None, str]] = {
        "Maximum likelihood": attempt(fit_or_penalise, frame, event, terms),
        "Firth": attempt(_penalised, frame, event, terms),
    }
    merged, merged_terms = with_merged_grades(frame, terms)
    if merged_terms is not None:
        fits["Rare grades merged"] = attempt(fit_or_penalise, merged, event, merged_terms)
    return model_table(key, title, "Event: loosening. Complete rows, no selection.", fits, labels)


def _penalised(frame: pd.DataFrame, event: pd.Series, terms: Sequence[Term]) -> LogisticFit:
    return firth_regression(build_design(frame, terms), event)


def with_merged_grades(frame: pd.DataFrame, terms: Sequence[Term]) -> tuple[pd.DataFrame, tuple[Term, ...] | None]:
    """Each Goutallier grade of fewer than 20 patients joined with the grade below (the lowest with the one above).

    The terms are None where there is no such grade, or fewer than two groups are left.
    """
    term = next((one for one in terms if isinstance(one, Category) and one.name == "goutallier"), None)
    if term is None:
        return frame, None
    grades = numbers(frame, "goutallier")
    groups: list[list[str]] = []
    for level in term.levels:
        is_rare = int((grades == float(level)).sum()) < FEW_PATIENTS
        before_is_rare = bool(groups) and sum(int((grades == float(one)).sum()) for one in groups[-1]) < FEW_PATIENTS
        if groups and (is_rare or before_is_rare):
            groups[-1].append(level)
        else:
            groups.append([level])
    if len(groups) == len(term.levels) or len(groups) < 2:
        return frame, None
    names = {
        float(level): "-".join((group[0], group[-1])) if len(group) > 1 else level
        for group in groups
        for level in group
    }
    merged = frame.assign(goutallier=grades.map(names, na_action="ignore"))
    levels = tuple(dict.fromkeys(names.values()))
    changed = Category("goutallier", levels, names[float(term.reference)])
    return merged, tuple(changed if one is term else one for one in terms)


def fusion_table(frame: pd.DataFrame, seed: int) -> list[TableExhibit]:
    """Table S4: lowest instrumented vertebra against number of fused levels; none where one is not given."""
    if "terminal_group" not in frame or numbers(frame, "fused_levels").isna().all():
        return []
    key, title = "s4_terminal_fused", "Table S4. Lowest instrumented vertebra and number of fused levels"
    levels = numbers(frame, "fused_levels")
    lengths = levels.map(lambda count: "4 or more" if count >= 4 else f"{count:g}", na_action="ignore")
    counts = cross_tabulate(frame["terminal_group"], lengths)
    counts = counts.reindex([group for group in TERMINAL.levels if group in counts.index])
    found, reason = attempt(_associate, counts, seed)
    total = int(counts.to_numpy().sum())
    printed = counts.map(lambda count: count_share(int(count), total)).reset_index(names="Lowest instrumented vertebra")
    printed.columns = pd.Index([str(column) for column in printed.columns])
    long = counts.reset_index().melt("terminal_group", var_name="fused_levels", value_name="patients")
    words = f"P {p_value(found.p_value)} ({found.method})." if found else f"No test: {reason}"
    note = "They overlap, so the lowest instrumented vertebra is described and no candidate of the model."
    return [TableExhibit(key, title, long, printed, f"n = {total}; columns: fused levels. {words}", (note,))]


def _associate(counts: pd.DataFrame, seed: int) -> ContingencyTest:
    return association_test(counts, seed=seed)


def absent(key: str, title: str, reason: str) -> TableExhibit:
    """A table that these data do not determine, with the reason in its place."""
    return TableExhibit(key, title, pd.DataFrame({"reason": [reason]}), pd.DataFrame({"Not computed": [reason]}), "")
