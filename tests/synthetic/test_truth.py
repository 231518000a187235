from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct
from spongiosa.synthetic.tissue import Tissues, density_for_hu
from spongiosa.synthetic.truth import L1_TO_L4
from spongiosa.synthetic.truth_regions import ELLIPSES, REGIONS, SIDED


def test_mean_over_the_core_voxels_of_a_noise_free_render_equals_the_stated_truth(woman, small_scan, noise_free_cube):
    """0.1 HU, as promised: 0.5 mm voxels whose centres lie in the ideal core, some 130,000 of them."""
    cube = noise_free_cube(woman, "L3", 0.5)
    inside = small_scan.truth.contains("L3", cube.points_mm)
    assert cube.hu[inside].mean() == pytest.approx(small_scan.truth.hu("L3", "body_trabecular"), abs=0.1)


def test_core_of_the_truth_lies_the_inset_below_the_surface(woman, small_scan, noise_free_cube):
    """Euclidean distance to the outside, counted on 0.7 mm voxels, is never less than 5 mm minus one voxel diagonal."""
    cube = noise_free_cube(woman, "L2", 0.7)
    depth = ndimage.distance_transform_edt(cube.canvas.bodies == woman.vertebrae["L2"].label, sampling=0.7)
    inside = small_scan.truth.contains("L2", cube.points_mm).reshape(depth.shape)
    assert depth[inside].min() > 5.0 - 1.2
    assert np.percentile(depth[(depth > 0) & ~inside], 99) < 5.0 + 1.2


def test_same_field_over_a_placed_copy_of_the_region_gives_the_same_mean(small_scan):
    """Points 0.3 instead of 0.4 mm apart over some 2 ml of textured bone: 1 HU."""
    placed = small_scan.truth.regions("L3").pedicle("left")
    expected = small_scan.truth.hu("L3", "pedicle", side="left")
    assert small_scan.truth.hu_over(placed, step_mm=0.3) == pytest.approx(expected, abs=1.0)


def test_a_region_placed_too_wide_reads_the_cortex(small_scan):
    pedicle = small_scan.truth.regions("L3").pedicle("left")
    outwards = 1.0 + 3.0 / np.linalg.norm(pedicle.first_half_axis_mm)
    wide = pedicle.scaled(float(outwards), pedicle.thickness_mm)
    assert small_scan.truth.hu_over(wide) > small_scan.truth.hu_over(pedicle) + 50.0


def test_true_density_and_true_hu_of_marrow_without_compact_bone_obey_the_tissue_model(small_scan):
    """The model is linear, so means over the same points must agree to rounding."""
    tissues = Tissues(120.0)
    density = small_scan.truth.density_mg_cm3("L2", "body_trabecular")
    expected = tissues.marrow(0.5) + density * tissues.mineral_slope(tissues.marrow(0.5))
    assert small_scan.truth.hu("L2", "body_trabecular") == pytest.approx(expected, abs=0.05)


def test_contrast_medium_raises_the_vertebrae_a_little_and_the_native_truth_stays(woman, reduced_scanner):
    """4 mg/ml of iodine, a portal venous phase: about 100 HU in the aorta and a tenth of it in the marrow."""
    enhanced = build_patient(replace(woman.parameters, blood_iodine_mg_ml=4.0), seed=woman.seed)
    limits = {"cranial_level": "L3", "caudal_level": "L3"}
    native, contrast = (render_ct(p, reduced_scanner(**limits), seed=1).truth for p in (woman, enhanced))
    gain = contrast.hu("L3", "body_trabecular") - native.hu("L3", "body_trabecular")
    assert 5.0 < gain < 15.0
    assert contrast.native_hu("L3", "body_trabecular") == pytest.approx(native.hu("L3", "body_trabecular"), abs=1e-3)


def test_table_of_truth_has_every_region_of_every_complete_level(woman, reduced_scanner):
    limits = {"cranial_level": "L3", "cranial_margin_mm": 6.0, "caudal_level": "L3", "caudal_margin_mm": 6.0}
    table = render_ct(woman, reduced_scanner(**limits), seed=1).truth.to_frame(REGIONS)
    assert set(table["level"]) == {"L3"}
    assert set(table["region"]) == set(REGIONS)
    assert table.loc[table["region"].isin(SIDED), "side"].tolist() == ["left", "right"] * len(SIDED)
    assert table["hu_mean"].notna().all()


def test_core_is_as_dense_as_it_was_set(reduced_scanner):
    """The set density is the mean of the whole body; trend, texture and vein move the core by a few HU only."""
    wanted_hu = 85.0
    density = density_for_hu(wanted_hu, marrow_fat_fraction=0.5)
    patient = build_patient(PatientParameters(level_density_mg_cm3=dict.fromkeys(L1_TO_L4, density)), seed=4)
    truth = render_ct(patient, reduced_scanner(rows=8, columns=8), seed=1).truth
    for level in L1_TO_L4:
        assert truth.hu(level, "body_trabecular") == pytest.approx(wanted_hu, abs=8.0)


def test_inset_grows_with_thick_slices_along_the_slice_axis_only(woman, reduced_scanner):
    thick = render_ct(woman, reduced_scanner(rows=8, columns=8, slice_thickness_mm=4.0, slice_spacing_mm=4.0), seed=1)
    assert thick.truth.inset_mm == pytest.approx((5.0, 5.0, 8.0))


def test_ellipses_lie_inside_the_inset_section_and_are_large(woman, small_scan):
    """Points of an ellipse are 5 mm inside the wall; near the endplates it nearly fills the waisted body."""
    body = woman.vertebrae["L3"].body
    inner = np.pi * (0.93 * body.half_width_mm - 5.0) * (0.93 * body.half_depth_mm - 5.0)
    for region in ELLIPSES:
        ellipse = small_scan.truth.ellipse("L3", region)
        local = woman.vertebrae["L3"].frame.to_local(ellipse.samples(0.5)[0])
        _, wall, _ = woman.vertebrae["L3"].body.distances(*local.astype(np.float32).T)
        assert wall.max() < -5.0 + 0.05
        assert ellipse.area_mm2 > (0.55 if region == "ellipse_mid" else 0.75) * inner


def test_cohort_columns_are_means_over_the_complete_levels_of_l1_to_l4(small_scan):
    truth = small_scan.truth
    columns = truth.cohort_columns()
    expected = np.mean([[truth.hu(level, region) for region in ELLIPSES] for level in L1_TO_L4])
    assert columns["ax_l1_l4_hu"] == pytest.approx(expected)
    assert columns["hu_3d_l1_l4"] == pytest.approx(np.mean([truth.hu(k, "body_trabecular") for k in L1_TO_L4]))


def test_a_level_cut_by_the_field_of_view_is_not_complete(woman, reduced_scanner):
    truth = render_ct(
        woman, reduced_scanner(rows=160, columns=160, cranial_level="L1", cranial_margin_mm=-6.0), 1
    ).truth
    assert truth.complete_levels == ("L2", "L3", "L4", "L5")


def test_centres_and_endplates_agree_with_the_label_map(small_scan):
    """Centroids of 2 x 2 x 2.5 mm voxels come within half a millimetre; the endplates enclose the body."""
    bodies = small_scan.bodies
    for level in ("L1", "L3", "L5"):
        geometry = small_scan.truth.geometry[level]
        points = bodies.points_mm(np.argwhere(bodies.voxels == geometry.label).astype(float))
        assert np.linalg.norm(points.mean(axis=0) - geometry.centre_mm) < 0.5
        for point, normal in (geometry.superior_endplate, geometry.inferior_endplate):
            assert np.percentile((points - point) @ normal, 99) < 2.5
