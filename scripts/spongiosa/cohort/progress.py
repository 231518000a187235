"""How far a run is, while it goes on and after it: `python -m spongiosa.cohort.progress RESULTS`.

Reads the tables of finished units and the marks of scans at work; asks neither Snakemake nor a scheduler, so it works
from any machine that sees the results.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from spongiosa.cohort.cost import cost_table, readable
from spongiosa.cohort.handover import COLUMNS_OF_STAGE
from spongiosa.cohort.units import read_units
from spongiosa.outcome import Status
from spongiosa.provenance import read_tables


@dataclass(frozen=True)
class StageProgress:
    """How far one stage is."""

    stage: str
    scans: dict[str, int]
    units_done: int
    seconds_per_scan: float | None
    memory_mb: float | None


@dataclass(frozen=True)
class Progress:
    """How far a run is; times as seconds since 1970."""

    units: int
    patients: int
    stages: list[StageProgress]
    patients_at_work: list[str]
    first_table: float | None
    last_table: float | None
    has_report: bool

    @property
    def share_done(self) -> float:
        """Finished unit tables of all unit tables; 1 when every stage of every unit is done."""
        return sum(stage.units_done for stage in self.stages) / max(1, self.units * len(self.stages))

    def expected_end(self, now: float) -> float | None:
        """When the last unit is done if the tables go on to come at the mean rate since the first one.

        None before two tables are there, and when all are.
        """
        if self.first_table is None or self.last_table is None or self.last_table <= self.first_table:
            return None
        tables = self.units * len(self.stages)
        done = round(self.share_done * tables)
        if done < 2 or done >= tables:
            return None
        rate = (done - 1) / (max(now, self.last_table) - self.first_table)
        return now + (tables - done) / rate


def read_progress(output_dir: Path) -> Progress:
    """How far the run in `output_dir` is.  Raises `FileNotFoundError` when no run was begun there."""
    unit_of = read_units(output_dir / "units.tsv")
    if not unit_of:
        raise FileNotFoundError(f"no run was begun in {output_dir}: it has no units.tsv")
    units = sorted(set(unit_of.values()))
    times: list[float] = []
    stages = []
    for stage in COLUMNS_OF_STAGE:
        tables = [path for unit in units if (path := output_dir / "units" / unit / f"{stage}.parquet").is_file()]
        times += [path.stat().st_mtime for path in tables]
        stages.append(_stage_progress(stage, tables))
    return Progress(
        units=len(units),
        patients=len(unit_of),
        stages=stages,
        patients_at_work=_at_work(output_dir, unit_of),
        first_table=min(times, default=None),
        last_table=max(times, default=None),
        has_report=(output_dir / "report" / "index.html").is_file(),
    )


def _stage_progress(stage: str, tables: list[Path]) -> StageProgress:
    """Counts how scans left this stage itself: what an earlier stage excluded is not counted again."""
    if not tables:
        return StageProgress(stage, {}, 0, None, None)
    rows = read_tables(tables)
    here = rows[(rows["status"] == Status.OK) | (rows["left_at"] == stage)]
    worked = here[here["seconds"] > 0]
    return StageProgress(
        stage,
        {str(status): int(count) for status, count in Counter(here["status"]).items()},
        len(tables),
        float(worked["seconds"].median()) if len(worked) else None,
        float(worked["peak_memory_mb"].max()) if len(worked) else None,
    )


def _at_work(output_dir: Path, unit_of: dict[str, str]) -> list[str]:
    """Patients with the mark of a scan that was begun and is not recorded yet, in units at work.

    Only those units are looked into: a cohort of 100,000 patients has as many folders.
    """
    units = {unit for unit in set(unit_of.values()) if _is_at_work(output_dir / "units" / unit)}
    return [
        f"{patient} ({mark.stem})"
        for patient, unit in unit_of.items()
        if unit in units
        for mark in sorted((output_dir / f"sub-{patient}").glob("ses-*/*/.spongiosa/*.started"))
    ]


def _is_at_work(unit_folder: Path) -> bool:
    """Whether a stage of the unit was begun, by its lock, and has not written its table."""
    return any(
        (unit_folder / f".{stage}.lock").is_file() and not (unit_folder / f"{stage}.parquet").is_file()
        for stage in COLUMNS_OF_STAGE
    )


def describe(progress: Progress, now: float) -> str:
    """The progress as text, one line per stage."""
    lines = [f"{progress.patients} patients in {progress.units} units; {progress.share_done:.0%} of the stages done"]
    lines.append(f"{'stage':20}{'units':>12}{'ok':>9}{'excluded':>10}{'failed':>8}{'s/scan':>9}{'MB':>7}")
    for stage in progress.stages:
        counts = "".join(
            f"{stage.scans.get(str(status), 0):>{width}}"
            for status, width in ((Status.OK, 9), (Status.EXCLUDED, 10), (Status.FAILED, 8))
        )
        seconds = "" if stage.seconds_per_scan is None else f"{stage.seconds_per_scan:.1f}"
        memory = "" if stage.memory_mb is None else f"{stage.memory_mb:.0f}"
        units = f"{stage.units_done}/{progress.units}"
        lines.append(f"{stage.stage:20}{units:>12}{counts}{seconds:>9}{memory:>7}")
    if progress.patients_at_work:
        shown = ", ".join(progress.patients_at_work[:8])
        more = len(progress.patients_at_work) - 8
        lines.append(f"at work: {shown}{f' and {more} more' if more > 0 else ''}")
    if progress.last_table is not None:
        lines.append(f"last finished: {_clock(progress.last_table)}")
    end = progress.expected_end(now)
    if end is not None:
        lines.append(f"expected end of the stages: {_clock(end)} (in {timedelta(seconds=round(end - now))})")
    if progress.has_report:
        lines.append("a report is there; it is of the last complete run")
    return "\n".join(lines)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def main(arguments: list[str]) -> int:
    """Print the progress and the cost; the exit status is 1 when no run was begun."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m spongiosa.cohort.progress RESULTS\n")
        return 2
    output_dir = Path(arguments[0])
    try:
        progress = read_progress(output_dir)
    except FileNotFoundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(describe(progress, time.time()) + "\n")
    table = cost_table(output_dir)
    if len(table):
        sys.stdout.write("\ncost of the finished jobs\n" + readable(table) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
