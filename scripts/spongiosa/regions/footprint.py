"""The columns of a vertebral body over which its endplates lie, without spurs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.regions.body import SURFACE_STEP_MM, EndplateSurfaces
from spongiosa.volume import FloatArray

#: The rim of the body, where the plate ends and spurs begin, is left out.  [mm]
RIM_MM = 2.0

#: A column thinner than this share of the body's median is a spur's.
SPUR_SHARE = 0.5


def footprint(surfaces: EndplateSurfaces) -> NDArray[np.bool_]:
    """The columns of a body without spurs, shape (posterior, left)."""
    thickness = np.nan_to_num(surfaces.superior_mm - surfaces.inferior_mm)
    if not (thickness > 0).any():
        return thickness > 0
    parts, _ = ndimage.label(thickness > SPUR_SHARE * np.median(thickness[thickness > 0]))
    largest = parts == 1 + int(np.bincount(parts.reshape(-1))[1:].argmax())
    return np.asarray(ndimage.binary_fill_holes(largest))


def inner_footprint(surfaces: EndplateSurfaces, rim_mm: float = RIM_MM) -> NDArray[np.bool_]:
    """The columns of a body without the outer `rim_mm` and without spurs, shape (posterior, left)."""
    return np.asarray(edge_distance_mm(surfaces) + SURFACE_STEP_MM / 2 > rim_mm)


def edge_distance_mm(surfaces: EndplateSurfaces) -> FloatArray:
    """Distance of a body's columns to the edge of its footprint, shape (posterior, left); negative beside it.  [mm]"""
    padded = np.pad(footprint(surfaces), 1)
    return np.asarray((ndimage.distance_transform_edt(padded)[1:-1, 1:-1] - 0.5) * SURFACE_STEP_MM)
