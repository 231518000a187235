"""One vertebra of the continuous field: shape, cortical shell and trabecular core."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spongiosa.synthetic.palette import Palette
from spongiosa.synthetic.pathology import Lesion
from spongiosa.synthetic.posterior_elements import PedicleAxis
from spongiosa.synthetic.sampling import Box, Canvas, Floats, Frame, Window
from spongiosa.synthetic.shapes import Solid, bounds, smooth_union, union_distance
from spongiosa.synthetic.texture import noise_at
from spongiosa.synthetic.vertebra_shape import BodyShape

_PEDICLE_FILLET_MM = 2.5


@dataclass(frozen=True)
class BoneTexture:
    """Mineral of the spongy bone of one vertebra."""

    density_mg_cm3: float
    posterior_density_mg_cm3: float
    marrow_fat_fraction: float
    sd_mg_cm3: float
    correlation_mm: float
    seed: int


@dataclass(frozen=True)
class CorticalThickness:
    """Thickness of the compact bone, mm."""

    wall_mm: float
    endplate_mm: float
    posterior_mm: float
    variation: float


@dataclass(frozen=True)
class Vertebra:
    """A vertebra in place."""

    level: str
    label: int
    frame: Frame
    body: BodyShape
    arch: list[Solid]
    pedicles: dict[str, PedicleAxis]
    bone: BoneTexture
    cortex: CorticalThickness
    spurs: list[Solid] = field(default_factory=list)
    lesions: tuple[Lesion, ...] = ()
    has_basivertebral_vein: bool = True

    def box(self) -> Box:
        """Bounds of the whole vertebra in its frame."""
        return bounds([self.body.box(), *(solid.box() for solid in (*self.arch, *self.spurs))])

    def distances(self, window: Window) -> tuple[Floats, Floats, Floats, Floats]:
        """Signed distance to the whole vertebra, to the body, to the arch, and the cortical thickness there."""
        arch = union_distance(window, [*self.arch, *self.spurs], _PEDICLE_FILLET_MM)
        body = np.full_like(arch, 1e3)
        thickness = np.full_like(arch, self.cortex.posterior_mm)
        part = window.crop(self.body.box())
        u, v, w = window.u[part], window.v[part], window.w[part]
        if u.size:
            distance, wall, cap = self.body.distances(u, v, w)
            body[part] = distance
            shell = np.where(wall > cap, np.float32(self.cortex.wall_mm), np.float32(self.cortex.endplate_mm))
            thickness[part] = np.where(distance < arch[part], shell, thickness[part])
        whole = smooth_union(body, arch, _PEDICLE_FILLET_MM)
        near = np.abs(whole) < 3.0
        patches = noise_at(window.u[near], window.v[near], window.w[near], 3.0, self.bone.seed + 2)
        thickness[near] *= np.clip(1.0 + np.float32(self.cortex.variation) * patches, 0.3, 2.5)
        return whole, body, arch, thickness

    def density(self, u: Floats, v: Floats, w: Floats) -> Floats:
        """Density of the spongy bone of the body at points, mg/cm3: regional trend, texture, basivertebral vein.

        Denser behind and towards the endplates, poorer in front at mid-height (Hulme et al., Bone 2007;41:946-957,
        direction of the gradients; size rounded).
        """
        body = self.body
        along = w * np.float32(2.0 / max(body.middle_height_mm, 1.0))
        back = v * np.float32(1.0 / body.half_depth_mm)
        trend = 1.0 + 0.08 * back + 0.07 * (np.minimum(along * along, 1.2) - np.float32(0.2)) - 0.03 * along
        grain = noise_at(u, v, w, self.bone.correlation_mm, self.bone.seed)
        patches = noise_at(u, v, w, 6.0, self.bone.seed + 1)
        density = self.bone.density_mg_cm3 * (trend + 0.05 * patches) + self.bone.sd_mg_cm3 * grain
        if self.has_basivertebral_vein:
            density *= 1.0 - 0.60 * self._vein(u, v, w)
        return np.asarray(np.maximum(density, 0.0).astype(np.float32))

    def _vein(self, u: Floats, v: Floats, w: Floats) -> Floats:
        """1 inside the basivertebral vein, fading over its wall: a funnel from the posterior wall to the middle."""
        inwards = (np.float32(self.body.posterior_wall_mm) - v) * np.float32(1.0 / self.body.half_depth_mm)
        radius = np.float32(3.0) - np.float32(2.0) * np.clip(inwards, 0.0, 1.0)
        flattened = np.sqrt((u * np.float32(0.6)) ** 2 + w * w)
        within = np.clip((radius - flattened) * np.float32(0.5) + np.float32(0.5), 0.0, 1.0)
        return np.asarray(within * np.clip((np.float32(0.60) - inwards) * np.float32(2.5), 0.0, 1.0))

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the vertebra over the canvas and mark it in the label maps."""
        found = canvas.window(self.frame, self.box())
        if found is None:
            return
        window, place = found
        whole, body, arch, thickness = self.distances(window)
        outer = window.coverage(whole)
        inner = window.coverage(whole + thickness)
        contribution = (outer - inner) * np.float32(tissues.cortical)
        spongy = inner > 0.0
        u, v, w = window.u[spongy], window.v[spongy], window.w[spongy]
        of_body = np.clip((arch[spongy] - body[spongy]) * np.float32(0.25) + 0.5, 0.0, 1.0)
        of_body = np.where(body[spongy] < -2.0, np.float32(1.0), of_body)
        density = self.density(u, v, w)
        posterior = density + np.float32(self.bone.posterior_density_mg_cm3 - self.bone.density_mg_cm3)
        for lesion in self.lesions:
            density = lesion.apply(density, u, v, w)
        density = np.maximum(of_body * density + (1.0 - of_body) * posterior, 0.0)
        contribution[spongy] += inner[spongy] * tissues.spongy(density, self.bone.marrow_fat_fraction)
        canvas.paint(place, outer, contribution)
        canvas.mark(place, outer, window.coverage(body), self.label)
