"""The shapes from which regions are built, each with its depth in mm (see `coverage.Shape`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spongiosa.regions.coverage import PlaneAxes, Shape
from spongiosa.volume import FloatArray


@dataclass(frozen=True)
class EllipticCylinder:
    """An ellipse in a plane, extended along the plane's normal without end."""

    plane: PlaneAxes
    centre_uv_mm: tuple[float, float]
    semi_axes_mm: tuple[float, float]

    @property
    def area_mm2(self) -> float:
        return float(np.pi * self.semi_axes_mm[0] * self.semi_axes_mm[1])

    def depth_mm(self, points_mm: FloatArray) -> FloatArray:
        """(1 - r) min(a, b) with r the elliptic radius: a lower bound of the distance that is exact on the outline."""
        local = self.plane.coordinates_mm(points_mm)
        radius = np.hypot(
            (local[..., 0] - self.centre_uv_mm[0]) / self.semi_axes_mm[0],
            (local[..., 1] - self.centre_uv_mm[1]) / self.semi_axes_mm[1],
        )
        return np.asarray((1.0 - radius) * min(self.semi_axes_mm))

    def outline_mm(self, count: int = 72) -> FloatArray:
        """Points on the ellipse in its plane, LPS, shape (count, 3)."""
        angle = np.linspace(0.0, 2 * np.pi, count, endpoint=False)
        return self.plane.points_mm(
            self.centre_uv_mm[0] + self.semi_axes_mm[0] * np.cos(angle),
            self.centre_uv_mm[1] + self.semi_axes_mm[1] * np.sin(angle),
        )


@dataclass(frozen=True)
class Slab:
    """The points within `half_thickness_mm` of a plane."""

    plane: PlaneAxes
    half_thickness_mm: float

    def depth_mm(self, points_mm: FloatArray) -> FloatArray:
        return np.asarray(self.half_thickness_mm - np.abs(self.plane.coordinates_mm(points_mm)[..., 2]))


@dataclass(frozen=True)
class Intersection:
    """The points that lie in every one of several shapes."""

    parts: tuple[Shape, ...]

    def depth_mm(self, points_mm: FloatArray) -> FloatArray:
        return np.asarray(np.min([part.depth_mm(points_mm) for part in self.parts], axis=0))
