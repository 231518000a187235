"""What a run will do: the checked inputs, the units, and what each stage needs to know of their scans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from spongiosa.cohort.faults import Fault, InputFaults
from spongiosa.cohort.fingerprint import (
    AT_START_UP_TO_SCANS,
    fingerprint_of_path,
    fingerprint_of_scan,
    image_part,
    labels_part,
    read_fingerprints,
    write_fingerprints,
)
from spongiosa.cohort.handover import (
    COLUMNS_OF_STAGE,
    KnownScan,
    RecordedPlan,
    hash_of_scans,
    name_run,
    plan_path,
    scans_for_stage,
    write_plan,
)
from spongiosa.cohort.keys import ready_keys, record_fingerprints
from spongiosa.cohort.lock import Busy, take
from spongiosa.cohort.manifest import COLUMNS, ScanRow, read_cohort, read_pseudonym_key
from spongiosa.cohort.overrides import STAGE_OF_ACTION, Override, corrections_of_stage, read_overrides
from spongiosa.cohort.screw_axes import ScrewAxis, read_screw_axes
from spongiosa.cohort.units import append_units, read_units, with_new_patients
from spongiosa.cohort.withdrawn import refuse_withdrawn, withdrawn_path

if TYPE_CHECKING:
    import pandas as pd

    from spongiosa.config.root import Configuration


@dataclass(frozen=True)
class CohortPlan:
    """The cohort of one run."""

    configuration: Configuration
    rows: list[ScanRow]
    unit_of: dict[str, str]
    fingerprints: dict[tuple[str, str, str], str]
    overrides: list[Override]
    reference_days: dict[str, int]
    """Patient -> day of the DXA or surgery, counted by `PatientIdentity.day`, where the choice of series needs it."""
    screw_axes: list[ScrewAxis]

    @property
    def output_dir(self) -> Path:
        return Path(self.configuration.output_dir)

    @cached_property
    def _rows_of_unit(self) -> dict[str, list[ScanRow]]:
        """The scans of each unit that has any, units in order."""
        members: dict[str, list[ScanRow]] = defaultdict(list)
        for row in self.rows:
            members[self.unit_of[row.patient_id]].append(row)
        return {unit: members[unit] for unit in sorted(members)}

    @cached_property
    def _overrides_of_scan(self) -> dict[tuple[str, str, str], list[Override]]:
        overrides_of: dict[tuple[str, str, str], list[Override]] = defaultdict(list)
        for override in self.overrides:
            overrides_of[override.scan_id].append(override)
        return dict(overrides_of)

    @cached_property
    def _screws_of_scan(self) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
        screws_of: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
        for axis in self.screw_axes:
            screws_of[axis.scan_id].append(axis.for_stage())
        return dict(screws_of)

    @cached_property
    def _hashes(self) -> dict[str, dict[str, str]]:
        """Unit -> stage -> hash; what the stages know of 100,000 scans would fill the memory, so it is not kept."""
        return {
            unit: {stage: hash_of_scans(scans, stage) for stage in COLUMNS_OF_STAGE}
            for unit, scans in self.known_scans()
        }

    @property
    def units(self) -> list[str]:
        return list(self._rows_of_unit)

    def scan_count(self, unit: str) -> int:
        """How many scans a unit has."""
        return len(self._rows_of_unit[unit])

    def has_labels(self, unit: str) -> bool:
        """Whether any scan of a unit comes with a label map."""
        return any(row.labels for row in self._rows_of_unit[unit])

    def known_scans(self) -> Iterator[tuple[str, list[KnownScan]]]:
        """Unit by unit what its stages may know of its scans."""
        for unit, rows in self._rows_of_unit.items():
            yield unit, [self._known_scan(row) for row in rows]

    def scans_for_stage(self, unit: str, stage: str) -> list[dict[str, Any]]:
        """What a stage may know of the scans of a unit."""
        return scans_for_stage([self._known_scan(row) for row in self._rows_of_unit[unit]], stage)

    def hash_of_scans(self, unit: str, stage: str) -> str:
        """Hash over what a stage may know of the scans of a unit."""
        return self._hashes[unit][stage]

    def cohort_overrides(self) -> list[dict[str, str]]:
        """The corrections that act when the cohort is aggregated."""
        return [asdict(override) for override in self.overrides if override.action not in STAGE_OF_ACTION]

    def _known_scan(self, row: ScanRow) -> KnownScan:
        overrides = self._overrides_of_scan.get(row.scan_id, [])
        fingerprint = self.fingerprints.get(row.scan_id, "")
        stages = {STAGE_OF_ACTION[override.action] for override in overrides if override.action in STAGE_OF_ACTION}
        return {column: getattr(row, column) for column in COLUMNS} | {
            "image_fingerprint": image_part(fingerprint),
            "labels_fingerprint": labels_part(fingerprint),
            "corrections": {stage: corrections_of_stage(overrides, stage) for stage in sorted(stages)},
            "reference_day": self.reference_days.get(row.patient_id),
            "screw_axes": self._screws_of_scan.get(row.scan_id, []),
        }


def units_path(output_dir: Path) -> Path:
    """Where it is kept which patient belongs to which unit."""
    return output_dir / "units.tsv"


def fingerprints_path(output_dir: Path) -> Path:
    """Where the sizes and times of the inputs are kept between two looks at them."""
    return output_dir / "units" / "fingerprints.tsv"


def plan_cohort(configuration: Configuration) -> CohortPlan:
    """Check all inputs and plan the run; nothing is written.

    Raises `InputFaults` that list the faults of the manifest, and then those of every other table together.
    """
    output_dir = Path(configuration.output_dir)
    if withdrawn_path(output_dir).is_file():
        refuse_withdrawn(configuration, ready_keys(configuration.cohort, output_dir))
    rows = read_cohort(configuration.cohort, configuration.calibration.phantoms_in_use)
    patients = {row.patient_id for row in rows}
    unit_of = with_new_patients(read_units(units_path(output_dir)), patients, configuration.cohort.patients_per_job)
    return CohortPlan(
        configuration=configuration,
        rows=rows,
        unit_of=unit_of,
        fingerprints=_fingerprints(configuration, rows),
        overrides=_overrides(configuration, rows),
        reference_days=_reference_days(configuration),
        screw_axes=_screw_axes(configuration, rows),
    )


def begin_run(plan: CohortPlan) -> IO[str] | None:
    """Keep the assignment of new patients and the fingerprints, hand the plan to the jobs, and name the run.

    For the main process only.  The returned lock must be kept until the run ends: it keeps a second run out of these
    results.  Raises `InputFaults` when another run is at work in them.
    """
    try:
        lock = take(plan.output_dir / "units" / ".run.lock")
    except Busy:
        sentence = f"another run is at work in {plan.output_dir}; wait for its end, or choose another output_dir."
        raise InputFaults([Fault("output_dir", None, None, sentence)]) from None
    recorded = read_units(units_path(plan.output_dir))
    if any(plan.unit_of.get(patient, unit) != unit for patient, unit in recorded.items()):
        sentence = "another run assigned patients to units while this one began; start again."
        raise InputFaults([Fault("units.tsv", None, None, sentence)])
    append_units(units_path(plan.output_dir), plan.unit_of)
    write_fingerprints(fingerprints_path(plan.output_dir), plan.fingerprints)
    write_plan(plan_path(plan.output_dir), plan.known_scans(), plan.cohort_overrides())
    record_fingerprints(plan.output_dir, ready_keys(plan.configuration.cohort, plan.output_dir))
    name_run(plan.output_dir)
    return lock


def recorded_plan(configuration: Configuration) -> RecordedPlan:
    """The plan as the main process recorded it, for its jobs: inputs are neither checked nor looked at again."""
    return RecordedPlan(plan_path(Path(configuration.output_dir)))


def refreshed_fingerprints(plan: CohortPlan) -> tuple[dict[tuple[str, str, str], str], int]:
    """Fingerprints looked at anew, and how many differ from the plan's."""
    fingerprints = {row.scan_id: fingerprint_of_scan(row) for row in plan.rows}
    changed = sum(plan.fingerprints.get(scan) != value for scan, value in fingerprints.items())
    return fingerprints, changed


def clinical_table(configuration: Configuration, patients: set[str]) -> pd.DataFrame | None:
    """The checked clinical table, or None when none is configured.  Raises `InputFaults`."""
    from spongiosa.cohort.clinical import read_clinical

    if configuration.clinical.table is None:
        return None
    key_file = configuration.cohort.pseudonymise
    key = read_pseudonym_key(Path(key_file)) if key_file else None
    return read_clinical(configuration.clinical, patients, key)


def table_fingerprint(path: str | None) -> str:
    """Hash of a user table's content, so that a touched but equal table re-runs nothing."""
    from spongiosa.provenance import file_digest

    return file_digest(Path(path)) if path and Path(path).is_file() else fingerprint_of_path(path)


def _fingerprints(configuration: Configuration, rows: list[ScanRow]) -> dict[tuple[str, str, str], str]:
    when = configuration.cohort.fingerprint
    if when == "start" or (when == "auto" and len(rows) <= AT_START_UP_TO_SCANS):
        return {row.scan_id: fingerprint_of_scan(row) for row in rows}
    recorded = read_fingerprints(fingerprints_path(Path(configuration.output_dir)))
    return {row.scan_id: recorded.get(row.scan_id) or fingerprint_of_scan(row) for row in rows}


def _reference_days(configuration: Configuration) -> dict[str, int]:
    """Patient -> day to which the preference `nearest_date` compares; empty where it has nothing to compare to."""
    from spongiosa.cohort.clinical import read_clinical_dates
    from spongiosa.cohort.header_facts import days_of

    if configuration.clinical.table is None or "nearest_date" not in configuration.series.preferences:
        return {}
    keys = ready_keys(configuration.cohort, Path(configuration.output_dir))
    dates = read_clinical_dates(configuration.clinical, configuration.series.nearest_to, keys.pseudonym_key)
    return days_of(dates, keys.secret)


def _overrides(configuration: Configuration, rows: list[ScanRow]) -> list[Override]:
    path = configuration.review.overrides
    return read_overrides(Path(path), {row.scan_id for row in rows}) if path else []


def _screw_axes(configuration: Configuration, rows: list[ScanRow]) -> list[ScrewAxis]:
    path = configuration.cohort.screw_axes
    if path is None:
        return []
    key = ready_keys(configuration.cohort, Path(configuration.output_dir)).pseudonym_key
    return read_screw_axes(Path(path), {row.scan_id for row in rows}, key)
