"""Signed distances (mm, negative inside) of the solids that the anatomy is made of, and how they join."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.sampling import Box, Floats, Window

FAR_MM = np.float32(1e3)
"""Distance given to samples that a structure was not evaluated for."""


def point_of(position: NDArray[np.float64]) -> tuple[float, float, float]:
    """A position, shape (3,), as the corner of a solid."""
    return float(position[0]), float(position[1]), float(position[2])


def smooth_union(first: Floats, second: Floats, blend_mm: float) -> Floats:
    """Union of two solids whose meeting edge is filleted over `blend_mm`.

    Polynomial smooth minimum: min(a, b) - h^2 / (4 k) with h = max(k - |a - b|, 0).
    """
    overlap = np.maximum(np.float32(blend_mm) - np.abs(first - second), 0.0)
    return np.minimum(first, second) - overlap * overlap * np.float32(0.25 / blend_mm)


def smooth_intersection(first: Floats, second: Floats, blend_mm: float) -> Floats:
    """Intersection of two solids whose edge is rounded over `blend_mm`."""
    overlap = np.maximum(np.float32(blend_mm) - np.abs(first - second), 0.0)
    return np.maximum(first, second) + overlap * overlap * np.float32(0.25 / blend_mm)


_CORE = np.float32(1e-6)
"""Keeps the distance along a ray defined on the axis, where the ray has no direction: there it is the least radius."""


@dataclass(frozen=True)
class Bar:
    """A straight bar with elliptic section and rounded ends, tapering from `start` to `end` (local mm).

    `half_side_mm` is the half axis along `side` (made perpendicular to the bar), `half_other_mm` the one across it;
    both shrink linearly to `taper` of themselves at the end.
    """

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    half_side_mm: float
    half_other_mm: float
    side: tuple[float, float, float] = (1.0, 0.0, 0.0)
    taper: float = 1.0

    def box(self, margin_mm: float = 4.0) -> Box:
        """Bounds with a margin for blending and partial volume."""
        reach = max(self.half_side_mm, self.half_other_mm) * max(1.0, self.taper) + margin_mm
        lower = np.minimum(self.start, self.end) - reach
        upper = np.maximum(self.start, self.end) + reach
        return Box(tuple(lower.tolist()), tuple(upper.tolist()))

    @cached_property
    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
        """Unit vectors along the bar, to its side and across, and its length in mm."""
        along = np.subtract(self.end, self.start)
        length = float(np.linalg.norm(along))
        along = along / length
        side = np.asarray(self.side) - np.dot(self.side, along) * along
        side = side / np.linalg.norm(side)
        return along, side, np.cross(along, side), length

    def distance(self, u: Floats, v: Floats, w: Floats) -> Floats:
        """Distance along the ray from the bar's axis: exact for round bars, close to the surface for flat ones."""
        along, side, other, length = self.axes
        du, dv, dw = (c - np.float32(s) for c, s in zip((u, v, w), self.start, strict=True))
        position = _dot(du, dv, dw, along)
        nearest = np.clip(position, 0.0, np.float32(length))
        excess = position - nearest
        scale = 1.0 + np.float32((self.taper - 1.0) / length) * nearest
        s2 = _dot(du, dv, dw, side) ** 2
        t2 = _dot(du, dv, dw, other) ** 2
        e2 = excess * excess
        small = min(self.half_side_mm, self.half_other_mm)
        q = np.sqrt(
            s2 * np.float32(self.half_side_mm**-2)
            + t2 * np.float32(self.half_other_mm**-2)
            + e2 * np.float32(small**-2)
            + _CORE
        )
        return np.asarray(np.sqrt(s2 + t2 + e2 + _CORE * np.float32(small**2)) * (1.0 - scale / q))


@dataclass(frozen=True)
class Ellipsoid:
    """An axis-aligned ellipsoid in its frame."""

    centre: tuple[float, float, float]
    half_axes_mm: tuple[float, float, float]

    def box(self, margin_mm: float = 4.0) -> Box:
        """Bounds with a margin for partial volume."""
        lower = np.subtract(self.centre, self.half_axes_mm) - margin_mm
        upper = np.add(self.centre, self.half_axes_mm) + margin_mm
        return Box(tuple(lower.tolist()), tuple(upper.tolist()))

    def distance(self, u: Floats, v: Floats, w: Floats) -> Floats:
        """Distance along the ray from the centre."""
        du, dv, dw = (c - np.float32(o) for c, o in zip((u, v, w), self.centre, strict=True))
        a, b, c = (np.float32(1.0 / h) for h in self.half_axes_mm)
        small = np.float32(min(self.half_axes_mm) ** 2)
        q = np.sqrt((du * a) ** 2 + (dv * b) ** 2 + (dw * c) ** 2 + _CORE)
        return np.asarray(np.sqrt(du * du + dv * dv + dw * dw + _CORE * small) * (1.0 - 1.0 / q))


Solid = Bar | Ellipsoid


def _dot(du: Floats, dv: Floats, dw: Floats, direction: NDArray[np.float64]) -> Floats:
    a, b, c = (np.float32(x) for x in direction)
    return np.asarray(a * du + b * dv + c * dw)


def union_distance(window: Window, solids: list[Solid], blend_mm: float, margin_mm: float = 4.0) -> Floats:
    """Distance to the filleted union of solids, each evaluated only near itself; far away it is `FAR_MM`."""
    distance = np.full(window.u.shape, FAR_MM, dtype=np.float32)
    for solid in solids:
        part = window.crop(solid.box(margin_mm))
        u, v, w = window.u[part], window.v[part], window.w[part]
        if u.size:
            distance[part] = smooth_union(distance[part], solid.distance(u, v, w), blend_mm)
    return distance


def bounds(boxes: list[Box]) -> Box:
    """The smallest box around several boxes of one frame."""
    lower = np.min([b.lower for b in boxes], axis=0)
    upper = np.max([b.upper for b in boxes], axis=0)
    return Box(tuple(lower.tolist()), tuple(upper.tolist()))
