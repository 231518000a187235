"""The surface of an endplate from the image: where a thin dense plate between disc and spongy bone fits best.

A label map places an endplate to half a voxel, on a scan of 5 mm slices to 2.5 mm.  The image knows more: the plate is
thinner than a voxel and adds the same HU wherever in the voxels it lies.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.special import ndtr

from spongiosa.regions.body import VertebralBody, voxel_extent_mm
from spongiosa.regions.endplate_start import CLEAR_SLICE_MM, SIZE, starting_surface
from spongiosa.regions.endplate_surface import DISH, PLANE, TERM_COUNT, WARP, EndplateSurface
from spongiosa.regions.endplate_voxels import EndplateVoxels, left_out_mm, voxels_about
from spongiosa.regions.footprint import inner_footprint
from spongiosa.volume import FloatArray, Volume

#: Thickness of the bony endplate.  [mm]
#: Ours, a starting value; thickness and concavity by micro-CT: Palepu et al., Int J Spine Surg 2019; 13: 361.
PLATE_MM = 0.7

#: Thicknesses that are tried on thin slices, which tell a thick or sclerotic plate from a thin one [mm], and the
#: standard deviation of their logarithm.
PLATES_MM, LOG_PLATE_SIGMA = (0.5, 0.7, 1.0, 1.4, 2.0), 0.3

#: Standard deviation of the blur that the scanner adds to the voxels' own, and what is tried on slices that are thin
#: enough to show it.  [mm]
KERNEL_SIGMA_MM = 0.5
KERNELS_SIGMA_MM, SHARP_SLICE_MM = (0.15, 0.5, 0.8), 3.5

#: Columns (1 mm2) that a surface is fitted to at least.
FEWEST_COLUMNS = 60

#: A plate is seen when it is brighter than this many standard errors.
CLEAR_PLATE = 4.0

TUKEY_CUTOFF = 4.685  # 95 % efficiency for Gaussian residuals (Beaton and Tukey, Technometrics 1974)
#: How much the plate's brightness varies from place to place, as a share of it.
VARIATION = 0.3
#: Sclerosis below a plate: a layer of this thickness.  [mm]
SCLEROSIS_MM = 5.0
#: What is known of disc, spongy bone minus disc and plate [HU], of the slope below the plate [HU/mm] and of the layer
#: of sclerosis [HU] where thick slices show too little of them: mean and standard deviation.
LINEAR_PRIOR = np.array([[80.0, 30.0], [50.0, 100.0], [700.0, 400.0], [0.0, 5.0], [0.0, 60.0]])
#: Of these, those of a model without a plate.
WITHOUT_PLATE = [0, 1, 3, 4]
#: Noise before it is known.  [HU]
NOISE_HU = 30.0
#: A plate's thickness varies over some millimetres, which is taken for place: of a few thousand voxels only so many
#: count as independent of each other, on slices up to `CLEAR_SLICE_MM` this share; the share falls with the slices'
#: thickness by this power (a second one says whether there is a plate at all).  Chosen on synthetic scans.
INDEPENDENT_SHARE, INDEPENDENT_POWER, VISIBLE_POWER = 0.05, 4.5, 2.0
ITERATIONS = 8
SMALLEST_STEP_MM = 0.02
#: Step of the derivative by the logarithm of the dish's size.
SIZE_STEP = 0.01


def fit_endplate(volume: Volume, bodies: Volume, body: VertebralBody, is_superior: bool) -> EndplateSurface | None:
    """The outer surface of one endplate from the image; None when no plate is seen where the label map has one.

    With d the depth of a voxel below the surface, its HU is modelled as

        disc + (spongy - disc) H(d - t) + plate (H(d) - H(d - t)) + slope max(d - t, 0)
            + sclerosis (H(d - t) - H(d - t - 5 mm)),

    H the unit step blurred by the voxel's extent along the surface's normal (a box) and the kernel (a Gaussian), t the
    plate's thickness.  The surface is a dish in a plane rim (`EndplateSurface`), the label map's its starting point;
    Gauss-Newton with Tukey's biweight, so that spurs, nodes and sclerosis pull little.
    """
    surfaces, outward = body.surfaces, 1.0 if is_superior else -1.0
    footprint = inner_footprint(surfaces, left_out_mm(body))
    if int(footprint.sum()) < FEWEST_COLUMNS:
        return None
    start, prior_sigma = starting_surface(body, footprint, is_superior)
    voxels = voxels_about(volume, bodies, body, start, footprint, outward)
    if voxels is None:
        return None
    found = _Fit(voxels, body, outward).run(start, prior_sigma)
    if found is None:
        return None
    rows, columns = np.nonzero(footprint)
    places = surfaces.left_mm[columns], surfaces.posterior_mm[rows]
    moved = found.height_mm(*places) - start.height_mm(*places)
    limit = 1.5 + 0.75 * voxel_extent_mm(body.grid, body.frame.superior)
    return found if abs(float(moved.mean())) <= limit and float(np.abs(moved).max()) <= 3.0 * limit else None


class _Fit:
    """The surface that explains the HU of voxels about a plate best, beside the label map's surface.

    Its parameters are the surface's terms and the logarithm of the dish's size, shape (12,).
    """

    def __init__(self, voxels: EndplateVoxels, body: VertebralBody, sign: float) -> None:
        self.voxels, self.sign, self.plate_mm = voxels, sign, PLATE_MM
        along = np.abs(np.asarray(body.grid.direction).T @ body.frame.superior) * np.asarray(body.grid.spacing_mm)
        widest = int(along.argmax())
        self.box_mm = max(float(along[widest]), 0.2)
        self.in_plane_variance_mm2 = float((np.delete(along, widest) ** 2).sum() / 12)
        thinness = CLEAR_SLICE_MM / float(along[widest])
        self.shows_thickness, self.shows_blur = thinness >= 1.0, self.box_mm <= SHARP_SLICE_MM
        self.independent_share = min(INDEPENDENT_SHARE, thinness**INDEPENDENT_POWER)
        self.visible_share = min(1.0, thinness**VISIBLE_POWER)
        self.table_mm = np.arange(-16.0, 16.0, 0.05)
        self.step_table = self._blurred(KERNEL_SIGMA_MM)
        self.highest = float((self._design(self.table_mm)[:, 2]).max())

    def run(self, start: EndplateSurface, prior_sigma: FloatArray) -> EndplateSurface | None:
        """The surface where the model fits best, or None when the plate does not stand out."""
        self.shape, self.size_of_terms = start, float("nan")
        self.start, self.prior_sigma = np.append(start.coefficients_mm, 0.0), prior_sigma
        self.weights = np.full(len(self.voxels.hu), self.independent_share / NOISE_HU**2)
        parameters = self._scanned(self.start.copy())
        _, linear = self._residual(parameters)
        self.plate_hu, self.contrast_hu = float(linear[2]), float(linear[2]) * self.highest + abs(float(linear[1]))
        parameters = self._polished(parameters, [*PLANE, DISH, *WARP])
        if self.shows_blur:
            parameters = self._with_own_profile(parameters)
        parameters = self._polished(parameters, list(range(len(parameters))))
        return self._surface(parameters) if self._stands_out(parameters) else None

    def _surface(self, parameters: FloatArray) -> EndplateSurface:
        return self.shape.with_terms(parameters[:TERM_COUNT], float(np.exp(parameters[SIZE])))

    def _terms(self, parameters: FloatArray) -> FloatArray:
        """The surface's terms over the voxels, shape (n, 11); they change with the dish's size alone."""
        if parameters[SIZE] != self.size_of_terms:
            self.size_of_terms = float(parameters[SIZE])
            self.terms = self._surface(parameters).terms(*self.voxels.local_mm.T[:2])
        return self.terms

    def _height_mm(self, parameters: FloatArray) -> FloatArray:
        return np.asarray(self._terms(parameters) @ parameters[:TERM_COUNT])

    def _rises(self, parameters: FloatArray, free: list[int]) -> FloatArray:
        """Derivatives of the surface's height over the voxels by the free parameters, shape (n, free)."""
        rises = self._terms(parameters)
        if SIZE in free:
            larger = parameters.copy()
            larger[SIZE] += SIZE_STEP
            by_size = (self._height_mm(larger) - rises @ parameters[:TERM_COUNT]) / SIZE_STEP
            rises = np.column_stack([rises, by_size])
        return np.asarray(rises[:, free])

    def _scanned(self, parameters: FloatArray) -> FloatArray:
        """The best height and tilts, and the dish where slices show it, on a grid, one after the other.

        A plate is not missed by a descent that starts beside it.
        """
        sought = [*PLANE, DISH] if self.shows_blur else PLANE
        for reach in (1.0, 0.5):
            for term in sought:
                offsets = np.linspace(-1.5, 1.5, 13) * reach * self.prior_sigma[term]
                costs = []
                for offset in offsets:
                    trial = parameters.copy()
                    trial[term] += offset
                    costs.append(self._cost(trial))
                parameters[term] += offsets[int(np.argmin(costs))]
        return parameters

    def _polished(self, parameters: FloatArray, free: list[int]) -> FloatArray:
        """Levenberg-Marquardt over the free terms."""
        damping = 1e-2
        for _ in range(ITERATIONS):
            self._reweigh(parameters)
            cost = self._cost(parameters)
            residual, linear = self._residual(parameters)
            jacobian = (self.sign * self._slope(parameters, linear))[:, None] * self._rises(parameters, free)
            weighted = jacobian * self.weights[:, None]
            gradient = weighted.T @ residual + (self.start - parameters)[free] / self.prior_sigma[free] ** 2
            hessian = weighted.T @ jacobian + np.diag(1.0 / self.prior_sigma[free] ** 2)
            for _ in range(4):
                step = np.linalg.solve(hessian + damping * np.diag(np.diag(hessian)), gradient)
                trial = parameters.copy()
                trial[free] += step
                if self._cost(trial) < cost:
                    parameters, damping = trial, damping / 5
                    break
                damping *= 10
            else:
                break
            if np.abs(step).max() < SMALLEST_STEP_MM:
                break
        return parameters

    def _with_own_profile(self, parameters: FloatArray) -> FloatArray:
        """The same surface with the blur that fits best, on thin slices also with the best thickness of the plate.

        The plate's middle stays where it was.
        """

        def moved(plate_mm: float) -> FloatArray:
            return np.concatenate([[parameters[0] + self.sign * (plate_mm - PLATE_MM) / 2], parameters[1:]])

        best = np.inf
        plates = PLATES_MM if self.shows_thickness else (PLATE_MM,)
        for kernel_sigma_mm, plate_mm in product(KERNELS_SIGMA_MM, plates):
            self.step_table, self.plate_mm = self._blurred(kernel_sigma_mm), plate_mm
            cost = self._cost(moved(plate_mm)) + (np.log(plate_mm / PLATE_MM) / LOG_PLATE_SIGMA) ** 2
            if cost < best:
                best, profile = cost, (self.step_table, plate_mm)
        self.step_table, self.plate_mm = profile
        return moved(self.plate_mm)

    def _blurred(self, kernel_sigma_mm: float) -> FloatArray:
        """The unit step as voxels and scanner show it, over `table_mm`."""
        return blurred_step(self.table_mm, self.box_mm, float(np.sqrt(kernel_sigma_mm**2 + self.in_plane_variance_mm2)))

    def _residual(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """HU minus the model at its best linear part, and that part (as in `_design`)."""
        design = self._design(self._depth(parameters))
        linear = _solution(design, self.voxels.hu, self.weights, slice(None))
        if linear[2] < 0:
            others = _solution(design[:, WITHOUT_PLATE], self.voxels.hu, self.weights, WITHOUT_PLATE)
            linear = np.insert(others, 2, 0.0)
        return self.voxels.hu - design @ linear, linear

    def _slope(self, parameters: FloatArray, linear: FloatArray) -> FloatArray:
        """The model's derivative by depth."""
        depth = self._depth(parameters)
        return np.asarray((self._design(depth + 0.05) - self._design(depth - 0.05)) @ linear / 0.1)

    def _depth(self, parameters: FloatArray) -> FloatArray:
        """Depth of the voxels below the surface with its rounded rim.  [mm]"""
        flat = self.sign * (self._height_mm(parameters) - self.voxels.local_mm[:, 2])
        return np.asarray(flat - self.voxels.drop_mm)

    def _cost(self, parameters: FloatArray) -> float:
        residual, _ = self._residual(parameters)
        away = (parameters - self.start) / self.prior_sigma
        return float((self.weights * residual**2).sum() + (away**2).sum())

    def _reweigh(self, parameters: FloatArray) -> None:
        """Inverse variances times Tukey's biweight.

        A voxel of the plate varies with the plate's thickness, besides the noise.  What stands out by less than the
        plate itself is no outlier: it may be the plate, in another place.
        """
        residual, _ = self._residual(parameters)
        noise = max(1.4826 * float(np.median(np.abs(residual))), 2.0)
        depth = self._depth(parameters)
        plate = self.plate_hu * self._design(depth)[:, 2]
        variance = noise**2 + (VARIATION * plate) ** 2
        tolerated = np.maximum(variance, (VARIATION * self.contrast_hu) ** 2)
        biweight = np.clip(1.0 - residual**2 / (TUKEY_CUTOFF**2 * tolerated), 0.0, None) ** 2
        self.weights = self.independent_share * biweight / variance

    def _stands_out(self, parameters: FloatArray) -> bool:
        """Whether there is a plate, and it and the spongy bone differ from the disc by many standard errors.

        Sclerosis as thick as a voxel hides the plate: the step to it says less of the surface than the label map.
        """
        depth = self._depth(parameters)
        design = self._design(depth)
        _, linear = self._residual(parameters)
        if linear[2] <= 0:
            return False
        weights = self.weights * (self.visible_share / self.independent_share)
        known = np.diag([0.0, 0.0, 0.0, *LINEAR_PRIOR[3:, 1] ** -2])  # of slope and sclerosis, beside the voxels
        covariance = np.linalg.pinv((design * weights[:, None]).T @ design + known)
        contrast = np.array([0.0, 1.0, 1.0, 0.0, 0.0])
        return bool(contrast @ linear > CLEAR_PLATE * np.sqrt(contrast @ covariance @ contrast))

    def _design(self, depth: FloatArray) -> FloatArray:
        """Columns disc, spongy - disc, plate, slope and sclerosis of the model, shape (n, 5)."""
        outer = np.interp(depth, self.table_mm, self.step_table)
        inner = np.interp(depth - self.plate_mm, self.table_mm, self.step_table)
        deeper = np.interp(depth - self.plate_mm - SCLEROSIS_MM, self.table_mm, self.step_table)
        below = np.maximum(depth - self.plate_mm, 0.0)
        return np.stack([np.ones_like(depth), inner, outer - inner, below, inner - deeper], axis=1)


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
