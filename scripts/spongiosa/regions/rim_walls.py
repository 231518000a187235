"""The anterior and the posterior wall of a vertebral body between its rims, from the label map and the image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from spongiosa.regions.body import COLUMN_STEP_MM, Endplate, VertebralBody, first_inside, voxel_extent_mm
from spongiosa.regions.coverage import Box
from spongiosa.regions.layer_fit import METAL_HU, KnownImage, KnownShape, fit_layers
from spongiosa.regions.thinning import is_kept
from spongiosa.volume import FloatArray, Volume

#: The rim lies about this far inside of the wall; where the wall's height is taken before the rim is known.  [mm]
RIM_INSET_MM = 1.0

#: The walls are followed so far from the rims, where they are rounded, in these steps; a low body at this many heights
#: in the middle 60 % of it.  [mm]
KEPT_FROM_RIM_MM, WALL_STEP_MM, FEWEST_HEIGHTS = 3.0, 1.0, 5

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
#: The standard deviations of all coefficients.  [mm]
SIGMA_MM = np.array([PLACE_SIGMA_MM, LEAN_SIGMA_MM, WAIST_SIGMA_MM, TURN_SIGMA_MM, BEND_SIGMA_MM, DENT_SIGMA_MM])

#: Pixels no longer than this leave little of a wall to the image.  [mm]
CLEAR_PIXEL_MM = 1.5
#: Voxels so far outside and inside of the label map's wall are fitted, so far from the midline and from the rims.  [mm]
OUTSIDE_MM, INSIDE_MM, BESIDE_MM, IMAGE_FROM_RIM_MM = 4.0, 5.0, 10.0, 2.5
#: Standard deviation of the coefficients of a label map's wall: its voxels, from front to back.
LABEL_SIGMA_VOXELS = 0.3
#: Least height of the wall between the rims, and the voxels that a wall is fitted to at least and at most.
LEAST_HEIGHT_MM, FEWEST_VOXELS, MOST_VOXELS = 4.0, 60, 3000
#: Thickness of the wall's cortex, and the standard deviation of the scanner's blur.  Ours, starting values.  [mm]
CORTEX_MM, KERNEL_SIGMA_MM = 0.6, 0.5
#: What is known of the tissue outside, cortex, spongy bone [HU] and its slope inwards [HU/mm]: mean and standard
#: deviation.
TISSUES_HU = np.array([[50.0, 100.0], [600.0, 600.0], [120.0, 150.0], [0.0, 8.0]])
#: What model and image differ by (see `layer_fit`): twice as much as at pedicles, whose cortex is thicker and has no
#: vessels.  Chosen on synthetic scans.  [HU]
MISFIT_HU = 160.0
#: Cortex below which a wall does not stand out.  [HU]
FAINTEST_CORTEX_HU = 300.0
#: Steps of the coefficients: of the derivatives, the longest of an iteration, those that end a fit.  [mm]
_STEPS_MM = (0.02, 2.0, 0.01)


@dataclass(frozen=True)
class RimWall:
    """Posterior coordinate of a wall over (left, superior) of a body's frame, mm.

    A parabola along the height and a polynomial across, of which the fourth power dents the posterior wall in the
    midline.  With t the height from the middle in half heights and a the way to the side, each in units of its extent,
    it is the sum of the coefficients times 1, t, t2, a, a2, a4.
    """

    coefficients_mm: FloatArray
    middle_mm: float
    half_height_mm: float
    half_width_mm: float

    def __call__(self, left_mm: FloatArray, height_mm: FloatArray) -> FloatArray:
        return np.asarray(self.terms(left_mm, height_mm) @ self.coefficients_mm)

    def terms(self, left_mm: FloatArray, height_mm: FloatArray) -> FloatArray:
        """The terms over points, shape (..., 6)."""
        a, t = left_mm / self.half_width_mm, (height_mm - self.middle_mm) / self.half_height_mm
        return np.stack([np.ones_like(t), t, t * t, a, a * a, a**4], axis=-1)

    def steepness(self, left_mm: FloatArray, height_mm: FloatArray) -> FloatArray:
        """Length of the wall's normal whose posterior component is 1, over points of any shape."""
        a, t = left_mm / self.half_width_mm, (height_mm - self.middle_mm) / self.half_height_mm
        of = self.coefficients_mm
        by_height = (of[1] + 2.0 * of[2] * t) / self.half_height_mm
        by_left = (of[3] + 2.0 * of[4] * a + 4.0 * of[5] * a**3) / self.half_width_mm
        return np.asarray(np.sqrt(1.0 + by_height**2 + by_left**2))


def find_wall(
    body: VertebralBody,
    endplates: tuple[Endplate, Endplate],
    left_mm: FloatArray,
    towards: float,
    scan: Volume | None = None,
) -> RimWall:
    """The anterior (`towards` -1) or posterior (+1) wall between the rims of `endplates`, the superior one first.

    What the label map shows on sagittal lines at `left_mm`, fitted with Tukey's biweight: spurs and vessels are left
    aside.  Where pixels are large the image moves it (`_in_image`).
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
    across, along = np.meshgrid(left_mm, heights, indexing="ij")
    points = np.stack(np.broadcast_arrays(across[..., None], line, along[..., None]), axis=-1)
    edge = first_inside(body.depth_mm(body.frame.to_lps_mm(points)), line)
    flat = RimWall(np.zeros(6), middle, half, max(float(np.abs(left_mm).max()), WALL_STEP_MM))
    found = np.isfinite(edge)
    usual = _usual_mm(towards)
    # The points are a millimetre apart: those on the face of one voxel tell no more than one of them.
    per_voxel = max(1.0, float(np.prod(sorted(body.grid.spacing_mm)[1:])))
    terms = flat.terms(across[found], along[found])
    wall = replace(flat, coefficients_mm=_robust(terms, edge[found], usual, SIGMA_MM / np.sqrt(per_voxel)))
    if scan is None or sorted(body.grid.spacing_mm)[1] <= CLEAR_PIXEL_MM:
        return wall
    return _in_image(wall, scan, body, towards)


def _usual_mm(towards: float) -> FloatArray:
    """The coefficients of a usual wall whose place is 0."""
    return np.array([0.0, 0.0, towards * WAIST_MM, 0.0, 0.0, 0.0])


def _robust(terms: FloatArray, values: FloatArray, usual: FloatArray, sigma: FloatArray) -> FloatArray:
    """Least squares with Tukey's biweight, and coefficients that are `usual` with standard deviations `sigma`."""
    weights, scatter = np.ones(len(values)), WALL_SCATTER_MM
    for _ in range(REWEIGHINGS):
        weighted, precision = terms * weights[:, None], (scatter / sigma) ** 2
        normal = weighted.T @ terms + np.diag(precision)
        coefficients = np.linalg.solve(normal, weighted.T @ values + precision * usual)
        residual = values - terms @ coefficients
        scatter = max(1.4826 * float(np.median(np.abs(residual))), WALL_SCATTER_MM)
        weights = np.clip(1.0 - (residual / (TUKEY_CUTOFF * scatter)) ** 2, 0.0, None) ** 2
    return np.asarray(coefficients)


def _in_image(wall: RimWall, scan: Volume, body: VertebralBody, towards: float) -> RimWall:
    """The wall that explains the HU about it best: a thin cortex between the tissue outside and spongy bone.

    What is known of it: the label map's wall, and what walls are like.  It stays where there is metal or no cortex is
    seen.
    """
    voxels = _voxels_about(wall, scan, body, towards)
    if voxels is None:
        return wall
    (left, posterior, height), hu = voxels
    grid = scan.geometry
    extents = np.asarray(grid.direction).T @ body.frame.posterior * np.asarray(grid.spacing_mm)
    blur_mm = float(np.sqrt(np.square(extents).sum() / 12.0 + KERNEL_SIGMA_MM**2))

    def shares(coefficients_mm: FloatArray) -> FloatArray:
        trial = replace(wall, coefficients_mm=coefficients_mm)
        depth = towards * (trial(left, height) - posterior) / trial.steepness(left, height)
        bone, spongy = ndtr(depth / blur_mm), ndtr((depth - CORTEX_MM) / blur_mm)
        return np.stack([1.0 - bone, bone - spongy, spongy, spongy * np.maximum(depth - CORTEX_MM, 0.0)], axis=1)

    of_label_map = LABEL_SIGMA_VOXELS * voxel_extent_mm(grid, body.frame.posterior)
    precision = 1.0 / of_label_map**2 + SIGMA_MM**-2
    start = (wall.coefficients_mm / of_label_map**2 + _usual_mm(towards) / SIGMA_MM**2) / precision
    image = KnownImage(hu, grid.voxel_volume_mm3, TISSUES_HU, MISFIT_HU)
    found = fit_layers(shares, image, KnownShape.of_one_unit(start, np.diag(precision), _STEPS_MM))
    return wall if found.tissues_hu[1] < FAINTEST_CORTEX_HU else replace(wall, coefficients_mm=found.parameters)


def _voxels_about(
    wall: RimWall, scan: Volume, body: VertebralBody, towards: float
) -> tuple[FloatArray, FloatArray] | None:
    """Frame coordinates of the voxels about a wall, shape (3, n), and HU; None where they are too few or metal."""
    low, high = (wall.middle_mm + sign * (wall.half_height_mm - IMAGE_FROM_RIM_MM) for sign in (-1, 1))
    if high - low < LEAST_HEIGHT_MM:
        return None
    left, height = (each.reshape(-1) for each in np.meshgrid(np.linspace(-BESIDE_MM, BESIDE_MM, 7), [low, high]))
    edge = wall(left, height)
    ends = [np.stack([left, edge + towards * reach, height], axis=1) for reach in (OUTSIDE_MM, -INSIDE_MM)]
    indices = Box.around(body.frame.to_lps_mm(np.concatenate(ends)), scan.geometry).voxel_indices()
    local = body.frame.to_local_mm(scan.geometry.points_mm(indices))
    left, posterior, height = local.T
    depth = towards * (wall(left, height) - posterior)
    is_about = (np.abs(left) <= BESIDE_MM) & (height >= low) & (height <= high)
    kept = np.flatnonzero(is_about & (depth > -OUTSIDE_MM) & (depth < INSIDE_MM))
    kept = kept[is_kept(local[kept], MOST_VOXELS)]
    hu = np.asarray(scan.voxels[tuple(indices[kept].T)], dtype=np.float64)
    return None if kept.size < FEWEST_VOXELS or hu.max() >= METAL_HU else (local[kept].T, hu)
