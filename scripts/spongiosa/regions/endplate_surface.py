"""The shape of an endplate: a dish within a plane rim whose edge is rounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spongiosa.volume import FloatArray

#: The edge between endplate and wall is rounded over this much.  Ours: rims on thin slices look so.  [mm]
RIM_ROUNDING_MM = 2.5

#: Indices of the terms: rim plane (height, tilts), flat-bottomed dish, what the dish deviates from it, and what the rim
#: deviates from a plane (saddle and twist).
PLANE, DISH, SHAPE, WARP = [0, 1, 2], 3, [4, 5, 6, 7, 8], [9, 10]
TERM_COUNT = 11


@dataclass(frozen=True)
class EndplateSurface:
    """Height of an endplate over (left, posterior) in the frame of its body, mm.

    With a and b the coordinates from the middle in half axes, r2 = a2 + b2, D = max(1 - r2, 0), the height is the sum
    of the coefficients times 1, a, b; D (1 + r2); D a, D b, D a2, D a b, D b2; a2 - b2, a b.  A ring of bone about a
    central depression is how endplates are built (the ring apophysis); a polynomial over the whole plate swings out
    at its rim, where heights are measured.
    """

    coefficients_mm: FloatArray
    centre_mm: tuple[float, float]
    half_size_mm: tuple[float, float]

    @classmethod
    def flat(cls, centre_mm: tuple[float, float], half_size_mm: tuple[float, float]) -> EndplateSurface:
        """A surface at height 0 whose dish has this centre and these half axes."""
        return cls(np.zeros(TERM_COUNT), centre_mm, half_size_mm)

    def with_terms(self, coefficients_mm: FloatArray, size: float = 1.0) -> EndplateSurface:
        """The surface with other coefficients, its dish `size` times as wide and as deep from front to back."""
        left, posterior = self.half_size_mm
        return EndplateSurface(coefficients_mm, self.centre_mm, (left * size, posterior * size))

    def height_mm(self, left_mm: FloatArray, posterior_mm: FloatArray) -> FloatArray:
        """Superior coordinate of the surface over points of the frame, any shape, without the edge's rounding.  [mm]"""
        return np.asarray(self.terms(left_mm, posterior_mm) @ self.coefficients_mm)

    def terms(self, left_mm: FloatArray, posterior_mm: FloatArray) -> FloatArray:
        """The surface's terms over points of the frame, shape (..., 11)."""
        a = (left_mm - self.centre_mm[0]) / self.half_size_mm[0]
        b = (posterior_mm - self.centre_mm[1]) / self.half_size_mm[1]
        aa, bb, ab = a * a, b * b, a * b
        dish = np.maximum(1.0 - aa - bb, 0.0)
        dishes = (dish * (1.0 + aa + bb), dish * a, dish * b, dish * aa, dish * ab, dish * bb)
        return np.stack([np.ones_like(a), a, b, *dishes, aa - bb, ab], axis=-1)


def rim_drop_mm(inwards_mm: FloatArray) -> FloatArray:
    """How far the rounded edge lies below the endplate at a distance from the wall, any shape.  [mm]

    The edge is the curve on which the depths s below the wall and d below the plate obey
    4 R d = (R - |s - d|)^2 while s < R, the rounding: tangent to the plate at s = R and symmetrical to the wall.
    """
    missing = np.clip(RIM_ROUNDING_MM - inwards_mm, 0.0, RIM_ROUNDING_MM)
    half_sum = 2 * RIM_ROUNDING_MM - missing
    return np.asarray(half_sum - np.sqrt(half_sum**2 - missing**2))
