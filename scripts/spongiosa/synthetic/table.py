"""The patient table under the back, or under the belly of a prone patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spongiosa.synthetic.palette import Palette
from spongiosa.synthetic.sampling import PATIENT_FRAME, Box, Canvas
from spongiosa.synthetic.trunk import Trunk

_HALF_WIDTH_MM = 215.0
_CURVATURE_PER_MM = 1.0 / 1800.0
TABLE_THICKNESS_MM = 28.0
_SHELL_MM = 2.0


@dataclass(frozen=True)
class Table:
    """A concave carbon-fibre sandwich: `surface_y_mm` in the midline, `away` +1 when it lies behind the patient."""

    surface_y_mm: float
    away: float

    @classmethod
    def under(cls, trunk: Trunk, is_prone: bool, gap_mm: float = 0.0) -> Table:
        """The table that the patient lies on, lower by `gap_mm` where a phantom lies between."""
        if is_prone:
            depths = trunk.half_axes(np.linspace(-150.0, 200.0, 30))[1]
            return cls(trunk.back_mm - 2.0 * float(depths.max()) - 9.0 - gap_mm, -1.0)
        return cls(trunk.back_mm + 9.0 + gap_mm, 1.0)

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the table over the air."""
        rise = _CURVATURE_PER_MM * _HALF_WIDTH_MM**2
        ends = sorted(
            [self.surface_y_mm - self.away * (rise + 4.0), self.surface_y_mm + self.away * (TABLE_THICKNESS_MM + 4.0)]
        )
        box = Box((-_HALF_WIDTH_MM - 3.0, ends[0], -2000.0), (_HALF_WIDTH_MM + 3.0, ends[1], 2000.0))
        shell, foam = np.float32(tissues.value("table")), np.float32(tissues.value("table_foam"))
        for window, place in canvas.slabs(PATIENT_FRAME, box):
            x, y = window.u, window.v
            below = (y - np.float32(self.surface_y_mm)) * np.float32(self.away) + np.float32(_CURVATURE_PER_MM) * x * x
            distance = np.maximum(
                np.abs(below - np.float32(TABLE_THICKNESS_MM / 2)) - np.float32(TABLE_THICKNESS_MM / 2),
                np.abs(x) - 215.0,
            )
            outer = window.coverage(distance)
            inner = window.coverage(distance + np.float32(_SHELL_MM))
            canvas.paint(place, outer, (outer - inner) * shell + inner * foam)
