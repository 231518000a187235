"""A page about the localisation of a folder of scans: `python -m spongiosa.localise.report SCANS PAGE_FOLDER`.

A scan is a volume file; beside `NAME.nii.gz` may lie `NAME_vertebrae.nii.gz` and `NAME_bodies.nii.gz`, its truth in
VerSe's integers.  The page shows one picture per scan, its gates and timings and, where truth exists, a table of levels
with Dice and distances.
"""

from __future__ import annotations

import argparse
import html
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spongiosa.anatomy.levels import level_name
from spongiosa.localise.embedded import localise_embedded
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded
from spongiosa.provenance import written_whole
from spongiosa.volume import Volume, oriented_lps, read_volume

_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
_TRUTHS = ("_vertebrae", "_bodies")


@dataclass(frozen=True)
class ScanResult:
    """What became of one scan: a spine or a refusal, seconds, and rows (level, true level, Dice, Dice whole, mm)."""

    name: str
    spine: LocalisedSpine | None
    refusal: str
    seconds: float
    rows: tuple[tuple[str, ...], ...]


def scan_files(folder: Path) -> list[tuple[str, Path]]:
    """Names and paths of the scans of a folder, without the truths beside them."""
    found = []
    for path in sorted(folder.iterdir()):
        suffix = next((end for end in _SUFFIXES if path.name.endswith(end)), None)
        if suffix and not path.name.removesuffix(suffix).endswith(_TRUTHS):
            found.append((path.name.removesuffix(suffix), path))
    return found


def examine(name: str, path: Path) -> ScanResult:
    """Localise one scan and compare it with its truth, where there is one."""
    scan = read_volume(path)
    start = time.process_time()
    try:
        spine = localise_embedded(scan)
    except Excluded as refusal:
        return ScanResult(name, None, str(refusal), time.process_time() - start, ())
    seconds = time.process_time() - start
    suffix = path.name.removeprefix(name)
    truths = [path.with_name(f"{name}{end}{suffix}") for end in ("_bodies", "_vertebrae")]
    rows = compare(spine, *(read_volume(truth) if truth.exists() else None for truth in truths))
    return ScanResult(name, spine, "", seconds, rows)


def compare(spine: LocalisedSpine, bodies: Volume | None, vertebrae: Volume | None) -> tuple[tuple[str, ...], ...]:
    """Per vertebra: level, true level, Dice of body and whole, distance of the centres, confidence, flags."""
    rows = []
    for vertebra in spine.description.vertebrae:
        mask = spine.bodies.voxels == vertebra.label
        true_level, body, whole, distance = "", "", "", ""
        if bodies is not None and mask.any():
            true = int(np.bincount(bodies.voxels[mask].astype(int)).argmax())
            true_level = level_name(true) if true else "none"
            truth = bodies.voxels == true
            if true:
                body = f"{_dice(mask, truth):.3f}"
                centres = [spine.bodies.geometry.points_mm(np.argwhere(part)).mean(axis=0) for part in (mask, truth)]
                distance = f"{np.linalg.norm(centres[0] - centres[1]):.1f}"
            if true and vertebrae is not None:
                whole = f"{_dice(spine.vertebrae.voxels == vertebra.label, vertebrae.voxels == true):.3f}"
        flags = ", ".join(vertebra.flags)
        rows.append((vertebra.level, true_level, body, whole, distance, f"{vertebra.confidence:.2f}", flags))
    return tuple(rows)


def _dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return 2.0 * float((first & second).sum()) / max(float(first.sum() + second.sum()), 1.0)


def draw_overlay(scan: Volume, spine: LocalisedSpine | None, path: Path) -> None:
    """Sagittal and coronal views through the bodies (curved along their centres) with outlines and names, as PNG."""
    from matplotlib.figure import Figure

    image = oriented_lps(scan)
    labels = None if spine is None else oriented_lps(spine.bodies).voxels
    depth, rows, columns = image.voxels.shape
    x_mm, y_mm, z_mm = image.geometry.spacing_mm
    row, column = np.full(depth, rows // 2), np.full(depth, columns // 2)
    present = [] if labels is None else [int(value) for value in np.unique(labels) if value]
    if labels is not None and present:
        centres = np.array(sorted(tuple(np.argwhere(labels == value).mean(axis=0)) for value in present))
        row = np.interp(np.arange(depth), centres[:, 0], centres[:, 1]).round().astype(int)
        column = np.interp(np.arange(depth), centres[:, 0], centres[:, 2]).round().astype(int)
    slices = np.arange(depth)
    figure = Figure(figsize=(11, 6), layout="tight")
    for axes, is_sagittal, step in zip(figure.subplots(1, 2), (True, False), (y_mm, x_mm), strict=True):

        def curved(voxels: NDArray[Any], is_sagittal: bool = is_sagittal) -> NDArray[Any]:
            part: NDArray[Any] = voxels[slices, :, column] if is_sagittal else voxels[slices, row, :]
            return part

        picture = curved(image.voxels)
        axes.imshow(picture, cmap="gray", vmin=-150, vmax=500, origin="lower", aspect=z_mm / step)
        for number, value in enumerate(present if labels is not None else ()):
            mask = curved(labels) == value if labels is not None else np.zeros_like(picture, dtype=bool)
            if mask.any() and not mask.all():
                axes.contour(mask, [0.5], colors=[f"C{number % 10}"], linewidths=1)
                middle = np.argwhere(mask).mean(axis=0)
                axes.text(middle[1], middle[0], level_name(value), color="yellow", ha="center", va="center", fontsize=8)
        axes.set_axis_off()
    with written_whole(path) as part:
        figure.savefig(part, dpi=80)


def page(results: list[ScanResult]) -> str:
    """The page as HTML, the pictures beside it."""
    head = ("level", "true level", "Dice body", "Dice vertebra", "centre, mm", "confidence", "flags")
    parts = ["<!doctype html><meta charset='utf-8'><title>Localisation</title><h1>Localisation</h1>"]
    for result in results:
        parts.append(f"<h2>{html.escape(result.name)}</h2><p>{result.seconds:.1f} s. {html.escape(result.refusal)}</p>")
        parts.append(f"<img src='{html.escape(result.name)}.png' alt='overlay'>")
        if result.spine is not None:
            description = result.spine.description
            parts.append(
                f"<p>Confidence {description.confidence:.2f}; flags: {', '.join(description.flags) or 'none'}</p>"
            )
            parts.append(_table(head, result.rows))
            parts.append(_table(("gate", "value"), [(name, str(value)) for name, value in description.gates.items()]))
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: Any) -> str:
    def line(cells: Any, tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    return "<table border='1'>" + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table>"


def main(arguments: list[str] | None = None) -> None:
    """Examine every scan of a folder and write the page."""
    parser = argparse.ArgumentParser(description="Localise a folder of scans and write a page about it.")
    parser.add_argument("scans", type=Path)
    parser.add_argument("page_folder", type=Path)
    given = parser.parse_args(arguments)
    results = []
    for name, path in scan_files(given.scans):
        result = examine(name, path)
        draw_overlay(read_volume(path), result.spine, given.page_folder / f"{name}.png")
        results.append(result)
    with written_whole(given.page_folder / "index.html") as part:
        part.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
