"""A stage over a unit: every scan stands alone, what is current is kept, and every outcome is recorded."""

from __future__ import annotations

import re
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from spongiosa.cohort.handover import run_name, scans_of_job
from spongiosa.cohort.keeping import BEFORE_THE_SCAN, restorer
from spongiosa.cohort.lock import held
from spongiosa.cohort.logs import logger, open_log, without_paths
from spongiosa.cohort.machine import MachineFault, machine_fault
from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.cohort.store import Record, Store
from spongiosa.outcome import MEANING, Excluded, Reason, Status
from spongiosa.provenance import digest, read_tables, write_table

StageFunction = Callable[[Scan, Any, Outputs], None]

#: Columns of a manifest row that say where files lie; a moved but unchanged file is seen by its fingerprint alone.
PLACES = frozenset({"path", "labels", "body_labels"})


#: Snakemake runs a copy of a stage script under a name that begins like this.
COPIED_SCRIPT = re.compile(r"^tmp\w+\.")


class Stopped(BaseException):
    """The process was asked to stop (SIGTERM, SIGINT); not an `Exception`, so that no stage swallows it."""


@dataclass(frozen=True)
class StageRun:
    """What a stage needs to know of its unit."""

    stage: str
    unit: str
    output_dir: Path
    rows: list[dict[str, Any]]
    settings: Any
    settings_key: str
    previous_table: Path | None
    run: str = ""
    """Name of the run of the workflow; deaths of the process are counted by it."""
    prepare: Callable[[Scan], None] | None = None
    """Called before a scan is computed: puts back a scan that was not kept (`convert.keep`)."""


def run_stage(compute: StageFunction, snakemake: Any, settings: Any, tables: dict[str, str] | None = None) -> None:
    """Run `compute(scan, settings, outputs)` over the scans of a Snakemake job.

    `tables` maps names of further outputs of the rule to the description under which `compute` wrote rows (such as
    `desc-measurements`): the rows of all scans are joined into that table of the unit.
    """
    stage = snakemake.rule
    unit_folder = Path(snakemake.output.scans).parent  # <output_dir>/units/<unit>/<stage>.parquet

    def say_that_it_waits() -> None:
        logger.warning(
            "%s, unit %s: waiting for a process of an earlier run that is still at it", stage, unit_folder.name
        )

    # A killed run can leave a job behind that still works: what it finishes is kept, and never two write one file.
    with held(unit_folder / f".{stage}.lock", say_that_it_waits):
        open_log(Path(snakemake.log[0]) if snakemake.log else None)
        try:
            _run_stage_alone(compute, snakemake, settings, tables or {})
        except OSError as error:
            fault = machine_fault(error, unit_folder)
            if fault is None:
                raise
            logger.error("%s, unit %s: %s", stage, unit_folder.name, fault)
            raise fault from error


def _run_stage_alone(compute: StageFunction, snakemake: Any, settings: Any, tables: dict[str, str]) -> None:
    _limit_threads(snakemake.threads)
    params = snakemake.params
    output_dir = Path(snakemake.output.scans).parents[2]
    stage, unit = snakemake.rule, snakemake.wildcards.unit
    run = StageRun(
        stage=stage,
        unit=unit,
        output_dir=output_dir,
        rows=scans_of_job(output_dir, unit, stage, params.scans),
        settings=settings,
        settings_key=digest(params.settings, params.code),
        previous_table=Path(snakemake.input.scans) if "scans" in snakemake.input.keys() else None,  # noqa: SIM118
        run=run_name(output_dir),
        prepare=None if stage in BEFORE_THE_SCAN else restorer(snakemake.config, output_dir, unit, snakemake.threads),
    )
    records = run_unit(compute, run)
    for output, description in tables.items():
        write_unit_rows(Path(snakemake.output[output]), records, description)
    write_unit_table(Path(snakemake.output.scans), run, records)


def run_unit(compute: StageFunction, run: StageRun) -> list[tuple[Scan, Record]]:
    """The outcome of every scan of the unit, in the order of its rows."""
    previous = _previous_records(run.previous_table)
    outcomes = []
    computed = 0
    for number, row in enumerate(run.rows, start=1):
        scan = Scan(row["patient_id"], row["session"], row["modality"], run.output_dir, row)
        earlier = previous.get((scan.patient_id, scan.session, scan.modality))
        started = time.monotonic()
        record, was_computed = _outcome_of_scan(compute, run, scan, earlier)
        computed += was_computed
        doing = f"{record.status} in {time.monotonic() - started:.1f} s" if was_computed else f"{record.status}, kept"
        logger.info("%s, patient %d/%d: %s: %s", run.stage, number, len(run.rows), scan.name, doing)
        if record.status is not Status.OK and record.left_at == run.stage:
            logger.info("  %s: %s", record.reason, record.detail)
        outcomes.append((scan, record))
    logger.info("%s, unit %s: %d of %d scans computed", run.stage, run.unit, computed, len(run.rows))
    return outcomes


def _outcome_of_scan(
    compute: StageFunction, run: StageRun, scan: Scan, earlier: dict[str, Any] | None
) -> tuple[Record, bool]:
    """The record of one scan and whether it had to be computed."""
    store = Store(scan, run.stage)
    inputs = {name: value for name, value in scan.row.items() if name not in PLACES}
    key = digest(run.stage, earlier["key"] if earlier else None, inputs, run.settings_key)
    if earlier is not None and earlier["status"] != Status.OK:
        record = Record(
            run.stage, key, Status(earlier["status"]), *(earlier[n] for n in ("reason", "detail", "left_at"))
        )
        store.write(record)
        return record, False
    current = store.current(key)
    if current is not None:
        return current, False
    if store.is_fatal(key, run.run):
        deaths = sum(store.deaths(key).values())
        detail = f"The process died {deaths} times while it worked on this scan; see the log of the unit."
        record = Record(run.stage, key, Status.FAILED, Reason.PROCESS_DIED, detail, run.stage)
        store.write(record)
        return record, True
    store.mark_started(key, run.run)
    try:
        with _stop_signals_raise():
            record = _computed(compute, run, scan, key)
        store.write(record)
    except (Stopped, MachineFault, OSError):  # an OSError that comes here is one of writing the record
        store.withdraw_mark(key, run.run)
        raise
    return record, True


def _computed(compute: StageFunction, run: StageRun, scan: Scan, key: str) -> Record:
    """Compute one scan; an exclusion is a result, any other exception marks the scan as failed.

    Not so a full disk, which is nothing of the scan's (`MachineFault`), nor a lack of memory, which is a death of the
    process: the job ends, and its next attempt is given more.
    """
    outputs = Outputs(scan)
    started = time.monotonic()
    status, reason, detail, left_at = Status.OK, None, None, None
    try:
        if run.prepare is not None:
            run.prepare(scan)
        compute(scan, run.settings, outputs)
    except Excluded as exclusion:
        status, reason, left_at = Status.EXCLUDED, str(exclusion.reason), run.stage
        detail = without_paths(exclusion.detail, _places(scan))
    except MemoryError:
        raise
    except Exception as error:  # a bug in one scan must not cost the others
        fault = machine_fault(error, run.output_dir)
        if fault is not None:
            logger.error("%s: given up, not failed. %s", scan.name, fault)
            raise fault from error
        status, reason, left_at = Status.FAILED, str(Reason.UNEXPECTED_ERROR), run.stage
        origin = traceback.extract_tb(error.__traceback__)[-1]
        module = COPIED_SCRIPT.sub("", Path(origin.filename).name)
        detail = (
            f"{MEANING[Reason.UNEXPECTED_ERROR]} {type(error).__name__} in {module}, "
            f"line {origin.lineno}, during {run.stage}; the log of unit {run.unit} has the traceback."
        )
        logger.error("%s: failed\n%s", scan.name, without_paths(traceback.format_exc(), _places(scan)))
    return Record(
        stage=run.stage,
        key=key,
        status=status,
        reason=reason,
        detail=detail,
        left_at=left_at,
        flags=sorted(outputs.flags),
        outputs=outputs.written,
        seconds=round(time.monotonic() - started, 3),
        peak_memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


def _places(scan: Scan) -> list[str]:
    return [str(scan.row[column]) for column in PLACES if scan.row.get(column)]


class _stop_signals_raise:
    """Within the block SIGTERM and SIGINT raise `Stopped`, so that an orderly stop is told from a crash."""

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._raise) for number in (signal.SIGTERM, signal.SIGINT)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @staticmethod
    def _raise(number: int, _frame: FrameType | None) -> None:
        raise Stopped(signal.Signals(number).name)


def _previous_records(table: Path | None) -> dict[tuple[str, str, str], dict[str, Any]]:
    if table is None:
        return {}
    rows = read_tables([table]).astype(object)
    rows = rows.where(rows.notna(), None)
    records = [{str(column): value for column, value in row.items()} for row in rows.to_dict("records")]
    return {(row["patient_id"], row["session"], row["modality"]): row for row in records}


def write_unit_table(path: Path, run: StageRun, outcomes: list[tuple[Scan, Record]]) -> None:
    """The unit's table of this stage: one row per scan."""
    import pandas as pd

    rows = [
        {
            "patient_id": scan.patient_id,
            "session": scan.session,
            "modality": scan.modality,
            "unit": run.unit,
            "stage": run.stage,
            "status": str(record.status),
            "reason": record.reason,
            "detail": record.detail,
            "left_at": record.left_at,
            "flags": record.flags,
            "key": record.key,
            "outputs": list(record.outputs),
            "hashes": [facts["sha256"] for facts in record.outputs.values()],
            "seconds": record.seconds,
            "peak_memory_mb": record.peak_memory_mb,
        }
        for scan, record in outcomes
    ]
    table = pd.DataFrame(rows)
    text_columns = ["status", "reason", "detail", "left_at"]
    write_table(path, table.astype(dict.fromkeys(text_columns, "string")))


def write_unit_rows(path: Path, outcomes: Iterable[tuple[Scan, Record]], description: str) -> None:
    """Join the rows that the stage wrote per scan under `description` into one table of the unit."""
    parts = [
        scan.output_dir / relative
        for scan, record in outcomes
        for relative in record.outputs
        if relative.endswith(f"_{description}.parquet")
    ]
    write_table(path, read_tables(parts))


def _limit_threads(threads: int) -> None:
    """Keep ITK within the cores of the job (BLAS and OpenMP are limited by the environment that the profile sets)."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
