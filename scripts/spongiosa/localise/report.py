"""A page about the localisation of scans: `python -m spongiosa.localise.report SCANS PAGE_FOLDER`.

SCANS is a folder or a table (`report_scans.scans_of`).  The page shows one picture per scan, its gates and timings and,
where truth exists, a table of levels with Dice and distances; what is worst comes first.
"""

from __future__ import annotations

import argparse
import html
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spongiosa.anatomy.levels import level_name
from spongiosa.localise.embedded import localise_embedded
from spongiosa.localise.imported import import_labels
from spongiosa.localise.overlay import draw_overlay
from spongiosa.localise.report_scans import ReportScan, read_scan, scans_of
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded
from spongiosa.provenance import written_whole
from spongiosa.volume import Volume

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 62em; color: #222; }
table { border-collapse: collapse; margin: 0.5em 0 1em; font-size: 13px; }
th, td { border-bottom: 1px solid #ccc; padding: 0.15em 0.7em 0.15em 0; text-align: left; vertical-align: top; }
h2 { border-top: 2px solid #222; padding-top: 0.5em; margin-top: 2em; } img { max-width: 100%; }
summary { cursor: pointer; } .wrong { color: #b00020; font-weight: bold; }
"""


@dataclass(frozen=True)
class LevelRow:
    """One found vertebra: its level, the true level of the bone under it (none: no body; empty: no truth), and errors.

    Dice of body and whole vertebra, distance of the bodies' centres in mm; None where there is no truth.
    """

    level: str
    true_level: str
    dice_body: float | None
    dice_vertebra: float | None
    centres_mm: float | None
    confidence: float
    flags: tuple[str, ...]

    @property
    def is_wrong(self) -> bool:
        """Whether the truth names another level (an unnumbered vertebra is not wrong)."""
        return self.true_level not in ("", self.level) and not self.level.startswith("V")


@dataclass(frozen=True)
class ScanResult:
    """What became of one scan: a spine or the reason of a refusal, processor seconds, and a row per vertebra."""

    name: str
    spine: LocalisedSpine | None
    refusal: str
    seconds: float
    rows: tuple[LevelRow, ...]

    @property
    def least_dice(self) -> float | None:
        """Least Dice of a body that is in view as a whole and has a truth, without the sacrum's, which has no end."""
        whole = [row for row in self.rows if "truncated" not in row.flags and row.level != "S1"]
        return min((row.dice_body for row in whole if row.dice_body is not None), default=None)

    @property
    def badness(self) -> tuple[int, float]:
        """Orders results: wrong levels, then the least Dice or the confidence, refusals last."""
        if self.spine is None:
            return (1, 1.0)
        wrong = any(row.is_wrong for row in self.rows)
        dice = self.least_dice
        return (-1 if wrong else 0, self.spine.description.confidence if dice is None else dice)


def examine(scan: ReportScan, page_folder: Path) -> ScanResult:
    """Localise one scan, compare it with its truth where there is one, and draw its picture."""
    start = time.process_time()
    try:
        volume = read_scan(scan.path)
    except Excluded as refusal:
        return ScanResult(scan.name, None, f"{refusal.reason}: {refusal.detail}", time.process_time() - start, ())
    truth = None
    if scan.vertebrae is not None:
        truth = import_labels(volume, scan.vertebrae, scan.bodies, scan.scheme)
    start = time.process_time()
    spine, refused = None, ""
    try:
        spine = localise_embedded(volume)
    except Excluded as refusal:
        refused = f"{refusal.reason}: {refusal.detail}"
    seconds = time.process_time() - start
    draw_overlay(volume, spine, page_folder / f"{scan.name}.png", None if truth is None else truth.bodies)
    rows = () if spine is None else compare(spine, truth)
    return ScanResult(scan.name, spine, refused, seconds, rows)


def compare(spine: LocalisedSpine, truth: LocalisedSpine | None) -> tuple[LevelRow, ...]:
    """A row per found vertebra; the true one is that whose body it covers most."""
    rows = []
    for vertebra in spine.description.vertebrae:
        row = LevelRow(vertebra.level, "", None, None, None, vertebra.confidence, vertebra.flags)
        mask = spine.bodies.voxels == vertebra.label
        if truth is not None and mask.any():
            row = _compared(row, vertebra.label, mask, spine, truth)
        rows.append(row)
    return tuple(rows)


def _compared(
    row: LevelRow, label: int, mask: NDArray[np.bool_], spine: LocalisedSpine, truth: LocalisedSpine
) -> LevelRow:
    true = int(np.bincount(truth.bodies.voxels[mask], minlength=256)[1:].argmax()) + 1
    true_body = truth.bodies.voxels == true
    if not (mask & true_body).any():
        return LevelRow(row.level, "none", None, None, None, row.confidence, row.flags)
    return LevelRow(
        row.level,
        level_name(true),
        _dice(mask, true_body),
        _dice(spine.vertebrae.voxels == label, truth.vertebrae.voxels == true),
        float(np.linalg.norm(_centre_mm(spine.bodies, mask) - _centre_mm(truth.bodies, true_body))),
        row.confidence,
        row.flags,
    )


def _dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return 2.0 * float((first & second).sum()) / max(float(first.sum() + second.sum()), 1.0)


def _centre_mm(volume: Volume, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    centre: NDArray[np.float64] = volume.geometry.points_mm(np.argwhere(mask)).mean(axis=0)
    return centre


def page(results: Iterable[ScanResult]) -> str:
    """The page as HTML, the pictures beside it; a summary first, then the scans, worst first."""
    ordered = sorted(results, key=lambda result: result.badness)
    parts = [
        f"<!doctype html><meta charset='utf-8'><title>Localisation</title><style>{_STYLE}</style>",
        f"<h1>Localisation of {len(ordered)} scans</h1>",
        "<p>Worst first. Outlines: found bodies in colour, true ones in dashed white.</p>",
        _table(("scan", "outcome", "confidence", "least Dice", "flags", "CPU s"), map(_summary, ordered)),
    ]
    for result in ordered:
        parts.append(f"<h2 id='{html.escape(result.name)}'>{html.escape(result.name)}</h2>")
        if result.refusal:
            parts.append(f"<p>Refused: {html.escape(result.refusal)}</p>")
        if result.spine is not None:
            parts.append(_table(_LEVEL_HEAD, map(_level_cells, result.rows)))
        if (result.spine is not None) or result.seconds > 0:
            parts.append(f"<img src='{html.escape(result.name)}.png' alt='' onerror='this.remove()'>")
        if result.spine is not None:
            gates = [(html.escape(name), html.escape(str(value))) for name, value in _gates(result.spine)]
            parts.append(f"<details><summary>Gates</summary>{_table(('gate', 'value'), gates)}</details>")
    return "\n".join(parts)


_LEVEL_HEAD = ("level", "true level", "Dice of body", "Dice of vertebra", "centres, mm", "confidence", "flags")


def _gates(spine: LocalisedSpine) -> list[tuple[str, object]]:
    return sorted(spine.description.gates.items())


def _summary(result: ScanResult) -> Sequence[str]:
    link = f"<a href='#{html.escape(result.name)}'>{html.escape(result.name)}</a>"
    seconds = f"{result.seconds:.1f}"
    if result.spine is None:
        return (link, f"refused: {html.escape(result.refusal.split(':')[0])}", "", "", "", seconds)
    description = result.spine.description
    found = f"{result.rows[0].level} to {result.rows[-1].level}" if result.rows else "nothing"
    if any(row.is_wrong for row in result.rows):
        found = f"<span class='wrong'>{found}: wrong</span>"
    dice = _number(result.least_dice, 3)
    return (link, found, f"{description.confidence:.2f}", dice, html.escape(", ".join(description.flags)), seconds)


def _level_cells(row: LevelRow) -> Sequence[str]:
    level = f"<span class='wrong'>{row.level}</span>" if row.is_wrong else row.level
    errors = (_number(row.dice_body, 3), _number(row.dice_vertebra, 3), _number(row.centres_mm, 1))
    return (level, row.true_level, *errors, f"{row.confidence:.2f}", html.escape(", ".join(row.flags)))


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table>"


def main(arguments: list[str] | None = None) -> None:
    """Examine every scan and write the page."""
    parser = argparse.ArgumentParser(description="Localise scans and write a page about it.")
    parser.add_argument("scans", type=Path)
    parser.add_argument("page_folder", type=Path)
    given = parser.parse_args(arguments)
    given.page_folder.mkdir(parents=True, exist_ok=True)
    results = []
    for scan in scans_of(given.scans):
        results.append(examine(scan, given.page_folder))
        print(f"{scan.name}: {results[-1].refusal or 'found'}", flush=True)
    with written_whole(given.page_folder / "index.html") as part:
        part.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
