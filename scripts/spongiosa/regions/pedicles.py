"""The pedicle (region B): the spongy bone inside its cortex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spongiosa.config.regions import PedicleSettings
from spongiosa.outcome import Reason
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.coverage import Box, coverage
from spongiosa.regions.pedicle_axes import SIDES, Pedicle
from spongiosa.regions.region import Region
from spongiosa.regions.shapes import EllipticCylinder, Intersection, Slab
from spongiosa.regions.site import Site
from spongiosa.volume import FloatArray

#: Above this voxel size a cortex of 1 mm cannot be kept out of a pedicle.  [mm]
LARGEST_CLEAR_VOXEL_MM = 2.0

#: What the inset leaves of a narrow pedicle, and the thinnest cylinder that still measures spongy bone.  [mm]
KEPT_SEMI_AXIS_MM, SMALLEST_SEMI_AXIS_MM = 0.75, 0.5

#: A section that is no ellipse may lie this far inside of its ellipse: label maps step by as much.  [mm]
OVERSHOOT_MM = 0.5


def place_pedicles(site: Site) -> list[Region]:
    """The spongy bone of both pedicles: an elliptic cylinder along the axis, about the isthmus.

    Its semi-axes are those of the pedicle's section less the inset (`inset_mm`), its length is `pedicle.length_mm`.
    Source: region B of study 002 and the pedicle bone quality of study 003 ("about 1 mm inside the cortex").
    """
    flags = partial_volume_flags(site.body)
    return [_place(site, side, site.pedicles.get(side), flags) for side in SIDES]


def partial_volume_flags(body: VertebralBody) -> tuple[str, ...]:
    """`partial_volume` when a voxel is longer than 2 mm: a thin cortex cannot be kept out there."""
    return ("partial_volume",) if max(body.grid.spacing_mm) > LARGEST_CLEAR_VOXEL_MM else ()


def inset_mm(pedicle: Pedicle, settings: PedicleSettings) -> float:
    """How far inside of the pedicle's section its region lies.  [mm]

    Beside a cortex, a soft kernel raises the marrow and an edge-enhancing one lowers it; 3.5 mm below the surface both
    have faded to 1 HU.  A narrow pedicle has not so much room: there the inset gives way, so that a semi-axis of
    `KEPT_SEMI_AXIS_MM` remains, down to `least_margin_mm`.
    """
    of_outline = max(pedicle.overshoot_mm - OVERSHOOT_MM, 0.0)
    room = min(pedicle.semi_axes_mm) - of_outline - KEPT_SEMI_AXIS_MM
    return of_outline + min(settings.margin_mm, max(settings.least_margin_mm, room))


def _place(site: Site, side: str, pedicle: Pedicle | None, flags: tuple[str, ...]) -> Region:
    if pedicle is None:
        detail = f"The {side} pedicle of {site.level} is not marked, or could not be traced."
        return site.missing("pedicle", Reason.FRAME_UNCERTAIN, detail, side=side)
    settings = site.settings.pedicle
    margin = inset_mm(pedicle, settings)
    semi_axes = pedicle.semi_axes_mm[0] - margin, pedicle.semi_axes_mm[1] - margin
    if min(semi_axes) < SMALLEST_SEMI_AXIS_MM:
        detail = f"An inset of {margin:.1f} mm leaves nothing of the {side} pedicle of {site.level}."
        return site.missing("pedicle", Reason.REGION_TOO_SMALL, detail, side=side)
    cylinder = EllipticCylinder(pedicle.axes, (0.0, 0.0), semi_axes)
    shape = Intersection((cylinder, Slab(pedicle.axes, settings.length_mm / 2)))
    half = settings.length_mm / 2 * pedicle.direction
    corners = np.concatenate([cylinder.outline_mm() - half, cylinder.outline_mm() + half])
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
