"""Patients and scans that several tests look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import AIR_HU, SyntheticPatient, build_patient
from spongiosa.synthetic.sampling import Grid, GridCanvas
from spongiosa.synthetic.scanner import RenderedScan, render_ct
from spongiosa.synthetic.tissue import Tissues


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


@dataclass(frozen=True)
class Cube:
    """A noise-free render around a place: the canvas, and the LPS points of its voxels, shape (n, 3)."""

    canvas: GridCanvas
    points_mm: NDArray[np.float64]

    @property
    def hu(self) -> NDArray[np.float32]:
        """HU of the voxels, shape (n,)."""
        return np.asarray(self.canvas.values).ravel()


@pytest.fixture(scope="session")
def noise_free_cube() -> Callable[..., Cube]:
    """Renders an isotropic cube about the centre of a level, without kernel or noise."""

    def render(patient: SyntheticPatient, level: str, spacing_mm: float, edge_mm: float = 56.0) -> Cube:
        count = int(edge_mm / spacing_mm)
        origin = patient.vertebrae[level].frame.origin_mm - (count - 1) / 2.0 * spacing_mm
        canvas = GridCanvas(Grid(origin, np.eye(3) * spacing_mm, (count,) * 3, spacing_mm), AIR_HU)
        patient.paint(canvas, Tissues(120.0))
        z, y, x = np.indices(canvas.grid.shape)
        return Cube(canvas, np.stack([x, y, z], axis=-1).reshape(-1, 3) * spacing_mm + origin)

    return render


@pytest.fixture(scope="session")
def small_scan(woman: SyntheticPatient) -> RenderedScan:
    """A reduced matrix of the lumbar spine, with ordinary noise."""
    return render_ct(woman, _reduced_scanner(), seed=5)
