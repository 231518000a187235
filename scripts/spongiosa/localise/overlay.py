"""The picture of a localised scan: sagittal and coronal views through the bodies, with outlines and names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spongiosa.anatomy.levels import level_name
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.provenance import written_whole
from spongiosa.volume import Volume, oriented_lps

#: What is shown before, behind and beside the middles of the bodies, mm.
BEFORE_MM, BEHIND_MM, BESIDE_MM = 60.0, 85.0, 75.0
WINDOW_HU = (-150.0, 500.0)
WIDTH_INCH, LEAST_HEIGHT_INCH = 9.0, 3.0


@dataclass(frozen=True)
class _Column:
    """Per slice, the row and the column of the middle of the bodies; or of the scan, where none was found."""

    row: NDArray[np.int_]
    column: NDArray[np.int_]
    is_found: bool


def draw_overlay(scan: Volume, spine: LocalisedSpine | None, path: Path, true_bodies: Volume | None = None) -> None:
    """Curved views along the centres of the bodies as PNG: bodies in colour, true bodies in dashed white.

    Without a spine the middle of the scan is shown.
    """
    from matplotlib.figure import Figure

    image = oriented_lps(scan)
    parts = (None if spine is None else spine.bodies, true_bodies)
    layers = [None if part is None else oriented_lps(part).voxels for part in parts]
    column = _column_through(image, layers[0])
    x_mm, y_mm, z_mm = image.geometry.spacing_mm
    views = [_view(image, column, True, y_mm), _view(image, column, False, x_mm)]
    widths_mm = [(last - first) * step for (first, last), step in zip(views, (y_mm, x_mm), strict=True)]
    height = max(WIDTH_INCH * image.voxels.shape[0] * z_mm / sum(widths_mm), LEAST_HEIGHT_INCH)
    figure = Figure(figsize=(WIDTH_INCH, height), layout="tight")
    panels = figure.subplots(1, 2, width_ratios=widths_mm)
    for axes, is_sagittal, step, limits in zip(panels, (True, False), (y_mm, x_mm), views, strict=True):
        axes.imshow(
            _curved(image.voxels, column, is_sagittal),
            cmap="gray",
            vmin=WINDOW_HU[0],
            vmax=WINDOW_HU[1],
            origin="lower",
            aspect=z_mm / step,
        )
        for labels, is_truth in zip(layers, (False, True), strict=True):
            if labels is not None:
                _outline(axes, _curved(labels, column, is_sagittal), is_truth)
        axes.set_xlim(*limits)
        axes.set_axis_off()
    with written_whole(path) as part:
        figure.savefig(part, dpi=80)


def _column_through(image: Volume, labels: NDArray[Any] | None) -> _Column:
    depth, rows, columns = image.voxels.shape
    present = [] if labels is None else [int(value) for value in np.unique(labels) if value]
    if labels is None or not present:
        return _Column(np.full(depth, rows // 2), np.full(depth, columns // 2), False)
    centres = np.array(sorted(tuple(np.argwhere(labels == value).mean(axis=0)) for value in present))
    slices = np.arange(depth)
    row, column = (np.interp(slices, centres[:, 0], centres[:, side]).round().astype(int) for side in (1, 2))
    return _Column(row, column, True)


def _view(image: Volume, column: _Column, is_sagittal: bool, step_mm: float) -> tuple[float, float]:
    """First and last row (sagittal) or column (coronal) that is shown: the whole scan, or what lies near the bodies."""
    size = image.voxels.shape[1 if is_sagittal else 2]
    if not column.is_found:
        return (0.0, float(size))
    middle = column.row if is_sagittal else column.column
    before_mm, after_mm = (BEFORE_MM, BEHIND_MM) if is_sagittal else (BESIDE_MM, BESIDE_MM)
    return (max(middle.min() - before_mm / step_mm, 0.0), min(middle.max() + after_mm / step_mm, float(size)))


def _curved(voxels: NDArray[Any], column: _Column, is_sagittal: bool) -> NDArray[Any]:
    """The sagittal or coronal section along the column, shape (slices, rows or columns)."""
    slices = np.arange(len(voxels))
    section: NDArray[Any] = voxels[slices, :, column.column] if is_sagittal else voxels[slices, column.row, :]
    return section


def _outline(axes: Any, section: NDArray[Any], is_truth: bool) -> None:
    for number, value in enumerate(int(label) for label in np.unique(section) if label):
        mask = section == value
        if mask.all():
            continue
        if is_truth:
            axes.contour(mask, [0.5], colors=["white"], linewidths=0.7, linestyles="dashed")
            continue
        axes.contour(mask, [0.5], colors=[f"C{number % 10}"], linewidths=1.0)
        middle = np.argwhere(mask).mean(axis=0)
        axes.text(middle[1], middle[0], level_name(value), color="yellow", ha="center", va="center", fontsize=8)
