from __future__ import annotations

import numpy as np
import pytest

from spongiosa.synthetic.patient import AIR_HU
from spongiosa.synthetic.sampling import Grid, GridCanvas, PointCanvas
from spongiosa.synthetic.tissue import Tissues


def rendered(patient, origin, steps, shape, thickness_mm):
    canvas = GridCanvas(Grid(origin, steps, shape, thickness_mm), AIR_HU)
    patient.paint(canvas, Tissues(120.0))
    return canvas.values


def test_thick_voxels_hold_the_mean_of_the_continuous_field_over_their_box(woman):
    """Partial volume of 1.2 x 1.2 x 5 mm voxels through body, cortex, canal and muscle of L2.

    The box means come from 5 x 5 x 14 points of the field. The coverage of a voxel by a surface is linear in the
    distance, which is exact for surfaces along the axes; over oblique compact bone single voxels err by tens of HU,
    so the median error (2 HU of texture) and the bias (2 HU) are what must be small.
    """
    steps = np.diag([1.2, 1.2, 5.0])
    origin = woman.vertebrae["L2"].frame.origin_mm + np.array([-28.0, -24.0, 2.0])
    shape = (1, 56, 46)
    values = rendered(woman, origin, steps, shape, 5.0)[0].ravel()
    y, x = (g.ravel() for g in np.indices(shape[1:]))
    centres = origin + np.stack([x, y, np.zeros_like(x)], axis=1) @ steps.T
    offsets = [(np.arange(n) + 0.5) / n - 0.5 for n in (5, 5, 14)]
    inner = np.stack(np.meshgrid(*offsets, indexing="ij"), axis=-1).reshape(-1, 3) @ steps.T
    field = woman.hu_at((centres[:, None] + inner[None]).reshape(-1, 3))
    expected = field.reshape(len(centres), -1).mean(axis=1)
    assert np.median(np.abs(values - expected)) < 2.0
    assert abs((values - expected).mean()) < 2.0
    assert np.percentile(np.abs(values - expected), 95) < 60.0


def test_a_grid_of_any_orientation_shows_the_same_field(woman):
    """Sagittal, flipped and tilted voxels of 1 mm read deep in the core of L3 what the points read there, within the
    texture that a voxel averages away (SD 25 HU over 27 voxels)."""
    centre = woman.vertebrae["L3"].frame.origin_mm
    tilt = np.radians(20.0)
    orientations = [
        np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]]),
        np.diag([-1.0, 1.0, -1.0]),
        np.array([[1.0, 0, 0], [0, np.cos(tilt), 0], [0, np.sin(tilt), 1]]),
    ]
    for steps in orientations:
        values = rendered(woman, centre - steps @ np.ones(3), steps, (3, 3, 3), 1.0)
        z, y, x = np.indices((3, 3, 3))
        points = centre - steps @ np.ones(3) + np.stack([x, y, z], axis=-1).reshape(-1, 3) @ steps.T
        assert values.mean() == pytest.approx(woman.hu_at(points).mean(), abs=12.0)


def test_points_outside_every_structure_are_air(woman):
    canvas = PointCanvas(np.array([[0.0, 400.0, 0.0], [0.0, 0.0, 2000.0]]), AIR_HU)
    woman.paint(canvas, Tissues(120.0))
    assert canvas.values.tolist() == [AIR_HU, AIR_HU]


def test_no_hole_opens_on_the_axis_of_a_solid(woman):
    """The middle of the trunk lies in fat or an organ, never at a surface, whatever the direction."""
    middle = woman.trunk.back_mm - float(woman.trunk.half_axes(np.array(0.0))[1])
    points = np.array([[0.0, middle, z] for z in (-20.0, 0.0, 20.0)])
    assert (woman.trunk.depth(*points.astype(np.float32).T) < -60.0).all()
