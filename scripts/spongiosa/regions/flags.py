"""Flags of a vertebral body from its HU: metal, cement, sclerosis, bone island."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.config.regions import FlagSettings
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.inset import inset_mask
from spongiosa.volume import Volume

METAL, CEMENT, SCLEROSIS, BONE_ISLAND = "metal", "cement", "sclerosis", "bone_island"


def find_flags(volume: Volume, body: VertebralBody, settings: FlagSettings) -> tuple[str, ...]:
    """The flag of one body, if any; the first that applies, because metal outshines cement, and cement bone.

    Dense voxels are looked for below the cortex (`flags.depth_mm`, see `axis_margins_mm`), metal in the whole body.  A
    connected group of dense voxels is cement when it holds at least `cement_volume_mm3` above `cement_hu`; otherwise
    it is a bone island when it is compact and small, and sclerosis when it is larger than `island_volume_mm3`.
    """
    window = tuple(slice(low, high) for low, high in zip(body.lower, body.upper, strict=True))
    hu = np.asarray(volume.voxels[window])
    voxel_mm3 = volume.geometry.voxel_volume_mm3
    inside = body.mask
    if float((hu[inside] >= settings.metal_hu).sum()) * voxel_mm3 >= settings.metal_volume_mm3:
        return (METAL,)
    core = inset_mask(body, settings.depth_mm)
    if not core.any():
        return ()
    if _largest_volume_mm3(core & (hu >= settings.cement_hu), voxel_mm3) >= settings.cement_volume_mm3:
        return (CEMENT,)
    # Against the body's own spongy bone: 300 HU are dense in an old and plain in a young one.
    limit = max(settings.dense_hu, float(np.median(hu[core])) + settings.dense_above_median_hu)
    dense_mm3 = _largest_volume_mm3(core & (hu >= limit), voxel_mm3)
    if dense_mm3 < settings.dense_volume_mm3:
        return ()
    return (BONE_ISLAND,) if dense_mm3 < settings.island_volume_mm3 else (SCLEROSIS,)


def _largest_volume_mm3(mask: NDArray[np.bool_], voxel_mm3: float) -> float:
    """Volume of the largest connected group.  [mm3]"""
    parts, count = ndimage.label(mask)
    return float(np.bincount(parts.reshape(-1))[1:].max()) * voxel_mm3 if count else 0.0
