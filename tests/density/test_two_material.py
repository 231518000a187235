"""Michalski's internal calibration against its published example."""

import numpy as np
import pytest

from spongiosa.density.attenuation import Material
from spongiosa.density.two_material import fit_two_materials

#: The published example: mean HU of the five tissues.
EXAMPLE = {
    Material.ADIPOSE: -100.0,
    Material.AIR: -1000.0,
    Material.BLOOD: 40.0,
    Material.CORTICAL_BONE: 1200.0,
    Material.MUSCLE: 50.0,
}


def test_the_published_example_gives_its_energy_and_densities():
    """98 keV and 36.0, 88.4, 117.8 mg/cm3 at HU 0, 100, 150, to the digits that are printed (NIST tables)."""
    fit = fit_two_materials(EXAMPLE)
    assert fit.energy_kev == 98.0
    for hu, density in ((0.0, 36.0), (100.0, 88.4), (150.0, 117.8)):
        assert fit.curve.density_mg_cm3(hu) == pytest.approx(density, abs=0.05)


def test_the_energy_has_the_highest_correlation_of_all_that_are_tried():
    """A neighbouring energy must fit worse: the example's r2 is 0.99737."""
    assert fit_two_materials(EXAMPLE).r2 == pytest.approx(0.99737, abs=1e-5)


def test_the_curve_is_quadratic_because_density_and_attenuation_both_rise_with_hu():
    curve = fit_two_materials(EXAMPLE).curve
    hu = np.array([0.0, 100.0, 200.0, 300.0])
    second = np.diff([curve.density_mg_cm3(float(value)) for value in hu], 2)
    assert second == pytest.approx(2 * 100.0**2 * curve.curvature_mg_cm3_per_hu2)
    assert curve.curvature_mg_cm3_per_hu2 > 0
    assert curve.material == "K2HPO4"


def test_denser_bone_means_a_softer_beam():
    softer = fit_two_materials(EXAMPLE | {Material.CORTICAL_BONE: 1700.0})
    assert softer.energy_kev < 98.0


def test_two_tissues_are_too_few():
    with pytest.raises(ValueError, match="three tissues"):
        fit_two_materials({Material.AIR: -1000.0, Material.BLOOD: 40.0})
