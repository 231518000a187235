"""Tracking of the vertebral canal through the axial slices of the working copy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray
from spongiosa.volume import Volume

BONE_HU = 150.0
SOFT_CORE_HU = (-120.0, 140.0)
RAYS = 16
RAY_REACH_MM = 24.0
#: A ray that meets bone within this distance counts fully, and not at all from the second on: lumbar canals are
#: 14-22 mm deep and 20-30 mm wide.
NEAR_MM, FAR_MM = 13.0, 21.0
WALL_REACH_MM = (8.0, 20.0)
POSTERIOR_ARCH_MM = 13.0
#: Score of a slice below which a path gains nothing from it; what is above counts for the path.
INDIFFERENT_SCORE = 0.45
#: What is above counts as trunk; a trunk narrower than this is a crop; how far a canal lies beside its middle.
SKIN_HU = -300.0
TRUNK_WIDTH_MM = 200.0
MIDLINE_REACH_MM = 40.0
#: How far a canal lies beside the straight line of its upper part, mm.
LINE_REACH_MM = 26.0
#: Cost of moving by n voxels from one slice to the next, per n squared, in units of the score.
SAGITTAL_COST, LATERAL_COST = 0.03, 0.12
_IMPOSSIBLE = -1.0e6


@dataclass(frozen=True)
class CanalTrack:
    """The canal: LPS points from caudal to cranial, one per slice of the working copy, and the score of each (0-1)."""

    points_mm: FloatArray
    scores: FloatArray

    @property
    def length_mm(self) -> float:
        return float(np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1).sum())


def canal_scores(hu: NDArray[np.float32], spacing_mm: float) -> NDArray[np.float32]:
    """How much every voxel looks like the middle of the canal, 0-1: soft core, bone on most rays, body in front.

    16 rays per axial slice look for bone (> 150 HU), whatever the density of the marrow; the posterior wall
    of the body in front must stand out from the core, which tells the canal from the gap between contrasted vessels.
    """
    bone = hu > BONE_HU
    window = max(3, 2 * round(3.0 / spacing_mm) + 1)
    core = ndimage.uniform_filter(hu, size=(1, window, window))
    core_bone = ndimage.uniform_filter(bone.astype(np.float32), size=(1, 3, 3))
    width = 2 * round(25.0 / spacing_mm) + 1
    bone_around = ndimage.uniform_filter(bone.astype(np.float32), size=(1, width, width))
    candidate = (core > SOFT_CORE_HU[0]) & (core < SOFT_CORE_HU[1]) & (core_bone < 0.34) & (bone_around > 0.04)
    reach = int(np.ceil(RAY_REACH_MM / spacing_mm)) + 2
    inner = np.zeros_like(candidate)
    inner[:, reach:-reach, reach:-reach] = True
    z, y, x = np.nonzero(candidate & inner)
    rays = np.zeros(len(z), dtype=np.float32)
    radii = np.arange(2.0, RAY_REACH_MM + spacing_mm / 2, spacing_mm)
    weights = np.clip((FAR_MM - radii) / (FAR_MM - NEAR_MM), 0.0, 1.0).astype(np.float32)
    for angle in np.arange(RAYS) * 2 * np.pi / RAYS:
        weight = np.zeros(len(z), dtype=np.float32)
        for radius, worth in zip(radii[::-1], weights[::-1], strict=True):
            dy, dx = round(radius * np.sin(angle) / spacing_mm), round(radius * np.cos(angle) / spacing_mm)
            weight[bone[z, y + dy, x + dx]] = worth
        rays += weight / RAYS
    smooth = ndimage.uniform_filter(np.clip(hu, -200.0, 400.0), size=(3, 3, 3))
    wall = np.full(len(z), -200.0, dtype=np.float32)
    for radius in np.arange(WALL_REACH_MM[0], WALL_REACH_MM[1] + 0.1, spacing_mm):
        np.maximum(wall, smooth[z, y - round(radius / spacing_mm), x], out=wall)
    in_front = np.clip((wall - core[z, y, x] - 20.0) / 100.0, 0.0, 1.0)
    behind = np.clip(smooth[z, y + round(POSTERIOR_ARCH_MM / spacing_mm), x] / 200.0, 0.0, 1.0)
    scores = np.zeros(hu.shape, dtype=np.float32)
    spine_behind = np.clip(4.0 * _bone_far_behind(bone, spacing_mm)[z, y, x], 0.0, 1.0)
    scores[z, y, x] = (0.6 * rays + 0.25 * in_front + 0.15 * behind) * (1.0 - 0.5 * spine_behind)
    return scores


def _bone_far_behind(bone: NDArray[np.bool_], spacing_mm: float) -> NDArray[np.float32]:
    """Share of bone in the midline 52-78 mm behind every voxel: none behind a canal, the spine behind a gap between
    contrasted vessels, which otherwise looks like a canal.
    """
    size = tuple(round(length / spacing_mm) for length in (20.0, 26.0, 20.0))
    share = ndimage.uniform_filter(bone.astype(np.float32), size=size)
    step = round(65.0 / spacing_mm)
    behind = np.zeros_like(share)
    behind[:, :-step] = share[:, step:]
    return behind


def track_canal(working: Volume, middle_mm: FloatArray | None = None) -> CanalTrack | None:
    """The best path through consecutive slices, or None when no slice looks like a spine.

    Dynamic programme over the slices: per slice at most 3 voxels antero-posterior and 1 lateral (of 2 mm), a lateral
    step costing four times an antero-posterior one, so that the path stays in the sacral canal and does not leave at
    S1.  The path starts and ends where it pays most.  `middle_mm` is where the spine is expected, LPS x of every slice;
    without it the middle of the trunk is.
    """
    spacing = working.geometry.spacing_mm[0]
    scores = ndimage.gaussian_filter1d(canal_scores(working.voxels, spacing), 1.0, axis=0)
    weight = _midline_weight(working)[None, :] if middle_mm is None else _near_middle(working, middle_mm)
    gain = scores * weight[:, None, :] - INDIFFERENT_SCORE
    slices, rows, columns = gain.shape
    best = np.full((rows, columns), _IMPOSSIBLE, dtype=np.float32)
    came_from = np.zeros(gain.shape, dtype=np.int16)  # 0: the path starts here
    moves = [(dy, dx) for dy in range(-3, 4) for dx in (-1, 0, 1)]
    totals = np.empty_like(gain)
    for z in range(slices):
        arrived = np.zeros((rows, columns), dtype=np.float32)
        source = np.zeros((rows, columns), dtype=np.int16)
        for number, (dy, dx) in enumerate(moves, start=1):
            candidate = _shifted(best, dy, dx) - SAGITTAL_COST * (dy * dy) - LATERAL_COST * (dx * dx)
            better = candidate > arrived
            arrived[better] = candidate[better]
            source[better] = number
        best = arrived + gain[z]
        totals[z], came_from[z] = best, source
    end = np.unravel_index(int(np.argmax(totals)), totals.shape)
    if totals[end] <= 0:
        return None
    z, y, x = (int(value) for value in end)
    path = []
    while True:
        path.append((z, y, x))
        number = int(came_from[z, y, x])
        if number == 0 or z == 0:
            break
        dy, dx = moves[number - 1]
        z, y, x = z - 1, y - dy, x - dx
    indices = np.array(path[::-1])
    track_scores = scores[tuple(indices.T)].astype(np.float64)
    return CanalTrack(working.geometry.points_mm(indices), track_scores)


def _midline_weight(working: Volume) -> NDArray[np.float32]:
    """Weight of every column of voxels: 1 near the middle of the trunk, falling beyond what a scoliosis can reach.

    A crop in which no side of the trunk is seen says nothing of the middle, and every column weighs 1.
    """
    spacing = working.geometry.spacing_mm[0]
    columns = np.flatnonzero((working.voxels > SKIN_HU).mean(axis=(0, 1)) > 0.02)
    x = np.arange(working.voxels.shape[2], dtype=np.float32)
    if columns.size == 0 or columns.size * spacing < TRUNK_WIDTH_MM:
        return np.ones_like(x)
    weights = (working.voxels > SKIN_HU).sum(axis=(0, 1))
    middle = float(np.interp(0.5, np.cumsum(weights) / weights.sum(), x))
    return _falling_off(np.abs(x - middle) * spacing - MIDLINE_REACH_MM, 20.0)


def _near_middle(working: Volume, middle_mm: FloatArray) -> NDArray[np.float32]:
    """Weight of every (slice, column): 1 near the expected middle, falling beyond what a scoliosis can reach."""
    x = working.geometry.origin_mm[0] + np.arange(working.voxels.shape[2]) * working.geometry.spacing_mm[0]
    return _falling_off(np.abs(x[None, :] - middle_mm[:, None]) - LINE_REACH_MM, 10.0)


def _falling_off(beyond_mm: FloatArray, sd_mm: float) -> NDArray[np.float32]:
    weight: NDArray[np.float32] = np.exp(-0.5 * (np.clip(beyond_mm, 0.0, None) / sd_mm) ** 2).astype(np.float32)
    return weight


def _shifted(values: NDArray[np.float32], dy: int, dx: int) -> NDArray[np.float32]:
    """`result[y, x] = values[y - dy, x - dx]`, impossible beyond the edge."""
    result = np.full_like(values, _IMPOSSIBLE)
    rows, columns = values.shape
    result[max(dy, 0) : rows + min(dy, 0), max(dx, 0) : columns + min(dx, 0)] = values[
        max(-dy, 0) : rows - max(dy, 0), max(-dx, 0) : columns - max(dx, 0)
    ]
    return result
