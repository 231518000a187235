"""The planes in which the panels of the studies show a vertebra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import unit_vector
from spongiosa.report.panels import (
    PanelView,
    Stroke,
    centroid_mm,
    cover_in,
    plane_view,
    principal_axes,
)
from spongiosa.report.reformats import LEFT, POSTERIOR, SUPERIOR, Reformat
from spongiosa.studies.panel import Entry, overlay_of
from spongiosa.studies.pictured_scan import PicturedScan
from spongiosa.volume import FloatArray, Geometry, Volume

PIXEL_MM = 0.25
#: Half width and half height of views about one vertebra.  [mm]
AXIAL_MM, LONG_MM = (34.0, 34.0), (34.0, 34.0)
RIGHT_LEFT, FRONT_BACK = ("R", "L"), ("A", "P")
#: How far the canal and the arch lie behind the middle of the body.  [mm]
BACKWARDS_MM = 10.0
#: Grid and light of the view of a volume: from the front, the left and above.
VOLUME_STEP_MM, VOLUME_HALF_MM, SMOOTHING_MM = 0.3, 21.0, 0.7
LIGHT = unit_vector(np.array([-0.5, -0.6, -1.0]))


def slice_of(scan: PicturedScan, level: str, region: str, half_mm: tuple[float, float] = AXIAL_MM) -> Reformat:
    """The plane in which a region of a slice lies: the scan's own slice, or the oblique plane along the endplate."""
    weights, frame = scan.weights(level, region), scan.frame(level)
    middle = centroid_mm(weights, scan.regions.geometry)
    is_oblique = next(each.plane for each in scan.regions if (each.level, each.name) == (level, region)) == "endplate"
    normal = principal_axes(weights, scan.regions.geometry)[2] if is_oblique else SUPERIOR
    right = _across(frame.left if is_oblique else LEFT, normal)
    down = np.cross(normal, right) * np.sign(np.cross(normal, right) @ POSTERIOR)
    body = frame.centre_mm + BACKWARDS_MM * down
    return plane_view(body + ((middle - body) @ normal) * normal, right, down, half_mm, PIXEL_MM)


def sagittal_of(scan: PicturedScan, level: str, lateral_mm: float = 0.0) -> Reformat:
    """The sagittal plane through a body, or so far to the patient's left of it."""
    frame = scan.frame(level)
    centre = frame.centre_mm + BACKWARDS_MM * POSTERIOR + lateral_mm * LEFT
    return plane_view(centre, POSTERIOR, -SUPERIOR, LONG_MM, PIXEL_MM)


def coronal_of(scan: PicturedScan, level: str) -> Reformat:
    """The coronal plane through a body."""
    return plane_view(scan.frame(level).centre_mm, LEFT, -SUPERIOR, LONG_MM, PIXEL_MM)


def along_pedicles(scan: PicturedScan, level: str, region: str) -> Reformat:
    """The axial plane tilted so that it holds the axes of both sides of a region as well as a plane can."""
    frame, geometry = scan.frame(level), scan.regions.geometry
    sides = [scan.weights(level, region, side) for side in ("left", "right")]
    axes = [principal_axes(weights, geometry)[0] for weights in sides]
    backwards = sum((axis * np.sign(axis @ frame.posterior) for axis in axes), np.zeros(3))
    right = unit_vector(frame.left)
    down = _across(backwards, right)
    middle = np.mean([centroid_mm(weights, geometry) for weights in sides], axis=0)
    return plane_view(middle, right, down, AXIAL_MM, PIXEL_MM)


def beside_pedicle(scan: PicturedScan, level: str, region: str, side: str) -> Reformat:
    """The upright plane along the axis of one side of a region."""
    frame, geometry = scan.frame(level), scan.regions.geometry
    weights = scan.weights(level, region, side)
    axis = principal_axes(weights, geometry)[0]
    right = axis * np.sign(axis @ frame.posterior)
    return plane_view(centroid_mm(weights, geometry), right, -_across(frame.superior, right), LONG_MM, PIXEL_MM)


def shown(
    scan: PicturedScan, title: str, plane: Reformat, sides: tuple[str, str], entries: tuple[Entry, ...] = ()
) -> PanelView:
    """A view of the scan with the outlines of the bodies and the regions of the entries."""
    overlays = tuple(overlay_of(scan, entry) for entry in entries)
    return PanelView(title, plane, scan.volume, sides, overlays=overlays, outlined=scan.bodies)


def with_cut(view: PanelView, of: Reformat) -> PanelView:
    """The view with a dashed line where another plane cuts it; both planes meet in the middle of `of`."""
    rows, columns = of.points_mm.shape[:2]
    across = of.points_mm[rows // 2] if view.sides == RIGHT_LEFT else of.points_mm[:, columns // 2]
    return replace(view, strokes=(*view.strokes, Stroke(across[0], across[-1])))


def volume_view(scan: PicturedScan, title: str, entry: Entry) -> PanelView:
    """The surface of a region as seen from the front, above and the patient's left, lit from the upper left."""
    weights, geometry = scan.weights(entry.level, entry.region, entry.side), scan.regions.geometry
    frame = scan.frame(entry.level)
    into = unit_vector(frame.posterior - 0.45 * frame.left - 0.5 * frame.superior)
    right = _across(frame.left, into)
    down = np.cross(into, right)
    plane = plane_view(centroid_mm(weights, geometry), right, down, (VOLUME_HALF_MM, VOLUME_HALF_MM), VOLUME_STEP_MM)
    depths = np.arange(-VOLUME_HALF_MM, VOLUME_HALF_MM, VOLUME_STEP_MM)
    layers = Reformat(plane.points_mm[..., None, :] + depths[:, None] * into, VOLUME_STEP_MM)
    cover = ndimage.gaussian_filter(cover_in(layers, weights, geometry), SMOOTHING_MM / VOLUME_STEP_MM)
    return PanelView(title, plane, _lit(cover, depths, plane), RIGHT_LEFT, window=(0.0, 255.0), scale_mm=10.0)


def _lit(cover: NDArray[np.float32], depths: FloatArray, plane: Reformat) -> Volume:
    """Brightness of the first surface along the last axis of `cover`, on the pixels of the view."""
    is_inside = cover >= 0.5
    first = np.maximum(is_inside.argmax(axis=-1), 1)
    rows, columns = np.indices(first.shape)
    before, at = cover[rows, columns, first - 1], cover[rows, columns, first]
    share = np.clip((0.5 - before) / np.maximum(at - before, 1e-6), 0.0, 1.0)
    is_hit = np.asarray(is_inside.any(axis=-1), dtype=np.bool_)
    # Beside the surface its border goes on, so that the border is not lit as a cliff.
    nearest = ndimage.distance_transform_edt(np.logical_not(is_hit), return_distances=False, return_indices=True)
    depth = (depths[first - 1] + share * VOLUME_STEP_MM)[tuple(nearest)]
    down, across = np.gradient(depth, VOLUME_STEP_MM)
    normals = np.stack([across, down, -np.ones_like(depth)], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    brightness = np.where(is_hit, 40.0 + 215.0 * np.clip(normals @ LIGHT, 0.0, 1.0), 0.0)
    right, lower = (unit_vector(plane.points_mm[step] - plane.points_mm[0, 0]) for step in ((0, 1), (1, 0)))
    into = np.cross(right, lower)
    # Three equal slices, so that no pixel falls beside the only one by rounding.
    x, y, z = (float(value) for value in plane.points_mm[0, 0] - plane.pixel_mm * into)
    geometry = Geometry(
        (3, *first.shape),
        (plane.pixel_mm, plane.pixel_mm, plane.pixel_mm),
        (x, y, z),
        np.stack([right, lower, into], axis=1),
    )
    return Volume(np.repeat(brightness.astype(np.float32)[None], 3, axis=0), geometry)


def _across(vector: FloatArray, normal: FloatArray) -> FloatArray:
    """The part of a vector that is orthogonal to a unit vector, of length 1."""
    return unit_vector(vector - (vector @ normal) * normal)
