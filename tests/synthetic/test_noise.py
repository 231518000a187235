from __future__ import annotations

import numpy as np
import pytest

from spongiosa.synthetic.noise import KERNELS, Reconstruction

SHAPE = (128, 128)


def reconstruction(kernel="standard", sd=20.0, overlap=0.0, seed=1, shape=SHAPE):
    return Reconstruction(kernel, shape, 0.8, sd, overlap, seed)


@pytest.mark.parametrize("kernel", sorted(KERNELS))
@pytest.mark.parametrize("shape", [(128, 128), (121, 97)])
def test_noise_has_the_set_standard_deviation(kernel, shape):
    """6 % on 12 slices: correlated pixels leave a few thousand independent ones per slice."""
    model = reconstruction(kernel, shape=shape)
    flat = np.zeros(shape, dtype=np.float32)
    assert np.std([model.slice(flat) for _ in range(12)]) == pytest.approx(20.0, rel=0.06)


def test_sharper_kernels_keep_an_edge_steeper_and_leave_flat_regions_alone():
    edge = np.zeros(SHAPE, dtype=np.float32)
    edge[:, 32:96] = 100.0
    slopes = {}
    for kernel in KERNELS:
        image = reconstruction(kernel, sd=0.0).slice(edge)
        slopes[kernel] = np.diff(image[64]).max()
        assert image[64, 64] == pytest.approx(100.0, abs=0.5)
    assert slopes["soft"] < slopes["standard"] < slopes["bone"]


def test_only_the_bone_kernel_overshoots_an_edge():
    edge = np.zeros(SHAPE, dtype=np.float32)
    edge[:, 32:96] = 100.0
    peaks = {kernel: reconstruction(kernel, sd=0.0).slice(edge).max() for kernel in KERNELS}
    assert peaks["bone"] > 105.0
    assert peaks["soft"] < 101.0


def test_noise_of_the_bone_kernel_is_finer():
    """Correlation of neighbouring pixels falls from soft to bone."""
    flat = np.zeros(SHAPE, dtype=np.float32)
    neighbours = {}
    for kernel in KERNELS:
        noise = reconstruction(kernel).slice(flat)
        neighbours[kernel] = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
    assert neighbours["bone"] < neighbours["standard"] < neighbours["soft"]


def test_overlapping_slices_share_noise_and_disjoint_ones_do_not():
    flat = np.zeros(SHAPE, dtype=np.float32)
    for overlap in (0.0, 0.5):
        model = reconstruction(overlap=overlap)
        first, second = model.slice(flat), model.slice(flat)
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] == pytest.approx(overlap, abs=0.08)


def test_equal_seeds_give_equal_noise():
    flat = np.zeros(SHAPE, dtype=np.float32)
    assert np.array_equal(reconstruction(seed=3).slice(flat), reconstruction(seed=3).slice(flat))
    assert not np.array_equal(reconstruction(seed=3).slice(flat), reconstruction(seed=4).slice(flat))
