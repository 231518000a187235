"""Tables of logistic models: odds ratios, univariable beside multivariable."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import estimate_interval, number, p_value
from spongiosa.statistics.logistic import LogisticCoefficient, LogisticFit
from spongiosa.statistics.selection import UnivariableRow


def selection_table(
    key: str,
    title: str,
    caption: str,
    univariable: Sequence[UnivariableRow],
    multivariable: LogisticFit | None,
    labels: Mapping[str, str],
    *,
    reason: str = "",
) -> TableExhibit:
    """One row per coefficient: odds ratio alone, and in the multivariable model where the term entered it."""
    footnotes = Footnotes()
    adjusted = {c.name: c for c in multivariable.coefficients} if multivariable else {}
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for row in univariable:
        if not row.coefficients:
            records.append({"term": row.term, "n": row.n, "events": row.events, "reason": row.reason})
            printed.append({"Variable": labels.get(row.term, row.term), "OR (CI)": footnotes.gap(row.reason)})
            continue
        for alone in row.coefficients:
            in_model = adjusted.get(alone.name)
            records.append(
                {"term": row.term, "coefficient": alone.name, "n": row.n, "events": row.events,
                 **_numbers("univariable", alone), **_numbers("multivariable", in_model),
                 "enters": row.enters, "reason": row.reason}
            )  # fmt: skip
            mark = f" {footnotes.mark(row.reason)}" if row.reason else ""
            cells = {
                "Variable": coefficient_label(alone.name, labels),
                "OR (CI)": _odds_ratio(alone) + mark,
                "P": p_value(alone.p_value),
            }
            if multivariable is not None:
                cells["Adjusted OR (CI)"] = _odds_ratio(in_model) if in_model else "not in the model"
                cells["Adjusted P"] = p_value(in_model.p_value) if in_model else ""
            printed.append(cells)
    notes = [f"Univariable: {univariable[0].method}."] if univariable else []
    if multivariable is not None:
        notes.append(
            f"Multivariable: {multivariable.method}; n = {multivariable.n}, {multivariable.events} events, "
            f"{number(multivariable.events_per_parameter, 1)} events per parameter, Nagelkerke R² "
            f"{number(multivariable.nagelkerke_r_squared, 3)}."
        )
        notes += [multivariable.reason] if multivariable.reason else []
    elif reason:
        notes.append(f"No multivariable model: {reason}")
    return TableExhibit.of_rows(key, title, caption, records, printed, (*notes, *footnotes.notes()))


def model_table(
    key: str,
    title: str,
    caption: str,
    models: Mapping[str, tuple[LogisticFit | None, str]],
    labels: Mapping[str, str],
) -> TableExhibit:
    """Several models below each other: odds ratios with intervals, and how well each fits."""
    footnotes = Footnotes()
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for name, (fit, reason) in models.items():
        if fit is None:
            records.append({"model": name, "reason": reason})
            printed.append({"Model": name, "Variable": footnotes.gap(reason)})
            continue
        for position, one in enumerate(fit.coefficients):
            records.append(
                {"model": name, "coefficient": one.name, "n": fit.n, "events": fit.events, **_numbers("model", one),
                 "aic": fit.aic, "nagelkerke_r_squared": fit.nagelkerke_r_squared,
                 "events_per_parameter": fit.events_per_parameter, "method": fit.method, "reason": fit.reason}
            )  # fmt: skip
            first = position == 0
            printed.append(
                {
                    "Model": name if first else "",
                    "Variable": coefficient_label(one.name, labels),
                    "OR (CI)": _odds_ratio(one) + (f" {footnotes.mark(fit.reason)}" if fit.reason else ""),
                    "P": p_value(one.p_value),
                    "n / events": f"{fit.n} / {fit.events}" if first else "",
                    "Nagelkerke R²": number(fit.nagelkerke_r_squared, 3) if first else "",
                    "AIC": number(fit.aic, 1) if first else "",
                }
            )
    methods = sorted({fit.method for fit, _ in models.values() if fit is not None})
    notes = (*(f"{method[0].upper()}{method[1:]}." for method in methods), *footnotes.notes())
    return TableExhibit.of_rows(key, title, caption, records, printed, notes)


def coefficient_label(name: str, labels: Mapping[str, str]) -> str:
    """The label of a coefficient; that of a category names its level ("Goutallier grade: 3")."""
    column, _, level = name.partition("=")
    label = labels.get(column, column)
    return f"{label}: {level}" if level else label


def _numbers(prefix: str, one: LogisticCoefficient | None) -> dict[str, float]:
    names = ("odds_ratio", "ci_low", "ci_high", "p_value")
    return {f"{prefix}_{name}": getattr(one, name) if one else math.nan for name in names}


def _odds_ratio(one: LogisticCoefficient) -> str:
    return estimate_interval(one.odds_ratio, one.ci_low, one.ci_high)
