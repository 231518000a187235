"""Where the vertebral column lies in each slice, as the landmark for the soft tissues around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.levels import Level
from spongiosa.regions.tissue_grid import Mask, TissueGrid
from spongiosa.volume import FloatArray

#: The vessels fork in front of this vertebra or the next, so that nothing below its body is looked at.
LOWEST_LEVEL = Level.L4


@dataclass(frozen=True)
class SpineInSlices:
    """Front and middle of the vertebral column in each slice of the grid, in blocks: interpolated over the discs.

    `is_above_fork`: above any body below L4, where aorta and vena cava are single; `is_lumbar`: below any thoracic
    body.  Bodies of unknown level limit neither.
    """

    front_row: FloatArray
    column: FloatArray
    is_above_fork: Mask
    is_lumbar: Mask

    @classmethod
    def of(cls, grid: TissueGrid) -> SpineInSlices:
        """From the labels of the bodies.  Raises `ValueError` when there are none."""
        heights = np.flatnonzero((grid.bodies > 0).any(axis=(1, 2)))
        if heights.size == 0:
            raise ValueError("no vertebral body is marked")
        fronts, columns = [], []
        for k in heights:
            rows, cols = np.nonzero(grid.bodies[k])
            fronts.append(np.percentile(rows, 2))
            columns.append(cols.mean())
        every = np.arange(grid.bodies.shape[0])
        below = [k for k in heights if _shows(grid.bodies[k], LOWEST_LEVEL + 1, Level.S1)]
        thoracic = [k for k in heights if _shows(grid.bodies[k], Level.T1, Level.T12)]
        fork = max(below, default=-1)
        diaphragm = min(thoracic, default=len(every))
        smooth = max(1.0, 8.0 / grid.spacing_mm[0])
        front, column = (np.interp(every, heights, values) for values in (fronts, columns))
        front, column = (ndimage.gaussian_filter1d(values, smooth, mode="nearest") for values in (front, column))
        return cls(front, column, every > fork, every < diaphragm)

    def beside(self, grid: TissueGrid, side_mm: tuple[float, float], behind_mm: tuple[float, float]) -> Mask:
        """The blocks on both sides of the spine, by distance from its middle and behind the front of its bodies."""
        _, dy, dx = grid.spacing_mm
        side = np.abs(np.arange(grid.hu.shape[2])[None, :] - self.column[:, None]) * dx
        behind = (np.arange(grid.hu.shape[1])[None, :] - self.front_row[:, None]) * dy
        across = (side >= side_mm[0]) & (side <= side_mm[1])
        along = (behind >= behind_mm[0]) & (behind <= behind_mm[1])
        return np.asarray(across[:, None, :] & along[:, :, None])


def _shows(bodies: NDArray[Any], lowest_label: int, highest_label: int) -> bool:
    """Whether a slice shows a body with a label in this range."""
    return bool(((bodies >= lowest_label) & (bodies <= highest_label)).any())
