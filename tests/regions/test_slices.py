"""The three-slice ellipses and the planes in which they lie."""

import numpy as np
import pytest

from spongiosa.config.regions import EllipseSettings, RegionsSettings
from spongiosa.outcome import Reason
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.planes import measurement_plane
from spongiosa.regions.sections import cut, largest_ellipse
from spongiosa.regions.site import Site
from spongiosa.regions.slices import place_ellipses

from .vertebral_phantom import CORE_HU, HALF_DEPTH_MM, HALF_HEIGHT_MM, HALF_WIDTH_MM, LEVELS, Phantom, make_phantom

SETTINGS = EllipseSettings()


def body_of(phantom: Phantom, level: str = "L3") -> VertebralBody:
    frame = next(vertebra.frame for vertebra in phantom.spine.vertebrae if vertebra.level == level)
    return VertebralBody.of_label(phantom.bodies, LEVELS[level], frame)


def place_ellipse(body: VertebralBody, level: str, height: str, plane: str, ellipse: EllipseSettings):
    site = Site(level, body, None, RegionsSettings(plane=plane, ellipse=ellipse))
    return next(region for region in place_ellipses(site) if region.name == f"ellipse_{height}")


def mean_hu(phantom: Phantom, region) -> float:
    hu = phantom.ct.voxels.reshape(-1)[region.weights.indices]
    return float(np.average(hu, weights=region.weights.weights))


def test_the_oblique_plane_lies_four_millimetres_from_the_endplate_surface(upright_l3):
    """0.5 mm: a label map of 1 mm slices rounds the endplate by half a slice."""
    plane = measurement_plane(body_of(upright_l3), "superior", "endplate", 4.0)
    assert plane.axes.point_mm[2] == pytest.approx(HALF_HEIGHT_MM - 4.0, abs=0.5)


@pytest.mark.parametrize("shift_mm", [0.0, 0.4, 1.3, 2.6, 3.9])
@pytest.mark.parametrize("height", ["superior", "inferior"])
def test_no_native_slice_is_nearer_to_the_endplate_than_the_offset(height, shift_mm):
    """2.5 mm: half a slice, by which the label map rounds the endplate."""
    phantom = make_phantom(spacing_mm=(1.0, 1.0, 5.0), shift_mm=shift_mm)
    plane = measurement_plane(body_of(phantom), height, "axial", 4.0)
    distance = HALF_HEIGHT_MM - abs(plane.axes.point_mm[2])
    assert 4.0 - 2.5 <= distance <= 9.0 + 2.5
    index = phantom.ct.geometry.indices_zyx(plane.axes.point_mm)[0]
    assert index == pytest.approx(round(index), abs=1e-6)


def test_the_largest_ellipse_keeps_the_margin_to_the_cortex(upright_l3):
    """0.9 mm: one voxel of the label map and one step of the section's grid."""
    body = body_of(upright_l3)
    section = cut(body, measurement_plane(body, "mid", "axial", 4.0), 5.0, 2.0)
    ellipse = largest_ellipse(section, section.trabecular, 1.0)
    assert ellipse.semi_axes_mm == pytest.approx((HALF_WIDTH_MM - 5.0, HALF_DEPTH_MM - 5.0), abs=0.9)
    assert ellipse.centre_uv_mm == pytest.approx((0.0, 0.0), abs=0.9)


def test_a_fraction_scales_the_semi_axes_and_so_the_area_by_its_square(upright_l3):
    body = body_of(upright_l3)
    full = place_ellipse(body, "L3", "mid", "axial", SETTINGS)
    part = place_ellipse(body, "L3", "mid", "axial", EllipseSettings(fraction=0.7))
    assert part.area_mm2 == pytest.approx(0.49 * full.area_mm2)
    assert part.weights.effective_voxels == pytest.approx(0.49 * full.weights.effective_voxels, rel=0.03)  # cells


def test_the_mid_height_ellipse_avoids_the_posterior_fifth_of_the_body(upright_l3):
    """0.8 mm: a voxel of the label map."""
    region = place_ellipse(body_of(upright_l3), "L3", "mid", "axial", EllipseSettings(margin_mm=0.0))
    grid = upright_l3.ct.geometry
    voxels = np.stack(np.unravel_index(region.weights.indices, grid.shape), axis=-1)
    most_posterior_mm = grid.points_mm(voxels)[:, 1].max()
    assert most_posterior_mm <= -0.2 + HALF_DEPTH_MM - 0.2 * 2 * HALF_DEPTH_MM + 0.8


@pytest.mark.parametrize("kind", ["axial", "endplate"])
@pytest.mark.parametrize("tilt_deg", [0.0, 12.0, 28.0])
@pytest.mark.parametrize("spacing_mm", [(0.8, 0.8, 1.0), (0.7, 0.7, 3.0), (0.8, 0.8, 5.0), (3.0, 3.0, 3.0)])
def test_neither_shell_nor_endplate_leaks_into_an_ellipse(spacing_mm, tilt_deg, kind):
    """A 1 mm shell at 700 HU, 600 HU above its core, raises no ellipse by more than 1 HU, up to the tilt of an L5."""
    phantom = make_phantom(spacing_mm, tilt_deg)
    for height in ("superior", "mid", "inferior"):
        region = place_ellipse(body_of(phantom), "L3", height, kind, SETTINGS)
        if region.weights is not None:
            assert mean_hu(phantom, region) == pytest.approx(CORE_HU, abs=1.0), height
        else:
            assert region.reason == Reason.REGION_TOO_SMALL
            assert spacing_mm[2] == 5.0
            assert tilt_deg > 20


def test_an_inset_that_leaves_no_room_gives_a_reason_and_no_number(upright_l3):
    region = place_ellipse(body_of(upright_l3), "L3", "mid", "axial", EllipseSettings(margin_mm=12.0, fraction=1.0))
    assert region.weights is not None
    narrow = make_phantom(spacing_mm=(10.0, 10.0, 2.0))
    region = place_ellipse(body_of(narrow), "L3", "mid", "axial", SETTINGS)
    assert region.reason == Reason.REGION_TOO_SMALL
    assert region.weights is None
