"""The whole trabecular body."""

import numpy as np
import pytest

from spongiosa.config.regions import RegionsSettings, TrabecularSettings
from spongiosa.outcome import Reason
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.inset import axis_margins_mm
from spongiosa.regions.site import Site
from spongiosa.regions.volumes import place_body_trabecular

from .vertebral_phantom import CORE_HU, HALF_DEPTH_MM, HALF_HEIGHT_MM, HALF_WIDTH_MM, make_phantom


def place(phantom, margin_mm=5.0):
    frame = phantom.spine.vertebrae[0].frame
    body = VertebralBody.of_label(phantom.bodies, phantom.spine.vertebrae[0].label, frame)
    settings = RegionsSettings(trabecular=TrabecularSettings(margin_mm=margin_mm))
    (region,) = place_body_trabecular(Site("L3", body, None, settings))
    return region


def mean_hu(phantom, weights) -> float:
    return float(np.average(phantom.ct.voxels.reshape(-1)[weights.indices], weights=weights.weights))


def extent_mm(phantom, weights):
    grid = phantom.ct.geometry
    points = grid.points_mm(np.stack(np.unravel_index(weights.indices, grid.shape), axis=-1))
    return points.max(axis=0) - points.min(axis=0)


@pytest.mark.parametrize("tilt_deg", [0.0, 25.0])
@pytest.mark.parametrize(
    "spacing_mm", [(0.6, 0.6, 0.6), (0.8, 0.8, 1.0), (0.7, 0.7, 3.0), (0.8, 0.8, 5.0), (3.0, 3.0, 3.0), (4.0, 0.8, 0.8)]
)
def test_volume_mean_is_not_raised_by_the_cortical_shell(spacing_mm, tilt_deg):
    """A shell 600 HU above its core raises the mean by at most 0.5 HU: a thousandth of it."""
    phantom = make_phantom(spacing_mm, tilt_deg)
    assert mean_hu(phantom, place(phantom).weights) == pytest.approx(CORE_HU, abs=0.5)


def test_the_inset_is_five_millimetres_from_every_surface_on_a_fine_grid(upright_l3):
    """2.1 mm: a voxel of 1 mm at either end; the surface goes through voxel centres, so the label map is half short."""
    size = extent_mm(upright_l3, place(upright_l3).weights)
    expected = 2 * (np.array([HALF_WIDTH_MM, HALF_DEPTH_MM, HALF_HEIGHT_MM]) - 5.0)
    assert size == pytest.approx(expected, abs=2.1)


def test_the_inset_is_one_and_a_half_voxels_along_a_coarse_axis_and_five_millimetres_along_the_others():
    grid = make_phantom((0.8, 0.8, 4.0)).ct.geometry
    assert axis_margins_mm(grid, 5.0) == (5.0, 5.0, 6.0)
    assert axis_margins_mm(grid, 9.0) == (9.0, 9.0, 9.0)


def test_a_smaller_inset_reads_the_cortex_and_the_quality_figures_show_it():
    """At pixels of 5 mm the outermost column of a label map counts as 5 mm deep: the 4 mm inset reads it and its shell,
    the 6 mm inset does not."""
    phantom = make_phantom((5.0, 5.0, 1.0))
    region = place(phantom)
    assert mean_hu(phantom, region.insets["inset_4mm"]) > CORE_HU + 2.0
    assert mean_hu(phantom, region.insets["inset_6mm"]) == pytest.approx(CORE_HU, abs=0.5)


def test_a_voxel_whose_centre_lies_beside_the_inset_does_not_count():
    """A dense layer 2 mm below the endplates, as under a crushed one: on 3 mm slices nothing of it is read."""
    phantom = make_phantom((0.8, 0.8, 3.0), shift_mm=0.7)
    region = place(phantom)
    grid = phantom.ct.geometry
    points = grid.points_mm(np.stack(np.unravel_index(region.weights.indices, grid.shape), axis=-1))
    # The label map leaves the surface open by half a slice; the inset is 5 mm.
    assert np.abs(points[:, 2]).max() <= HALF_HEIGHT_MM - 5.0 + 1.5
    assert region.weights.weights.min() >= 0.15  # a corner of the inset, a little beyond a voxel's centre


def test_weights_give_the_volume_of_the_inset_body(upright_l3):
    """6 %: the volume falls by 6 % when the inset grows by a quarter of a millimetre, a third of a voxel.

    The flat ends pass through the centres of voxels that are not marked, so that the label map is a voxel too short.
    """
    region = place(upright_l3)
    expected = np.pi * (HALF_WIDTH_MM - 5) * (HALF_DEPTH_MM - 5) * (2 * (HALF_HEIGHT_MM - 5) - 1.0)
    volume_mm3 = region.weights.effective_voxels * upright_l3.ct.geometry.voxel_volume_mm3
    assert volume_mm3 == pytest.approx(expected, rel=0.06)


def test_a_body_that_the_inset_consumes_gives_a_reason():
    region = place(make_phantom((0.8, 0.8, 8.0)))
    assert region.reason == Reason.REGION_TOO_SMALL
