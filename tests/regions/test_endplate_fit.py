"""Endplates from the image: found where a label map is too coarse to show them, and left alone where there is none."""

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.regions.body import VertebralBody
from spongiosa.regions.endplate_fit import fit_endplate
from spongiosa.regions.refinement import refined_body
from spongiosa.volume import Volume

from .generated_body import HEALTHY, scan_of
from .vertebral_phantom import HALF_HEIGHT_MM, Phantom, frame_at, make_phantom


@pytest.fixture(scope="module")
def coarse() -> Phantom:
    """A body that leans by 8 degrees on slices of 3 mm, with 15 HU of noise."""
    phantom = make_phantom((1.2, 1.2, 3.0), tilt_deg=8.0, shift_mm=1.1)
    noise = np.random.default_rng(3).normal(0.0, 15.0, phantom.ct.voxels.shape)
    return replace(phantom, ct=Volume((phantom.ct.voxels + noise).astype(np.float32), phantom.ct.geometry))


def body_of(phantom: Phantom, tilt_deg: float, offset_mm: float = 0.0) -> VertebralBody:
    """The body with a frame that leans by `tilt_deg` and lies `offset_mm` too high, as a poor label map gives it."""
    centre = phantom.spine.vertebrae[0].frame.centre_mm
    frame = frame_at(centre + np.array([0.0, 0.0, offset_mm]), tilt_deg)
    return VertebralBody.of_label(phantom.bodies, 22, frame)


def test_planes_of_a_leaning_body_on_thick_slices_are_found_from_the_image(coarse):
    """3 degrees, which 95 % of plates keep on slices of 3 mm, and 1 mm; the given frame is off by 4 and 1.5."""
    true = coarse.spine.vertebrae[0].frame
    refined = refined_body(coarse.ct, coarse.bodies, body_of(coarse, tilt_deg=4.0, offset_mm=1.5)).frame
    for name in ("superior_endplate", "inferior_endplate"):
        expected, found = getattr(true, name), getattr(refined, name)
        assert np.degrees(np.arccos(found.normal @ expected.normal)) <= 3.0
        assert abs(expected.signed_distance_mm(found.point_mm)) <= 1.0
    assert np.degrees(np.arccos(refined.superior @ true.superior)) <= 3.0
    assert np.allclose(refined.axes @ refined.axes.T, np.eye(3), atol=1e-9)


def test_a_surface_lies_where_the_body_ends(coarse):
    """0.75 mm on the axis, a quarter of a slice; this plate is flat and 1 mm thick, not dished and 0.7 as expected."""
    body = body_of(coarse, tilt_deg=8.0)
    for is_superior, height in ((True, HALF_HEIGHT_MM), (False, -HALF_HEIGHT_MM)):
        surface = fit_endplate(coarse.ct, coarse.bodies, body, is_superior)
        assert surface is not None
        assert float(surface.height_mm(np.zeros(1), np.zeros(1))[0]) == pytest.approx(height, abs=0.75)


@pytest.mark.parametrize(("slice_mm", "shift_mm", "tolerance_mm"), [(1.0, 0.3, 0.4), (2.0, 0.9, 0.6)])
@pytest.mark.parametrize("is_superior", [True, False])
def test_dish_and_rim_of_a_generated_plate_are_found(slice_mm, shift_mm, tolerance_mm, is_superior):
    """In the middle and 1 mm inside of the anterior and posterior rim, where no voxel is looked at; slices of 2 mm that
    lie level with the plate cut its dish once."""
    ct, bodies, body = scan_of(HEALTHY, slice_mm, shift_mm)
    surface = fit_endplate(ct, bodies, body, is_superior)
    assert surface is not None
    left, posterior = np.zeros(3), np.array([-15.5, 0.0, 14.0])
    own = np.stack([left, posterior, surface.height_mm(left, posterior)], axis=1)
    placed = body.frame.to_lps_mm(own)
    exact = HEALTHY.endplate_heights(*placed.astype(np.float32).T[:2])[0 if is_superior else 1]
    assert placed[:, 2] == pytest.approx(exact, abs=tolerance_mm)


def test_sclerosis_below_one_half_of_a_plate_does_not_tilt_it(upright_l3):
    """2 degrees on slices of 1 mm, for 5 mm of 400 HU below the left half of the superior plate."""
    true = upright_l3.spine.vertebrae[0].frame
    grid = upright_l3.ct.geometry
    indices = np.stack(np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij"), axis=-1)
    local = true.to_local_mm(grid.points_mm(indices))
    is_dense = (local[..., 0] > 0) & (local[..., 2] > HALF_HEIGHT_MM - 6.0) & (local[..., 2] < HALF_HEIGHT_MM - 1.0)
    sclerotic = np.where(is_dense & (upright_l3.bodies.voxels > 0), 400.0, upright_l3.ct.voxels).astype(np.float32)
    refined = refined_body(Volume(sclerotic, grid), upright_l3.bodies, body_of(upright_l3, tilt_deg=0.0)).frame
    assert np.degrees(np.arccos(refined.superior_endplate.normal @ true.superior_endplate.normal)) <= 2.0


def test_without_a_plate_in_the_image_the_label_map_stays_what_is_known(coarse):
    noise = np.random.default_rng(5).normal(60.0, 15.0, coarse.ct.voxels.shape).astype(np.float32)
    body = body_of(coarse, tilt_deg=8.0)
    assert refined_body(Volume(noise, coarse.ct.geometry), coarse.bodies, body) is body
