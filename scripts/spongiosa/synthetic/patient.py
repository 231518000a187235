"""The synthetic patient: all structures of the continuous field in the order in which they are laid down."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic import pelvis, soft_tissue, thorax
from spongiosa.synthetic.implants import PlacedScrew, implant_structures, place_screws
from spongiosa.synthetic.morphometry import LABELS, density_trend
from spongiosa.synthetic.palette import Palette
from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.pathology import fractured_body, lesions, spurs
from spongiosa.synthetic.posterior_elements import pedicle_axes, posterior_elements, transitional_processes
from spongiosa.synthetic.posture import Moved, shifted
from spongiosa.synthetic.sampling import Canvas, PointCanvas
from spongiosa.synthetic.shapes import Solid
from spongiosa.synthetic.spine_curve import SpineCurve, build_spine_curve
from spongiosa.synthetic.structures import Structure
from spongiosa.synthetic.tissue import Tissues
from spongiosa.synthetic.trunk import Trunk
from spongiosa.synthetic.vertebra import BoneTexture, CorticalThickness, Vertebra
from spongiosa.synthetic.vertebra_shape import BodyShape, body_shape

AIR_HU = -1000.0


@dataclass(frozen=True)
class SyntheticPatient:
    """A patient as a continuous field in LPS mm, origin at the centre of the body of L3.

    `vertebrae` runs from T1 to S1 by level name; `surroundings` are laid down before the vertebrae,
    `inclusions` after them.
    """

    parameters: PatientParameters
    seed: int
    curve: SpineCurve
    trunk: Trunk
    vertebrae: dict[str, Vertebra]
    surroundings: list[Structure]
    inclusions: list[Structure]
    screws: list[PlacedScrew]
    position_mm: NDArray[np.float64]
    """Shift of this examination's posture; `curve` and `trunk` are those before it."""

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the whole patient over a canvas."""
        for structure in (*self.surroundings, *self.vertebrae.values(), *self.inclusions):
            structure.paint(canvas, tissues)

    def hu_at(self, points_lps_mm: NDArray[np.float64], kvp: float = 120.0) -> NDArray[np.float32]:
        """The noise-free continuous field: HU at points of shape (n, 3) in LPS mm."""
        return self.values_at(points_lps_mm, self.tissues(kvp))

    def tissues(self, kvp: float) -> Tissues:
        """HU of this patient's tissues, with the contrast medium in the blood."""
        return Tissues(kvp, self.parameters.blood_iodine_mg_ml)

    def values_at(self, points_lps_mm: NDArray[np.float64], palette: Palette) -> NDArray[np.float32]:
        """The continuous field in another palette: values at points of shape (n, 3) in LPS mm."""
        canvas = PointCanvas(points_lps_mm, palette.value("air"))
        self.paint(canvas, palette)
        return np.asarray(canvas.values, dtype=np.float32)

    def vertebra_values_at(
        self, level: str, points_lps_mm: NDArray[np.float64], palette: Palette
    ) -> NDArray[np.float32]:
        """Values at points inside one vertebra, where nothing that is laid down before it shows."""
        canvas = PointCanvas(points_lps_mm, palette.value("air"))
        for structure in (self.vertebrae[level], *self.inclusions):
            structure.paint(canvas, palette)
        return np.asarray(canvas.values, dtype=np.float32)


def build_patient(parameters: PatientParameters, seed: int) -> SyntheticPatient:
    """Build the anatomy; equal parameters and seed give the same field.

    Raises `ValueError` when a parameter names a level that this spine does not have.
    """
    p = parameters
    scale = p.stature_m / 1.70
    streams = [int(s.generate_state(1)[0] >> 1) for s in np.random.SeedSequence(seed).spawn(32)]
    curve = build_spine_curve(p, streams[6])
    named = {"level_density_mg_cm3": p.level_density_mg_cm3.keys(), "variants": {x.level for x in p.variants}}
    for parameter, levels in named.items():
        unknown = set(levels) - {*curve.levels, "S1"}
        if unknown:
            raise ValueError(
                f"{parameter} names {', '.join(sorted(unknown))}; this spine has {', '.join(curve.levels)}"
            )
    trunk = Trunk.of(p, streams[7])
    bodies = {k: fractured_body(body_shape(k, curve.sizes[k]), k, p.variants) for k in curve.levels}
    sacrum = pelvis.sacral_body(scale)
    surroundings: list[Structure] = [
        trunk,
        thorax.Lungs(trunk, curve, streams[0]),
        *soft_tissue.organs(curve, trunk, p, streams[1]),
        *soft_tissue.muscles(curve, trunk, p, streams[2]),
        *soft_tissue.great_vessels(curve, p, streams[3]),
        *soft_tissue.canal(curve, bodies),
        *soft_tissue.discs(curve, bodies, sacrum, p.disc_height_factor),
        *pelvis.iliac_wings(curve.sacral_frames[0].origin_mm, scale, 0.8 * p.trabecular_density_mg_cm3),
        *thorax.ribs(curve, trunk, p),
    ]
    vertebrae = {
        level: _vertebra(level, curve, bodies[level], p, seed=streams[4] + 10 * k)
        for k, level in enumerate(curve.levels)
    }
    vertebrae["S1"] = _sacrum(curve, sacrum, p, scale, streams[5])
    inclusions: list[Structure] = [*pelvis.sacral_disc_remnants(curve.sacral_frames, scale)]
    place = np.asarray(p.posture.shift_mm, dtype=np.float64)
    vertebrae = {k: replace(x, frame=shifted(x.frame, place)) for k, x in vertebrae.items()}
    screws = place_screws(vertebrae, p.variants)
    return SyntheticPatient(
        parameters=p,
        seed=seed,
        curve=curve,
        trunk=trunk,
        vertebrae=vertebrae,
        surroundings=[Moved(s, place) for s in surroundings],
        inclusions=[Moved(s, place) for s in inclusions] + implant_structures(screws, p.variants, curve.levels),
        screws=screws,
        position_mm=place,
    )


def _cortex(p: PatientParameters) -> CorticalThickness:
    return CorticalThickness(
        p.cortical_thickness_mm,
        p.endplate_thickness_mm,
        p.posterior_cortical_thickness_mm,
        p.cortical_thickness_variation,
    )


def _bone(level: str, p: PatientParameters, seed: int) -> BoneTexture:
    density = p.level_density_mg_cm3.get(level, p.trabecular_density_mg_cm3 * density_trend(level))
    return BoneTexture(
        density_mg_cm3=density,
        posterior_density_mg_cm3=density * p.posterior_density_factor,
        marrow_fat_fraction=p.marrow_fat_fraction,
        sd_mg_cm3=p.texture_sd_mg_cm3,
        correlation_mm=p.texture_correlation_mm,
        seed=seed,
    )


def _vertebra(level: str, curve: SpineCurve, body: BodyShape, p: PatientParameters, seed: int) -> Vertebra:
    size = curve.sizes[level]
    arch: list[Solid] = [*posterior_elements(level, size, body)]
    if p.lumbosacral_junction != "regular" and level == curve.levels[-1]:
        arch.extend(transitional_processes(size, body))
    return Vertebra(
        level=level,
        label=LABELS[level],
        frame=curve.frames[level],
        body=body,
        arch=arch,
        pedicles=pedicle_axes(size, body),
        bone=_bone(level, p, seed),
        cortex=_cortex(p),
        spurs=spurs(body, level, p.variants),
        lesions=lesions(body, level, p.variants, seed + 3),
    )


def _sacrum(curve: SpineCurve, body: BodyShape, p: PatientParameters, scale: float, seed: int) -> Vertebra:
    return Vertebra(
        level="S1",
        label=LABELS["S1"],
        frame=curve.sacral_frames[0],
        body=body,
        arch=pelvis.sacral_arch(curve.sacral_frames, scale),
        pedicles={},
        bone=_bone("S1", p, seed),
        cortex=_cortex(p),
        has_basivertebral_vein=False,
    )
