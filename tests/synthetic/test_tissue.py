from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from spongiosa.synthetic.tissue import DensityPalette, Tissues, density_for_hu


@pytest.mark.parametrize(("kvp", "published"), [(80.0, 41.0), (100.0, 31.0), (120.0, 25.5), (140.0, 20.0)])
def test_iodine_enhances_as_published(kvp, published):
    """The effective energies were chosen for this; 1.5 HU per mg/ml is the spread between scanners."""
    assert Tissues(kvp).iodine_hu_per_mg_ml == pytest.approx(published, abs=1.5)


def test_bone_mineral_attenuates_more_at_low_voltage():
    """HU per mg/cm3 of hydroxyapatite: about 1.3 at 120 kVp, a third more at 80 kVp."""
    slopes = [Tissues(kvp).mineral_slope(0.0) for kvp in (80.0, 100.0, 120.0, 140.0)]
    assert all(low > high for low, high in pairwise(slopes))
    assert slopes[2] == pytest.approx(1.3, abs=0.15)
    assert slopes[0] / slopes[2] == pytest.approx(1.33, abs=0.12)


def test_fat_is_darker_than_water_and_than_red_marrow():
    tissues = Tissues(120.0)
    assert tissues.value("fat") == pytest.approx(-105.0, abs=8.0)
    assert tissues.marrow(1.0) < tissues.marrow(0.5) < tissues.marrow(0.0)


def test_density_for_hu_is_the_inverse_of_the_tissue_model():
    for hu in (20.0, 95.0, 210.0):
        density = np.array(density_for_hu(hu, 0.55), dtype=np.float32)
        assert float(Tissues(120.0).spongy(density, 0.55)) == pytest.approx(hu, abs=1e-3)


def test_a_voltage_outside_the_model_is_refused():
    with pytest.raises(ValueError, match="70"):
        Tissues(70.0)


def test_an_unknown_tissue_is_refused_in_every_palette():
    for palette in (Tissues(120.0), DensityPalette()):
        with pytest.raises(KeyError):
            palette.value("cheese")
