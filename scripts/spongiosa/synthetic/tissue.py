"""Hounsfield units of the tissues at a tube voltage.

A scanner is reduced to its effective energy; the HU of a mixture is 1000 (mu - mu_water) / mu_water with mu from mass
attenuation coefficients of NIST (Hubbell and Seltzer, XCOM, NISTIR 5632). The effective energies are those at which
iodine gives the enhancement that body scans show (about 41, 31, 25.5 and 20 HU per mg/ml at 80, 100, 120, 140 kVp).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from spongiosa.synthetic.sampling import Floats

_ENERGIES_KEV = np.array([40.0, 50.0, 60.0, 80.0, 100.0])
# Mass attenuation, cm2/g, at those energies (NIST).
_MASS_ATTENUATION: Final = {
    "hydrogen": (0.3458, 0.3355, 0.3260, 0.3091, 0.2944),
    "oxygen": (0.2585, 0.2132, 0.1907, 0.1678, 0.1551),
    "phosphorus": (0.8096, 0.4916, 0.3494, 0.2324, 0.1865),
    "potassium": (1.541, 0.8679, 0.5678, 0.3251, 0.2345),
    "calcium": (1.830, 1.019, 0.6578, 0.3656, 0.2571),
    "iodine": (22.10, 12.32, 7.579, 3.510, 1.942),
    "titanium": (2.214, 1.213, 0.7661, 0.4052, 0.2721),
    "water": (0.2683, 0.2269, 0.2059, 0.1837, 0.1707),
    "adipose": (0.2396, 0.2123, 0.1974, 0.1800, 0.1688),
}
_EFFECTIVE_KEV: Final = {80.0: 57.0, 100.0: 64.5, 120.0: 70.5, 140.0: 77.0}

_HYDROXYAPATITE: Final = {"calcium": 0.3989, "phosphorus": 0.1850, "oxygen": 0.4141, "hydrogen": 0.0020}
HYDROXYAPATITE_DENSITY_MG_CM3: Final = 3160.0
_DIPOTASSIUM_PHOSPHATE: Final = {"potassium": 0.4490, "phosphorus": 0.1778, "oxygen": 0.3674, "hydrogen": 0.0058}
_FAT_DENSITY_G_CM3: Final = 0.92
_TITANIUM_DENSITY_G_CM3: Final = 4.43
CORTICAL_DENSITY_MG_CM3: Final = 950.0
"""Hydroxyapatite in the compact bone of a vertebra, mg/cm3."""

_COLLAGEN_HU: Final = 30.0

# Soft tissues, whose HU hardly depend on the voltage: native CT at any kVp, common radiological values.
_SOFT_TISSUE_HU: Final = {
    "air": -1000.0,
    "lung": -850.0,
    "bowel_gas": -960.0,
    "muscle": 55.0,
    "skin": 40.0,
    "liver": 58.0,
    "spleen": 48.0,
    "kidney": 32.0,
    "blood": 42.0,
    "bowel": 30.0,
    "stool": -60.0,
    "disc": 78.0,
    "annulus": 95.0,
    "cerebrospinal_fluid": 8.0,
    "thecal_sac": 22.0,
    "ligament": 70.0,
    "red_marrow": 45.0,
    "table": -120.0,
    "table_foam": -930.0,
    "halo": 10.0,
}


# Iodine of a tissue in the portal venous phase relative to that of the blood; the marrow's share raises vertebral HU
# by about a tenth of what the aorta gains, as studies of enhanced against native CT find.
_IODINE_SHARE: Final = {"kidney": 1.1, "spleen": 0.75, "liver": 0.55, "bowel": 0.4, "muscle": 0.12, "red_marrow": 0.2}


def mass_attenuation(material: str, energy_kev: float) -> float:
    """Mass attenuation in cm2/g, log-log interpolated."""
    table = np.asarray(_MASS_ATTENUATION[material])
    return float(np.exp(np.interp(np.log(energy_kev), np.log(_ENERGIES_KEV), np.log(table))))


class Tissues:
    """Attenuation of every tissue at one tube voltage (80-140 kVp; between the four voltages interpolated).

    With iodine in the blood, organs and red marrow take up their share of it.
    """

    def __init__(self, kvp: float, blood_iodine_mg_ml: float = 0.0) -> None:
        if not 80.0 <= kvp <= 140.0:
            raise ValueError(f"kvp is {kvp:g}; the tissue model holds for 80 to 140 kVp")
        self.kvp = kvp
        self.blood_iodine_mg_ml = blood_iodine_mg_ml
        self.energy_kev = float(np.interp(kvp, list(_EFFECTIVE_KEV), list(_EFFECTIVE_KEV.values())))
        self._water = mass_attenuation("water", self.energy_kev)
        self.hydroxyapatite = self._relative(_HYDROXYAPATITE)
        self.dipotassium_phosphate = self._relative(_DIPOTASSIUM_PHOSPHATE)
        self.fat_hu = 1000.0 * (_FAT_DENSITY_G_CM3 * mass_attenuation("adipose", self.energy_kev) / self._water - 1.0)
        self.titanium_hu = 1000.0 * (
            _TITANIUM_DENSITY_G_CM3 * mass_attenuation("titanium", self.energy_kev) / self._water - 1.0
        )
        self.iodine_hu_per_mg_ml = mass_attenuation("iodine", self.energy_kev) / self._water - 0.2
        self.cortical = self.compact(CORTICAL_DENSITY_MG_CM3)

    def _relative(self, composition: dict[str, float]) -> float:
        """Mass attenuation of a compound relative to water."""
        mixture = sum(share * mass_attenuation(element, self.energy_kev) for element, share in composition.items())
        return mixture / self._water

    def value(self, tissue: str) -> float:
        """HU of a soft tissue, `fat` or `titanium`. Raises `KeyError` for another name."""
        special = {"fat": self.fat_hu, "titanium": self.titanium_hu, "halo_rim": self.compact(300.0)}
        if tissue in special:
            return special[tissue]
        uptake = _IODINE_SHARE.get(tissue, 0.0) * self.blood_iodine_mg_ml
        return _SOFT_TISSUE_HU[tissue] + uptake * self.iodine_hu_per_mg_ml

    def blood(self, iodine_mg_ml: float) -> float:
        """HU of blood with dissolved contrast medium."""
        return _SOFT_TISSUE_HU["blood"] + iodine_mg_ml * self.iodine_hu_per_mg_ml

    def marrow(self, fat_fraction: float) -> float:
        """HU of marrow with a volume fraction of fat."""
        return fat_fraction * self.fat_hu + (1.0 - fat_fraction) * self.value("red_marrow")

    def compact(self, density_mg_cm3: float) -> float:
        """HU of mineralised collagen of the given density of hydroxyapatite."""
        return _COLLAGEN_HU + density_mg_cm3 * self.mineral_slope(_COLLAGEN_HU)

    def spongy(self, density_mg_cm3: Floats, marrow_fat_fraction: float) -> Floats:
        """HU of marrow in which hydroxyapatite of the given density displaces its own volume.

        HU = marrow + D ((mu/rho)_HA / (mu/rho)_water - (1 + marrow / 1000) / 3.160), D in mg/cm3.
        """
        marrow = self.marrow(marrow_fat_fraction)
        return np.asarray(np.float32(marrow) + density_mg_cm3 * np.float32(self.mineral_slope(marrow)))

    def mineral_slope(self, marrow_hu: float) -> float:
        """HU gained per mg/cm3 of hydroxyapatite."""
        return self.hydroxyapatite - (1000.0 + marrow_hu) / HYDROXYAPATITE_DENSITY_MG_CM3

    def k2hpo4_equivalent(self, hu: float) -> float:
        """Density in mg/cm3 of K2HPO4 that calibration with a phantom of the Mindways type gives for an HU.

        rho = (HU - beta) / sigma with sigma = sigma_ref - 0.2174 and beta = -1000 + 999.6, sigma_ref the slope of the
        rods (QCT PRO User Guide, Mindways Software, v5.0, 2011).
        """
        return (hu + 0.4) / (self.dipotassium_phosphate - 0.2174)


class DensityPalette:
    """Paints hydroxyapatite in mg/cm3 instead of HU: what is not mineralised is 0."""

    cortical = CORTICAL_DENSITY_MG_CM3

    def value(self, tissue: str) -> float:
        """No mineral, or that of titanium, which counts as none."""
        if tissue not in _SOFT_TISSUE_HU and tissue not in ("fat", "titanium", "halo_rim"):
            raise KeyError(tissue)
        return 0.0

    def blood(self, iodine_mg_ml: float) -> float:  # noqa: ARG002
        """No mineral."""
        return 0.0

    def compact(self, density_mg_cm3: float) -> float:
        """The density itself."""
        return density_mg_cm3

    def spongy(self, density_mg_cm3: Floats, marrow_fat_fraction: float) -> Floats:  # noqa: ARG002
        """The density itself."""
        return density_mg_cm3


def density_for_hu(hu: float, marrow_fat_fraction: float, kvp: float = 120.0) -> float:
    """Hydroxyapatite density in mg/cm3 at which trabecular bone shows `hu`: the inverse of `Tissues.spongy`."""
    tissues = Tissues(kvp)
    marrow = tissues.marrow(marrow_fat_fraction)
    return (hu - marrow) / tissues.mineral_slope(marrow)
