"""Synthetic patients for the pictures of a study whose own data hold no such image.

The generator gives image and label maps; frames and regions are those of the workflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.anatomy.levels import Level
from spongiosa.config.regions import RegionsSettings
from spongiosa.localise.describe import describe
from spongiosa.regions.catalogue import place_regions
from spongiosa.regions.region import RegionSet
from spongiosa.studies.pictured_scan import PicturedScan, Reading
from spongiosa.synthetic.image import SyntheticImage
from spongiosa.synthetic.mri import MrParameters, render_mr
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import SyntheticPatient, build_patient
from spongiosa.synthetic.population import PRESETS, as_recorded, sample_population
from spongiosa.synthetic.scanner import RenderedScan, render_ct
from spongiosa.synthetic.variants import Cement, Fracture, Variant, instrumentation
from spongiosa.volume import FloatArray, Geometry, Volume

SEED = 7
OLD_WOMAN = PatientParameters(age_years=70.0, trabecular_density_mg_cm3=105.0, shape_variation=0.3)
BRITTLE = replace(OLD_WOMAN, trabecular_density_mg_cm3=75.0)

#: Bone firm enough that a zone of resorption stands out.
FIRM = replace(OLD_WOMAN, trabecular_density_mg_cm3=150.0)

#: A small field of view about one vertebra.
SCANNER = ScannerParameters(
    rows=150, columns=130, pixel_spacing_mm=0.7, slice_thickness_mm=1.0, slice_spacing_mm=1.0, cranial_margin_mm=22.0,
    caudal_margin_mm=22.0, off_centre_mm=(0.0, 34.0), kernel="standard", noise_sd_hu=12.0, has_table=False,
)  # fmt: skip
PEDICLE_LEVELS = ("L1", "L2", "L3", "L4")


@dataclass(frozen=True)
class LooseScrew:
    """A scan with a screw in a halo of resorbed bone: the screw's middle and direction, LPS, and the halo's width."""

    scan: PicturedScan
    level: str
    side: str
    middle_mm: FloatArray
    direction: FloatArray
    halo_mm: float


@dataclass(frozen=True)
class PedicleMr:
    """A sagittal T1 MR with the pedicle regions of the same patient's CT, and a circle in the fluid behind L3, LPS."""

    mr: Volume
    regions: RegionSet
    fluid_mm: FloatArray
    fluid_radius_mm: float


@lru_cache(maxsize=4)
def one_level(level: str, measured: tuple[str, ...]) -> PicturedScan:
    """A scan of one vertebra with the regions `measured`."""
    scanner = replace(SCANNER, cranial_level=level, caudal_level=level)
    scan = render_ct(build_patient(OLD_WOMAN, SEED), scanner, SEED)
    return pictured(scan, (level,), measured)


@lru_cache(maxsize=1)
def loose_screw() -> LooseScrew:
    """L4 and L5 with screws and rods, the left screw of L5 loose."""
    halo_mm = 2.0
    variants = instrumentation(("L4", "L5"), {("L5", "left"): halo_mm})
    scanner = replace(
        SCANNER, rows=180, columns=180, pixel_spacing_mm=0.6, cranial_level="L5", caudal_level="L5", kernel="bone",
        cranial_margin_mm=20.0, caudal_margin_mm=16.0, off_centre_mm=(0.0, 45.0),
    )  # fmt: skip
    scan = render_ct(build_patient(replace(FIRM, variants=variants), SEED), scanner, SEED)
    (screw,) = (each for each in scan.patient.screws if (each.level, each.side) == ("L5", "left"))
    shown = pictured(scan, ("L5",), ())
    return LooseScrew(shown, "L5", "left", (screw.entry_mm + screw.tip_mm) / 2, screw.direction, halo_mm)


@lru_cache(maxsize=1)
def pedicle_mr() -> PedicleMr:
    """MR and CT of one patient in the same position."""
    patient = build_patient(OLD_WOMAN, SEED)
    coarse = replace(
        SCANNER, rows=100, columns=100, pixel_spacing_mm=1.0, slice_thickness_mm=1.5, slice_spacing_mm=1.5,
        cranial_level="L1", caudal_level="L4",
    )  # fmt: skip
    regions = pictured(render_ct(patient, coarse, SEED), PEDICLE_LEVELS, ("pedicle",)).regions
    mr = render_mr(patient, MrParameters(rows=244, columns=170, slices=11, slice_spacing_mm=4.4), SEED)
    fluid, radius = _thecal_sac(patient, "L3")
    return PedicleMr(as_volume(mr.mr), regions, fluid, 0.75 * radius)


@lru_cache(maxsize=1)
def fracture_case() -> tuple[PicturedScan, ...]:
    """A patient with a fracture of L1, with cement in it, and with a new fracture of L2."""
    first, new = Fracture("L1", "wedge", 0.35), Fracture("L2", "biconcave", 0.40)
    cement = Cement("L1", volume_ml=4.5)
    states: tuple[tuple[Variant, ...], ...] = ((first,), (first, cement), (first, cement, new))
    narrow = replace(
        SCANNER, rows=150, columns=24, pixel_spacing_mm=0.75, slice_thickness_mm=1.25, slice_spacing_mm=1.25,
        cranial_level="T12", caudal_level="L3", has_metal_artefacts=False, off_centre_mm=(0.0, 30.0),
    )  # fmt: skip
    levels = ("T12", "L1", "L2", "L3")
    scans = [render_ct(build_patient(replace(BRITTLE, variants=state), SEED), narrow, SEED) for state in states]
    return tuple(pictured(scan, levels, ()) for scan in scans)


def densitometry() -> Mapping[str, Any]:
    """The clinical row of the median patient of a small synthetic cohort, with T-scores and BMD."""
    people = as_recorded(sample_population(PRESETS["demo"], 41, SEED))
    chosen = people.sort_values(["t_score_lumbar", "patient_id"]).iloc[len(people) // 2]
    return {str(name): value for name, value in chosen.items()}


def pictured(scan: RenderedScan, levels: tuple[str, ...], measured: tuple[str, ...]) -> PicturedScan:
    """A rendered scan with the workflow's frames and regions of `levels`; the other vertebrae are left out."""
    ct = as_volume(scan.ct)
    wanted = [int(Level[level]) for level in levels]
    vertebrae, bodies = (_only(as_volume(image), wanted) for image in (scan.vertebrae, scan.bodies))
    present = [int(label) for label in np.unique(bodies.voxels[bodies.voxels > 0])]
    found = describe(vertebrae, bodies, frozenset(), dict.fromkeys(present, 1.0), {})
    spine = SpineDescription(method="labels", confidence=1.0, vertebrae=found)
    regions = RegionSet(ct.geometry, ())
    if measured:
        regions = place_regions(ct, vertebrae, bodies, spine, RegionsSettings(levels=levels, measured=measured))
    voxels = ct.voxels.reshape(-1)
    readings = {
        (region.level, region.name, region.side): Reading(
            float(np.average(voxels[weights.indices], weights=weights.weights))
        )
        for region, weights in regions.placed()
    }
    return PicturedScan(ct, bodies, regions, spine, readings, is_synthetic=True)


def as_volume(image: SyntheticImage) -> Volume:
    """An image of the generator as a volume of the library."""
    voxels = np.asarray(image.voxels)
    shape = (int(voxels.shape[0]), int(voxels.shape[1]), int(voxels.shape[2]))
    return Volume(voxels, Geometry(shape, image.spacing_mm, image.origin_mm, np.asarray(image.direction)))


def _only(labels: Volume, wanted: list[int]) -> Volume:
    return Volume(np.where(np.isin(labels.voxels, wanted), labels.voxels, 0).astype(np.uint8), labels.geometry)


def _thecal_sac(patient: SyntheticPatient, level: str) -> tuple[FloatArray, float]:
    """Centre of the thecal sac behind the middle of a body, LPS, and half its depth.  [mm]"""
    vertebra, size = patient.vertebrae[level], patient.curve.sizes[level]
    behind = vertebra.body.posterior_wall_mm + 0.48 * size.canal_depth_mm
    centre = vertebra.frame.to_lps(np.array([[0.0, behind, 0.0]]))[0]
    return np.asarray(centre, dtype=np.float64), 0.40 * float(size.canal_depth_mm)
