"""The pedicle (region B): the spongy bone inside its cortex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spongiosa.outcome import Reason
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.coverage import Box, coverage
from spongiosa.regions.pedicle_axes import SIDES, Pedicle
from spongiosa.regions.region import Region
from spongiosa.regions.shapes import Intersection, PlanarArea, Slab
from spongiosa.regions.site import Site
from spongiosa.volume import FloatArray

#: Above this voxel size a cortex of 1 mm cannot be kept out of a pedicle.  [mm]
LARGEST_CLEAR_VOXEL_MM = 2.0


def place_pedicles(site: Site) -> list[Region]:
    """The spongy bone of both pedicles: their section at the isthmus, inset, along the axis.

    Source: region B of study 002 and the pedicle bone quality of study 003 ("about 1 mm inside the cortex").
    """
    flags = partial_volume_flags(site.body)
    return [_place(site, side, site.pedicles.get(side), flags) for side in SIDES]


def partial_volume_flags(body: VertebralBody) -> tuple[str, ...]:
    """`partial_volume` when a voxel is longer than 2 mm: a thin cortex cannot be kept out there."""
    return ("partial_volume",) if max(body.grid.spacing_mm) > LARGEST_CLEAR_VOXEL_MM else ()


def _place(site: Site, side: str, pedicle: Pedicle | None, flags: tuple[str, ...]) -> Region:
    if pedicle is None or site.vertebra is None:
        detail = f"The {side} pedicle of {site.level} is not marked, or could not be traced."
        return site.missing("pedicle", Reason.FRAME_UNCERTAIN, detail, side=side)
    settings, section = site.settings.pedicle, pedicle.section
    inset = PlanarArea(
        section.axes, section.u_mm, section.v_mm, section.signed_mm - settings.margin_mm, section.area_mm2
    )
    if not (inset.signed_mm > 0).any():
        detail = f"An inset of {settings.margin_mm:g} mm leaves nothing of the {side} pedicle of {site.level}."
        return site.missing("pedicle", Reason.REGION_TOO_SMALL, detail, side=side)
    shape = Intersection((inset, Slab(section.axes, settings.length_mm / 2), Inside(site.vertebra, settings.margin_mm)))
    half = settings.length_mm / 2 * pedicle.direction
    corners = np.concatenate([inset.outline_mm() - half, inset.outline_mm() + half])
    weights = coverage(shape, site.body.grid, Box.around(corners, site.body.grid))
    return site.region("pedicle", weights, side=side, flags=flags)


@dataclass(frozen=True)
class Inside:
    """The points of a mask that lie at least `margin_mm` below its surface."""

    mask: VertebralBody
    margin_mm: float

    def depth_mm(self, points_mm: FloatArray) -> FloatArray:
        half_voxel = min(self.mask.grid.spacing_mm) / 2
        return self.mask.depth_mm(points_mm) - half_voxel - self.margin_mm
