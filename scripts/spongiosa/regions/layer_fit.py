"""Where thin dense layers lie between two tissues: parameters of a shape that explain the HU of voxels best.

Pedicles and walls of vertebral bodies are a cortex thinner than a voxel between soft tissue and marrow.  A shape says
what share of every voxel each tissue has; the HU of the tissues are linear and found within, the shape's parameters by
Levenberg and Marquardt about what a label map says of them, with its uncertainty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spongiosa.volume import FloatArray

#: Shares of the tissues in the voxels for the parameters of a shape, shape (n, tissues).
Shares = Callable[[FloatArray], FloatArray]

#: The thickness of a cortex varies over some millimetres: the voxels within such a patch count as one.  Chosen on
#: synthetic scans.  [mm3]
PATCH_MM3 = 13.0
#: Residuals from which on voxels lose weight: brighter ones are other bone, darker ones noise.  [HU]
BRIGHT_HU, DARK_HU = 150.0, 240.0
#: No cortex is as bright: voxels from here on are metal, among which no layer is fitted.  [HU]
METAL_HU = 2500.0
_ITERATIONS, _DAMPINGS = 15, 6


@dataclass(frozen=True)
class KnownShape:
    """What is known of a shape's parameters beforehand, each array of shape (p,) but for the precision, (p, p).

    `steps` are those of the derivatives, `longest` those of an iteration, `still` those that end it; parameters stay
    between `lowest` and `highest`.
    """

    start: FloatArray
    precision: FloatArray
    steps: FloatArray
    longest: FloatArray
    still: FloatArray
    lowest: FloatArray
    highest: FloatArray

    @classmethod
    def of_one_unit(cls, start: FloatArray, precision: FloatArray, steps: tuple[float, float, float]) -> KnownShape:
        """Parameters that are all of one unit and may have any value; `steps`: derivative, longest, still."""
        every = np.ones(len(start))
        step, longest, still = steps
        return cls(start, precision, step * every, longest * every, still * every, -np.inf * every, np.inf * every)


@dataclass(frozen=True)
class FittedShape:
    """Parameters, shape (p,), their covariance, shape (p, p), and the HU of the tissues."""

    parameters: FloatArray
    covariance: FloatArray
    tissues_hu: FloatArray


@dataclass(frozen=True)
class KnownImage:
    """HU of voxels, shape (n,), the volume of one, mean and standard deviation of every tissue's HU, shape (k, 2), and
    the standard deviation of what model and image differ by over a patch of cortex."""

    hu: FloatArray
    voxel_volume_mm3: float
    tissues_hu: FloatArray
    misfit_hu: float


def fit_layers(shares: Shares, image: KnownImage, known: KnownShape) -> FittedShape:
    """The shape that explains an image best.

    Voxels have the weight 1 / (1 + (residual / scale)^2), the scale being `BRIGHT_HU` or `DARK_HU`.
    """
    return _LayerFit(shares, image, known).run()


class _LayerFit:
    def __init__(self, shares: Shares, image: KnownImage, known: KnownShape) -> None:
        self.shares, self.hu, self.known = shares, image.hu, known
        self.mean, self.sigma = image.tissues_hu.T
        self.misfit_hu = image.misfit_hu * float(np.sqrt(max(PATCH_MM3 / image.voxel_volume_mm3, 1.0)))
        self.root = np.linalg.cholesky(known.precision).T
        self.weights = np.ones(len(image.hu))

    def run(self) -> FittedShape:
        known, parameters, damping = self.known, self.known.start.copy(), 1e-3
        shares = self.shares(parameters)
        for _ in range(_ITERATIONS):
            errors = self._errors(parameters, shares)
            cost = np.square(errors).sum()
            jacobian = self._jacobian(parameters, errors)
            normal, gradient = jacobian.T @ jacobian, jacobian.T @ errors
            for _ in range(_DAMPINGS):
                step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -gradient)
                trial = parameters + np.clip(step, -known.longest, known.longest)
                trial = np.clip(trial, known.lowest, known.highest)
                trial_shares = self.shares(trial)
                if np.square(self._errors(trial, trial_shares)).sum() < cost:
                    damping = max(damping / 5.0, 1e-6)
                    break
                damping *= 8.0
            else:
                break
            moved, parameters, shares = np.abs(trial - parameters), trial, trial_shares
            self._reweight(shares)
            if (moved < known.still).all():
                break
        return FittedShape(parameters, np.asarray(np.linalg.inv(normal)), self._tissues(shares))

    def _tissues(self, shares: FloatArray) -> FloatArray:
        """The HU of the tissues that fit best beside what is known of them."""
        weighted = shares * (self.weights / self.misfit_hu**2)[:, None]
        normal = weighted.T @ shares + np.diag(self.sigma**-2)
        return np.asarray(np.linalg.solve(normal, weighted.T @ self.hu + self.mean / self.sigma**2))

    def _errors(self, parameters: FloatArray, shares: FloatArray) -> FloatArray:
        """Weighted residuals of voxels, tissues and parameters, each in its standard deviation."""
        tissues = self._tissues(shares)
        of_voxels = np.sqrt(self.weights) * (self.hu - shares @ tissues) / self.misfit_hu
        of_tissues = (tissues - self.mean) / self.sigma
        return np.concatenate([of_voxels, of_tissues, self.root @ (parameters - self.known.start)])

    def _jacobian(self, parameters: FloatArray, errors: FloatArray) -> FloatArray:
        changed = parameters + np.diag(self.known.steps)
        differences = np.stack([self._errors(each, self.shares(each)) - errors for each in changed], axis=1)
        return np.asarray(differences / self.known.steps)

    def _reweight(self, shares: FloatArray) -> None:
        residual = self.hu - shares @ self._tissues(shares)
        self.weights = 1.0 / (1.0 + np.square(residual / np.where(residual > 0, BRIGHT_HU, DARK_HU)))
