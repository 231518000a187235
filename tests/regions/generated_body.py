"""One generated body alone in a scan: the exact shape is known, and it renders in a second."""

from __future__ import annotations

from itertools import product

import numpy as np

from spongiosa.anatomy.frame import Plane, VertebralFrame
from spongiosa.regions.body import VertebralBody
from spongiosa.synthetic.vertebra_shape import BodyShape
from spongiosa.volume import Geometry, Volume

DISC_HU, CORTEX_HU, SPONGY_HU, CORTEX_MM, NOISE_HU = 85.0, 900.0, 120.0, 0.6, 20.0

#: A healthy body: 27 mm in front, 28 behind, waisted by a tenth, its plates dished, wider below.
HEALTHY = BodyShape(22.0, 16.5, 0.03, 13.5, 14.0, -13.5, -14.0, 1.9, 2.7)


def scan_of(shape: BodyShape, slice_mm: float, shift_mm: float, seed: int = 1) -> tuple[Volume, Volume, VertebralBody]:
    """CT, label map (label 22) and body of a shape; 0.8 mm pixels, partial volume from 27 samples per voxel."""
    grid = Geometry((int(44 / slice_mm), 60, 72), (0.8, 0.8, slice_mm), (-28.4, -23.6, -22.0 + shift_mm), np.eye(3))
    indices = np.stack(np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij"), axis=-1)
    hu = np.zeros(grid.shape)
    for shift in product((-1 / 3, 0.0, 1 / 3), repeat=3):
        distance = _distance(shape, grid.points_mm(indices + np.array(shift)))
        hu += np.where(distance > 0, DISC_HU, np.where(distance > -CORTEX_MM, CORTEX_HU, SPONGY_HU)) / 27
    hu += np.random.default_rng(seed).normal(0.0, NOISE_HU, grid.shape)
    mask = _distance(shape, grid.points_mm(indices)) < 0
    planes = []
    for is_superior, sign in ((True, 1.0), (False, -1.0)):
        point, outward = shape.endplate_plane(is_superior)
        planes.append(Plane(point, sign * outward))
    superior = sum(plane.normal for plane in planes)
    superior = superior / np.linalg.norm(superior)
    left = np.array([1.0, 0.0, 0.0])
    frame = VertebralFrame(np.zeros(3), left, np.cross(superior, left), superior, *planes)
    bodies = Volume(np.where(mask, 22, 0).astype(np.uint8), grid)
    return Volume(hu.astype(np.float32), grid), bodies, VertebralBody.of_label(bodies, 22, frame)


def _distance(shape: BodyShape, points_mm: np.ndarray) -> np.ndarray:
    return shape.distances(*np.moveaxis(points_mm.astype(np.float32), -1, 0))[0]
