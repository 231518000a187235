"""Whether a scan shows a head: slices that are mostly the inside of a closed bony shell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.volume import Volume

BONE_HU, SKIN_HU = 200.0, -300.0
#: Share of the body's section that bone encloses in the calvaria; a pelvis or rib cage encloses none in one slice.
ENCLOSED_SHARE = 0.45


def skull_slices(working: Volume) -> NDArray[np.bool_]:
    """For every axial slice of the working copy, whether it cuts a skull."""
    result = np.zeros(len(working.voxels), dtype=bool)
    for number, hu in enumerate(working.voxels):
        body = hu > SKIN_HU
        if body.sum() * working.geometry.spacing_mm[0] ** 2 < 2500.0:
            continue
        bone = ndimage.binary_closing(hu > BONE_HU, iterations=2)
        enclosed = ndimage.binary_fill_holes(bone) & ~bone
        inside = ndimage.binary_fill_holes(body)
        soft = enclosed & (hu > -50.0)
        result[number] = soft.sum() > ENCLOSED_SHARE * inside.sum()
    return result
