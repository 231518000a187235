"""The shapes from which regions are built, each with its depth in mm (see `coverage.Shape`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

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


@dataclass(frozen=True)
class HalfSpace:
    """The points on the side of a plane to which `inward`, a unit LPS vector, points."""

    point_mm: FloatArray
    inward: FloatArray

    def depth_mm(self, points_mm: FloatArray) -> FloatArray:
        return np.asarray((points_mm - self.point_mm) @ self.inward)


@dataclass(frozen=True)
class Cylinder:
    """A round cylinder from `start_mm` along the unit `direction` for `length_mm`, LPS."""

    start_mm: FloatArray
    direction: FloatArray
    length_mm: float
    radius_mm: float

    def depth_mm(self, points_mm: FloatArray) -> FloatArray:
        offset = points_mm - self.start_mm
        along = offset @ self.direction
        across = np.linalg.norm(offset - along[..., None] * self.direction, axis=-1)
        return np.asarray(np.minimum(self.radius_mm - across, np.minimum(along, self.length_mm - along)))

    def corners_mm(self) -> FloatArray:
        """Points whose bounding box holds the cylinder, LPS."""
        ends = self.start_mm + np.outer([0.0, self.length_mm], self.direction)
        return np.concatenate([ends - self.radius_mm, ends + self.radius_mm])


@dataclass(frozen=True)
class PlanarArea:
    """An area of a plane given on a grid, extended along the plane's normal without end.

    `signed_mm` has shape (len(v), len(u)): distance to the area's edge, positive inside.
    """

    axes: PlaneAxes
    u_mm: FloatArray
    v_mm: FloatArray
    signed_mm: FloatArray
    area_mm2: float

    @classmethod
    def of(cls, axes: PlaneAxes, u_mm: FloatArray, v_mm: FloatArray, area: NDArray[np.bool_]) -> PlanarArea:
        """From the cells of an even grid that belong to the area."""
        step = float(u_mm[1] - u_mm[0])
        # Half a step from the last centre inside to the edge of its cell.
        inside = ndimage.distance_transform_edt(area, sampling=step) - step / 2
        outside = ndimage.distance_transform_edt(~area, sampling=step) - step / 2
        signed = np.where(area, inside, -outside)
        return cls(axes, u_mm, v_mm, signed, float(area.sum()) * step**2)

    def depth_mm(self, points_mm: FloatArray) -> FloatArray:
        local = self.axes.coordinates_mm(points_mm)
        step = self.u_mm[1] - self.u_mm[0]
        places = np.stack([(local[..., 1] - self.v_mm[0]) / step, (local[..., 0] - self.u_mm[0]) / step])
        return np.asarray(ndimage.map_coordinates(self.signed_mm, places, order=1, mode="nearest"))

    def outline_mm(self) -> FloatArray:
        """Corners of the area's bounding rectangle, LPS, shape (4, 3)."""
        rows, columns = np.nonzero(self.signed_mm > 0)
        u = self.u_mm[[columns.min(), columns.max(), columns.max(), columns.min()]]
        v = self.v_mm[[rows.min(), rows.min(), rows.max(), rows.max()]]
        return self.axes.points_mm(u, v)
