"""Geometry that somebody else placed in the patient, given as shapes in LPS mm, and the field over exactly that.

With the ideal region and the placed one both known, the error of measuring and the error of placing come apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


class Shape(Protocol):
    """A region of space."""

    def samples(self, step_mm: float) -> tuple[Points, NDArray[np.float64]]:
        """LPS points, shape (n, 3), that fill the region about `step_mm` apart, and their weights, shape (n,)."""


@dataclass(frozen=True)
class Ellipse:
    """A plane ellipse, or with `thickness_mm` an elliptic slab about its plane; half axes are vectors, LPS mm."""

    centre_mm: NDArray[np.float64]
    first_half_axis_mm: NDArray[np.float64]
    second_half_axis_mm: NDArray[np.float64]
    thickness_mm: float = 0.0

    @property
    def area_mm2(self) -> float:
        """Area of the ellipse."""
        return float(np.pi * np.linalg.norm(self.first_half_axis_mm) * np.linalg.norm(self.second_half_axis_mm))

    def scaled(self, factor: float, thickness_mm: float = 0.0) -> Ellipse:
        """The same ellipse with its half axes times `factor`, as a slab of the given thickness."""
        return Ellipse(
            self.centre_mm, self.first_half_axis_mm * factor, self.second_half_axis_mm * factor, thickness_mm
        )

    def samples(self, step_mm: float) -> tuple[Points, NDArray[np.float64]]:
        """A lattice in the plane, repeated across the thickness."""
        a, b = (float(np.linalg.norm(v)) for v in (self.first_half_axis_mm, self.second_half_axis_mm))
        s, t = np.meshgrid(_centred(2 * a, step_mm) / a, _centred(2 * b, step_mm) / b)
        inside = s * s + t * t <= 1.0
        plane = self.centre_mm + s[inside, None] * self.first_half_axis_mm + t[inside, None] * self.second_half_axis_mm
        normal = np.cross(self.first_half_axis_mm, self.second_half_axis_mm)
        normal /= np.linalg.norm(normal)
        across = _centred(self.thickness_mm, step_mm) if self.thickness_mm > 0.0 else np.zeros(1)
        return _even((plane[None] + across[:, None, None] * normal).reshape(-1, 3))


@dataclass(frozen=True)
class Cylinder:
    """A round cylinder from `start_mm` to `end_mm`, LPS mm."""

    start_mm: NDArray[np.float64]
    end_mm: NDArray[np.float64]
    radius_mm: float

    def samples(self, step_mm: float) -> tuple[Points, NDArray[np.float64]]:
        """A lattice in the section, repeated along the axis."""
        axis = self.end_mm - self.start_mm
        length = float(np.linalg.norm(axis))
        first = np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.9 * length else [1.0, 0.0, 0.0])
        first *= self.radius_mm / np.linalg.norm(first)
        second = np.cross(axis / length, first)
        return Ellipse(self.start_mm + axis / 2.0, first, second, length).samples(step_mm)


@dataclass(frozen=True)
class Parallelepiped:
    """A box about `centre_mm` spanned by three half edges (rows of `half_edges_mm`, LPS mm); flat ones may be zero."""

    centre_mm: NDArray[np.float64]
    half_edges_mm: NDArray[np.float64]

    def samples(self, step_mm: float) -> tuple[Points, NDArray[np.float64]]:
        """A lattice along the three edges."""
        lengths = np.linalg.norm(self.half_edges_mm, axis=1)
        along = [_centred(2 * n, step_mm) / n if n > 0.0 else np.zeros(1) for n in lengths]
        lattice = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, 3)
        return _even(self.centre_mm + lattice @ self.half_edges_mm)


@dataclass(frozen=True)
class Voxels:
    """Weighted voxels: centres (n, 3), weights (n,), and the three edges of a voxel as columns of `steps_mm`."""

    centres_mm: NDArray[np.float64]
    weights: NDArray[np.float64]
    steps_mm: NDArray[np.float64]

    def samples(self, step_mm: float) -> tuple[Points, NDArray[np.float64]]:
        """Each voxel filled with points no further apart than about `step_mm`."""
        counts = np.maximum(1, np.ceil(np.linalg.norm(self.steps_mm, axis=0) / step_mm).astype(int))
        offsets = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
        inner = np.stack(np.meshgrid(*offsets, indexing="ij"), axis=-1).reshape(-1, 3) @ self.steps_mm.T
        points = (self.centres_mm[:, None] + inner[None]).reshape(-1, 3)
        return points, np.repeat(self.weights / len(inner), len(inner))


def _centred(length: float, step: float) -> NDArray[np.float64]:
    """Midpoints of equal cells, about `step` long, that divide a length about zero."""
    count = max(1, round(length / step))
    return ((np.arange(count) + 0.5) / count - 0.5) * length


def _even(points: Points) -> tuple[Points, NDArray[np.float64]]:
    return points, np.full(len(points), 1.0 / max(len(points), 1))
