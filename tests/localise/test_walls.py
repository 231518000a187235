"""The walls of a body in an image whose every surface is known: also beside the pedicles, where none is seen."""

from __future__ import annotations

import numpy as np
import pytest

from spongiosa.localise.local_box import LocalBox
from spongiosa.localise.walls import ANGLES, Ellipse, find_walls

HALF_WIDTH_MM, HALF_DEPTH_MM, HALF_HEIGHT_MM = 23.0, 16.0, 13.0


def box_with_pedicles(exponent: float, marrow_hu: float) -> LocalBox:
    """A body whose section is a super-ellipse, with a bright shell, and pedicles in its upper half."""
    left, back, up = np.meshgrid(np.arange(-40.0, 41.0), np.arange(-34.0, 35.0), np.arange(-23.0, 24.0), indexing="ij")
    angle = np.arctan2(back, left)
    radius = outline(angle, exponent)
    depth = radius - np.hypot(left, back)
    hu = np.where(np.abs(depth) < 1.0, 420.0, np.where(depth > 0, marrow_hu, 40.0))
    hu = np.where(np.abs(up) < HALF_HEIGHT_MM, hu, 60.0)
    pedicle = (np.abs(np.abs(left) - 14.0) < 5.0) & (back > 6.0) & (up > -1.0) & (up < 11.0) & (depth < 0)
    hu[pedicle] = 350.0
    return LocalBox(hu.astype(np.float32), np.array([-40.0, -34.0, -23.0]), np.array([1.0, 1.0, 1.0]))


def outline(angle: np.ndarray, exponent: float) -> np.ndarray:
    """Radius of the section by angle from the left over the back, mm."""
    inverse = np.abs(np.cos(angle) / HALF_WIDTH_MM) ** exponent + np.abs(np.sin(angle) / HALF_DEPTH_MM) ** exponent
    return np.asarray(inverse ** (-1.0 / exponent))


@pytest.mark.parametrize("marrow_hu", [10.0, 180.0])
@pytest.mark.parametrize("exponent", [2.0, 2.8])
def test_walls_follow_a_round_and_a_square_section(exponent, marrow_hu):
    """0.7 mm in the mean: the image has voxels of 1 mm and edges of no blur; 1.5 mm where nothing is seen behind the
    pedicles, in the upper half.
    """
    walls = find_walls(box_with_pedicles(exponent, marrow_hu), HALF_HEIGHT_MM, -HALF_HEIGHT_MM)
    angles = np.arange(ANGLES) * 2 * np.pi / ANGLES
    x = walls.axis_mm[0] + walls.radius_mm * np.cos(angles)[:, None]
    y = walls.axis_mm[1] + walls.radius_mm * np.sin(angles)[:, None]
    # The inner edge of the shell lies 1 mm inside of the outline and its outer face 1 mm outside.
    error = np.hypot(x, y) - outline(np.arctan2(y, x), exponent) - 1.0
    inner = np.abs(walls.heights_mm) < 0.7 * HALF_HEIGHT_MM
    behind = np.degrees(np.abs(np.arctan2(x, y)))
    seen = inner[None, :] & (behind > 90.0)
    corner = inner[None, :] & (behind > 25.0) & (behind < 60.0)
    assert np.abs(error[seen]).mean() < 0.7
    assert np.abs(error[corner & (walls.heights_mm < 0.0)[None, :]]).mean() < 1.0
    assert np.abs(error[corner]).mean() < 1.5


def test_a_section_that_is_clearly_seen_is_taken_against_a_wrong_expectation():
    """The expected section is 6 mm too narrow and 5 mm beside; the image is in no doubt."""
    wrong = Ellipse(5.0, 0.0, HALF_WIDTH_MM - 6.0, HALF_DEPTH_MM)
    walls = find_walls(box_with_pedicles(2.4, 120.0), HALF_HEIGHT_MM, -HALF_HEIGHT_MM, wrong)
    width = (walls.radius_mm[0] + walls.radius_mm[ANGLES // 2]).mean()
    # A voxel on either side, and the shell's outer face a millimetre outside of the outline.
    assert width == pytest.approx(2 * (HALF_WIDTH_MM + 1.0), abs=2.0)
