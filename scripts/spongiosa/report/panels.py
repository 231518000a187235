"""Panels of a scan for a paper: planes with the true outlines of regions, the patient's sides, a scale and a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import unit_vector
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.report import theme
from spongiosa.report.reformats import Reformat
from spongiosa.volume import FloatArray, Geometry, Volume

Colour = tuple[float, float, float]

#: Bone window: centre 250, width 1000 HU.
WINDOW_HU = (-250.0, 750.0)
#: Window for metal in bone: centre 400, width 1600 HU.
METAL_WINDOW_HU = (-400.0, 1200.0)

WHITE, BLACK = "#ffffff", "#000000"
BODY_OUTLINE = WHITE
#: A pixel belongs to a region when at least half of the voxel about it does.
HALF_COVERED = 0.5
#: Width of a character of the legend on average, and of its mark with the gaps about it.  [mm]
CHARACTER_MM, LEGEND_HANDLE_MM = 1.55, 12.0
NOT_A_PATIENT = "Synthetic illustration: computer-generated, not a patient"


@dataclass(frozen=True)
class Overlay:
    """A region in a view, on the grid `geometry`; `letter` stands in its middle.

    `is_sheet` says that it lies in one plane, which may pass between the centres of voxels.
    """

    weights: VoxelWeights
    geometry: Geometry
    colour: Colour
    letter: str = ""
    is_sheet: bool = False

    def cover_in(self, plane: Reformat) -> NDArray[np.float32]:
        """Share of the region at each pixel of a view; of a sheet, the largest within half a voxel of the view."""
        if not self.is_sheet:
            return cover_in(plane, self.weights, self.geometry)
        edges = (plane.points_mm[step] - plane.points_mm[0, 0] for step in ((0, 1), (1, 0)))
        normal = unit_vector(np.cross(*edges))
        offsets = np.linspace(-0.5, 0.5, 5) * min(self.geometry.spacing_mm)
        layers = Reformat(plane.points_mm[..., None, :] + offsets[:, None] * normal, plane.pixel_mm)
        return np.asarray(cover_in(layers, self.weights, self.geometry).max(axis=-1))


@dataclass(frozen=True)
class Stroke:
    """A straight line between two points, LPS; an arrow points at its end."""

    start_mm: FloatArray
    end_mm: FloatArray
    colour: str = WHITE
    is_arrow: bool = False


@dataclass(frozen=True)
class Word:
    """A word at a point, LPS."""

    point_mm: FloatArray
    text: str


@dataclass(frozen=True)
class Disc:
    """A circle about a point of the view, LPS."""

    centre_mm: FloatArray
    radius_mm: float
    colour: Colour


@dataclass(frozen=True)
class PanelView:
    """One view of a panel: a plane of `image` in grey between the ends of `window`, and what is drawn over it.

    `sides` are the letters at the left and the right edge; `outlined` is a label map whose labels are outlined.
    """

    title: str
    plane: Reformat
    image: Volume
    sides: tuple[str, str]
    window: tuple[float, float] = WINDOW_HU
    overlays: tuple[Overlay, ...] = ()
    outlined: Volume | None = None
    strokes: tuple[Stroke, ...] = ()
    words: tuple[Word, ...] = ()
    discs: tuple[Disc, ...] = ()
    scale_mm: float = 20.0


def plane_view(
    centre_mm: FloatArray, right: FloatArray, down: FloatArray, half_size_mm: tuple[float, float], pixel_mm: float
) -> Reformat:
    """A flat view about a point: `right` and `down` are unit vectors on the screen, LPS; half width and half height."""
    across = np.arange(-half_size_mm[0], half_size_mm[0], pixel_mm)
    downwards = np.arange(-half_size_mm[1], half_size_mm[1], pixel_mm)
    points = centre_mm + across[None, :, None] * right + downwards[:, None, None] * down
    return Reformat(points, pixel_mm)


def points_of(weights: VoxelWeights, geometry: Geometry) -> FloatArray:
    """Centres of the voxels of a region, LPS, shape (n, 3)."""
    return geometry.points_mm(np.stack(np.unravel_index(weights.indices, geometry.shape), axis=-1))


def centroid_mm(weights: VoxelWeights, geometry: Geometry) -> FloatArray:
    """Weighted centre of a region, LPS."""
    return np.asarray(np.average(points_of(weights, geometry), axis=0, weights=weights.weights))


def principal_axes(weights: VoxelWeights, geometry: Geometry) -> FloatArray:
    """Unit vectors of a region's extent, longest first, as rows: a cylinder's axis, and last a disc's normal."""
    points = points_of(weights, geometry)
    spread = (points - np.average(points, axis=0, weights=weights.weights)) * np.sqrt(weights.weights)[:, None]
    values, vectors = np.linalg.eigh(spread.T @ spread)
    return np.asarray([unit_vector(vectors[:, number]) for number in np.argsort(values)[::-1]])


def cover_in(plane: Reformat, weights: VoxelWeights, geometry: Geometry) -> NDArray[np.float32]:
    """Share of the region at each pixel of a view, linearly interpolated between voxels; 0 outside of it."""
    voxels = np.stack(np.unravel_index(weights.indices, geometry.shape), axis=-1)
    lower = voxels.min(axis=0) - 1
    box = np.zeros(voxels.max(axis=0) + 2 - lower, np.float32)
    box[tuple((voxels - lower).T)] = weights.weights
    places = np.moveaxis(geometry.indices_zyx(plane.points_mm) - lower, -1, 0)
    return np.asarray(ndimage.map_coordinates(box, places, order=1, mode="constant", cval=0.0, output=np.float32))


def panel_figure(
    views: Sequence[PanelView], legend: Sequence[tuple[Colour, str]], columns: int, *, is_synthetic: bool
) -> Figure:
    """The views in rows of `columns`, and below them the legend; a synthetic patient is named as such, twice."""
    rows = -(-len(views) // columns)
    width_mm = theme.FULL_WIDTH_MM if columns > 2 else 130.0
    tallest = max(view.plane.points_mm.shape[0] / view.plane.points_mm.shape[1] for view in views)
    longest = max((len(text) for _, text in legend), default=0)
    legend_columns = max(min(len(legend), 3, int(width_mm // (longest * CHARACTER_MM + LEGEND_HANDLE_MM))), 1)
    legend_rows = -(-len(legend) // legend_columns) if legend else 0
    height_mm = rows * (width_mm / columns * tallest + 7.0) + 4.5 * legend_rows + 3.0
    with theme.themed():
        figure = theme.new_figure(width_mm, height_mm + (5.0 if is_synthetic else 0.0))
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, view in zip(axes, views, strict=False):
            draw_view(axis, view, is_synthetic=is_synthetic)
        for axis in axes[len(views) :]:
            axis.set_axis_off()
        if is_synthetic:
            figure.suptitle(NOT_A_PATIENT, fontsize=8, color=theme.VERMILLION, weight="bold")
        if legend:
            handles = [Patch(facecolor=(*colour, 0.3), edgecolor=colour, label=text) for colour, text in legend]
            figure.legend(handles=handles, loc="outside lower center", ncols=legend_columns)
    return figure


def draw_view(axis: Axes, view: PanelView, *, is_synthetic: bool) -> None:
    """The image of a view, what lies over it, the patient's sides and a scale."""
    pixel = view.plane.pixel_mm
    rows, columns = view.plane.points_mm.shape[:2]
    # Shown at its own resolution: a page that holds many panels stays small.
    axis.imshow(
        view.plane.image(view.image), cmap="gray", vmin=view.window[0], vmax=view.window[1], interpolation="none",
        extent=(0.0, columns * pixel, rows * pixel, 0.0),
    )  # fmt: skip
    across, down = (np.asarray((np.arange(count) + 0.5) * pixel, dtype=np.float64) for count in (columns, rows))
    if view.outlined is not None:
        labels = view.plane.labels(view.outlined)
        for label in np.unique(labels[labels > 0]):
            inside = _label_cover(view.plane, view.outlined, int(label))
            axis.contour(across, down, inside, [HALF_COVERED], colors=[BODY_OUTLINE], linewidths=0.5, alpha=0.7)
    for overlay in view.overlays:
        _draw_overlay(axis, across, down, overlay.cover_in(view.plane), overlay)
    for stroke in view.strokes:
        _draw_stroke(axis, view.plane, stroke)
    for disc in view.discs:
        row, column = view.plane.pixel_of(disc.centre_mm)
        turn = np.linspace(0.0, 2.0 * np.pi, 73)
        x = (column + 0.5) * pixel + disc.radius_mm * np.cos(turn)
        axis.plot(x, (row + 0.5) * pixel + disc.radius_mm * np.sin(turn), color=disc.colour, linewidth=1.0)
    for word in view.words:
        row, column = view.plane.pixel_of(word.point_mm)
        _write(axis, (column + 0.5) * pixel, (row + 0.5) * pixel, word.text, ha="center", va="center")
    width, height = columns * pixel, rows * pixel
    _write(axis, 0.03 * width, 0.5 * height, view.sides[0], ha="left", va="center", weight="bold")
    _write(axis, 0.97 * width, 0.5 * height, view.sides[1], ha="right", va="center", weight="bold")
    _draw_scale(axis, width, height, view.scale_mm)
    if is_synthetic:
        _write(axis, 0.03 * width, 0.03 * width, "synthetic", ha="left", va="top", fontsize=6)
    axis.set(xlim=(0.0, width), ylim=(height, 0.0))
    axis.set_title(view.title, fontsize=7.5, weight="normal")
    axis.set_axis_off()


def _label_cover(plane: Reformat, labels: Volume, label: int) -> NDArray[np.float32]:
    """Share of a label at each pixel, linearly interpolated."""
    where = np.argwhere(labels.voxels == label)
    crop = labels.cropped(where.min(axis=0) - 1, where.max(axis=0) + 2)
    places = np.moveaxis(crop.geometry.indices_zyx(plane.points_mm), -1, 0)
    mask = (crop.voxels == label).astype(np.float32)
    return np.asarray(ndimage.map_coordinates(mask, places, order=1, mode="constant", cval=0.0, output=np.float32))


def _draw_overlay(
    axis: Axes, across: FloatArray, down: FloatArray, cover: NDArray[np.float32], overlay: Overlay
) -> None:  # fmt: skip
    if cover.max() < HALF_COVERED:
        return
    axis.contourf(across, down, cover, [HALF_COVERED, 2.0], colors=[overlay.colour], alpha=0.25)
    axis.contour(across, down, cover, [HALF_COVERED], colors=[overlay.colour], linewidths=1.1)
    if overlay.letter:
        inside = cover >= HALF_COVERED
        row, column = np.nonzero(inside)
        _write(
            axis, float(across[column].mean()), float(down[row].mean()), overlay.letter, ha="center", va="center",
            weight="bold",
        )  # fmt: skip


def _draw_stroke(axis: Axes, plane: Reformat, stroke: Stroke) -> None:
    ends = [np.add(plane.pixel_of(point), 0.5)[::-1] * plane.pixel_mm for point in (stroke.start_mm, stroke.end_mm)]
    if stroke.is_arrow:
        axis.annotate(
            "", xy=tuple(ends[1]), xytext=tuple(ends[0]),
            arrowprops={"arrowstyle": "-|>", "color": stroke.colour, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip
    else:
        line = Line2D(*np.transpose(ends), color=stroke.colour, linewidth=0.9, linestyle=(0, (4, 3)))
        axis.add_line(line)


def _draw_scale(axis: Axes, width: float, height: float, length_mm: float) -> None:
    end, level = 0.96 * width, 0.955 * height
    axis.plot([end - length_mm, end], [level, level], color=WHITE, linewidth=1.6, solid_capstyle="butt")
    _write(
        axis, end - length_mm / 2, level - 0.015 * height, f"{length_mm:.0f} mm", ha="center", va="bottom", fontsize=6
    )


def _write(
    axis: Axes,
    x: float,
    y: float,
    text: str,
    *,
    ha: str,
    va: str,
    fontsize: float = 7.5,
    weight: str = "normal",
) -> None:
    """White letters with a dark edge, legible on any grey."""
    axis.text(
        x, y, text, ha=ha, va=va, fontsize=fontsize, weight=weight, color=WHITE,
        path_effects=[withStroke(linewidth=1.6, foreground=BLACK)],
    )  # fmt: skip
