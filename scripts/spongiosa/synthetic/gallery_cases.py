"""The patients and scans of the gallery: one for each variant that the generator knows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.variants import (
    BoneIsland,
    Cement,
    EndplateSclerosis,
    Fracture,
    Haemangioma,
    Osteophytes,
    instrumentation,
)

SCANNER = ScannerParameters(
    rows=320, columns=320, pixel_spacing_mm=1.15, slice_thickness_mm=1.5, slice_spacing_mm=1.5, noise_sd_hu=12.0
)
OLD_BONE = PatientParameters(
    age_years=74.0, trabecular_density_mg_cm3=70.0, marrow_fat_fraction=0.6, goutallier_grade=3
)


@dataclass(frozen=True)
class Case:
    """A named patient, its scan, and the level through which the axial view is cut."""

    title: str
    patient: PatientParameters = field(default_factory=PatientParameters)
    scanner: ScannerParameters = SCANNER
    level: str = "L3"


def _old(*variants: object, **changes: object) -> PatientParameters:
    return replace(OLD_BONE, variants=variants, **changes)  # type: ignore[arg-type]


CASES: tuple[Case, ...] = (
    Case("Regular, woman, 62 years"),
    Case(
        "Regular, man, 35 years, dense bone",
        PatientParameters(
            sex="M", age_years=35, stature_m=1.80, trabecular_density_mg_cm3=170, marrow_fat_fraction=0.35
        ),
    ),
    Case("Osteoporosis, fatty muscles (Goutallier 4)", _old(trabecular_density_mg_cm3=45.0, goutallier_grade=4)),
    Case("Obesity, 38 kg/m2", PatientParameters(bmi_kg_m2=38.0), replace(SCANNER, pixel_spacing_mm=1.5)),
    Case("Wedge fracture L1, grade 2", _old(Fracture("L1", "wedge", 0.35)), level="L1"),
    Case("Biconcave fracture L2, grade 2", _old(Fracture("L2", "biconcave", 0.35)), level="L2"),
    Case("Crush fracture L4, grade 3", _old(Fracture("L4", "crush", 0.45)), level="L4"),
    Case(
        "Scoliosis 35 degrees, convex to the left, apex turned by 15 degrees",
        PatientParameters(scoliosis_cobb_deg=35.0, axial_rotation_deg=15.0),
        level="L2",
    ),
    Case(
        "Osteophytes L2-L4, endplate sclerosis L4/L5, narrow discs",
        _old(
            Osteophytes("L2", "inferior", 8.0, ("anterior", "right")),
            Osteophytes("L3", "superior", 9.0, ("anterior", "right")),
            Osteophytes("L4", "superior", 6.0, ("anterior", "left")),
            EndplateSclerosis("L4", "inferior", 8.0),
            EndplateSclerosis("L5", "superior", 7.0),
            disc_height_factor=0.7,
        ),
        level="L4",
    ),
    Case(
        "Bone island L3, haemangioma L2", PatientParameters(variants=(BoneIsland("L3"), Haemangioma("L2"))), level="L2"
    ),
    Case(
        "Cement L1 after a wedge fracture", _old(Fracture("L1", "wedge", 0.25), Cement("L1", volume_ml=5.0)), level="L1"
    ),
    Case("Screws and rods L3-L5", PatientParameters(variants=instrumentation(("L3", "L4", "L5"))), level="L4"),
    Case(
        "Screws L4-S1 region, loose in L5: halo 2 mm on both sides",
        _old(*instrumentation(("L4", "L5"), {("L5", "left"): 2.0, ("L5", "right"): 2.0})),
        level="L5",
    ),
    Case("Sacralised L5", PatientParameters(lumbosacral_junction="sacralised_l5"), level="L5"),
    Case("Lumbarised S1", PatientParameters(lumbosacral_junction="lumbarised_s1"), level="L5"),
    Case("Six lumbar vertebrae", PatientParameters(lumbar_vertebrae=6)),
    Case("Four lumbar vertebrae", PatientParameters(lumbar_vertebrae=4)),
    Case("Rudimentary twelfth rib", PatientParameters(twelfth_rib="rudimentary"), level="L1"),
    Case("Rib of L1 (thirteenth rib)", PatientParameters(has_thirteenth_rib=True), level="L1"),
    Case(
        "Contrast, arterial phase, calcified aorta",
        PatientParameters(blood_iodine_mg_ml=12.0, aortic_calcification=0.7),
    ),
    Case(
        "Field of view cut through L2 and L5",
        scanner=replace(
            SCANNER, cranial_level="L2", cranial_margin_mm=-12.0, caudal_level="L5", caudal_margin_mm=-12.0
        ),
    ),
    Case(
        "Chest only",
        scanner=replace(SCANNER, cranial_level="T1", caudal_level="T12", caudal_margin_mm=-5.0, slice_spacing_mm=2.0),
        level="T8",
    ),
    Case("Prone, feet first", scanner=replace(SCANNER, patient_position="FFP")),
    Case("80 kVp, bone kernel", scanner=replace(SCANNER, kvp=80.0, kernel="bone", noise_sd_hu=45.0)),
    Case(
        "5 mm slices, soft kernel",
        scanner=replace(SCANNER, slice_thickness_mm=5.0, slice_spacing_mm=5.0, kernel="soft"),
    ),
    Case(
        "Gantry tilt 15 degrees",
        scanner=replace(SCANNER, gantry_tilt_deg=15.0, slice_spacing_mm=3.0, slice_thickness_mm=3.0),
    ),
    Case(
        "Phantom with five rods, two loose screws",
        _old(*instrumentation(("L4",), {("L4", "left"): 2.5})),
        replace(SCANNER, phantom="mindways_model_3_ct"),
        "L4",
    ),
    Case("Beam hardening", scanner=replace(SCANNER, beam_hardening=1.0, rows=256, columns=256, slice_spacing_mm=3.0)),
    Case(
        "Off-centre field of view with padding",
        scanner=replace(
            SCANNER, rows=256, columns=256, pixel_spacing_mm=1.0, off_centre_mm=(45.0, 30.0), padding_hu=-1024
        ),
    ),
)
