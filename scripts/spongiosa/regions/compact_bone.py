"""Compact bone as a reference tissue: the densest voxels of the vertebrae that compact bone encloses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from spongiosa.outcome import Reason
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.tissue_grid import TissueGrid
from spongiosa.regions.tissue_samples import TissueRegion, sample_tissue
from spongiosa.volume import Volume

#: HU from which a voxel may be compact bone, and above which it is metal.
COMPACT_HU, METAL_HU = 600.0, 2500.0

#: Metal spoils what lies this near.  [mm]
METAL_REACH_MM = 8.0

#: Fewest voxels of a sample.
FEWEST_VOXELS = 20


def compact_bone(grid: TissueGrid, vertebrae: Volume, foreign_labels: Sequence[int]) -> TissueRegion:
    """Voxels of the labelled vertebrae and sacrum that are compact bone like their six neighbours; the denser half.

    Partial volume reaches the outer voxels of a cortex and spares those that it encloses, which only thick cortex has:
    laminae, facets and pedicles in thin slices.  Where the cortex is thinner than three voxels there is no sample.
    Labels of `foreign_labels` (metal, cement) are left out.
    """
    boxes = [
        box
        for label, box in enumerate(ndimage.find_objects(vertebrae.voxels), 1)
        if box and label not in foreign_labels
    ]
    missing = TissueRegion(
        "cortical",
        reason=Reason.TISSUES_NOT_FOUND,
        detail="No compact bone of the vertebrae is thicker than the voxels.",
    )
    if not boxes:
        return missing
    box = tuple(slice(min(b[k].start for b in boxes), max(b[k].stop for b in boxes)) for k in range(3))
    hu, labels = grid.scan.voxels[box], vertebrae.voxels[box]
    compact = (hu > COMPACT_HU) & (labels > 0) & ~np.isin(labels, foreign_labels)
    metal = hu > METAL_HU
    if metal.any():
        distance = ndimage.distance_transform_edt(~metal, sampling=grid.scan.geometry.spacing_mm[::-1])
        compact &= distance > METAL_REACH_MM
    core = ndimage.binary_erosion(compact)
    if int(core.sum()) < FEWEST_VOXELS:
        return missing
    dense = core & (hu >= np.median(hu[core]))
    inside = np.zeros(grid.scan.geometry.shape, dtype=bool)
    inside[box] = dense
    indices = np.flatnonzero(inside).astype(np.int64)
    weights = VoxelWeights(indices, np.ones(indices.size, dtype=np.float32))
    return TissueRegion("cortical", weights, sample_tissue(grid.voxel_hu(weights)))
