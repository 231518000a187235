"""The page of the benchmark of internal calibration."""

from __future__ import annotations

import numpy as np
import pandas as pd
from internal_calibration_persons import persons_section
from internal_calibration_scans import real_section

from spongiosa.density.attenuation import Material
from spongiosa.density.two_material import fit_two_materials
from spongiosa.synthetic.tissue import Tissues

#: Published example of Michalski 2020: HU of fat, air, blood, compact bone and muscle.
EXAMPLE_HU = (-100.0, -1000.0, 40.0, 1200.0, 50.0)
MATERIALS = (Material.ADIPOSE, Material.AIR, Material.BLOOD, Material.CORTICAL_BONE, Material.MUSCLE)

FAULTS = {
    "intercept_plus_1024": "rescale intercept 1024 too high",
    "intercept_minus_1024": "rescale intercept 1024 too low",
    "lower_end_at_0": "scale cut off below 0 HU",
    "lower_end_at_minus_400": "scale cut off below -400 HU",
    "padding_at_0": "padding changed to 0 HU",
    "padding_at_32767": "padding clipped at 32767",
}


def _range_mm(rows: pd.DataFrame) -> str:
    """Thinnest and thickest slices of the scans."""
    return f"{rows['slice_mm'].min():g} to {rows['slice_mm'].max():g}"


def page(rows: pd.DataFrame, cpu_seconds: float) -> str:
    """The whole page as Markdown."""
    native, enhanced = rows[rows["phase"] == "none"], rows[rows["phase"] != "none"]
    return "\n".join(
        [
            "# Internal calibration, contrast phase and the scale of the values",
            "",
            f"Made by `python benchmarks/internal_calibration.py --count {len(rows)}` on {len(rows)} synthetic scans "
            f"of L2-L3 ({cpu_seconds / 60:.0f} minutes of one core): 80 to 140 kVp, three kernels, slices of "
            f"{_range_mm(rows)} mm (without contrast medium {_range_mm(native)} mm), body mass index 19 to 36, "
            "Goutallier grades 0 to 4, with and without calcified aorta, padding and air "
            "in view. Each beam is up to 3 keV softer or harder than its tube voltage says. vBMD is that of the true "
            "`body_central`; the truth is what a phantom of K2HPO4 rods gives for the native, noise-free patient in "
            "the same beam.",
            "",
            *_accuracy(native),
            *persons_section(),
            *_enhanced(enhanced),
            *_phases(rows),
            *_scale(rows),
            *_tissues(native),
            *real_section(),
            *_published(),
        ]
    )


def _errors(rows: pd.DataFrame) -> np.ndarray:
    return np.array([error for errors in rows["error_mg_cm3"] for error in errors], dtype=float)


def _line(name: str, rows: pd.DataFrame) -> str:
    errors = _errors(rows)
    calibrated = int(rows["reason"].isna().sum())
    if errors.size == 0:
        return f"| {name} | {len(rows)} | {calibrated} | - | - | - | - |"
    size = np.abs(errors)
    return (
        f"| {name} | {len(rows)} | {calibrated} | {size.mean():.1f} | {errors.mean():+.1f} | {errors.std():.1f} "
        f"| {size.max():.1f} |"
    )


HEAD = [
    "| scans | n | calibrated | mean absolute error | bias | SD | largest |",
    "|---|---|---|---|---|---|---|",
]


def _accuracy(native: pd.DataFrame) -> list[str]:
    lines = ["## vBMD without contrast medium [mg/cm3]", "", *HEAD, _line("all", native)]
    for column, unit in (("kvp", "kVp"), ("kernel", "kernel"), ("slice_mm", "mm slices"), ("field_of_view", "in view")):
        for value, group in native.groupby(column):
            text = f"{value:g}" if isinstance(value, float) else str(value)
            lines.append(_line(f"{text} {unit}", group))
    energy = (native["fitted_kev"] - native["beam_kev"]).abs().mean()
    refused = native["reason"].dropna().value_counts()
    why = ", ".join(f"{count} {reason}" for reason, count in refused.items()) or "none"
    return [*lines, "", f"Effective energy: mean absolute error {energy:.1f} keV. Refused: {why}.", ""]


def _enhanced(enhanced: pd.DataFrame) -> list[str]:
    lines = ["## With contrast medium", "", *HEAD]
    lines += [_line(str(phase), group) for phase, group in enhanced.groupby("phase")]
    refused = enhanced["reason"].dropna().value_counts()
    why = ", ".join(f"{count} {reason}" for reason, count in refused.items())
    return [*lines, "", f"Refused: {why}.", ""]


def _phases(rows: pd.DataFrame) -> list[str]:
    found = rows["found_phase"].fillna("open")
    names = ["none", "delayed", "portal_venous", "arterial", "open"]
    lines = ["## Phase, with a header that is silent", "", "| truth | " + " | ".join(names) + " |", "|---" * 6 + "|"]
    for phase, group in rows.groupby("phase"):
        counts = found[group.index].value_counts()
        lines.append(f"| {phase} | " + " | ".join(str(int(counts.get(name, 0))) for name in names) + " |")
    right = float((found == rows["phase"]).mean())
    return [*lines, "", f"Right in {100 * right:.1f} %.", ""]


def _scale(rows: pd.DataFrame) -> list[str]:
    lines = ["## Faults of the scale", "", "| fault | scans | caught |", "|---|---|---|"]
    for fault, text in FAULTS.items():
        seen = rows[fault].dropna()
        lines.append(f"| {text} | {len(seen)} | {int(seen.sum())} |")
    alarms = int(rows["alarm_without_fault"].sum())
    return [*lines, f"| none (false alarms) | {len(rows)} | {alarms} |", ""]


def _tissues(native: pd.DataFrame) -> list[str]:
    lines = [
        "## HU of the tissues without contrast medium",
        "",
        "| tissue | found | truth | mean | SD |",
        "|---|---|---|---|---|",
    ]
    truth = {"air": "-1000", "fat": "-124 to -101", "muscle": "55 less the fat between its fibres", "blood": "42"}
    for name, text in truth.items():
        hu = native.get(f"{name}_hu", pd.Series(dtype=float)).dropna()
        lines.append(f"| {name} | {len(hu)} of {len(native)} | {text} | {hu.mean():.1f} | {hu.std():.1f} |")
    noise = (native["found_noise_hu"] / native["noise_hu"]).dropna()
    return [
        *lines,
        "",
        f"Noise that is found relative to the true one: {noise.mean():.2f} (SD {noise.std():.2f}). Finding the tissues "
        f"takes {native['seconds'].median():.1f} s of one core (median).",
        "",
    ]


def _published() -> list[str]:
    """The published method beside a phantom: what its densities mean."""
    example = fit_two_materials(dict(zip(MATERIALS, EXAMPLE_HU, strict=True)))
    densities = ", ".join(f"{example.curve.density_mg_cm3(hu):.1f}" for hu in (0.0, 100.0, 150.0))
    lines = [
        "## The published two-material conversion",
        "",
        f"The published example (fat -100, air -1000, blood 40, compact bone 1200, muscle 50 HU) gives "
        f"{example.energy_kev:g} keV and {densities} mg/cm3 at 0, 100 and 150 HU with the tables of NIST, interpolated "
        "linearly (log-log interpolation, which NIST advises, would give 33.6, 86.5 and 116.1).",
        "",
        "Its densities are those of K2HPO4 in triglyceride. A phantom measures K2HPO4 in water, so that the same HU "
        "mean less mg/cm3. With the true HU of all five tissues of the synthetic patient:",
        "",
        "| kVp | energy that fits [keV] | energy of the beam [keV] | two-material at 50, 100, 150 HU | phantom |",
        "|---|---|---|---|---|",
    ]
    for kvp in (80.0, 100.0, 120.0, 140.0):
        tissues = Tissues(kvp)
        hu = (tissues.fat_hu, -1000.0, tissues.value("blood"), tissues.cortical, tissues.value("muscle"))
        fit = fit_two_materials(dict(zip(MATERIALS, hu, strict=True)))
        ours = ", ".join(f"{fit.curve.density_mg_cm3(value):.0f}" for value in (50.0, 100.0, 150.0))
        phantom = ", ".join(f"{tissues.k2hpo4_equivalent(value):.0f}" for value in (50.0, 100.0, 150.0))
        lines.append(f"| {kvp:g} | {fit.energy_kev:g} | {tissues.energy_kev:g} | {ours} | {phantom} |")
    why = "Hence `phantom_equivalent` is the default; `two_material` is there for comparison with studies that used it."
    return [*lines, "", why, ""]
