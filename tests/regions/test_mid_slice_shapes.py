"""Oval, round, front, left and right in a body of known size; and the other volumes of a body."""

import numpy as np
import pytest

from spongiosa.config.regions import CentralSettings, EndplateLayerSettings, RegionsSettings
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.mid_slice import place_mid_slice_shapes
from spongiosa.regions.site import Site
from spongiosa.regions.volumes import place_body_central, place_body_whole, place_endplate_layers

from .vertebral_phantom import CORE_HU, HALF_DEPTH_MM, HALF_HEIGHT_MM, HALF_WIDTH_MM

INNER_HALF_WIDTH, INNER_HALF_DEPTH = HALF_WIDTH_MM - 5.0, HALF_DEPTH_MM - 5.0
#: Where the anterior two-thirds of the inner depth end.
LIMIT_MM = -INNER_HALF_DEPTH + 2 / 3 * 2 * INNER_HALF_DEPTH


@pytest.fixture(params=["axial", "endplate"])
def site(request, upright_l3) -> Site:
    frame = upright_l3.spine.vertebrae[0].frame
    body = VertebralBody.of_label(upright_l3.bodies, 22, frame)
    return Site("L3", body, None, RegionsSettings(plane=request.param))


@pytest.fixture
def shapes(site):
    return {region.name: region for region in place_mid_slice_shapes(site)}


def local_points(site, region):
    grid = site.body.grid
    points = grid.points_mm(np.stack(np.unravel_index(region.weights.indices, grid.shape), axis=-1))
    return site.body.frame.to_local_mm(points[region.weights.weights >= 0.5])


def test_the_circle_spans_the_anterior_two_thirds_of_the_inner_depth(shapes):
    """8 %: half a millimetre of the grid at either end of a diameter of 16 mm, squared."""
    radius = (LIMIT_MM + INNER_HALF_DEPTH) / 2
    assert shapes["shape_round"].area_mm2 == pytest.approx(np.pi * radius**2, rel=0.08)


def test_oval_round_and_front_stay_in_the_anterior_two_thirds(site, shapes):
    """1 mm: a voxel of 0.8 mm and the grid."""
    for name in ("shape_oval", "shape_round", "shape_front"):
        assert local_points(site, shapes[name])[:, 1].max() <= LIMIT_MM + 1.0


def test_front_left_and_right_share_the_width_in_thirds(site, shapes):
    """1 mm: a voxel of 0.8 mm and the grid."""
    third = INNER_HALF_WIDTH / 3
    assert np.abs(local_points(site, shapes["shape_front"])[:, 0]).max() <= third + 1.0
    assert local_points(site, shapes["shape_left"])[:, 0].min() >= third - 1.0
    assert local_points(site, shapes["shape_right"])[:, 0].max() <= -third + 1.0


def test_left_and_right_are_mirror_images(shapes):
    """5 %: a quarter of a millimetre, half a step of the grid, on a zone of 10 mm, at either side."""
    assert shapes["shape_left"].area_mm2 == pytest.approx(shapes["shape_right"].area_mm2, rel=0.05)


def test_no_shape_reads_the_cortex(upright_l3, shapes):
    """1 HU of a shell that is 600 HU denser."""
    hu = upright_l3.ct.voxels.reshape(-1)
    for region in shapes.values():
        mean = np.average(hu[region.weights.indices], weights=region.weights.weights)
        assert mean == pytest.approx(CORE_HU, abs=1.0)


def test_the_central_cylinder_has_its_height_and_its_share_of_the_ellipse(site):
    """10 %: the ellipse is fitted on half a millimetre, always inwards."""
    expected = np.pi * 0.49 * INNER_HALF_WIDTH * INNER_HALF_DEPTH * 9.0
    assert volume_of_central_mm3(site, posterior_exclusion=0.0) == pytest.approx(expected, rel=0.10)


def test_the_central_cylinder_keeps_from_the_vein_as_the_largest_ellipse_in_front_of_it(site):
    """10 % as above.  In the unit disc cut off at `cut`, by search over its centre and its half depth."""
    cut = (HALF_DEPTH_MM - 0.2 * 2 * HALF_DEPTH_MM) / INNER_HALF_DEPTH
    sine = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 181))[1:-1]
    largest = 0.0
    for half_depth in np.linspace(0.5, 1.0, 101):
        for centre in np.linspace(half_depth - 1, cut - half_depth, 51) if 2 * half_depth <= 1 + cut else ():
            half_width = np.sqrt((1 - (centre + half_depth * sine) ** 2) / (1 - sine**2)).min()
            largest = max(largest, half_depth * half_width)
    expected = np.pi * 0.49 * INNER_HALF_WIDTH * INNER_HALF_DEPTH * largest * 9.0
    assert volume_of_central_mm3(site, posterior_exclusion=0.2) == pytest.approx(expected, rel=0.10)


def volume_of_central_mm3(site, posterior_exclusion):
    ellipse = site.settings.ellipse.model_copy(update={"posterior_exclusion": posterior_exclusion})
    central = CentralSettings(height_mm=9.0, fraction=0.7)
    settings = site.settings.model_copy(update={"central": central, "ellipse": ellipse})
    (region,) = place_body_central(Site("L3", site.body, None, settings))
    return region.weights.effective_voxels * site.body.grid.voxel_volume_mm3


def test_endplate_layers_lie_below_their_endplates(site):
    """0.6 mm: half a slice, by which the label map rounds the endplate."""
    settings = site.settings.model_copy(update={"endplate_layer": EndplateLayerSettings(start_mm=3, thickness_mm=4)})
    superior, inferior = place_endplate_layers(Site("L3", site.body, None, settings))
    for region, sign in ((superior, 1.0), (inferior, -1.0)):
        depth = HALF_HEIGHT_MM - sign * local_points(site, region)[:, 2]
        assert depth.min() >= 3.0 - 0.6
        assert depth.max() <= 7.0 + 0.6


def test_the_whole_body_is_every_voxel_of_its_mask(upright_l3, site):
    (region,) = place_body_whole(site)
    assert region.weights.effective_voxels == int((upright_l3.bodies.voxels == 22).sum())
