"""The option of a study with follow-up: hazard ratios of the time to the event, beside its odds ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import estimate_interval, number, p_value
from spongiosa.statistics.survival import cox_regression
from spongiosa.studies.flow_table import numbers
from spongiosa.studies.result import attempt

TIME_OF_EVENT, FOLLOW_UP = "event_months", "follow_up_months"
METHODS = (
    " Time to the event: Cox regression (Efron's ties, Wald intervals) of the months to the event, or to the end of "
    "follow-up for patients without it, with Harrell's C; patients without a known time are left out of it."
)


def time_to_event_table(
    key: str,
    title: str,
    frame: pd.DataFrame,
    event: pd.Series,
    columns: Sequence[str],
    labels: Mapping[str, str],
    *,
    confidence: float,
) -> TableExhibit:
    """Hazard ratios of `columns` together, with n, events and Harrell's C; or why there are none."""
    months = numbers(frame, FOLLOW_UP).mask(event, numbers(frame, TIME_OF_EVENT))
    predictors = pd.DataFrame({name: numbers(frame, name) for name in columns})
    fit, reason = attempt(cox_regression, months, event.to_numpy(), predictors, confidence=confidence)
    footnotes = Footnotes()
    if fit is None:
        printed = pd.DataFrame([{"Variable": "all", "Hazard ratio (CI)": footnotes.gap(reason)}])
        frame_of = pd.DataFrame([{"coefficient": name, "n": 0, "reason": reason} for name in columns])
        return TableExhibit(key, title, frame_of, printed, "Cox regression.", footnotes.notes())
    return TableExhibit(
        key=key,
        title=title,
        frame=pd.DataFrame(
            [
                {"coefficient": one.name, "n": fit.n, "events": fit.events, "hazard_ratio": one.hazard_ratio,
                 "ci_low": one.ci_low, "ci_high": one.ci_high, "p_value": one.p_value,
                 "concordance": fit.concordance, "reason": ""}
                for one in fit.coefficients
            ]
        ),
        printed=pd.DataFrame(
            [
                {
                    "Variable": labels.get(one.name, one.name),
                    "Hazard ratio (CI)": estimate_interval(one.hazard_ratio, one.ci_low, one.ci_high),
                    "P": p_value(one.p_value),
                }
                for one in fit.coefficients
            ]
        ),
        caption=f"{fit.n} patients with a known time, {fit.events} events; Harrell's C {number(fit.concordance, 3)}.",
        notes=(f"{fit.method}.",),
    )  # fmt: skip
