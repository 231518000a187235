"""Patients and scans that several tests look at."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import SyntheticPatient, build_patient
from spongiosa.synthetic.scanner import RenderedScan, render_ct


@pytest.fixture(scope="session")
def woman() -> SyntheticPatient:
    """A woman of 62 years with the default bone."""
    return build_patient(PatientParameters(), seed=11)


def _reduced_scanner(**changes: object) -> ScannerParameters:
    settings: dict[str, object] = {
        "rows": 192,
        "columns": 192,
        "pixel_spacing_mm": 2.0,
        "slice_thickness_mm": 2.5,
        "slice_spacing_mm": 2.5,
    }
    return ScannerParameters(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def reduced_scanner() -> Callable[..., ScannerParameters]:
    """Makes a scanner with 192 x 192 pixels of 2 mm and 2.5 mm slices, with any parameter changed."""
    return _reduced_scanner


@pytest.fixture(scope="session")
def small_scan(woman: SyntheticPatient) -> RenderedScan:
    """A reduced matrix of the lumbar spine, with ordinary noise."""
    return render_ct(woman, _reduced_scanner(), seed=5)
