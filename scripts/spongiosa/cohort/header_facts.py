"""What the headers add to the clinical data where these are silent: age, sex, and the days between DXA and CT.

Only what `convert.patient_age`, `convert.patient_sex` and `convert.dates` let pass has reached the tables of the units.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from spongiosa.dicom.identity import PatientIdentity
from spongiosa.dicom.privacy import AGE_BAND_YEARS, OLDEST_AGE_YEARS

if TYPE_CHECKING:
    import pandas as pd

_SEX = {"F": "female", "M": "male"}


def header_facts(series: pd.DataFrame, session: str) -> pd.DataFrame:
    """One row per patient whose CT of `session` was chosen from DICOM: `patient_id, age_years, sex, scan_day`."""
    columns = ["patient_id", "age_years", "sex", "scan_day"]
    if series.empty:
        return series.reindex(columns=columns)
    is_measured = series["is_chosen"].fillna(False).astype(bool)
    of_session = (series["session"] == session) & (series["modality"] == "ct")
    return series.loc[is_measured & of_session].reindex(columns=columns).drop_duplicates("patient_id")


def with_header_facts(
    clinical: pd.DataFrame | None,
    facts: pd.DataFrame,
    age: Literal["drop", "bands", "years"],
    dxa_days: Mapping[str, int],
) -> pd.DataFrame | None:
    """The clinical table with `age_years`, `sex` and `ct_dxa_interval_days` filled in where it has none.

    An age that is known as a band counts as the middle of the band (90 and above as 90); `dxa_days` is the day of each
    patient's DXA in the count of `scan_day`.  None where there is neither a clinical table nor a fact.
    """
    import pandas as pd

    days = facts["scan_day"].astype("Float64") - facts["patient_id"].map(dict(dxa_days)).astype("Float64")
    ages = facts["age_years"].astype("Float64")
    if age == "bands":  # the last band has no end, and so no middle
        ages = ages.where(ages >= OLDEST_AGE_YEARS, ages + AGE_BAND_YEARS / 2)
    stated = pd.DataFrame(
        {
            "patient_id": facts["patient_id"].astype("string"),
            "age_years": ages,
            "sex": facts["sex"].map(_SEX).astype("string"),
            "ct_dxa_interval_days": days,
        }
    )
    known = [name for name in stated.columns[1:] if stated[name].notna().any()]
    if not known:
        return clinical
    if clinical is None:
        return stated[["patient_id", *known]].reset_index(drop=True)
    joined = clinical.merge(stated[["patient_id", *known]], how="outer", on="patient_id", suffixes=("", "_of_header"))
    for name in known:
        if f"{name}_of_header" in joined.columns:
            joined[name] = joined[name].fillna(joined.pop(f"{name}_of_header"))
    return joined.sort_values("patient_id").reset_index(drop=True)


def days_of(dates: Mapping[str, datetime.date], secret: bytes) -> dict[str, int]:
    """Dates by patient as days in the count that only the project's secret tells."""
    return {patient: PatientIdentity(secret, patient).day(date) for patient, date in dates.items()}
