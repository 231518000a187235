from __future__ import annotations

import numpy as np
import pytest

from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.posture import Posture, relative_pose
from spongiosa.synthetic.spine_curve import build_spine_curve
from spongiosa.synthetic.truth_regions import endplate


def sagittal_angle_deg(first, second):
    """Angle between two directions seen from the side."""
    a, b = (np.arctan2(-v[1], v[2]) for v in (first, second))
    return abs(np.degrees(a - b))


@pytest.mark.parametrize("lordosis", [20.0, 46.0, 65.0])
def test_lordosis_from_l1_to_s1_is_as_set(lordosis):
    """1.5 degrees: endplates are least-squares planes of dished surfaces, not the rims the curve is built from."""
    patient = build_patient(PatientParameters(lordosis_deg=lordosis), seed=1)
    upper, lower = (endplate(patient.vertebrae[k], True)[1] for k in ("L1", "S1"))
    assert sagittal_angle_deg(upper, lower) == pytest.approx(lordosis, abs=1.5)


def test_thoracic_kyphosis_is_as_set():
    patient = build_patient(PatientParameters(kyphosis_deg=42.0), seed=1)
    upper, lower = endplate(patient.vertebrae["T1"], True)[1], -endplate(patient.vertebrae["T12"], False)[1]
    assert sagittal_angle_deg(upper, lower) == pytest.approx(42.0, abs=1.5)


def test_scoliosis_has_the_set_cobb_angle_and_is_convex_to_the_left():
    curve = build_spine_curve(PatientParameters(scoliosis_cobb_deg=40.0, axial_rotation_deg=12.0), seed=1)
    lean = [np.degrees(np.arctan2(f.axes[0, 2], f.axes[2, 2])) for f in curve.frames.values()]
    assert max(lean) - min(lean) == pytest.approx(40.0, abs=2.0)
    ends = (curve.frames["T10"].origin_mm[0] + curve.frames["L5"].origin_mm[0]) / 2.0
    assert curve.frames["L2"].origin_mm[0] > ends + 8.0
    turn = np.degrees(np.arctan2(curve.frames["L2"].axes[0, 1], curve.frames["L2"].axes[1, 1]))
    assert abs(turn) == pytest.approx(12.0, abs=1.0)


@pytest.mark.parametrize(("count", "last"), [(4, "L4"), (5, "L5"), (6, "L6")])
def test_a_spine_has_the_set_number_of_lumbar_vertebrae(count, last):
    patient = build_patient(PatientParameters(lumbar_vertebrae=count), seed=1)
    assert list(patient.vertebrae)[-2:] == [last, "S1"]
    assert patient.vertebrae[last].label == 19 + count


def test_vertebrae_do_not_overlap_and_discs_are_as_high_as_published(woman):
    """Centres are one pitch apart: 33 to 39 mm between the lumbar vertebrae of a woman of 1.63 m."""
    centres = [woman.vertebrae[k].frame.origin_mm for k in ("L1", "L2", "L3", "L4", "L5")]
    pitches = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    assert pitches.min() > 31.0
    assert pitches.max() < 39.0


def test_flexion_of_a_posture_is_taken_off_the_lordosis():
    lordoses = []
    for flexion in (0.0, 6.0):
        patient = build_patient(PatientParameters(posture=Posture(flexion_deg=flexion)), seed=1)
        upper, lower = (endplate(patient.vertebrae[k], True)[1] for k in ("L1", "S1"))
        lordoses.append(sagittal_angle_deg(upper, lower))
    assert lordoses[0] - lordoses[1] == pytest.approx(6.0, abs=0.2)


def test_bone_keeps_its_texture_in_another_posture(woman):
    """Points carried along by the known motion of L2 read the same HU; 0.5 HU for single precision of the noise."""
    posture = Posture(4.0, (6.0, -12.0, 30.0), vertebra_rotation_sd_deg=2.0, vertebra_shift_sd_mm=0.5, seed=3)
    later = build_patient(PatientParameters(posture=posture), seed=woman.seed)
    before, after = woman.vertebrae["L2"].frame, later.vertebrae["L2"].frame
    motion = relative_pose(before, after)
    points = before.origin_mm + np.random.default_rng(1).uniform(-8.0, 8.0, (200, 3))
    moved = points @ motion[:3, :3].T + motion[:3, 3]
    assert np.linalg.norm(moved - points, axis=1).mean() > 20.0
    np.testing.assert_allclose(later.hu_at(moved), woman.hu_at(points), atol=0.5)


def test_a_level_that_the_spine_lacks_is_refused_by_name():
    with pytest.raises(ValueError, match="L6"):
        build_patient(PatientParameters(level_density_mg_cm3={"L6": 100.0}), seed=1)
    with pytest.raises(ValueError, match="scoliosis_apex"):
        build_patient(PatientParameters(scoliosis_apex="L9"), seed=1)
