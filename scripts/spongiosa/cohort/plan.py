"""What a run will do: the checked inputs, the units, and what each stage needs to know of their scans."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spongiosa.cohort.fingerprint import (
    AT_START_UP_TO_SCANS,
    fingerprint_of_path,
    fingerprint_of_scan,
    image_part,
    labels_part,
    read_fingerprints,
    write_fingerprints,
)
from spongiosa.cohort.manifest import ScanRow, read_cohort, read_pseudonym_key
from spongiosa.cohort.overrides import STAGE_OF_ACTION, Override, corrections_of_stage, read_overrides
from spongiosa.cohort.units import append_units, read_units, with_new_patients

if TYPE_CHECKING:
    import pandas as pd

    from spongiosa.config.root import Configuration

#: Columns of a scan's row that a stage reads beside its identity; what is not listed here cannot make it run again.
COLUMNS_OF_STAGE: dict[str, tuple[str, ...]] = {
    "index_series": ("path", "image_fingerprint", "corrections"),
    "convert_scan": ("path",),
    "localise_vertebrae": ("labels", "body_labels", "label_scheme", "labels_fingerprint", "corrections"),
    "mask_regions": (),
    "extract_density": ("phantom",),
    "draw_review": (),
}


@dataclass(frozen=True)
class CohortPlan:
    """The cohort of one run."""

    configuration: Configuration
    rows: list[ScanRow]
    unit_of: dict[str, str]
    fingerprints: dict[tuple[str, str, str], str]
    overrides: list[Override]

    @property
    def output_dir(self) -> Path:
        return Path(self.configuration.output_dir)

    @property
    def rows_of_unit(self) -> dict[str, list[ScanRow]]:
        """The scans of each unit that has any, units in order."""
        members: dict[str, list[ScanRow]] = defaultdict(list)
        for row in self.rows:
            members[self.unit_of[row.patient_id]].append(row)
        return {unit: members[unit] for unit in sorted(members)}

    def cohort_overrides(self) -> list[dict[str, str]]:
        """The corrections that act when the cohort is aggregated."""
        return [asdict(override) for override in self.overrides if override.action not in STAGE_OF_ACTION]

    def scans_for_stage(self, rows: list[ScanRow], stage: str) -> list[dict[str, Any]]:
        """What a stage may know of these scans: their identity and the columns of `COLUMNS_OF_STAGE`."""
        overrides_of: dict[tuple[str, str, str], list[Override]] = defaultdict(list)
        for override in self.overrides:
            overrides_of[override.scan_id].append(override)
        return [self._scan_for_stage(row, stage, overrides_of[row.scan_id]) for row in rows]

    def _scan_for_stage(self, row: ScanRow, stage: str, overrides: list[Override]) -> dict[str, Any]:
        fingerprint = self.fingerprints.get(row.scan_id, "")
        known = asdict(row) | {
            "image_fingerprint": image_part(fingerprint),
            "labels_fingerprint": labels_part(fingerprint),
            "corrections": corrections_of_stage(overrides, stage),
        }
        columns = ("patient_id", "session", "modality", *COLUMNS_OF_STAGE[stage])
        return {column: known[column] for column in columns}


def units_path(output_dir: Path) -> Path:
    return output_dir / "units.tsv"


def fingerprints_path(output_dir: Path) -> Path:
    return output_dir / "units" / "fingerprints.tsv"


def plan_cohort(configuration: Configuration) -> CohortPlan:
    """Check all inputs and plan the run; nothing is written.

    Raises `InputFaults` that list the faults of the manifest, and then those of every other table together.
    """
    rows = read_cohort(configuration.cohort)
    output_dir = Path(configuration.output_dir)
    patients = {row.patient_id for row in rows}
    unit_of = with_new_patients(read_units(units_path(output_dir)), patients, configuration.cohort.patients_per_job)
    return CohortPlan(
        configuration=configuration,
        rows=rows,
        unit_of=unit_of,
        fingerprints=_fingerprints(configuration, rows),
        overrides=_overrides(configuration, rows),
    )


def record_plan(plan: CohortPlan) -> None:
    """Keep the assignment of new patients and the fingerprints; for the main process only."""
    append_units(units_path(plan.output_dir), plan.unit_of)
    write_fingerprints(fingerprints_path(plan.output_dir), plan.fingerprints)


def recorded_plan(configuration: Configuration) -> CohortPlan:
    """The plan as the main process recorded it, for its jobs: inputs are neither checked nor looked at again."""
    output_dir = Path(configuration.output_dir)
    rows = read_cohort(configuration.cohort)
    return CohortPlan(
        configuration=configuration,
        rows=rows,
        unit_of=read_units(units_path(output_dir)),
        fingerprints=read_fingerprints(fingerprints_path(output_dir)),
        overrides=_overrides(configuration, rows),
    )


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


def _overrides(configuration: Configuration, rows: list[ScanRow]) -> list[Override]:
    path = configuration.review.overrides
    return read_overrides(Path(path), {row.scan_id for row in rows}) if path else []
