"""What a scan is worth, and the rules that judge it."""

import numpy as np
import pytest
from pydantic import ValidationError

from spongiosa.config.quality import QualitySettings
from spongiosa.density.quality import scan_quality
from spongiosa.outcome import Excluded, Reason
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.tissue_samples import TissueRegion, sample_tissue
from spongiosa.volume import Geometry, Volume

SHAPE = (20, 40, 40)
GRID = Geometry(SHAPE, (0.8, 0.8, 2.5), (0.0, 0.0, 0.0), np.eye(3))
ACQUISITION = {
    "kvp": 120.0,
    "kernel": "Br40d",
    "kernel_class": "standard",
    "slice_thickness_mm": 2.5,
    "slice_spacing_mm": 2.5,
    "gantry_tilt_degrees": 0.0,
    "flags": [],
}


def scan_of(
    noise_hu: float = 12.0, worst_slices_noise_hu: float | None = None
) -> tuple[Volume, dict[str, TissueRegion]]:
    """Fat in the upper half of each slice, muscle in the lower half, with noise of its own in the last two slices."""
    random = np.random.default_rng(5)
    noise = np.full(SHAPE[0], noise_hu)
    if worst_slices_noise_hu is not None:
        noise[-2:] = worst_slices_noise_hu
    hu = random.normal(0.0, 1.0, SHAPE) * noise[:, None, None]
    is_fat = np.zeros(SHAPE, dtype=bool)
    is_fat[:, :20] = True
    hu += np.where(is_fat, -105.0, 55.0)
    volume = Volume(np.rint(hu).astype(np.int16), GRID)
    regions = {}
    for name, mask in (("fat", is_fat), ("muscle", ~is_fat)):
        indices = np.flatnonzero(mask).astype(np.int64)
        weights = VoxelWeights(indices, np.ones(indices.size, np.float32))
        regions[name] = TissueRegion(name, weights, sample_tissue(volume.voxels.reshape(-1)[indices]))
    regions["blood"] = TissueRegion("blood", reason=Reason.TISSUES_NOT_FOUND, detail="Not in view.")
    return volume, regions


def quality_of(acquisition: dict | None = None, settings: QualitySettings | None = None, **scan: float):
    volume, regions = scan_of(**scan)
    return scan_quality(volume, ACQUISITION | (acquisition or {}), regions, settings or QualitySettings())


def test_a_usual_scan_breaks_no_rule():
    quality = quality_of()
    assert quality.flags == ()
    quality.refuse()


def test_noise_is_that_of_the_quietest_tissue():
    """2 %: the standard error of a robust SD over 16,000 voxels is below 1 %."""
    assert quality_of(noise_hu=18.0).values["noise_sd_hu"] == pytest.approx(18.0, rel=0.02)


def test_streaks_in_some_slices_raise_the_index():
    assert quality_of().values["streak_index"] == pytest.approx(1.0, abs=0.1)
    streaked = quality_of(worst_slices_noise_hu=60.0)
    assert streaked.values["streak_index"] > 3.0
    assert streaked.flags == ("quality_streak_index",)


@pytest.mark.parametrize(
    ("acquisition", "flag"),
    [
        ({"kvp": 80.0}, "quality_kvp"),
        ({"slice_thickness_mm": 8.0}, "quality_slice_thickness_mm"),
        ({"slice_spacing_mm": 7.5}, "quality_slice_spacing_mm"),
        ({"gantry_tilt_degrees": -12.0}, "quality_gantry_tilt_degrees"),
        ({"kernel_class": "sharp"}, "quality_kernel"),
        ({"flags": ["missing_slices_interpolated"]}, "quality_missing_slices"),
    ],
)
def test_every_rule_of_the_acquisition_flags(acquisition, flag):
    assert quality_of(acquisition).flags == (flag,)


def test_metal_is_measured_by_its_volume():
    volume, regions = scan_of()
    volume.voxels[3, :5, :20] = 3000
    quality = scan_quality(volume, ACQUISITION, regions, QualitySettings())
    assert quality.values["metal_mm3"] == pytest.approx(100 * 0.8 * 0.8 * 2.5)
    assert "quality_metal_mm3" in quality.flags


def test_a_rule_that_is_named_excludes_with_a_sentence():
    settings = QualitySettings(exclude=("slice_thickness_mm", "kernel"))
    quality = quality_of({"slice_thickness_mm": 8.0, "kernel_class": "sharp"}, settings)
    assert quality.flags == ()
    with pytest.raises(Excluded) as caught:
        quality.refuse()
    assert caught.value.reason is Reason.SCAN_QUALITY
    assert caught.value.detail == ("The slice thickness is 8.0 mm, more than 5 mm. The reconstruction kernel is sharp.")


def test_a_rule_that_is_ignored_still_records_its_quantity():
    quality = quality_of({"kvp": 80.0}, QualitySettings(ignore=("kvp",)))
    assert quality.flags == ()
    assert quality.to_row()["kvp"] == 80.0


def test_what_is_not_known_breaks_no_rule():
    unknown = dict.fromkeys(ACQUISITION)
    volume, _ = scan_of()
    quality = scan_quality(volume, unknown, {}, QualitySettings(table_height_mm=(100.0, 200.0)))
    assert quality.values["noise_sd_hu"] is None
    assert quality.values["streak_index"] is None
    assert quality.kernel_class == "unknown"
    assert quality.flags == ()


def test_a_limit_of_the_table_height_belongs_to_the_user():
    assert quality_of({"table_height_mm": 250.0}).flags == ()
    limited = QualitySettings(table_height_mm=(100.0, 200.0))
    assert quality_of({"table_height_mm": 250.0}, limited).flags == ("quality_table_height_mm",)


def test_a_limit_that_descends_is_refused_by_the_configuration():
    with pytest.raises(ValidationError, match="must ascend"):
        QualitySettings(kvp=(140.0, 80.0))
    with pytest.raises(ValidationError, match="cannot both exclude and be ignored"):
        QualitySettings(exclude=("kvp",), ignore=("kvp",))
