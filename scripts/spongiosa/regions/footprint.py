"""The columns of a vertebral body over which its endplates lie, without spurs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.regions.body import SURFACE_STEP_MM, EndplateSurfaces

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


def inner_footprint(surfaces: EndplateSurfaces) -> NDArray[np.bool_]:
    """The columns of a body without its rim and without spurs, shape (posterior, left)."""
    padded = np.pad(footprint(surfaces), 1)
    return np.asarray(ndimage.distance_transform_edt(padded)[1:-1, 1:-1] * SURFACE_STEP_MM > RIM_MM)
