"""Plates that face each other across a disc, fitted in thick slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.anatomy.frame import FloatArray
from spongiosa.localise.facing_plates import fit_facing_plates, with_facing_plates
from spongiosa.localise.surfaces import BodySurface, endplate_planes
from spongiosa.localise.walls import ANGLES, Ellipse
from spongiosa.volume import Geometry, Volume

MARROW_HU, DISC_HU, SHELL_HU, SHELL_MM = 120.0, 80.0, 500.0, 1.2
HALF_WIDTH_MM, HALF_DEPTH_MM = 22.0, 16.0
HEIGHT_MM, DISH_MM = 26.0, 2.0


def slab_pair(slice_mm: float, lower_plate_mm: float, upper_plate_mm: float, tilt: float) -> Volume:
    """Two columns of bone with thin shells, one on the other with a disc between, in slices that average 16 planes.

    `lower_plate_mm` is the mean height of the lower plate of the column above, `upper_plate_mm` that of the upper one
    below; both rise by `tilt` mm per mm towards the back and are dished by `DISH_MM` from rim to middle.
    """
    shape = (round(80.0 / slice_mm), 50, 60)
    geometry = Geometry(shape, (1.0, 1.0, slice_mm), (-29.5, -24.5, -40.0 + slice_mm / 2), np.eye(3))
    z = -40.0 + (np.arange(shape[0] * 16) + 0.5) * slice_mm / 16
    y = np.arange(shape[1]) - 24.5
    x = np.arange(shape[2]) - 29.5
    height = z[:, None, None] - tilt * y[None, :, None]
    rim = (x[None, None, :] / HALF_WIDTH_MM) ** 2 + (y[None, :, None] / HALF_DEPTH_MM) ** 2
    dish = DISH_MM * (0.5 - np.clip(rim, 0.0, 1.0))  # 0.5: the mean over an ellipse
    into_bone = np.maximum(height - lower_plate_mm - dish, upper_plate_mm - dish - height)
    fine = np.where(into_bone > SHELL_MM, MARROW_HU, np.where(into_bone > 0, SHELL_HU, DISC_HU))
    voxels = fine.reshape(shape[0], 16, *shape[1:]).mean(axis=1)
    voxels += np.random.default_rng(3).normal(0.0, 10.0, shape)
    return Volume(voxels.astype(np.int16), geometry)


def surface_about(middle_mm: float, error_mm: float, tilt: float = 0.0) -> BodySurface:
    """A body whose plates are `error_mm` too far out."""
    ticks = np.arange(-36.0, 37.0)
    angles = np.arange(ANGLES) * 2 * np.pi / ANGLES
    radius = 1.0 / np.hypot(np.cos(angles) / HALF_WIDTH_MM, np.sin(angles) / HALF_DEPTH_MM)
    heights = np.arange(-13.0, 14.0)
    rise: FloatArray = np.broadcast_to(tilt * ticks, (len(ticks), len(ticks)))
    return BodySurface(
        centre_mm=np.array([0.0, 0.0, middle_mm]),
        axes=np.eye(3),
        axis_mm=(0.0, 0.0),
        heights_mm=heights,
        radius_mm=np.repeat(radius[:, None], len(heights), axis=1),
        ticks_mm=ticks,
        top_mm=HEIGHT_MM / 2 + error_mm + rise,
        bottom_mm=-HEIGHT_MM / 2 - error_mm + rise,
        wall_fall_hu=200.0,
        plate_fall_hu=200.0,
        ellipse=Ellipse(0.0, 0.0, HALF_WIDTH_MM, HALF_DEPTH_MM),
    )


@pytest.mark.parametrize("start_error_mm", [1.5, -1.5])
def test_plates_are_found_to_a_fraction_of_a_slice_of_five_millimetres(start_error_mm: float) -> None:
    """The steepest fall between two voxels lies up to half a slice, 2.5 mm, from a plate; plates at 17 degrees to the
    slices, as at either end of the lordosis, pass through several.

    0.8 mm, half of the error at the start: the model's shell is thicker and its edge softer than those of the slabs.
    """
    lower, upper, tilt = 5.2, -3.8, 0.3
    scan = slab_pair(5.0, lower, upper, tilt)
    above = surface_about(lower + HEIGHT_MM / 2, start_error_mm, tilt)
    below = surface_about(upper - HEIGHT_MM / 2, start_error_mm, tilt)
    found_above, found_below = with_facing_plates(scan, above, below)
    planes = endplate_planes(found_above)[1], endplate_planes(found_below)[0]
    for plane, truth in zip(planes, (lower, upper), strict=True):
        assert plane.point_mm[2] == pytest.approx(truth, abs=0.8)
        angle = np.degrees(np.arctan2(-plane.normal[1], plane.normal[2]))
        # 4 degrees are less than half a slice from the front to the back of the body.
        assert angle == pytest.approx(np.degrees(np.arctan(tilt)), abs=4.0)


def test_a_disc_beyond_the_scan_leaves_the_plates_as_they_were() -> None:
    scan = slab_pair(5.0, 4.0, -4.0, 0.0)
    above, below = surface_about(90.0, 0.0), surface_about(64.0, 0.0)
    assert fit_facing_plates(scan, above, below) is None
    assert with_facing_plates(scan, above, below) == (above, below)


def test_only_the_plates_at_the_disc_are_replaced() -> None:
    scan = slab_pair(5.0, 4.0, -4.0, 0.0)
    above, below = surface_about(17.0, 1.0), surface_about(-17.0, 1.0)
    found_above, found_below = with_facing_plates(scan, above, below)
    assert replace(found_above, bottom_mm=above.bottom_mm) == above
    assert replace(found_below, top_mm=below.top_mm) == below
