"""The ideal regions of the study, laid out on the generator's own geometry, as points that fill them evenly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.ellipse import largest_inscribed_ellipse
from spongiosa.synthetic.implants import bone_entry
from spongiosa.synthetic.placed import Cylinder, Ellipse
from spongiosa.synthetic.truth_regions_pedicle import lies_below_surface, pedicle_region
from spongiosa.synthetic.vertebra import Vertebra

Plane = Literal["endplate", "axial"]
Side = Literal["none", "left", "right"]

VOLUME_STEP_MM: Final = 0.4
PLANE_STEP_MM: Final = 0.2
ENDPLATE_DISTANCE_MM: Final = 4.0
_ENDPLATE_CLEARANCE_MM: Final = 1.5
_POSTERIOR_SHARE_AVOIDED: Final = 0.20
_SLAB_MM: Final = 9.0
_SLAB_SHARE: Final = 0.70
_ANTERIOR_SHARE: Final = 2.0 / 3.0
TRAJECTORY_DIAMETER_MM: Final = 6.5
TRAJECTORY_LENGTH_MM: Final = 45.0
TRAJECTORY_MARGIN_MM: Final = 2.75
"""What a trajectory keeps from the outer surface of the vertebra."""

ELLIPSES: Final = ("ellipse_superior", "ellipse_mid", "ellipse_inferior")
SHAPES: Final = ("shape_oval", "shape_round", "shape_front", "shape_left", "shape_right")
SIDED: Final = ("pedicle", "trajectory")
REGIONS: Final = (*ELLIPSES, *SHAPES, "body_trabecular", "body_central", "body_whole", *SIDED)


@dataclass(frozen=True)
class IdealRegions:
    """Regions of one vertebra for one inset (along the patient's x, y and z, mm)."""

    vertebra: Vertebra
    inset_mm: tuple[float, float, float]

    def points(self, region: str, plane: Plane, side: Side) -> NDArray[np.float64]:
        """LPS points, shape (n, 3); none where nothing is left inside the insets.

        Raises `KeyError` for an unknown region, or a side that does not fit it.
        """
        if region not in REGIONS:
            raise KeyError(f"no region {region!r}; the truth knows {', '.join(REGIONS)}")
        if (region in SIDED) != (side != "none"):
            raise KeyError(f"region {region!r} has {'left and right' if region in SIDED else 'no sides'}, not {side!r}")
        if region in ELLIPSES:
            return _samples(self.ellipse(region, plane), PLANE_STEP_MM)
        if region in SHAPES:
            return self._shape_points(region, plane)
        if region == "body_central":
            middle = self.ellipse("ellipse_mid", plane)
            return _samples(None if middle is None else middle.scaled(_SLAB_SHARE, _SLAB_MM), VOLUME_STEP_MM)
        if region in SIDED:
            if side not in self.vertebra.pedicles:
                return np.empty((0, 3))
            if region == "pedicle":
                return _samples(self.pedicle(side), VOLUME_STEP_MM)
            points = _samples(self.trajectory(side), VOLUME_STEP_MM)
            return points[lies_below_surface(self.vertebra, points, TRAJECTORY_MARGIN_MM)]
        if region == "body_whole":
            return self._body_points((0.0, 0.0, 0.0), 1.5 * VOLUME_STEP_MM)
        return self._body_points(self.inset_mm, VOLUME_STEP_MM)

    def contains(self, points_lps_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points lie in `body_trabecular`."""
        local = self.vertebra.frame.to_local(points_lps_mm)
        return np.asarray(_inset_distance(self.vertebra, local, self.inset_mm) < 0.0)

    def ellipse(self, region: str, plane: Plane) -> Ellipse | None:
        """The ideal ellipse of a slice, or None when the inset leaves no area there."""
        origin, across, back = self._slice(region, plane)
        limit = np.inf
        if region == "ellipse_mid":
            body = self.vertebra.body
            front, behind = -body.half_depth_mm * body.waist, body.posterior_wall_mm
            limit = behind - _POSTERIOR_SHARE_AVOIDED * (behind - front)
        return largest_inscribed_ellipse(self._section(limit), origin, across, back)

    def pedicle(self, side: str) -> Ellipse | None:
        """The elliptic cylinder about the isthmus; None in a pedicle too thin for it."""
        return pedicle_region(self.vertebra, side)

    def trajectory(self, side: str) -> Cylinder:
        """A cylinder of 6.5 x 45 mm on the anatomical axis, from where it enters bone.

        The region is what of it lies `TRAJECTORY_MARGIN_MM` below the surface (`points`).
        """
        axis = self.vertebra.pedicles[side]
        entry = bone_entry(self.vertebra, axis.isthmus_mm, axis.direction)
        ends = self.vertebra.frame.to_lps(np.stack([entry, entry + axis.direction * TRAJECTORY_LENGTH_MM]))
        return Cylinder(ends[0], ends[1], TRAJECTORY_DIAMETER_MM / 2.0)

    def _section(self, limit_v_mm: float = np.inf) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """Signed distance of LPS points to the trabecular area of a slice, in front of a limit."""

        def depth(points_lps: NDArray[np.float64]) -> NDArray[np.float64]:
            local = self.vertebra.frame.to_local(points_lps)
            u, v, w = local.astype(np.float32).T
            _, wall, cap = self.vertebra.body.distances(u, v, w)
            inside = np.maximum(wall + max(self.inset_mm[:2]), cap + _ENDPLATE_CLEARANCE_MM).astype(np.float64)
            return np.asarray(np.maximum(inside, local[:, 1] - limit_v_mm))

        return depth

    def _shape_points(self, region: str, plane: Plane) -> NDArray[np.float64]:
        """The five shapes at mid-height: anterior two thirds of the inner depth, divided in thirds of its width."""
        origin, across, back = self._slice("ellipse_mid", plane)
        lattice = np.arange(-32.0, 32.0, PLANE_STEP_MM)
        s, t = (g.ravel() for g in np.meshgrid(lattice, lattice))
        inside = self._section()(origin + s[:, None] * across + t[:, None] * back) < 0.0
        s, t = s[inside], t[inside]
        if len(s) == 0:
            return np.empty((0, 3))
        middle = np.abs(s) < 0.5
        front, behind = float(t[middle].min()), float(t[middle].max())
        line = front + _ANTERIOR_SHARE * (behind - front)
        third = (s.max() - s.min()) / 6.0
        if region == "shape_oval":
            limit = float(self.vertebra.frame.to_local((origin + line * back)[None])[0, 1])
            return _samples(largest_inscribed_ellipse(self._section(limit), origin, across, back), PLANE_STEP_MM)
        if region == "shape_round":
            radius = (line - front) / 2.0
            circle = Ellipse(origin + (front + radius) * back, across * radius, back * radius)
            return _samples(circle, PLANE_STEP_MM)
        chosen = {
            "shape_front": (np.abs(s) <= third) & (t <= line),
            "shape_left": s > third,
            "shape_right": s < -third,
        }[region]
        return np.asarray(origin + s[chosen, None] * across + t[chosen, None] * back)

    def _body_points(self, inset_mm: tuple[float, float, float], step_mm: float) -> NDArray[np.float64]:
        box = self.vertebra.body.box(margin_mm=0.0)
        axes = [np.arange(lo, hi, step_mm) for lo, hi in zip(box.lower, box.upper, strict=True)]
        local = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        u, v, w = local.astype(np.float32).T
        local = local[self.vertebra.body.distances(u, v, w)[0] < 0.5 - min(inset_mm)]
        return self.vertebra.frame.to_lps(local[_inset_distance(self.vertebra, local, inset_mm) < 0.0])

    def _slice(self, region: str, plane: Plane) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """A point of the slice on the body's axis, and the directions to the left and backwards in it, LPS."""
        superior, inferior = endplate(self.vertebra, True), endplate(self.vertebra, False)
        if region == "ellipse_mid":
            point, normal = (superior[0] + inferior[0]) / 2.0, superior[1] - inferior[1]
        else:
            anchor, outward = superior if region == "ellipse_superior" else inferior
            point = anchor - outward * ENDPLATE_DISTANCE_MM
            normal = outward if region == "ellipse_superior" else -outward
        if plane == "axial":
            normal = np.array([0.0, 0.0, 1.0])
        normal = normal / np.linalg.norm(normal)
        behind = self.vertebra.frame.axes[:, 1]
        back = behind - normal * (behind @ normal)
        back /= np.linalg.norm(back)
        return point, np.cross(back, normal), back


def endplate(vertebra: Vertebra, superior: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least-squares plane of an endplate: a point on the body's axis and the outward unit normal, LPS mm."""
    point, normal = vertebra.body.endplate_plane(superior)
    return vertebra.frame.to_lps(point[None])[0], vertebra.frame.axes @ normal


def _samples(shape: Ellipse | Cylinder | None, step_mm: float) -> NDArray[np.float64]:
    return np.empty((0, 3)) if shape is None else shape.samples(step_mm)[0]


def _inset_distance(
    vertebra: Vertebra, local: NDArray[np.float64], inset_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Signed distance to the inset body: negative where an ellipsoid with the inset's half axes fits.

    The ellipsoid's reach towards a wall with unit normal n is sqrt(sum (inset_i n_i)^2).
    """
    u, v, w = local.astype(np.float32).T
    distance = vertebra.body.distances(u, v, w)[0].astype(np.float64)
    if max(inset_mm) - min(inset_mm) < 1e-6:
        return np.asarray(distance + inset_mm[0])
    h = 0.2
    gradient = np.empty_like(local)
    for k, shift in enumerate(np.eye(3) * h):
        ahead = vertebra.body.distances(*(local + shift).astype(np.float32).T)[0]
        behind = vertebra.body.distances(*(local - shift).astype(np.float32).T)[0]
        gradient[:, k] = (ahead - behind) / (2.0 * h)
    normal = gradient @ vertebra.frame.axes.T
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    return np.asarray(distance + np.linalg.norm(normal * np.asarray(inset_mm), axis=1))
