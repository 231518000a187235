"""Frames of vertebrae: coordinates, heights, and the way to JSON and back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spongiosa.anatomy.frame import Plane, SpineDescription, Vertebra, VertebralFrame


@pytest.fixture
def frame() -> VertebralFrame:
    """A body of 28 mm height, tilted forwards by 20 degrees; its lower plate is tilted by 5 degrees more."""
    tilt, wedge = np.radians(20.0), np.radians(25.0)
    superior = np.array([0.0, -np.sin(tilt), np.cos(tilt)])
    posterior = np.array([0.0, np.cos(tilt), np.sin(tilt)])
    centre = np.array([5.0, -30.0, 210.0])
    lower = np.array([0.0, -np.sin(wedge), np.cos(wedge)])
    return VertebralFrame(
        centre,
        np.array([1.0, 0.0, 0.0]),
        posterior,
        superior,
        Plane(centre + 14.0 * superior, superior),
        Plane(centre - 14.0 * superior, lower),
    )


def test_local_coordinates_are_left_posterior_superior_of_the_body(frame):
    point = frame.centre_mm + 3.0 * frame.left - 7.0 * frame.posterior + 2.0 * frame.superior
    assert np.allclose(frame.to_local_mm(point), [3.0, -7.0, 2.0])
    assert np.allclose(frame.to_lps_mm(frame.to_local_mm(point)), point)


def test_the_axes_are_right_handed(frame):
    assert np.allclose(np.cross(frame.left, frame.posterior), frame.superior)
    assert np.linalg.det(frame.axes) == pytest.approx(1.0)


def test_the_height_is_that_between_the_plates_on_the_axis_whatever_their_tilt(frame):
    assert frame.height_mm == pytest.approx(28.0)


def test_distances_from_a_plane_are_positive_on_the_side_of_its_normal(frame):
    plane = frame.superior_endplate
    assert plane.signed_distance_mm(plane.point_mm + 4.0 * plane.normal) == pytest.approx(4.0)
    assert plane.signed_distance_mm(frame.centre_mm) == pytest.approx(-14.0)


def test_a_description_survives_its_file(frame, tmp_path):
    """1e-4 mm and 1e-5 of a unit vector: the digits that are written."""
    vertebrae = (Vertebra(22, "L3", frame, 0.9123, flags=("cement",)), Vertebra(26, "S1", None, 0.8, is_truncated=True))
    description = SpineDescription("embedded", 0.8, vertebrae, ("anchors_disagree",), {"canal_score": 0.7})
    sidecar = tmp_path / "spine.json"
    sidecar.write_text(json.dumps(description.to_json()), encoding="utf-8")
    again = SpineDescription.read(sidecar)
    assert again.vertebrae[1] == vertebrae[1]
    assert again.gates == description.gates and again.flags == description.flags
    assert again.vertebrae[0].flags == ("cement",)
    assert np.allclose(again.vertebrae[0].frame.centre_mm, frame.centre_mm, atol=1e-4)
    assert np.allclose(again.vertebrae[0].frame.axes, frame.axes, atol=1e-5)
    assert again.vertebrae[0].frame.height_mm == pytest.approx(frame.height_mm, abs=1e-3)
