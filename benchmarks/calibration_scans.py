"""Synthetic scans on calibration phantoms, and what a calibration makes of them, for benchmarks/calibration.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spongiosa.anatomy.frame import Plane, SpineDescription, Vertebra, VertebralFrame
from spongiosa.config.calibration import PhantomDetectionSettings
from spongiosa.config.extract import ExtractSettings
from spongiosa.config.phantoms import PRESETS
from spongiosa.config.regions import RegionsSettings
from spongiosa.density.line import CalibrationOutcome
from spongiosa.density.measure import ScanFindings, measure_regions
from spongiosa.density.phantom import phantom_calibration
from spongiosa.regions.catalogue import place_regions
from spongiosa.synthetic.image import SyntheticImage
from spongiosa.synthetic.parameters import Kernel, PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import SyntheticPatient, build_patient
from spongiosa.synthetic.phantoms import PHANTOMS, Phantom, Placement, phantom_of
from spongiosa.synthetic.posture import Posture
from spongiosa.synthetic.scanner import RenderedScan, placed_phantom, render_ct, render_reconstructions, scan_grid
from spongiosa.synthetic.tissue import Tissues, density_for_hu
from spongiosa.volume import Geometry, Volume

KVPS = (80.0, 100.0, 120.0, 140.0)
SLICES_MM = (1.0, 2.0, 3.0, 5.0)
#: Noise of 2 mm slices at 120 kVp.  [HU]
NOISE_HU: dict[Kernel, float] = {"soft": 10.0, "standard": 16.0, "bone": 36.0}
#: Noise relative to 120 kVp.
NOISE_OF_KVP = {80.0: 1.7, 100.0: 1.25, 120.0: 1.0, 140.0: 0.9}

#: A rod is the right one when its centre lies this near to the true one: rods are 30 mm apart and more.  [mm]
RIGHT_ROD_MM = 4.0

REGIONS = RegionsSettings(levels=("L1", "L2", "L3"), measured=("body_central",))
SLAB = ScannerParameters(
    rows=272,
    columns=272,
    pixel_spacing_mm=1.3,
    cranial_level="L2",
    caudal_level="L3",
    cranial_margin_mm=4.0,
    caudal_margin_mm=4.0,
    off_centre_mm=(0.0, 25.0),
)


@dataclass(frozen=True)
class PhantomCase:
    """Reconstructions of one acquisition of a patient on a phantom."""

    phantom: Phantom
    patient: PatientParameters
    kvp: float
    slice_mm: float
    seed: int
    poses_out_of_view: int = 0
    """Poses that were drawn before and dropped, because a rod did not lie wholly in the field of view."""

    @property
    def name(self) -> str:
        """Phantom, voltage and slices, and the seed."""
        return f"{self.phantom.name} {self.kvp:g} kVp {self.slice_mm:g} mm {self.seed}"

    def person(self) -> SyntheticPatient:
        """The patient of the acquisition."""
        return build_patient(self.patient, self.seed)

    def scanner(self) -> ScannerParameters:
        """What all kernels share."""
        slice_mm = self.slice_mm
        return replace(SLAB, kvp=self.kvp, slice_thickness_mm=slice_mm, slice_spacing_mm=slice_mm, phantom=self.phantom)

    def scans(self) -> list[RenderedScan]:
        """One scan per kernel.  Raises `ValueError` when a rod does not lie wholly in the field of view."""
        patient, scanner = self.person(), self.scanner()
        if not has_rods_in_view(patient, scanner):
            raise ValueError("a rod of the phantom does not lie wholly in the field of view")
        noise = NOISE_OF_KVP[self.kvp] * float(np.sqrt(2.0 / self.slice_mm))
        scanners = [replace(scanner, kernel=kernel, noise_sd_hu=noise * sd) for kernel, sd in NOISE_HU.items()]
        return render_reconstructions(patient, scanners, [self.seed + k for k in range(len(scanners))])

    def in_view(self, random: np.random.Generator) -> PhantomCase:
        """The same with a phantom that lies wholly in the field of view: its pose is drawn until it does."""
        case, patient = self, self.person()
        while not has_rods_in_view(patient, case.scanner()):
            phantom = replace(case.phantom, placement=random_placement(random))
            case = replace(case, phantom=phantom, poses_out_of_view=case.poses_out_of_view + 1)
        return case


def has_rods_in_view(patient: SyntheticPatient, scanner: ScannerParameters) -> bool:
    """Whether the section of every rod lies wholly in the image in all slices, by geometry alone.

    Matrix and, where the scanner pads what is beyond it, the circle of reconstruction bound the image.
    """
    placed = placed_phantom(patient, scanner)
    assert placed is not None, "a scan without a phantom has no rods"
    grid = scan_grid(patient, scanner)
    radius_mm = placed.phantom.rod_radius_mm
    slices, rows, columns = grid.shape
    middle = grid.origin_mm + grid.steps_mm @ np.array([(columns - 1) / 2, (rows - 1) / 2, 0.0])
    half_mm = np.array([columns, rows]) / 2 * grid.in_plane_mm
    for slice_number in (0, slices - 1):  # rods are straight: between the two they lie between
        z = float((grid.origin_mm + slice_number * grid.steps_mm[:, 2])[2])
        x0, y0, z0 = patient.position_mm
        for x, y in placed.rod_centres_mm(z - z0):
            from_middle = np.array([x + x0, y + y0]) - middle[:2]
            if (np.abs(from_middle) + radius_mm > half_mm).any():
                return False
            if scanner.padding_hu is not None and np.hypot(*from_middle) + radius_mm > half_mm.min():
                return False
    return True


def phantom_cases(seed: int) -> Iterator[PhantomCase]:
    """Every phantom at every voltage and slice thickness, each in a pose and under a patient of its own.

    All phantoms lie wholly in the field of view; a pose that does not is drawn anew, from random numbers of that
    acquisition, so that it changes no other.
    """
    random = np.random.default_rng(seed)
    number = 0
    for name in PHANTOMS:
        for kvp in KVPS:
            for slice_mm in SLICES_MM:
                number += 1
                case = PhantomCase(
                    replace(PHANTOMS[name], placement=random_placement(random)), random_patient(random), kvp, slice_mm,
                    seed=1000 * seed + 10 * number,
                )  # fmt: skip
                yield case.in_view(np.random.default_rng([seed, number]))


def random_placement(random: np.random.Generator) -> Placement:
    """Turned by up to 10 degrees, askew by up to 3, up to 15 mm off the middle, turned over or under the table."""
    return Placement(
        left_mm=float(random.uniform(-15.0, 15.0)),
        rotation_deg=float(random.uniform(-10.0, 10.0)),
        left_per_mm=float(random.uniform(-0.05, 0.05)),
        posterior_per_mm=float(random.uniform(-0.05, 0.05)),
        is_turned=bool(random.random() < 0.5),
        is_under_table=bool(random.random() < 0.3),
    )


def random_patient(random: np.random.Generator) -> PatientParameters:
    """A patient of 60 to 180 mg/cm3 and 20 to 33 kg/m2."""
    return PatientParameters(
        sex="F" if random.random() < 0.5 else "M",
        trabecular_density_mg_cm3=float(random.uniform(60.0, 180.0)),
        marrow_fat_fraction=float(random.uniform(0.3, 0.65)),
        bmi_kg_m2=float(random.uniform(20.0, 33.0)),
    )


def calibrated(scan: RenderedScan, phantom: str) -> CalibrationOutcome:
    """What the library says of a scan, when it is told to look for this phantom."""
    return phantom_calibration(
        as_volume(scan.ct), true_spine(scan), phantom, PRESETS[phantom], PhantomDetectionSettings()
    )


def densities(scan: RenderedScan, outcome: CalibrationOutcome, levels: tuple[str, ...]) -> dict[str, float]:
    """vBMD of `body_central` by level, from the true label maps.  [mg/cm3]"""
    ct, vertebrae, bodies = (as_volume(image) for image in (scan.ct, scan.vertebrae, scan.bodies))
    spine = true_spine(scan)
    regions = place_regions(ct, vertebrae, bodies, spine, REGIONS.model_copy(update={"levels": levels}))
    rows = measure_regions(ct, regions, spine, {}, ScanFindings(outcome), ExtractSettings())
    return {row["level"]: row["vbmd_mean_mg_cm3"] for row in rows if row["vbmd_mean_mg_cm3"] is not None}


def true_densities(scan: RenderedScan, levels: tuple[str, ...]) -> dict[str, float]:
    """vBMD that a perfect calibration with the scan's phantom gives for the noise-free `body_central`.  [mg/cm3]"""
    phantom = phantom_of(scan.scanner.phantom)
    assert phantom is not None, "a scan without a phantom has no phantom-equivalent density"
    tissues = scan.patient.tissues(scan.scanner.kvp)
    return {level: phantom.equivalent_mg_cm3(scan.truth.hu(level, "body_central"), tissues) for level in levels}


def has_right_rods(scan: RenderedScan, outcome: CalibrationOutcome) -> bool:
    """Whether every rod that was seen is the one that it was taken for, by its place.

    A rod as dark as its plastic is not seen; it may be measured anywhere in that plastic.
    """
    placed = placed_phantom(scan.patient, scan.scanner)
    if placed is None:
        return False
    for number, rod in enumerate(outcome.report["rods"]):
        if not rod.get("is_seen"):
            continue
        x, y, z = np.array(rod["centre_mm"]) - scan.patient.position_mm
        true_x, true_y = placed.rod_centres_mm(float(z))[number]
        if np.hypot(x - true_x, y - true_y) > RIGHT_ROD_MM:
            return False
    return True


@dataclass(frozen=True)
class RepeatedPatient:
    """One patient who is scanned again and again, lying anew on the phantom each time."""

    number: int
    target_mg_cm3: float
    """vBMD that a phantom of K2HPO4 gives about; levels and persons differ from it by a tenth."""
    scans: int

    def measured(self) -> list[float]:
        """vBMD of L1-L2 of each scan that was calibrated.  [mg/cm3]"""
        found = []
        for scan in range(self.scans):
            outcome, values = self.repeat(scan)
            if outcome.line is not None and len(values) == 2:
                found.append(float(np.mean(list(values.values()))))
        return found

    def repeat(self, number: int) -> tuple[CalibrationOutcome, dict[str, float]]:
        """The patient's scan of this number: new pose of patient, vertebrae and phantom, new noise."""
        random = np.random.default_rng([77, self.number, number])
        posture = Posture(
            flexion_deg=float(random.uniform(-4.0, 4.0)),
            shift_mm=(float(random.uniform(-12.0, 12.0)), 0.0, float(random.uniform(-8.0, 8.0))),
            vertebra_rotation_sd_deg=1.0,
            vertebra_shift_sd_mm=0.5,
            seed=1000 * self.number + number,
        )
        hu = self.target_mg_cm3 * (Tissues(120.0).dipotassium_phosphate - 0.2174)
        parameters = PatientParameters(trabecular_density_mg_cm3=density_for_hu(hu, 0.5), posture=posture)
        scanner = replace(
            SLAB,
            cranial_level="L1",
            caudal_level="L2",
            slice_thickness_mm=1.5,
            slice_spacing_mm=1.5,
            noise_sd_hu=18.0,
            phantom=replace(PHANTOMS["mindways_model_3_ct"], placement=random_placement(random)),
        )
        patient: SyntheticPatient = build_patient(parameters, 500 + self.number)
        while not has_rods_in_view(patient, scanner):
            phantom = replace(PHANTOMS["mindways_model_3_ct"], placement=random_placement(random))
            scanner = replace(scanner, phantom=phantom)
        scan = render_ct(patient, scanner, 10_000 + 100 * self.number + number)
        outcome = calibrated(scan, "mindways_model_3_ct")
        return outcome, densities(scan, outcome, ("L1", "L2"))


def true_spine(scan: RenderedScan) -> SpineDescription:
    """The spine as a perfect localiser would describe it: every complete level with its true frame."""
    vertebrae: list[Vertebra] = []
    for level in scan.truth.complete_levels:
        true: Any = scan.truth.geometry[level]
        (above, up), (below, down) = true.superior_endplate, true.inferior_endplate
        left, posterior, superior = true.axes.T
        frame = VertebralFrame(
            true.centre_mm, left, posterior, superior, Plane(above, up), Plane(below, -np.asarray(down))
        )
        vertebrae.append(Vertebra(true.label, level, frame, 1.0))
    return SpineDescription("truth", 1.0, tuple(vertebrae))


def as_volume(image: SyntheticImage) -> Volume:
    """An image of the generator as a volume of the library."""
    voxels = np.asarray(image.voxels)
    geometry = Geometry(voxels.shape, image.spacing_mm, image.origin_mm, np.asarray(image.direction))
    return Volume(voxels, geometry)
