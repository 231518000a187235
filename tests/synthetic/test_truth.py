from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.patient import AIR_HU, build_patient
from spongiosa.synthetic.sampling import Grid, GridCanvas
from spongiosa.synthetic.scanner import render_ct
from spongiosa.synthetic.tissue import Tissues, density_for_hu
from spongiosa.synthetic.truth import L1_TO_L4
from spongiosa.synthetic.truth_regions import ELLIPSES


def noise_free_cube_of(patient, level, spacing_mm):
    """The body of one level on a fine isotropic grid, without kernel or noise; and the points of the voxels."""
    centre = patient.vertebrae[level].frame.origin_mm
    count = int(56.0 / spacing_mm)
    origin = centre - (count - 1) / 2.0 * spacing_mm
    grid = Grid(origin, np.eye(3) * spacing_mm, (count, count, count), spacing_mm)
    canvas = GridCanvas(grid, AIR_HU)
    patient.paint(canvas, Tissues(120.0))
    z, y, x = np.indices(grid.shape)
    return canvas, np.stack([x, y, z], axis=-1).reshape(-1, 3) * spacing_mm + origin


def test_mean_over_the_core_voxels_of_a_noise_free_render_equals_the_stated_truth(woman, small_scan):
    """0.1 HU, as promised: 0.5 mm voxels whose centres lie in the ideal core, some 130,000 of them."""
    canvas, points = noise_free_cube_of(woman, "L3", 0.5)
    inside = small_scan.truth.contains("L3", points)
    assert canvas.values.ravel()[inside].mean() == pytest.approx(small_scan.truth.hu("L3", "body_trabecular"), abs=0.1)


def test_core_of_the_truth_lies_the_inset_below_the_surface(woman, small_scan):
    """Euclidean distance to the outside, counted on 0.7 mm voxels, is never less than 5 mm minus one voxel diagonal."""
    canvas, points = noise_free_cube_of(woman, "L2", 0.7)
    depth = ndimage.distance_transform_edt(canvas.bodies == woman.vertebrae["L2"].label, sampling=0.7)
    inside = small_scan.truth.contains("L2", points).reshape(depth.shape)
    assert depth[inside].min() > 5.0 - 1.2
    assert np.percentile(depth[(depth > 0) & ~inside], 99) < 5.0 + 1.2


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
    """Points of an ellipse are 5 mm inside the wall; its area is at least half of the section's inset area."""
    for region in ELLIPSES:
        ellipse = small_scan.truth.ellipse("L3", region)
        local = woman.vertebrae["L3"].frame.to_local(ellipse.samples(0.5)[0])
        _, wall, _ = woman.vertebrae["L3"].body.distances(*local.astype(np.float32).T)
        assert wall.max() < -5.0 + 0.05
        assert ellipse.area_mm2 > 350.0


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
