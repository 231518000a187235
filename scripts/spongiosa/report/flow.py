"""The flow of patients: each patient of the manifest exactly once, at the stage where the last hope of data left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from spongiosa.outcome import MEANING, Reason, Status

#: The stages in the order of the data; a patient with several unusable scans is counted at the furthest.
STAGES = (
    "index_series",
    "convert_scan",
    "localise_vertebrae",
    "mask_regions",
    "extract_density",
    "draw_review",
    "review",
)
STAGE_TITLES = {
    "index_series": "Choice of the series",
    "convert_scan": "Conversion to HU",
    "localise_vertebrae": "Localisation of vertebrae",
    "mask_regions": "Placement of regions",
    "extract_density": "Measurement",
    "draw_review": "Review picture",
    "review": "Review by a reader",
}
_SENTENCES = {reason.value: sentence for reason, sentence in MEANING.items()}


@dataclass(frozen=True)
class Departure:
    """Patients who left for one reason, with its sentence."""

    patients: int
    reason: str
    sentence: str


@dataclass(frozen=True)
class FlowStep:
    """A stage at which patients left; `failed` counts those stopped by an unexpected error."""

    stage: str
    title: str
    departures: tuple[Departure, ...]
    failed: int
    remaining: int

    @property
    def excluded(self) -> int:
        return sum(departure.patients for departure in self.departures)


@dataclass(frozen=True)
class PatientFlow:
    """From the manifest to the measured patients; in_manifest = measured + excluded + failed."""

    in_manifest: int
    scans: int
    steps: tuple[FlowStep, ...]
    measured: int
    excluded: int
    failed: int


def patient_outcomes(scans: pd.DataFrame) -> pd.DataFrame:
    """One row per patient: the scan that decides about them.

    A patient with one usable scan is measured; otherwise one with a failed scan has failed; otherwise the scan that
    went furthest tells why the patient left.
    """
    if scans.empty:
        return scans
    rank = scans["status"].map({str(Status.OK): 0, str(Status.FAILED): 1}).fillna(2)
    order = {stage: position for position, stage in enumerate(STAGES)}
    furthest = -scans["stage"].map(order).fillna(-1)
    ranked = scans.assign(_rank=rank, _furthest=furthest).sort_values(["patient_id", "_rank", "_furthest"])
    return ranked.drop_duplicates("patient_id").drop(columns=["_rank", "_furthest"]).reset_index(drop=True)


def patient_flow(scans: pd.DataFrame) -> PatientFlow:
    """The flow over the rows of cohort/scans.parquet."""
    outcomes = patient_outcomes(scans)
    remaining = len(outcomes)
    steps = []
    for stage in _stages_of(outcomes):
        left = outcomes[(outcomes["stage"] == stage) & (outcomes["status"] != Status.OK)]
        if left.empty:
            continue
        remaining -= len(left)
        is_failed = left["status"] == Status.FAILED
        reasons = left.loc[~is_failed, "reason"].fillna(Reason.NOT_MEASURED.value).value_counts()
        departures = tuple(
            Departure(int(count), str(reason), _SENTENCES.get(str(reason), str(reason)))
            for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], str(item[0])))
        )
        steps.append(FlowStep(stage, STAGE_TITLES.get(stage, stage), departures, int(is_failed.sum()), remaining))
    measured = int((outcomes["status"] == Status.OK).sum())
    failed = int((outcomes["status"] == Status.FAILED).sum())
    return PatientFlow(
        in_manifest=len(outcomes),
        scans=len(scans),
        steps=tuple(steps),
        measured=measured,
        excluded=len(outcomes) - measured - failed,
        failed=failed,
    )


def _stages_of(outcomes: pd.DataFrame) -> Sequence[str]:
    known = list(STAGES)
    return known + sorted(set(outcomes["stage"].dropna().astype(str)) - set(known))
