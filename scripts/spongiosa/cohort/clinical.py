"""The clinical table: mapped to the names of the data dictionary, every value checked."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from spongiosa.cohort.clinical_checks import contradictions
from spongiosa.cohort.dictionary import ClinicalColumn, ImpossibleValue, clinical_dictionary, parsed_cell
from spongiosa.cohort.faults import Fault, InputFaults
from spongiosa.cohort.manifest import pseudonym
from spongiosa.cohort.tables import read_user_table

if TYPE_CHECKING:
    import pandas as pd

    from spongiosa.config.clinical import ClinicalSettings


def read_clinical(
    settings: ClinicalSettings, patients: Collection[str], pseudonym_key: bytes | None = None
) -> pd.DataFrame:
    """The clinical data, one row per patient of the cohort that the table names, sorted by `patient_id`.

    Columns of the table that are neither mapped nor named in the dictionary stay out.  Dates identify people: they
    give `ct_dxa_interval_days` and `event_months` where these are missing, and stay out themselves.  With
    `pseudonym_key` the ids of the table are replaced by their keyed hashes before they are compared with `patients`.
    Raises `InputFaults` with every unknown mapping, wrong type, impossible value, contradiction,
    unknown or duplicate id.
    """
    import pandas as pd

    table = read_user_table(Path(str(settings.table)), "clinical table")
    faults = _mapping_faults(settings.columns, list(table.columns))
    if faults:
        raise InputFaults(faults)
    source_of = _sources(settings.columns, list(table.columns))
    if "patient_id" not in source_of:
        sentence = "this column is required; name yours under clinical.columns.patient_id."
        raise InputFaults([Fault("clinical table", 1, "patient_id", sentence)])
    ids = table[source_of["patient_id"]].astype("string")
    if pseudonym_key is not None:
        ids = ids.map(lambda text: pseudonym(text, pseudonym_key) if text else "").astype("string")
    faults = _id_faults(ids, patients, settings.allow_unmatched)
    columns: dict[str, pd.Series] = {}
    for name, source in source_of.items():
        if name == "patient_id":
            columns[name] = ids
            continue
        values, column_faults = _parsed_column(clinical_dictionary()[name], source, table[source])
        faults += column_faults
        columns[name] = values
    clinical = pd.DataFrame(columns)
    faults += contradictions(clinical, source_of)
    if faults:
        raise InputFaults(sorted(faults, key=lambda fault: (fault.row or 0, fault.column or "")))
    clinical = clinical[clinical["patient_id"].isin(list(patients))]
    return _with_intervals(_with_bmi(clinical)).sort_values("patient_id").reset_index(drop=True)


def read_clinical_dates(
    settings: ClinicalSettings, name: str, pseudonym_key: bytes | None = None
) -> dict[str, datetime.date]:
    """Patient -> date in the column `name`, for those who have one; empty without such a column.

    Values that are no dates are left out: `read_clinical` reports them.  Raises `InputFaults` for an unreadable table.
    """
    table = read_user_table(Path(str(settings.table)), "clinical table")
    source_of = _sources(settings.columns, list(table.columns))
    if any(source_of.get(column) not in table.columns for column in ("patient_id", name)):
        return {}
    dates = {}
    for patient_id, text in zip(table[source_of["patient_id"]], table[source_of[name]], strict=True):
        try:
            day = parsed_cell(clinical_dictionary()[name], text)
        except ImpossibleValue:
            continue
        if isinstance(day, str) and patient_id:
            patient = patient_id if pseudonym_key is None else pseudonym(patient_id, pseudonym_key)
            dates[patient] = datetime.date.fromisoformat(day)
    return dates


def id_column(settings: ClinicalSettings, present: list[str]) -> str | None:
    """The column of the user's table that holds the patients' ids, if there is one."""
    return _sources(settings.columns, present).get("patient_id")


def _mapping_faults(mapping: dict[str, str], present: list[str]) -> list[Fault]:
    faults = []
    for ours, theirs in mapping.items():
        if ours not in clinical_dictionary():
            nearest = difflib.get_close_matches(ours, clinical_dictionary(), n=1)
            hint = f"did you mean '{nearest[0]}'?" if nearest else "see config/data_dictionary.tsv."
            faults.append(Fault("clinical.columns", None, ours, f"not a column of the data dictionary; {hint}"))
        if theirs not in present:
            nearest = difflib.get_close_matches(theirs, present, n=1)
            hint = f"did you mean '{nearest[0]}'?" if nearest else f"it has {', '.join(present)}."
            faults.append(Fault("clinical.columns", None, ours, f"the table has no column '{theirs}'; {hint}"))
    return faults


def _sources(mapping: dict[str, str], present: list[str]) -> dict[str, str]:
    """Dictionary name -> name in the user's table, in the order of the dictionary."""
    taken = set(mapping.values())
    sources = {name: name for name in present if name in clinical_dictionary() and name not in taken} | mapping
    return {name: sources[name] for name in clinical_dictionary() if name in sources}


def _id_faults(ids: pd.Series, patients: Collection[str], allow_unmatched: bool) -> list[Fault]:
    faults = []
    first_row_of: dict[str, int] = {}
    known = set(patients)
    for row, patient_id in zip(ids.index.tolist(), ids.tolist(), strict=True):
        if not patient_id:
            faults.append(Fault("clinical table", row, "patient_id", "the id is empty."))
        elif patient_id in first_row_of:
            sentence = f"the id {patient_id} stands in row {first_row_of[patient_id]} already."
            faults.append(Fault("clinical table", row, "patient_id", sentence))
        elif patient_id not in known and not allow_unmatched:
            sentence = f"no patient {patient_id} in the cohort; set clinical.allow_unmatched: true if that is meant."
            faults.append(Fault("clinical table", row, "patient_id", sentence))
        first_row_of.setdefault(patient_id, row)
    return faults


def _parsed_column(column: ClinicalColumn, source: str, cells: pd.Series) -> tuple[pd.Series, list[Fault]]:
    import pandas as pd

    values: list[object] = []
    faults = []
    for row, text in zip(cells.index.tolist(), cells.tolist(), strict=True):
        try:
            values.append(parsed_cell(column, text))
        except ImpossibleValue as error:
            faults.append(Fault("clinical table", row, source, f"{column.name}: {error}"))
            values.append(pd.NA)
    return pd.Series(values, index=cells.index, dtype=column.dtype), faults


def _with_bmi(clinical: pd.DataFrame) -> pd.DataFrame:
    """Fill a missing BMI = weight / height^2 [kg/m2]."""
    if {"height_m", "weight_kg"} <= set(clinical.columns):
        computed = clinical["weight_kg"] / clinical["height_m"] ** 2
        known = clinical["bmi_kg_m2"] if "bmi_kg_m2" in clinical.columns else computed
        return clinical.assign(bmi_kg_m2=known.fillna(computed))
    return clinical


#: Interval -> (later date, earlier date, days per unit).
_INTERVALS = {
    "ct_dxa_interval_days": ("ct_date", "dxa_date", 1.0),
    "event_months": ("event_date", "ct_date", 365.25 / 12),
}


def _with_intervals(clinical: pd.DataFrame) -> pd.DataFrame:
    """Fill intervals from dates, and leave the dates out."""
    import pandas as pd

    for name, (later, earlier, days) in _INTERVALS.items():
        if not {later, earlier} <= set(clinical.columns):
            continue
        dates = [pd.to_datetime(clinical[column], format="%Y-%m-%d") for column in (later, earlier)]
        computed = ((dates[0] - dates[1]).dt.days / days).astype("Float64")
        known = clinical[name] if name in clinical.columns else computed
        clinical = clinical.assign(**{name: known.fillna(computed)})
    dates_given = [name for name in clinical.columns if clinical_dictionary()[str(name)].kind == "date"]
    return clinical.drop(columns=dates_given)
