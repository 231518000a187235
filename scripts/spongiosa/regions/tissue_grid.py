"""The trunk on a coarse grid, in which reference tissues are looked for, and the way back to the voxels of the scan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.regions.coverage import VoxelWeights
from spongiosa.volume import FloatArray, Geometry, Volume

Mask = NDArray[np.bool_]

#: Size of the blocks of voxels that are averaged: fine enough for a vessel, coarse enough against noise.  [mm]
IN_PLANE_MM, AXIAL_MM = 1.7, 3.0

#: Most layers of blocks; a longer spine gets thicker ones.
MOST_LAYERS = 64

#: Tissue beyond the ends of the spine in view that is looked at.  [mm]
REACH_MM = 15.0


@dataclass(frozen=True)
class TissueGrid:
    """Block averages of a scan, its axes turned to (superior, posterior, left), over the height of the spine.

    `hu` float32 (z, y, x), index rising towards superior, posterior and left; `is_image` marks blocks without padding;
    `bodies` and `vertebrae` hold the labels at the middle of each block; `spacing_mm` is (z, y, x).
    """

    hu: NDArray[np.float32]
    is_image: Mask
    bodies: NDArray[Any]
    vertebrae: NDArray[Any]
    spacing_mm: tuple[float, float, float]
    scan: Volume
    _axes: tuple[int, int, int]
    _steps: tuple[int, int, int]
    _factors: tuple[int, int, int]
    _start_z: int

    @classmethod
    def of(cls, scan: Volume, vertebrae: Volume, bodies: Volume) -> TissueGrid | None:
        """The grid of a scan; None when no vertebral body is marked.  All three volumes share one grid."""
        axes, steps = _turn_to_lps(scan.geometry)
        hu, labels, body_labels = (_turned(v.voxels, axes, steps) for v in (scan, vertebrae, bodies))
        spacing = tuple(float(scan.geometry.spacing_mm[2 - axis]) for axis in axes)
        heights = np.flatnonzero(body_labels.any(axis=(1, 2)))
        if heights.size == 0:
            return None
        reach = int(np.ceil(REACH_MM / spacing[0]))
        low, high = max(int(heights[0]) - reach, 0), min(int(heights[-1]) + 1 + reach, hu.shape[0])
        axial_mm = max(AXIAL_MM, (high - low) * spacing[0] / MOST_LAYERS)
        wanted = (axial_mm, IN_PLANE_MM, IN_PLANE_MM)
        factors = tuple(
            min(max(1, round(w / s)), n) for w, s, n in zip(wanted, spacing, (high - low, *hu.shape[1:]), strict=True)
        )
        hu, labels, body_labels = (array[low:high] for array in (hu, labels, body_labels))
        return cls(
            hu=_block_means(hu, factors),
            is_image=_is_image(hu, factors),
            bodies=_block_middles(body_labels, factors),
            vertebrae=_block_middles(labels, factors),
            spacing_mm=(spacing[0] * factors[0], spacing[1] * factors[1], spacing[2] * factors[2]),
            scan=scan,
            _axes=axes,
            _steps=steps,
            _factors=(factors[0], factors[1], factors[2]),
            _start_z=low,
        )

    @property
    def voxel_mm3(self) -> float:
        """Volume of a block.  [mm3]"""
        return float(np.prod(self.spacing_mm))

    @cached_property
    def smooth_hu(self) -> NDArray[np.float32]:
        """Block averages, smoothed in the slice with a Gaussian of 1.5 mm."""
        return np.asarray(ndimage.gaussian_filter(self.hu, (0.0, 1.5 / self.spacing_mm[1], 1.5 / self.spacing_mm[2])))

    def depth_mm(self, mask: Mask) -> NDArray[np.float32]:
        """Distance in the slice of each block in `mask` to the nearest outside; 0 outside.  [mm]

        The edge of the image counts as inside: what lies beyond it is not known.
        """
        depth = np.zeros(mask.shape, dtype=np.float32)
        for k, section in enumerate(mask):
            if section.all():
                depth[k] = np.inf
            elif section.any():
                depth[k] = ndimage.distance_transform_edt(section, sampling=self.spacing_mm[1:])
        return depth

    def weights(self, mask: Mask) -> VoxelWeights:
        """The voxels of the scan in the blocks of `mask`, each with weight 1."""
        offsets = np.stack(np.meshgrid(*(np.arange(n) for n in self._factors), indexing="ij"), axis=-1).reshape(-1, 3)
        turned = (np.argwhere(mask)[:, None, :] * np.asarray(self._factors) + offsets).reshape(-1, 3)
        turned[:, 0] += self._start_z
        shape = self.scan.geometry.shape
        places = [np.empty(0, dtype=np.int64)] * 3
        for column, (axis, step) in enumerate(zip(self._axes, self._steps, strict=True)):
            places[axis] = turned[:, column] if step > 0 else shape[axis] - 1 - turned[:, column]
        indices = np.sort(np.ravel_multi_index(tuple(places), shape)).astype(np.int64)
        return VoxelWeights(indices, np.ones(indices.size, dtype=np.float32))

    def voxel_hu(self, weights: VoxelWeights) -> FloatArray:
        """HU of the scan's voxels that `weights` names."""
        return np.asarray(self.scan.voxels.reshape(-1)[weights.indices], dtype=np.float64)


def _turn_to_lps(geometry: Geometry) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Array axes that run closest to z, y, x of LPS, and the step (+1 or -1) that makes each rise."""
    direction = np.asarray(geometry.direction)
    axes, steps = [], []
    for patient_axis in (2, 1, 0):
        free = [k for k in range(3) if 2 - k not in axes]
        column = free[int(np.argmax(np.abs(direction[patient_axis, free])))]
        axes.append(2 - column)
        steps.append(1 if direction[patient_axis, column] > 0 else -1)
    return (axes[0], axes[1], axes[2]), (steps[0], steps[1], steps[2])


def _turned(array: NDArray[Any], axes: tuple[int, int, int], steps: tuple[int, int, int]) -> NDArray[Any]:
    """A view of `array` with its axes in the order z, y, x of LPS, rising."""
    return array.transpose(axes)[:: steps[0], :: steps[1], :: steps[2]]


def _block_means(hu: NDArray[Any], factors: tuple[int, ...]) -> NDArray[np.float32]:
    counts = [size // factor for size, factor in zip(hu.shape, factors, strict=True)]
    whole = hu[tuple(slice(0, count * factor) for count, factor in zip(counts, factors, strict=True))]
    depth, rows, columns = factors
    means = np.empty(counts, dtype=np.float32)
    for k in range(counts[0]):
        layer = whole[k * depth : (k + 1) * depth].mean(axis=0, dtype=np.float32)
        means[k] = layer.reshape(counts[1], rows, counts[2], columns).mean(axis=(1, 3))
    return means


def _block_middles(labels: NDArray[Any], factors: tuple[int, ...]) -> NDArray[Any]:
    counts = [size // factor for size, factor in zip(labels.shape, factors, strict=True)]
    places = [np.arange(count) * factor + factor // 2 for count, factor in zip(counts, factors, strict=True)]
    return np.ascontiguousarray(labels[np.ix_(*places)])


def _is_image(hu: NDArray[Any], factors: tuple[int, ...]) -> Mask:
    """Blocks that hold no padding: connected pixels with the value of a constant corner, 3 x 3 at least somewhere.

    Measured air is never constant, unless the scanner cut it off at the end of its scale, and then it is of no use.
    """
    counts = [size // factor for size, factor in zip(hu.shape, factors, strict=True)]
    is_image = np.ones(counts, dtype=bool)
    before, padding = None, None
    for k in range(counts[0]):
        section = hu[k * factors[0] + factors[0] // 2]
        same = _like_constant_corners(section)
        if same is None:
            continue
        if before is None or padding is None or not np.array_equal(same, before):
            components, _ = ndimage.label(same)
            constant = ndimage.binary_opening(same, structure=np.ones((3, 3), dtype=bool))
            padding = np.isin(components, np.unique(components[constant]))
            before = same
        whole = padding[: counts[1] * factors[1], : counts[2] * factors[2]]
        is_image[k] = ~whole.reshape(counts[1], factors[1], counts[2], factors[2]).any(axis=(1, 3))
    return is_image


def _like_constant_corners(section: NDArray[Any]) -> Mask | None:
    """The pixels with the value of a corner whose 3 x 3 pixels are all alike; None when no corner's are."""
    ends = (slice(0, 3), slice(-3, None))
    corners = [section[rows, columns] for rows in ends for columns in ends]
    values = {int(corner.flat[0]) for corner in corners if (corner == corner.flat[0]).all()}
    return np.isin(section, list(values)) if values else None
