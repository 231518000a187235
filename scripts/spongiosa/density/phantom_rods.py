"""The HU of a phantom's rods, slice by slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spongiosa.regions.coverage import Box, coverage
from spongiosa.regions.shapes import Cylinder
from spongiosa.volume import FloatArray, Volume

#: Share of a rod's section that must lie in the image, for a slice to count.
WHOLE_SECTION = 0.97

#: A slice whose mean lies further from the rod's median is beyond its end, or has an artefact: this many HU, and this
#: many times the usual scatter.
STRAY_SLICE_HU = 25.0
STRAY_SLICE_SCATTER = 6.0

#: Fewest slices for a drift, and least length.  [mm]
FEWEST_SLICES_FOR_DRIFT = 6
SHORTEST_FOR_DRIFT_MM = 30.0


@dataclass(frozen=True)
class RodAxes:
    """Rods as parallel lines through an axial grid.

    `places_mm`: (u, v) of each rod at `middle_slice`, from the centre of the first pixel along columns and rows, shape
    (n, 2), NaN for a rod that is not there; `course`: mm per mm of height; `core_radius_mm`: what is measured.
    """

    places_mm: FloatArray
    course: FloatArray
    middle_slice: float
    core_radius_mm: float


@dataclass(frozen=True)
class RodMeasurement:
    """Per rod: mean HU over the slices where all rods are seen, SD within them, drift, and the centre (LPS mm).

    `coverage` is the share of slices in which all rods are seen, `slices` their number.
    """

    hu: FloatArray
    sd_hu: FloatArray
    drift_hu_per_100mm: FloatArray
    centres_mm: FloatArray
    coverage: float
    slices: int


def measure_rods(scan: Volume, axes: RodAxes, slices: range, is_wanted: NDArray[np.bool_]) -> RodMeasurement:
    """Measure the wanted rods within `slices` of an axial scan; NaN for all others.

    The drift is the median of the slopes between all pairs of slices (Theil 1950, Sen 1968).
    """
    count = len(axes.places_mm)
    means = np.full((count, len(slices)), np.nan)
    sds = np.full((count, len(slices)), np.nan)
    centres = np.full((count, 3), np.nan)
    for rod in np.flatnonzero(is_wanted):
        centres[rod], means[rod], sds[rod] = _by_slice(scan, axes, int(rod), slices)
    whole = np.isfinite(means).mean(axis=1) > 0
    seen = np.isfinite(means) & ~_stray(means)
    together = seen[whole].all(axis=0) if whole.any() else np.zeros(len(slices), bool)
    heights = np.arange(len(slices)) * scan.geometry.spacing_mm[2]
    hu, sd, drift = (np.full(count, np.nan) for _ in range(3))
    if together.any():
        for rod in np.flatnonzero(whole):
            hu[rod] = means[rod, together].mean()
            sd[rod] = np.sqrt((sds[rod, together] ** 2).mean())
            drift[rod] = _drift(heights[together], means[rod, together])
    return RodMeasurement(hu, sd, drift, centres, float(together.mean()), int(together.sum()))


def _by_slice(scan: Volume, axes: RodAxes, rod: int, slices: range) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The rod's centre (LPS mm) and, per slice, weighted mean and SD of its core in HU; NaN where it is cut."""
    geometry = scan.geometry
    dx, dy, dz = geometry.spacing_mm
    ends = []
    for index in (slices.start - 1.0, axes.middle_slice, float(slices.stop)):
        u, v = axes.places_mm[rod] + axes.course * (index - axes.middle_slice) * dz
        ends.append(geometry.points_mm(np.array([index, v / dy, u / dx])))
    start, centre, end = ends
    length = float(np.linalg.norm(end - start))
    cylinder = Cylinder(start, (end - start) / length, length, axes.core_radius_mm)
    weights = coverage(cylinder, geometry, Box.around(cylinder.corners_mm(), geometry))
    hu = scan.voxels.reshape(-1)[weights.indices].astype(np.float64)
    share = weights.weights.astype(np.float64)
    at = weights.indices // (geometry.shape[1] * geometry.shape[2]) - slices.start
    is_within = (at >= 0) & (at < len(slices))
    at, hu, share = at[is_within], hu[is_within], share[is_within]
    total, first, second = (np.bincount(at, share * hu**power, len(slices)) for power in (0, 1, 2))
    cosine = abs(float(cylinder.direction @ np.asarray(geometry.direction)[:, 2]))
    section = np.pi * axes.core_radius_mm**2 / cosine / (dx * dy)
    is_whole = total >= WHOLE_SECTION * section
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(is_whole, first / total, np.nan)
        sd = np.where(is_whole, np.sqrt(np.maximum(second / total - (first / total) ** 2, 0.0)), np.nan)
    return centre, mean, sd


def _stray(means: FloatArray) -> NDArray[np.bool_]:
    """Slices of each rod, shape (rods, slices), that do not show the rod."""
    stray = np.zeros(means.shape, bool)
    for rod in np.flatnonzero(np.isfinite(means).any(axis=1)):
        from_median = np.abs(means[rod] - np.nanmedian(means[rod]))
        scatter = 1.4826 * float(np.nanmedian(from_median))
        stray[rod] = from_median > max(STRAY_SLICE_HU, STRAY_SLICE_SCATTER * scatter)
    return stray


def _drift(heights_mm: FloatArray, hu: FloatArray) -> float:
    """HU per 100 mm; NaN where the rod is seen over too short a length to tell."""
    if len(hu) < FEWEST_SLICES_FOR_DRIFT or np.ptp(heights_mm) < SHORTEST_FOR_DRIFT_MM:
        return float("nan")
    return 100.0 * float(stats.theilslopes(hu, heights_mm).slope)
