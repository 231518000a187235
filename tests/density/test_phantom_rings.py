"""Round spots in an image."""

import numpy as np
import pytest
from scipy import ndimage

from spongiosa.density.phantom_rings import round_spots

SPACING_MM = (1.0, 0.8)


def image_of(*discs: tuple[float, float, float, float], noise_hu: float = 0.0) -> np.ndarray:
    """Discs (u, v, radius in mm, HU) in plastic of 5 HU, blurred like a CT, with noise that is blurred as well."""
    rows, columns = np.indices((120, 150))
    v, u = rows * SPACING_MM[0], columns * SPACING_MM[1]
    image = np.full(rows.shape, 5.0)
    for x, y, radius, hu in discs:
        share = np.clip(0.5 + radius - np.hypot(u - x, v - y), 0.0, 1.0)
        image += share * (hu - 5.0)
    noise = np.random.default_rng(4).normal(0.0, 1.0, image.shape)
    noise = ndimage.gaussian_filter(noise, 0.8)
    return ndimage.gaussian_filter(image, 0.6) + noise_hu * noise / noise.std()


@pytest.mark.parametrize("hu", [305.0, 45.0, -60.0])
def test_a_disc_is_found_at_its_centre_with_its_contrast(hu):
    """0.3 mm: a third of a pixel.  15 % of the contrast: the image is blurred once more than the formula knows."""
    spots = round_spots(image_of((60.3, 50.7, 9.0, hu)), SPACING_MM, (8.0, 9.0, 10.0), 1.0, 10.0, 5)
    assert (spots[0].u_mm, spots[0].v_mm) == pytest.approx((60.3, 50.7), abs=0.3)
    assert spots[0].contrast_hu == pytest.approx(hu - 5.0, rel=0.15)
    assert (spots[0].radius_mm, spots[0].roundness > 0.85) == (9.0, True)


def test_a_step_of_five_hu_is_seen_in_noise():
    spots = round_spots(image_of((60.0, 50.0, 9.0, 10.0), noise_hu=1.0), SPACING_MM, (9.0,), 0.9, 2.5, 5)
    assert np.hypot(spots[0].u_mm - 60.0, spots[0].v_mm - 50.0) < 1.0


def test_a_straight_edge_is_not_round():
    image = np.zeros((120, 150))
    image[:, 70:] = 300.0
    spots = round_spots(ndimage.gaussian_filter(image, 0.6), SPACING_MM, (9.0,), 1.0, 10.0, 20)
    assert [spot for spot in spots if spot.roundness > 0.7] == []


def test_a_disc_of_another_size_is_less_round_than_one_of_the_size_asked_for():
    image = image_of((35.0, 50.0, 9.0, 300.0), (85.0, 50.0, 15.0, 300.0))
    spots = round_spots(image, SPACING_MM, (9.0,), 1.0, 10.0, 5)
    assert spots[0].u_mm == pytest.approx(35.0, abs=0.3)
    assert all(spot.roundness < 0.7 for spot in spots if spot.u_mm > 60.0)
