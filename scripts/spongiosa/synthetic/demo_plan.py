"""Who the patients of the demo cohort are, which scanner sees them, and which two can't be measured."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from spongiosa.synthetic.dicom_vendors import VENDORS, Vendor
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.population import as_recorded, sample_matched_population, sample_population
from spongiosa.synthetic.population_patient import patient_parameters
from spongiosa.synthetic.presets_demo import DEMO

Matrix = Literal["full", "standard", "small"]
Expectation = Literal["measured", "chest_only", "missing_slices"]

SMALLEST_WITH_EXCLUSIONS: Final = 4
"""Cohorts of fewer patients have nobody who is meant to be excluded."""

_CANDIDATES: Final = 50
_STUDY_SHARES: Final = (94 / 180, 36 / 180, 24 / 180)  # DXA-/HU-, DXA+/HU+, DXA+/HU-: printed by the concordance study
_SCANNERS: Final[dict[Matrix, ScannerParameters]] = {
    "full": ScannerParameters(rows=512, columns=512, pixel_spacing_mm=0.7, slice_thickness_mm=1.25),
    "standard": ScannerParameters(rows=256, columns=256, pixel_spacing_mm=1.3, slice_thickness_mm=2.5),
    "small": ScannerParameters(rows=144, columns=144, pixel_spacing_mm=1.6, slice_thickness_mm=3.0),
}
_SYNTAXES: Final = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    ExplicitVRLittleEndian,
    RLELossless,
)


@dataclass(frozen=True)
class PlannedPatient:
    """One patient to build, scan and write. `study_date` is a DICOM date."""

    patient_id: str
    seed: int
    parameters: PatientParameters
    scanner: ScannerParameters
    vendor: Vendor
    transfer_syntax: UID
    study_date: str
    has_bone_kernel: bool
    has_screenshot: bool
    expectation: Expectation


def plan_demo_cohort(patients: int, seed: int, matrix: Matrix) -> tuple[pd.DataFrame, list[PlannedPatient]]:
    """The clinical table as recorded (names of the data contract), and the patients in its order.

    From `SMALLEST_WITH_EXCLUSIONS` patients on, one has a scan of the chest only and one lost slices on the way.
    Raises `ValueError` for an empty cohort or an unknown matrix.
    """
    if patients < 1:
        raise ValueError(f"A cohort needs at least one patient, not {patients}")
    if matrix not in _SCANNERS:
        raise ValueError(f"Unknown matrix '{matrix}'; known are {', '.join(_SCANNERS)}")
    expectations = _expectations(patients)
    table = _sampled(expectations, seed)
    planned = [
        _planned(index, row, expectation, seed, _SCANNERS[matrix])
        for index, (row, expectation) in enumerate(zip(table.to_dict("records"), expectations, strict=True))
    ]
    return as_recorded(table), planned


def _expectations(patients: int) -> list[Expectation]:
    found: list[Expectation] = ["measured"] * patients
    if patients >= SMALLEST_WITH_EXCLUSIONS:
        found[round(0.3 * patients)] = "chest_only"
        found[round(0.72 * patients)] = "missing_slices"
    return found


def _sampled(expectations: list[Expectation], seed: int) -> pd.DataFrame:
    """Patients who stay hang together as the study does, whatever the two who leave look like."""
    stay = np.array([expectation == "measured" for expectation in expectations])
    count = int(stay.sum())
    tables = [_typical_sample(count, seed), sample_population(DEMO, len(stay) - count, seed + 1)]
    table = pd.concat(tables, ignore_index=True)
    places = np.argsort(np.argsort(~stay, kind="stable"), kind="stable")
    table = table.iloc[places].reset_index(drop=True)
    table["patient_id"] = [f"P{number:03d}" for number in range(1, len(table) + 1)]
    table["ct_dxa_interval_days"] = np.random.default_rng([seed, 3]).integers(0, 85, len(table))
    return table


def _typical_sample(count: int, seed: int) -> pd.DataFrame:
    """Of many samples the one whose four groups of HU and DXA are nearest to the study's proportions.

    A dozen patients drawn once may show the opposite of the study by chance; a demonstration should not.
    """
    sample = sample_matched_population if count > len(DEMO.columns) else sample_population
    candidates = [sample(DEMO, count, seed + 1000 * number) for number in range(_CANDIDATES)]
    return min(candidates, key=_distance_from_study)


def _distance_from_study(table: pd.DataFrame) -> float:
    is_low_hu = as_recorded(table)["ax_l1_l4_hu"] <= 100.0
    is_low_t = as_recorded(table)[["t_score_lumbar", "t_score_femoral_neck"]].min(axis=1) <= -2.5
    shares = np.array([(~is_low_t & ~is_low_hu).mean(), (is_low_t & is_low_hu).mean(), (is_low_t & ~is_low_hu).mean()])
    return float(np.square(shares - np.array(_STUDY_SHARES)).sum())


def _planned(
    index: int, row: Mapping[Hashable, Any], expectation: Expectation, seed: int, scanner: ScannerParameters
) -> PlannedPatient:
    generator = np.random.default_rng([seed, 5, index])
    spacing_mm = scanner.slice_thickness_mm
    scanner = replace(
        scanner,
        kernel="soft",
        pixel_spacing_mm=round(scanner.pixel_spacing_mm + float(generator.uniform(-0.08, 0.08)), 4),
        slice_spacing_mm=spacing_mm,
        noise_sd_hu=round(float(generator.uniform(10.0, 16.0)), 1),
        cranial_margin_mm=round(float(generator.uniform(6.0, 20.0)), 1),
        off_centre_mm=(round(float(generator.uniform(-8.0, 8.0)), 1), round(float(generator.uniform(-6.0, 10.0)), 1)),
    )
    if expectation == "chest_only":
        scanner = replace(scanner, cranial_level="T3", caudal_level="T10", caudal_margin_mm=5.0)
    vendor = VENDORS[index % len(VENDORS)]
    if vendor.storage.padding_hu is not None:
        scanner = replace(scanner, padding_hu=int(vendor.storage.padding_hu))
    patient_seed = int(generator.integers(2**31))
    return PlannedPatient(
        patient_id=str(row["patient_id"]),
        seed=patient_seed,
        parameters=patient_parameters({str(name): value for name, value in row.items()}, patient_seed),
        scanner=scanner,
        vendor=vendor,
        transfer_syntax=_SYNTAXES[index % len(_SYNTAXES)],
        study_date=f"{2023 + index % 3}{int(generator.integers(1, 13)):02d}{int(generator.integers(1, 29)):02d}",
        has_bone_kernel=expectation == "measured" and index % 5 == 1,
        has_screenshot=index % 4 == 0,
        expectation=expectation,
    )
