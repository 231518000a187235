"""Flags of a body from its HU, and what they exclude."""

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.config.regions import FlagSettings
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.flags import find_flags
from spongiosa.volume import Volume


def with_ball(phantom, radius_mm: float, hu: float) -> Volume:
    """The scan with a ball of this HU in the middle of the body."""
    grid = phantom.ct.geometry
    points = grid.points_mm(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1))
    voxels = phantom.ct.voxels.copy()
    voxels[np.linalg.norm(points - phantom.spine.vertebrae[0].frame.centre_mm, axis=-1) <= radius_mm] = hu
    return Volume(voxels, grid)


@pytest.mark.parametrize(
    ("radius_mm", "hu", "flags"),
    [
        (0.0, 0.0, ()),
        (3.5, 600.0, ("bone_island",)),  # 180 mm3
        (8.0, 450.0, ("sclerosis",)),  # 2100 mm3
        (8.0, 1400.0, ("cement",)),
        (3.0, 3071.0, ("metal",)),
        (1.5, 600.0, ()),  # 14 mm3: a thick trabecula
    ],
)
def test_what_is_denser_than_spongy_bone_is_named_by_its_density_and_size(upright_l3, radius_mm, hu, flags):
    ct = with_ball(upright_l3, radius_mm, hu)
    body = VertebralBody.of_label(upright_l3.bodies, 22, upright_l3.spine.vertebrae[0].frame)
    assert find_flags(ct, body, FlagSettings()) == flags


def test_the_cortex_raises_no_flag_even_when_it_is_blurred_over_two_voxels(upright_l3):
    body = VertebralBody.of_label(upright_l3.bodies, 22, upright_l3.spine.vertebrae[0].frame)
    denser = replace(upright_l3, ct=Volume(upright_l3.ct.voxels * 1.5, upright_l3.ct.geometry))
    assert find_flags(denser.ct, body, FlagSettings()) == ()
