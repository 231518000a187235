"""From regions to the rows of measurements.parquet."""

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.anatomy.frame import SpineDescription, Vertebra
from spongiosa.config.contrast import ContrastSettings
from spongiosa.config.extract import ExtractSettings
from spongiosa.density.line import CalibrationOutcome, DensityLine, ReferencedScale
from spongiosa.density.measure import BONE_COLUMNS, COLUMNS, ScanFindings, measure_regions, measure_tissues
from spongiosa.outcome import Reason
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.region import Region, RegionSet
from spongiosa.regions.tissue_samples import TissueRegion, sample_tissue
from spongiosa.volume import Geometry, Volume

GRID = Geometry((10, 10, 10), (0.5, 0.5, 2.0), (0.0, 0.0, 0.0), np.eye(3))
SPINE = SpineDescription("labels", 0.95, (Vertebra(22, "L3", None, 0.8, flags=("sclerosis",)),))
ACQUISITION = {"kvp": 120.0, "kernel": "B30f", "manufacturer": "X", "slice_thickness_mm": 2.0}


def weights_of(count: int, weight: float = 1.0) -> VoxelWeights:
    return VoxelWeights(np.arange(count, dtype=np.int64), np.full(count, weight, np.float32))


@pytest.fixture
def volume() -> Volume:
    hu = np.random.default_rng(3).normal(110, 20, 1000).reshape(10, 10, 10)
    return Volume(hu.astype(np.int16), GRID)


def measure(volume: Volume, *regions: Region, findings: ScanFindings | None = None):
    return measure_regions(
        volume,
        RegionSet(GRID, regions),
        SPINE,
        ACQUISITION,
        findings or ScanFindings(),
        ExtractSettings(minimum_effective_voxels=20),
    )


def test_a_measured_row_says_what_was_measured_and_how_it_was_made(volume):
    region = Region("L3", "body_trabecular", weights=weights_of(400, 0.5), insets={"inset_4mm": weights_of(500)})
    (row,) = measure(volume, region)
    assert tuple(row) == COLUMNS
    assert row["hu_mean"] == pytest.approx(volume.voxels.reshape(-1)[:400].mean())
    assert row["hu_mean_inset_4mm"] == pytest.approx(volume.voxels.reshape(-1)[:500].mean())
    assert row["hu_mean_inset_6mm"] is None
    assert (row["voxels"], row["effective_voxels"], row["volume_mm3"]) == (400, 200.0, 100.0)  # 0.5 mm3 per voxel
    assert (row["status"], row["reason"], row["side"], row["variant"]) == ("ok", None, "none", "default")
    assert (row["kvp"], row["localiser"], row["localiser_confidence"]) == (120.0, "labels", 0.8)
    assert row["flags"] == ["sclerosis"]


def test_a_tissue_is_a_row_of_no_level_and_has_hu_but_no_mineral(volume):
    line = DensityLine(0.8, 2.0, "K2HPO4", "phantom", 0.999)
    weights = weights_of(400)
    tissues = [
        TissueRegion("fat", weights, sample_tissue(volume.voxels.reshape(-1)[:400])),
        TissueRegion("air", reason=Reason.TISSUES_NOT_FOUND, detail="No free air."),
    ]
    findings = ScanFindings(CalibrationOutcome(line), flags=("quality_noise_sd_hu",))
    fat, air = measure_tissues(volume, tissues, SPINE, ACQUISITION, findings, ExtractSettings())
    assert tuple(fat) == tuple(air) == COLUMNS
    assert (fat["region"], fat["level"], fat["side"], fat["status"]) == ("fat", None, "none", "ok")
    assert fat["hu_mean"] == pytest.approx(volume.voxels.reshape(-1)[:400].mean())
    assert (fat["calibration_method"], fat["flags"]) == ("phantom", ["quality_noise_sd_hu"])
    assert {fat[name] for name in BONE_COLUMNS} == {None}
    assert (air["status"], air["reason"], air["hu_mean"]) == ("excluded", "tissues_not_found", None)


def test_without_a_calibration_there_is_no_density(volume):
    (row,) = measure(volume, Region("L3", "body_trabecular", weights=weights_of(400)))
    assert (row["calibration_method"], row["calibration_reason"]) == ("none", Reason.NOT_CALIBRATED)
    assert {row[name] for name in COLUMNS if name.startswith("vbmd")} == {None}


def test_a_refused_calibration_leaves_its_reason_in_every_row_and_the_hu_as_they_are(volume):
    findings = ScanFindings(CalibrationOutcome.refused(Reason.PHANTOM_NOT_FOUND, "No rods were found."))
    (row,) = measure(volume, Region("L3", "body_trabecular", weights=weights_of(400)), findings=findings)
    assert (row["status"], row["calibration_reason"]) == ("ok", "phantom_not_found")
    assert row["hu_mean"] is not None
    assert row["vbmd_mean_mg_cm3"] is None


def test_a_density_line_turns_mean_and_spread_into_density(volume):
    """vBMD is linear in HU, so its mean is the line at the mean, and its SD that of HU times the slope."""
    findings = ScanFindings(CalibrationOutcome(DensityLine(0.8, -5.0, "K2HPO4", "phantom", r2=0.999)))
    (row,) = measure(volume, Region("L3", "body_trabecular", weights=weights_of(400)), findings=findings)
    assert row["vbmd_mean_mg_cm3"] == pytest.approx(0.8 * row["hu_mean"] - 5.0)
    assert row["vbmd_sd_mg_cm3"] == pytest.approx(0.8 * row["hu_sd"])
    assert (row["vbmd_material"], row["calibration_slope"], row["calibration_r2"]) == ("K2HPO4", 0.8, 0.999)
    assert (row["calibration_method"], row["calibration_reason"]) == ("phantom", None)
    assert row["hu_referenced_mean"] is None


def test_nominal_rod_hu_give_referenced_hu_beside_the_measured(volume):
    outcome = CalibrationOutcome(DensityLine(0.8, 0.0, "HA", "phantom"), referenced=ReferencedScale(10.0, 0.9))
    (row,) = measure(volume, Region("L3", "body_trabecular", weights=weights_of(400)), findings=ScanFindings(outcome))
    assert row["hu_referenced_mean"] == pytest.approx((row["hu_mean"] - 10.0) / 0.9)


def test_the_phase_and_the_quality_of_the_scan_stand_in_every_row(volume):
    findings = ScanFindings(phase="portal_venous", contrast=ContrastSettings(adjusts_hu=True), flags=("quality_kvp",))
    (row,) = measure(volume, Region("L3", "body_trabecular", weights=weights_of(400)), findings=findings)
    assert row["contrast_phase"] == "portal_venous"
    assert row["hu_contrast_adjusted_mean"] == pytest.approx(row["hu_mean"] - 11.2)
    assert "quality_kvp" in row["flags"]


def test_too_few_effective_voxels_give_a_reason_and_never_a_number(volume):
    (row,) = measure(volume, Region("L3", "ellipse_mid", weights=weights_of(39, 0.5)))
    assert (row["status"], row["reason"]) == ("excluded", Reason.REGION_TOO_SMALL)
    assert {row[name] for name in COLUMNS if name.startswith("hu_")} == {None}
    assert row["effective_voxels"] == pytest.approx(19.5)


def test_a_region_that_was_not_placed_passes_its_reason_on(volume):
    (row,) = measure(volume, Region("L5", "ellipse_mid", reason=Reason.LEVEL_TRUNCATED, detail="cut"))
    assert (row["status"], row["reason"], row["hu_mean"]) == ("excluded", Reason.LEVEL_TRUNCATED, None)
    assert row["localiser_confidence"] is None


def test_regions_of_another_grid_are_refused(volume):
    other = replace(GRID, origin_mm=(5.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="grid of the scan"):
        measure_regions(volume, RegionSet(other, ()), SPINE, ACQUISITION, ScanFindings(), ExtractSettings())


@pytest.mark.parametrize(("flag", "reason"), [("metal", Reason.METAL), ("cement", Reason.LEVEL_FLAGGED)])
def test_a_level_with_an_excluded_flag_gives_its_reason_and_keeps_the_flag(volume, flag, reason):
    (row,) = measure(volume, Region("L3", "body_trabecular", weights=weights_of(400), flags=(flag,)))
    assert (row["status"], row["reason"], row["hu_mean"]) == ("excluded", reason, None)
    assert flag in row["flags"]
