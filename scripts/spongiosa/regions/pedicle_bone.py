"""The bone about the pedicles: a whole vertebra whose pedicles are filled, and how far it reaches between voxels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.regions.body import VertebralBody
from spongiosa.volume import FloatArray

#: A label map steps from voxel to voxel: smoothed by this much, its surface lies between them.  In voxels of 3 mm a
#: pedicle is 3 voxels wide, and its axis would snap to theirs; there the smoothing follows the voxel.  [mm, voxels]
SMOOTHING_MM, SMOOTHING_VOXELS = 0.8, 0.8
_BORDER = 4

#: Marrow that a label map left out of a pedicle: beside the canal, behind the front of the pedicle, and in one section
#: no larger than the widest pedicle of L5 (coronal) or pedicle and joint together (sagittal).  [mm, mm, mm2, mm2]
CANAL_HALF_WIDTH_MM, BEFORE_WALL_MM = 6.0, 4.0
LARGEST_CORONAL_MM2, LARGEST_SAGITTAL_MM2 = 250.0, 450.0
#: Sections that stay open are bridged between their neighbours over this distance.  [mm]
BRIDGE_MM = 5.0


@dataclass(frozen=True)
class PedicleBone:
    """A whole vertebra without the gaps that a label map may have in the marrow of its pedicles."""

    solid: VertebralBody

    @classmethod
    def of(cls, vertebra: VertebralBody, body: VertebralBody) -> PedicleBone:
        """From the mask of a whole vertebra and its body, on one grid and with one frame.

        Maps made by thresholds show poor bone as a shell: the marrow of the pedicles is as dark as muscle.  Holes in
        sections across and along the pedicles are bone; the canal is open in both.
        """
        mask = vertebra.mask
        gaps = _gaps(mask, vertebra, body)
        if not gaps.any():
            return cls(vertebra)
        # Sections whose rim is open between sections that are filled: bridged from front to back, then filled too.
        bridged = mask | gaps | _bridges(mask | gaps, gaps, vertebra, body)
        filled = bridged | _gaps(bridged, vertebra, body)
        return cls(VertebralBody(filled, vertebra.lower, vertebra.grid, vertebra.frame))

    @cached_property
    def _filling(self) -> NDArray[np.float32]:
        sigma = [max(SMOOTHING_MM / step, SMOOTHING_VOXELS) for step in self.solid.grid.spacing_mm[::-1]]
        padded = np.pad(self.solid.mask, _BORDER).astype(np.float32)
        return np.asarray(ndimage.gaussian_filter(padded, sigma, mode="constant"))

    def excess(self, points_mm: FloatArray) -> FloatArray:
        """Share of bone about LPS points, shape (..., 3), beyond one half: positive inside, zero on the surface."""
        first = np.asarray(self.solid.lower) - _BORDER
        places = np.moveaxis(self.solid.grid.indices_zyx(points_mm) - first, -1, 0)
        share = ndimage.map_coordinates(self._filling, places, order=1, mode="constant", cval=0.0)
        return np.asarray(share, dtype=np.float64) - 0.5


def _bridges(
    mask: NDArray[np.bool_], gaps: NDArray[np.bool_], vertebra: VertebralBody, body: VertebralBody
) -> NDArray[np.bool_]:
    """The voxels between filled gaps in front and bone behind, or the other way round, up to `BRIDGE_MM` apart."""
    axis = _axis_along(vertebra, body.frame.posterior)
    count = max(round(BRIDGE_MM / vertebra.grid.spacing_mm[2 - axis]), 1)
    line = np.ones([count + 1 if other == axis else 1 for other in range(3)], dtype=bool)
    reach = np.ones([2 * count + 1 if other == axis else 1 for other in range(3)], dtype=bool)
    padding = [(count + 1, count + 1) if other == axis else (0, 0) for other in range(3)]
    within = tuple(slice(count + 1, -count - 1) if other == axis else slice(None) for other in range(3))
    closed = ndimage.binary_closing(np.pad(mask, padding), line)[within]
    return np.asarray(closed & ~mask & ndimage.binary_dilation(gaps, reach))


def _axis_along(vertebra: VertebralBody, towards: FloatArray) -> int:
    """The index axis (z = 0) of a crop that runs most along an LPS direction."""
    return 2 - int(np.argmax(np.abs(np.asarray(vertebra.grid.direction).T @ towards)))


def _gaps(mask: NDArray[np.bool_], vertebra: VertebralBody, body: VertebralBody) -> NDArray[np.bool_]:
    """The voxels of a mask on the crop of `vertebra` that lie in holes of its pedicles."""
    frame = body.frame
    _, wall = body.midline_edges_mm
    gaps = np.zeros_like(mask)
    for towards, largest_mm2 in ((frame.posterior, LARGEST_CORONAL_MM2), (frame.left, LARGEST_SAGITTAL_MM2)):
        axis = _axis_along(vertebra, towards)
        steps = np.delete(np.asarray(vertebra.grid.spacing_mm)[::-1], axis)
        for number in range(mask.shape[axis]):
            for hole in _holes(np.moveaxis(mask, axis, 0)[number]):
                voxels = np.insert(np.argwhere(hole), axis, number, axis=1)
                left, posterior, _ = frame.to_local_mm(
                    vertebra.grid.points_mm(voxels.mean(axis=0)[None] + np.asarray(vertebra.lower))
                )[0]
                is_beside_the_canal = abs(left) >= CANAL_HALF_WIDTH_MM and posterior >= wall - BEFORE_WALL_MM
                if is_beside_the_canal and len(voxels) * float(np.prod(steps)) <= largest_mm2:
                    gaps[tuple(voxels.T)] = True
    return gaps


def _holes(section: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """The holes of a section, and those of the section whose rim has gaps of up to two voxels, with these gaps."""
    if not section.any():
        return
    own = ndimage.binary_fill_holes(section) & ~section
    closed = ndimage.binary_closing(np.pad(section, 1), np.ones((3, 3), bool))[1:-1, 1:-1] | section
    filled = ndimage.binary_fill_holes(closed)
    holes = own | (filled & ~closed)
    if not holes.any():
        return
    parts, _ = ndimage.label(filled & ~section)
    for label in np.unique(parts[holes]):
        if label > 0:
            yield parts == label
