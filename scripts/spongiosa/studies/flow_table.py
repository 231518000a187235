"""The flow of patients into a study: each patient of the table once, at the first criterion that applies."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from spongiosa.outcome import MEANING, Reason
from spongiosa.report.exhibits import TableExhibit
from spongiosa.report.formatting import whole
from spongiosa.report.variables import index_label

_MEANINGS = {reason.value: sentence for reason, sentence in MEANING.items()}
#: A criterion: its code, the patients whom it takes out, and the sentence of the flow.
Criterion = tuple[str, "pd.Series[bool]", str]


def numbers(frame: pd.DataFrame, column: str) -> pd.Series:
    """The column as float64, all missing where the table lacks it."""
    if column not in frame.columns:
        return pd.Series(float("nan"), index=frame.index, dtype="float64")
    return pd.Series(frame[column].to_numpy(dtype="float64", na_value=float("nan")), index=frame.index)


def patient_names(frame: pd.DataFrame) -> list[str]:
    """The patients' pseudonyms as text, for points that can be pointed at; empty where the table has none."""
    return [str(name) for name in frame["patient_id"]] if "patient_id" in frame else []


def without_index(frame: pd.DataFrame, index: str) -> list[Criterion]:
    """One criterion per reason for which `index` is missing, with the meaning of the reason."""
    column = f"{index}_reason"
    reasons = frame[column].astype("str") if column in frame else pd.Series(None, index=frame.index, dtype="str")
    reasons = reasons.mask(reasons.isna() | (reasons == ""), Reason.NOT_MEASURED.value)
    missing = numbers(frame, index).isna()
    label = index_label(index.removesuffix("_referenced"))
    return [
        (f"no_{index}:{reason}", missing & (reasons == reason), f"{label} is missing. {_MEANINGS.get(reason, reason)}")
        for reason in sorted(reasons[missing].unique())
    ]


def apply_criteria(patients: pd.DataFrame, criteria: Sequence[Criterion]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Who is left, and the flow with columns step, patients, explanation."""
    left = pd.Series(False, index=patients.index)
    rows = [("in_patient_table", len(patients), "Patients in the patient table.")]
    for code, leaves, sentence in criteria:
        now = leaves & ~left
        left |= now
        if now.any():
            rows.append((code, int(now.sum()), f"Left out: {sentence}"))
    rows.append(("analysed", int((~left).sum()), "Patients analysed in this study."))
    return patients[~left].reset_index(drop=True), pd.DataFrame(rows, columns=["step", "patients", "explanation"])


def flow_exhibit(flow: pd.DataFrame, notes: Sequence[str] = ()) -> TableExhibit:
    """The flow as a table."""
    printed = pd.DataFrame({"Step": flow["explanation"], "Patients": flow["patients"].map(whole)})
    return TableExhibit(
        key="t0_flow",
        title="Flow of patients in this study",
        frame=flow,
        printed=printed,
        caption="Every patient of the patient table is counted once, at the first criterion that applies.",
        notes=tuple(notes),
    )
