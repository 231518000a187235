"""Ribs, lungs and the organs under the diaphragm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.palette import Palette
from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.sampling import PATIENT_FRAME, Box, Canvas
from spongiosa.synthetic.spine_curve import SpineCurve
from spongiosa.synthetic.structures import BoneChain, chain
from spongiosa.synthetic.texture import noise_at
from spongiosa.synthetic.trunk import Trunk

# Length of each rib along its curve, mm at 1.70 m; the first seven reach the front.
_RIB_LENGTH = {1: 130, 2: 200, 3: 250, 4: 285, 5: 310, 6: 320, 7: 320, 8: 305, 9: 275, 10: 235, 11: 175, 12: 105}
_RUDIMENTARY_RIB_MM = 22.0
_THIRTEENTH_RIB_MM = 45.0


def ribs(curve: SpineCurve, trunk: Trunk, parameters: PatientParameters) -> list[BoneChain]:
    """The bony ribs of both sides, along the inner side of the muscular wall, falling forwards."""
    p = parameters
    lengths = {f"T{k}": float(length) for k, length in _RIB_LENGTH.items()}
    if p.twelfth_rib == "rudimentary":
        lengths["T12"] = _RUDIMENTARY_RIB_MM
    elif p.twelfth_rib == "absent":
        del lengths["T12"]
    if p.has_thirteenth_rib:
        lengths["L1"] = _THIRTEENTH_RIB_MM
    chains = []
    for level, length in lengths.items():
        for sign in (1.0, -1.0):
            points = _rib_points(curve, trunk, level, sign, length * p.stature_m / 1.70)
            flat = 3.2 if level in ("T12", "L1") else 3.8
            half = [(flat, flat + 1.8)] * len(points)
            chains.append(BoneChain(chain(points, half), 0.8, 90.0, 0.3))
    return chains


def _rib_points(
    curve: SpineCurve, trunk: Trunk, level: str, sign: float, length_mm: float
) -> list[tuple[float, float, float]]:
    """Points of a rib from its head at the vertebra: back to the transverse process, then round the cage."""
    frame, size = curve.frames[level], curve.sizes[level]
    w = size.posterior_height_mm / 2.0 - 4.0
    u = sign * (size.superior_width_mm / 2.0 + 4.0)
    local = np.array(
        [[u, size.superior_depth_mm / 2.0 - 3.0, w], [u + sign * 12.0, size.superior_depth_mm / 2.0 + 12.0, w + 1.0]]
    )
    head, tubercle = frame.to_lps(local)
    points = [head, tubercle]
    number = int(level[1:]) if level.startswith("T") else 13
    fall = float(np.interp(number, [1, 6, 10, 12, 13], [0.75, 0.75, 0.62, 0.80, 0.6]))
    travelled = float(np.linalg.norm(tubercle - head))
    angle = np.arctan2(sign * tubercle[0], 45.0)
    z = float(tubercle[2])
    while travelled < length_mm:
        angle += 0.12
        z -= fall * 14.0
        target = _cage_point(trunk, sign, angle, z)
        near_start = max(0.0, 1.0 - len(points) / 5.0)
        target = target * (1 - 0.5 * near_start) + 0.5 * near_start * (points[-1] + np.array([sign * 14.0, 5.0, -5.0]))
        step = target - points[-1]
        distance = float(np.linalg.norm(step))
        if travelled + distance > length_mm:
            target = points[-1] + step * (length_mm - travelled) / distance
        points.append(target)
        travelled += distance
    return [(float(x), float(y), float(z)) for x, y, z in points]


def _cage_point(trunk: Trunk, sign: float, angle: float, z: float) -> NDArray[np.float64]:
    """Point of the cage in direction `angle` (0 straight back, pi / 2 lateral) from the middle of the trunk."""
    width, depth = (float(h) for h in trunk.half_axes(np.array(z)))
    inset = trunk.subcutaneous_mm + trunk.wall_mm + 4.0
    half_width, half_depth = width - inset, depth - inset * 0.9
    s, c = np.sin(angle), np.cos(angle)
    exponent = 2.3
    radius = ((abs(s) / half_width) ** exponent + (abs(c) / half_depth) ** exponent) ** (-1.0 / exponent)
    return np.array([sign * radius * s, trunk.back_mm - depth + radius * c, z])


@dataclass(frozen=True)
class Lungs:
    """Both lungs above the domes of the diaphragm, beside spine and mediastinum."""

    trunk: Trunk
    curve: SpineCurve
    seed: int

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the lungs over the canvas."""
        dome = float(self.curve.frames["T10"].origin_mm[2]) + 22.0
        box = Box((-170.0, -170.0, dome - 110.0), (170.0, 90.0, float(self.curve.frames["T1"].origin_mm[2])))
        for window, place in canvas.slabs(PATIENT_FRAME, box):
            x, y, z = window.u, window.v, window.w
            near = (z > dome - 105.0) & (np.abs(x) > 12.0)
            if not near.any():
                continue
            x, y, z = x[near], y[near], z[near]
            spine_x, spine_y = self.curve.centre_at(np.asarray(z, dtype=np.float64).ravel())
            from_spine = np.hypot(x - spine_x.astype(np.float32), y - spine_y.astype(np.float32) - 6.0)
            base = dome - 80.0 * (((np.abs(x) - 72.0) / 74.0) ** 2 + ((y + 14.0) / 88.0) ** 2)
            mediastinum = np.where(y < spine_y - 8.0, 34.0 - np.abs(x), np.float32(-50.0))
            distance = np.maximum.reduce(
                [
                    self.trunk.cavity_depth(x, y, z) + 5.0,
                    (base - z) * np.float32(0.6),
                    36.0 - from_spine,
                    mediastinum.astype(np.float32),
                    z - float(self.curve.frames["T2"].origin_mm[2]),
                ]
            )
            coverage = np.zeros_like(window.u)
            coverage[near] = window.coverage(distance)
            lung, blood = np.float32(tissues.value("lung")), np.float32(tissues.blood(0.0))
            vessels = np.clip(noise_at(x, y, z, 4.0, self.seed) - 1.4, 0.0, 1.0)
            contribution = np.zeros_like(coverage)
            contribution[near] = coverage[near] * (lung + vessels * (blood - lung))
            canvas.paint(place, coverage, contribution)
