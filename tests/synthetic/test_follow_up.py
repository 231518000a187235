from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from spongiosa.synthetic.follow_up import after_surgery, another_day, motions
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct, render_reconstructions


def test_the_bone_before_surgery_is_found_again_by_the_true_motions(woman):
    """Away from the screws: points in the front of L2, which is not instrumented, and of L4 beside the midline."""
    later = build_patient(after_surgery(woman.parameters, ("L3", "L4"), posture=another_day(5)), woman.seed)
    for level, motion in motions(woman, later).items():
        if level not in ("L2", "L4"):
            continue
        start = woman.vertebrae[level].frame.to_lps(np.array([[0.0, 2.0, -8.0]]))
        points = start + np.random.default_rng(3).uniform(-2.0, 2.0, (50, 3))
        moved = points @ motion[:3, :3].T + motion[:3, 3]
        np.testing.assert_allclose(later.hu_at(moved), woman.hu_at(points), atol=0.5)


def test_vertebrae_move_against_each_other_by_more_than_the_table(woman):
    later = build_patient(after_surgery(woman.parameters, ("L4", "L5"), posture=another_day(6)), woman.seed)
    turns = [motion[:3, :3] for level, motion in motions(woman, later).items() if level.startswith("L")]
    relative = [np.degrees(np.arccos(np.clip((np.trace(a.T @ b) - 1) / 2, -1, 1))) for a, b in pairwise(turns)]
    assert min(relative) > 0.2
    assert len(later.screws) == 4


def test_two_kernels_of_one_acquisition_are_those_of_two_renderings(woman, reduced_scanner):
    limits = {"cranial_level": "L3", "caudal_level": "L3"}
    soft, bone = (reduced_scanner(kernel=k, noise_sd_hu=n, **limits) for k, n in (("soft", 10.0), ("bone", 40.0)))
    together = render_reconstructions(woman, [soft, bone], [7, 8])
    for scan, scanner, seed in zip(together, (soft, bone), (7, 8), strict=True):
        assert np.array_equal(scan.ct.voxels, render_ct(woman, scanner, seed).ct.voxels)


def test_reconstructions_of_different_acquisitions_are_refused(woman, reduced_scanner):
    with pytest.raises(ValueError, match="kernel"):
        render_reconstructions(woman, [reduced_scanner(), reduced_scanner(kvp=80.0)], [1, 2])
