"""Which patient of a cohort the pictures of a study show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spongiosa.cohort.scan import Scan
from spongiosa.outcome import Status
from spongiosa.studies.pictured_scan import (
    MissingPicture,
    PicturedScan,
    Place,
    levels_with,
    read_pictured,
    read_regions,
)

AUTO, NONE = "auto", "none"

#: How many patients nearest to the median are looked at for one who has all regions.
MOST_CANDIDATES = 12

#: What decides where a study's own value is missing.
SLICES_HU = {"ax_l1_l4_hu": "HU of L1–L4"}

T_SCORE_SITES = ("lumbar", "femoral_neck", "total_hip")


@dataclass(frozen=True)
class Wanted:
    """What the pictures of a study need: the patient's value that should be the median one, levels and regions.

    `columns`, each with its name in words, are tried in order; the first that has values decides.
    """

    columns: Mapping[str, str]
    levels: tuple[str, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True)
class PicturedCohort:
    """The tables of a cohort, and where its images lie; `scans` is None for a study of a patient table alone.

    `patient` is `auto` or the id of a patient in the outputs; `session` is the one that the indices come from;
    `is_synthetic` says that the whole cohort is one of the generator's.
    """

    patients: pd.DataFrame
    wanted: Wanted
    patient: str = AUTO
    scans: pd.DataFrame | None = None
    screws: pd.DataFrame | None = None
    output_dir: Path | None = None
    session: str = "preop"
    is_synthetic: bool = False
    _read: dict[tuple[str, str], PicturedScan] = field(default_factory=dict)

    @cached_property
    def scan(self) -> PicturedScan:
        """The CT that the study's pictures show.

        `auto`: of the patients whose CT of the session is ok, those without remarks first, the one whose value lies
        nearest to the median of them all, the smallest id where two are as near; of the nearest ones, the first in
        whom one level has every region.  Raises `MissingPicture` where nobody has them.
        """
        for patient_id in self._candidates[:MOST_CANDIDATES]:
            regions = read_regions(self._place(patient_id, self.session))
            if self.patient != AUTO or levels_with(regions, self.wanted.levels, self.wanted.places):
                return self._pictured(patient_id, self.session)
        raise MissingPicture("None of the patients nearest to the median has every region of the picture in one level.")

    @property
    def choice(self) -> str:
        """How the patient was chosen, for a caption."""
        if self.patient != AUTO:
            return "The patient was chosen in the configuration."
        what = self.wanted.columns[self._column]
        shown = f"Shown is the patient whose {what} lies nearest to the median of the cohort"
        return f"{shown}." if self.scans is None else f"{shown}; scans with remarks come last."

    @cached_property
    def densitometry(self) -> Mapping[str, Any]:
        """The row of the patient of the pictures; without images the one nearest to the median with a T-score.

        Raises `MissingPicture` where no such patient has a T-score.
        """
        scores = [f"t_score_{site}" for site in T_SCORE_SITES if f"t_score_{site}" in self.patients]
        measured = self.patients[self.patients[scores].notna().any(axis=1)] if scores else self.patients.iloc[:0]
        if measured.empty:
            raise MissingPicture("The clinical table gives no T-score.")
        names = list(measured["patient_id"])
        ranked = self._candidates if self.scans is not None else self._by_distance(measured)
        chosen = next((name for name in ranked if name in set(names)), None)
        if chosen is None:
            raise MissingPicture("The patient of the pictures has no T-score.")
        return {str(name): value for name, value in measured.iloc[names.index(chosen)].items()}

    def loosened(self) -> tuple[PicturedScan, str, str]:
        """A later CT in which a screw of the table of screws is loose, with the screw's level and side.

        Raises `MissingPicture` where the cohort has none.
        """
        if self.screws is None or not bool(self.screws["loosening"].fillna(value=False).any()):
            raise MissingPicture("No table of screws says which screw is loose.")
        loose = self.screws[self.screws["loosening"].fillna(value=False).astype(bool)]
        for row in loose.sort_values(["patient_id", "level", "side"]).itertuples():
            if self.patient not in (AUTO, str(row.patient_id)):
                continue
            for session in self._later_sessions(str(row.patient_id)):
                regions = read_regions(self._place(str(row.patient_id), session))
                if levels_with(regions, (str(row.level),), (("trajectory", str(row.side)),)):
                    return self._pictured(str(row.patient_id), session), str(row.level), str(row.side)
        raise MissingPicture("No patient with a loose screw has a measured CT after the operation.")

    def fractured(self) -> list[tuple[str, PicturedScan]]:
        """The CTs of a patient with a new fracture, before and after it: session and scan.

        Raises `MissingPicture` where the cohort has none.
        """
        if "new_fracture" not in self.patients:
            raise MissingPicture("The clinical table gives no new fracture.")
        events = self.patients[self.patients["new_fracture"].fillna(value=False).astype(bool)]
        for patient_id in sorted(str(name) for name in events["patient_id"]):
            later = self._later_sessions(patient_id)
            if later and self.patient in (AUTO, patient_id) and self.session in self._sessions(patient_id):
                return [(name, self._pictured(patient_id, name)) for name in (self.session, *later)]
        raise MissingPicture("No patient with a new fracture has measured CTs before and after it.")

    @cached_property
    def _column(self) -> str:
        for column in self.wanted.columns:
            if column in self.patients and self.patients[column].notna().any():
                return column
        raise MissingPicture(f"No patient has a value of {' or '.join(self.wanted.columns.values())}.")

    @cached_property
    def _candidates(self) -> list[str]:
        """Patients with a CT that is ok, in the order in which they come into question."""
        if self.scans is None:
            raise MissingPicture("The study was made from a patient table alone; there is no image.")
        measured = self.scans[
            (self.scans["session"] == self.session)
            & (self.scans["modality"] == "ct")
            & (self.scans["status"] == str(Status.OK))
        ]
        if self.patient != AUTO:
            if self.patient not in set(measured["patient_id"]):
                raise MissingPicture("The patient whom the configuration names has no measured CT.")
            return [self.patient]
        is_plain = measured["flags"].map(lambda flags: flags is None or len(flags) == 0).to_numpy(dtype=bool)
        ranked = self._by_distance(self.patients[self.patients["patient_id"].isin(measured["patient_id"])])
        plain = set(measured.loc[is_plain, "patient_id"])
        return [name for name in ranked if name in plain] + [name for name in ranked if name not in plain]

    def _by_distance(self, patients: pd.DataFrame) -> list[str]:
        """Ids in the order of their distance from the median; those without a value are left out."""
        known = patients[patients[self._column].notna()]
        values = known[self._column].to_numpy(dtype=float)
        names = [str(name) for name in known["patient_id"]]
        distance = np.abs(values - np.median(values)) if len(values) else values
        return [name for _, name in sorted(zip(distance.round(9), names, strict=True))]

    def _sessions(self, patient_id: str) -> list[str]:
        if self.scans is None:
            return []
        rows = self.scans[(self.scans["patient_id"] == patient_id) & (self.scans["modality"] == "ct")]
        return sorted(str(name) for name in rows.loc[rows["status"] == str(Status.OK), "session"])

    def _later_sessions(self, patient_id: str) -> list[str]:
        """Sessions other than the main one with a measured CT; what follows the operation directly comes first."""
        return sorted((name for name in self._sessions(patient_id) if name != self.session), reverse=True)

    def _place(self, patient_id: str, session: str) -> Scan:
        if self.output_dir is None:
            raise MissingPicture("The study was made from a patient table alone; there is no image.")
        return Scan(patient_id, session, "ct", self.output_dir, {})

    def _pictured(self, patient_id: str, session: str) -> PicturedScan:
        key = (patient_id, session)
        if key not in self._read:
            self._read[key] = read_pictured(self._place(patient_id, session))
        return self._read[key]


def sided(names: Sequence[str]) -> tuple[Place, ...]:
    """Left and right of each region."""
    return tuple((name, side) for name in names for side in ("left", "right"))


def unsided(names: Sequence[str]) -> tuple[Place, ...]:
    """Regions without a side."""
    return tuple((name, "none") for name in names)
