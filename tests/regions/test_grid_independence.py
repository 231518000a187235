"""One patient on several grids: the trabecular body does not depend on spacing or on the tilt of the gantry."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from spongiosa.config.regions import RegionsSettings
from spongiosa.density.histogram import weighted_mean
from spongiosa.regions.catalogue import place_regions
from spongiosa.synthetic.dicom_writer import write_ct_series
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import RenderedScan, render_ct
from spongiosa.volume import Geometry, Volume, resampled

from ..dicom.trap_images import PATIENT, SERIES, Ingest
from .true_frames import true_l3

SETTINGS = RegionsSettings(levels=("L3",), measured=("body_trabecular", "quadrant_anterior_left"))
UPRIGHT = ScannerParameters(
    rows=110,
    columns=110,
    pixel_spacing_mm=0.8,
    slice_thickness_mm=1.0,
    slice_spacing_mm=1.0,
    cranial_level="L3",
    cranial_margin_mm=12.0,
    caudal_level="L3",
    caudal_margin_mm=12.0,
    off_centre_mm=(0.0, 25.0),
    kernel="soft",
    noise_sd_hu=4.0,
    has_table=False,
)


@cache
def scan(pixel_mm: float = 0.8, slice_mm: float = 1.0, tilt_deg: float = 0.0) -> RenderedScan:
    """L3 of one patient; all that differs is the grid."""
    size = int(UPRIGHT.rows * UPRIGHT.pixel_spacing_mm / pixel_mm)
    scanner = replace(
        UPRIGHT,
        rows=size,
        columns=size,
        pixel_spacing_mm=pixel_mm,
        slice_thickness_mm=slice_mm,
        slice_spacing_mm=slice_mm,
        gantry_tilt_deg=tilt_deg,
    )
    return render_ct(build_patient(PatientParameters(trabecular_density_mg_cm3=90.0), 5), scanner, 5)


def volume_of(image) -> Volume:
    geometry = Geometry(image.voxels.shape, image.spacing_mm, image.origin_mm, np.asarray(image.direction))
    return Volume(np.asarray(image.voxels), geometry)


def means(ct: Volume, bodies: Volume) -> dict[tuple[str, str, str], float]:
    """HU by level, region and side."""
    regions = place_regions(ct, bodies, bodies, true_l3(scan()), SETTINGS)
    hu = ct.voxels.reshape(-1)
    return {
        (region.level, region.name, region.side): weighted_mean(hu[weights.indices], weights.weights)
        for region, weights in regions.placed()
    }


@pytest.fixture(scope="module")
def expected() -> dict[tuple[str, str, str], float]:
    """On 0.8 x 0.8 x 1 mm."""
    return means(volume_of(scan().ct), volume_of(scan().bodies))


@pytest.mark.parametrize(("pixel_mm", "slice_mm"), [(0.65, 0.8), (0.9, 1.25), (0.7, 2.0)])
def test_the_trabecular_body_is_the_same_at_every_spacing(expected, pixel_mm, slice_mm):
    """0.5 HU: what the project asks of volumes; labels in other steps move the region's surface by a tenth of a mm."""
    other = scan(pixel_mm, slice_mm)
    found = means(volume_of(other.ct), volume_of(other.bodies))
    assert found.keys() == expected.keys()
    key = ("L3", "body_trabecular", "none")
    assert found[key] == pytest.approx(expected[key], abs=0.5)


def test_a_corrected_gantry_tilt_changes_no_volume(expected, tmp_path: Path):
    """0.5 HU, after a series with 12 degrees of tilt went through DICOM and resampling; labels of the upright scan."""
    write_ct_series(scan(tilt_deg=12.0).ct, tmp_path, PATIENT, SERIES)
    converted = Ingest()(tmp_path)
    assert "gantry_tilt_resampled" in converted.acquisition["flags"]
    bodies = resampled(volume_of(scan().bodies), converted.volume.geometry, "nearest", 0)
    found = means(converted.volume, bodies)
    assert found.keys() == expected.keys()
    key = ("L3", "body_trabecular", "none")
    assert found[key] == pytest.approx(expected[key], abs=0.5)
