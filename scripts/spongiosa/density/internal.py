"""Internal calibration: the density line of a scan from the patient's own tissues, without a phantom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spongiosa.config.contrast import Phase
from spongiosa.config.internal_calibration import InternalCalibrationSettings
from spongiosa.density.attenuation import Material, mass_attenuation
from spongiosa.density.beam_energy import REFERENCES, fit_beam
from spongiosa.density.line import CalibrationOutcome, DensityLine
from spongiosa.density.two_material import fit_two_materials
from spongiosa.outcome import Reason
from spongiosa.regions.tissue_samples import TISSUES, TissueSample

METHOD = "internal"

#: What a phantom of K2HPO4 rods in plastic differs from bone marrow by: sigma_CT = sigma_ref - 0.2174 and
#: beta_CT = beta_ref + 999.6, with beta_ref = -1000 on a true HU scale.  Source: QCT PRO User Guide, Mindways Software,
#: v5.0 (2011).
PHANTOM_SLOPE_SHIFT = -0.2174
PHANTOM_BETA = -1000.0 + 999.6

#: The materials of the tissues in the attenuation tables.
MATERIALS: dict[str, Material] = {
    "air": Material.AIR,
    "fat": Material.ADIPOSE,
    "muscle": Material.MUSCLE,
    "blood": Material.BLOOD,
    "cortical": Material.CORTICAL_BONE,
}

#: Without these the mass attenuation of the rest fits almost any energy.
TWO_MATERIAL_TISSUES = ("air", "fat", "cortical")


def internal_calibration(
    tissues: Mapping[str, TissueSample],
    kvp: float | None,
    settings: InternalCalibrationSettings,
    phase: Phase | None = None,
) -> CalibrationOutcome:
    """The line from HU to K2HPO4 density by the tissues of one scan, or why it is refused.

    `tissues` by the names of `TISSUES`, absent where none was found; `kvp` the tube voltage of the header;
    `phase` of a contrast medium where it was recognised (`contrast.contrast_phase`): an enhanced one refuses the
    calibration as enhanced blood does, also when little is left in the blood.

    `phantom_equivalent`: at the energy E and on the scale that `fit_beam` finds,

        rho_K2HPO4 [mg/cm3] = (HU_true - beta) / (sigma(E) - 0.2174),    sigma(E) = (mu/rho)_K2HPO4 / (mu/rho)_water,

    the equations of a phantom of K2HPO4 rods (QCT PRO User Guide) with the slope that its rods would show.
    `two_material`: Michalski 2020 (`fit_two_materials`).

    Reasons: CONTRAST_IN_BLOOD, TISSUES_NOT_FOUND, CALIBRATION_REFUSED.
    """
    used, left_out = _believed(tissues, settings)
    report: dict[str, Any] = {
        "conversion": settings.conversion,
        "tissue_hu": {name: round(sample.hu_mean, 2) for name, sample in tissues.items()},
        "tissue_sd_hu": {name: round(sample.hu_sd, 2) for name, sample in tissues.items()},
        "tissue_voxels": {name: sample.voxels for name, sample in tissues.items()},
        "tissues_left_out": left_out,
    }
    blood = tissues.get("blood")
    is_bright = blood is not None and blood.hu_mean > settings.expected_hu.blood[1]
    if (is_bright or phase not in (None, "none")) and settings.enhanced_blood == "refuse":
        shown = "" if blood is None else f" shows {blood.hu_mean:.0f} HU and"
        return CalibrationOutcome.refused(
            Reason.CONTRAST_IN_BLOOD,
            f"The blood{shown} holds contrast medium, and so do the vertebrae; a calibration by tissues would count "
            "the iodine as mineral.",
            **report,
        )
    required: set[str] = set(settings.required_tissues)
    if settings.conversion == "two_material":
        required |= set(TWO_MATERIAL_TISSUES)
    elif is_bright:
        required -= {"blood"}
    missing = [name for name in TISSUES if name in required and name not in used]
    if missing or len(used) < settings.minimum_tissues:
        return CalibrationOutcome.refused(Reason.TISSUES_NOT_FOUND, _what_is_missing(missing, used, left_out), **report)
    if settings.conversion == "two_material":
        return _two_material(used, settings, report)
    return _phantom_equivalent(used, kvp, settings, report)


def expected_energy_kev(kvp: float, settings: InternalCalibrationSettings) -> float:
    """Effective energy that a tube voltage leads to expect, interpolated in the configured table.  [keV]

    Raises `ValueError` for a voltage outside of the table.
    """
    table = np.array(sorted((float(key), kev) for key, kev in settings.effective_energy_kev.items()))
    if not table[0, 0] <= kvp <= table[-1, 0]:
        raise ValueError(f"{kvp:g} kVp lies outside of the configured {table[0, 0]:g} to {table[-1, 0]:g} kVp")
    return float(np.interp(kvp, table[:, 0], table[:, 1]))


def phantom_slope(energy_kev: float) -> float:
    """HU per mg/cm3 of K2HPO4 that a phantom gives in marrow, at an effective energy: sigma_ref - 0.2174."""
    phosphate = float(mass_attenuation(Material.DIPOTASSIUM_PHOSPHATE, energy_kev))
    return phosphate / float(mass_attenuation(Material.WATER, energy_kev)) + PHANTOM_SLOPE_SHIFT


def _believed(
    tissues: Mapping[str, TissueSample], settings: InternalCalibrationSettings
) -> tuple[dict[str, float], dict[str, str]]:
    """Mean HU of the tissues within their range, and the sentence for each of the others."""
    used: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for name in TISSUES:
        low, high = getattr(settings.expected_hu, name)
        sample = tissues.get(name)
        if sample is None:
            left_out[name] = "It was not found."
        elif not low <= sample.hu_mean <= high:
            left_out[name] = f"Its {sample.hu_mean:.0f} HU are not between {low:.0f} and {high:.0f} HU."
        else:
            used[name] = sample.hu_mean
    return used, left_out


def _what_is_missing(missing: list[str], used: Mapping[str, float], left_out: Mapping[str, str]) -> str:
    reasons = " ".join(f"{name.capitalize()}: {left_out[name]}" for name in missing or left_out)
    found = ", ".join(used) or "none"
    return f"The scan does not offer the reference tissues that the calibration needs (usable: {found}). {reasons}"


def _phantom_equivalent(
    used: Mapping[str, float], kvp: float | None, settings: InternalCalibrationSettings, report: dict[str, Any]
) -> CalibrationOutcome:
    if kvp is None:
        return CalibrationOutcome.refused(
            Reason.CALIBRATION_REFUSED,
            "The header gives no tube voltage, which the beam's energy follows from.",
            **report,
        )
    try:
        expected = expected_energy_kev(kvp, settings)
    except ValueError as error:
        return CalibrationOutcome.refused(
            Reason.CALIBRATION_REFUSED, f"{error}; add it to internal_calibration.effective_energy_kev.", **report
        )
    reference_hu = {name: hu for name, hu in used.items() if name in REFERENCES}
    fit = fit_beam(reference_hu, expected, settings.effective_energy_sd_kev)
    slope = 1.0 / phantom_slope(fit.energy_kev) / (1.0 + fit.gain)
    intercept = -slope * fit.offset_hu - PHANTOM_BETA / phantom_slope(fit.energy_kev)
    report |= {
        "tissues_used": list(reference_hu),
        "effective_energy_kev": fit.energy_kev,
        "effective_energy_sd_kev": round(fit.energy_sd_kev, 2),
        "expected_energy_kev": round(expected, 2),
        "scale_offset_hu": round(fit.offset_hu, 2),
        "scale_gain": round(1.0 + fit.gain, 5),
        "residuals_hu": {name: round(value, 2) for name, value in fit.residuals_hu.items()},
        "r2": fit.r2,
    }
    shift = fit.energy_kev - expected
    if abs(shift) > settings.maximum_energy_shift_kev:
        return CalibrationOutcome.refused(
            Reason.CALIBRATION_REFUSED,
            f"The tissues speak for {fit.energy_kev:.0f} keV, the tube voltage for {expected:.0f} keV: the header or "
            "the tissues are wrong.",
            **report,
        )
    worst = max(fit.residuals_hu, key=lambda name: abs(fit.residuals_hu[name]))
    if abs(fit.residuals_hu[worst]) > settings.maximum_residual_hu:
        return CalibrationOutcome.refused(
            Reason.CALIBRATION_REFUSED,
            f"The {worst} lies {fit.residuals_hu[worst]:+.0f} HU from the scale that the other tissues give.",
            **report,
        )
    line = DensityLine(slope, intercept, "K2HPO4", METHOD, fit.r2)
    return CalibrationOutcome(line, report=report)


def _two_material(
    used: Mapping[str, float], settings: InternalCalibrationSettings, report: dict[str, Any]
) -> CalibrationOutcome:
    fit = fit_two_materials({MATERIALS[name]: hu for name, hu in used.items()})
    report |= {
        "tissues_used": list(used),
        "effective_energy_kev": fit.energy_kev,
        "r2": fit.r2,
        "curvature_mg_cm3_per_hu2": fit.curve.curvature_mg_cm3_per_hu2,
    }
    if fit.r2 < settings.minimum_r2:
        return CalibrationOutcome.refused(
            Reason.CALIBRATION_REFUSED,
            f"HU and mass attenuation of the tissues correlate with r2 = {fit.r2:.3f} at best, below "
            f"{settings.minimum_r2:g}.",
            **report,
        )
    return CalibrationOutcome(fit.curve, report=report)
