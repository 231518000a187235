"""How far from the wall of a vertebral body points below an endplate lie, from sections of the label map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.regions.body import Endplate, VertebralBody, voxel_extent_mm
from spongiosa.volume import FloatArray

#: The sections lie so far below the endplate [mm]; on thick slices not nearer than this share of a voxel: the last
#: slice of a label map may end before the body does.
DEPTHS_MM, LEAST_DEPTH_VOXELS = (1.5, 3.0, 5.0, 7.0), 0.6

#: Step of the lattice on which a section is sampled, and how far it reaches beyond the body.  [mm]
STEP_MM, BEYOND_MM = 0.5, 1.0


@dataclass(frozen=True)
class WallSections:
    """Distance to the body's wall in sections parallel to a surface.  [mm]

    A body has a waist and widens downwards: its outline below an endplate is not the one that it has elsewhere.
    `inwards_mm` has shape (depths, posterior, left), 0 or less beside the body.
    """

    left_mm: FloatArray
    posterior_mm: FloatArray
    depths_mm: FloatArray
    inwards_mm: FloatArray

    @classmethod
    def below(cls, body: VertebralBody, surface: Endplate, outward: float) -> WallSections:
        """Sections of a body below a surface in its frame; `outward` is 1 for a superior endplate, -1 for an inferior.

        No section lies beyond the middle of the body.  What is inside of a deeper section is inside of every one above
        it: a deeply sunk endplate is cut as a ring, which is open where the label map is thin.
        """
        surfaces = body.surfaces
        left, posterior = (
            np.arange(line[0] - BEYOND_MM, line[-1] + BEYOND_MM + 0.01, STEP_MM)
            for line in (surfaces.left_mm, surfaces.posterior_mm)
        )
        least = LEAST_DEPTH_VOXELS * voxel_extent_mm(body.grid, body.frame.superior)
        depths = np.unique(np.maximum(DEPTHS_MM, least))
        across, behind = np.meshgrid(left, posterior)
        above_middle = outward * surface(across, behind)

        def is_inside(depth: float) -> NDArray[np.bool_]:
            height = outward * np.maximum(above_middle - depth, 0.0)
            return np.asarray(body.depth_mm(body.frame.to_lps_mm(np.stack([across, behind, height], axis=-1))) > 0)

        inside, sections = ndimage.binary_fill_holes(is_inside(np.inf)), []
        for depth in depths[::-1]:
            inside = ndimage.binary_fill_holes(inside | is_inside(depth))
            sections.append(_distance_to_edge_mm(inside))
        return cls(left, posterior, depths, np.stack(sections[::-1]))

    def inwards_at_mm(self, left_mm: FloatArray, posterior_mm: FloatArray, depth_mm: FloatArray) -> FloatArray:
        """Distance to the wall of points at a depth below the surface, each shape (n,); the first section above it."""
        section = np.interp(depth_mm, self.depths_mm, np.arange(len(self.depths_mm)))
        row, column = (posterior_mm - self.posterior_mm[0]) / STEP_MM, (left_mm - self.left_mm[0]) / STEP_MM
        return np.asarray(ndimage.map_coordinates(self.inwards_mm, [section, row, column], order=1, mode="nearest"))

    def outline(self, depth_mm: float) -> tuple[FloatArray, FloatArray]:
        """Left and posterior coordinates of the points inside the section nearest to a depth, each shape (n,).  [mm]"""
        nearest = int(np.abs(self.depths_mm - depth_mm).argmin())
        rows, columns = np.nonzero(self.inwards_mm[nearest] > 0)
        return self.left_mm[columns], self.posterior_mm[rows]


def _distance_to_edge_mm(inside: NDArray[np.bool_]) -> FloatArray:
    padded = np.pad(inside, 1)
    return np.asarray((ndimage.distance_transform_edt(padded)[1:-1, 1:-1] - 0.5) * STEP_MM)
