"""A body with two straight elliptic pedicles whose axes and sizes are known, and bone that flares from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spongiosa.regions.body import VertebralBody
from spongiosa.volume import Geometry, Volume

from .vertebral_phantom import HALF_DEPTH_MM, HALF_HEIGHT_MM, HALF_WIDTH_MM, frame_at

#: Half axes of a pedicle across and along the body, and how far it reaches behind the body's wall.
HALF_ACROSS_MM, HALF_UP_MM, LENGTH_MM = 4.5, 7.5, 12.0
SIDEWAYS_MM, UPWARDS_MM, INWARDS_DEG = 17.0, 4.0, 15.0
CORTEX_MM = 1.6
CORTEX_HU, MARROW_HU, SOFT_HU = 700.0, 150.0, 30.0


@dataclass(frozen=True)
class PedicledVertebra:
    """Masks of a whole vertebra, of the same without the marrow of its pedicles, and of its body."""

    whole: VertebralBody
    hollow: VertebralBody
    body: VertebralBody


def axis_of(side: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A point on the axis midway between body and wall, and the direction forwards and inwards, LPS."""
    sign = 1.0 if side == "left" else -1.0
    angle = np.deg2rad(INWARDS_DEG)
    point = np.array([sign * SIDEWAYS_MM, HALF_DEPTH_MM + LENGTH_MM / 2, UPWARDS_MM])
    return point, np.array([-sign * np.sin(angle), -np.cos(angle), 0.0])


def make_pedicles(spacing_mm: tuple[float, float, float] = (0.8, 0.8, 1.0)) -> PedicledVertebra:
    """The vertebra on a grid of axes left, posterior, superior.

    Behind the pedicles lies a plate of bone, and on their outer side a process grows from the hindmost 6 mm: centres of
    whole sections lean outwards there.
    """
    low, high = np.array([-36.0, -20.0, -20.0]), np.array([36.0, 45.0, 20.0])
    columns, rows, depth = (int(np.ceil(size / step)) for size, step in zip(high - low, spacing_mm, strict=True))
    x, y, z = (float(value) for value in low)
    grid = Geometry((depth, rows, columns), spacing_mm, (x, y, z), np.eye(3))
    indices = np.stack(np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij"), axis=-1)
    points = grid.points_mm(indices)
    left, posterior, up = np.moveaxis(points, -1, 0)
    is_body = (np.hypot(left / HALF_WIDTH_MM, posterior / HALF_DEPTH_MM) <= 1.0) & (np.abs(up) <= HALF_HEIGHT_MM)
    behind = posterior - HALF_DEPTH_MM
    is_wall = (behind >= LENGTH_MM) & (behind <= LENGTH_MM + 7) & (np.abs(up - UPWARDS_MM) <= 11)
    whole, marrow = is_body | (is_wall & (np.abs(left) <= 26)), np.zeros_like(is_body)
    for side in ("left", "right"):
        point, direction = axis_of(side)
        offset = points - point
        along = offset @ direction
        across = offset - along[..., None] * direction
        sideways = across @ np.cross(direction, [0.0, 0.0, 1.0])
        radius = np.hypot(sideways / HALF_ACROSS_MM, across[..., 2] / HALF_UP_MM)
        is_near = np.abs(along) <= LENGTH_MM / 2 + 4
        outer = left * np.sign(point[0]) > SIDEWAYS_MM
        process = outer & (behind >= LENGTH_MM - 6) & (behind <= LENGTH_MM) & (np.abs(up - UPWARDS_MM) <= 4)
        whole |= (radius <= 1.0) & is_near | process
        inner = np.hypot(sideways / (HALF_ACROSS_MM - CORTEX_MM), across[..., 2] / (HALF_UP_MM - CORTEX_MM))
        marrow |= (inner <= 1.0) & is_near & ~is_body
    frame = frame_at(np.zeros(3), 0.0)
    masks = (VertebralBody(mask, (0, 0, 0), grid, frame) for mask in (whole, whole & ~marrow, is_body))
    return PedicledVertebra(*masks)


@dataclass(frozen=True)
class ImagedVertebra:
    """The vertebra in coarse voxels: masks of whole and body, the scan, and the label map of the whole (label 1)."""

    whole: VertebralBody
    body: VertebralBody
    scan: Volume
    labels: Volume


def image_pedicles(fine: PedicledVertebra, factors: tuple[int, int, int], first_slice: int = 0) -> ImagedVertebra:
    """Means of blocks of `factors` (x, y, z) voxels of a fine vertebra, from one of its slices on.

    A voxel is bone where at least half of it is.
    """
    grid = fine.whole.grid

    def blocks(field: NDArray[np.float64]) -> NDArray[np.float64]:
        kept = field[first_slice:]
        counts = [size // factor for size, factor in zip(kept.shape, factors[::-1], strict=True)]
        kept = kept[tuple(slice(n * factor) for n, factor in zip(counts, factors[::-1], strict=True))]
        split = kept.reshape(*(part for pair in zip(counts, factors[::-1], strict=True) for part in pair))
        return np.asarray(split.mean(axis=(1, 3, 5)))

    whole, hollow, body = fine.whole.mask, fine.hollow.mask, fine.body.mask
    hu = blocks(np.where(hollow & ~body, CORTEX_HU, np.where(whole, MARROW_HU, SOFT_HU)))
    spacing = np.asarray(grid.spacing_mm)
    origin = np.asarray(grid.origin_mm) + (np.asarray(factors) - 1) / 2 * spacing
    origin[2] += first_slice * spacing[2]
    x, y, z = (float(value) for value in origin)
    dx, dy, dz = (float(value) for value in spacing * factors)
    depth, rows, columns = hu.shape
    coarse = Geometry((depth, rows, columns), (dx, dy, dz), (x, y, z), np.eye(3))
    masks = [VertebralBody(blocks(m.astype(float)) >= 0.5, (0, 0, 0), coarse, fine.whole.frame) for m in (whole, body)]
    return ImagedVertebra(*masks, Volume(hu, coarse), Volume(masks[0].mask.astype(np.int16), coarse))
