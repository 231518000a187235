"""The frame of a vertebral body with endplates from the image instead of the label map."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spongiosa.anatomy.frame import Plane, VertebralFrame, unit_vector
from spongiosa.regions.body import Endplate, EndplateSurfaces, VertebralBody
from spongiosa.regions.endplate_fit import fit_endplate
from spongiosa.regions.endplate_surface import EndplateSurface
from spongiosa.regions.footprint import footprint, inner_footprint
from spongiosa.volume import FloatArray, Volume

#: Steps in which a height in one frame is found along the axis of another; each shrinks the error about tenfold.
_STEPS = 4


@dataclass(frozen=True)
class ImageEndplates:
    """Endplate surfaces fitted in `frame`; None for one that the image does not show."""

    frame: VertebralFrame
    superior: EndplateSurface | None
    inferior: EndplateSurface | None

    def in_place_of(self, surfaces: EndplateSurfaces, frame: VertebralFrame) -> EndplateSurfaces:
        """The mask's surfaces in `frame`, inside of the rim those of the image where there are any."""
        inner = inner_footprint(surfaces)
        left, posterior = np.meshgrid(surfaces.left_mm, surfaces.posterior_mm)
        heights = {"superior_mm": surfaces.superior_mm, "inferior_mm": surfaces.inferior_mm}
        for name, fitted in (("superior_mm", self.superior), ("inferior_mm", self.inferior)):
            if fitted is not None:
                of_mask, better = heights[name], heights[name].copy()
                better[inner] = self.height_mm(fitted, frame, left[inner], posterior[inner], of_mask[inner])
                heights[name] = better
        return replace(surfaces, **heights)

    def pair(self, frame: VertebralFrame) -> tuple[Endplate, Endplate] | None:
        """The superior and the inferior endplate in `frame`, their edges unrounded; None unless both are known."""
        if self.superior is None or self.inferior is None:
            return None
        superior = self._over(self.superior, frame, frame.superior_endplate)
        return superior, self._over(self.inferior, frame, frame.inferior_endplate)

    def _over(self, fitted: EndplateSurface, frame: VertebralFrame, plane: Plane) -> Endplate:
        on_axis = float((plane.point_mm - frame.centre_mm) @ plane.normal / (frame.superior @ plane.normal))
        return lambda left, posterior: self.height_mm(fitted, frame, left, posterior, np.full(left.shape, on_axis))

    def height_mm(
        self, fitted: EndplateSurface, frame: VertebralFrame, left: FloatArray, posterior: FloatArray, near: FloatArray
    ) -> FloatArray:
        """Where lines along the superior axis of `frame` through (left, posterior) meet a surface, from `near`."""
        height = near.copy()
        along = frame.superior @ self.frame.superior
        for _ in range(_STEPS):
            own = self.frame.to_local_mm(frame.to_lps_mm(np.stack([left, posterior, height], axis=-1)))
            height = height + (fitted.height_mm(own[..., 0], own[..., 1]) - own[..., 2]) / along
        return height


def refined_body(volume: Volume, bodies: Volume, body: VertebralBody) -> VertebralBody:
    """The body with endplate planes, axis and centre from the image; the same body where the image shows no plate.

    A plane is the least-squares plane of the fitted surface over the body, spurs left out; superior is the mean of both
    normals, the centre lies midway between the planes on the body's axis.
    """
    superior, inferior = (fit_endplate(volume, bodies, body, is_superior) for is_superior in (True, False))
    if superior is None and inferior is None:
        return body
    frame = body.frame
    top = frame.superior_endplate if superior is None else _plane_of(superior, body)
    bottom = frame.inferior_endplate if inferior is None else _plane_of(inferior, body)
    return body.refined(_between(frame, top, bottom), ImageEndplates(frame, superior, inferior))


def _plane_of(fitted: EndplateSurface, body: VertebralBody) -> Plane:
    """Least-squares plane of a surface over the body, rim included, its point on the body's axis, LPS."""
    rows, columns = np.nonzero(footprint(body.surfaces))
    left, posterior = body.surfaces.left_mm[columns], body.surfaces.posterior_mm[rows]
    design = np.stack([left, posterior, np.ones_like(left)], axis=1)
    by_left, by_posterior, offset = np.linalg.lstsq(design, fitted.height_mm(left, posterior), rcond=None)[0]
    normal = unit_vector(np.array([-by_left, -by_posterior, 1.0])) @ body.frame.axes
    return Plane(body.frame.to_lps_mm(np.array([0.0, 0.0, offset])), unit_vector(normal))


def _between(frame: VertebralFrame, top: Plane, bottom: Plane) -> VertebralFrame:
    """The frame with new endplate planes: the axis is their mean normal, the centre lies midway on it."""
    superior = unit_vector(top.normal + bottom.normal)
    posterior = unit_vector(frame.posterior - (frame.posterior @ superior) * superior)
    steps = [
        float((plane.point_mm - frame.centre_mm) @ plane.normal / (superior @ plane.normal)) for plane in (top, bottom)
    ]
    centre = frame.centre_mm + superior * (sum(steps) / 2)
    return VertebralFrame(centre, unit_vector(np.cross(posterior, superior)), posterior, superior, top, bottom)
