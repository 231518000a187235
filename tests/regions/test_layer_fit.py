"""A thin layer between two tissues along a line, whose place is known."""

import numpy as np
import pytest
from scipy.special import ndtr

from spongiosa.regions.layer_fit import KnownImage, KnownShape, fit_layers

LAYER_MM, BLUR_MM, TRUE_PLACE_MM = 0.8, 1.0, 0.63
OUTSIDE_HU, LAYER_HU, INSIDE_HU = 20.0, 900.0, 150.0
#: What is known of the tissues: next to nothing.
TISSUES_HU = np.array([[0.0, 1000.0], [500.0, 2000.0], [0.0, 1000.0]])
STEPS = (0.01, 1.0, 0.001)


def shares_at(places_mm):
    """Shares of outside, layer and inside at places along the line, for a layer that begins at the parameter."""

    def shares(parameters):
        depth = places_mm - parameters[0]
        bone, inside = ndtr(depth / BLUR_MM), ndtr((depth - LAYER_MM) / BLUR_MM)
        return np.stack([1.0 - bone, bone - inside, inside], axis=1)

    return shares


def fitted(places_mm, hu, start_mm=0.0, sigma_mm=10.0, voxel_volume_mm3=20.0):
    known = KnownShape.of_one_unit(np.array([start_mm]), np.array([[sigma_mm**-2]]), STEPS)
    return fit_layers(shares_at(places_mm), KnownImage(hu, voxel_volume_mm3, TISSUES_HU, 10.0), known)


@pytest.fixture
def places_mm():
    return np.arange(-8.0, 8.1, 0.7)


@pytest.fixture
def hu(places_mm):
    return shares_at(places_mm)(np.array([TRUE_PLACE_MM])) @ np.array([OUTSIDE_HU, LAYER_HU, INSIDE_HU])


def test_place_and_tissues_are_found_without_noise(places_mm, hu):
    """0.01 mm and 2 %: what is known beforehand pulls by as much."""
    found = fitted(places_mm, hu)
    assert found.parameters[0] == pytest.approx(TRUE_PLACE_MM, abs=0.01)
    assert found.tissues_hu == pytest.approx([OUTSIDE_HU, LAYER_HU, INSIDE_HU], rel=0.02)


def test_what_is_known_well_beforehand_stays(places_mm, hu):
    assert fitted(places_mm, hu, start_mm=-0.5, sigma_mm=1e-3).parameters[0] == pytest.approx(-0.5, abs=0.01)


def test_bright_bone_beside_the_layer_moves_it_little(places_mm, hu):
    """0.1 mm; without the weights another bone outside draws the layer half a millimetre and more."""
    hu[places_mm < -6.0] += 600.0
    assert fitted(places_mm, hu).parameters[0] == pytest.approx(TRUE_PLACE_MM, abs=0.1)


def test_voxels_of_one_patch_count_as_one(places_mm, hu):
    """A hundredth of the volume: the standard error is that of the patches, within the 10 % that the prior takes."""
    coarse, fine = (float(fitted(places_mm, hu, voxel_volume_mm3=v).covariance[0, 0]) for v in (13.0, 0.13))
    assert fine == pytest.approx(100.0 * coarse, rel=0.1)


def test_a_parameter_keeps_to_its_limits(places_mm, hu):
    start, step, longest, still, lowest, highest = (np.array([each]) for each in (0.0, 0.01, 1.0, 1e-3, -1.0, 0.2))
    known = KnownShape(start, np.eye(1), step, longest, still, lowest, highest)
    found = fit_layers(shares_at(places_mm), KnownImage(hu, 20.0, TISSUES_HU, 10.0), known)
    assert found.parameters[0] == pytest.approx(0.2)
