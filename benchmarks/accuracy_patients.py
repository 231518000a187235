"""The synthetic scans of the accuracy table: bodies, densities, variants, voxel sizes, kernels and noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.variants import EndplateSclerosis, Fracture, Osteophytes, Variant

#: In-plane spacing, slice thickness and spacing, kernel and noise.  [mm, mm, -, HU]
SCANNERS = (
    (0.8, 5.0, "standard", 12.0),
    (0.8, 1.5, "soft", 15.0),
    (3.0, 3.0, "standard", 10.0),
    (0.78, 1.25, "bone", 35.0),
    (0.7, 2.0, "standard", 20.0),
    (0.78, 3.0, "soft", 12.0),
    (0.7, 1.0, "standard", 25.0),
    (0.9, 1.5, "bone", 30.0),
    (0.6, 0.6, "bone", 45.0),
)

#: Edge of the field of view: the spine and what lies beside it.  [mm]
FIELD_MM = 140.0

LEVELS = ("T12", "L1", "L2", "L3", "L4", "L5")

#: Seed of the scans that the regions were developed on.  The page's seed is another (`accuracy.py`).
DEVELOPMENT_SEED = 2026

#: Levels in view; each scan shows three, so that a fracture has neighbours.
VIEWS = (("T12", "L2"), ("L1", "L3"), ("L2", "L4"), ("L3", "L5"))


@dataclass(frozen=True)
class Case:
    """One synthetic scan; `levels` are those whose regions are measured."""

    name: str
    patient: PatientParameters
    scanner: ScannerParameters
    seed: int
    levels: tuple[str, ...]


def cases(count: int, seed: int = DEVELOPMENT_SEED) -> Iterator[Case]:
    """`count` scans; every scanner meets healthy, osteoporotic, fractured, degenerate and scoliotic spines."""
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        pixel, slice_mm, kernel, noise = SCANNERS[number % len(SCANNERS)]
        view = VIEWS[(number + number // len(SCANNERS)) % len(VIEWS)]
        kind, variants, scoliosis = _spine(number // len(SCANNERS), view, generator)
        is_female = number % 3 != 0
        stature = float(generator.normal(1.62 if is_female else 1.75, 0.06))
        patient = PatientParameters(
            sex="F" if is_female else "M",
            stature_m=stature,
            bmi_kg_m2=float(generator.uniform(20, 34)),
            trabecular_density_mg_cm3=float(generator.uniform(35, 170)),
            scoliosis_cobb_deg=scoliosis,
            variants=variants,
        )
        size = int(FIELD_MM / pixel)
        scanner = ScannerParameters(
            rows=size,
            columns=size,
            pixel_spacing_mm=pixel,
            slice_thickness_mm=slice_mm,
            slice_spacing_mm=slice_mm,
            cranial_level=view[0],
            cranial_margin_mm=6.0,
            caudal_level=view[1],
            caudal_margin_mm=6.0,
            off_centre_mm=(0.0, 40.0),
            kernel=kernel,  # type: ignore[arg-type]
            noise_sd_hu=noise,
            has_table=False,
        )
        of_scan = number if seed == DEVELOPMENT_SEED else 1000 * seed + number
        yield Case(f"{number:02d} {kind}", patient, scanner, of_scan, _measured_levels(number, variants))


def _measured_levels(number: int, variants: tuple[Variant, ...]) -> tuple[str, ...]:
    """Every other level, in turn (its truth takes longer than its measurement), and all that are changed."""
    changed = {variant.level for variant in variants}
    return tuple(level for k, level in enumerate(LEVELS) if k % 2 == number % 2 or level in changed)


def _spine(turn: int, view: tuple[str, str], generator: np.random.Generator) -> tuple[str, tuple[Variant, ...], float]:
    loss = float(generator.choice([0.16, 0.23, 0.32, 0.48]))
    level = {"T12": "L1", "L1": "L2", "L2": "L3", "L3": "L4"}[view[0]]
    variants: dict[str, tuple[tuple[Variant, ...], float]] = {
        "plain": ((), 0.0),
        "wedge": ((Fracture(level, "wedge", loss),), 0.0),
        "osteophytes": ((Osteophytes("L3"), Osteophytes("L4", "inferior")), 0.0),
        "scoliosis": ((), 24.0),
        "biconcave": ((Fracture(level, "biconcave", loss),), 0.0),
        "crush": ((Fracture(level, "crush", loss),), 0.0),
        "sclerosis": ((EndplateSclerosis("L4", "inferior"),), 0.0),
        "poor": ((), 8.0),
    }
    kind = list(variants)[turn % len(variants)]
    return (kind, *variants[kind])
