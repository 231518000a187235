"""Table 2 of the nomogram study: each candidate alone, all that entered together, and the final model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import estimate_interval, number, p_value
from spongiosa.statistics.logistic import LogisticCoefficient
from spongiosa.statistics.pooled_regression import PooledFit, PooledSelection
from spongiosa.statistics.terms import Category, Term
from spongiosa.studies.flow_table import numbers
from spongiosa.studies.predictors import in_words

#: A category with fewer patients gets a warning beside its odds ratio.
FEW_PATIENTS = 20
_STEPS = ("univariable", "multivariable", "final")


def selection_exhibit(
    selection: PooledSelection | None,
    reason: str,
    frame: pd.DataFrame,
    event: pd.Series,
    terms: Sequence[Term],
    labels: Mapping[str, str],
) -> TableExhibit:
    """One row per coefficient and one per reference level: odds ratio alone, together, and in the final model.

    `selection` None needs `reason`.  Counts per level are of the patients in whom it is known.
    """
    key, title = "t2_selection", "Table 2. Univariable and multivariable logistic regression"
    if selection is None:
        absent = pd.DataFrame({"reason": [reason]})
        return TableExhibit(key, title, absent, pd.DataFrame({"Not computed": [reason]}), "Event: loosening.")
    footnotes = Footnotes()
    univariable = {row.term: row for row in selection.univariable}
    fits = {"multivariable": _by_name(selection.multivariable), "final": _by_name(selection.final)}
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for term in terms:
        row = univariable[term.name]
        alone = {one.name: one for one in row.coefficients}
        for level in _levels(term):
            name = term.name if level is None else f"{term.name}={level}"
            is_reference = isinstance(term, Category) and level == term.reference
            counted = _counts(frame, event, term.name, level)
            found = {"univariable": alone.get(name), **{step: fit.get(name) for step, fit in fits.items()}}
            records.append(
                {"term": term.name, "coefficient": name, "is_reference": is_reference, "n": counted[0],
                 "events": counted[1], "enters": row.enters, "reason": row.reason,
                 **{f"{step}_{key}": value for step in _STEPS for key, value in _numbers(found[step]).items()}}
            )  # fmt: skip
            heading = labels.get(term.name, term.name) + (f": {level}" if level is not None else "")
            cells = {"Variable": heading, "n / events": f"{counted[0]} / {counted[1]}"}
            if is_reference:
                cells["OR (CI)"] = "1 (reference)"
            elif name not in alone:
                cells["OR (CI)"] = footnotes.gap(row.reason)
            else:
                for step, prefix in (("univariable", ""), ("multivariable", "Adjusted "), ("final", "Final ")):
                    cells |= _cells(found[step], prefix)
            printed.append(cells)
    order = ["Variable", "n / events", "OR (CI)", "P", "Adjusted OR (CI)", "Adjusted P", "Final OR (CI)", "Final P"]
    return TableExhibit(
        key=key,
        title=title,
        frame=pd.DataFrame.from_records(records),
        printed=pd.DataFrame(printed).reindex(columns=order).fillna(""),
        caption="Event: loosening. Adjusted: all candidates that entered together; final: those that stayed.",
        notes=(*_notes(selection, records, labels), *footnotes.notes()),
    )


def _levels(term: Term) -> tuple[str | None, ...]:
    """The rows of a term: None for a number, for a category its reference first."""
    if not isinstance(term, Category):
        return (None,)
    return (term.reference, *(level for level in term.levels if level != term.reference))


def _counts(frame: pd.DataFrame, event: pd.Series, column: str, level: str | None) -> tuple[int, int]:
    """Patients in whom the column (this level of it) is known, and events among them."""
    if level is None:
        rows = numbers(frame, column).notna()
    else:
        texts = frame[column].map(lambda value: f"{value:g}" if isinstance(value, float) else str(value))
        rows = texts == level
    return int(rows.sum()), int((rows & event).sum())


def _by_name(fit: PooledFit | None) -> dict[str, LogisticCoefficient]:
    return {one.name: one for one in fit.coefficients} if fit is not None else {}


def _numbers(one: LogisticCoefficient | None) -> dict[str, float]:
    names = ("odds_ratio", "ci_low", "ci_high", "p_value")
    return {name: getattr(one, name) if one else math.nan for name in names}


def _cells(one: LogisticCoefficient | None, prefix: str) -> dict[str, str]:
    if one is None:
        return {f"{prefix}OR (CI)": "–", f"{prefix}P": ""}
    return {
        f"{prefix}OR (CI)": estimate_interval(one.odds_ratio, one.ci_low, one.ci_high),
        f"{prefix}P": p_value(one.p_value),
    }


def _notes(selection: PooledSelection, records: list[dict[str, object]], labels: Mapping[str, str]) -> tuple[str, ...]:
    notes = [f"{selection.rule[0].upper()}{in_words(selection.rule[1:])}. A dash: not in that model."]
    if selection.reason:
        notes.append(selection.reason)
    for words, fit in (("Adjusted", selection.multivariable), ("Final", selection.final)):
        if fit is not None:
            parameters = len(fit.coefficients) - 1
            events = min(fit.events, fit.n - fit.events)
            text = f"{words}: n = {fit.n}, {fit.events} events, {number(events / parameters)} events per parameter; "
            notes.append(f"{text}{fit.method}.{' ' + fit.reason if fit.reason else ''}")
    few = [
        f"{labels.get(str(row['term']), str(row['term']))} {str(row['coefficient']).partition('=')[2]} ({row['n']} "
        f"patients, {row['events']} events)"
        for row in records
        if "=" in str(row["coefficient"]) and int(str(row["n"])) < FEW_PATIENTS
    ]
    if few:
        notes.append(f"Few patients, so that the odds ratio may be far off: {', '.join(few)}.")
    return tuple(notes)
