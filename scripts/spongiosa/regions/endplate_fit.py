"""The surface of an endplate from the image: where a thin dense plate between disc and spongy bone fits best.

A label map places an endplate to half a voxel, on a scan of 5 mm slices to 2.5 mm.  The image knows more: the plate is
thinner than a voxel and adds the same HU wherever in the voxels it lies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr

from spongiosa.regions.body import SURFACE_STEP_MM, EndplateSurfaces, VertebralBody, voxel_extent_mm
from spongiosa.regions.coverage import Box
from spongiosa.regions.endplate_surface import DISH, PLANE, SHAPE, WARP, EndplateSurface, rim_drop_mm
from spongiosa.regions.footprint import edge_distance_mm, inner_footprint
from spongiosa.volume import FloatArray, Volume

#: Thickness of the bony endplate.  [mm]
#: Ours, a starting value; thickness and concavity by micro-CT: Palepu et al., Int J Spine Surg 2019; 13: 361.
PLATE_MM = 0.7

#: Thicknesses that are tried on thin slices, which tell a thick or sclerotic plate from a thin one.  [mm]
PLATES_MM = (0.5, 0.7, 1.0, 1.4, 2.0)

#: Standard deviation of the blur that the scanner's kernel adds to the voxels' own.  [mm]
KERNEL_SIGMA_MM = 0.5

#: The outer columns of a body are left out: these, and this many voxels, whose HU are half of the fat beside them.
#: [mm, voxels]
LEFT_OUT_MM, LEFT_OUT_VOXELS = 1.0, 0.6

#: Voxels so far outside and inside of the label map's surface are fitted.  [mm]
OUTSIDE_MM, INSIDE_MM = 5.0, 7.0

#: Columns (1 mm2) that a surface is fitted to at least, and voxels at least and at most.
FEWEST_COLUMNS, FEWEST_VOXELS, MOST_VOXELS = 60, 120, 3000

#: Depth of the dish of an inferior and of a superior endplate, and its standard deviation (half of what the label map
#: shows beyond: a plate that sank is no usual one): for what thick slices leave open.  Ours, starting values; inferior
#: plates are the deeper ones: Palepu et al., Int J Spine Surg 2019; 13: 361.  [mm]
DISH_MM, DISH_SIGMA_MM = (2.5, 2.0), 1.5

#: How far rims lie from a plane, and how far the dish's further terms may reach on thin slices (standard deviations).
#: [mm]
WARP_SIGMA_MM, SHAPE_SIGMA_MM = 0.5, 3.0

#: How uncertain the label map's surface is: by its voxels (in voxels along the axis), and beyond that.
LABEL_SIGMA_VOXELS, LABEL_SIGMA_MM = 0.35, 0.6

#: A plate is seen when it is brighter than this many standard errors.
CLEAR_PLATE = 4.0

TUKEY_CUTOFF = 4.685  # 95 % efficiency for Gaussian residuals (Beaton and Tukey, Technometrics 1974)
#: How much the plate's brightness varies from place to place, as a share of it.
VARIATION = 0.3
#: What is known of disc, spongy bone minus disc and plate [HU], and of the slope below the plate [HU/mm] where thick
#: slices show too little of them: mean and standard deviation.
LINEAR_PRIOR = np.array([[80.0, 30.0], [50.0, 100.0], [700.0, 400.0], [0.0, 5.0]])
#: Noise before it is known.  [HU]
NOISE_HU = 30.0
#: Slices up to this thickness show where a plate lies, however thick it is; in thicker ones the plate's variation, over
#: some millimetres, is taken for place, and fewer voxels count as independent of each other.  [mm]
CLEAR_SLICE_MM = 1.5
#: How fast the share of independent voxels falls with the slices' thickness, for a plate's place (on 5 mm slices one of
#: 400 counts, a few dozen per plate) and for whether there is one.  Chosen on synthetic scans.
INDEPENDENT_POWER, VISIBLE_POWER = 5.0, 2.0
ITERATIONS = 8
SMALLEST_STEP_MM = 0.02


def fit_endplate(volume: Volume, bodies: Volume, body: VertebralBody, is_superior: bool) -> EndplateSurface | None:
    """The outer surface of one endplate from the image; None when no plate is seen where the label map has one.

    With d the depth of a voxel below the surface, its HU is modelled as

        disc + (spongy - disc) H(d - t) + plate (H(d) - H(d - t)) + slope max(d - t, 0),

    H the unit step blurred by the voxel's extent along the surface's normal (a box) and the kernel (a Gaussian), t the
    plate's thickness.  The surface is a dish in a plane rim (`EndplateSurface`), the label map's its starting point;
    Gauss-Newton with Tukey's biweight, so that spurs, nodes and sclerosis pull little.
    """
    surfaces = body.surfaces
    in_plane_mm = sorted(body.grid.spacing_mm)[1]
    footprint = inner_footprint(surfaces, max(LEFT_OUT_MM, LEFT_OUT_VOXELS * in_plane_mm))
    if int(footprint.sum()) < FEWEST_COLUMNS:
        return None
    start, prior_sigma = _start(body, surfaces, footprint, is_superior)
    voxels = _voxels_about(volume, bodies, body, start, footprint, is_superior)
    if voxels is None:
        return None
    fit = _Fit(voxels, body, 1.0 if is_superior else -1.0)
    found = fit.run(start, prior_sigma)
    if found is None:
        return None
    rows, columns = np.nonzero(footprint)
    places = surfaces.left_mm[columns], surfaces.posterior_mm[rows]
    moved = found.height_mm(*places) - start.height_mm(*places)
    limit = 1.5 + 0.75 * voxel_extent_mm(body.grid, body.frame.superior)
    return found if abs(float(moved.mean())) <= limit and float(np.abs(moved).max()) <= 3.0 * limit else None


def _start(
    body: VertebralBody, surfaces: EndplateSurfaces, footprint: NDArray[np.bool_], is_superior: bool
) -> tuple[EndplateSurface, FloatArray]:
    """The label map's surface as a plane rim with a dish, and how far each term may be from it."""
    rows, columns = np.nonzero(footprint)
    left, posterior = surfaces.left_mm[columns], surfaces.posterior_mm[rows]
    empty = EndplateSurface.flat(left, posterior)
    outward = 1.0 if is_superior else -1.0
    height = (surfaces.superior_mm if is_superior else surfaces.inferior_mm)[rows, columns]
    height = height + outward * rim_drop_mm(edge_distance_mm(surfaces)[rows, columns])
    known = [*PLANE, DISH, *WARP]
    coefficients = empty.coefficients_mm.copy()
    coefficients[known] = np.linalg.lstsq(empty.terms(left, posterior)[:, known], height, rcond=None)[0]
    extent = voxel_extent_mm(body.grid, body.frame.superior)
    of_label = LABEL_SIGMA_MM + LABEL_SIGMA_VOXELS * extent
    sigma = np.full(len(coefficients), of_label)
    sigma[SHAPE] = SHAPE_SIGMA_MM * min(1.0, CLEAR_SLICE_MM / extent)
    usual_dish = -outward * DISH_MM[is_superior]
    usual = [(DISH, usual_dish, max(DISH_SIGMA_MM, abs(coefficients[DISH] - usual_dish) / 2))]
    for term, mean, deviation in [*usual, *((term, 0.0, WARP_SIGMA_MM) for term in WARP)]:
        precision = 1.0 / of_label**2 + 1.0 / deviation**2
        coefficients[term] = (coefficients[term] / of_label**2 + mean / deviation**2) / precision
        sigma[term] = precision**-0.5
    return replace(empty, coefficients_mm=coefficients), sigma


@dataclass(frozen=True)
class _Voxels:
    """Voxels about an endplate: frame coordinates, shape (n, 3), HU and drop of the rounded rim there, shape (n,)."""

    local_mm: FloatArray
    hu: FloatArray
    drop_mm: FloatArray


def _voxels_about(
    volume: Volume,
    bodies: Volume,
    body: VertebralBody,
    start: EndplateSurface,
    footprint: NDArray[np.bool_],
    is_superior: bool,
) -> _Voxels | None:
    """The voxels over the footprint near the starting surface, without those near another vertebra."""
    surfaces, sign = body.surfaces, 1.0 if is_superior else -1.0
    rows, columns = np.nonzero(footprint)
    across = np.stack([surfaces.left_mm[columns], surfaces.posterior_mm[rows]], axis=1)
    heights = start.height_mm(across[:, 0], across[:, 1])[:, None]
    ends = [np.hstack([across, heights + sign * reach]) for reach in (OUTSIDE_MM, -INSIDE_MM)]
    box = Box.around(body.frame.to_lps_mm(np.concatenate(ends)), body.grid)
    indices = box.voxel_indices()
    local = body.frame.to_local_mm(body.grid.points_mm(indices))
    # Rounded half up with a margin: rounding errors differ with the order in which a scan is stored.
    column, row = (
        np.floor((local[:, axis] - first) / SURFACE_STEP_MM + 0.5 + 1e-6).astype(int)
        for axis, first in ((0, surfaces.left_mm[0]), (1, surfaces.posterior_mm[0]))
    )
    inside = (row >= 0) & (row < footprint.shape[0]) & (column >= 0) & (column < footprint.shape[1])
    inside[inside] = footprint[row[inside], column[inside]]
    kept = np.flatnonzero(inside)
    depth = sign * (start.height_mm(local[kept, 0], local[kept, 1]) - local[kept, 2])
    kept = kept[(depth > -OUTSIDE_MM) & (depth < INSIDE_MM)]

    window = tuple(slice(low, high) for low, high in zip(box.lower, box.upper, strict=True))
    labels = bodies.voxels[window].reshape(-1)
    is_other = (labels > 0) & (labels != _label_of(bodies, body))
    others = np.flatnonzero(is_other & inside & (sign * local[:, 2] > 0))
    if others.size:
        # The neighbour's plate begins half a voxel before its label.
        gap = np.full(footprint.shape, np.inf)
        np.minimum.at(gap, (row[others], column[others]), sign * local[others, 2])
        gap = ndimage.minimum_filter(gap, size=3)
        clearance = voxel_extent_mm(body.grid, body.frame.superior) / 2 + 1.0
        kept = kept[sign * local[kept, 2] < gap[row[kept], column[kept]] - clearance]
    if kept.size < FEWEST_VOXELS:
        return None
    # Some of them, chosen by place: the order in which a scan is stored may not decide.
    kept = kept[_scattered(local[kept]) < MOST_VOXELS / kept.size]
    places = (local[kept, 1::-1] - np.array([surfaces.posterior_mm[0], surfaces.left_mm[0]])).T / SURFACE_STEP_MM
    inwards = ndimage.map_coordinates(edge_distance_mm(surfaces), places, order=1, mode="nearest")
    hu = np.asarray(volume.voxels[window], dtype=np.float64).reshape(-1)[kept]
    return _Voxels(local[kept], hu, rim_drop_mm(inwards))


def _scattered(points_mm: FloatArray) -> FloatArray:
    """A number in [0, 1) for every point, shape (n, 3), the same whenever it is asked for."""
    return np.asarray(np.mod(np.abs(np.sin(points_mm @ np.array([12.9898, 78.233, 37.719]))) * 4375.85, 1.0))


def _label_of(bodies: Volume, body: VertebralBody) -> int:
    """The integer of a body in the label map."""
    first = np.argwhere(body.mask)[0] + np.asarray(body.lower)
    return int(bodies.voxels[tuple(first)])


class _Fit:
    """The surface's terms that explain the HU of voxels about a plate best, beside the label map's surface."""

    def __init__(self, voxels: _Voxels, body: VertebralBody, sign: float) -> None:
        self.voxels, self.sign, self.plate_mm = voxels, sign, PLATE_MM
        along = np.abs(np.asarray(body.grid.direction).T @ body.frame.superior) * np.asarray(body.grid.spacing_mm)
        widest = int(along.argmax())
        sigma_mm = float(np.sqrt(KERNEL_SIGMA_MM**2 + (np.delete(along, widest) ** 2).sum() / 12))
        self.independent_share = min(1.0, (CLEAR_SLICE_MM / float(along[widest])) ** INDEPENDENT_POWER)
        self.visible_share = min(1.0, (CLEAR_SLICE_MM / float(along[widest])) ** VISIBLE_POWER)
        self.table_mm = np.arange(-16.0, 16.0, 0.05)
        self.step_table = blurred_step(self.table_mm, max(float(along[widest]), 0.2), sigma_mm)
        self.highest = float((self._design(self.table_mm)[:, 2]).max())

    def run(self, start: EndplateSurface, prior_sigma: FloatArray) -> EndplateSurface | None:
        """The surface where the model fits best, or None when the plate does not stand out."""
        local = self.voxels.local_mm
        self.terms = start.terms(local[:, 0], local[:, 1])
        self.start, self.prior_sigma = start.coefficients_mm, prior_sigma
        self.weights = np.full(len(local), self.independent_share / NOISE_HU**2)
        coefficients = self._scanned(start.coefficients_mm.copy())
        _, linear = self._residual(coefficients)
        self.plate_hu, self.contrast_hu = float(linear[2]), float(linear[2]) * self.highest + abs(float(linear[1]))
        coefficients = self._polished(coefficients, [*PLANE, DISH, *WARP])
        if self.independent_share == 1.0:
            coefficients = self._with_own_thickness(coefficients)
        coefficients = self._polished(coefficients, list(range(len(coefficients))))
        if not self._stands_out(coefficients):
            return None
        return replace(start, coefficients_mm=coefficients)

    def _scanned(self, coefficients: FloatArray) -> FloatArray:
        """The best height and tilts on a grid, one after the other: a plate is not missed by a descent that starts
        beside it."""
        for reach in (1.0, 0.5):
            for term in PLANE:
                offsets = np.linspace(-1.5, 1.5, 13) * reach * self.prior_sigma[term]
                costs = []
                for offset in offsets:
                    trial = coefficients.copy()
                    trial[term] += offset
                    costs.append(self._cost(trial))
                coefficients[term] += offsets[int(np.argmin(costs))]
        return coefficients

    def _polished(self, coefficients: FloatArray, free: list[int]) -> FloatArray:
        """Levenberg-Marquardt over the free terms."""
        damping = 1e-2
        for _ in range(ITERATIONS):
            self._reweigh(coefficients)
            cost = self._cost(coefficients)
            residual, linear = self._residual(coefficients)
            jacobian = (self.sign * self._slope(coefficients, linear))[:, None] * self.terms[:, free]
            weighted = jacobian * self.weights[:, None]
            gradient = weighted.T @ residual + (self.start - coefficients)[free] / self.prior_sigma[free] ** 2
            hessian = weighted.T @ jacobian + np.diag(1.0 / self.prior_sigma[free] ** 2)
            for _ in range(4):
                step = np.linalg.solve(hessian + damping * np.diag(np.diag(hessian)), gradient)
                trial = coefficients.copy()
                trial[free] += step
                if self._cost(trial) < cost:
                    coefficients, damping = trial, damping / 5
                    break
                damping *= 10
            else:
                break
            if np.abs(step).max() < SMALLEST_STEP_MM:
                break
        return coefficients

    def _with_own_thickness(self, coefficients: FloatArray) -> FloatArray:
        """The same surface with the plate's thickness that fits best, its middle where it was."""

        def moved(plate_mm: float) -> FloatArray:
            return np.concatenate([[coefficients[0] + self.sign * (plate_mm - PLATE_MM) / 2], coefficients[1:]])

        costs = []
        for self.plate_mm in PLATES_MM:
            costs.append(self._cost(moved(self.plate_mm)))
        self.plate_mm = PLATES_MM[int(np.argmin(costs))]
        return moved(self.plate_mm)

    def _residual(self, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
        """HU minus the model at its best linear part, and that part (as in `_design`)."""
        design = self._design(self._depth(coefficients))
        linear = _solution(design, self.voxels.hu, self.weights, slice(None))
        if linear[2] < 0:
            others = [0, 1, 3]
            linear = np.insert(_solution(design[:, others], self.voxels.hu, self.weights, others), 2, 0.0)
        return self.voxels.hu - design @ linear, linear

    def _slope(self, coefficients: FloatArray, linear: FloatArray) -> FloatArray:
        """The model's derivative by depth."""
        depth = self._depth(coefficients)
        return np.asarray((self._design(depth + 0.05) - self._design(depth - 0.05)) @ linear / 0.1)

    def _depth(self, coefficients: FloatArray) -> FloatArray:
        """Depth of the voxels below the surface with its rounded rim.  [mm]"""
        flat = self.sign * (self.terms @ coefficients - self.voxels.local_mm[:, 2])
        return np.asarray(flat - self.voxels.drop_mm)

    def _cost(self, coefficients: FloatArray) -> float:
        residual, _ = self._residual(coefficients)
        away = (coefficients - self.start) / self.prior_sigma
        return float((self.weights * residual**2).sum() + (away**2).sum())

    def _reweigh(self, coefficients: FloatArray) -> None:
        """Inverse variances times Tukey's biweight.

        A voxel of the plate varies with the plate's thickness, besides the noise.  What stands out by less than the
        plate itself is no outlier: it may be the plate, in another place.
        """
        residual, _ = self._residual(coefficients)
        noise = max(1.4826 * float(np.median(np.abs(residual))), 2.0)
        depth = self._depth(coefficients)
        plate = self.plate_hu * self._design(depth)[:, 2]
        variance = noise**2 + (VARIATION * plate) ** 2
        tolerated = np.maximum(variance, (VARIATION * self.contrast_hu) ** 2)
        biweight = np.clip(1.0 - residual**2 / (TUKEY_CUTOFF**2 * tolerated), 0.0, None) ** 2
        self.weights = self.independent_share * biweight / variance

    def _stands_out(self, coefficients: FloatArray) -> bool:
        """Whether there is a plate, and it and the spongy bone differ from the disc by many standard errors.

        Sclerosis as thick as a voxel hides the plate: the step to it says less of the surface than the label map.
        """
        depth = self._depth(coefficients)
        design = self._design(depth)
        _, linear = self._residual(coefficients)
        if linear[2] <= 0:
            return False
        weights = self.weights * (self.visible_share / self.independent_share)
        covariance = np.linalg.pinv((design * weights[:, None]).T @ design)
        contrast = np.array([0.0, 1.0, 1.0, 0.0])
        return bool(contrast @ linear > CLEAR_PLATE * np.sqrt(contrast @ covariance @ contrast))

    def _design(self, depth: FloatArray) -> FloatArray:
        """Columns disc, spongy - disc, plate, slope of the model, shape (n, 4)."""
        outer = np.interp(depth, self.table_mm, self.step_table)
        inner = np.interp(depth - self.plate_mm, self.table_mm, self.step_table)
        return np.stack([np.ones_like(depth), inner, outer - inner, np.maximum(depth - self.plate_mm, 0.0)], axis=1)


def blurred_step(depth_mm: FloatArray, box_mm: float, sigma_mm: float) -> FloatArray:
    """The unit step at depth 0, blurred by a box and by a Gaussian."""
    upper, lower = (depth_mm + box_mm / 2) / sigma_mm, (depth_mm - box_mm / 2) / sigma_mm
    ramp = upper * ndtr(upper) - lower * ndtr(lower)
    ramp += (np.exp(-(upper**2) / 2) - np.exp(-(lower**2) / 2)) / np.sqrt(2 * np.pi)
    return np.asarray(ramp * sigma_mm / box_mm)


def _solution(design: FloatArray, values: FloatArray, weights: FloatArray, used: slice | list[int]) -> FloatArray:
    """Weighted least squares with `LINEAR_PRIOR` as further observations."""
    weighted = design * weights[:, None]
    mean, sigma = LINEAR_PRIOR[used].T
    return np.asarray(np.linalg.solve(weighted.T @ design + np.diag(sigma**-2), weighted.T @ values + mean / sigma**2))
