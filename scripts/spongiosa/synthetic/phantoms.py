"""Calibration phantoms under the patient: rods of known mineral density in a slab of plastic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from spongiosa.synthetic.palette import Palette
from spongiosa.synthetic.sampling import PATIENT_FRAME, Box, Canvas
from spongiosa.synthetic.tissue import Tissues

Material = Literal["K2HPO4", "HA"]

_REACH_MM = 2000.0


@dataclass(frozen=True)
class PhantomRod:
    """One rod: equivalent density of its mineral and of its water, mg/cm3."""

    mineral_mg_cm3: float
    water_mg_cm3: float = 1000.0


@dataclass(frozen=True)
class Placement:
    """How a phantom lies, against straight under the middle of the back."""

    left_mm: float = 0.0
    """Shift of its middle to the patient's left."""
    rotation_deg: float = 0.0
    """Turn about the patient's axis: positive lowers its left end (for a supine patient)."""
    left_per_mm: float = 0.0
    """Slope of the rods against the patient's axis: mm to the left per mm cranially."""
    posterior_per_mm: float = 0.0
    """Slope of the rods: mm posteriorly per mm cranially."""
    is_turned: bool = False
    """Turned end for end: the rods run from the patient's left to the right."""
    is_under_table: bool = False
    """Under the table top, as in a mattress or a drawer of the table, instead of under the back."""
    cranial_end_mm: float = _REACH_MM
    """Height above the centre of L3 to which it reaches."""
    caudal_end_mm: float = -_REACH_MM


@dataclass(frozen=True)
class Phantom:
    """A slab of plastic with rods along the patient's axis, from the patient's right to the left."""

    name: str
    material: Material
    rods: tuple[PhantomRod, ...]
    rod_radius_mm: float = 9.0
    rod_spacing_mm: float = 32.0
    thickness_mm: float = 28.0
    plastic_hu: float = 5.0
    margin_mm: float = 14.0
    """Plastic beyond the outermost rods."""
    placement: Placement = field(default_factory=Placement)

    def rod_hu(self, tissues: Tissues) -> tuple[float, ...]:
        """HU of the rods: HU = water - 1000 + sigma * mineral, densities in mg/cm3.

        sigma is the mass attenuation of the mineral relative to water at the effective energy; a mineral density is
        the one added to the stated water, so no displacement is taken off.
        """
        sigma = tissues.dipotassium_phosphate if self.material == "K2HPO4" else tissues.hydroxyapatite
        return tuple(rod.water_mg_cm3 - 1000.0 + sigma * rod.mineral_mg_cm3 for rod in self.rods)

    def equivalent_mg_cm3(self, hu: float, tissues: Tissues) -> float:
        """The density of its mineral that a perfect calibration with this phantom gives for an HU.

        Rods of K2HPO4 in plastic: `Tissues.k2hpo4_equivalent`.  Rods of hydroxyapatite in water-equivalent plastic:
        HU / sigma, as their line runs through water.
        """
        return tissues.k2hpo4_equivalent(hu) if self.material == "K2HPO4" else hu / tissues.hydroxyapatite

    def rod_x_mm(self) -> tuple[float, ...]:
        """x of the rods' axes in the slab, relative to its middle."""
        count = len(self.rods)
        towards = -1.0 if self.placement.is_turned else 1.0
        return tuple(towards * (k - (count - 1) / 2.0) * self.rod_spacing_mm for k in range(count))

    @property
    def half_width_mm(self) -> float:
        return max(abs(x) for x in self.rod_x_mm()) + self.rod_radius_mm + self.margin_mm

    @property
    def height_mm(self) -> float:
        """Height of the slab as it lies, its rotation included."""
        turn = np.radians(self.placement.rotation_deg)
        return float(abs(np.cos(turn)) * self.thickness_mm + 2.0 * abs(np.sin(turn)) * self.half_width_mm)


def _of_hydroxyapatite(*densities_mg_cm3: float) -> tuple[PhantomRod, ...]:
    return tuple(PhantomRod(density) for density in densities_mg_cm3)


PHANTOMS: Final = {
    phantom.name: phantom
    for phantom in (
        # Rods A to E of the Mindways Model 3 CT phantom as published in the maker's user guide (QCT PRO, v5.0, 2011).
        Phantom(
            "mindways_model_3_ct",
            "K2HPO4",
            (
                PhantomRod(-51.83, 1012.25),
                PhantomRod(-53.40, 1056.95),
                PhantomRod(58.88, 1103.57),
                PhantomRod(157.05, 1119.52),
                PhantomRod(375.83, 923.20),
            ),
        ),
        # The densities below are those of the phantoms that they are named after; widths and gaps are inventions.
        Phantom(
            "mindways_model_3_qa",
            "K2HPO4",
            (
                PhantomRod(58.88, 1103.57),
                PhantomRod(-53.40, 1056.95),
                PhantomRod(157.05, 1119.52),
                PhantomRod(157.13, 1120.10),
            ),
        ),
        Phantom("qrm_bdc_3", "HA", _of_hydroxyapatite(0.0, 100.0, 200.0), rod_spacing_mm=40.0),
        Phantom("qrm_bdc_6", "HA", _of_hydroxyapatite(0.0, 100.0, 200.0, 400.0, 600.0, 800.0), rod_spacing_mm=30.0),
        Phantom("image_analysis_3", "HA", _of_hydroxyapatite(0.0, 75.0, 150.0), rod_spacing_mm=48.0),
        Phantom("b_mas_200", "HA", _of_hydroxyapatite(0.0, 50.0, 100.0, 150.0, 200.0), 10.0, 34.0, 30.0),
        Phantom("siemens_osteo", "HA", _of_hydroxyapatite(0.0, 200.0), 11.0, 60.0, 30.0, margin_mm=20.0),
    )
}


def phantom_of(choice: str | Phantom | None) -> Phantom | None:
    """A phantom by name, or as given. Raises `ValueError` for an unknown name."""
    if choice is None or isinstance(choice, Phantom):
        return choice
    if choice not in PHANTOMS:
        raise ValueError(f"no phantom {choice!r}; known are {', '.join(PHANTOMS)}")
    return PHANTOMS[choice]


@dataclass(frozen=True)
class PlacedPhantom:
    """A phantom whose middle lies at height 0 at (`phantom.placement.left_mm`, `y_mm`)."""

    phantom: Phantom
    y_mm: float

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the phantom over table and air.

        Raises `TypeError` when the palette is not that of a CT: a phantom has no signal in MR.
        """
        if not isinstance(tissues, Tissues):
            raise TypeError("a calibration phantom is painted for CT only")
        model, place = self.phantom, self.phantom.placement
        cosine, sine = np.cos(np.radians(place.rotation_deg)), np.sin(np.radians(place.rotation_deg))
        # A slope of the rods moves the slab along the patient; 300 mm either way cover any scan of a trunk.
        reach = float(np.hypot(model.half_width_mm, model.thickness_mm / 2.0)) + 2.0
        across, behind = (reach + 300.0 * abs(slope) for slope in (place.left_per_mm, place.posterior_per_mm))
        low = (place.left_mm - across, self.y_mm - behind, place.caudal_end_mm - 10.0)
        high = (place.left_mm + across, self.y_mm + behind, place.cranial_end_mm + 10.0)
        half = np.float32(model.thickness_mm / 2.0)
        for window, index in canvas.slabs(PATIENT_FRAME, Box(low, high)):
            from_x = window.u - np.float32(place.left_mm) - np.float32(place.left_per_mm) * window.w
            from_y = window.v - np.float32(self.y_mm) - np.float32(place.posterior_per_mm) * window.w
            x = np.float32(cosine) * from_x + np.float32(sine) * from_y
            y = np.float32(cosine) * from_y - np.float32(sine) * from_x
            beyond_ends = np.maximum(
                window.w - np.float32(place.cranial_end_mm), np.float32(place.caudal_end_mm) - window.w
            )
            sides = np.maximum(np.abs(x) - np.float32(model.half_width_mm), np.abs(y) - half)
            slab = window.coverage(np.maximum(sides, beyond_ends))
            filling = np.zeros_like(slab)
            for centre, hu in zip(model.rod_x_mm(), model.rod_hu(tissues), strict=True):
                rod = window.coverage(np.hypot(x - np.float32(centre), y) - np.float32(model.rod_radius_mm))
                filling += rod * np.float32(hu - model.plastic_hu)
            canvas.paint(index, slab, slab * (np.float32(model.plastic_hu) + filling))

    def rod_centres_mm(self, z_mm: float = 0.0) -> list[tuple[float, float]]:
        """x and y of the rods' axes at a height, LPS mm."""
        place = self.phantom.placement
        cosine, sine = np.cos(np.radians(place.rotation_deg)), np.sin(np.radians(place.rotation_deg))
        middle_x = place.left_mm + place.left_per_mm * z_mm
        middle_y = self.y_mm + place.posterior_per_mm * z_mm
        return [(float(middle_x + cosine * x), float(middle_y + sine * x)) for x in self.phantom.rod_x_mm()]
