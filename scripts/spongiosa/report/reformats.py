"""Reformats of a scan for review: curved sagittal and coronal views along the spine, and axial views of a vertebra."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.regions.region import RegionSet
from spongiosa.volume import AIR_HU, FloatArray, Volume

LEFT, POSTERIOR, SUPERIOR = np.eye(3)


@dataclass(frozen=True)
class Reformat:
    """A view: LPS points of its pixels, shape (rows, columns, 3), and the edge of a pixel in mm.

    Rows run downwards on the screen, columns to the right.
    """

    points_mm: FloatArray
    pixel_mm: float

    def image(self, volume: Volume) -> NDArray[np.float32]:
        """The scan in this view, linearly interpolated; air outside of it."""
        indices = np.moveaxis(volume.geometry.indices_zyx(self.points_mm), -1, 0)
        values = ndimage.map_coordinates(
            volume.voxels, indices, order=1, mode="constant", cval=AIR_HU, output=np.float32
        )
        return np.asarray(values)

    def labels(self, labels: Volume) -> NDArray[np.integer]:
        """A label map in this view, nearest voxel; 0 outside of it."""
        voxels, is_inside = self._nearest(labels)
        shown = labels.voxels[tuple(np.moveaxis(voxels, -1, 0))]
        return np.where(is_inside, shown, 0)

    def region_masks(
        self, regions: RegionSet, volume: Volume, names: tuple[str, ...]
    ) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Name and pixels of each region that the view cuts (voxels at least half covered), default variant only."""
        voxels, is_inside = self._nearest(volume)
        flat = np.ravel_multi_index(tuple(np.moveaxis(voxels, -1, 0)), volume.geometry.shape)
        for region, weights in regions.placed():
            members = np.sort(weights.indices[weights.weights >= 0.5])
            if region.name not in names or region.variant != "default" or members.size == 0:
                continue
            place = np.minimum(np.searchsorted(members, flat), members.size - 1)
            mask = is_inside & (members[place] == flat)
            if mask.any():
                yield region.name, mask

    def pixel_of(self, point_mm: FloatArray) -> tuple[float, float]:
        """Row and column of the pixel nearest to a point, LPS."""
        distance = np.linalg.norm(self.points_mm - point_mm, axis=-1)
        row, column = np.unravel_index(int(distance.argmin()), distance.shape)
        return float(row), float(column)

    def _nearest(self, volume: Volume) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        voxels = np.rint(volume.geometry.indices_zyx(self.points_mm)).astype(np.int64)
        is_inside = np.asarray(np.all((voxels >= 0) & (voxels < volume.geometry.shape), axis=-1), dtype=np.bool_)
        return np.clip(voxels, 0, np.array(volume.geometry.shape) - 1), is_inside


def along_the_spine(
    centres_mm: FloatArray, top_mm: float, bottom_mm: float, across: FloatArray, half_width_mm: float, pixel_mm: float
) -> Reformat:
    """A view whose every row passes through the spine: `across` is LEFT (coronal) or POSTERIOR (sagittal).

    `centres_mm`, shape (n, 3), LPS, are interpolated along z and continued straight beyond the first and the last.
    The columns are centred on the mean of the centres across the view.
    """
    heights = np.arange(top_mm, bottom_mm, -pixel_mm)
    order = np.argsort(centres_mm[:, 2])
    line = np.stack([np.interp(heights, centres_mm[order, 2], centres_mm[order, axis]) for axis in (0, 1)], axis=-1)
    middle = centres_mm.mean(axis=0)
    offsets = np.arange(-half_width_mm, half_width_mm, pixel_mm)
    points = np.empty((len(heights), len(offsets), 3))
    points[..., :2] = line[:, None, :]
    points[..., 2] = heights[:, None]
    axis = int(np.argmax(across))
    points[..., axis] = middle[axis] + offsets[None, :]
    return Reformat(points, pixel_mm)


def across_the_spine(
    centre_mm: FloatArray, left: FloatArray, posterior: FloatArray, half_size_mm: float, pixel_mm: float
) -> Reformat:
    """A square view across a vertebra, as seen from below: the patient's left is on the right of the screen."""
    offsets = np.arange(-half_size_mm, half_size_mm, pixel_mm)
    points = centre_mm + offsets[None, :, None] * left + offsets[:, None, None] * posterior
    return Reformat(points, pixel_mm)
