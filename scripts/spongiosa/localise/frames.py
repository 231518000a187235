"""Fit of the vertebral frame to the label map of a vertebral body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray, Plane, VertebralFrame, unit_vector
from spongiosa.volume import Volume, bounding_box

#: Step of the local grid on which the endplate surfaces are read, mm.
STEP_MM = 1.0
#: Columns nearer than this fraction of the radius to the rim are left out: osteophytes and the rounded edge.
INNER_FRACTION = 0.85
_TUKEY_CUTOFF = 4.685  # 95 % efficiency for Gaussian residuals (Beaton and Tukey, Technometrics 1974)
_ITERATIONS = 3


@dataclass(frozen=True)
class FittedFrame:
    """A frame and how well the endplate planes describe the two surfaces (robust SD of the residuals, mm)."""

    frame: VertebralFrame
    endplate_residual_mm: float


def fit_frame(body: Volume, superior_hint: FloatArray, posterior_hint: FloatArray) -> FittedFrame | None:
    """Frame of the body in `body` (0/1 voxels on any grid); hints are LPS vectors, good to about 30 degrees.

    The superior and inferior surfaces are read on a 1 mm grid across the body from the interpolated mask, and a plane
    is fitted to each with Tukey's biweight, so that a concave middle, an osteophyte or a frayed edge moves it little.
    Superior is the mean of both normals, posterior the hint orthogonal to it, and the centre lies midway between the
    planes on the axis of the body.  None when the body is too small or too ragged for that.
    """
    mask = body.voxels > 0
    if int(mask.sum()) < 30:
        return None
    lower, upper = bounding_box(mask, margin=2)
    cropped = body.cropped(lower, upper)
    cropped = Volume((cropped.voxels > 0).astype(np.float32), cropped.geometry)
    points = cropped.geometry.points_mm(np.argwhere(cropped.voxels > 0))
    centre = points.mean(axis=0)
    superior = unit_vector(superior_hint)
    fitted: FittedFrame | None = None
    for _ in range(_ITERATIONS):
        left, posterior = _axes_across(superior, posterior_hint)
        reach = np.abs((points - centre) @ np.stack([left, posterior, superior]).T).max(axis=0) + 2 * STEP_MM
        surfaces = _endplate_surfaces(cropped, centre, np.stack([left, posterior, superior]), reach)
        if surfaces is None:
            return None
        planes, residual = surfaces
        superior = unit_vector(planes[0].normal + planes[1].normal)
        centre = _centre_between(points, superior, planes)
        left, posterior = _axes_across(superior, posterior_hint)
        frame = VertebralFrame(centre, left, posterior, superior, planes[0], planes[1])
        fitted = FittedFrame(frame, residual)
    if fitted is None or not 5.0 < fitted.frame.height_mm < 70.0:
        return None
    return fitted


def frame_from_planes(top: Plane, bottom: Plane, residual_mm: float, posterior_hint: FloatArray) -> FittedFrame:
    """The frame between two endplate planes (normals superior) whose points lie on the axis of the body."""
    superior = unit_vector(top.normal + bottom.normal)
    left, posterior = _axes_across(superior, posterior_hint)
    centre = (top.point_mm + bottom.point_mm) / 2
    return FittedFrame(VertebralFrame(centre, left, posterior, superior, top, bottom), residual_mm)


def _axes_across(superior: FloatArray, posterior_hint: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Unit vectors left and posterior, orthogonal to `superior` (left x posterior = superior)."""
    posterior = unit_vector(posterior_hint - (posterior_hint @ superior) * superior)
    return unit_vector(np.cross(posterior, superior)), posterior


def _endplate_surfaces(
    body: Volume, centre: FloatArray, axes: FloatArray, reach_mm: FloatArray
) -> tuple[tuple[Plane, Plane], float] | None:
    """Superior and inferior endplate planes (normals superior) and the robust SD of both fits, mm."""
    ticks = [np.arange(-np.ceil(reach), np.ceil(reach) + STEP_MM, STEP_MM) for reach in reach_mm]
    local = np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1)
    indices = body.geometry.indices_zyx(local @ axes + centre)
    inside = ndimage.map_coordinates(body.voxels, np.moveaxis(indices, -1, 0), order=1, mode="constant")
    up = ticks[2]
    thickness = inside.sum(axis=2) * STEP_MM
    used = _inner_columns(thickness > 0.5 * np.percentile(thickness[thickness > 1.0], 75))
    if used is None:
        return None
    rows = np.argwhere(used)
    across = np.stack([ticks[0][rows[:, 0]], ticks[1][rows[:, 1]]], axis=1)
    columns = inside[used]
    middle = (columns * up).sum(axis=1) / columns.sum(axis=1)
    above = columns * np.clip((up - middle[:, None]) / STEP_MM + 0.5, 0.0, 1.0)
    top = middle + above.sum(axis=1) * STEP_MM
    bottom = middle - (columns - above).sum(axis=1) * STEP_MM
    planes, spreads = [], []
    for heights in (top, bottom):
        coefficients, spread = robust_plane(across, heights)
        normal = unit_vector(np.array([-coefficients[0], -coefficients[1], 1.0])) @ axes
        centroid = across.mean(axis=0)
        point = np.array([*centroid, coefficients[:2] @ centroid + coefficients[2]]) @ axes + centre
        planes.append(Plane(point, normal))
        spreads.append(spread)
    return (planes[0], planes[1]), max(spreads)


def _inner_columns(footprint: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The columns of the footprint without its rim, or None when fewer than 40 are left."""
    components, count = ndimage.label(footprint)
    if count == 0:
        return None
    largest = components == 1 + int(np.argmax(np.bincount(components.ravel())[1:]))
    depth = ndimage.distance_transform_edt(np.pad(ndimage.binary_fill_holes(largest), 1))[1:-1, 1:-1]
    inner = largest & (depth > (1.0 - INNER_FRACTION) * depth.max())
    return inner if int(inner.sum()) >= 40 else None


def robust_plane(across: FloatArray, heights: FloatArray) -> tuple[FloatArray, float]:
    """Coefficients (a, b, c) of height = a u + b v + c by Tukey's biweight, and the robust SD of the residuals."""
    design = np.column_stack([across, np.ones(len(across))])
    weights = np.ones(len(heights))
    coefficients = np.zeros(3)
    spread = 0.0
    for _ in range(10):
        root = np.sqrt(weights)
        coefficients = np.linalg.lstsq(design * root[:, None], heights * root, rcond=None)[0]
        residuals = heights - design @ coefficients
        spread = max(1.4826 * float(np.median(np.abs(residuals - np.median(residuals)))), 0.25)
        weights = np.clip(1.0 - (residuals / (_TUKEY_CUTOFF * spread)) ** 2, 0.0, None) ** 2
    return coefficients, spread


def _centre_between(points: FloatArray, superior: FloatArray, planes: tuple[Plane, Plane]) -> FloatArray:
    """The point midway between the planes on the superior axis through the middle half of the body."""
    below_top, above_bottom = -planes[0].signed_distance_mm(points), planes[1].signed_distance_mm(points)
    fraction = above_bottom / np.maximum(above_bottom + below_top, 1e-6)
    middle = points[(fraction > 0.25) & (fraction < 0.75)]
    axis_point = (middle if len(middle) >= 10 else points).mean(axis=0)
    steps = [float((plane.point_mm - axis_point) @ plane.normal / (superior @ plane.normal)) for plane in planes]
    centre: FloatArray = axis_point + superior * (sum(steps) / 2)
    return centre
