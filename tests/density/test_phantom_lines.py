"""The line through the rods of a phantom."""

import numpy as np
import pytest

from spongiosa.config.phantoms import PRESETS, PhantomSettings, RodSettings
from spongiosa.density.phantom_lines import fit_rods, referenced_scale

MINDWAYS = PRESETS["mindways_model_3_ct"]
B_MAS = PRESETS["b_mas_200"]


def densities(phantom: PhantomSettings) -> np.ndarray:
    return np.array([rod.density_mg_cm3 for rod in phantom.rods])


def test_the_published_mindways_example_is_met_to_the_digits():
    """Rods E to A at 462.936 ... -69.549 HU give slope 0.8002835, intercept 8.1228273 and r2 0.99971."""
    rod_hu = np.array([462.936, 345.738, 176.712, -35.378, -69.549])[::-1]
    line = fit_rods(rod_hu, MINDWAYS).line(MINDWAYS, "phantom")
    assert line.slope_mg_cm3_per_hu == pytest.approx(0.8002835, abs=5e-8)
    assert line.intercept_mg_cm3 == pytest.approx(8.1228273, abs=5e-8)
    assert line.r2 == pytest.approx(0.99971, abs=5e-6)
    assert line.material == "K2HPO4"


def test_rods_of_hydroxyapatite_give_the_line_that_made_them():
    fit = fit_rods(1.4 * densities(B_MAS) + 6.0, B_MAS)
    assert (fit.slope_hu_per_mg_cm3, fit.offset_hu) == pytest.approx((1.4, 6.0))
    line = fit.line(B_MAS, "phantom")
    assert line.density_mg_cm3(1.4 * 120.0 + 6.0) == pytest.approx(120.0)
    assert (line.material, fit.rms_mg_cm3) == ("HA", pytest.approx(0.0, abs=1e-9))


def test_one_rod_that_all_others_contradict_is_left_out():
    rod_hu = 1.4 * densities(B_MAS)
    rod_hu[3] += 60.0
    fit = fit_rods(rod_hu, B_MAS)
    assert list(fit.is_used) == [True, True, True, False, True]
    assert fit.slope_hu_per_mg_cm3 == pytest.approx(1.4)
    assert fit.residuals_mg_cm3[3] == pytest.approx(60.0 / 1.4)


def test_ordinary_scatter_leaves_every_rod_in():
    fit = fit_rods(1.4 * densities(B_MAS) + np.array([3.0, -4.0, 2.0, -3.0, 2.0]), B_MAS)
    assert fit.is_used.all()


def test_a_rod_that_is_not_in_view_is_not_used():
    rod_hu = 1.4 * densities(B_MAS)
    rod_hu[0] = np.nan
    fit = fit_rods(rod_hu, B_MAS)
    assert list(fit.is_used) == [False, True, True, True, True]
    assert fit.slope_hu_per_mg_cm3 == pytest.approx(1.4)


@pytest.mark.parametrize("rod_hu", [[np.nan] * 5, [np.nan, 70.0, np.nan, np.nan, np.nan]], ids=["none", "one"])
def test_fewer_than_two_rods_make_no_line(rod_hu):
    with pytest.raises(ValueError, match="two rods"):
        fit_rods(np.array(rod_hu), B_MAS)


def test_referenced_hu_are_those_on_which_the_rods_have_their_nominal_values():
    rods = tuple(
        RodSettings(name=str(k), density_mg_cm3=50.0 * k, nominal_hu=70.0 * k, position_mm=(30.0 * k, 0.0))
        for k in range(4)
    )
    phantom = PhantomSettings(material="HA", rods=rods, rod_diameter_mm=18.0)
    measured = 5.0 + 0.95 * np.array([0.0, 70.0, 140.0, 210.0])
    scale = referenced_scale(measured, phantom)
    assert scale.referenced_hu(5.0 + 0.95 * 110.0) == pytest.approx(110.0)
    with pytest.raises(ValueError, match="no nominal HU"):
        referenced_scale(measured, B_MAS)
