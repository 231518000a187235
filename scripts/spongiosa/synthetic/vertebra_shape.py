"""The vertebral body as a signed distance: kidney-shaped, waisted, with dished endplates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.morphometry import VertebraDimensions
from spongiosa.synthetic.sampling import Box, Floats
from spongiosa.synthetic.shapes import smooth_intersection

_ANGLES = 720
_RIM_ROUNDING_MM = 2.5


@dataclass(frozen=True)
class BodyShape:
    """A vertebral body in its own frame (u left, v posterior, w superior; origin at its middle), mm.

    The outline at height w is a superellipse with half axes `half_width` and `half_depth`, indented behind by
    `posterior_concavity` and narrowed in front by `anterior_narrowing`, scaled by the waist. The four heights are the
    w of the endplates' rims in front and behind; the endplates sink towards their middle by the concavities.
    """

    half_width_mm: float
    half_depth_mm: float
    caudal_widening: float
    superior_anterior_mm: float
    superior_posterior_mm: float
    inferior_anterior_mm: float
    inferior_posterior_mm: float
    superior_concavity_mm: float = 1.8
    inferior_concavity_mm: float = 2.6
    waist: float = 0.90
    exponent: float = 2.35
    posterior_concavity: float = 0.10
    anterior_narrowing: float = 0.0

    @property
    def middle_height_mm(self) -> float:
        """Rim-to-rim height at mid-depth."""
        top = self.superior_anterior_mm + self.superior_posterior_mm
        return (top - self.inferior_anterior_mm - self.inferior_posterior_mm) / 2.0

    @property
    def posterior_wall_mm(self) -> float:
        """v of the posterior wall in the midline at mid-height."""
        return self.half_depth_mm * (1.0 - self.posterior_concavity) * self.waist

    def box(self, margin_mm: float = 3.0) -> Box:
        """Bounds of the body."""
        reach = 1.0 + abs(self.caudal_widening) + 0.05
        top = max(self.superior_anterior_mm, self.superior_posterior_mm) + margin_mm
        bottom = min(self.inferior_anterior_mm, self.inferior_posterior_mm) - margin_mm
        u, v = self.half_width_mm * reach + margin_mm, self.half_depth_mm * reach + margin_mm
        return Box((-u, -v, bottom), (u, v, top))

    @cached_property
    def _outline(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Radius per direction (from left over posterior) at scale 1, and its slope dr / (r dtheta)."""
        theta = np.arange(_ANGLES) * 2.0 * np.pi / _ANGLES
        c, s = np.abs(np.cos(theta)), np.abs(np.sin(theta))
        radius = ((c / self.half_width_mm) ** self.exponent + (s / self.half_depth_mm) ** self.exponent) ** (
            -1.0 / self.exponent
        )
        behind = np.arctan2(np.cos(theta), np.sin(theta))
        radius *= 1.0 - self.posterior_concavity * np.exp(-((behind / 0.50) ** 2))
        in_front = np.maximum(-np.sin(theta), 0.0)
        radius *= 1.0 - self.anterior_narrowing * 4.0 * (in_front * (1.0 - in_front))
        slope = (np.roll(radius, -1) - np.roll(radius, 1)) / (4.0 * np.pi / _ANGLES) / radius
        return radius.astype(np.float32), slope.astype(np.float32)

    def section_scale(self, w: Floats) -> Floats:
        """Size of the outline at height w: 1 at the rims, `waist` in the middle, wider below by `caudal_widening`."""
        middle = (self.superior_posterior_mm + self.inferior_posterior_mm) / 2.0
        t = np.clip((w - np.float32(middle)) * np.float32(2.0 / max(self.middle_height_mm, 1.0)), -1.15, 1.15)
        return np.asarray(
            np.float32(self.waist) + np.float32(1.0 - self.waist) * t * t - np.float32(self.caudal_widening) * t
        )

    def endplate_heights(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """w of the superior and the inferior endplate over the points (u, v)."""
        across = v * np.float32(0.5 / self.half_depth_mm)
        r2 = (u * np.float32(1.0 / self.half_width_mm)) ** 2 + (v * np.float32(1.0 / self.half_depth_mm)) ** 2
        dish = np.maximum(1.0 - r2 * np.float32(1.2), 0.0)
        dish = dish * (2.0 - dish)
        top = _between(self.superior_anterior_mm, self.superior_posterior_mm, across)
        bottom = _between(self.inferior_anterior_mm, self.inferior_posterior_mm, across)
        return top - np.float32(self.superior_concavity_mm) * dish, bottom + np.float32(
            self.inferior_concavity_mm
        ) * dish

    def distances(self, u: Floats, v: Floats, w: Floats) -> tuple[Floats, Floats, Floats]:
        """Signed distance to the body, to its wall and to its nearer endplate, mm."""
        radius_table, slope_table = self._outline
        angle = np.arctan2(v, u)
        index = (angle * np.float32(_ANGLES / (2.0 * np.pi)) + np.float32(_ANGLES)).astype(np.int32) % _ANGLES
        scale = self.section_scale(w)
        wall = (np.sqrt(u * u + v * v) - radius_table[index] * scale) / np.sqrt(1.0 + slope_table[index] ** 2)
        top, bottom = self.endplate_heights(u, v)
        cap = np.maximum(w - top, bottom - w)
        return smooth_intersection(wall, cap, _RIM_ROUNDING_MM), wall, cap

    def endplate_plane(self, superior: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Least-squares plane of an endplate's outer surface: a point over the body's axis and the outward normal."""
        u, v = (
            g.ravel()
            for g in np.meshgrid(
                np.linspace(-self.half_width_mm, self.half_width_mm, 61),
                np.linspace(-self.half_depth_mm, self.half_depth_mm, 61),
            )
        )
        top, bottom = self.endplate_heights(u, v)
        w = top if superior else bottom
        inside = self.distances(u, v, w)[1] < 0.0
        design = np.column_stack([np.ones(inside.sum()), u[inside], v[inside]])
        offset, du, dv = np.linalg.lstsq(design, w[inside], rcond=None)[0]
        normal = np.array([-du, -dv, 1.0]) * (1.0 if superior else -1.0)
        return np.array([0.0, 0.0, offset]), normal / np.linalg.norm(normal)


def _between(anterior: float, posterior: float, across: Floats) -> Floats:
    """Linear from the anterior rim (across = -1/2) to the posterior rim (+1/2)."""
    return np.float32((anterior + posterior) / 2.0) + np.float32(posterior - anterior) * across


def body_shape(level: str, size: VertebraDimensions) -> BodyShape:
    """The healthy body of a level."""
    is_thoracic = level.startswith("T")
    widening = (size.inferior_width_mm - size.superior_width_mm) / (size.inferior_width_mm + size.superior_width_mm)
    return BodyShape(
        half_width_mm=(size.superior_width_mm + size.inferior_width_mm) / 4.0,
        half_depth_mm=(size.superior_depth_mm + size.inferior_depth_mm) / 4.0,
        caudal_widening=widening,
        superior_anterior_mm=size.anterior_height_mm / 2.0,
        superior_posterior_mm=size.posterior_height_mm / 2.0,
        inferior_anterior_mm=-size.anterior_height_mm / 2.0,
        inferior_posterior_mm=-size.posterior_height_mm / 2.0,
        superior_concavity_mm=1.2 if is_thoracic else 1.9,
        inferior_concavity_mm=1.6 if is_thoracic else 2.7,
        posterior_concavity={"L4": 0.06, "L5": 0.03}.get(level, 0.10),
        anterior_narrowing=0.10 if is_thoracic and level not in ("T11", "T12") else 0.0,
    )
