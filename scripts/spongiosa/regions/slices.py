"""The three-slice ellipses: below the superior endplate, at mid-height, above the inferior endplate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spongiosa.config.regions import EllipseSettings
from spongiosa.outcome import Reason
from spongiosa.regions.body import VertebralBody, voxel_extent_mm
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.planes import ENDPLATE_THICKNESS_MM, Height, SlicePlane, measurement_plane, next_slice
from spongiosa.regions.region import Region
from spongiosa.regions.sections import Section, cut, largest_ellipse
from spongiosa.regions.shapes import EllipticCylinder
from spongiosa.regions.site import Site
from spongiosa.volume import FloatArray, Volume

#: What a region keeps from the endplates where a tilted slice cuts them: half the smallest allowed offset of the
#: plane, or half a slice and the thickness of an endplate.  [mm]
ENDPLATE_CLEARANCE_MM = 2.0

#: A native slice whose ellipse is smaller than this share of the next slice's loses it to the endplate and gives way.
KEPT_SHARE = 0.6

#: HU that fall steeply do so within this, or from one slice to the next on thicker ones.  [mm]
STEP_MM = 3.0

#: Flag of a region that lies deeper than configured, because the slices nearer to the endplate are much denser.
DEEPER_SLICE = "deeper_slice"

HEIGHTS: tuple[Height, ...] = ("superior", "mid", "inferior")


def place_ellipses(site: Site) -> list[Region]:
    """The largest ellipse in the trabecular area of each of the three slices.

    Source: three-slice method of opportunistic CT (Schreiber et al., J Bone Joint Surg Am 2011; 93: 1057-1063); the
    planes' offset, margin and exclusion are configuration.
    """
    return [_place_ellipse(site, height) for height in HEIGHTS]


def _place_ellipse(site: Site, height: Height) -> Region:
    name, settings, kind = f"ellipse_{height}", site.settings.ellipse, site.settings.plane
    plane = measurement_plane(site.body, height, kind, settings.endplate_offset_mm)
    ellipse = _ellipse_in(site.body, plane, height, settings)
    deeper = next_slice(plane, site.body) if height != "mid" else None
    if deeper is not None:
        other = _ellipse_in(site.body, deeper, height, settings)
        if other is not None and (ellipse is None or ellipse.area_mm2 < KEPT_SHARE * other.area_mm2):
            plane, ellipse = deeper, other
    if ellipse is None:
        detail = f"The trabecular area of {site.level} in the plane of {name} has no room for an ellipse."
        return site.missing(name, Reason.REGION_TOO_SMALL, detail, plane=kind)
    first = _Slice(plane, ellipse)
    measured = first if deeper is None else _below_dense_bone(site, height, first)
    flags = () if measured is first else (DEEPER_SLICE,)
    return site.region(name, measured.weights, plane=kind, area_mm2=measured.ellipse.area_mm2, flags=flags)


@dataclass(frozen=True)
class _Slice:
    """A plane with the ellipse in it."""

    plane: SlicePlane
    ellipse: EllipticCylinder

    @cached_property
    def weights(self) -> VoxelWeights:
        return self.plane.weights(self.ellipse, self.ellipse.outline_mm())

    def means_hu(self, volume: Volume, slice_axis: int, slices: NDArray[np.int64]) -> FloatArray:
        """Means of the image under the ellipse in native slices of these numbers, shape (n,)."""
        voxels = list(np.unravel_index(self.weights.indices, volume.voxels.shape))
        means = []
        for number in slices:
            voxels[slice_axis] = np.full(len(self.weights.indices), number)
            means.append(np.average(volume.voxels[tuple(voxels)], weights=self.weights.weights.astype(float)))
        return np.asarray(means)


def _below_dense_bone(site: Site, height: Height, first: _Slice) -> _Slice:
    """`first`, or the native slice below the last steep fall of HU between it and the middle of the body.

    A fall is steep when it exceeds `ellipse.steepest_step_hu` within `STEP_MM`, or from slice to slice on thicker ones.
    Where HU fall by a hundred from slice to slice, below a sclerotic or crushed endplate, a tenth of a millimetre of
    the endplate decides which slice is measured, and its value says nothing of the spongy bone.
    """
    steepest, volume, axis = site.settings.ellipse.steepest_step_hu, site.volume, first.plane.slice_axis
    if steepest is None or volume is None or axis is None or first.weights.indices.size == 0:
        return first
    planes = [first.plane]
    while (plane := next_slice(planes[-1], site.body)) is not None and _is_before_the_middle(plane, site.body, height):
        planes.append(plane)
    means = first.means_hu(volume, axis, np.array([plane.slice_index for plane in planes]))
    lag = max(1, int(np.ceil(STEP_MM / voxel_extent_mm(site.body.grid, first.plane.axes.normal) - 0.01)))
    falls = np.flatnonzero(means[:-lag] - means[lag:] > steepest)
    if falls.size == 0:
        return first
    plane = planes[int(falls[-1]) + 1]
    ellipse = _ellipse_in(site.body, plane, height, site.settings.ellipse)
    return first if ellipse is None else _Slice(plane, ellipse)


def _is_before_the_middle(plane: SlicePlane, body: VertebralBody, height: Height) -> bool:
    """Whether a plane still lies on the side of its endplate."""
    beyond = float((plane.axes.point_mm - body.frame.centre_mm) @ body.frame.superior)
    return beyond > 0 if height == "superior" else beyond < 0


def _ellipse_in(
    body: VertebralBody, plane: SlicePlane, height: Height, settings: EllipseSettings
) -> EllipticCylinder | None:
    """The ellipse of a plane, or None when the plane misses the body or leaves no room."""
    section = clear_section(body, plane, settings.margin_mm)
    if section is None:
        return None
    area = in_front_of_the_vein(section, settings.posterior_exclusion) if height == "mid" else section.trabecular
    return largest_ellipse(section, area, settings.fraction)


def in_front_of_the_vein(section: Section, posterior_share: float) -> NDArray[np.bool_]:
    """The trabecular area without the posterior share of the body's depth, where the basivertebral vein enters."""
    anterior, posterior = section.depth_range_mm
    limit = posterior - posterior_share * (posterior - anterior)
    return np.asarray(section.trabecular & (section.v_mm[:, None] <= limit))


def clear_section(body: VertebralBody, plane: SlicePlane, margin_mm: float) -> Section | None:
    """The section of a body in a plane, its trabecular area clear of cortex and endplates."""
    half_slice_mm = voxel_extent_mm(body.grid, plane.axes.normal) / 2
    return cut(body, plane, margin_mm, max(ENDPLATE_CLEARANCE_MM, half_slice_mm + ENDPLATE_THICKNESS_MM))
