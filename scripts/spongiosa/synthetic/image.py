"""An image of a synthetic patient: voxels and their place in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SyntheticImage:
    """Voxels in `(z, y, x)` order on a regular grid in LPS millimetres.

    `voxels` has shape (slices, rows, columns); `spacing_mm` and `origin_mm` are `(x, y, z)`; `direction` is 3 x 3, its
    columns the LPS directions of the column, row and slice index (the convention of ITK).
    """

    voxels: NDArray[np.generic]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: NDArray[np.float64]

    def points_mm(self, indices_zyx: NDArray[np.float64]) -> NDArray[np.float64]:
        """LPS positions, shape (n, 3) as (x, y, z), of continuous voxel indices of shape (n, 3) as (z, y, x)."""
        steps = self.direction * np.asarray(self.spacing_mm)
        points: NDArray[np.float64] = np.asarray(indices_zyx)[:, ::-1] @ steps.T + np.asarray(self.origin_mm)
        return points
