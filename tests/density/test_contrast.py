"""The phase of a contrast medium from vessels, kidneys and the header."""

import pytest
from pydantic import ValidationError

from spongiosa.config.contrast import ContrastSettings, PhaseOffset
from spongiosa.density.contrast import adjusted_hu, contrast_phase
from spongiosa.regions.tissue_samples import TissueSample

SETTINGS = ContrastSettings()


def organs(**hu: float) -> dict[str, TissueSample]:
    return {name: TissueSample(value, 12.0, 2000) for name, value in hu.items()}


@pytest.mark.parametrize(
    ("aorta", "vena_cava", "kidney", "phase"),
    [
        (42.0, 41.0, 45.0, "none"),
        (31.0, 33.0, 35.0, "none"),
        (320.0, 90.0, 200.0, "arterial"),
        (430.0, 60.0, 190.0, "arterial"),
        (155.0, 140.0, 190.0, "portal_venous"),
        (125.0, 100.0, 170.0, "portal_venous"),
        (88.0, 86.0, 130.0, "delayed"),
    ],
)
def test_typical_enhancement_at_120_kvp_is_told_apart(aorta, vena_cava, kidney, phase):
    found = contrast_phase(organs(aorta=aorta, vena_cava=vena_cava, kidney=kidney), 120.0, None, SETTINGS)
    assert found.phase == phase
    assert found.confidence > 0.6


def test_the_voltage_is_accounted_for():
    """140 HU are a delayed phase at 80 kVp, where iodine shows most, and a portal venous one at 140 kVp."""
    seen = organs(aorta=120.0, vena_cava=118.0, kidney=150.0)
    assert contrast_phase(seen, 80.0, None, SETTINGS).phase == "delayed"
    assert contrast_phase(seen, 140.0, None, SETTINGS).phase == "portal_venous"


def test_the_vena_cava_decides_between_phases_of_equally_bright_aortas():
    late = contrast_phase(organs(aorta=205.0, vena_cava=190.0, kidney=240.0), 120.0, None, SETTINGS)
    early = contrast_phase(organs(aorta=205.0, vena_cava=60.0, kidney=130.0), 120.0, None, SETTINGS)
    assert late.probabilities["portal_venous"] > early.probabilities["portal_venous"]
    assert early.phase == "arterial"


def test_the_header_tips_the_scale_and_does_not_overrule_the_blood():
    seen = organs(aorta=66.0)
    silent, named, denied = (contrast_phase(seen, 120.0, says, SETTINGS) for says in (None, True, False))
    assert denied.probabilities["none"] > silent.probabilities["none"] > named.probabilities["none"]
    assert contrast_phase(organs(aorta=300.0), 120.0, False, SETTINGS).phase == "arterial"
    assert contrast_phase(organs(aorta=42.0), 120.0, True, SETTINGS).phase == "none"


def test_without_a_vessel_the_phase_is_left_open():
    found = contrast_phase(organs(kidney=180.0), 120.0, True, SETTINGS)
    assert found.phase is None
    assert found.confidence == 0.0
    assert "The header names an agent." in found.evidence


def test_an_unsure_phase_is_left_open():
    strict = ContrastSettings(minimum_confidence=0.999)
    assert contrast_phase(organs(aorta=100.0), 120.0, None, strict).phase is None


def test_an_unknown_voltage_lowers_the_confidence():
    seen = organs(aorta=160.0, vena_cava=150.0)
    assert (
        contrast_phase(seen, None, None, SETTINGS).confidence < contrast_phase(seen, 120.0, None, SETTINGS).confidence
    )


def test_hu_are_not_adjusted_unless_the_configuration_says_so():
    assert adjusted_hu(150.0, "portal_venous", SETTINGS) is None


def test_the_offset_of_the_phase_is_taken_off():
    settings = ContrastSettings(adjusts_hu=True)
    assert adjusted_hu(150.0, "portal_venous", settings) == pytest.approx(150.0 - 11.2)  # Pickhardt et al. 2016
    assert adjusted_hu(150.0, "none", settings) == 150.0


def test_a_phase_without_an_offset_or_an_open_one_is_missing():
    settings = ContrastSettings(adjusts_hu=True)
    assert adjusted_hu(150.0, "arterial", settings) is None
    assert adjusted_hu(150.0, None, settings) is None


def test_an_offset_needs_its_source():
    with pytest.raises(ValidationError, match="source"):
        PhaseOffset(hu=10.0, source="")
