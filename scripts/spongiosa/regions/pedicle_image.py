"""The axes of pedicles as the image shows them, where voxels are too coarse for a label map to do so.

A label map places the wall of a pedicle to a voxel; over the 10 mm of its trunk that leaves the axis uncertain by 2.5
degrees in slices of 3 mm and by 4 in those of 5 mm.  A voxel that the wall crosses tells by its HU how much of it is
bone.  Yet a thick cortex looks like a near one, and its thickness changes from patch to patch: the label map's axis
keeps a weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

from spongiosa.anatomy.frame import VertebralFrame, unit_vector
from spongiosa.regions.body import VertebralBody, voxel_extent_mm
from spongiosa.regions.coverage import Box
from spongiosa.regions.layer_fit import METAL_HU, KnownImage, KnownShape, fit_layers
from spongiosa.regions.pedicle_axes import SIDES, Pedicle
from spongiosa.regions.thinning import is_kept
from spongiosa.volume import FloatArray, Geometry, Volume

#: Voxels no longer than this place an axis by their labels alone: to 0.5 degrees.  [mm]
FINE_VOXEL_MM = 0.8
#: The trunk that is fitted: so far from the isthmus along the axis, and in long voxels so much of one further; around
#: it, so far beyond its surface.  [mm, voxels, mm]
TRUNK_HALF_LENGTH_MM, TRUNK_VOXELS, AROUND_MM = 4.5, 0.4, 5.0
#: Bone so far outside of the tube is a flare; voxels about it, and about other vertebrae, are left out.  [mm, mm]
FLARE_MM, CLEARANCE_MM = 0.8, 2.0
#: Voxels that a tube is fitted to at least and at most.
FEWEST_VOXELS, MOST_VOXELS = 30, 1500
#: Inside of a voxel the model is sampled in steps no longer than this.  [mm]
SAMPLE_MM = 1.0
#: Thickness of the cortex, and the standard deviation of the scanner's blur.  Ours, starting values.  [mm]
CORTEX_MM, KERNEL_SIGMA_MM = 0.9, 0.6

#: What is known of marrow, cortex and surroundings [HU], and of how these change to the side and upwards: mean and
#: standard deviation.
TISSUES_HU = np.array([[100.0, 400.0], [600.0, 600.0], [20.0, 100.0], [0.0, 60.0], [0.0, 60.0]])
#: What model and image differ by (see `layer_fit`).  Chosen on synthetic scans.  [HU]
MISFIT_HU = 80.0
#: Cortex below which a pedicle does not stand out.  [HU]
FAINTEST_CORTEX_HU = 100.0

#: Standard deviation of a label map's axis per voxel across it [rad/mm, mm/mm], and the least place's [mm]; that of
#: its semi-axes.  [mm]
TILT_SIGMA_PER_MM, PLACE_SIGMA_PER_MM, LEAST_PLACE_SIGMA_MM, SEMI_AXIS_SIGMA_MM = 0.016, 0.1, 0.02, 1.0
#: Left and right pedicles of a vertebra are mirrored but for this standard deviation.  [rad]
ASYMMETRY_SIGMA_RAD = np.deg2rad(3.0)

#: Semi-axes that a fit may reach.  [mm]
SEMI_AXES_MM = (2.0, 14.0)
#: Steps of place [mm], tilt and semi-axes [mm]: of the derivatives, the longest of an iteration, those that end a fit.
_STEPS = np.array([0.05, 0.05, 0.01, 0.01, 0.05, 0.05])
_LONGEST = np.array([1.0, 1.0, 0.1, 0.1, 1.0, 1.0])
_STILL = np.array([0.02, 0.02, 0.004, 0.004, np.inf, np.inf])
_PLACE, _TILT = slice(0, 2), slice(2, 4)


@dataclass(frozen=True)
class FittedAxis:
    """A pedicle with the axis of the image and the covariance of its unit direction, shape (3, 3), LPS."""

    pedicle: Pedicle
    covariance: FloatArray


def axes_of_image(
    pedicles: Mapping[str, Pedicle], scan: Volume, vertebrae: Volume, whole: VertebralBody
) -> dict[str, Pedicle]:
    """The pedicles of a vertebra by side with axes fitted to the image, those of the label map their starting points.

    `vertebrae` is the label map that `whole` was taken from, on the grid of `scan`.  A pedicle keeps its axis where
    the voxels are fine, where there is metal, and where its cortex does not stand out.
    """
    if max(scan.geometry.spacing_mm) <= FINE_VOXEL_MM:
        return dict(pedicles)
    fits = {side: fit_axis(pedicle, scan, vertebrae, whole) for side, pedicle in pedicles.items()}
    left, right = (fits.get(side) for side in SIDES)
    if left is None or right is None:
        return {side: pedicle if (fit := fits[side]) is None else fit.pedicle for side, pedicle in pedicles.items()}
    return dict(zip(SIDES, mirrored(left, right, whole.frame), strict=True))


def mirrored(left: FittedAxis, right: FittedAxis, frame: VertebralFrame) -> tuple[Pedicle, Pedicle]:
    """Two pedicles whose directions are drawn together where both are uncertain.

    The most likely pair: the two fits with their variances, the difference of the one and the other's mirror image
    with that of `ASYMMETRY_SIGMA_RAD`, to the side and upwards each for itself.
    """
    directions = [left.pedicle.direction, right.pedicle.direction]
    for axis, mirror in ((frame.left, -1.0), (frame.superior, 1.0)):
        variances = [float(axis @ fit.covariance @ axis) for fit in (left, right)]
        difference = left.pedicle.direction @ axis - mirror * (right.pedicle.direction @ axis)
        share = difference / (sum(variances) + ASYMMETRY_SIGMA_RAD**2)
        directions[0] = directions[0] - variances[0] * share * axis
        directions[1] = directions[1] + mirror * variances[1] * share * axis
    return turned(left.pedicle, directions[0]), turned(right.pedicle, directions[1])


def turned(pedicle: Pedicle, towards: FloatArray, isthmus_mm: FloatArray | None = None) -> Pedicle:
    """A pedicle with another direction, and another isthmus where one is given; its section turns with it."""
    direction = unit_vector(towards)
    u = unit_vector(pedicle.axes.u - (pedicle.axes.u @ direction) * direction)
    centre = pedicle.isthmus_mm if isthmus_mm is None else isthmus_mm
    axes = replace(pedicle.axes, point_mm=centre, u=u, v=np.cross(direction, u))
    return replace(pedicle, isthmus_mm=centre, direction=direction, axes=axes)


def fit_axis(pedicle: Pedicle, scan: Volume, vertebrae: Volume, whole: VertebralBody) -> FittedAxis | None:
    """The axis that explains the HU about a pedicle best; None where they do not show it.

    The HU of a voxel are modelled as the mean over it of

        marrow H(-s - t) + cortex (H(-s) - H(-s - t)) + (soft + soft_u cos a + soft_v sin a) H(s),

    s the distance to an elliptic tube, t the cortex's thickness, H the unit step blurred by the kernel, a the angle
    about the axis.  Place, tilt and semi-axes by Levenberg and Marquardt, the tissues linear within; the label map's
    axis has the weight of its own uncertainty.
    """
    voxels = _voxels_about(pedicle, scan, vertebrae, whole)
    if voxels is None:
        return None
    samples = pedicle.axes.coordinates_mm(voxels.points_mm[:, None, :] + _samples_mm(scan.geometry))
    image = KnownImage(voxels.hu, scan.geometry.voxel_volume_mm3, TISSUES_HU, MISFIT_HU)
    known = _of_label_map(pedicle, scan.geometry)
    fit = fit_layers(partial(_shares, np.moveaxis(samples, -1, 0)), image, known)
    if fit.tissues_hu[1] < FAINTEST_CORTEX_HU:
        return None
    across = np.stack([pedicle.axes.u, pedicle.axes.v])
    isthmus = pedicle.isthmus_mm + fit.parameters[_PLACE] @ across
    found = turned(pedicle, pedicle.direction + fit.parameters[_TILT] @ across, isthmus)
    return FittedAxis(found, across.T @ fit.covariance[_TILT, _TILT] @ across)


class _Voxels(NamedTuple):
    """Voxels about a pedicle: LPS centres, shape (n, 3), and HU, shape (n,)."""

    points_mm: FloatArray
    hu: FloatArray


def _voxels_about(pedicle: Pedicle, scan: Volume, vertebrae: Volume, whole: VertebralBody) -> _Voxels | None:
    """The voxels of the trunk and around it, clear of flares and of other vertebrae; None where there is metal."""
    grid = scan.geometry
    half_length = TRUNK_HALF_LENGTH_MM + TRUNK_VOXELS * voxel_extent_mm(grid, pedicle.direction)
    reach = max(pedicle.semi_axes_mm) + AROUND_MM
    u, v = pedicle.axes.u, pedicle.axes.v
    corners = [
        pedicle.isthmus_mm + along * half_length * pedicle.direction + reach * (across * u + up * v)
        for along in (-1, 1)
        for across in (-1, 1)
        for up in (-1, 1)
    ]
    box = Box.around(np.array(corners), grid)
    window = tuple(slice(low, high) for low, high in zip(box.lower, box.upper, strict=True))
    labels = vertebrae.voxels[window]
    if labels.size < FEWEST_VOXELS:
        return None
    points = grid.points_mm(box.voxel_indices())
    across, up, along = np.moveaxis(pedicle.axes.coordinates_mm(points), -1, 0)
    outside = _distance_mm(across, up, *pedicle.semi_axes_mm)
    is_own = labels == whole.label_in(vertebrae)
    is_other_bone = (is_own & (outside.reshape(labels.shape) > FLARE_MM)) | ((labels > 0) & ~is_own)
    is_clear = np.ones(labels.shape, dtype=bool)
    if is_other_bone.any():
        is_clear = ndimage.distance_transform_edt(~is_other_bone, sampling=grid.spacing_mm[::-1]) > CLEARANCE_MM
    kept = np.flatnonzero(is_clear.reshape(-1) & (np.abs(along) <= half_length) & (outside <= AROUND_MM))
    hu = np.asarray(scan.voxels[window], dtype=np.float64).reshape(-1)[kept]
    if kept.size < FEWEST_VOXELS or hu.max() >= METAL_HU:
        return None
    some = is_kept(whole.frame.to_local_mm(points[kept]), MOST_VOXELS)
    return _Voxels(points[kept][some], hu[some])


def _samples_mm(grid: Geometry) -> FloatArray:
    """Points within a voxel, evenly, in steps of at most `SAMPLE_MM` as a rule, LPS, shape (m, 3)."""
    counts = [max(round(step / SAMPLE_MM), 1) for step in grid.spacing_mm]
    steps = [((np.arange(n) + 0.5) / n - 0.5) * mm for n, mm in zip(counts, grid.spacing_mm, strict=True)]
    points = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(points @ np.asarray(grid.direction).T)


def _of_label_map(pedicle: Pedicle, grid: Geometry) -> KnownShape:
    """Place (u, v), tilt (u, v) and semi-axes as the label map has them, and how uncertain it leaves them."""
    extents = np.array([voxel_extent_mm(grid, axis) for axis in (pedicle.axes.u, pedicle.axes.v)])
    place = np.maximum(PLACE_SIGMA_PER_MM * extents, LEAST_PLACE_SIGMA_MM)
    sigma = np.array([*place, *(TILT_SIGMA_PER_MM * extents), SEMI_AXIS_SIGMA_MM, SEMI_AXIS_SIGMA_MM])
    lowest, highest = np.full(6, -np.inf), np.full(6, np.inf)
    lowest[4:], highest[4:] = SEMI_AXES_MM
    start = np.array([0.0, 0.0, 0.0, 0.0, *pedicle.semi_axes_mm])
    return KnownShape(start, np.diag(sigma**-2), _STEPS, _LONGEST, _STILL, lowest, highest)


def _shares(samples_mm: FloatArray, parameters: FloatArray) -> FloatArray:
    """Shares of marrow, cortex and surroundings in every voxel, those to the side and upwards, shape (n, 5).

    `samples_mm` are the points within the voxels across (u, v) and along the label map's axis, shape (3, n, m).
    """
    across, up, along = samples_mm
    across = across - parameters[0] - parameters[2] * along
    up = up - parameters[1] - parameters[3] * along
    distance = _distance_mm(across, up, *parameters[4:])
    bone, marrow = ndtr(-distance / KERNEL_SIGMA_MM), ndtr(-(distance + CORTEX_MM) / KERNEL_SIGMA_MM)
    soft = 1.0 - bone
    far = np.maximum(np.hypot(across, up), SAMPLE_MM)
    shares = (marrow, bone - marrow, soft, soft * across / far, soft * up / far)
    return np.stack([each.mean(axis=1) for each in shares], axis=1)


def _distance_mm(across: FloatArray, up: FloatArray, half_across: float, half_up: float) -> FloatArray:
    """Distance of points to an ellipse to first order, negative inside.  [mm]"""
    ratio = np.maximum(np.hypot(across / half_across, up / half_up), 1e-6)
    slope = np.hypot(across / half_across**2, up / half_up**2) / ratio
    return np.asarray((ratio - 1.0) / np.maximum(slope, 1e-6))
