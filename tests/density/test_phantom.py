"""Calibration by a phantom, from a whole scan: bars of known HU painted into air, so that every place is known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from spongiosa.anatomy.frame import Plane, SpineDescription, Vertebra, VertebralFrame
from spongiosa.config.calibration import PhantomDetectionSettings
from spongiosa.config.phantoms import PRESETS, PhantomSettings
from spongiosa.density.phantom import phantom_calibration
from spongiosa.density.phantom_layout import matches
from spongiosa.density.phantom_rings import round_spots
from spongiosa.density.phantom_search import looked_at
from spongiosa.outcome import Reason
from spongiosa.volume import Geometry, Volume

SHAPE, SPACING_MM = (40, 150, 180), (1.2, 1.2, 3.0)
SPINE_MM = np.array([108.0, 25.0])
RULES = PhantomDetectionSettings()


@dataclass(frozen=True)
class Lying:
    """How a phantom lies in the test's scan: its middle (mm), turn, slope of the rods, and the slices that it spans."""

    middle_mm: tuple[float, float] = (108.0, 120.0)
    turn_deg: float = 0.0
    course: tuple[float, float] = (0.0, 0.0)
    mirrored: bool = False
    slices: range = range(SHAPE[0])
    drift_hu_per_100mm: float = 0.0


def scan_of(
    phantom: PhantomSettings, lying: Lying | None, slope: float = 1.4, noise_hu: float = 15.0, spacing: float = 1.0
) -> Volume:
    """A scan in air with a phantom in plastic of 5 HU; rods obey HU = water - 1000 + slope x density."""
    rows, columns = np.indices(SHAPE[1:])
    u, v = columns * SPACING_MM[0], rows * SPACING_MM[1]
    random = np.random.default_rng(8)
    voxels = np.full(SHAPE, -1000.0)
    layout = np.array([rod.position_mm for rod in phantom.rods]) * spacing
    for k in range(SHAPE[0]):
        height = (k - (SHAPE[0] - 1) / 2) * SPACING_MM[2]
        if lying is not None and k in lying.slices:
            angle = np.radians(lying.turn_deg)
            x = u - lying.middle_mm[0] - lying.course[0] * height
            y = v - lying.middle_mm[1] - lying.course[1] * height
            across, down = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
            across = -across if lying.mirrored else across
            half = np.abs(layout[:, 0]).max() + phantom.rod_diameter_mm / 2 + 12.0
            voxels[k][(np.abs(across) < half) & (np.abs(down) < phantom.rod_diameter_mm / 2 + 6.0)] = 5.0
            for rod, (place, _) in zip(phantom.rods, layout, strict=True):
                hu = (rod.water_mg_cm3 or 1000.0) - 1000.0 + slope * rod.density_mg_cm3
                hu += lying.drift_hu_per_100mm * height / 100.0
                voxels[k][np.hypot(across - place, down) < phantom.rod_diameter_mm / 2] = hu
    voxels += random.normal(0.0, noise_hu, SHAPE)
    return Volume(np.rint(voxels).astype(np.int16), Geometry(SHAPE, SPACING_MM, (0.0, 0.0, 0.0), np.eye(3)))


def spine() -> SpineDescription:
    """Three bodies along the middle of the scan, 100 mm above the phantom."""
    vertebrae = []
    for number, height in enumerate((90.0, 58.0, 26.0)):
        centre = np.array([*SPINE_MM, height])
        up = np.array([0.0, 0.0, 1.0])
        ends = [Plane(centre + step * up, up) for step in (13.0, -13.0)]
        frame = VertebralFrame(centre, np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]), up, *ends)
        vertebrae.append(Vertebra(20 + number, f"L{number + 1}", frame, 1.0))
    return SpineDescription("labels", 1.0, tuple(vertebrae))


def calibration(volume: Volume, phantom: PhantomSettings, rules: PhantomDetectionSettings = RULES):
    return phantom_calibration(volume, spine(), "mine", phantom, rules)


POSES = {
    "straight": Lying(),
    "turned by 15 degrees": Lying(turn_deg=15.0),
    "askew": Lying(course=(0.12, -0.08)),
    "end for end": Lying(mirrored=True),
    "upright": Lying(middle_mm=(170.0, 90.0), turn_deg=90.0),
    "above the patient": replace(Lying(), middle_mm=(108.0, 120.0), turn_deg=180.0),
}


@pytest.mark.parametrize("pose", POSES.values(), ids=POSES.keys())
def test_the_line_is_found_in_any_pose(pose):
    """1 mg/cm3 at 0 and 200 HU: some 1,500 voxels of SD 15 HU per rod; a rod mistaken for another gives 20 and more."""
    phantom = PRESETS["mindways_model_3_ct"]
    outcome = calibration(scan_of(phantom, pose), phantom)
    assert outcome.line is not None, outcome.detail
    for hu in (0.0, 200.0):
        assert outcome.line.density_mg_cm3(hu) == pytest.approx((hu + 0.4) / (1.4 - 0.2174), abs=1.0)
    assert [rod["name"] for rod in outcome.report["rods"]] == ["A", "B", "C", "D", "E"]


def test_a_rod_as_dark_as_its_plastic_is_found_by_the_layout():
    """The water rod of a phantom in water-equivalent plastic differs from it by 5 HU."""
    phantom = PRESETS["qrm_bdc_3"]
    outcome = calibration(scan_of(phantom, Lying(turn_deg=5.0)), phantom)
    assert outcome.line is not None, outcome.detail
    assert outcome.line.density_mg_cm3(0.0) == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("turn_deg", range(0, 30, 5))
def test_an_unseen_rod_lies_with_its_whole_section_in_the_plastic(turn_deg):
    """The core alone would fit at places whose rim lies in the air beside, which darkens what is measured there.

    The plastic reaches 17 mm to either side of the rods, and 9.35 mm of a rod of 22 mm surely are the rod; 1 mm: the
    edge of the plastic lies anywhere in a pixel of 1.2 mm.
    """
    phantom = PRESETS["siemens_osteo"]
    image = scan_of(phantom, Lying(turn_deg=turn_deg)).voxels.mean(axis=0)
    spots = round_spots(image, SPACING_MM[1::-1], (9.9, 11.0, 12.1), 0.9, 2.5, 60)
    found = matches(spots, phantom, looked_at(image, SPACING_MM[1::-1], 6.35, 9.35, 11.0), RULES)
    assert found
    angle = np.radians(turn_deg)
    across = np.array([-np.sin(angle), np.cos(angle)])
    off = [abs((match.places_mm[~match.is_seen] - Lying().middle_mm) @ across) for match in found]
    assert max(float(each.max(initial=0.0)) for each in off) < 17.0 - 9.35 + 1.0


def test_a_phantom_with_the_distances_of_another_is_refused_by_its_name():
    phantom = PRESETS["image_analysis_3"]
    outcome = calibration(scan_of(phantom, Lying(), spacing=1.05), PRESETS["qrm_bdc_3"])
    assert outcome.reason is Reason.PHANTOM_MISMATCH
    assert "image_analysis_3" in outcome.detail
    assert [rod["name"] for rod in outcome.report["rods"]] == ["1", "2", "3"]


def test_the_spacing_of_a_preset_may_be_wrong_by_a_quarter_and_that_of_a_certificate_may_not():
    phantom = PRESETS["b_mas_200"]
    wide = scan_of(phantom, Lying(), spacing=1.25)
    assert calibration(wide, phantom).line is not None
    certified = phantom.model_copy(update={"layout_tolerance": 0.02})
    assert calibration(wide, certified).reason is Reason.PHANTOM_NOT_FOUND


def test_a_phantom_that_ends_within_the_range_is_measured_where_it_is():
    phantom = PRESETS["b_mas_200"]
    outcome = calibration(scan_of(phantom, Lying(slices=range(14, SHAPE[0]))), phantom)
    assert outcome.line is not None, outcome.detail
    assert outcome.line.slope_mg_cm3_per_hu == pytest.approx(1 / 1.4, rel=0.01)
    assert 0.5 < outcome.report["coverage"] < 0.85


def test_a_phantom_that_is_cut_by_the_edge_gives_a_line_from_the_rods_that_are_left():
    phantom = PRESETS["b_mas_200"]
    outcome = calibration(scan_of(phantom, Lying(middle_mm=(170.0, 120.0))), phantom)
    assert outcome.line is not None, outcome.detail
    assert [rod["is_used"] for rod in outcome.report["rods"]] == [True, True, True, True, False]
    assert outcome.line.slope_mg_cm3_per_hu == pytest.approx(1 / 1.4, rel=0.02)


def test_two_rods_of_three_are_too_few():
    phantom = PRESETS["image_analysis_3"]
    outcome = calibration(scan_of(phantom, Lying(middle_mm=(180.0, 120.0))), phantom)
    assert outcome.line is None
    assert outcome.reason in (Reason.PHANTOM_INCOMPLETE, Reason.PHANTOM_NOT_FOUND)


def test_without_a_phantom_there_is_no_line():
    phantom = PRESETS["mindways_model_3_ct"]
    assert calibration(scan_of(phantom, None), phantom).reason is Reason.PHANTOM_NOT_FOUND


def test_a_slope_that_no_scanner_has_is_refused():
    """A tenth of the certificate's densities, as when it is typed in other units."""
    phantom = PRESETS["b_mas_200"]
    rods = tuple(rod.model_copy(update={"density_mg_cm3": 10 * rod.density_mg_cm3}) for rod in phantom.rods)
    outcome = calibration(scan_of(phantom, Lying()), phantom.model_copy(update={"rods": rods}))
    assert outcome.line is None
    assert outcome.reason in (Reason.PHANTOM_FIT, Reason.PHANTOM_NOT_FOUND)


def test_rods_that_drift_along_the_patient_are_refused():
    phantom = PRESETS["b_mas_200"]
    outcome = calibration(scan_of(phantom, Lying(drift_hu_per_100mm=30.0)), phantom)
    assert (outcome.line, outcome.reason) == (None, Reason.PHANTOM_FIT)
    assert "drifts" in outcome.detail


def test_a_phantom_with_more_rods_than_the_one_asked_for_is_refused():
    """The first three rods of B-MAS 200 would otherwise pass as 0, 100 and 200 mg/cm3."""
    outcome = calibration(scan_of(PRESETS["b_mas_200"], Lying(), slope=2.2), PRESETS["qrm_bdc_3"])
    assert outcome.line is None
    assert outcome.reason is Reason.PHANTOM_FIT


def test_nominal_rod_hu_give_the_scale_of_referenced_hu():
    phantom = PRESETS["b_mas_200"]
    rods = tuple(rod.model_copy(update={"nominal_hu": 1.5 * rod.density_mg_cm3}) for rod in phantom.rods)
    outcome = calibration(scan_of(phantom, Lying()), phantom.model_copy(update={"rods": rods}))
    assert outcome.referenced is not None
    assert outcome.referenced.referenced_hu(140.0) == pytest.approx(150.0, abs=1.0)
