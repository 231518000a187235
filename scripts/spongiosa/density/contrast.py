"""Whether a scan was made with contrast medium, and in which phase: from vessels, kidneys and the header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from spongiosa.config.contrast import ContrastSettings, Phase
from spongiosa.regions.tissue_samples import TissueSample

#: HU of native blood and of native kidney, and how far they differ between persons (SD).
NATIVE_BLOOD_HU, NATIVE_BLOOD_SD_HU = 43.0, 8.0
NATIVE_KIDNEY_HU = 40.0

#: HU that 1 mg/ml of iodine adds at each tube voltage.  Source: body scans, 41, 31, 25.5 and 20 HU at 80, 100, 120 and
#: 140 kVp; between them interpolated.
IODINE_KVP = (70.0, 80.0, 100.0, 120.0, 140.0)
IODINE_HU_PER_MG_ML = (49.0, 41.0, 31.0, 25.5, 20.0)
REFERENCE_KVP = 120.0

#: Further spread when the header does not give the voltage (SD, fraction of the enhancement).
UNKNOWN_VOLTAGE_SPREAD = 0.3


@dataclass(frozen=True)
class PhaseModel:
    """What a phase looks like at 120 kVp: mean and SD of the enhancement of the aorta [HU], and of the ratios of the
    vena cava's and the kidneys' enhancement to the aorta's."""

    aorta_hu: tuple[float, float]
    cava_ratio: tuple[float, float]
    kidney_ratio: tuple[float, float]


#: Source: enhancement of abdominal protocols after Bae, Radiology 2010; 256: 32-61 (aorta 200-350 HU at its peak with
#: a vena cava that fills only from the kidneys, both near 80-150 HU at 60-80 s, 30-70 HU after minutes, while the
#: kidneys excrete); the spreads take in doses of 0.3 to 0.6 g iodine per kg.
PHASES: dict[Phase, PhaseModel] = {
    "none": PhaseModel((0.0, NATIVE_BLOOD_SD_HU), (1.0, np.inf), (1.0, np.inf)),
    "arterial": PhaseModel((265.0, 70.0), (0.5, 0.45), (0.7, 0.4)),
    "portal_venous": PhaseModel((108.0, 27.0), (0.85, 0.3), (1.2, 0.4)),
    "delayed": PhaseModel((48.0, 13.0), (1.0, 0.3), (1.5, 0.6)),
}

#: How often each is met when the header says that an agent was given, that none was, or nothing.  A field that is
#: filled can also mean oral contrast or a series before the injection; one that is empty is often forgotten.
PRIOR: dict[bool | None, dict[Phase, float]] = {
    True: {"none": 0.10, "arterial": 0.2, "portal_venous": 0.55, "delayed": 0.15},
    False: {"none": 0.90, "arterial": 0.02, "portal_venous": 0.06, "delayed": 0.02},
    None: {"none": 0.55, "arterial": 0.1, "portal_venous": 0.27, "delayed": 0.08},
}

#: Enhancement of the aorta below which the ratios to it are noise.  [HU at 120 kVp]
LEAST_FOR_RATIOS_HU = 25.0


@dataclass(frozen=True)
class ContrastPhase:
    """The phase (None when it is left open), its probability, and what speaks for it.

    `aorta_hu`, `vena_cava_hu`, `kidney_hu` as measured, `header_says_agent` as in the header, `probabilities` of all
    phases.
    """

    phase: Phase | None
    confidence: float
    aorta_hu: float | None = None
    vena_cava_hu: float | None = None
    kidney_hu: float | None = None
    header_says_agent: bool | None = None
    probabilities: Mapping[Phase, float] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()


def contrast_phase(
    organs: Mapping[str, TissueSample], kvp: float | None, header_says_agent: bool | None, settings: ContrastSettings
) -> ContrastPhase:
    """The most probable phase by Bayes' rule.

    `organs`: samples of `aorta`, `vena_cava` and `kidney` where they were seen; `header_says_agent` is the field
    `contrast_agent` of the acquisition.  HU above native are scaled to 120 kVp by what iodine shows at both voltages.
    A phase is as probable as its frequency (by the header) times the normal densities of the aorta's enhancement and
    of the two ratios; without an aorta the vena cava stands in for it.
    Below `settings.minimum_confidence`, and without any vessel, the phase is left open.
    """
    scale = _to_reference(kvp)
    spread = UNKNOWN_VOLTAGE_SPREAD if kvp is None else 0.0
    enhancement = {
        name: (sample.hu_mean - (NATIVE_KIDNEY_HU if name == "kidney" else NATIVE_BLOOD_HU)) * scale
        for name, sample in organs.items()
    }
    measured = {f"{name}_hu": sample.hu_mean for name, sample in organs.items()}
    vessel = enhancement.get("aorta", enhancement.get("vena_cava"))
    evidence = [_sentence(name, organs[name].hu_mean, value) for name, value in enhancement.items()]
    evidence.append(
        {
            True: "The header names an agent.",
            False: "The header says that none was given.",
            None: "The header is silent.",
        }[header_says_agent]
    )
    if vessel is None:
        return ContrastPhase(
            None,
            0.0,
            kidney_hu=measured.get("kidney_hu"),
            header_says_agent=header_says_agent,
            evidence=tuple(evidence),
        )
    has_ratios = vessel > LEAST_FOR_RATIOS_HU
    log_probability = {}
    for phase, model in PHASES.items():
        mean, sd = model.aorta_hu
        # the arterial phase has no upper end: bright is bright
        seen = min(vessel, mean) if phase == "arterial" else vessel
        value = np.log(PRIOR[header_says_agent][phase]) + _log_normal(seen, mean, np.hypot(sd, spread * mean))
        if has_ratios:
            if "aorta" in enhancement and "vena_cava" in enhancement:
                value += _log_normal(enhancement["vena_cava"] / vessel, *model.cava_ratio)
            if "kidney" in enhancement:
                value += _log_normal(enhancement["kidney"] / vessel, *model.kidney_ratio)
        log_probability[phase] = value
    highest = max(log_probability.values())
    weights = {phase: float(np.exp(value - highest)) for phase, value in log_probability.items()}
    total = sum(weights.values())
    probabilities = {phase: weight / total for phase, weight in weights.items()}
    best = max(probabilities, key=lambda phase: probabilities[phase])
    confidence = probabilities[best]
    return ContrastPhase(
        phase=best if confidence >= settings.minimum_confidence else None,
        confidence=confidence,
        aorta_hu=measured.get("aorta_hu"),
        vena_cava_hu=measured.get("vena_cava_hu"),
        kidney_hu=measured.get("kidney_hu"),
        header_says_agent=header_says_agent,
        probabilities=probabilities,
        evidence=tuple(evidence),
    )


def adjusted_hu(hu: float, phase: Phase | None, settings: ContrastSettings) -> float | None:
    """HU of bone as it would be without contrast medium: HU less the offset of the phase.  [HU]

    None when `settings.adjusts_hu` is off, the phase is open, or no offset is configured for it.
    """
    if not settings.adjusts_hu or phase is None:
        return None
    if phase == "none":
        return hu
    offset = settings.offsets.get(phase)
    return None if offset is None else hu - offset.hu


def _to_reference(kvp: float | None) -> float:
    """Factor from an enhancement at `kvp` to that at 120 kVp."""
    if kvp is None:
        return 1.0
    at_voltage, at_reference = np.interp([kvp, REFERENCE_KVP], IODINE_KVP, IODINE_HU_PER_MG_ML)
    return float(at_reference / at_voltage)


def _log_normal(value: float, mean: float, sd: float) -> float:
    """Logarithm of a normal density; of a flat one of its height at two SD of 0.5 where `sd` is infinite."""
    if np.isinf(sd):
        return float(-np.log(2.5))
    return float(-0.5 * ((value - mean) / sd) ** 2 - np.log(sd))


def _sentence(organ: str, hu: float, enhancement: float) -> str:
    name = {"aorta": "The aorta", "vena_cava": "The vena cava", "kidney": "The brightest parenchyma beside the spine"}
    return f"{name[organ]} shows {hu:.0f} HU, {enhancement:+.0f} HU above native at 120 kVp."
