"""Muscles, canal, vessels, organs and bowel around the spine."""

from __future__ import annotations

import numpy as np

from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.sampling import Frame
from spongiosa.synthetic.shapes import Bar, Ellipsoid, Solid
from spongiosa.synthetic.spine_curve import SpineCurve
from spongiosa.synthetic.structures import BloodVessel, Mixture, SoftBody, Structure, chain
from spongiosa.synthetic.trunk import Trunk
from spongiosa.synthetic.vertebra_shape import BodyShape

_SIDES = (1.0, -1.0)
GOUTALLIER_FAT_FRACTION = (0.02, 0.10, 0.30, 0.50, 0.65)
"""Fat in the muscle at each grade; by definition grade 3 holds as much fat as muscle (Goutallier et al., Clin Orthop
1994;304:78-83), the other grades lie below and above."""


def muscles(curve: SpineCurve, trunk: Trunk, p: PatientParameters, seed: int) -> list[Structure]:
    """Psoas, quadratus lumborum, erector spinae with multifidus, gluteal muscles and iliacus."""
    scale = p.stature_m / 1.70
    infiltrated = Mixture("muscle", "fat", GOUTALLIER_FAT_FRACTION[p.goutallier_grade], 0.16, 2.2, seed)
    firm = Mixture("muscle", "fat", 0.04, 0.05, 2.5, seed + 1)
    structures: list[Structure] = []
    sacrum = curve.sacral_frames[0].origin_mm
    for sign in _SIDES:
        structures.append(SoftBody(_erector(curve, sign, scale), infiltrated, 8.0, trunk.fascia_depth))
        structures.append(SoftBody(_psoas(curve, sign, scale), firm, 8.0, trunk.cavity_depth))
        top, bottom = curve.frames["L1"].origin_mm, curve.frames["L4"].origin_mm
        quadratus = chain(
            [
                (top[0] + sign * 52 * scale, top[1] + 34 * scale, top[2]),
                (bottom[0] + sign * 72 * scale, bottom[1] + 36 * scale, bottom[2] - 20 * scale),
            ],
            [(16 * scale, 7 * scale), (22 * scale, 9 * scale)],
            (1.0, -0.25 * sign, 0.0),
        )
        structures.append(SoftBody(list(quadratus), firm, 6.0, trunk.fascia_depth))
        gluteal: list[Solid] = [
            Ellipsoid(
                (sign * 88 * scale, sacrum[1] + 36 * scale, sacrum[2] - 70 * scale),
                (52 * scale, 42 * scale, 80 * scale),
            ),
            Ellipsoid(
                (sign * 128 * scale, sacrum[1] - 12 * scale, sacrum[2] - 40 * scale),
                (26 * scale, 52 * scale, 75 * scale),
            ),
        ]
        structures.append(SoftBody(gluteal, firm, 10.0, trunk.fascia_depth))
    return structures


def _erector(curve: SpineCurve, sign: float, scale: float) -> list[Solid]:
    """Erector spinae and multifidus beside the spinous processes, from T1 to the sacrum."""
    points, sizes = [], []
    for level in curve.levels:
        origin, lumbar = curve.frames[level].origin_mm, level.startswith("L")
        x, y, half = (38, 52, (37, 27)) if lumbar else (28, 52, (27, 17))
        if level in ("T11", "T12"):
            x, y, half = 33, 53, (32, 22)
        points.append((origin[0] + sign * x * scale, origin[1] + y * scale, float(origin[2])))
        sizes.append((half[0] * scale, half[1] * scale))
    low = curve.sacral_frames[1].origin_mm
    points.append((sign * 26 * scale, low[1] + 44 * scale, float(low[2])))
    sizes.append((22 * scale, 12 * scale))
    return list(chain(points, sizes))


def _psoas(curve: SpineCurve, sign: float, scale: float) -> list[Solid]:
    """Psoas from L1 to the pelvis, growing caudally, joined by the iliacus."""
    lumbar = [k for k in curve.levels if k.startswith("L")]
    points, sizes = [], []
    for t, level in zip(np.linspace(0.0, 1.0, len(lumbar)), lumbar, strict=True):
        origin, size = curve.frames[level].origin_mm, curve.sizes[level]
        half = scale * float(np.interp(t, [0.0, 0.5, 1.0], [8.0, 16.0, 20.0]))
        beside = size.inferior_width_mm / 2.0 + half * 0.86
        points.append((origin[0] + sign * beside, origin[1] + scale * (8.0 - 12.0 * t), float(origin[2])))
        sizes.append((half, half * 1.25))
    low = curve.sacral_frames[0].origin_mm
    points.append((sign * 70 * scale, low[1] - 52 * scale, float(low[2]) - 22 * scale))
    sizes.append((22 * scale, 22 * scale))
    points.append((sign * 92 * scale, low[1] - 66 * scale, float(low[2]) - 95 * scale))
    sizes.append((18 * scale, 18 * scale))
    iliacus = Bar(
        (sign * 72 * scale, low[1] + 4 * scale, low[2] - 8 * scale),
        (sign * 98 * scale, low[1] - 40 * scale, low[2] - 10 * scale),
        26 * scale,
        9 * scale,
        (0.3 * sign, 0.0, 1.0),
    )
    return [*chain(points, sizes), iliacus]


def canal(curve: SpineCurve, bodies: dict[str, BodyShape]) -> list[Structure]:
    """Thecal sac from T1 to S2, in the fat of the spinal canal."""
    points, sizes = [], []
    for level in curve.levels:
        frame, size, body = curve.frames[level], curve.sizes[level], bodies[level]
        for w in (0.45, -0.45):
            middle = np.array(
                [[0.0, body.posterior_wall_mm + size.canal_depth_mm * 0.48, w * size.posterior_height_mm]]
            )
            points.append(tuple(frame.to_lps(middle)[0].tolist()))
            sizes.append((size.canal_width_mm * 0.33, size.canal_depth_mm * 0.40))
    for k, behind, half in ((0, 25.0, (8.0, 6.0)), (1, 19.0, (4.0, 3.5))):
        frame = curve.sacral_frames[k]
        points.append(tuple(frame.to_lps(np.array([[0.0, behind, 0.0]]))[0].tolist()))
        sizes.append(half)
    return [SoftBody(list(chain(points, sizes)), Mixture("thecal_sac"), 4.0)]


def discs(curve: SpineCurve, bodies: dict[str, BodyShape], sacrum: BodyShape, height_factor: float) -> list[Structure]:
    """Intervertebral discs: annulus with a softer nucleus, reaching under the endplates on both sides."""
    structures: list[Structure] = []
    lower_ends: list[tuple[Frame, BodyShape]] = [(curve.frames[k], bodies[k]) for k in curve.levels[1:]]
    lower_ends.append((curve.sacral_frames[0], sacrum))
    for level, (lower_frame, lower_body) in zip(curve.levels, lower_ends, strict=True):
        frame, size, body = curve.frames[level], curve.sizes[level], bodies[level]
        upper = frame.to_lps(np.array([[0.0, 0.0, -body.middle_height_mm / 2.0]]))[0]
        lower = lower_frame.to_lps(np.array([[0.0, 0.0, lower_body.middle_height_mm / 2.0]]))[0]
        half = 0.5 * size.disc_height_mm * height_factor
        axis = (upper - lower) / np.linalg.norm(upper - lower)
        left = frame.axes[:, 0]
        middle = Frame((upper + lower) / 2.0, np.column_stack([left, np.cross(axis, left), axis]))
        annulus: list[Solid] = [
            Bar((0, 0, half * 0.6), (0, 0, -half * 0.6), body.half_width_mm * 0.99, body.half_depth_mm * 0.98)
        ]
        sunk = max(body.inferior_concavity_mm, lower_body.superior_concavity_mm)
        nucleus: list[Solid] = [
            Ellipsoid((0.0, 1.5, 0.0), (body.half_width_mm * 0.72, body.half_depth_mm * 0.70, half + sunk + 2.0))
        ]
        structures.append(SoftBody(annulus, Mixture("annulus"), 1.0, None, middle))
        structures.append(SoftBody(nucleus, Mixture("disc"), 1.0, None, middle))
    return structures


def great_vessels(curve: SpineCurve, p: PatientParameters, seed: int) -> list[Structure]:
    """Aorta in front of the left side of the spine, vena cava on the right, both dividing at L4/L5."""
    scale = p.stature_m / 1.70
    levels = [k for k in curve.levels if k not in ("T1", "T2", "T3", "L5", "L6")]
    structures: list[Structure] = []
    for offset, gap, half, calcified in ((9.0, 12.0, 9.5, p.aortic_calcification), (-17.0, 11.0, 10.5, 0.0)):
        points = []
        for level in levels:
            origin, size = curve.frames[level].origin_mm, curve.sizes[level]
            forward = size.superior_depth_mm / 2.0 + gap * scale
            points.append((float(origin[0] + offset * scale), float(origin[1] - forward), float(origin[2])))
        trunk_bars = chain(points, [(half * scale, half * scale * (1.0 if offset > 0 else 0.8))] * len(points))
        low, sacrum = points[-1], curve.sacral_frames[0].origin_mm
        structures.append(BloodVessel(trunk_bars, p.blood_iodine_mg_ml, calcified, seed))
        for sign in _SIDES:
            iliac = chain(
                [
                    low,
                    (sign * 28 * scale, float(sacrum[1]) - 42 * scale, float(sacrum[2]) + 8 * scale),
                    (sign * 58 * scale, float(sacrum[1]) - 45 * scale, float(sacrum[2]) - 60 * scale),
                ],
                [(6.0 * scale, 6.0 * scale)] * 3,
            )
            structures.append(BloodVessel(iliac, p.blood_iodine_mg_ml, calcified, seed + 1))
    return structures


def organs(curve: SpineCurve, trunk: Trunk, p: PatientParameters, seed: int) -> list[Structure]:
    """Liver, spleen, kidneys with sinus fat, stomach with gas, heart."""
    s = p.stature_m / 1.70
    z_l1, z_t11, z_t8 = (float(curve.frames[k].origin_mm[2]) for k in ("L1", "T11", "T8"))
    front = trunk.back_mm - 2.0 * float(trunk.half_axes(np.array(z_l1))[1])

    def ellipsoid(centre: tuple[float, float, float], half: tuple[float, float, float]) -> list[Solid]:
        return [Ellipsoid(centre, (half[0] * s, half[1] * s, half[2] * s))]

    middle_y = (front + 20.0) / 2.0
    clip = trunk.cavity_depth
    structures: list[Structure] = [
        SoftBody(ellipsoid((-78.0 * s, middle_y + 10.0, z_t11 + 5.0), (92, 86, 78)), Mixture("liver"), 4.0, clip),
        SoftBody(ellipsoid((96.0 * s, 8.0, z_t11 + 8.0), (28, 38, 50)), Mixture("spleen"), 4.0, clip),
        SoftBody(ellipsoid((58.0 * s, middle_y - 10.0, z_t11 - 5.0), (42, 38, 46)), Mixture("bowel"), 4.0, clip),
        SoftBody(ellipsoid((58.0 * s, middle_y - 24.0, z_t11 - 2.0), (32, 20, 36)), Mixture("bowel_gas"), 4.0, clip),
        SoftBody(ellipsoid((18.0 * s, middle_y - 10.0, z_t8), (58, 52, 58)), Mixture("blood"), 4.0, clip),
    ]
    for sign, drop in ((1.0, 0.0), (-1.0, -12.0)):
        centre = (sign * 66.0 * s, 14.0, z_l1 + drop)
        sinus = (sign * 56.0 * s, 9.0, z_l1 + drop)
        structures.append(SoftBody(ellipsoid(centre, (25, 22, 50)), Mixture("kidney"), 4.0, clip))
        structures.append(SoftBody(ellipsoid(sinus, (12, 10, 26)), Mixture("fat", "kidney", 0.2), 4.0, clip))
    return structures + _bowel(curve, trunk, s, seed)


def _bowel(curve: SpineCurve, trunk: Trunk, scale: float, seed: int) -> list[Structure]:
    """Loops of small bowel in front of the spine, some with gas on top, and the colon on both flanks with stool."""
    rng = np.random.default_rng(seed)
    structures: list[Structure] = []
    z_top, z_low = float(curve.frames["L1"].origin_mm[2]), float(curve.sacral_frames[1].origin_mm[2]) - 40.0
    for _ in range(120):
        z = float(rng.uniform(z_low, z_top))
        width, depth = (float(h) for h in trunk.half_axes(np.array(z)))
        front = trunk.back_mm - 2.0 * depth + trunk.subcutaneous_mm + trunk.wall_mm
        back = min(-48.0 * scale, front + 90.0)
        x = float(rng.uniform(-0.62, 0.62) * width)
        y = float(rng.uniform(front + 14.0, back)) if back > front + 14.0 else front + 14.0
        half = rng.uniform(12.0, 20.0, 3) * scale
        shape = (float(half[0]), float(half[1]), float(half[2]))
        structures.append(SoftBody([Ellipsoid((x, y, z), shape)], Mixture("bowel"), 4.0, trunk.cavity_depth))
        if rng.random() < 0.22:
            gas: list[Solid] = [
                Ellipsoid((x, y - 0.35 * shape[1], z), (shape[0] * 0.75, shape[1] * 0.5, shape[2] * 0.75))
            ]
            structures.append(SoftBody(gas, Mixture("bowel_gas"), 4.0, trunk.cavity_depth))
    for sign in _SIDES:
        width = float(trunk.half_axes(np.array(0.0))[0])
        x = sign * (width - trunk.subcutaneous_mm - trunk.wall_mm - 24.0 * scale)
        colon = chain(
            [(x, -20.0, z_top - 20.0), (x * 1.02, -14.0, 0.0), (x, -26.0, z_low + 50.0)], [(19.0 * scale,) * 2] * 3
        )
        stool = Mixture("stool", "bowel_gas", 0.25, 0.35, 3.0, seed + 7)
        structures.append(SoftBody(list(colon), Mixture("bowel"), 4.0, trunk.cavity_depth))
        structures.append(
            SoftBody([Bar(b.start, b.end, 16.0 * scale, 16.0 * scale) for b in colon], stool, 4.0, trunk.cavity_depth)
        )
    return structures
