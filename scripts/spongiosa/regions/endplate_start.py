"""Where a label map has an endplate, as a dish in a plane rim, and how far the image may move it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spongiosa.regions.body import VertebralBody, voxel_extent_mm
from spongiosa.regions.endplate_surface import DISH, PLANE, SHAPE, TERM_COUNT, WARP, EndplateSurface, rim_drop_mm
from spongiosa.regions.footprint import edge_distance_mm
from spongiosa.regions.wall_sections import WallSections
from spongiosa.volume import FloatArray

#: The dish of an endplate has this share of the half axes of the body's section so far below the rim [mm]; its edge
#: varies by this share (standard deviation).  Ours: the section below the rim is already a little waisted.
DISH_SHARE, DISH_SHARE_SIGMA, SECTION_BELOW_RIM_MM = 0.92, 0.03, 3.0

#: The rim lies higher than this percentage of a label map's surface above its plane.
RIM_PERCENTILE = 90.0

#: The section's middle from front to back is midway between these percentiles of it: the canal indents its back.
BACK_AND_FRONT_PERCENTILES = (2.0, 98.0)

#: Depth of the dish of an inferior and of a superior endplate, and its standard deviation (half of what the label map
#: shows beyond: a plate that sank is no usual one): for what thick slices leave open.  Ours, starting values; inferior
#: plates are the deeper ones: Palepu et al., Int J Spine Surg 2019; 13: 361.  [mm]
DISH_MM, DISH_SIGMA_MM = (2.5, 2.0), 1.5

#: How far rims lie from a plane, and how far the dish's further terms reach on thin slices (standard deviations; on
#: thicker ones as much less as those are thicker than `CLEAR_SLICE_MM`).  [mm]
WARP_SIGMA_MM, SHAPE_SIGMA_MM, CLEAR_SLICE_MM = 0.5, 0.7, 1.5

#: How uncertain height and dish of the label map's surface are, and its tilts at the edge of the dish: by its voxels
#: (in voxels along the axis), and beyond that.  A label map that is a voxel too large has the tilts of the true one.
LABEL_SIGMA_VOXELS, LABEL_SIGMA_MM = 0.35, 0.6
TILT_SIGMA_VOXELS, TILT_SIGMA_MM = 0.2, 0.4

#: Index of the logarithm of the dish's size behind the terms of a surface.
SIZE = TERM_COUNT


def starting_surface(
    body: VertebralBody, footprint: NDArray[np.bool_], is_superior: bool
) -> tuple[EndplateSurface, FloatArray]:
    """The label map's endplate over the columns of `footprint` (posterior, left), and what may be wrong with it.

    The second value are standard deviations of the terms [mm] and of the logarithm of the dish's size, shape (12,).
    What is known of endplates in general is mixed in by its precision.
    """
    surfaces, outward = body.surfaces, 1.0 if is_superior else -1.0
    rows, columns = np.nonzero(footprint)
    left, posterior = surfaces.left_mm[columns], surfaces.posterior_mm[rows]
    of_mask = (surfaces.superior_mm if is_superior else surfaces.inferior_mm)[rows, columns]
    flat = EndplateSurface.flat(*_dish(body, left, posterior, of_mask, outward))
    height = of_mask + outward * rim_drop_mm(edge_distance_mm(surfaces)[rows, columns])
    known = [*PLANE, DISH, *WARP]
    coefficients = flat.coefficients_mm.copy()
    coefficients[known] = np.linalg.lstsq(flat.terms(left, posterior)[:, known], height, rcond=None)[0]
    extent = voxel_extent_mm(body.grid, body.frame.superior)
    of_label = LABEL_SIGMA_MM + LABEL_SIGMA_VOXELS * extent
    sigma = np.full(TERM_COUNT + 1, of_label)
    sigma[PLANE[1:]] = TILT_SIGMA_MM + TILT_SIGMA_VOXELS * extent
    sigma[SHAPE] = SHAPE_SIGMA_MM * min(1.0, CLEAR_SLICE_MM / extent)
    sigma[SIZE] = DISH_SHARE_SIGMA
    usual_dish = -outward * DISH_MM[is_superior]
    usual = [(DISH, usual_dish, max(DISH_SIGMA_MM, abs(coefficients[DISH] - usual_dish) / 2))]
    for term, mean, deviation in [*usual, *((term, 0.0, WARP_SIGMA_MM) for term in WARP)]:
        precision = 1.0 / of_label**2 + 1.0 / deviation**2
        coefficients[term] = (coefficients[term] / of_label**2 + mean / deviation**2) / precision
        sigma[term] = precision**-0.5
    return flat.with_terms(coefficients), sigma


def _dish(
    body: VertebralBody, left: FloatArray, posterior: FloatArray, height: FloatArray, outward: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Centre and half axes (left, posterior) of the dish of an endplate, from the body's section below its rim.  [mm]

    An ellipse has half axes of two standard deviations of its points: every point of the section's edge counts.
    """
    design = np.stack([np.ones_like(left), left, posterior], axis=1)
    plane = np.linalg.lstsq(design, height, rcond=None)[0]
    rim = outward * float(np.percentile(outward * (height - design @ plane), RIM_PERCENTILE))
    walls = WallSections.below(body, lambda a, b: plane[0] + rim + plane[1] * a + plane[2] * b, outward)
    across, behind = walls.outline(SECTION_BELOW_RIM_MM)
    back_and_front = np.percentile(behind, BACK_AND_FRONT_PERCENTILES)
    centre = float(across.mean()), float(back_and_front.mean())
    return centre, (DISH_SHARE * 2.0 * float(across.std()), DISH_SHARE * 2.0 * float(behind.std()))
