"""Where the outer face of a thin shell lies, from profiles whose blur and face are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from spongiosa.localise.local_box import SHELL_MM, outer_shift

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
