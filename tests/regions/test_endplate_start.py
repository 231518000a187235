"""What a label map says of an endplate before the image is asked."""

import numpy as np
import pytest

from spongiosa.regions.body import VertebralBody
from spongiosa.regions.endplate_start import SIZE, starting_surface
from spongiosa.regions.endplate_surface import DISH, PLANE, SHAPE
from spongiosa.regions.footprint import inner_footprint

from .generated_body import HEALTHY, scan_of


@pytest.fixture(scope="module")
def thin() -> VertebralBody:
    return scan_of(HEALTHY, 1.0, 0.3)[2]


@pytest.fixture(scope="module")
def thick() -> VertebralBody:
    return scan_of(HEALTHY, 5.0, 1.1)[2]


def start_of(body: VertebralBody, is_superior: bool):
    return starting_surface(body, inner_footprint(body.surfaces, 1.0), is_superior)


@pytest.mark.parametrize("is_superior", [True, False])
def test_on_thin_slices_the_label_map_starts_within_half_a_voxel_of_the_plate(thin, is_superior):
    """0.5 mm at the rim and in the middle, on the midline."""
    surface, _ = start_of(thin, is_superior)
    left, posterior = np.zeros(3), np.array([-14.0, 0.0, 14.0])
    exact = HEALTHY.endplate_heights(left.astype(np.float32), posterior.astype(np.float32))[0 if is_superior else 1]
    assert surface.height_mm(left, posterior) == pytest.approx(exact, abs=0.5)


@pytest.mark.parametrize("is_superior", [True, False])
def test_the_dish_ends_near_the_rim_of_its_own_endplate(thin, is_superior):
    """The exact dish ends at 0.913 of the half axes of its own rim, which is wider below; 1.0 mm: a pixel and half a
    step of the section's lattice."""
    surface, _ = start_of(thin, is_superior)
    share = 0.913 * (0.97 if is_superior else 1.03)
    expected = share * HEALTHY.half_width_mm, share * HEALTHY.half_depth_mm
    assert surface.half_size_mm == pytest.approx(expected, abs=1.0)
    assert surface.centre_mm == pytest.approx((0.0, 0.0), abs=1.0)


def test_thick_slices_leave_more_to_the_image_and_less_to_its_fancy(thin, thick):
    """Height and tilts of the label map may err more, the finer shape, which such slices do not show, less."""
    (_, fine), (_, coarse) = start_of(thin, True), start_of(thick, True)
    assert (coarse[PLANE] > fine[PLANE]).all()
    assert (coarse[SHAPE] < fine[SHAPE]).all()
    assert coarse[SIZE] == fine[SIZE]


def test_where_the_label_map_shows_no_dish_a_usual_one_is_expected(thick):
    """The label map on 5 mm slices is nearly flat: half of what is usual (2.0 and 2.5 mm) at least."""
    for is_superior, sign, usual_mm in ((True, -1.0, 2.0), (False, 1.0, 2.5)):
        surface, _ = start_of(thick, is_superior)
        assert sign * surface.coefficients_mm[DISH] >= usual_mm / 2
