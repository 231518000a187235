"""Phantoms of one line: the distances of the rods say which it is, as far as they can."""

import numpy as np
import pytest

from spongiosa.config.calibration import PhantomDetectionSettings
from spongiosa.config.phantoms import PRESETS
from spongiosa.density.phantom_alike import likelier_phantom

RULES = PhantomDetectionSettings()
#: Rods of 0, 75 and 150 mg/cm3 at 1.4 HU per mg/cm3, which are 0, 100 and 200 mg/cm3 at 1.05.
HU = np.array([0.0, 105.0, 210.0])


def in_a_row(spacing_mm: float, *order: int) -> np.ndarray:
    """Places of rods in an image, along a row that is turned by 8 degrees."""
    along = np.array(order or (0, 1, 2)) * spacing_mm
    return np.column_stack([80.0 + along * np.cos(0.14), 200.0 + along * np.sin(0.14)])


def likelier(named: str, spacing_mm: float, hu=HU, known=PRESETS) -> str | None:
    return likelier_phantom(in_a_row(spacing_mm), hu, PRESETS[named], known, RULES)


def test_rods_at_the_distances_of_another_phantom_are_that_phantoms():
    """Nominal are 36 mm for `qrm_bdc_3` and 45 mm for `image_analysis_3`."""
    assert likelier("qrm_bdc_3", 47.0) == "image_analysis_3"
    assert likelier("image_analysis_3", 34.0) == "qrm_bdc_3"


@pytest.mark.parametrize("spacing_mm", [38.0, 40.0, 42.0])
def test_distances_between_both_decide_nothing(spacing_mm):
    assert likelier("qrm_bdc_3", spacing_mm) is None
    assert likelier("image_analysis_3", spacing_mm) is None


def test_hu_that_the_other_phantom_cannot_have_leave_the_named_one():
    """At 1.1 HU per mg/cm3 of 0, 75 and 150, the rods of 0, 100 and 200 would have 0.83: credible; at 1.0 no longer."""
    assert likelier("image_analysis_3", 34.0, hu=np.array([0.0, 82.5, 165.0])) == "qrm_bdc_3"
    assert likelier("image_analysis_3", 34.0, hu=np.array([0.0, 75.0, 150.0])) is None


def test_a_phantom_that_only_the_user_knows_counts_too_in_its_own_order_of_rods():
    certificate = PRESETS["image_analysis_3"]
    turned = certificate.model_copy(update={"rods": certificate.rods[::-1]})
    assert likelier("qrm_bdc_3", 45.0, known={"ours": turned}) == "ours"


def test_rods_that_lie_in_no_such_row_are_not_the_other_phantom():
    places = in_a_row(47.0)
    places[1] += (18.0, 0.0)
    assert likelier_phantom(places, HU, PRESETS["qrm_bdc_3"], PRESETS, RULES) is None


def test_with_a_rod_missing_nothing_is_said():
    assert likelier("qrm_bdc_3", 47.0, hu=np.array([0.0, np.nan, 210.0])) is None
