"""The picture by which a person reviews a scan: is each level right, and does each region lie in spongy bone?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spongiosa.anatomy.frame import Plane, SpineDescription, Vertebra, VertebralFrame
from spongiosa.provenance import written_whole
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.region import RegionSet
from spongiosa.regions.segmentation import COLOURS, OTHER_COLOUR
from spongiosa.report.reformats import LEFT, POSTERIOR, Reformat, across_the_spine, along_the_spine
from spongiosa.volume import FloatArray, Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Bone window: centre 300, width 1500 HU.
WINDOW_HU = (-450.0, 1050.0)

LONG_VIEW_HALF_WIDTH_MM, LONG_VIEW_MARGIN_MM, LONG_VIEW_PIXEL_MM = 55.0, 28.0, 0.6
AXIAL_HALF_SIZE_MM, AXIAL_PIXEL_MM = 42.0, 0.45
#: A little more than half the depth of a lumbar endplate, so that the line shows beyond its rims.
ENDPLATE_HALF_LINE_MM = 20.0

#: Regions that each kind of view shows; together, every region but whole bodies, whose outline is always drawn.
SAGITTAL_REGIONS = ("ellipse_superior", "ellipse_mid", "ellipse_inferior", "body_trabecular")
CORONAL_REGIONS = ("body_trabecular", "endplate_superior", "endplate_inferior", "body_central")
MID_SLICE_REGIONS = (
    *("ellipse_mid", "shape_oval", "shape_round", "shape_front", "shape_left", "shape_right"),
    "body_trabecular",
)
PEDICLE_REGIONS = (
    *("trajectory", "pedicle"),
    *("quadrant_anterior_left", "quadrant_anterior_right", "quadrant_posterior_left", "quadrant_posterior_right"),
)

BODY_OUTLINE = (1.0, 1.0, 1.0)
ENDPLATE_COLOUR = "#f0e442"
ROWS = 3
SIZE_INCHES, DPI = (15.0, 8.6), 100


def draw_review(
    volume: Volume,
    spine: SpineDescription,
    bodies: Volume,
    regions: RegionSet,
    path: Path,
    title: str = "",
) -> None:
    """Write the review picture of a scan as PNG; equal input gives equal bytes.

    `volume` in HU; `bodies` on its grid.  Sagittal and coronal views follow the spine; each measured level has an
    axial view through its mid-height.  A spine without any frame gets the plain middle planes.
    """
    framed = [vertebra for vertebra in spine.vertebrae if vertebra.frame is not None]
    if not framed:
        draw_middle_planes(volume, path, title, "No vertebra has an anatomical frame.")
        return
    figure = _figure(title)
    centres = np.stack([_frame(vertebra).centre_mm for vertebra in framed])
    top, bottom = _vertical_range(volume, centres)
    long_views = (("Sagittal", POSTERIOR, SAGITTAL_REGIONS), ("Coronal", LEFT, CORONAL_REGIONS))
    for column, (name, across, long_shown) in enumerate(long_views):
        view = along_the_spine(centres, top, bottom, across, LONG_VIEW_HALF_WIDTH_MM, LONG_VIEW_PIXEL_MM)
        axes = _panel(figure, 0.005 + 0.215 * column, 0.01, 0.21, 0.92)
        _show(axes, view, volume, bodies, regions, long_shown, f"{name}, along the spine")
        _mark_levels(axes, view, framed, across)
        _orientation(axes, *(("A", "P") if across is POSTERIOR else ("R", "L")))
        _scale_bar(axes, view, 50.0)
    measured = [vertebra for vertebra in framed if any(region.level == vertebra.level for region in regions)]
    measured = measured or framed
    pairs = max(2, -(-len(measured) // ROWS))
    width, height = 0.565 / pairs, 0.95 / ROWS
    for number, vertebra in enumerate(measured):
        row, pair = divmod(number, pairs)
        left, bottom_edge = 0.434 + pair * width, 0.955 - (row + 1) * height
        views = (
            (_mid_slice_view(vertebra, regions, volume), MID_SLICE_REGIONS, _level_title(vertebra, regions, volume)),
            (_pedicle_view(vertebra, regions, volume), PEDICLE_REGIONS, f"{vertebra.level}   pedicles"),
        )
        for column, (view, shown, heading) in enumerate(views):
            axes = _panel(figure, left + column * width / 2, bottom_edge, width / 2 - 0.004, height - 0.028)
            _show(axes, view, volume, bodies, regions, shown, heading)
            _orientation(axes, "R", "L")
            _scale_bar(axes, view, 20.0)
    _save(figure, path)


def draw_middle_planes(volume: Volume, path: Path, title: str, reason: str) -> None:
    """Write the three middle planes of a scan with the reason why there is nothing else to see."""
    figure = _figure(title)
    figure.text(0.01, 0.935, reason, color="white", fontsize=9, va="top")
    size = np.array(volume.geometry.shape)
    centre = volume.geometry.points_mm((size - 1) / 2)
    corners = volume.geometry.points_mm(np.array([np.zeros(3), size - 1.0]))
    half_z = float(np.abs(corners[1] - corners[0])[2]) / 2
    half = float(max(np.abs(corners[1] - corners[0])[:2].max() / 2, 1.0))
    for number, (name, across) in enumerate((("Sagittal", POSTERIOR), ("Coronal", LEFT))):
        view = along_the_spine(centre[None], centre[2] + half_z, centre[2] - half_z - 1.0, across, half, half / 150)
        axes = _panel(figure, 0.01 + 0.33 * number, 0.05, 0.32, 0.82)
        _show_plain(axes, view, volume, f"{name}, middle of the scan")
        _orientation(axes, *(("A", "P") if across is POSTERIOR else ("R", "L")))
        _scale_bar(axes, view, 50.0)
    view = across_the_spine(centre, LEFT, POSTERIOR, half, half / 150)
    axes = _panel(figure, 0.67, 0.05, 0.32, 0.82)
    _show_plain(axes, view, volume, "Axial, middle of the scan")
    _orientation(axes, "R", "L")
    _scale_bar(axes, view, 50.0)
    _save(figure, path)


def _frame(vertebra: Vertebra) -> VertebralFrame:
    if vertebra.frame is None:
        raise ValueError(f"{vertebra.level} has no frame")
    return vertebra.frame


def _vertical_range(volume: Volume, centres: FloatArray) -> tuple[float, float]:
    """Top and bottom of the long views: the spine with a margin, but not beyond the scan.  [mm]"""
    size = np.array(volume.geometry.shape) - 1
    ends = volume.geometry.points_mm(np.array([np.zeros(3), size]))[:, 2]
    top = min(float(ends.max()), float(centres[:, 2].max()) + LONG_VIEW_MARGIN_MM)
    return top, max(float(ends.min()), float(centres[:, 2].min()) - LONG_VIEW_MARGIN_MM)


def _mid_slice_view(vertebra: Vertebra, regions: RegionSet, volume: Volume) -> Reformat:
    """The slice of the mid-height ellipse, or the plane across the middle of the body."""
    frame = _frame(vertebra)
    plane = next((region.plane for region in regions if region.level == vertebra.level and region.plane), "axial")
    left, posterior = (frame.left, frame.posterior) if plane == "endplate" else (LEFT, POSTERIOR)
    centre = frame.centre_mm
    ellipse = _centroids(regions, vertebra.level, "ellipse_mid", volume)
    if ellipse:
        normal = np.cross(left, posterior)
        centre = centre + ((ellipse[0] - centre) @ normal) * normal
    return across_the_spine(centre + 12.0 * posterior, left, posterior, AXIAL_HALF_SIZE_MM, AXIAL_PIXEL_MM)


def _pedicle_view(vertebra: Vertebra, regions: RegionSet, volume: Volume) -> Reformat:
    """The plane across the vertebra, parallel to its middle plane, at the height of its pedicles."""
    frame = _frame(vertebra)
    pedicles = _centroids(regions, vertebra.level, "pedicle", volume)
    height = float(np.mean([frame.to_local_mm(point)[2] for point in pedicles])) if pedicles else 0.0
    centre = frame.to_lps_mm(np.array([0.0, 12.0, height]))
    return across_the_spine(centre, frame.left, frame.posterior, AXIAL_HALF_SIZE_MM, AXIAL_PIXEL_MM)


def _centroids(regions: RegionSet, level: str, name: str, volume: Volume) -> list[FloatArray]:
    """Centres of a region of a level, one per side, LPS."""
    found = [weights for region, weights in regions.placed() if (region.level, region.name) == (level, name)]
    voxels = [np.stack(np.unravel_index(weights.indices, volume.geometry.shape), axis=-1) for weights in found]
    return [volume.geometry.points_mm(each).mean(axis=0) for each in voxels]


def _region_weights(regions: RegionSet, level: str, name: str) -> VoxelWeights | None:
    return next((weights for region, weights in regions.placed() if (region.level, region.name) == (level, name)), None)


def _level_title(vertebra: Vertebra, regions: RegionSet, volume: Volume) -> str:
    trabecular = _region_weights(regions, vertebra.level, "body_trabecular")
    if trabecular is None:
        reasons = [region.reason for region in regions if region.level == vertebra.level and region.reason is not None]
        return vertebra.level + (f": {reasons[0].value}" if reasons else "")
    hu = volume.voxels.reshape(-1)[trabecular.indices]
    return f"{vertebra.level}   {np.average(hu, weights=trabecular.weights):.0f} HU"


def _figure(title: str) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, facecolor="black")
    FigureCanvasAgg(figure)
    low, high = WINDOW_HU
    window = f"window {low:.0f} to {high:.0f} HU"
    figure.text(0.01, 0.985, title, color="white", fontsize=11, va="top", weight="bold")
    figure.text(0.99, 0.985, window, color="#b0b0b0", fontsize=8, va="top", ha="right")
    return figure


def _panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    axes = figure.add_axes((left, bottom, width, height))
    axes.set_axis_off()
    axes.set_anchor("N")
    return axes


def _show(
    axes: Axes,
    view: Reformat,
    volume: Volume,
    bodies: Volume,
    regions: RegionSet,
    shown: tuple[str, ...],
    title: str,
) -> None:
    picture = _windowed(view.image(volume))
    labels = view.labels(bodies)
    for label in np.unique(labels[labels > 0]):
        _draw_outline(picture, labels == label, BODY_OUTLINE, opacity=0.45)
    for name, mask in view.region_masks(regions, volume, shown):
        _draw_outline(picture, mask, COLOURS.get(name, OTHER_COLOUR), opacity=1.0)
    axes.imshow(picture, interpolation="nearest")
    axes.set_title(title, color="white", fontsize=9, loc="left", pad=3)


def _show_plain(axes: Axes, view: Reformat, volume: Volume, title: str) -> None:
    axes.imshow(_windowed(view.image(volume)), interpolation="nearest")
    axes.set_title(title, color="white", fontsize=9, loc="left", pad=3)


def _windowed(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey picture (rows, columns, 3) in 0-1."""
    low, high = WINDOW_HU
    grey = np.clip((hu - low) / (high - low), 0.0, 1.0).astype(np.float32)
    return np.repeat(grey[..., None], 3, axis=-1)


def _draw_outline(
    picture: NDArray[np.float32], mask: NDArray[np.bool_], colour: tuple[float, float, float], opacity: float
) -> None:
    """Colour the pixels of a mask that touch its outside."""
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    outline = mask & ~inner
    picture[outline] = (1 - opacity) * picture[outline] + opacity * np.asarray(colour, dtype=np.float32)


def _mark_levels(axes: Axes, view: Reformat, vertebrae: list[Vertebra], across: FloatArray) -> None:
    """Level names beside the bodies and lines along the endplates."""
    for vertebra in vertebrae:
        frame = _frame(vertebra)
        row, _ = view.pixel_of(frame.centre_mm)
        name = f"{vertebra.level} (cut)" if vertebra.is_truncated else vertebra.level
        axes.text(3, row, name, color="white", fontsize=9, va="center", weight="bold")
        towards = frame.posterior if across is POSTERIOR else frame.left
        for plane in (frame.superior_endplate, frame.inferior_endplate):
            _draw_endplate(axes, view, plane, towards, across)


def _draw_endplate(axes: Axes, view: Reformat, plane: Plane, towards: FloatArray, across: FloatArray) -> None:
    direction = towards - (towards @ plane.normal) * plane.normal
    ends = plane.point_mm + np.outer([-ENDPLATE_HALF_LINE_MM, ENDPLATE_HALF_LINE_MM], direction)
    axis = int(np.argmax(across))
    columns = (ends[:, axis] - view.points_mm[0, 0, axis]) / view.pixel_mm
    rows = (view.points_mm[0, 0, 2] - ends[:, 2]) / view.pixel_mm
    axes.plot(columns, rows, color=ENDPLATE_COLOUR, linewidth=0.8, scalex=False, scaley=False)


def _orientation(axes: Axes, left_side: str, right_side: str) -> None:
    """Letters of the patient's sides at the edges of the view."""
    style: dict[str, Any] = {"color": "#56b4e9", "fontsize": 9, "weight": "bold", "transform": axes.transAxes}
    axes.text(0.01, 0.985, left_side, va="top", ha="left", **style)
    axes.text(0.99, 0.985, right_side, va="top", ha="right", **style)


def _scale_bar(axes: Axes, view: Reformat, length_mm: float) -> None:
    rows, columns = view.points_mm.shape[:2]
    end, row = columns * 0.96, rows * 0.975
    start = end - length_mm / view.pixel_mm
    axes.plot([start, end], [row, row], color="white", linewidth=2, scalex=False, scaley=False, solid_capstyle="butt")
    axes.text((start + end) / 2, row - rows * 0.008, f"{length_mm:.0f} mm", color="white", fontsize=7, ha="center")


def _save(figure: Figure, path: Path) -> None:
    """Without date and software, so that equal pictures are equal files."""
    with written_whole(path) as part:
        figure.savefig(part, dpi=DPI, facecolor="black", metadata={"Software": None}, pil_kwargs={"compress_level": 4})
