"""Internal calibration as published: K2HPO4 in triglyceride, at the energy that fits the tissues best.

Source: Michalski AS, Besler BA, Michalak GJ, Boyd SK.  CT-based internal density calibration for opportunistic
skeletal assessment using abdominal CT scans.  Med Eng Phys 2020; 78: 55-63.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spongiosa.density.attenuation import Material, mass_attenuation_between
from spongiosa.density.line import DensityLine
from spongiosa.volume import FloatArray

#: Energies that are tried.  [keV]
ENERGY_STEP_KEV = 0.5
SEARCHED_KEV = np.arange(1.5, 200.0 + ENERGY_STEP_KEV / 2, ENERGY_STEP_KEV)

METHOD = "internal_two_material"


@dataclass(frozen=True)
class DensityCurve(DensityLine):
    """vBMD = slope x HU + intercept + curvature x HU^2: a product of two lines is no line."""

    curvature_mg_cm3_per_hu2: float = 0.0

    def density_mg_cm3(self, hu: float) -> float:
        """vBMD of a mean in HU.  [mg/cm3]"""
        return super().density_mg_cm3(hu) + self.curvature_mg_cm3_per_hu2 * hu * hu


@dataclass(frozen=True)
class TwoMaterialFit:
    """The energy at which the tissues' HU and mass attenuation correlate best, r2 there, and the curve that follows."""

    energy_kev: float
    r2: float
    curve: DensityCurve


def fit_two_materials(tissue_hu: Mapping[Material, float]) -> TwoMaterialFit:
    """Effective energy and density curve from the mean HU of reference tissues.

    The energy E is the one of 1.5, 2.0 ... 200 keV with the highest r2 of mass attenuation on HU.  With the regressions

        (mu/rho)(HU) = a HU + b,    rho(HU) = c HU + d,    rho_tissue = (HU / 1000 + 1) (mu/rho)_water / (mu/rho)_tissue

    over the tissues at E (rho in g/cm3, rho_water = 1), a voxel that mixes K2HPO4 and triglyceride holds

        rho_K2HPO4 = 1000 rho(HU) ((mu/rho)(HU) - (mu/rho)_tri) / ((mu/rho)_K2HPO4 - (mu/rho)_tri)  [mg/cm3]

    which is quadratic in HU.  `tissue_hu`: at least three tissues of different HU.
    Raises `ValueError` with fewer.
    """
    if len(tissue_hu) < 3 or len(set(tissue_hu.values())) < 3:
        raise ValueError("the effective energy needs three tissues of different HU")
    hu = np.array(list(tissue_hu.values()), dtype=np.float64)
    attenuation = np.stack([mass_attenuation_between(tissue, SEARCHED_KEV) for tissue in tissue_hu])
    r2 = _squared_correlation(hu, attenuation)
    best = int(np.argmax(r2))
    energy = float(SEARCHED_KEV[best])

    water, triglyceride, phosphate = (
        float(mass_attenuation_between(material, energy))
        for material in (Material.WATER, Material.TRIGLYCERIDE, Material.DIPOTASSIUM_PHOSPHATE)
    )
    a, b = np.polyfit(hu, attenuation[:, best], 1)
    c, d = np.polyfit(hu, (hu / 1000.0 + 1.0) * water / attenuation[:, best], 1)
    scale = 1000.0 / (phosphate - triglyceride)
    curve = DensityCurve(
        slope_mg_cm3_per_hu=float(scale * (c * (b - triglyceride) + a * d)),
        intercept_mg_cm3=float(scale * d * (b - triglyceride)),
        material="K2HPO4",
        method=METHOD,
        r2=float(r2[best]),
        curvature_mg_cm3_per_hu2=float(scale * a * c),
    )
    return TwoMaterialFit(energy, float(r2[best]), curve)


def _squared_correlation(hu: FloatArray, attenuation: FloatArray) -> FloatArray:
    """r2 of HU, shape (n,), with each column of attenuation, shape (n, energies)."""
    x = hu - hu.mean()
    y = attenuation - attenuation.mean(axis=0)
    return np.asarray((x @ y) ** 2 / ((x @ x) * (y * y).sum(axis=0)))
