"""Sacrum, iliac wings and the upper ends of the femora."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.morphometry import SACRAL_SEGMENTS
from spongiosa.synthetic.sampling import Frame
from spongiosa.synthetic.shapes import Bar, Ellipsoid, Solid, point_of
from spongiosa.synthetic.structures import BonePlate, Mixture, SoftBody
from spongiosa.synthetic.vertebra_shape import BodyShape

_SIDES = (1.0, -1.0)


def sacral_body(scale: float) -> BodyShape:
    """The body of S1: wide above, tapering to S2."""
    height, width, depth, _ = SACRAL_SEGMENTS[0]
    return BodyShape(
        half_width_mm=scale * (width + SACRAL_SEGMENTS[1][1]) / 4.0,
        half_depth_mm=scale * (depth + SACRAL_SEGMENTS[1][2] + 4.0) / 4.0,
        caudal_widening=-0.16,
        superior_anterior_mm=scale * height / 2.0,
        superior_posterior_mm=scale * height / 2.0,
        inferior_anterior_mm=-scale * height / 2.0,
        inferior_posterior_mm=-scale * height / 2.0,
        superior_concavity_mm=1.0,
        inferior_concavity_mm=0.0,
        waist=0.94,
        posterior_concavity=0.03,
    )


def sacral_arch(frames: tuple[Frame, ...], scale: float) -> list[Solid]:
    """Everything of the sacrum but the body of S1, in the frame of S1: S2-S5, alae, facets, posterior wall."""
    first = frames[0]
    solids: list[Solid] = []
    for k in range(1, len(SACRAL_SEGMENTS)):
        height, width, depth, _ = (scale * value for value in SACRAL_SEGMENTS[k])
        ends = frames[k].origin_mm + np.outer([0.5, -0.5], frames[k].axes[:, 2] * height * 0.9)
        start, end = first.to_local(ends)
        following = SACRAL_SEGMENTS[min(k + 1, 4)][1] / SACRAL_SEGMENTS[k][1]
        solids.append(Bar(point_of(start), point_of(end), width / 2.0, depth / 2.0, taper=following))
    s2, s3 = (first.to_local(frames[k].origin_mm[None])[0] for k in (1, 2))
    for sign in _SIDES:
        local = [
            # ala of S1, its slope down to the sacroiliac joint, lateral mass of S2 and S3
            (((16, 5, -2), (46, 15, -6)), 15.0, 13.0, (0, 0, 1)),
            (((22, 12, -14), (47, 24, -16)), 15.0, 11.0, (0, 0, 1)),
            (((10, s2[1] / scale, s2[2] / scale), (37, s2[1] / scale + 8, s2[2] / scale)), 14.0, 8.0, (0, 0, 1)),
            (((8, s3[1] / scale, s3[2] / scale), (27, s3[1] / scale + 4, s3[2] / scale)), 11.0, 6.0, (0, 0, 1)),
            # pedicle, superior facet, lamina
            (((18, 10, 4), (18, 25, 0)), 7.0, 9.0, (1, 0, 0)),
            (((20, 20, 4), (22, 25, 22)), 7.6, 3.6, (sign, 1, 0)),
            (((20, 26, -4), (2, 34, -10)), 9.0, 3.2, (0, -0.3, 1)),
        ]
        for (start, end), half_side, half_other, side in local:
            solids.append(
                Bar(
                    (scale * sign * start[0], scale * start[1], scale * start[2]),
                    (scale * sign * end[0], scale * end[1], scale * end[2]),
                    scale * half_side,
                    scale * half_other,
                    side,
                )
            )
    roof = first.to_local(np.array([f.to_lps(np.array([[0.0, scale * 25.0, 0.0]]))[0] for f in frames[1:4]]))
    solids.append(Bar((0.0, scale * 33.0, scale * -12.0), point_of(roof[0]), scale * 16.0, scale * 3.5))
    solids.append(Bar(point_of(roof[0]), point_of(roof[1]), scale * 16.0, scale * 3.5, taper=0.7))
    solids.append(Bar((0.0, scale * 37.0, scale * -8.0), point_of(roof[0] + np.array([0, 6.0, 0])), 3.0, scale * 7.0))
    return solids


# Control points of the iliac wing relative to the centre of S1, left side, mm at 1.70 m: base below, crest above.
_BASE = np.array(
    [(50, 46, -30), (56, 28, -42), (60, 8, -52), (72, -14, -58), (87, -34, -56), (96, -48, -46)], dtype=float
)
_CREST = np.array(
    [(46, 58, 4), (59, 46, 34), (88, 18, 53), (110, -14, 54), (121, -40, 40), (120, -58, 12)], dtype=float
)
_SHEET_BARS = 17


def iliac_wings(centre_of_s1: NDArray[np.float64], scale: float, density_mg_cm3: float) -> list[BonePlate]:
    """Iliac wings as fans of flat bars from the arcuate line to a thicker crest, with acetabulum and femoral head."""
    plates = []
    for sign in _SIDES:
        mirror = np.array([sign, 1.0, 1.0]) * scale
        base, crest = (_resampled(points) * mirror + centre_of_s1 for points in (_BASE, _CREST))
        along = np.gradient(crest, axis=0)
        solids: list[Solid] = [
            Bar(point_of(low), point_of(high), 11.0 * scale, 3.4 * scale, point_of(side))
            for low, high, side in zip(base, crest, along, strict=True)
        ]
        solids.extend(Bar(point_of(a), point_of(b), 5.5 * scale, 5.5 * scale) for a, b in pairwise(crest[::2]))
        # the auricular part behind the sacroiliac joint
        joint = centre_of_s1 + mirror * np.array([[61.0, 38.0, -18.0], [66.0, 4.0, -18.0]])
        solids.append(Bar(point_of(joint[0]), point_of(joint[1]), 20.0 * scale, 6.5 * scale, (0.0, 0.0, 1.0)))
        head = centre_of_s1 + mirror * np.array([88.0, -24.0, -104.0])
        pillar = Bar(
            point_of(base[_SHEET_BARS // 2 + 1]),
            point_of(head + np.array([sign * 6.0, 0, 22.0])),
            20.0 * scale,
            12.0 * scale,
        )
        plates.append(BonePlate([*solids, pillar], 1.8, density_mg_cm3, 0.6))
        plates.append(BonePlate([Ellipsoid(point_of(head), (23.0 * scale,) * 3)], 1.2, density_mg_cm3 * 2.0, 0.6))
    return plates


def _resampled(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evenly spread points along a control polygon, shape (17, 3)."""
    old, new = np.linspace(0.0, 1.0, len(points)), np.linspace(0.0, 1.0, _SHEET_BARS)
    return np.column_stack([np.interp(new, old, points[:, k]) for k in range(3)])


def sacral_disc_remnants(frames: tuple[Frame, ...], scale: float) -> list[SoftBody]:
    """Remnants of the discs S1/S2 and S2/S3 inside the fused sacrum; laid down after it."""
    remnants = []
    for k, (half_width, half_depth, half_height) in ((1, (13.0, 8.0, 2.2)), (2, (8.0, 5.0, 1.4))):
        frame = frames[k]
        top = frame.to_lps(np.array([[0.0, 0.0, scale * SACRAL_SEGMENTS[k][0] / 2.0]]))[0]
        ellipsoid = Ellipsoid((0.0, 0.0, 0.0), (scale * half_width, scale * half_depth, scale * half_height))
        remnants.append(SoftBody([ellipsoid], Mixture("disc"), 1.0, None, Frame(top, frame.axes)))
    return remnants
