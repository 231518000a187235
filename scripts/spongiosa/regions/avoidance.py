"""What regions of the body leave out: the basivertebral vein, sclerosis, bone islands and ingrown spurs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.config.regions import AvoidanceSettings
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.inset import inset_mask
from spongiosa.regions.region import Region
from spongiosa.volume import Volume

#: The median of the spongy bone is taken so far below the surface of the body.  [mm]
CORE_DEPTH_MM = 4.0

#: Regions that leave nothing out: what they meet is what is asked for.
UNTOUCHED = ("body_whole", "pedicle", "trajectory", "trajectory_rectangle")


def rejected_voxels(volume: Volume, body: VertebralBody, settings: AvoidanceSettings) -> NDArray[np.int64]:
    """Flat indices on the scan's grid of the voxels that are left out, sorted; none for the method `none`.

    The HU are smoothed within the body's mask first: a limit on single voxels would cut off the noise on one side and
    bias the mean.  Connected groups beyond the limits are left out when they are large enough, and around them what
    changes steeply.
    """
    if settings.method == "none":
        return np.empty(0, np.int64)
    spacing_zyx = np.asarray(volume.geometry.spacing_mm)[::-1]
    window = tuple(slice(low, high) for low, high in zip(body.lower, body.upper, strict=True))
    mask = body.mask
    core = inset_mask(body, CORE_DEPTH_MM)
    if not core.any():
        return np.empty(0, np.int64)
    smooth = _smoothed(np.asarray(volume.voxels[window], dtype=np.float64), mask, settings.smoothing_mm / spacing_zyx)
    median = float(np.median(smooth[core]))
    unlike = core & ((smooth > median + settings.dense_hu) | (smooth < median - settings.dark_hu))
    parts, count = ndimage.label(unlike)
    sizes_mm3 = np.bincount(parts.reshape(-1), minlength=count + 1) * volume.geometry.voxel_volume_mm3
    is_large = sizes_mm3 >= settings.smallest_volume_mm3
    is_large[0] = False
    rejected = is_large[parts]
    if rejected.any():
        slopes = np.gradient(smooth, *(float(step) for step in spacing_zyx))
        is_steep = np.sqrt(sum(slope**2 for slope in slopes)) > settings.gradient_hu_mm
        near = ndimage.distance_transform_edt(~rejected, sampling=spacing_zyx) <= settings.smoothing_mm
        rejected |= core & near & is_steep
    voxels = np.argwhere(rejected) + np.asarray(body.lower)
    return np.asarray(np.ravel_multi_index(tuple(voxels.T), volume.geometry.shape), dtype=np.int64)


def avoiding(region: Region, rejected: NDArray[np.int64]) -> Region:
    """A region of the body without the rejected voxels, with the share of it that they were."""
    if region.weights is None or region.name in UNTOUCHED:
        return region
    kept = _without(region.weights, rejected)
    share = 1.0 - kept.effective_voxels / region.weights.effective_voxels
    insets = {name: _without(weights, rejected) for name, weights in region.insets.items()}
    return replace(region, weights=kept, insets=insets, rejected_fraction=max(share, 0.0))


def _without(weights: VoxelWeights, rejected: NDArray[np.int64]) -> VoxelWeights:
    is_kept = ~np.isin(weights.indices, rejected)
    return VoxelWeights(weights.indices[is_kept], weights.weights[is_kept])


def _smoothed(
    hu: NDArray[np.float64], mask: NDArray[np.bool_], sigma_voxels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Gaussian mean over the voxels of the mask alone."""
    sigma = [float(each) for each in sigma_voxels]
    total = ndimage.gaussian_filter(np.where(mask, hu, 0.0), sigma, mode="constant")
    weight = ndimage.gaussian_filter(mask.astype(np.float64), sigma, mode="constant")
    return np.asarray(total / np.maximum(weight, 1e-6))
