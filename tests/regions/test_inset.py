"""The inset: measured from the surfaces that the image shows, whatever the slices of the label map."""

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.regions.body import EndplateSurfaces, VertebralBody, bounding_boxes
from spongiosa.regions.inset import Inset, axis_margins_mm, inset_mask
from spongiosa.volume import Geometry, Volume

from .vertebral_phantom import HALF_HEIGHT_MM, make_phantom


class KnownEndplates:
    """Flat endplates at known heights in any frame."""

    def __init__(self, superior_mm: float, inferior_mm: float) -> None:
        self.superior_mm, self.inferior_mm = superior_mm, inferior_mm

    def in_place_of(self, surfaces: EndplateSurfaces, frame) -> EndplateSurfaces:
        over_body = np.isfinite(surfaces.superior_mm)
        superior, inferior = (np.where(over_body, height, np.nan) for height in (self.superior_mm, self.inferior_mm))
        return replace(surfaces, superior_mm=superior, inferior_mm=inferior)


def body_of(phantom, endplates=None) -> VertebralBody:
    vertebra = phantom.spine.vertebrae[0]
    body = VertebralBody.of_label(phantom.bodies, vertebra.label, vertebra.frame)
    return body if endplates is None else body.refined(vertebra.frame, endplates)


def depth_on_axis_mm(inset: Inset, height_mm: float) -> float:
    return float(inset.depth_mm(inset.body.frame.to_lps_mm(np.array([[0.0, 0.0, height_mm]])))[0])


@pytest.mark.parametrize("shift_mm", [0.0, 0.7, 1.4])
def test_an_inset_keeps_its_distance_from_the_endplate_wherever_the_slices_lie(shift_mm):
    """0.1 mm on slices of 3 mm whose label map misses the endplates by up to half a slice: depth is interpolated
    between voxels, and the surface is known."""
    phantom = make_phantom((0.8, 0.8, 3.0), shift_mm=shift_mm)
    body = body_of(phantom, KnownEndplates(HALF_HEIGHT_MM, -HALF_HEIGHT_MM))
    inset = Inset.of(body, axis_margins_mm(body.grid, 5.0))
    for sign in (1.0, -1.0):
        assert depth_on_axis_mm(inset, sign * (HALF_HEIGHT_MM - 5.0 - 1.0)) == pytest.approx(1.0, abs=0.1)


def test_margins_in_the_same_ratio_share_one_look_at_the_body(upright_l3):
    """And each has its own depth: at an inset of 4 mm a point lies 2 mm deeper than at one of 6."""
    body = body_of(upright_l3, KnownEndplates(HALF_HEIGHT_MM, -HALF_HEIGHT_MM))
    shallow, deep = (Inset.of(body, (mm, mm, mm)) for mm in (4.0, 6.0))
    assert shallow.field is deep.field
    assert depth_on_axis_mm(shallow, 9.0) - depth_on_axis_mm(deep, 9.0) == pytest.approx(2.0)


def test_below_a_tilted_endplate_the_margin_is_that_of_the_direction_across_it():
    """On slices of 5 mm the inset reaches 7.5 mm along z and 5 mm across: 20 degrees of tilt reduce the former.

    0.4 mm: the endplates are those of a label map with steps of 5 mm, smoothed.
    """
    phantom = make_phantom((0.8, 0.8, 5.0), tilt_deg=20.0)
    body = body_of(phantom, KnownEndplates(HALF_HEIGHT_MM, -HALF_HEIGHT_MM))
    inset = Inset.of(body, axis_margins_mm(body.grid, 5.0))
    reach_mm = np.hypot(7.5 * np.cos(np.deg2rad(20.0)), 5.0 * np.sin(np.deg2rad(20.0)))
    heights = np.arange(0.0, HALF_HEIGHT_MM, 0.05)
    edge = heights[np.argmax([depth_on_axis_mm(inset, height) < 0 for height in heights])]
    assert HALF_HEIGHT_MM - edge == pytest.approx(reach_mm, abs=0.4)


def test_the_mask_of_an_inset_holds_the_voxels_whose_centres_lie_inside(upright_l3):
    body = body_of(upright_l3)
    inset = Inset.of(body, axis_margins_mm(body.grid, 5.0))
    mask = inset_mask(body, 5.0)
    centres = body.grid.points_mm(np.argwhere(mask) + np.asarray(body.lower))
    assert mask.sum() > 1000
    assert inset.depth_mm(centres).min() >= -1e-3  # float32
    assert (inset.voxels() == np.argwhere(mask) + np.asarray(body.lower)).all()


def test_boxes_of_labels_are_those_of_their_voxels():
    voxels = np.zeros((9, 8, 7), np.uint8)
    voxels[2:5, 3:4, 1:6] = 21
    voxels[6, 5, 6] = 23
    geometry = Geometry(voxels.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    assert bounding_boxes(Volume(voxels, geometry)) == {
        21: (slice(2, 5), slice(3, 4), slice(1, 6)),
        23: (slice(6, 7), slice(5, 6), slice(6, 7)),
    }
    assert bounding_boxes(Volume(np.zeros_like(voxels), geometry)) == {}
