"""How fractures, degeneration and lesions change a vertebra's shape and mineral."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.morphometry import VertebraDimensions
from spongiosa.synthetic.sampling import Floats
from spongiosa.synthetic.shapes import Bar, Solid
from spongiosa.synthetic.texture import noise_at
from spongiosa.synthetic.variants import (
    BoneIsland,
    Cement,
    End,
    EndplateSclerosis,
    Fracture,
    Haemangioma,
    Osteophytes,
    Variant,
)
from spongiosa.synthetic.vertebra_shape import BodyShape

_EDGE_MM = 0.6
_ROUGHNESS = 0.16


class Lesion(Protocol):
    """A change of the mineral of the spongy bone of one body."""

    def apply(self, density: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
        """The changed density at points of the vertebra's frame, mg/cm3."""


def fractured_size(size: VertebraDimensions, level: str, variants: Iterable[Variant]) -> VertebraDimensions:
    """Heights after wedge and crush fractures; a biconcave one leaves the rims where they are."""
    for fracture in (x for x in variants if isinstance(x, Fracture) and x.level == level):
        left = 1.0 - fracture.height_loss
        if fracture.kind == "wedge":
            size = replace(size, anterior_height_mm=size.anterior_height_mm * left)
        elif fracture.kind == "crush":
            size = replace(
                size,
                anterior_height_mm=size.anterior_height_mm * left,
                posterior_height_mm=size.posterior_height_mm * left,
            )
    return size


def fractured_body(body: BodyShape, level: str, variants: Iterable[Variant]) -> BodyShape:
    """Endplates after fractures: biconcave ones sink by the loss of height, others a little; crushed walls bulge."""
    for fracture in (x for x in variants if isinstance(x, Fracture) and x.level == level):
        if fracture.kind == "biconcave":
            sunk = fracture.height_loss * body.middle_height_mm
            body = replace(
                body,
                superior_concavity_mm=body.superior_concavity_mm + 0.55 * sunk,
                inferior_concavity_mm=body.inferior_concavity_mm + 0.45 * sunk,
            )
        else:
            bulge = 1.0 + 0.10 * fracture.height_loss
            flatter = 1.0 - fracture.height_loss if fracture.kind == "crush" else 1.0
            body = replace(
                body,
                superior_concavity_mm=body.superior_concavity_mm * flatter + 1.0,
                inferior_concavity_mm=body.inferior_concavity_mm * flatter,
                half_width_mm=body.half_width_mm * bulge,
                half_depth_mm=body.half_depth_mm * bulge,
                waist=min(0.98, body.waist + 0.05),
            )
    return body


def spurs(body: BodyShape, level: str, variants: Iterable[Variant]) -> list[Solid]:
    """Osteophytes: beaks from the rim outwards, curving over the disc."""
    solids: list[Solid] = []
    away = {"anterior": (0.0, -1.0), "left": (1.0, 0.0), "right": (-1.0, 0.0)}
    for spur in (x for x in variants if isinstance(x, Osteophytes) and x.level == level):
        sign = 1.0 if spur.end == "superior" else -1.0
        for direction in spur.directions:
            du, dv = away[direction]
            reach = body.half_width_mm if du else body.half_depth_mm
            rim_u, rim_v = du * reach, dv * reach
            rim = _rim_height(body, spur.end, rim_v)
            start = (rim_u - du * 4.0, rim_v - dv * 4.0, rim - sign * 3.5)
            end = (rim_u + du * spur.size_mm, rim_v + dv * spur.size_mm, rim + sign * 0.35 * spur.size_mm)
            solids.append(Bar(start, end, 4.5 + 0.4 * spur.size_mm, 3.0, (dv, du, 0.0), 0.45))
    return solids


def _rim_height(body: BodyShape, end: End, v: float) -> float:
    across = v * 0.5 / body.half_depth_mm
    if end == "superior":
        front, back = body.superior_anterior_mm, body.superior_posterior_mm
    else:
        front, back = body.inferior_anterior_mm, body.inferior_posterior_mm
    return (front + back) / 2.0 + (back - front) * across


def lesions(body: BodyShape, level: str, variants: Iterable[Variant], seed: int) -> tuple[Lesion, ...]:
    """The lesions of one body, in the order of the variants."""
    found: list[Lesion] = []
    for variant in (x for x in variants if x.level == level):
        if isinstance(variant, Fracture):
            found.append(Band(body, "superior", 5.0, variant.impaction_mg_cm3))
            if variant.kind != "wedge":
                found.append(Band(body, "inferior", 4.0, variant.impaction_mg_cm3))
        elif isinstance(variant, EndplateSclerosis):
            found.append(Band(body, variant.end, variant.depth_mm, variant.density_mg_cm3))
        elif isinstance(variant, BoneIsland):
            found.append(Ball(_place(body, variant.position), variant.radius_mm, variant.density_mg_cm3))
        elif isinstance(variant, Haemangioma):
            found.append(PolkaDots(_place(body, variant.position), variant, seed))
        elif isinstance(variant, Cement):
            found.append(CementLumps(body, variant, seed))
    return tuple(found)


def _place(body: BodyShape, position: tuple[float, float, float]) -> tuple[float, float, float]:
    a, b, c = position
    return (a * body.half_width_mm, b * body.half_depth_mm, c * body.middle_height_mm / 2.0)


def _inside(distance: Floats) -> Floats:
    """1 inside a surface, 0 outside, over a soft edge."""
    return np.asarray(np.clip(np.float32(0.5) - distance * np.float32(1.0 / _EDGE_MM), 0.0, 1.0))


@dataclass(frozen=True)
class Band:
    """More mineral within a depth of one endplate."""

    body: BodyShape
    end: End
    depth_mm: float
    gain_mg_cm3: float

    def apply(self, density: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
        """The changed density."""
        top, bottom = self.body.endplate_heights(u, v)
        depth = top - w if self.end == "superior" else w - bottom
        return np.asarray(density + np.float32(self.gain_mg_cm3) * _inside((depth - np.float32(self.depth_mm)) / 3.0))


@dataclass(frozen=True)
class Ball:
    """A sphere of set density."""

    centre: tuple[float, float, float]
    radius_mm: float
    density_mg_cm3: float

    def apply(self, density: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
        """The changed density."""
        share = _inside(_distance_to(self.centre, u, v, w) - np.float32(self.radius_mm))
        return np.asarray(density + share * (np.float32(self.density_mg_cm3) - density))


@dataclass(frozen=True)
class PolkaDots:
    """A haemangioma: few thick columns along the axis of the body in poor bone."""

    centre: tuple[float, float, float]
    variant: Haemangioma
    seed: int

    def apply(self, density: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
        """The changed density."""
        share = _inside(_distance_to(self.centre, u, v, w) - np.float32(self.variant.radius_mm))
        columns = np.clip((noise_at(u, v, np.zeros_like(u), 1.2, self.seed) - 1.0) * 3.0, 0.0, 1.0)
        poor, rich = self.variant.density_mg_cm3, self.variant.column_density_mg_cm3
        inside = np.float32(poor) + columns * np.float32(rich - poor)
        return np.asarray(density + share * (inside - density))


class CementLumps:
    """Two irregular lumps of cement in the front half of the body, of the set volume together."""

    def __init__(self, body: BodyShape, variant: Cement, seed: int) -> None:
        self._density = variant.density_mg_cm3
        self._seed = seed
        # a rough surface of relative standard deviation s holds 1 + 3 s^2 times the volume
        volume_mm3 = variant.volume_ml * 1000.0 / (1.0 + 3.0 * _ROUGHNESS**2)
        radius = (volume_mm3 / 2.0 * 3.0 / (4.0 * np.pi)) ** (1.0 / 3.0)
        flat = min(1.0, 0.40 * body.middle_height_mm / radius)
        across = radius / np.sqrt(flat)
        self._half = (across, across, radius * flat)
        offset = min(0.42 * body.half_width_mm, across)
        self._centres = [(sign * offset, -0.15 * body.half_depth_mm, 0.0) for sign in (1.0, -1.0)]

    def apply(self, density: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
        """The changed density."""
        ragged = _ROUGHNESS * noise_at(u, v, w, 3.0, self._seed)
        for centre in self._centres:
            scaled = [
                (c - np.float32(o)) / np.float32(h) for c, o, h in zip((u, v, w), centre, self._half, strict=True)
            ]
            q = np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2) + ragged
            share = _inside((q - 1.0) * np.float32(min(self._half)))
            density = density + share * (np.float32(self._density) - density)
        return np.asarray(density)


def _distance_to(centre: tuple[float, float, float], u: Floats, v: Floats, w: Floats) -> NDArray[np.float32]:
    a, b, c = (np.float32(x) for x in centre)
    return np.asarray(np.sqrt((u - a) ** 2 + (v - b) ** 2 + (w - c) ** 2), dtype=np.float32)
