"""The vertebral body out of the mask of a whole vertebra: cut at the pedicles, in front of the canal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray, unit_vector
from spongiosa.volume import Volume

STEP_MM = 1.0
#: Half width of the strip about the midline in which the canal is looked for, mm: narrower than any lumbar canal.
MIDLINE_MM = 4.0
#: A gap behind the body counts as canal when it is this deep, mm.
CANAL_DEPTH_MM = 6.0
#: The posterior wall bulges back beside the midline (the basivertebral hollow), mm.
WALL_TOLERANCE_MM = 1.0


def body_of_vertebra(whole: Volume, superior: FloatArray, posterior: FloatArray) -> NDArray[np.bool_] | None:
    """Voxels of the body in the mask `whole` (0/1, a crop around one vertebra), or None where no canal is seen.

    In the frame given by the two LPS vectors the midline strip is followed backwards from the core of the body to the
    canal, at each height; a line through these points of the posterior wall (Theil-Sen over the heights) is the cut.
    What reaches further to the side than the front of the body (ribs, costal processes) is cut as well.
    """
    mask = whole.voxels > 0
    core_mm = core_of_vertebra(whole)
    back = unit_vector(posterior - (posterior @ superior) * superior)
    axes = np.stack([np.cross(back, superior), back, superior])
    points = whole.geometry.points_mm(np.argwhere(mask))
    local = (points - core_mm) @ axes.T
    wall = _posterior_wall(whole, core_mm, axes, np.ptp(local, axis=0).max())
    if wall is None:
        return None
    slope, intercept = wall
    behind_mm = local[:, 1] - (slope * local[:, 2] + intercept)
    front = behind_mm < -0.3 * np.ptp(local[behind_mm < 0, 1], axis=0)
    half_width_mm = float(np.percentile(np.abs(local[front, 0]), 99)) + 1.0
    chosen = (behind_mm < WALL_TOLERANCE_MM) & (np.abs(local[:, 0]) < half_width_mm)
    body = np.zeros_like(mask)
    body[mask] = chosen
    components, count = ndimage.label(body)
    if count == 0:
        return None
    largest: NDArray[np.bool_] = components == 1 + int(np.argmax(np.bincount(components.ravel())[1:]))
    return largest


def core_of_vertebra(whole: Volume) -> FloatArray:
    """LPS point deepest inside the vertebra (0/1 mask): the centre of its thickest part, which is the body."""
    mask = whole.voxels > 0
    sampling = whole.geometry.spacing_mm[::-1]
    # A border of ones at the edges keeps a truncated body from looking thin where the scan ends.
    depth = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"), sampling=sampling)[1:-1, 1:-1, 1:-1]
    deep = np.argwhere(depth > 0.85 * depth.max())
    core: FloatArray = whole.geometry.points_mm(deep).mean(axis=0)
    return core


def _posterior_wall(
    whole: Volume, core_mm: FloatArray, axes: FloatArray, reach_mm: float
) -> tuple[float, float] | None:
    """Slope and intercept of the posterior wall, posterior = slope * superior + intercept, in local mm."""
    side = np.arange(-MIDLINE_MM, MIDLINE_MM + STEP_MM, STEP_MM)
    back = np.arange(0.0, reach_mm, STEP_MM)
    up = np.arange(-20.0, 20.0 + STEP_MM, STEP_MM)
    local = np.stack(np.meshgrid(side, back, up, indexing="ij"), axis=-1)
    indices = np.moveaxis(whole.geometry.indices_zyx(local @ axes + core_mm), -1, 0)
    inside = ndimage.map_coordinates((whole.voxels > 0).astype(np.float32), indices, order=1, mode="constant")
    midline = inside.mean(axis=0) > 0.5
    heights, walls, has_canal = [], [], []
    depth = round(CANAL_DEPTH_MM / STEP_MM)
    for column, height in zip(midline.T, up, strict=True):
        if not column[:3].all():
            continue
        gap = np.flatnonzero(~column)
        if gap.size == 0 or column[gap[0] : gap[0] + depth].any():
            continue
        heights.append(height)
        walls.append(back[gap[0]] - STEP_MM / 2)
        has_canal.append(bool(column[gap[0] :].any()))
    if len(heights) < 6 or not any(has_canal):
        return None
    pairs = [(i, j) for i in range(len(heights)) for j in range(i + 5, len(heights))]
    slope = float(np.median([(walls[j] - walls[i]) / (heights[j] - heights[i]) for i, j in pairs])) if pairs else 0.0
    return slope, float(np.median(np.array(walls) - slope * np.array(heights)))
