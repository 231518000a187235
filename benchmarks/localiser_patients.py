"""The synthetic scans of the localiser's table: every variant of anatomy, disease, surgery, view and scanner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.fft import next_fast_len

from spongiosa.anatomy.levels import Level
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.variants import (
    BoneIsland,
    Cement,
    EndplateSclerosis,
    Fracture,
    Haemangioma,
    Osteophytes,
    Variant,
    instrumentation,
)

#: Slice thickness and spacing, in-plane spacing [mm], kernel, noise SD [HU]; the matrix spans about 358 mm.
SCANNERS = (
    (3.0, 1.4, "standard", 15.0),
    (5.0, 1.6, "soft", 10.0),
    (1.0, 1.6, "standard", 25.0),
    (2.0, 1.6, "bone", 35.0),
    (2.5, 1.4, "soft", 14.0),
    (0.8, 1.8, "bone", 45.0),
    (1.5, 1.6, "standard", 22.0),
)
FIELD_MM = 358.0
#: Trabecular density [mg/cm3]: marrow of about -10 to 250 HU.
DENSITIES = (25.0, 45.0, 70.0, 110.0, 160.0, 215.0)


@dataclass(frozen=True)
class Case:
    """One synthetic scan and what a localiser must make of it.

    `expected`: `numbered` (an anchor is in view), `unknown` (no anchor is in view: vertebrae without levels, or a
    refusal) or `refused`.  `numbers` translates the generator's label to those that are right by the convention that
    the vertebra of the lowest rib is T12.  `must_be_flagged`: the anatomy is not the usual one.
    """

    number: int
    kind: str
    patient: PatientParameters
    scanner: ScannerParameters
    expected: str
    must_be_flagged: bool
    numbers: tuple[dict[int, int], ...]


def case(number: int) -> Case:
    """Case `number`: kinds follow each other, densities, scanners and persons vary independently."""
    generator = np.random.default_rng([20_26, number])
    kinds = list(_KINDS)
    kind = kinds[number % len(kinds)]
    turn = number // len(kinds)
    thickness, pixel, kernel, noise = SCANNERS[(number + turn) % len(SCANNERS)]
    is_female = bool(generator.random() < 0.55)
    patient = PatientParameters(
        sex="F" if is_female else "M",
        age_years=float(generator.uniform(35, 88)),
        stature_m=float(np.clip(generator.normal(1.62 if is_female else 1.75, 0.07), 1.45, 1.98)),
        bmi_kg_m2=float(generator.uniform(19, 34)),
        trabecular_density_mg_cm3=DENSITIES[int(generator.integers(len(DENSITIES)))],
        marrow_fat_fraction=float(generator.uniform(0.35, 0.7)),
        lordosis_deg=float(np.clip(generator.normal(46, 8), 25, 65)),
        scoliosis_cobb_deg=float(np.clip(generator.normal(0, 4), -9, 9)),
        disc_height_factor=float(generator.uniform(0.7, 1.1)),
        goutallier_grade=int(generator.integers(0, 4)),
    )
    size = next_fast_len(round(FIELD_MM / pixel))  # a prime matrix makes the noise of a scan cost three times as much
    scanner = ScannerParameters(
        rows=size,
        columns=size,
        pixel_spacing_mm=pixel,
        slice_thickness_mm=thickness,
        slice_spacing_mm=thickness,
        cranial_level=("T10", "T11", "T12")[int(generator.integers(3))],
        cranial_margin_mm=float(generator.uniform(-8, 12)),
        caudal_margin_mm=float(generator.uniform(25, 60)),
        kernel=kernel,  # type: ignore[arg-type]
        noise_sd_hu=noise,
    )
    made = _KINDS[kind](patient, scanner, generator)
    return replace(made, number=number, kind=kind)


def _numbering(patient: PatientParameters) -> tuple[dict[int, int], ...]:
    """Right labels for every label of the generator; two answers where a rib is so short that either may be meant."""
    levels = [*range(Level.T1, Level.T12 + 1), *range(Level.L1, Level.L6 + 1)]

    def moved(by: int) -> dict[int, int]:
        table = {label: levels[levels.index(label) + by] for label in levels if 0 <= levels.index(label) + by < 18}
        return table | {int(Level.S1): int(Level.S1)}

    if patient.has_thirteenth_rib:
        # A rib of a few centimetres on L1: the convention calls its vertebra T12.
        return (moved(-1), moved(0))
    if patient.twelfth_rib == "absent":
        return (moved(1),)
    return (moved(0), moved(1)) if patient.twelfth_rib == "rudimentary" else (moved(0),)


def _case(
    patient: PatientParameters, scanner: ScannerParameters, expected: str = "numbered", flagged: bool = False
) -> Case:
    return Case(0, "", patient, scanner, expected, flagged, _numbering(patient))


_Maker = Callable[[PatientParameters, ScannerParameters, np.random.Generator], Case]


def _with(*variants: Variant, **changes: object) -> _Maker:
    def make(patient: PatientParameters, scanner: ScannerParameters, _: np.random.Generator) -> Case:
        return _case(replace(patient, variants=variants, **changes), scanner)  # type: ignore[arg-type]

    return make


def _unusual(**changes: object) -> _Maker:
    def make(patient: PatientParameters, scanner: ScannerParameters, _: np.random.Generator) -> Case:
        top = replace(scanner, cranial_level="T10")
        return _case(replace(patient, **changes), top, flagged=True)  # type: ignore[arg-type]

    return make


def _view(expected: str, **changes: object) -> _Maker:
    def make(patient: PatientParameters, scanner: ScannerParameters, _: np.random.Generator) -> Case:
        return _case(patient, replace(scanner, **changes), expected)  # type: ignore[arg-type]

    return make


def _fractured(patient: PatientParameters, scanner: ScannerParameters, generator: np.random.Generator) -> Case:
    """Two to four fractures of any kind."""
    levels = generator.choice(["T12", "L1", "L2", "L3", "L4", "L5"], size=int(generator.integers(2, 5)), replace=False)
    variants = tuple(
        Fracture(str(level), str(generator.choice(["wedge", "biconcave", "crush"])), float(generator.uniform(0.2, 0.5)))  # type: ignore[arg-type]
        for level in levels
    )
    return _case(replace(patient, variants=variants), scanner)


def _scoliotic(patient: PatientParameters, scanner: ScannerParameters, generator: np.random.Generator) -> Case:
    cobb = float(generator.uniform(20, 40) * generator.choice([-1, 1]))
    turned = replace(
        patient,
        scoliosis_cobb_deg=cobb,
        axial_rotation_deg=float(generator.uniform(0, 15) * np.sign(cobb)),
        scoliosis_apex=str(generator.choice(["L1", "L2", "L3"])),
    )
    return _case(turned, scanner)


def _off_centre(patient: PatientParameters, scanner: ScannerParameters, _: np.random.Generator) -> Case:
    """A reconstruction of 200 mm about the spine."""
    narrow = replace(
        scanner, pixel_spacing_mm=0.9, rows=224, columns=224, off_centre_mm=(10.0, 40.0), cranial_level="T12"
    )
    return _case(patient, narrow)


_KINDS: dict[str, _Maker] = {
    "regular": _with(),
    "wedge L1": _with(Fracture("L1", "wedge", 0.35)),
    "biconcave L2": _with(Fracture("L2", "biconcave", 0.38)),
    "crush L4": _with(Fracture("L4", "crush", 0.45)),
    "several fractures": _fractured,
    "scoliosis 20-40 degrees": _scoliotic,
    "osteophytes, sclerosis, thin discs": _with(
        Osteophytes("L2", "inferior", 8.0, ("anterior", "right")),
        Osteophytes("L3", "superior", 9.0, ("anterior", "right")),
        EndplateSclerosis("L4", "inferior", 8.0),
        EndplateSclerosis("L5", "superior", 7.0),
        disc_height_factor=0.65,
    ),
    "bone island, haemangioma": _with(BoneIsland("L3"), Haemangioma("L2")),
    "cement L1": _with(Fracture("L1", "wedge", 0.25), Cement("L1", volume_ml=5.0)),
    "screws and rods L3-L5": _with(*instrumentation(("L3", "L4", "L5"))),
    "loose screws L4-L5": _with(*instrumentation(("L4", "L5"), {("L5", "left"): 2.0, ("L5", "right"): 2.0})),
    "sacralised L5": _unusual(lumbosacral_junction="sacralised_l5"),
    "lumbarised S1": _unusual(lumbosacral_junction="lumbarised_s1"),
    "six lumbar": _unusual(lumbar_vertebrae=6),
    "four lumbar": _unusual(lumbar_vertebrae=4),
    "rudimentary twelfth rib": _with(twelfth_rib="rudimentary"),
    "absent twelfth rib": _unusual(twelfth_rib="absent"),
    "thirteenth rib": _unusual(has_thirteenth_rib=True),
    "contrast": _with(blood_iodine_mg_ml=10.0, aortic_calcification=0.7),
    "small old woman": _with(
        sex="F", stature_m=1.47, trabecular_density_mg_cm3=35.0, goutallier_grade=4, age_years=86.0
    ),
    "tall dense man": _with(sex="M", stature_m=1.97, trabecular_density_mg_cm3=205.0, age_years=30.0),
    "obesity": _with(bmi_kg_m2=39.0),
    "ribs only, T9 to L3": _view(
        "numbered", cranial_level="T9", cranial_margin_mm=0.0, caudal_level="L3", caudal_margin_mm=8.0
    ),
    "sacrum only, L2 to S1": _view("numbered", cranial_level="L2", cranial_margin_mm=-6.0),
    "no anchor, L1 to L4": _view(
        "unknown", cranial_level="L1", cranial_margin_mm=4.0, caudal_level="L4", caudal_margin_mm=2.0
    ),
    "no anchor, L2 to L5 cut": _view(
        "unknown", cranial_level="L2", cranial_margin_mm=-10.0, caudal_level="L5", caudal_margin_mm=-12.0
    ),
    "chest": _view(
        "refused",
        cranial_level="T2",
        caudal_level="T12",
        caudal_margin_mm=-6.0,
        slice_spacing_mm=2.5,
        slice_thickness_mm=2.5,
    ),
    "prone, feet first": _view("numbered", patient_position="FFP"),
    "80 kVp": _view("numbered", kvp=80.0),
    "gantry tilt": _view("numbered", gantry_tilt_deg=15.0, slice_spacing_mm=3.0, slice_thickness_mm=3.0),
    "beam hardening": _view("numbered", beam_hardening=1.0, slice_spacing_mm=3.0, slice_thickness_mm=3.0),
    "narrow reconstruction": _off_centre,
}
