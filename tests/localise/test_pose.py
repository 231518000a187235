"""How a patient lies: lean and turn measured, undone, and a scan the wrong way round refused."""

from __future__ import annotations

import numpy as np
import pytest

from spongiosa.anatomy.frame import Plane, SpineDescription, Vertebra, VertebralFrame
from spongiosa.localise.canal import CanalTrack
from spongiosa.localise.pose import (
    axial_turn_deg,
    description_turned,
    rotation_about,
    spine_line,
    straightening_turn,
    turned,
)
from spongiosa.volume import Geometry, Volume

HEIGHTS_MM = np.arange(0.0, 300.0, 2.0)


def track_along(beside_mm: np.ndarray) -> CanalTrack:
    """A track from caudal to cranial whose points lie beside the middle by the given distances."""
    points = np.column_stack([beside_mm, np.zeros_like(beside_mm), HEIGHTS_MM])
    return CanalTrack(points, np.full(len(points), 0.8))


def test_the_lean_of_a_straight_spine_is_that_of_its_track():
    line, followed = spine_line(track_along(np.tan(np.radians(12.0)) * HEIGHTS_MM))
    assert line.lean_deg == pytest.approx(12.0, abs=0.01)
    assert len(followed.scores) == len(HEIGHTS_MM)


def test_a_track_that_leaves_for_a_hip_is_followed_only_to_where_it_leaves():
    beside = np.where(HEIGHTS_MM < 90.0, 50.0, 0.0)
    line, followed = spine_line(track_along(beside))
    assert line.lean_deg == pytest.approx(0.0, abs=0.5)
    assert followed.points_mm[0, 2] == pytest.approx(90.0, abs=4.0)
    assert followed.points_mm[-1, 2] == HEIGHTS_MM[-1]


def test_a_scoliosis_does_not_leave_its_line():
    """18 mm is the bow of a curve of 40 degrees over five vertebrae."""
    beside = 18.0 * np.sin(np.pi * HEIGHTS_MM / 180.0) ** 2 * (HEIGHTS_MM < 180.0)
    _, followed = spine_line(track_along(beside))
    assert len(followed.scores) == len(HEIGHTS_MM)


def symmetric_block(turn_deg: float) -> Volume:
    """A body in front and two facets behind a canal, turned about it."""
    geometry = Geometry((60, 80, 80), (2.0, 2.0, 2.0), (-80.0, -80.0, 0.0), np.eye(3))
    points = geometry.points_mm(np.stack(np.meshgrid(*(np.arange(n) for n in geometry.shape), indexing="ij"), axis=-1))
    local = points @ rotation_about(2, turn_deg)
    body = (local[..., 0] / 24.0) ** 2 + ((local[..., 1] + 26.0) / 16.0) ** 2 < 1.0
    facets = (np.hypot(np.abs(local[..., 0]) - 18.0, local[..., 1] - 14.0) < 7.0) | (np.abs(local[..., 0]) < 3.0) & (
        local[..., 1] > 14.0
    )
    hu = np.where(body | facets, 300, 40).astype(np.float32)
    return Volume(hu, geometry)


@pytest.mark.parametrize("turn", [-18.0, 0.0, 11.0])
def test_the_turn_about_the_canal_is_where_both_sides_mirror_each_other(turn):
    """1.5 degrees: half of the step of 3 degrees between the turns that are compared."""
    track = CanalTrack(np.column_stack([np.zeros(50), np.zeros(50), np.arange(10.0, 110.0, 2.0)]), np.ones(50))
    assert axial_turn_deg(symmetric_block(turn), track) == pytest.approx(turn, abs=1.5)


def test_a_leaning_patient_is_laid_straight_and_the_result_turned_back():
    track = track_along(np.tan(np.radians(-14.0)) * HEIGHTS_MM)
    line, _ = spine_line(track)
    rotation = straightening_turn(symmetric_block(0.0), CanalTrack(track.points_mm[:3], np.zeros(3)), line)
    assert rotation is not None
    straight = track.points_mm @ rotation.T
    assert np.ptp(straight[:, 0]) < 0.1
    axis = np.array([0.0, 0.0, 1.0])
    centre = np.array([4.0, 5.0, 6.0])
    frame = VertebralFrame(
        centre, np.eye(3)[0], np.eye(3)[1], axis, Plane(centre + axis, axis), Plane(centre - axis, axis)
    )
    description = SpineDescription("embedded", 0.9, (Vertebra(22, "L3", frame, 0.9), Vertebra(26, "S1", None, 0.9)))
    back = description_turned(description_turned(description, rotation), rotation.T)
    assert np.allclose(back.vertebrae[0].frame.centre_mm, centre)
    assert np.allclose(back.vertebrae[0].frame.superior_endplate.normal, axis)
    assert back.vertebrae[1].frame is None


def test_a_turned_volume_has_its_voxels_where_the_rotation_puts_them():
    volume = symmetric_block(0.0)
    rotation = rotation_about(0, 15.0)
    index = np.array([3, 40, 7])
    moved = turned(volume, rotation).geometry.points_mm(index)
    assert np.allclose(moved, rotation @ volume.geometry.points_mm(index))
