"""The coarse copy of a scan, aligned with the patient, on which the column is searched."""

from __future__ import annotations

import numpy as np

from spongiosa.anatomy.frame import FloatArray
from spongiosa.volume import AIR_HU, Geometry, Volume, to_sitk

WORKING_SPACING_MM = 2.0
#: Values beyond this say nothing more about bone; metal would outweigh everything in means.
HIGHEST_HU = 1500
#: What is above counts as trunk.
SKIN_HU = -300.0
#: A canal and all that tells it lie within this of the middle of the trunk, and of a line that it is expected on, mm.
ABOUT_TRUNK_MM, ABOUT_LINE_MM = 104.0, 76.0
#: Air left in front of the trunk and behind it, mm: the widest window of the canal's score.
AIR_LEFT_MM = 14.0


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


def about_canal(working: Volume, middle_mm: FloatArray | None = None) -> Volume:
    """The part of a working copy in which the canal can lie, with all that its score looks at: as good as the whole to
    track it in, and less than half of it.

    The air about the trunk is cut off, and what lies far beside its middle (the median of the voxels above -300 HU), or
    beside `middle_mm`, LPS x of every slice, where that is given.  All slices are kept.
    """
    spacing = working.geometry.spacing_mm[0]
    trunk = working.voxels > SKIN_HU
    rows = np.flatnonzero(trunk.any(axis=(0, 2)))
    if rows.size == 0:
        return working
    if middle_mm is None:
        per_column = trunk.sum(axis=(0, 1))
        middle = float(np.interp(0.5, np.cumsum(per_column) / per_column.sum(), np.arange(len(per_column))))
        columns = (middle - ABOUT_TRUNK_MM / spacing, middle + ABOUT_TRUNK_MM / spacing)
    else:
        at = (np.asarray(middle_mm) - working.geometry.origin_mm[0]) / spacing
        columns = (float(at.min()) - ABOUT_LINE_MM / spacing, float(at.max()) + ABOUT_LINE_MM / spacing)
    air = round(AIR_LEFT_MM / spacing)
    lower = [0, int(rows[0]) - air, int(np.floor(columns[0]))]
    upper = [len(working.voxels), int(rows[-1]) + 1 + air, int(np.ceil(columns[1])) + 1]
    part = working.cropped(np.clip(lower, 0, None), np.array(upper))
    return part if min(part.voxels.shape) > 0 else working
