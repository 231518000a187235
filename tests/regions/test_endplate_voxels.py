"""Which voxels tell where an endplate lies."""

import numpy as np
import pytest

from spongiosa.regions.endplate_start import starting_surface
from spongiosa.regions.endplate_voxels import INSIDE_MM, MOST_VOXELS, OUTSIDE_MM, left_out_mm, voxels_about
from spongiosa.regions.footprint import inner_footprint
from spongiosa.volume import Volume

from .generated_body import CORTEX_MM, HEALTHY, scan_of
from .vertebral_phantom import reoriented


@pytest.fixture(scope="module")
def scan():
    return scan_of(HEALTHY, 1.0, 0.3)


def chosen(volume, bodies, body, is_superior=True):
    footprint = inner_footprint(body.surfaces, left_out_mm(body))
    start, _ = starting_surface(body, footprint, is_superior)
    return start, voxels_about(volume, bodies, body, start, footprint, 1.0 if is_superior else -1.0)


@pytest.mark.parametrize("is_superior", [True, False])
def test_no_voxel_of_the_walls_cortex_is_taken_for_the_plate(scan, is_superior):
    """The wall's cortex is 0.6 mm thick, a pixel reaches 0.4 mm beyond its middle: below the plate no voxel nearer to
    the wall than that, save where sections of half a millimetre leave one in fifty open."""
    _, voxels = chosen(*scan, is_superior)
    points = scan[2].frame.to_lps_mm(voxels.local_mm).astype(np.float32)
    _, wall, cap = HEALTHY.distances(*points.T)
    below_the_plate = cap < -2.0
    assert below_the_plate.sum() > 300
    assert np.mean(wall[below_the_plate] > -(CORTEX_MM + 0.2)) <= 0.02


def test_voxels_lie_about_the_start_and_are_no_more_than_a_fit_needs(scan):
    """3 standard deviations of a random choice beyond `MOST_VOXELS`; depths to the width of a rounding error."""
    start, voxels = chosen(*scan)
    depth = start.height_mm(*voxels.local_mm.T[:2]) - voxels.local_mm[:, 2]
    assert depth.min() >= -OUTSIDE_MM - 1e-6
    assert depth.max() <= INSIDE_MM + 1e-6
    assert 1000 < len(depth) < MOST_VOXELS + 3 * MOST_VOXELS**0.5


def test_the_choice_does_not_hang_on_the_order_in_which_a_scan_is_stored(scan):
    ct, bodies, body = scan
    _, expected = chosen(ct, bodies, body)
    turned = [reoriented(volume, (2, 0, 1), (True, False, True)) for volume in (ct, bodies)]
    of_turned = type(body).of_label(turned[1], 22, body.frame)
    _, found = chosen(*turned, of_turned)
    order, other = (np.lexsort(np.round(each.local_mm, 3).T) for each in (expected, found))
    assert found.local_mm[other] == pytest.approx(expected.local_mm[order], abs=1e-6)  # rounding
    assert (found.hu[other] == expected.hu[order]).all()


def test_voxels_near_a_neighbour_are_left_out(scan):
    """A neighbour 3 mm above: nothing within a voxel and a half of it."""
    ct, bodies, body = scan
    labels = bodies.voxels.copy()
    z = bodies.geometry.points_mm(np.stack(np.meshgrid(*(np.arange(n) for n in labels.shape), indexing="ij"), -1))[
        ..., 2
    ]
    labels[(z > 17.0) & (labels == 0)] = 21
    _, voxels = chosen(ct, Volume(labels, bodies.geometry), body)
    assert body.frame.to_lps_mm(voxels.local_mm)[:, 2].max() < 17.0 - 1.5 + 0.5  # the neighbour's first voxel begins so


def test_too_few_voxels_are_none():
    ct, bodies, body = scan_of(HEALTHY, 5.0, 0.0)
    footprint = inner_footprint(body.surfaces, left_out_mm(body))
    start, _ = starting_surface(body, footprint, is_superior=True)
    few = np.zeros_like(footprint)
    few[footprint.shape[0] // 2, footprint.shape[1] // 2] = True
    assert voxels_about(ct, bodies, body, start, few, 1.0) is None
