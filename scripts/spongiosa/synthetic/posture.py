"""The same patient on another day: bent a little, shifted on the table, each vertebra turned against its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.sampling import Box, Canvas, Floats, Frame, Index, Window

if TYPE_CHECKING:
    from spongiosa.synthetic.palette import Palette
    from spongiosa.synthetic.structures import Structure


@dataclass(frozen=True)
class Posture:
    """How the patient lies in one examination, against the reference posture (all zero).

    `flexion_deg` is taken off the lumbar lordosis; the standard deviations move each vertebra about its own place.
    """

    flexion_deg: float = 0.0
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    vertebra_rotation_sd_deg: float = 0.0
    vertebra_shift_sd_mm: float = 0.0
    seed: int = 0


def jittered(frames: dict[str, Frame], posture: Posture) -> dict[str, Frame]:
    """Frames turned and moved at random, each about its own centre, by the posture's standard deviations."""
    if posture.vertebra_rotation_sd_deg == 0.0 and posture.vertebra_shift_sd_mm == 0.0:
        return frames
    rng = np.random.default_rng(posture.seed)
    moved = {}
    for level, frame in frames.items():
        angles = np.radians(rng.normal(0.0, posture.vertebra_rotation_sd_deg, 3))
        step = rng.normal(0.0, posture.vertebra_shift_sd_mm, 3)
        moved[level] = Frame(frame.origin_mm + step, frame.axes @ _small_rotation(angles))
    return moved


def _small_rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation by a vector of angles (Rodrigues)."""
    theta = float(np.linalg.norm(angles))
    if theta == 0.0:
        return np.eye(3)
    x, y, z = angles / theta
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(theta) * cross + (1 - np.cos(theta)) * cross @ cross)


def relative_pose(before: Frame, after: Frame) -> NDArray[np.float64]:
    """The rigid motion of a vertebra between two examinations: 4 x 4, LPS mm of the first to LPS mm of the second."""
    turn = after.axes @ before.axes.T
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = after.origin_mm - turn @ before.origin_mm
    return matrix


def shifted(frame: Frame, shift_mm: NDArray[np.float64]) -> Frame:
    """A frame moved in LPS."""
    return replace(frame, origin_mm=frame.origin_mm + shift_mm)


@dataclass(frozen=True)
class Moved:
    """A structure laid down as a whole somewhere else."""

    structure: Structure
    shift_mm: NDArray[np.float64]

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the moved structure over the canvas."""
        self.structure.paint(_MovedCanvas(canvas, self.shift_mm), tissues)


class _MovedCanvas(Canvas):
    """A canvas seen from a structure that believes it has not been moved."""

    def __init__(self, canvas: Canvas, shift_mm: NDArray[np.float64]) -> None:
        self._canvas = canvas
        self._shift = shift_mm
        self.values = canvas.values

    def window(self, frame: Frame, box: Box, fine: bool = True) -> tuple[Window, Index] | None:
        return self._canvas.window(shifted(frame, self._shift), box, fine)

    def slabs(self, frame: Frame, box: Box) -> Iterator[tuple[Window, Index]]:
        return self._canvas.slabs(shifted(frame, self._shift), box)

    def average(self, samples: Floats) -> Floats:
        return self._canvas.average(samples)
