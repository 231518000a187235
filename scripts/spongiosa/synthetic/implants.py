"""Pedicle screws and rods: their axes, and the metal and halo that they leave in the image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.palette import Palette
from spongiosa.synthetic.sampling import Canvas, Window
from spongiosa.synthetic.shapes import Bar, point_of
from spongiosa.synthetic.structures import Structure, chain, chain_windows
from spongiosa.synthetic.variants import PedicleScrew, Rod, Variant
from spongiosa.synthetic.vertebra import Vertebra

_HEAD_RADIUS_MM = 6.5
_HEAD_OFFSET_MM = 7.0
_RIM_MM = 0.8
_SEARCH_MM = 40.0
_SEARCH_STEP_MM = 0.1


@dataclass(frozen=True)
class PlacedScrew:
    """A screw in the patient, LPS mm; `entry_mm` is where its axis enters bone, `tip_mm` lies its length further."""

    level: str
    side: str
    entry_mm: NDArray[np.float64]
    tip_mm: NDArray[np.float64]
    diameter_mm: float
    halo_mm: float

    @property
    def direction(self) -> NDArray[np.float64]:
        """Unit vector from entry to tip."""
        axis = self.tip_mm - self.entry_mm
        unit: NDArray[np.float64] = axis / np.linalg.norm(axis)
        return unit

    @property
    def head_mm(self) -> NDArray[np.float64]:
        """Centre of the screw head, behind the bone."""
        return self.entry_mm - self.direction * _HEAD_OFFSET_MM


def bone_entry(vertebra: Vertebra, point: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a line into the vertebra enters bone: walking from `point` (in bone) against `direction`, local mm.

    Found on the signed distance of the intact vertebra, to 0.1 mm.
    """
    steps = np.arange(0.0, _SEARCH_MM, _SEARCH_STEP_MM)
    walk = point - steps[:, None] * direction
    u, v, w = walk.astype(np.float32).T
    outside = vertebra.distances(Window(u, v, w, 0.0, None, None))[0] > 0.0
    first = int(np.argmax(outside)) if outside.any() else len(steps) - 1
    entry: NDArray[np.float64] = walk[first]
    return entry


def place_screws(vertebrae: dict[str, Vertebra], variants: Iterable[Variant]) -> list[PlacedScrew]:
    """Screws of the variants in their vertebrae.

    Raises `ValueError` for a level without pedicles.
    """
    placed = []
    for screw in (x for x in variants if isinstance(x, PedicleScrew)):
        vertebra = vertebrae.get(screw.level)
        if vertebra is None or screw.side not in vertebra.pedicles:
            raise ValueError(f"a screw is set in {screw.level} {screw.side}, which has no pedicle in this spine")
        axis = vertebra.pedicles[screw.side]
        sign = 1.0 if screw.side == "left" else -1.0
        direction = axis.direction.copy()
        direction[0] -= sign * np.tan(np.radians(screw.medial_deviation_deg))
        direction[2] -= np.tan(np.radians(screw.caudal_deviation_deg))
        direction /= np.linalg.norm(direction)
        entry = bone_entry(vertebra, axis.isthmus_mm, direction)
        ends = vertebra.frame.to_lps(np.stack([entry, entry + direction * screw.length_mm]))
        placed.append(PlacedScrew(screw.level, screw.side, ends[0], ends[1], screw.diameter_mm, screw.halo_mm))
    return placed


def implant_structures(
    screws: list[PlacedScrew], variants: Iterable[Variant], levels: tuple[str, ...]
) -> list[Structure]:
    """Halos with their dense rim first, then screws with their heads, then rods."""
    structures: list[Structure] = [
        TissueChain([_shaft(s, s.diameter_mm / 2.0 + s.halo_mm + wider)], tissue)
        for s in screws
        if s.halo_mm > 0.0
        for wider, tissue in ((_RIM_MM, "halo_rim"), (0.0, "halo"))
    ]
    for screw in screws:
        structures.append(TissueChain([_shaft(screw, screw.diameter_mm / 2.0)], "titanium"))
        head, behind = screw.head_mm, screw.head_mm - screw.direction * 8.0
        near = screw.entry_mm - screw.direction * 1.0
        neck = Bar(point_of(near), point_of(head), screw.diameter_mm / 2.0, screw.diameter_mm / 2.0)
        tulip = Bar(point_of(head), point_of(behind), _HEAD_RADIUS_MM, _HEAD_RADIUS_MM)
        structures.append(TissueChain([neck, tulip], "titanium"))
    for rod in (x for x in variants if isinstance(x, Rod)):
        structures.append(TissueChain(_rod_bars(rod, screws, levels), "titanium"))
    return structures


def _shaft(screw: PlacedScrew, radius_mm: float) -> Bar:
    """A blunt cylinder nearly as long as the screw, its round end at the tip."""
    tip = screw.tip_mm - screw.direction * radius_mm
    return Bar(point_of(screw.entry_mm), point_of(tip), radius_mm, radius_mm)


def _rod_bars(rod: Rod, screws: list[PlacedScrew], levels: tuple[str, ...]) -> list[Bar]:
    """Raises `ValueError` when fewer than two heads lie between the rod's ends."""
    span = levels[levels.index(rod.level) : levels.index(rod.caudal_level) + 1]
    heads = [s.head_mm - s.direction * 5.0 for k in span for s in screws if s.level == k and s.side == rod.side]
    if len(heads) < 2:
        raise ValueError(
            f"the {rod.side} rod {rod.level}-{rod.caudal_level} joins {len(heads)} screw heads; it needs 2"
        )
    over_top = heads[0] + (heads[0] - heads[1]) / np.linalg.norm(heads[0] - heads[1]) * 12.0
    under = heads[-1] + (heads[-1] - heads[-2]) / np.linalg.norm(heads[-1] - heads[-2]) * 12.0
    points = [point_of(p) for p in (over_top, *heads, under)]
    return chain(points, [(rod.diameter_mm / 2.0,) * 2] * len(points))


@dataclass(frozen=True)
class TissueChain:
    """A chain of bars of one tissue or material, painted with full partial volume."""

    bars: list[Bar]
    tissue: str

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the chain over the canvas."""
        value = tissues.value(self.tissue)
        for window, place, distance in chain_windows(canvas, self.bars, fine=True):
            coverage = window.coverage(distance)
            canvas.paint(place, coverage, coverage * value)
