"""Internal calibration: what it finds, what it leaves out and when it refuses."""

import pytest
from pydantic import ValidationError

from spongiosa.config.internal_calibration import InternalCalibrationSettings
from spongiosa.density.beam_energy import expected_hu, fit_beam
from spongiosa.density.internal import expected_energy_kev, internal_calibration, phantom_slope
from spongiosa.outcome import Reason
from spongiosa.regions.tissue_samples import TissueSample
from spongiosa.synthetic.tissue import Tissues

SETTINGS = InternalCalibrationSettings()


def samples(**hu: float) -> dict[str, TissueSample]:
    return {name: TissueSample(value, 12.0, 5000) for name, value in hu.items()}


def synthetic_samples(kvp: float, iodine_mg_ml: float = 0.0) -> dict[str, TissueSample]:
    """The tissues of the generator at a tube voltage: it has attenuation tables of its own."""
    tissues = Tissues(kvp, iodine_mg_ml)
    return samples(
        air=-1000.0,
        fat=tissues.fat_hu,
        muscle=tissues.value("muscle"),
        blood=tissues.blood(iodine_mg_ml),
        cortical=1200.0,
    )


@pytest.mark.parametrize("kvp", [80.0, 100.0, 120.0, 140.0])
def test_the_line_is_that_of_a_phantom_in_the_same_beam(kvp):
    """3 mg/cm3 at 60-240 HU: fat, whose composition differs between persons, leaves the energy open by 1 keV."""
    outcome = internal_calibration(synthetic_samples(kvp), kvp, SETTINGS)
    assert outcome.line is not None
    assert outcome.line.material == "K2HPO4"
    for hu in (0.0, 60.0, 120.0, 240.0):
        truth = Tissues(kvp).k2hpo4_equivalent(hu)
        assert outcome.line.density_mg_cm3(hu) == pytest.approx(truth, abs=3.0 if hu <= 120 else 5.0)


def test_a_beam_that_is_softer_than_its_voltage_says_is_followed_part_of_the_way():
    """Fat speaks for the softer beam, the voltage for the usual one: the energy moves towards it and not beyond."""
    usual = internal_calibration(synthetic_samples(120.0), 120.0, SETTINGS).report["effective_energy_kev"]
    softer = internal_calibration(synthetic_samples(108.0), 120.0, SETTINGS).report["effective_energy_kev"]
    assert Tissues(108.0).energy_kev < softer < usual


def test_a_drift_of_the_scale_is_partly_taken_back():
    """All tissues 6 HU up: the line must give less than the 4.5 mg/cm3 more that an uncorrected scale would."""
    native = synthetic_samples(120.0)
    drifted = {name: TissueSample(sample.hu_mean + 6.0, 12.0, 5000) for name, sample in native.items()}
    plain, moved = (internal_calibration(tissues, 120.0, SETTINGS) for tissues in (native, drifted))
    assert plain.line is not None
    assert moved.line is not None
    error = moved.line.density_mg_cm3(106.0) - plain.line.density_mg_cm3(100.0)
    assert abs(error) < 0.8 * 6.0 * plain.line.slope_mg_cm3_per_hu


def test_contrast_medium_in_the_blood_refuses_the_calibration():
    outcome = internal_calibration(synthetic_samples(120.0, iodine_mg_ml=4.0), 120.0, SETTINGS)
    assert outcome.line is None
    assert outcome.reason is Reason.CONTRAST_IN_BLOOD
    assert f"{Tissues(120.0).blood(4.0):.0f} HU" in outcome.detail


def test_a_recognised_phase_refuses_what_blood_alone_would_let_pass():
    """After minutes the blood is back at 60 HU, and the kidneys still tell."""
    tissues = synthetic_samples(120.0) | samples(blood=60.0)
    assert internal_calibration(tissues, 120.0, SETTINGS, "none").line is not None
    late = internal_calibration(tissues, 120.0, SETTINGS, "delayed")
    assert late.reason is Reason.CONTRAST_IN_BLOOD


def test_enhanced_blood_can_be_left_out_instead():
    settings = InternalCalibrationSettings(enhanced_blood="leave_out")
    outcome = internal_calibration(synthetic_samples(120.0, iodine_mg_ml=4.0), 120.0, settings)
    assert outcome.line is not None
    assert "blood" not in outcome.report["tissues_used"]
    assert "not between 20 and 65 HU" in outcome.report["tissues_left_out"]["blood"]
    assert outcome.line.density_mg_cm3(120.0) == pytest.approx(Tissues(120.0).k2hpo4_equivalent(120.0), abs=3.0)


def test_a_tissue_out_of_its_range_is_left_out_with_the_reason():
    tissues = synthetic_samples(120.0) | samples(muscle=5.0)
    outcome = internal_calibration(tissues, 120.0, SETTINGS)
    assert outcome.line is not None
    assert outcome.report["tissues_used"] == ["air", "fat", "blood"]
    assert "muscle" in outcome.report["tissues_left_out"]


@pytest.mark.parametrize("absent", ["fat", "blood"])
def test_a_required_tissue_that_is_absent_refuses_the_calibration(absent):
    tissues = {name: sample for name, sample in synthetic_samples(120.0).items() if name != absent}
    outcome = internal_calibration(tissues, 120.0, SETTINGS)
    assert outcome.reason is Reason.TISSUES_NOT_FOUND
    assert f"{absent.capitalize()}: It was not found." in outcome.detail


@pytest.mark.parametrize(("kvp", "words"), [(None, "no tube voltage"), (40.0, "40 kVp lies outside")])
def test_without_a_usable_voltage_there_is_no_line(kvp, words):
    outcome = internal_calibration(synthetic_samples(120.0), kvp, SETTINGS)
    assert outcome.reason is Reason.CALIBRATION_REFUSED
    assert words in outcome.detail


def test_tissues_that_contradict_the_voltage_refuse_the_calibration():
    """A header of 140 kVp over tissues of 80 kVp, with a prior too weak to hide it."""
    settings = InternalCalibrationSettings(effective_energy_sd_kev=20.0)
    outcome = internal_calibration(synthetic_samples(80.0), 140.0, settings)
    assert outcome.reason is Reason.CALIBRATION_REFUSED
    assert "the header or the tissues are wrong" in outcome.detail


def test_two_material_conversion_gives_the_published_densities():
    settings = InternalCalibrationSettings(conversion="two_material")
    tissues = samples(fat=-100.0, air=-1000.0, blood=40.0, cortical=1200.0, muscle=50.0)
    outcome = internal_calibration(tissues, None, settings)
    assert outcome.line is not None
    assert outcome.report["effective_energy_kev"] == 98.0
    assert outcome.line.density_mg_cm3(150.0) == pytest.approx(117.8, abs=0.05)


def test_two_material_conversion_needs_compact_bone():
    settings = InternalCalibrationSettings(conversion="two_material")
    outcome = internal_calibration(synthetic_samples(120.0) | samples(cortical=640.0), 120.0, settings)
    assert outcome.reason is Reason.TISSUES_NOT_FOUND
    assert "Cortical: Its 640 HU" in outcome.detail


def test_the_expected_energy_is_interpolated_between_voltages():
    assert expected_energy_kev(110.0, SETTINGS) == 67.0
    assert expected_energy_kev(135.0, SETTINGS) == pytest.approx(75.25)


def test_energies_that_do_not_rise_with_the_voltage_are_refused_by_the_configuration():
    with pytest.raises(ValidationError, match="must rise with the voltage"):
        InternalCalibrationSettings(effective_energy_kev={"80": 60.0, "120": 58.0})


def test_the_slope_of_a_phantom_falls_with_the_energy():
    """1.25 HU per mg/cm3 is the published slope of a Mindways phantom (0.80028 mg/cm3 per HU), near 75 keV."""
    assert phantom_slope(57.0) > phantom_slope(75.0) > phantom_slope(90.0)
    assert phantom_slope(75.0) == pytest.approx(1.0 / 0.80028, rel=0.02)


def test_the_fit_of_the_beam_returns_the_energy_that_made_the_tissues():
    """With the voltage left open (SD 50 keV) exact tissues must lead back: within 1.5 keV, as the scale is free too."""
    tissues = {name: float(expected_hu(name, 63.0)) for name in ("air", "fat", "muscle", "blood")}
    fit = fit_beam(tissues, 70.0, 50.0)
    assert fit.energy_kev == pytest.approx(63.0, abs=1.5)
    assert fit.offset_hu == pytest.approx(0.0, abs=0.5)
    assert fit.r2 == pytest.approx(1.0, abs=1e-5)


def test_one_tissue_is_too_few_for_the_beam():
    with pytest.raises(ValueError, match="two tissues"):
        fit_beam({"fat": -105.0}, 70.0, 3.0)
