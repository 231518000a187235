"""Where the outer face of a thin shell lies, from profiles whose blur and face are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from spongiosa.localise.local_box import SHELL_MM, outer_shift, without_implants

OFFSETS_MM = np.arange(-6.0, 4.01, 0.5)
SOFT_HU, CORTEX_HU = 40.0, 1100.0
#: Faces of many directions: about the place where the wall was matched, as far off as the matching is coarse.
FACES_MM = np.linspace(-1.0, 0.5, 31)


def profiles(marrow_hu: float, shell_mm: float, blur_sd_mm: float) -> np.ndarray:
    """HU along the way out through marrow, a shell of compact bone and soft tissue, blurred by a Gaussian."""
    inner = ndtr((FACES_MM[:, None] - shell_mm - OFFSETS_MM) / blur_sd_mm)
    outer = ndtr((FACES_MM[:, None] - OFFSETS_MM) / blur_sd_mm)
    return SOFT_HU + (marrow_hu - SOFT_HU) * inner + (CORTEX_HU - SOFT_HU) * (outer - inner)


@pytest.mark.parametrize("marrow_hu", [0.0, 120.0, 250.0])
@pytest.mark.parametrize(("voxel_mm", "blur_sd_mm"), [(0.8, 0.8), (1.5, 1.0), (3.0, 1.3)])
@pytest.mark.parametrize("shell_mm", [0.5, 0.8, 1.2])
def test_the_outer_face_of_a_thin_shell_is_found_whatever_blur_and_marrow(marrow_hu, voxel_mm, blur_sd_mm, shell_mm):
    """A shell thinner than the blur hides its thickness: half of its difference to the typical one, 0.2 mm, is the
    error of the model; 0.15 mm more is the step at which faces are tried.
    """
    found = outer_shift(profiles(marrow_hu, shell_mm, blur_sd_mm), OFFSETS_MM, voxel_mm)
    allowed = abs(shell_mm - SHELL_MM) / 2 + 0.15
    assert abs(float(np.mean(found - FACES_MM))) < allowed


@pytest.mark.parametrize("blur_sd_mm", [0.8, 1.3])
def test_an_edge_without_a_shell_is_where_hu_fall_most(blur_sd_mm):
    """A step looks like a low shell under a smaller blur as well: up to half of the shell's thickness."""
    step = 40.0 + 160.0 * ndtr((FACES_MM[:, None] - OFFSETS_MM) / blur_sd_mm)
    found = outer_shift(step, OFFSETS_MM, 1.5)
    assert float(np.abs(np.mean(found - FACES_MM))) < SHELL_MM / 2


def test_the_face_lies_inside_of_the_steepest_fall_of_a_blurred_shell():
    """What a constant shift cannot do: the more the blur, the farther out HU fall most."""
    offsets = []
    for blur_sd_mm, voxel_mm in ((0.8, 0.8), (1.5, 3.5)):
        rows = profiles(60.0, 0.6, blur_sd_mm)
        fall = OFFSETS_MM[np.argmax(-np.gradient(rows, OFFSETS_MM, axis=1), axis=1)]
        offsets.append(float(np.mean(fall - outer_shift(rows, OFFSETS_MM, voxel_mm))))
    assert 0.0 < offsets[0] < offsets[1]


def body(shell_hu: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Marrow of 90 HU within a shell of 2 mm and a radius of 18 mm, in muscle of 55 HU."""
    ticks = [np.arange(-25.0, 26.0), np.arange(-25.0, 26.0), np.arange(-15.0, 16.0)]
    radius = np.hypot(ticks[0][:, None], ticks[1][None, :])
    section = np.where(radius < 16.0, 90.0, np.where(radius < 18.0, shell_hu, 55.0))
    return np.repeat(section[:, :, None], len(ticks[2]), axis=2).astype(np.float32), ticks


def test_cement_within_a_body_becomes_marrow():
    hu, ticks = body(shell_hu=400.0)
    with_cement = hu.copy()
    with_cement[22:32, 14:24, 10:20] = 2200.0
    assert (without_implants(with_cement, ticks) == hu).all()


def test_a_dense_shell_is_no_implant():
    hu, ticks = body(shell_hu=1300.0)
    assert without_implants(hu, ticks) is hu
