"""The coarse copy of a scan, aligned with the patient, on which the column is searched."""

from __future__ import annotations

import numpy as np

from spongiosa.volume import AIR_HU, Geometry, Volume, to_sitk

WORKING_SPACING_MM = 2.0
#: Values beyond this say nothing more about bone; metal would outweigh everything in means.
HIGHEST_HU = 1500


def working_copy(scan: Volume, spacing_mm: float = WORKING_SPACING_MM) -> Volume:
    """The scan as float32 HU on an LPS-aligned grid of cubic voxels; outside of the scan it is air.

    Voxels much finer than the grid are averaged first, so that noise falls and nothing aliases.
    """
    import SimpleITK as sitk

    image = to_sitk(scan)
    factors = [max(1, int(spacing_mm / step + 0.25)) for step in scan.geometry.spacing_mm]
    if max(factors) > 1:
        image = sitk.BinShrink(image, factors)
    lower, upper = bounds_mm(scan.geometry)
    size = [max(1, round(float(length) / spacing_mm)) for length in upper - lower]
    image = sitk.Resample(
        sitk.Cast(image, sitk.sitkFloat32),
        size,
        sitk.Transform(),
        sitk.sitkLinear,
        [float(value) + spacing_mm / 2 for value in lower],
        [spacing_mm] * 3,
        list(np.eye(3).ravel()),
        float(AIR_HU),
    )
    voxels = np.clip(sitk.GetArrayFromImage(image), AIR_HU, HIGHEST_HU)
    geometry = Geometry(voxels.shape, (spacing_mm,) * 3, image.GetOrigin(), np.eye(3))
    return Volume(voxels, geometry)


def bounds_mm(geometry: Geometry) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Lower and upper corner (LPS mm) of the box around the grid, half a voxel beyond the outermost centres."""
    ends = [(-0.5, size - 0.5) for size in geometry.shape]
    corners = geometry.points_mm(np.array([[z, y, x] for z in ends[0] for y in ends[1] for x in ends[2]]))
    return corners.min(axis=0), corners.max(axis=0)
