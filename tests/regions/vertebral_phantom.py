"""A vertebral body whose every dimension is known: an elliptic cylinder with a cortical shell around a core."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spongiosa.anatomy.frame import Plane, SpineDescription, Vertebra, VertebralFrame
from spongiosa.volume import Geometry, Volume

CORE_HU = 100.0
SHELL_HU = 700.0
SOFT_TISSUE_HU = 40.0
SHELL_MM = 1.0
HALF_WIDTH_MM, HALF_DEPTH_MM, HALF_HEIGHT_MM = 23.0, 17.0, 14.0
PITCH_MM = 36.0
LEVELS = {"L1": 20, "L2": 21, "L3": 22, "L4": 23, "L5": 24}


@dataclass(frozen=True)
class Phantom:
    """A scan of some bodies with its label map and true frames."""

    ct: Volume
    bodies: Volume
    spine: SpineDescription


def frame_at(centre_mm: NDArray[np.float64], tilt_deg: float, half_height_mm: float = HALF_HEIGHT_MM) -> VertebralFrame:
    """A frame whose superior axis leans forwards by `tilt_deg` in the sagittal plane."""
    angle = np.deg2rad(tilt_deg)
    left = np.array([1.0, 0.0, 0.0])
    superior = np.array([0.0, -np.sin(angle), np.cos(angle)])
    posterior = np.cross(superior, left)
    top, bottom = (Plane(centre_mm + sign * half_height_mm * superior, superior) for sign in (1, -1))
    return VertebralFrame(centre_mm, left, posterior, superior, top, bottom)


def make_phantom(
    spacing_mm: tuple[float, float, float] = (0.8, 0.8, 1.0),
    tilt_deg: float = 0.0,
    levels: tuple[str, ...] = ("L3",),
    heights_mm: dict[str, float] | None = None,
    shift_mm: float = 0.0,
) -> Phantom:
    """Bodies on a grid of axes left, posterior, superior; partial volume from 27 samples per voxel.

    `shift_mm` moves the grid along z against the bodies; `heights_mm` gives bodies another height.
    """
    heights = heights_mm or {}
    centres = {level: np.array([0.3, -0.2, -PITCH_MM * row]) for row, level in enumerate(levels)}
    low = np.array([-32.0, -28.0, -PITCH_MM * (len(levels) - 1) - 26.0 - shift_mm])
    high = np.array([32.0, 28.0, 26.0])
    columns, rows, depth = (int(np.ceil(size / step)) for size, step in zip(high - low, spacing_mm, strict=True))
    x, y, z = (float(value) for value in low)
    grid = Geometry((depth, rows, columns), spacing_mm, (x, y, z), np.eye(3))
    indices = np.stack(np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij"), axis=-1)

    frames = {level: frame_at(centre, tilt_deg, heights.get(level, 28.0) / 2) for level, centre in centres.items()}
    hu = np.zeros(grid.shape)
    offsets = np.array([-1 / 3, 0.0, 1 / 3])
    for shift in np.stack(np.meshgrid(offsets, offsets, offsets, indexing="ij"), axis=-1).reshape(-1, 3):
        points = grid.points_mm(indices + shift)
        tissue = np.full(grid.shape, SOFT_TISSUE_HU)
        for level, frame in frames.items():
            depth_mm = _depth_mm(frame, points, heights.get(level, 28.0) / 2)
            tissue[depth_mm > 0] = SHELL_HU
            tissue[depth_mm > SHELL_MM] = CORE_HU
        hu += tissue / 27
    labels = np.zeros(grid.shape, np.uint8)
    for level, frame in frames.items():
        labels[_depth_mm(frame, grid.points_mm(indices), heights.get(level, 28.0) / 2) > 0] = LEVELS[level]
    vertebrae = tuple(Vertebra(LEVELS[level], level, frame, 0.9) for level, frame in frames.items())
    spine = SpineDescription("labels", 0.9, vertebrae)
    return Phantom(Volume(hu.astype(np.float32), grid), Volume(labels, grid), spine)


def reoriented(volume: Volume, axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Volume:
    """The same voxels in the same places, stored along other axes: `axes` permutes (z, y, x), `flips` reverses."""
    voxels = volume.voxels.transpose(axes)
    geometry = volume.geometry
    columns_of = [2 - axis for axis in axes][::-1]
    steps = geometry.steps_mm[:, columns_of]
    origin = np.asarray(geometry.origin_mm)
    for axis, is_flipped in enumerate(flips):
        if is_flipped:
            voxels = np.flip(voxels, axis)
            origin = origin + (voxels.shape[axis] - 1) * steps[:, 2 - axis]
            steps[:, 2 - axis] *= -1
    spacing = np.linalg.norm(steps, axis=0)
    depth, rows, columns = voxels.shape
    return Volume(
        np.ascontiguousarray(voxels),
        replace(
            geometry,
            shape=(depth, rows, columns),
            spacing_mm=tuple(float(value) for value in spacing),
            origin_mm=tuple(float(value) for value in origin),
            direction=steps / spacing,
        ),
    )


def _depth_mm(frame: VertebralFrame, points_mm: NDArray[np.float64], half_height_mm: float) -> NDArray[np.float64]:
    """Depth below the nearest surface of the cylinder, positive inside (a lower bound off the axes)."""
    local = frame.to_local_mm(points_mm)
    radius = np.hypot(local[..., 0] / HALF_WIDTH_MM, local[..., 1] / HALF_DEPTH_MM)
    # First-order distance to an ellipse: (1 - r) r / |gradient of r^2| x 2.
    gradient = np.hypot(local[..., 0] / HALF_WIDTH_MM**2, local[..., 1] / HALF_DEPTH_MM**2)
    wall = (1 - radius) * radius / np.maximum(gradient, 1e-9)
    return np.minimum(np.where(radius < 1e-6, HALF_DEPTH_MM, wall), half_height_mm - np.abs(local[..., 2]))
