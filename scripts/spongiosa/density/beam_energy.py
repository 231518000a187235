"""The effective energy of the beam and the drift of the HU scale, from reference tissues.

A CT beam acts like X-rays of one energy, at which a tissue of density rho and mass attenuation mu/rho shows

    HU = 1000 (rho (mu/rho) / (mu/rho)_water - 1),    rho in g/cm3, water 1.

Fat, whose carbon attenuates less than water's oxygen the lower the energy, tells the energy; blood and muscle, which
hardly change with it, tell the offset of the scale, and air with them its gain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spongiosa.density.attenuation import Material, mass_attenuation
from spongiosa.volume import FloatArray

#: Energies that are tried.  [keV]
SEARCHED_KEV = np.arange(40.0, 110.25, 0.25)


@dataclass(frozen=True)
class ReferenceTissue:
    """A tissue with its composition, its density in the living [g/cm3], and how far persons differ in HU (SD)."""

    material: Material
    density_g_cm3: float
    spread_hu: float


#: Tissues that fix energy and scale.  Densities: air at 20 degrees C; fat between adipose tissue 3 (0.93) of ICRU
#: Report 46 and triglyceride (0.92); muscle and blood so that they show 55 and 43 HU, the usual values of native CT
#: (ICRU Report 44 has 1.05 and 1.06 for muscle with some fat and for blood of the standard man).
#: Spread: of fat by its lipid, of muscle by its fat and water, of blood by its haematocrit, of air by scatter.
REFERENCES: dict[str, ReferenceTissue] = {
    "air": ReferenceTissue(Material.AIR, 0.0012, 5.0),
    "fat": ReferenceTissue(Material.ADIPOSE, 0.925, 8.0),
    "muscle": ReferenceTissue(Material.MUSCLE, 1.0620, 12.0),
    "blood": ReferenceTissue(Material.BLOOD, 1.0461, 6.0),
}

#: How far the scales of scanners in service are off (SD): offset at water and gain.  Source: the limits of quality
#: control, water within 5 HU (AAPM Report 39, ACR accreditation: 7 HU), taken as 1.5 SD.
SCALE_OFFSET_SD_HU = 3.5
SCALE_GAIN_SD = 0.005


@dataclass(frozen=True)
class BeamFit:
    """Effective energy with its SD, the scale HU_seen = (1 + gain) HU_true + offset, and what is left per tissue."""

    energy_kev: float
    energy_sd_kev: float
    offset_hu: float
    gain: float
    residuals_hu: Mapping[str, float]
    r2: float

    def true_hu(self, seen_hu: float) -> float:
        """HU on the scale where water is 0 and vacuum -1000."""
        return (seen_hu - self.offset_hu) / (1.0 + self.gain)


def expected_hu(tissue: str, energy_kev: FloatArray | float) -> FloatArray:
    """HU of a reference tissue at energies of the beam.  Raises `KeyError` for a tissue without reference."""
    reference = REFERENCES[tissue]
    relative = mass_attenuation(reference.material, energy_kev) / mass_attenuation(Material.WATER, energy_kev)
    return np.asarray(1000.0 * (reference.density_g_cm3 * relative - 1.0))


def fit_beam(tissue_hu: Mapping[str, float], expected_kev: float, expected_sd_kev: float) -> BeamFit:
    """Most probable energy and scale given the tissues' HU and what the tube voltage leads to expect.

    Minimises over energy E, offset o and gain g

        sum_t ((HU_t - (1 + g) HU_t(E) - o) / s_t)^2 + ((E - E0) / s_E)^2 + (o / s_o)^2 + (g / s_g)^2

    with the spreads s of `REFERENCES` and of scales in service.  For one E the rest is linear least squares; E is
    searched in steps of 0.25 keV.  The SD of E is that of exp(-cost / 2) over the search.
    `r2` is the squared correlation of the tissues' HU with those expected at E.
    Raises `KeyError` for a tissue without reference and `ValueError` for fewer than two tissues.
    """
    if len(tissue_hu) < 2:
        raise ValueError("the energy of the beam needs two tissues or more")
    seen = np.array(list(tissue_hu.values()), dtype=np.float64)
    spreads = np.array([REFERENCES[name].spread_hu for name in tissue_hu])
    expected = np.stack([expected_hu(name, SEARCHED_KEV) for name in tissue_hu], axis=1)
    solutions = [_scale(seen, at_energy, spreads) for at_energy in expected]
    costs = np.array([cost for _, _, cost in solutions]) + ((SEARCHED_KEV - expected_kev) / expected_sd_kev) ** 2
    best = int(np.argmin(costs))
    offset, gain, _ = solutions[best]
    probability = np.exp(-0.5 * (costs - costs[best]))
    probability /= probability.sum()
    mean = float(probability @ SEARCHED_KEV)
    left = seen - (1.0 + gain) * expected[best] - offset
    return BeamFit(
        energy_kev=float(SEARCHED_KEV[best]),
        energy_sd_kev=float(np.sqrt(probability @ (SEARCHED_KEV - mean) ** 2)),
        offset_hu=offset,
        gain=gain,
        residuals_hu=dict(zip(tissue_hu, (float(value) for value in left), strict=True)),
        r2=float(np.corrcoef(seen, expected[best])[0, 1] ** 2),
    )


def _scale(seen: FloatArray, expected: FloatArray, spreads: FloatArray) -> tuple[float, float, float]:
    """Offset, gain and cost of the regularised least squares of HU seen on HU expected."""
    design = np.column_stack([1.0 / spreads, expected / spreads])
    prior = np.diag([1.0 / SCALE_OFFSET_SD_HU, 1.0 / SCALE_GAIN_SD])
    rows = np.vstack([design, prior])
    target = np.concatenate([(seen - expected) / spreads, np.zeros(2)])
    solution, *_ = np.linalg.lstsq(rows, target, rcond=None)
    left = target - rows @ solution
    return float(solution[0]), float(solution[1]), float(left @ left)
