from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.synthetic.mri import MrParameters, MrTissues, render_mr
from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.posture import Posture

SMALL = MrParameters(rows=200, columns=200, pixel_spacing_mm=1.6, noise_sd=0.0, bias_field=0.0)


def test_fatter_marrow_is_brighter_in_t1_and_raises_pbq():
    quality = []
    for fat in (0.3, 0.6):
        patient = build_patient(PatientParameters(marrow_fat_fraction=fat), seed=2)
        quality.append(render_mr(patient, SMALL, seed=1).truth.pedicle_bone_quality())
    assert quality[1] > 1.3 * quality[0]


def test_pbq_is_the_pedicles_signal_over_that_of_the_fluid(woman):
    truth = render_mr(woman, SMALL, seed=1).truth
    signals = [truth.signal(level, "pedicle", side) for level in ("L1", "L2", "L3", "L4") for side in ("left", "right")]
    assert truth.pedicle_bone_quality() == pytest.approx(np.mean(signals) / truth.cerebrospinal_fluid)
    assert truth.to_frame().loc[0, "pbq"] == pytest.approx(truth.pedicle_bone_quality())


def test_fluid_is_dark_in_t1_and_bright_in_t2():
    for weighting, is_bright in (("T1", False), ("T2", True)):
        tissues = MrTissues(weighting)
        marrow = float(tissues.spongy(np.zeros(1, dtype=np.float32), 0.5)[0])
        assert (tissues.value("cerebrospinal_fluid") > marrow) == is_bright


def test_image_without_noise_shows_the_true_signal_in_the_bodies(woman):
    """Mean over the label of L3, 2 mm from its edge, against the truth of its core: 5 % for the coarse 4 mm slices."""
    scan = render_mr(woman, SMALL, seed=1)
    points = scan.bodies.points_mm(np.argwhere(scan.bodies.voxels == 22).astype(float))
    local = woman.vertebrae["L3"].frame.to_local(points)
    u, v, w = local.astype(np.float32).T
    deep = woman.vertebrae["L3"].body.distances(u, v, w)[0] < -6.0
    measured = scan.mr.voxels[scan.bodies.voxels == 22][deep].mean()
    assert measured == pytest.approx(scan.truth.signal("L3", "body_trabecular"), rel=0.05)


def test_slices_are_sagittal_from_right_to_left(woman):
    direction = render_mr(woman, replace(SMALL, slices=3), seed=1).mr.direction
    np.testing.assert_allclose(direction, [[0, 0, 1], [1, 0, 0], [0, -1, 0]])


def test_bias_field_dims_the_front_and_noise_is_rician(woman):
    plain, biased = (render_mr(woman, replace(SMALL, slices=3, bias_field=b), seed=1).mr.voxels for b in (0.0, 0.5))
    ratio = biased[1].astype(float)[plain[1] > 200] / plain[1][plain[1] > 200]
    columns = np.nonzero(plain[1] > 200)[1]
    assert ratio[columns < 70].mean() < ratio[columns > 130].mean() - 0.1
    noisy = render_mr(woman, replace(SMALL, slices=3, noise_sd=20.0), seed=1).mr.voxels
    air = noisy[1][:, -10:]
    assert air.mean() == pytest.approx(20.0 * np.sqrt(np.pi / 2.0), rel=0.05)


def test_the_mr_of_another_day_shows_the_vertebrae_where_its_own_truth_says():
    patient = build_patient(PatientParameters(posture=Posture(5.0, (3.0, 8.0, -15.0))), seed=2)
    scan = render_mr(patient, SMALL, seed=1)
    found = scan.bodies.points_mm(np.argwhere(scan.bodies.voxels == 22).astype(float)).mean(axis=0)
    assert np.linalg.norm(found - patient.vertebrae["L3"].frame.origin_mm) < 1.5
