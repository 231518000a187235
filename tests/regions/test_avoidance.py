"""What a region leaves out: findings that a reader would not draw into it, and nothing of plain bone."""

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.config.regions import AvoidanceSettings, RegionsSettings, VariantSettings
from spongiosa.density.histogram import weighted_mean
from spongiosa.regions.catalogue import place_regions
from spongiosa.regions.region import RegionSet
from spongiosa.volume import Volume

from .vertebral_phantom import CORE_HU, Phantom

AVOIDING = RegionsSettings(
    levels=("L3",),
    measured=("body_trabecular", "body_whole"),
    variants={
        "avoiding": VariantSettings(
            measured=("body_trabecular", "body_whole"), avoidance=AvoidanceSettings(method="hu_gradient")
        )
    },
)


def noisy(phantom: Phantom, change_hu: float, radius_mm: float = 5.0) -> Phantom:
    """The body with a ball of other HU in its middle, and 25 HU of noise."""
    grid = phantom.ct.geometry
    indices = np.stack(np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij"), axis=-1)
    centre = phantom.spine.vertebrae[0].frame.centre_mm
    ball = np.linalg.norm(grid.points_mm(indices) - centre, axis=-1) <= radius_mm
    noise = np.random.default_rng(4).normal(0.0, 25.0, grid.shape)
    return replace(phantom, ct=Volume((phantom.ct.voxels + noise + change_hu * ball).astype(np.float32), grid))


def place(phantom: Phantom) -> RegionSet:
    return place_regions(phantom.ct, phantom.bodies, phantom.bodies, phantom.spine, AVOIDING)


def mean(phantom: Phantom, regions: RegionSet, variant: str) -> float:
    weights = regions.find("L3", "body_trabecular", variant=variant).weights
    return weighted_mean(phantom.ct.voxels.reshape(-1)[weights.indices], weights.weights)


@pytest.mark.parametrize("change_hu", [400.0, -110.0], ids=["bone island", "vein"])
def test_a_ball_unlike_the_rest_is_left_out_and_its_share_is_told(upright_l3, change_hu):
    """2 HU: noise of 25 HU over 7,000 voxels gives 0.3 HU; the ball's blurred border stays in part."""
    phantom = noisy(upright_l3, change_hu)
    regions = place(phantom)
    ball_share = (
        4
        / 3
        * np.pi
        * 5.0**3
        / (regions.find("L3", "body_trabecular").weights.effective_voxels * phantom.ct.geometry.voxel_volume_mm3)
    )
    assert abs(mean(phantom, regions, "default") - CORE_HU) > 0.5 * abs(change_hu) * ball_share
    assert mean(phantom, regions, "avoiding") == pytest.approx(CORE_HU, abs=2.0)
    share = regions.find("L3", "body_trabecular", variant="avoiding").rejected_fraction
    assert 0.6 * ball_share < share < 2.5 * ball_share


def test_plain_bone_with_noise_is_left_as_it_is(upright_l3):
    phantom = noisy(upright_l3, 0.0)
    regions = place(phantom)
    assert regions.find("L3", "body_trabecular", variant="avoiding").rejected_fraction == 0.0
    assert mean(phantom, regions, "avoiding") == mean(phantom, regions, "default")


def test_without_avoidance_no_share_is_told(upright_l3):
    assert place(upright_l3).find("L3", "body_trabecular").rejected_fraction is None


def test_the_whole_body_leaves_nothing_out(upright_l3):
    region = place(noisy(upright_l3, 400.0)).find("L3", "body_whole", variant="avoiding")
    assert region.rejected_fraction is None
    assert region.weights.effective_voxels == (upright_l3.bodies.voxels > 0).sum()


def test_the_share_survives_its_file(upright_l3, tmp_path):
    regions = place(noisy(upright_l3, 400.0))
    regions.write(tmp_path / "weights.npz")
    key = ("L3", "body_trabecular", "none", "avoiding")
    assert RegionSet.read(tmp_path / "weights.npz").find(*key).rejected_fraction == regions.find(*key).rejected_fraction
