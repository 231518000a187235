"""Regions of the body in three dimensions: whole, trabecular (3D-HU), central, near the endplates, quadrants."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from spongiosa.outcome import Reason
from spongiosa.regions.body import VertebralBody, voxel_extent_mm
from spongiosa.regions.coverage import Shape, VoxelWeights, coverage_among
from spongiosa.regions.inset import Inset, axis_margins_mm
from spongiosa.regions.planes import ENDPLATE_THICKNESS_MM, measurement_plane
from spongiosa.regions.region import Region
from spongiosa.regions.sections import largest_ellipse
from spongiosa.regions.shapes import HalfSpace, Intersection, PlanarArea, Slab
from spongiosa.regions.site import Site
from spongiosa.regions.slices import clear_section, in_front_of_the_vein
from spongiosa.volume import FloatArray

#: Insets at which the mean is given beside the region's own, as a figure of quality.  [mm]
QUALITY_INSETS_MM = {"inset_4mm": 4.0, "inset_6mm": 6.0}

QUADRANTS = tuple(f"quadrant_{depth}_{side}" for depth, side in product(("anterior", "posterior"), ("left", "right")))


@dataclass(frozen=True)
class EndplateLayer:
    """The points between two depths below an endplate's actual surface, measured along the superior axis."""

    body: VertebralBody
    is_superior: bool
    from_mm: float
    to_mm: float

    def depth_mm(self, points_mm: FloatArray) -> FloatArray:
        below = self.body.depth_below_endplate_mm(points_mm, self.is_superior)
        # The surface is inclined at its rim, by up to 45 degrees: halved, depth changes by at most 1 mm per mm.
        return np.minimum(below - self.from_mm, self.to_mm - below) / 2


def place_body_trabecular(site: Site) -> list[Region]:
    """The trabecular body: the body's mask inset from its outer surface, endplates included, without a limit in HU.

    A limit in HU would cut the dense tail off and bias the mean; the cortex is kept out by distance alone.
    Source: volumetric HU of the cancellous body ("3D-HU", study 004); its extent is configuration.
    """
    insets = {name: _within(Inset.of(site.body, (mm,) * 3)) for name, mm in QUALITY_INSETS_MM.items()}
    return [site.region("body_trabecular", _within(_trabecular(site)), insets=insets)]


def place_body_whole(site: Site) -> list[Region]:
    """Every voxel of the body's mask, cortex and endplates included."""
    return [site.region("body_whole", site.body.all_voxels())]


def place_body_central(site: Site) -> list[Region]:
    """The central elliptic cylinder of quantitative CT (region A), parallel to the body's middle plane.

    It keeps from the basivertebral vein as the ellipse at mid-height does.
    Source: study 002; height and size, which it does not state, are configuration.
    """
    settings, exclusion = site.settings.central, site.settings.ellipse.posterior_exclusion
    plane = measurement_plane(site.body, "mid", "endplate", site.settings.ellipse.endplate_offset_mm)
    section = clear_section(site.body, plane, site.settings.ellipse.margin_mm)
    ellipse = None
    if section is not None:
        ellipse = largest_ellipse(section, in_front_of_the_vein(section, exclusion), settings.fraction)
    if ellipse is None:
        detail = f"The trabecular area of {site.level} at mid-height has no room for body_central."
        return [site.missing("body_central", Reason.REGION_TOO_SMALL, detail)]
    cylinder = ellipse, Slab(plane.axes, settings.height_mm / 2)
    return [site.region("body_central", _within(_trabecular(site), *cylinder), area_mm2=ellipse.area_mm2)]


def place_endplate_layers(site: Site) -> list[Region]:
    """The layers of trabecular bone next to the endplates, inside the body's wall.

    A layer begins `start_mm` below the surface, but at least a voxel and the endplate's thickness, and is
    `thickness_mm` thick; across, it is the trabecular area of the middle section.
    """
    settings, body = site.settings.endplate_layer, site.body
    plane = measurement_plane(body, "mid", "endplate", site.settings.ellipse.endplate_offset_mm)
    section = clear_section(body, plane, site.settings.ellipse.margin_mm)
    regions = []
    for name, is_superior in (("endplate_superior", True), ("endplate_inferior", False)):
        if section is None or not section.trabecular.any():
            detail = f"The middle section of {site.level} has no trabecular area."
            regions.append(site.missing(name, Reason.REGION_TOO_SMALL, detail))
            continue
        start = max(settings.start_mm, voxel_extent_mm(body.grid, body.frame.superior) + ENDPLATE_THICKNESS_MM)
        column = PlanarArea.of(section.plane.axes, section.u_mm, section.v_mm, section.trabecular)
        layer = EndplateLayer(body, is_superior, start, start + settings.thickness_mm)
        weights = coverage_among(Intersection((column, layer)), body.grid, body.voxels)
        regions.append(site.region(name, weights))
    return regions


def place_quadrants(site: Site) -> list[Region]:
    """The trabecular body divided by its mid-sagittal plane and the plane midway between front and back."""
    frame, trabecular = site.body.frame, _trabecular(site)
    (_, front, _), (_, back, _) = site.body.local_extent_mm
    middle = frame.to_lps_mm(np.array([0.0, (front + back) / 2, 0.0]))
    towards = {"left": frame.left, "right": -frame.left, "posterior": frame.posterior, "anterior": -frame.posterior}
    regions = []
    for name in QUADRANTS:
        _, depth, side = name.split("_")
        quarter = HalfSpace(middle, towards[depth]), HalfSpace(middle, towards[side])
        regions.append(site.region(name, _within(trabecular, *quarter)))
    return regions


def _trabecular(site: Site) -> Inset:
    return Inset.of(site.body, axis_margins_mm(site.body.grid, site.settings.trabecular.margin_mm))


def _within(inset: Inset, *shapes: Shape) -> VoxelWeights:
    """The share of each of an inset's voxels that lies inside of it and inside of every one of some shapes."""
    return coverage_among(Intersection((*shapes, inset)), inset.body.grid, inset.voxels())
