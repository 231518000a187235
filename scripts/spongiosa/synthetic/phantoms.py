"""Calibration phantoms under the patient: rods of known mineral density in a slab of plastic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from spongiosa.synthetic.palette import Palette
from spongiosa.synthetic.sampling import PATIENT_FRAME, Box, Canvas
from spongiosa.synthetic.tissue import Tissues

Material = Literal["K2HPO4", "HA"]


@dataclass(frozen=True)
class PhantomRod:
    """One rod: equivalent density of its mineral and of its water, mg/cm3."""

    mineral_mg_cm3: float
    water_mg_cm3: float = 1000.0


@dataclass(frozen=True)
class Phantom:
    """A slab of plastic with rods along the patient's axis, from the patient's right to the left."""

    name: str
    material: Material
    rods: tuple[PhantomRod, ...]
    rod_radius_mm: float = 8.0
    rod_spacing_mm: float = 32.0
    thickness_mm: float = 26.0
    plastic_hu: float = 5.0

    def rod_hu(self, tissues: Tissues) -> tuple[float, ...]:
        """HU of the rods: HU = water - 1000 + sigma * mineral, densities in mg/cm3.

        sigma is the mass attenuation of the mineral relative to water at the effective energy; a mineral density is
        the one added to the stated water, so no displacement is taken off.
        """
        sigma = tissues.dipotassium_phosphate if self.material == "K2HPO4" else tissues.hydroxyapatite
        return tuple(rod.water_mg_cm3 - 1000.0 + sigma * rod.mineral_mg_cm3 for rod in self.rods)

    def rod_x_mm(self) -> tuple[float, ...]:
        """x of the rods' axes relative to the phantom's middle."""
        count = len(self.rods)
        return tuple((k - (count - 1) / 2.0) * self.rod_spacing_mm for k in range(count))


PHANTOMS: Final = {
    phantom.name: phantom
    for phantom in (
        # Rods of the Mindways Model 3 phantom as published in the maker's user guide (QCT PRO, v5.0, 2011).
        Phantom(
            "mindways_five_rods",
            "K2HPO4",
            (
                PhantomRod(-51.83, 1012.25),
                PhantomRod(-53.40, 1056.95),
                PhantomRod(58.88, 1103.57),
                PhantomRod(157.05, 1119.52),
                PhantomRod(375.83, 923.20),
            ),
        ),
        # Generic hydroxyapatite phantoms; the densities are those commonly offered, not of one certificate.
        Phantom("ha_three_rods", "HA", tuple(PhantomRod(d) for d in (0.0, 100.0, 200.0))),
        Phantom("ha_six_rods", "HA", tuple(PhantomRod(d) for d in (0.0, 50.0, 100.0, 150.0, 200.0, 400.0)), 7.0, 26.0),
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
    """A phantom whose middle lies at (0, `y_mm`); it reaches through the whole scan."""

    phantom: Phantom
    y_mm: float

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Lay the phantom over table and air.

        Raises `TypeError` when the palette is not that of a CT: a phantom has no signal in MR.
        """
        if not isinstance(tissues, Tissues):
            raise TypeError("a calibration phantom is painted for CT only")
        model = self.phantom
        half_width = max(abs(x) for x in model.rod_x_mm()) + model.rod_radius_mm + 14.0
        half = model.thickness_mm / 2.0
        box = Box((-half_width - 2, self.y_mm - half - 2, -2000.0), (half_width + 2, self.y_mm + half + 2, 2000.0))
        for window, place in canvas.slabs(PATIENT_FRAME, box):
            x, y = window.u, window.v - np.float32(self.y_mm)
            slab = window.coverage(np.maximum(np.abs(x) - np.float32(half_width), np.abs(y) - np.float32(half)))
            value = slab * np.float32(model.plastic_hu)
            for centre, hu in zip(model.rod_x_mm(), model.rod_hu(tissues), strict=True):
                rod = window.coverage(np.hypot(x - np.float32(centre), y) - np.float32(model.rod_radius_mm))
                value += rod * np.float32(hu - model.plastic_hu)
            canvas.paint(place, slab, value)

    def rod_centres_mm(self) -> list[tuple[float, float]]:
        """x and y of the rods, LPS mm."""
        return [(x, self.y_mm) for x in self.phantom.rod_x_mm()]
