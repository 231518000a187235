"""Pedicles, laminae, facets, transverse and spinous processes of one vertebra, in its own frame.

Pedicles lie beside the canal in the upper half of the body (widths, heights and angles of `morphometry`); the rest is
laid out from canal and body so that neighbouring facets meet with a joint space of one to two millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.morphometry import VertebraDimensions
from spongiosa.synthetic.shapes import Bar, point_of
from spongiosa.synthetic.vertebra_shape import BodyShape

Side = str
_FACET_SIDE = 0.75
"""Tangent of the joint surfaces' angle to the sagittal plane, 37 degrees (L3/L4, mean of published CT series)."""
SIDES: tuple[tuple[Side, float], ...] = (("left", 1.0), ("right", -1.0))


@dataclass(frozen=True)
class PedicleAxis:
    """Axis of a pedicle in the vertebra's frame: isthmus, unit direction from behind forwards, and half axes, mm."""

    isthmus_mm: NDArray[np.float64]
    direction: NDArray[np.float64]
    half_width_mm: float
    half_height_mm: float
    length_mm: float


def pedicle_axes(size: VertebraDimensions, body: BodyShape) -> dict[Side, PedicleAxis]:
    """The pedicles' axes; the medial wall touches the canal at its widest."""
    transverse = np.radians(size.pedicle_transverse_angle_deg)
    sagittal = np.radians(size.pedicle_sagittal_angle_deg)
    half_width, half_height = size.pedicle_width_mm / 2.0, size.pedicle_height_mm / 2.0
    length = 0.62 * size.canal_depth_mm
    w = size.posterior_height_mm / 2.0 - half_height - 1.0
    axes = {}
    for side, sign in SIDES:
        isthmus = np.array([sign * (size.canal_width_mm / 2.0 + half_width), body.posterior_wall_mm + length / 2.0, w])
        direction = np.array(
            [-sign * np.sin(transverse), -np.cos(transverse) * np.cos(sagittal), -np.cos(transverse) * np.sin(sagittal)]
        )
        axes[side] = PedicleAxis(isthmus, direction / np.linalg.norm(direction), half_width, half_height, length)
    return axes


def transitional_processes(size: VertebraDimensions, body: BodyShape) -> list[Bar]:
    """Broad transverse processes that reach the alae of the sacrum (Castellvi types II and III)."""
    bars = []
    for side, axis in pedicle_axes(size, body).items():
        sign = 1.0 if side == "left" else -1.0
        u, v, w = axis.isthmus_mm
        end = (sign * 42.0, v + 2.0, w - 19.0)
        bars.append(Bar((float(u), float(v), float(w - 2.0)), end, 9.5, 8.0, (0.0, 0.0, 1.0), 1.1))
    return bars


def posterior_elements(level: str, size: VertebraDimensions, body: BodyShape) -> list[Bar]:
    """The bars whose filleted union is the vertebral arch."""
    bars: list[Bar] = []
    roof = body.posterior_wall_mm + size.canal_depth_mm
    for side, axis in pedicle_axes(size, body).items():
        sign = 1.0 if side == "left" else -1.0
        front = axis.isthmus_mm + axis.direction * (axis.length_mm / 2.0 + 4.0)
        back = axis.isthmus_mm - axis.direction * (axis.length_mm / 2.0)
        bars.append(Bar(point_of(back), point_of(front), axis.half_width_mm, axis.half_height_mm))
        arch = _lumbar_arch if level.startswith("L") else _thoracic_arch
        bars.extend(arch(level, size, axis, sign, roof))
    bars.append(_spinous_process(level, size, roof))
    return bars


def _lumbar_arch(level: str, size: VertebraDimensions, axis: PedicleAxis, sign: float, roof: float) -> list[Bar]:
    """Lamina, facets and transverse process of one side of a lumbar vertebra."""
    u, v, w = axis.isthmus_mm + np.array([0.0, axis.length_mm / 2.0, 0.0])
    pillar = abs(u)
    half = size.posterior_height_mm / 2.0
    inferior = max(0.52 * pillar, size.canal_width_mm * 0.42)
    span = size.transverse_span_mm / 2.0
    lamina_lower = w - 0.80 * half
    bars = [
        # pars interarticularis, from the pedicle down to the inferior facet
        Bar((u, v + 2.0, w), (sign * inferior, roof + 1.5, lamina_lower - 3.0), 5.2, 3.8, (1.0, 0.0, 0.0)),
        # lamina: two plates that meet at the spinous process like a roof
        Bar(
            (sign * (inferior + 3.0), roof - 3.0, lamina_lower + 4.0),
            (sign * 1.5, roof + 5.0, lamina_lower - 1.0),
            0.62 * half,
            3.0,
            (0.0, -0.25, 1.0),
        ),
        # superior articular process: its joint surface looks backwards and inwards
        Bar(
            (u, v + 2.5, w + 1.0),
            (sign * (pillar + 3.0), v + 6.0, half + 6.0),
            8.0,
            3.6,
            (_FACET_SIDE * sign, 1.0, 0.0),
            0.85,
        ),
        # inferior articular process
        Bar(
            (sign * inferior, roof + 2.0, lamina_lower - 3.0),
            (sign * (inferior + 2.0), roof + 3.4, -half - 8.0),
            7.6,
            3.5,
            (_FACET_SIDE * sign, 1.0, 0.0),
            0.9,
        ),
    ]
    thickness = 5.5 if level in ("L5", "L6") else 3.2
    lift = 3.0 if level in ("L1", "L2", "L3") else 5.0
    bars.append(
        Bar(
            (u, v + 1.0, w),
            (sign * (span - 3.0), v + 5.0, w + lift),
            3.2 + thickness / 2.0,
            thickness,
            (0, 0, 1.0),
            0.6,
        )
    )
    return bars


def _thoracic_arch(level: str, size: VertebraDimensions, axis: PedicleAxis, sign: float, roof: float) -> list[Bar]:
    """Lamina, facets and transverse process of one side of a thoracic vertebra."""
    u, v, w = axis.isthmus_mm + np.array([0.0, axis.length_mm / 2.0, 0.0])
    half = size.posterior_height_mm / 2.0
    span = size.transverse_span_mm / 2.0
    inner = 0.62 * abs(u)
    backward = {"T12": 8.0, "T11": 10.0}.get(level, 14.0)
    return [
        Bar((u, v + 1.0, w - 2.0), (sign * 1.5, roof + 3.0, w - 0.75 * half), 0.62 * half, 2.8, (0.0, -0.3, 1.0)),
        Bar((u, v + 2.0, w), (sign * inner, v + 5.0, half + 5.0), 4.4, 2.4, (1.0, 0.0, 0.0), 0.8),
        Bar(
            (sign * inner, roof + 1.5, w - 0.7 * half),
            (sign * inner, roof + 3.2, -half - 7.0),
            4.4,
            2.4,
            (1, 0, 0),
            0.8,
        ),
        Bar((u, v + 1.0, w - 1.0), (sign * (span - 4.5), v + backward, w + 2.0), 4.8, 4.2, (0.0, 0.0, 1.0), 0.85),
    ]


def _spinous_process(level: str, size: VertebraDimensions, roof: float) -> Bar:
    """Lumbar: a tall plate straight back; thoracic: longer and sloping down, most at T5-T8."""
    start_w = -0.30 * size.posterior_height_mm
    if level.startswith("L"):
        drop, tall, thick = -7.0, 0.27 * size.posterior_height_mm, 3.0
    else:
        number = int(level[1:])
        drop = {10: -20.0, 11: -15.0, 12: -10.0}.get(number, -26.0 if 5 <= number <= 8 else -20.0)
        tall, thick = 0.23 * size.posterior_height_mm, 2.8
    end = (0.0, roof + size.spinous_length_mm - tall * 0.6, start_w + drop)
    return Bar((0.0, roof + 4.0, start_w), end, thick, tall, (1.0, 0.0, 0.0), 0.95)
