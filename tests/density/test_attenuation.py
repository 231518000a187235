"""Mass attenuation of the body's materials."""

import numpy as np
import pytest

from spongiosa.density.attenuation import Material, mass_attenuation, mass_attenuation_between

#: Values of NIST for the elements of water and K2HPO4 at 60 keV, cm2/g (Hubbell and Seltzer, NISTIR 5632, table 3).
HYDROGEN, OXYGEN, PHOSPHORUS, POTASSIUM = 0.3260, 0.1907, 0.3494, 0.5678


@pytest.mark.parametrize(
    ("material", "energy_kev", "value"),
    [
        (Material.WATER, 60.0, 0.2059),
        (Material.ADIPOSE, 80.0, 0.1800),
        (Material.AIR, 100.0, 0.1541),
        (Material.BLOOD, 50.0, 0.2278),
        (Material.MUSCLE, 40.0, 0.2685),
        (Material.CORTICAL_BONE, 100.0, 0.1855),
    ],
)
def test_values_at_the_energies_of_the_table_are_those_of_nist(material, energy_kev, value):
    assert float(mass_attenuation(material, energy_kev)) == pytest.approx(value, rel=1e-9)
    assert float(mass_attenuation_between(material, energy_kev)) == pytest.approx(value, rel=1e-9)


def test_compounds_are_the_mixture_of_their_elements():
    """0.1 %: the tables of elements are rounded to four digits."""
    water = 0.1119 * HYDROGEN + 0.8881 * OXYGEN
    phosphate = 0.4490 * POTASSIUM + 0.1778 * PHOSPHORUS + 0.3674 * OXYGEN + 0.0058 * HYDROGEN
    assert float(mass_attenuation(Material.WATER, 60.0)) == pytest.approx(water, rel=1e-3)
    assert float(mass_attenuation(Material.DIPOTASSIUM_PHOSPHATE, 60.0)) == pytest.approx(phosphate, rel=1e-3)


@pytest.mark.parametrize("material", list(Material))
def test_attenuation_falls_with_energy_between_absorption_edges(material):
    values = mass_attenuation(material, np.arange(10.0, 200.5, 0.5))
    assert (np.diff(values) < 0).all()


def test_linear_values_lie_above_log_log_ones_between_energies_of_the_table():
    energies = np.array([70.0, 90.0])
    assert (mass_attenuation_between(Material.WATER, energies) > mass_attenuation(Material.WATER, energies)).all()


@pytest.mark.parametrize("energy_kev", [0.5, 201.0])
def test_energies_outside_of_the_tables_are_refused(energy_kev):
    with pytest.raises(ValueError, match="1 to 200 keV"):
        mass_attenuation(Material.WATER, energy_kev)
