"""The regions as docs/regions.md defines them, on the generator's own geometry and the grid of the scan.

The generator's ideal regions know no scan: their slices lie at exact heights and have no thickness, and their insets
do not follow the scan's.  What a scan of 3 mm slices can answer is another question: which slice is the nearest that
keeps clear of the endplate, and what does it hold?  Here the same definitions are laid out as in the documentation, on
true surfaces and true axes, and the continuous field is averaged over them.  Nothing here has seen the image: of the
scan only its grid is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.ellipse import largest_inscribed_ellipse
from spongiosa.synthetic.image import SyntheticImage
from spongiosa.synthetic.placed import Ellipse, Voxels
from spongiosa.synthetic.scanner import RenderedScan
from spongiosa.synthetic.truth import body_centroid
from spongiosa.synthetic.truth_regions import ELLIPSES, SHAPES, IdealRegions, Plane, Side, endplate
from spongiosa.synthetic.vertebra import Vertebra

Floats = NDArray[np.float64]

#: Margin to the outer surface, and the voxels that it has at least.  [mm, voxels]
MARGIN_MM, MARGIN_VOXELS = 5.0, 1.5
#: Distance of the outer planes from the endplate.  [mm]
OFFSET_MM = 4.0
#: What an outer plane keeps from the endplate's surface: of its own slice (native) or voxel (oblique), and further.
NATIVE_REACH, NATIVE_KEPT_MM = 0.75, 1.5
OBLIQUE_REACH, OBLIQUE_KEPT_MM = 1.5, 1.0
#: What the area within a slice keeps from the endplates: this, or half a slice and 1 mm.  [mm]
CLEARANCE_MM, PLATE_MM = 2.0, 1.0
#: An outer slice whose ellipse is smaller than this share of the next slice's gives way to it.
KEPT_SHARE = 0.6
#: The surface of an endplate on the axis is its median within this radius.  [mm]
AXIS_RADIUS_MM = 6.0
#: Height of the central cylinder, and its semi-axes as a share of the ellipse's.  [mm, -]
CENTRAL_MM, CENTRAL_SHARE = 9.0, 0.7
#: Step of the samples within a voxel.  [mm]
STEP_MM = 0.8

#: Regions that are defined here; the others are the generator's.
DEFINED = (*ELLIPSES, *SHAPES, "body_trabecular", "body_central")


class Defined(NamedTuple):
    """Mean of the field over a region [HU], and the number of the slice that it lies in; NaN where there is none."""

    hu: float
    slice_number: float


def defined(scan: RenderedScan, level: str, region: str, plane: Plane, slice_number: int | None = None) -> Defined:
    """Mean of the continuous field over a region as it is defined for the scan's grid; NaN where it has no room.

    A region of a slice holds what its voxels hold: the field is averaged over the voxels that the region covers, each
    weighed by its covered area, over the thickness of the slice.  With `slice_number` it lies in that native slice.
    """
    regions = replace(DefinedRegions.of(scan.patient.vertebrae[level], scan.ct), slice_number=slice_number)
    points = regions.points(region, plane, "none")
    if len(points) == 0:
        return Defined(float("nan"), float("nan"))
    weights, slice_number = np.ones(len(points)), float("nan")
    if region in (*ELLIPSES, *SHAPES):
        voxels, counts = np.unique(np.rint(regions.indices_zyx(points)), axis=0, return_counts=True)
        slice_number = single_slice(voxels[:, 0])
        covered = Voxels(scan.ct.points_mm(voxels), counts.astype(float), regions.steps_mm)
        points, weights = covered.samples(STEP_MM)
    values = scan.patient.vertebra_values_at(level, points, scan.patient.tissues(scan.truth.kvp))
    return Defined(float(np.average(values, weights=weights)), slice_number)


def single_slice(numbers: NDArray[Any]) -> float:
    """The only slice of some voxels; NaN for voxels of several slices, or none."""
    return float(numbers[0]) if len(numbers) and (numbers == numbers[0]).all() else float("nan")


@dataclass(frozen=True)
class DefinedRegions(IdealRegions):
    """Regions of one vertebra as they are defined for one grid; native slices are the one given, if one is."""

    grid: SyntheticImage
    slice_number: int | None = None

    @classmethod
    def of(cls, vertebra: Vertebra, grid: SyntheticImage) -> DefinedRegions:
        """The regions of a vertebra in a scan, of which only the grid is used."""
        x, y, z = np.abs(grid.direction) @ np.asarray(grid.spacing_mm)
        inset = tuple(max(MARGIN_MM, MARGIN_VOXELS * float(step)) for step in (x, y, z))
        return cls(vertebra, inset, grid)  # type: ignore[arg-type]

    @property
    def steps_mm(self) -> Floats:
        """Edges of a voxel as columns, LPS."""
        return np.asarray(self.grid.direction * np.asarray(self.grid.spacing_mm))

    def indices_zyx(self, points_mm: Floats) -> Floats:
        """Continuous voxel indices of LPS points, shape (n, 3)."""
        return np.linalg.solve(self.steps_mm, (points_mm - np.asarray(self.grid.origin_mm)).T).T[:, ::-1]

    def points(self, region: str, plane: Plane, side: Side) -> Floats:
        """As for the ideal regions; the central cylinder ends where the trabecular body ends."""
        points = super().points(region, plane, side)
        return points[self.contains(points)] if region == "body_central" and len(points) else points

    def ellipse(self, region: str, plane: Plane) -> Ellipse | None:
        """The ellipse of a slice; an outer native slice that loses too much of it gives way to the next."""
        first = super().ellipse(region, plane)
        if region == "ellipse_mid" or plane == "endplate" or self.slice_number is not None:
            return first
        origin, across, back = self._slice(region, plane)
        inward = -1.0 if region == "ellipse_superior" else 1.0
        further = origin + self._axis * (inward * self._slice_mm / self._axis[2])
        deeper = largest_inscribed_ellipse(self._section(), further, across, back)
        if deeper is not None and (first is None or first.area_mm2 < KEPT_SHARE * deeper.area_mm2):
            return deeper
        return first

    def _section(self, limit_v_mm: float = np.inf) -> Callable[[Floats], Floats]:
        """Signed distance to the trabecular area of a slice, which keeps its thickness from the endplates."""
        clearance = max(CLEARANCE_MM, self._slice_mm / 2.0 + PLATE_MM)

        def depth(points_lps: Floats) -> Floats:
            local = self.vertebra.frame.to_local(points_lps)
            _, wall, cap = self.vertebra.body.distances(*local.astype(np.float32).T)
            inside = np.maximum(wall + max(self.inset_mm[:2]), cap + clearance).astype(np.float64)
            return np.asarray(np.maximum(inside, local[:, 1] - limit_v_mm))

        return depth

    def _slice(self, region: str, plane: Plane) -> tuple[Floats, Floats, Floats]:
        """A point of the slice on the body's axis, and the directions to the left and backwards in it, LPS."""
        anchors = {name: endplate(self.vertebra, name == "superior") for name in ("superior", "inferior")}
        outward = {name: normal for name, (_, normal) in anchors.items()}
        surface = {name: self._surface_height(name) for name in anchors}
        if region == "ellipse_mid":
            normal = self._axis
            height = (surface["superior"] + surface["inferior"]) / 2.0
            limit = None
        else:
            name = region.removeprefix("ellipse_")
            inward, normal = (-1.0, outward[name]) if name == "superior" else (1.0, -outward[name])
            tilt = float(normal @ self._axis)
            of_plane = float((anchors[name][0] - self._centre) @ normal) / tilt
            height = of_plane + inward * OFFSET_MM / tilt
            kept = NATIVE_REACH * self._slice_mm + NATIVE_KEPT_MM
            if plane == "endplate":
                extent = float(np.abs(np.asarray(self.grid.direction).T @ normal) @ np.asarray(self.grid.spacing_mm))
                kept = OBLIQUE_REACH * extent + OBLIQUE_KEPT_MM
            limit = surface[name] + inward * kept / tilt
            if plane == "endplate":
                height = min(height, limit) if inward < 0 else max(height, limit)
        point = self._centre + height * self._axis
        if plane == "axial":
            normal = np.array([0.0, 0.0, 1.0])
            point = self._on_a_slice(point, None if limit is None else self._centre + limit * self._axis)
        behind = self.vertebra.frame.axes[:, 1]
        back = behind - normal * (behind @ normal)
        back /= np.linalg.norm(back)
        return point, np.cross(back, normal), back

    def _on_a_slice(self, wanted: Floats, limit: Floats | None) -> Floats:
        """The point of the axis on the slice nearest to `wanted`, which lies `limit` at most; slices are stacked
        along z."""
        low = float(self.grid.points_mm(np.zeros((1, 3)))[0, 2])
        number = round((float(wanted[2]) - low) / self._slice_mm)
        if limit is not None:
            bound = (float(limit[2]) - low) / self._slice_mm
            is_above = float((limit - self._centre) @ self._axis) > 0.0
            number = min(number, int(np.floor(bound))) if is_above else max(number, int(np.ceil(bound)))
        number = number if self.slice_number is None else self.slice_number
        return wanted + self._axis * ((low + number * self._slice_mm - float(wanted[2])) / self._axis[2])

    def _surface_height(self, name: str) -> float:
        """Height of an endplate's surface about the axis, from the centre along the axis.  [mm]"""
        lattice = np.arange(-AXIS_RADIUS_MM, AXIS_RADIUS_MM + 0.1, 0.5)
        u, v = (each.ravel() for each in np.meshgrid(lattice, lattice))
        near = np.hypot(u, v) <= AXIS_RADIUS_MM
        middle = body_centroid(self.vertebra.body)
        u, v = u[near] + middle[0], v[near] + middle[1]
        heights = self.vertebra.body.endplate_heights(u.astype(np.float32), v.astype(np.float32))
        points = self.vertebra.frame.to_lps(np.stack([u, v, heights[0 if name == "superior" else 1]], axis=1))
        return float(np.median((points - self._centre) @ self._axis))

    @property
    def _slice_mm(self) -> float:
        """Distance of the slices, which are stacked upwards along z."""
        return float(self.steps_mm[2, 2])

    @property
    def _axis(self) -> Floats:
        """Mean normal of both endplates, LPS, upwards."""
        mean = endplate(self.vertebra, True)[1] - endplate(self.vertebra, False)[1]
        return np.asarray(mean / np.linalg.norm(mean))

    @property
    def _centre(self) -> Floats:
        """Centre of the body, LPS."""
        return self.vertebra.frame.to_lps(np.asarray(body_centroid(self.vertebra.body))[None])[0]
