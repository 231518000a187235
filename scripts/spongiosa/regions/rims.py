"""Where the rims of an endplate lie in front and behind, from the image's endplates and the walls of the body."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spongiosa.regions.body import COLUMN_STEP_MM, Endplate, VertebralBody, first_inside
from spongiosa.regions.endplate_surface import rim_drop_mm
from spongiosa.volume import FloatArray

#: Posterior coordinate of a wall over points (left, superior) of a frame.  [mm]
Wall = Callable[[FloatArray, FloatArray], FloatArray]

#: The walls are followed so far from the rims, where they are rounded, in these steps; a low body at this many heights
#: in the middle 60 % of it.  [mm]
KEPT_FROM_RIM_MM, WALL_STEP_MM, FEWEST_HEIGHTS = 3.0, 1.0, 5

#: The rim lies about this far inside of the wall; where the wall's height is taken before the rim is known.  [mm]
RIM_INSET_MM = 1.0

#: Step in which the rim is sought inwards from the wall.  [mm]
SEARCH_STEP_MM = 0.1

#: Least scatter of the wall, which a label map shows in voxels.  [mm]
WALL_SCATTER_MM = 0.15
TUKEY_CUTOFF, REWEIGHINGS = 4.685, 5

#: How far a wall stands out at the rims beyond the waist, and the standard deviation of that; standard deviations of
#: how much it leans from rim to rim, turns from left to right, bends across and is dented in the midline: for what
#: voxels of 3 mm leave open, where a parabola through a few steps ends anywhere.  Ours, starting values.  [mm]
WAIST_MM, WAIST_SIGMA_MM = 1.3, 0.8
LEAN_SIGMA_MM, TURN_SIGMA_MM, BEND_SIGMA_MM, DENT_SIGMA_MM = 1.5, 1.0, 2.0, 1.0
#: Of where the wall stands nothing is known.  [mm]
PLACE_SIGMA_MM = 1000.0


def rim_points_mm(
    body: VertebralBody,
    endplates: tuple[Endplate, Endplate],
    left_mm: FloatArray,
    towards: float,
    search: tuple[float, float],
) -> tuple[FloatArray, FloatArray]:
    """Heights of the superior and the inferior rim on sagittal lines at `left_mm`, each shape (n,).  [mm]

    `endplates` are the superior and the inferior one; `towards` is -1 for the anterior rims and +1 for the posterior
    ones; `search` is how far inwards from the wall a rim is sought [mm], and how much the way towards the wall counts
    against the height (see `heights`).

    The wall is what the label map shows between the rims, a parabola in height (bodies have a waist); slices say little
    of where it ends, but much of where it stands.  Where it meets an endplate the edge is rounded (`rim_drop_mm`).
    """
    superior, inferior = endplates
    wall = _wall(body, endplates, left_mm, towards)
    top = _rim(superior, wall, left_mm, 1.0, towards, search)
    return top, _rim(inferior, wall, left_mm, -1.0, towards, search)


def _rim(
    endplate: Endplate, wall: Wall, left: FloatArray, outward: float, towards: float, search: tuple[float, float]
) -> FloatArray:
    reach, edge_weight = search
    edge = wall(left, endplate(left, np.zeros_like(left)))
    for _ in range(3):
        edge = wall(left, endplate(left, edge - towards * RIM_INSET_MM))
    inwards = np.arange(0.0, reach, SEARCH_STEP_MM)
    posterior = edge[:, None] - towards * inwards
    across = np.broadcast_to(left[:, None], posterior.shape)
    height = outward * endplate(across, posterior) - rim_drop_mm(inwards)
    furthest = np.argmax(height + edge_weight * towards * posterior, axis=1)
    return np.asarray(outward * np.take_along_axis(height, furthest[:, None], axis=1)[:, 0])


def _wall(body: VertebralBody, endplates: tuple[Endplate, Endplate], left: FloatArray, towards: float) -> Wall:
    """Posterior coordinate of the anterior or posterior wall over (left, superior).  [mm]

    A parabola along the height and a polynomial across, of which the fourth power dents the posterior wall in the
    midline; fitted with Tukey's biweight: spurs and vessels are left aside.
    """
    (_, front, _), (_, back, _) = body.local_extent_mm
    near_edge = np.array([front if towards < 0 else back]) - towards * 2 * RIM_INSET_MM
    top, bottom = (float(endplate(np.zeros(1), near_edge)[0]) for endplate in endplates)
    middle, half = (top + bottom) / 2, max((top - bottom) / 2, WALL_STEP_MM)
    heights = np.arange(bottom + KEPT_FROM_RIM_MM, top - KEPT_FROM_RIM_MM + 1e-6, WALL_STEP_MM)
    if len(heights) < FEWEST_HEIGHTS:
        heights = middle + half * np.linspace(-0.6, 0.6, FEWEST_HEIGHTS)
    slack = 2.0 * max(body.grid.spacing_mm)
    line = np.arange(front - slack, back + slack, COLUMN_STEP_MM)[:: -int(towards)]
    across, along = np.meshgrid(left, heights, indexing="ij")
    points = np.stack(np.broadcast_arrays(across[..., None], line, along[..., None]), axis=-1)
    edge = first_inside(body.depth_mm(body.frame.to_lps_mm(points)), line)
    scale = max(float(np.abs(left).max()), WALL_STEP_MM)

    def design(at_left: FloatArray, at_height: FloatArray) -> FloatArray:
        a, t = at_left / scale, (at_height - middle) / half
        return np.stack([np.ones_like(t), t, t * t, a, a * a, a**4], axis=-1)

    found = np.isfinite(edge)
    usual = np.array([0.0, 0.0, towards * WAIST_MM, 0.0, 0.0, 0.0])
    sigma = np.array([PLACE_SIGMA_MM, LEAN_SIGMA_MM, WAIST_SIGMA_MM, TURN_SIGMA_MM, BEND_SIGMA_MM, DENT_SIGMA_MM])
    # The points are a millimetre apart: those on the face of one voxel tell no more than one of them.
    per_voxel = max(1.0, float(np.prod(sorted(body.grid.spacing_mm)[1:])))
    coefficients = _robust(design(across[found], along[found]), edge[found], usual, sigma / np.sqrt(per_voxel))
    return lambda at_left, at_height: design(at_left, at_height) @ coefficients


def _robust(design: FloatArray, values: FloatArray, usual: FloatArray, sigma: FloatArray) -> FloatArray:
    """Least squares with Tukey's biweight, and coefficients that are `usual` with standard deviations `sigma`."""
    weights, scatter = np.ones(len(values)), WALL_SCATTER_MM
    for _ in range(REWEIGHINGS):
        weighted, precision = design * weights[:, None], (scatter / sigma) ** 2
        normal = weighted.T @ design + np.diag(precision)
        coefficients = np.linalg.solve(normal, weighted.T @ values + precision * usual)
        residual = values - design @ coefficients
        scatter = max(1.4826 * float(np.median(np.abs(residual))), WALL_SCATTER_MM)
        weights = np.clip(1.0 - (residual / (TUKEY_CUTOFF * scatter)) ** 2, 0.0, None) ** 2
    return np.asarray(coefficients)
