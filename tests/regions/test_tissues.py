"""Reference tissues found in synthetic patients, whose HU are known, and in real scans."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spongiosa.anatomy.frame import SpineDescription, Vertebra
from spongiosa.outcome import Reason
from spongiosa.regions.tissue_samples import TISSUES, TissueRegion, sample_tissue
from spongiosa.regions.tissues import ScanTissues, find_tissues, reference_tissues
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import RenderedScan, render_ct
from spongiosa.synthetic.tissue import Tissues
from spongiosa.volume import Geometry, Volume, read_volume

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SPINE = SpineDescription("labels", 1.0, ())

SLAB = ScannerParameters(
    rows=230,
    columns=230,
    pixel_spacing_mm=1.8,
    slice_thickness_mm=3.0,
    slice_spacing_mm=3.0,
    cranial_level="L2",
    caudal_level="L3",
    cranial_margin_mm=3.0,
    caudal_margin_mm=3.0,
)


def as_volume(image) -> Volume:
    return Volume(image.voxels, Geometry(image.voxels.shape, image.spacing_mm, image.origin_mm, image.direction))


def tissues_of(scan: RenderedScan) -> ScanTissues:
    return find_tissues(as_volume(scan.ct), as_volume(scan.vertebrae), as_volume(scan.bodies), SPINE)


@pytest.fixture(scope="module")
def native() -> RenderedScan:
    """Two lumbar vertebrae of a woman of usual girth, 120 kVp, no contrast medium."""
    return render_ct(build_patient(PatientParameters(), 21), SLAB, 21)


@pytest.fixture(scope="module")
def found(native) -> ScanTissues:
    return tissues_of(native)


def test_each_tissue_has_the_hu_that_it_was_painted_with(found):
    """Air, fat and blood within 2 HU: several hundred voxels at 15 HU of noise, and no partial volume in their cores.

    Muscle holds 4 % of fat between its fibres, which lowers it by 6 HU.
    """
    tissues = Tissues(120.0)
    truth = {"air": -1000.0, "fat": tissues.fat_hu, "blood": tissues.value("blood")}
    for name, hu in truth.items():
        assert found.samples[name].hu_mean == pytest.approx(hu, abs=2.0)
    assert found.samples["muscle"].hu_mean == pytest.approx(tissues.value("muscle") - 6.5, abs=4.0)


def test_aorta_and_vena_cava_lie_where_the_patient_has_them(native, found):
    """The sample of blood must lie left of the middle of the spine and in front of it: that is the aorta."""
    weights = found.regions["blood"].weights
    points = native.ct.points_mm(np.column_stack(np.unravel_index(weights.indices, native.ct.voxels.shape)))
    body = native.patient.vertebrae["L3"].frame.origin_mm
    assert (points[:, 0] > body[0]).mean() > 0.95
    assert (points[:, 1] < body[1] - 15.0).all()
    assert {"aorta", "vena_cava"} <= set(found.organs)


def test_air_is_taken_beside_the_patient_and_not_under_the_table(native, found):
    weights = found.regions["air"].weights
    points = native.ct.points_mm(np.column_stack(np.unravel_index(weights.indices, native.ct.voxels.shape)))
    assert points[:, 1].max() < native.patient.trunk.back_mm
    assert native.ct.voxels.reshape(-1)[weights.indices].max() < -900


def test_equal_input_gives_equal_voxels(native, found):
    again = tissues_of(native)
    for name in TISSUES:
        first, second = found.regions[name].weights, again.regions[name].weights
        assert (first is None) == (second is None)
        if first is not None:
            np.testing.assert_array_equal(first.indices, second.indices)


def test_the_orientation_of_the_voxels_does_not_matter(native, found):
    """Axes turned to (x, y, z) order and two of them flipped: the same blocks, hence the same HU."""

    def turned(image) -> Volume:
        volume = as_volume(image)
        voxels = np.ascontiguousarray(volume.voxels.transpose(2, 1, 0)[:, ::-1, ::-1])
        steps = volume.geometry.direction
        depth, rows, _ = volume.geometry.shape
        corner = volume.geometry.points_mm(np.array([depth - 1, rows - 1, 0]))
        # index axes of the new array: z runs along x, y against y, x against z
        direction = np.column_stack([-steps[:, 2], -steps[:, 1], steps[:, 0]])
        x, y, z = volume.geometry.spacing_mm
        return Volume(voxels, Geometry(voxels.shape, (z, y, x), tuple(float(v) for v in corner), direction))

    other = find_tissues(turned(native.ct), turned(native.vertebrae), turned(native.bodies), SPINE)
    for name in ("air", "fat", "muscle", "blood"):
        assert other.samples[name].hu_mean == pytest.approx(found.samples[name].hu_mean, abs=1.0)


@pytest.mark.parametrize("iodine_mg_ml", [4.0, 12.0])
def test_contrast_medium_is_seen_in_the_blood(iodine_mg_ml):
    """3 %: the core of the vessel is free of its edge, the blocks are 1.8 mm wide."""
    patient = build_patient(PatientParameters(blood_iodine_mg_ml=iodine_mg_ml, aortic_calcification=0.8), 4)
    organs = tissues_of(render_ct(patient, SLAB, 4)).organs
    truth = Tissues(120.0, iodine_mg_ml).blood(iodine_mg_ml)
    assert organs["aorta"].hu_mean == pytest.approx(truth, rel=0.03)
    assert organs["vena_cava"].hu_mean == pytest.approx(truth, rel=0.03)
    assert organs["kidney"].hu_mean > 100.0


def test_thick_slices_a_thin_patient_and_fatty_muscle_still_give_all_soft_tissues():
    patient = build_patient(PatientParameters(sex="M", stature_m=1.78, bmi_kg_m2=19.0, goutallier_grade=4), 9)
    scanner = replace(SLAB, slice_thickness_mm=5.0, slice_spacing_mm=5.0, kernel="bone", noise_sd_hu=40.0, kvp=100.0)
    samples = tissues_of(render_ct(patient, scanner, 9)).samples
    tissues = Tissues(100.0)
    assert samples["fat"].hu_mean == pytest.approx(tissues.fat_hu, abs=5.0)
    assert samples["blood"].hu_mean == pytest.approx(tissues.value("blood"), abs=6.0)
    assert 30.0 < samples["muscle"].hu_mean < 65.0


def test_padding_is_no_air():
    scanner = replace(SLAB, padding_hu=-1024, pixel_spacing_mm=1.9, rows=200, columns=200)
    patient = build_patient(PatientParameters(bmi_kg_m2=30.0), 2)
    scan = render_ct(patient, scanner, 2)
    air = tissues_of(scan).regions["air"]
    assert air.sample is not None
    assert air.sample.hu_mean == pytest.approx(-1000.0, abs=2.0)
    rows, columns = np.unravel_index(air.weights.indices, scan.ct.voxels.shape)[1:]
    assert np.hypot(rows - 99.5, columns - 99.5).max() < 100.0


def test_a_field_of_view_within_the_trunk_has_no_air_and_says_so():
    scanner = replace(SLAB, rows=110, columns=110, pixel_spacing_mm=1.3, off_centre_mm=(0.0, 30.0), has_table=False)
    found = tissues_of(render_ct(build_patient(PatientParameters(), 5), scanner, 5))
    air = found.regions["air"]
    assert air.sample is None
    assert air.reason is Reason.TISSUES_NOT_FOUND
    assert "air" in air.detail
    assert found.samples["blood"].hu_mean == pytest.approx(42.0, abs=3.0)


def test_compact_bone_is_found_only_where_it_fills_the_voxels():
    """At 0.6 mm the laminae show it; at 1.8 x 3 mm its 1 mm drowns in partial volume, and the tissue is missing."""
    fine = replace(
        SLAB, rows=200, columns=200, pixel_spacing_mm=0.6, slice_thickness_mm=0.6, slice_spacing_mm=0.6,
        cranial_level="L3", cranial_margin_mm=-12.0, caudal_margin_mm=-4.0, off_centre_mm=(0.0, 50.0),
    )  # fmt: skip
    patient = build_patient(PatientParameters(posterior_cortical_thickness_mm=2.0), 8)
    thick, thin = tissues_of(render_ct(patient, SLAB, 8)), tissues_of(render_ct(patient, fine, 8))
    assert thick.regions["cortical"].sample is None
    assert 900.0 < thin.samples["cortical"].hu_mean < 1.05 * Tissues(120.0).cortical


def test_compact_bone_is_not_taken_from_a_level_with_metal(native):
    labels = as_volume(native.vertebrae)
    flagged = tuple(Vertebra(int(label), "L3", None, 1.0, flags=("metal",)) for label in np.unique(labels.voxels)[1:])
    spine = SpineDescription("labels", 1.0, flagged)
    dense = Volume(np.where(labels.voxels > 0, np.int16(1200), native.ct.voxels), labels.geometry)
    bodies = as_volume(native.bodies)
    assert find_tissues(dense, labels, bodies, SPINE).regions["cortical"].sample is not None
    assert find_tissues(dense, labels, bodies, spine).regions["cortical"].sample is None


def test_without_a_marked_body_every_tissue_is_missing(native):
    empty = as_volume(replace(native.bodies, voxels=np.zeros_like(native.bodies.voxels)))
    regions = reference_tissues(as_volume(native.ct), as_volume(native.vertebrae), empty, SPINE)
    assert tuple(regions) == TISSUES
    assert all(region.reason is Reason.TISSUES_NOT_FOUND for region in regions.values())


def test_maps_on_another_grid_are_refused(native):
    other = as_volume(native.bodies)
    shifted = Volume(other.voxels, replace(other.geometry, origin_mm=(0.0, 0.0, 0.0)))
    with pytest.raises(ValueError, match="grid"):
        reference_tissues(as_volume(native.ct), as_volume(native.vertebrae), shifted, SPINE)


def test_the_centre_of_a_sample_is_its_peak_and_not_its_mean():
    """A fifth of strands 80 HU above the fat moves the mean by 16 HU and the peak by less than 3."""
    random = np.random.default_rng(1)
    fat = random.normal(-105.0, 12.0, 8000)
    strands = random.normal(-25.0, 12.0, 2000)
    sample = sample_tissue(np.concatenate([fat, strands]))
    assert sample.hu_mean == pytest.approx(-105.0, abs=3.0)


def test_a_scale_that_ends_at_minus_1024_does_not_shift_the_air():
    """A third of the voxels heap up at the end; their mean is 6 HU too high. 1 HU: 10,000 voxels, SD 45."""
    noisy = np.random.default_rng(2).normal(-1000.0, 45.0, 10_000)
    clipped = np.maximum(np.rint(noisy), -1024.0)
    assert clipped.mean() > -994.0
    assert sample_tissue(clipped).hu_mean == pytest.approx(-1000.0, abs=2.0)


def test_tissues_are_regions_of_no_level(found):
    regions = [found.regions[name].as_region() for name in TISSUES]
    assert [region.name for region in regions] == list(TISSUES)
    assert {region.level for region in regions} == {"none"}
    assert regions[0].weights is not None
    assert regions[TISSUES.index("cortical")].reason is Reason.TISSUES_NOT_FOUND


def test_a_tissue_has_voxels_or_a_reason():
    with pytest.raises(ValueError, match="either"):
        TissueRegion("fat")


@pytest.mark.real_data
def test_the_tissues_of_a_real_abdomen_are_in_their_usual_ranges():
    """Native CT of an old man; read by eye: aorta 44, subcutaneous fat -107, air -998 HU; his muscle is fatty."""
    folder = DATA / "lumbar_ct_3mm"
    if not folder.exists():
        pytest.skip("the real images are not here")
    scan, labels, parts = (read_volume(folder / f"{n}.nii.gz") for n in ("ct", "vertebrae", "bodies_and_discs"))
    bodies = Volume(np.where(parts.voxels == 1, labels.voxels, 0).astype(np.uint8), scan.geometry)
    found = find_tissues(scan, labels, bodies, SPINE)
    assert found.samples["air"].hu_mean == pytest.approx(-998.0, abs=5.0)
    assert found.samples["fat"].hu_mean == pytest.approx(-107.0, abs=5.0)
    assert found.samples["blood"].hu_mean == pytest.approx(44.0, abs=5.0)
