"""What the differences between persons and scanners do to an internal calibration: drawn, not rendered."""

from __future__ import annotations

import numpy as np

from spongiosa.config.internal_calibration import InternalCalibrationSettings
from spongiosa.density.beam_energy import REFERENCES, SCALE_OFFSET_SD_HU
from spongiosa.density.internal import expected_energy_kev, internal_calibration
from spongiosa.regions.tissue_samples import TissueSample
from spongiosa.synthetic.tissue import Tissues

VOLTAGES_KVP = (80.0, 100.0, 120.0, 140.0)
DRAWS = 400

#: Density at which the error is told: between the cut-offs of QCT.  [mg/cm3]
DENSITY_MG_CM3 = 100.0

#: Voltage that changes the generator's beam by 1 keV.  [kVp]
KVP_PER_KEV = 3.2


def persons_section() -> list[str]:
    """Lines of the page: the error at 100 mg/cm3 when fat, muscle, blood, scale and beam differ as in life."""
    lines = [
        "## If persons differ",
        "",
        "All synthetic patients have the same fat and the same blood. Persons differ (SD: fat "
        f"{REFERENCES['fat'].spread_hu:g}, muscle {REFERENCES['muscle'].spread_hu:g}, blood "
        f"{REFERENCES['blood'].spread_hu:g} HU), scales drift (SD {SCALE_OFFSET_SD_HU:g} HU) and beams of one voltage "
        f"differ (SD 3 keV). {DRAWS} draws of all of it per voltage, at {DENSITY_MG_CM3:g} mg/cm3, without any image "
        "(the generator ends at 80 and 140 kVp, so that beams differ to one side only there):",
        "",
        "| kVp | calibrated | mean absolute error | bias | SD |",
        "|---|---|---|---|---|",
    ]
    for number, kvp in enumerate(VOLTAGES_KVP):
        errors = _errors(kvp, np.random.default_rng([607, number]))
        lines.append(
            f"| {kvp:g} | {len(errors)} of {DRAWS} | {np.abs(errors).mean():.1f} | {errors.mean():+.1f} "
            f"| {errors.std():.1f} |"
        )
    return [*lines, ""]


def _errors(kvp: float, random: np.random.Generator) -> np.ndarray:
    settings = InternalCalibrationSettings()
    usual_kev = expected_energy_kev(kvp, settings)
    found = []
    for _ in range(DRAWS):
        beam_kev = random.normal(usual_kev, settings.effective_energy_sd_kev)
        beam = Tissues(float(np.clip(kvp + KVP_PER_KEV * (beam_kev - Tissues(kvp).energy_kev), 80.0, 140.0)))
        offset = random.normal(0.0, SCALE_OFFSET_SD_HU)
        true_hu = {
            "air": -1000.0,
            "fat": beam.fat_hu,
            "muscle": beam.value("muscle"),
            "blood": beam.value("blood"),
        }
        samples = {
            name: TissueSample(hu + offset + random.normal(0.0, REFERENCES[name].spread_hu), 15.0, 5000)
            for name, hu in true_hu.items()
        }
        outcome = internal_calibration(samples, kvp, settings)
        if outcome.line is not None:
            at_water = beam.k2hpo4_equivalent(0.0)
            bone_hu = (DENSITY_MG_CM3 - at_water) / (beam.k2hpo4_equivalent(1.0) - at_water)
            found.append(outcome.line.density_mg_cm3(bone_hu + offset) - DENSITY_MG_CM3)
    return np.array(found)
