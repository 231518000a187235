"""Kinds of structure that the anatomy around the vertebrae is painted with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.palette import Palette
from spongiosa.synthetic.sampling import PATIENT_FRAME, Canvas, Floats, Frame, Index, Window
from spongiosa.synthetic.shapes import FAR_MM, Bar, Solid, bounds, union_distance
from spongiosa.synthetic.texture import noise_at

Clip = Callable[[Floats, Floats, Floats], Floats]
"""A signed distance in the patient's frame that a structure must stay inside of."""


class Structure(Protocol):
    """Anything that can be laid over a canvas."""

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the structure over what is there."""


@dataclass(frozen=True)
class Mixture:
    """A soft tissue with texture: a base tissue and a share of a second one that varies in space.

    The share is `mean + sd * noise`, kept between 0 and 1.
    """

    base: str
    other: str = "fat"
    mean: float = 0.0
    sd: float = 0.0
    correlation_mm: float = 3.0
    seed: int = 0

    def values(self, window: Window, tissues: Palette, where: NDArray[np.bool_]) -> Floats:
        """Values at the samples selected by the boolean `where`."""
        base, other = tissues.value(self.base), tissues.value(self.other)
        if self.sd == 0.0:
            return np.full(int(where.sum()), base + self.mean * (other - base), dtype=np.float32)
        u, v, w = window.u[where], window.v[where], window.w[where]
        share = np.float32(self.mean) + np.float32(self.sd) * noise_at(u, v, w, self.correlation_mm, self.seed)
        return np.asarray(np.float32(base) + np.clip(share, 0.0, 1.0) * np.float32(other - base))


@dataclass(frozen=True)
class SoftBody:
    """A filleted union of solids of one soft tissue, in a frame, kept inside an optional clip."""

    solids: list[Solid]
    tissue: Mixture
    blend_mm: float = 6.0
    clip: Clip | None = None
    frame: Frame = PATIENT_FRAME

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the body over the canvas."""
        found = canvas.window(self.frame, bounds([s.box() for s in self.solids]), fine=False)
        if found is None:
            return
        window, place = found
        distance = union_distance(window, self.solids, self.blend_mm)
        if self.clip is not None:
            near = distance < 3.0
            distance[near] = np.maximum(distance[near], self.clip(window.u[near], window.v[near], window.w[near]))
        coverage = window.coverage(distance)
        inside = coverage > 0.0
        contribution = np.zeros_like(coverage)
        contribution[inside] = coverage[inside] * self.tissue.values(window, tissues, inside)
        canvas.paint(place, coverage, contribution)


@dataclass(frozen=True)
class BloodVessel:
    """A chain of bars of blood, with a thin wall that is calcified in patches."""

    bars: list[Bar]
    iodine_mg_ml: float
    calcified_fraction: float
    seed: int

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the vessel over the canvas."""
        blood = np.float32(tissues.blood(self.iodine_mg_ml))
        plaque = np.float32(tissues.compact(500.0))
        threshold = np.float32(np.interp(self.calcified_fraction, [0.0, 0.02, 0.5, 1.0], [9.0, 2.0, 0.0, -9.0]))
        for window, place, distance in chain_windows(canvas, list(self.bars), fine=False):
            coverage = window.coverage(distance)
            contribution = coverage * blood
            wall = (distance > -1.6) & (coverage > 0.0)
            if self.calcified_fraction > 0.0 and wall.any():
                patch = noise_at(window.u[wall], window.v[wall], window.w[wall], 5.0, self.seed) > threshold + 0.6
                contribution[wall] = coverage[wall] * np.where(patch, plaque, blood)
            canvas.paint(place, coverage, contribution)


@dataclass(frozen=True)
class BoneChain:
    """A long bone of consecutive bars in the patient's frame: cortex around spongy bone."""

    bars: list[Bar]
    cortex_mm: float
    density_mg_cm3: float
    marrow_fat_fraction: float

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the bone over the canvas, bar by bar."""
        spongy = tissues.spongy(np.array(self.density_mg_cm3, dtype=np.float32), self.marrow_fat_fraction)
        for window, place, distance in chain_windows(canvas, list(self.bars), fine=True):
            outer = window.coverage(distance)
            inner = np.minimum(window.coverage(distance + np.float32(self.cortex_mm)), outer)
            canvas.paint(place, outer, (outer - inner) * np.float32(tissues.cortical) + inner * spongy)


@dataclass(frozen=True)
class BonePlate:
    """A bone made of a filleted union of bars: cortex around spongy bone, evaluated in one window."""

    solids: list[Solid]
    cortex_mm: float
    density_mg_cm3: float
    marrow_fat_fraction: float
    blend_mm: float = 6.0

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the bone over the canvas."""
        found = canvas.window(PATIENT_FRAME, bounds([s.box() for s in self.solids]))
        if found is None:
            return
        window, place = found
        distance = union_distance(window, self.solids, self.blend_mm)
        spongy = tissues.spongy(np.array(self.density_mg_cm3, dtype=np.float32), self.marrow_fat_fraction)
        outer = window.coverage(distance)
        inner = window.coverage(distance + np.float32(self.cortex_mm))
        canvas.paint(place, outer, (outer - inner) * np.float32(tissues.cortical) + inner * spongy)


def chain_windows(canvas: Canvas, bars: list[Bar], fine: bool) -> list[tuple[Window, Index, Floats]]:
    """For each bar of a chain that meets the canvas: window, place and distance to the chain where this bar is nearest.

    Each sample belongs to one bar only, so that no boundary is painted twice; elsewhere the distance is `FAR_MM`.
    """
    windows = []
    for k, bar in enumerate(bars):
        found = canvas.window(PATIENT_FRAME, bar.box(margin_mm=2.0), fine=fine)
        if found is None:
            continue
        window, place = found
        distance = bar.distance(window.u, window.v, window.w)
        for other, wins_ties in ((k - 1, False), (k + 1, True)):
            if 0 <= other < len(bars):
                rival = bars[other].distance(window.u, window.v, window.w)
                distance[rival < distance if wins_ties else rival <= distance] = FAR_MM
        windows.append((window, place, distance))
    return windows


def chain(
    points: list[tuple[float, float, float]],
    half_axes: list[tuple[float, float]],
    side: tuple[float, float, float] = (1.0, 0.0, 0.0),
) -> list[Bar]:
    """Bars through consecutive points; the half axes (along `side`, across) are given per point."""
    return [
        Bar(points[k], points[k + 1], *half_axes[k], side=side, taper=half_axes[k + 1][0] / half_axes[k][0])
        for k in range(len(points) - 1)
    ]
