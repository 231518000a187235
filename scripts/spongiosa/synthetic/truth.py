"""What a perfect measurement would find: geometry, and means of the noise-free continuous field over ideal regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spongiosa.synthetic.ellipse import Ellipse, largest_inscribed_ellipse
from spongiosa.synthetic.image import SyntheticImage
from spongiosa.synthetic.patient import SyntheticPatient
from spongiosa.synthetic.vertebra import Vertebra
from spongiosa.synthetic.vertebra_shape import BodyShape

Plane = Literal["endplate", "axial"]

_STEP_MM: Final = 0.4
_INSET_MM: Final = 5.0
_ENDPLATE_DISTANCE_MM: Final = 4.0
_ENDPLATE_CLEARANCE_MM: Final = 1.5
_POSTERIOR_SHARE_AVOIDED: Final = 0.20
ELLIPSES: Final = ("ellipse_superior", "ellipse_mid", "ellipse_inferior")
REGIONS: Final = (*ELLIPSES, "body_trabecular")
L1_TO_L4: Final = ("L1", "L2", "L3", "L4")


@dataclass(frozen=True)
class VertebraGeometry:
    """True place of a vertebra, LPS mm: centroid of the body, its axes, endplate planes (point, outward normal)."""

    level: str
    label: int
    centre_mm: NDArray[np.float64]
    axes: NDArray[np.float64]
    superior_endplate: tuple[NDArray[np.float64], NDArray[np.float64]]
    inferior_endplate: tuple[NDArray[np.float64], NDArray[np.float64]]
    pedicles: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    """Isthmus and unit direction (from behind forwards) by side."""
    is_complete: bool
    """Whether the whole body lies inside the image."""


@dataclass(frozen=True)
class Truth:
    """Truth about one scan. Regions follow the rules of the study but use only the generator's own geometry.

    `body_trabecular` is the body inset from its outer surface by max(5 mm, 2 x voxel spacing) along each image axis.
    Ellipses lie in planes 4 mm from either endplate and midway; each is the largest in its section inset in the plane
    by the same amount, at mid-height without the posterior 20 % of the depth. Each value is the mean of the
    continuous field over the region, without partial volume, kernel or noise.
    """

    patient: SyntheticPatient
    kvp: float
    inset_mm: tuple[float, float, float]
    """Along the patient's x, y and z."""
    geometry: dict[str, VertebraGeometry]
    _cache: dict[tuple[str, str, Plane], float] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, patient: SyntheticPatient, kvp: float, image: SyntheticImage) -> Truth:
        """The truth for one image of the patient."""
        spacing = np.abs(image.direction) @ np.asarray(image.spacing_mm)
        x, y, z = (max(_INSET_MM, 2.0 * float(s)) for s in spacing)
        geometry = {level: _geometry(vertebra, image) for level, vertebra in patient.vertebrae.items()}
        return cls(patient, kvp, (x, y, z), geometry)

    @property
    def complete_levels(self) -> tuple[str, ...]:
        """Presacral levels whose bodies lie wholly inside the image, from cranial to caudal."""
        return tuple(k for k, g in self.geometry.items() if g.is_complete and k != "S1")

    def hu(self, level: str, region: str, plane: Plane = "endplate") -> float:
        """Mean HU of a region of one level; missing (nan) when nothing is left inside the inset.

        `plane` says whether ellipses are parallel to the endplate (mid: to the body's middle plane) or axial.
        Raises `KeyError` for an unknown level or region.
        """
        key = (level, region, plane)
        if key not in self._cache:
            points = self.region_points(level, region, plane)
            values = self.patient.vertebra_hu_at(level, points, self.kvp) if len(points) else np.array([np.nan])
            self._cache[key] = float(np.mean(values, dtype=np.float64))
        return self._cache[key]

    def region_points(self, level: str, region: str, plane: Plane = "endplate") -> NDArray[np.float64]:
        """LPS points, shape (n, 3), that fill a region evenly, 0.4 mm apart in a volume and 0.2 mm in a plane."""
        vertebra = self.patient.vertebrae[level]
        if region == "body_trabecular":
            return self._core_points(vertebra)
        if region not in ELLIPSES:
            raise KeyError(f"no region {region!r}; the truth knows {', '.join(REGIONS)}")
        ellipse = self.ellipse(level, region, plane)
        return np.empty((0, 3)) if ellipse is None else ellipse.points(_STEP_MM / 2.0)

    def contains(self, level: str, region: str, points_lps_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points, shape (n, 3), lie in a volume region. Raises `KeyError` for a plane region."""
        if region != "body_trabecular":
            raise KeyError(f"{region!r} is not a volume; its points are `region_points`")
        vertebra = self.patient.vertebrae[level]
        inside: NDArray[np.bool_] = (
            _inset_distance(vertebra, vertebra.frame.to_local(points_lps_mm), self.inset_mm) < 0.0
        )
        return inside

    def ellipse(self, level: str, region: str, plane: Plane = "endplate") -> Ellipse | None:
        """The ideal ellipse of a slice, or None when the inset leaves no area there."""
        vertebra = self.patient.vertebrae[level]
        origin, across, back = _slice_plane(vertebra, region, plane)
        limit = None
        if region == "ellipse_mid":
            body = vertebra.body
            front, behind = -body.half_depth_mm * body.waist, body.posterior_wall_mm
            limit = behind - _POSTERIOR_SHARE_AVOIDED * (behind - front)

        def depth(points_lps: NDArray[np.float64]) -> NDArray[np.float64]:
            local = vertebra.frame.to_local(points_lps)
            inside = _section_inset_distance(vertebra, local, self.inset_mm)
            return inside if limit is None else np.maximum(inside, local[:, 1] - limit)

        return largest_inscribed_ellipse(depth, origin, across, back)

    def _core_points(self, vertebra: Vertebra) -> NDArray[np.float64]:
        box = vertebra.body.box(margin_mm=0.0)
        axes = [np.arange(lo, hi, _STEP_MM) for lo, hi in zip(box.lower, box.upper, strict=True)]
        local = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        u, v, w = local.astype(np.float32).T
        deep = vertebra.body.distances(u, v, w)[0] < -min(self.inset_mm) + 0.5
        local = local[deep]
        return vertebra.frame.to_lps(local[_inset_distance(vertebra, local, self.inset_mm) < 0.0])

    def cohort_columns(self) -> dict[str, float]:
        """`ax_l1_l4_hu`, `hu_3d_l1_l4` and per level `<level>_hu`: what a perfect run would write for the patient.

        Levels that are not complete in the image are left out of the means, as a measurement would have to.
        """
        levels = [k for k in L1_TO_L4 if k in self.complete_levels]
        per_level = {k: float(np.nanmean([self.hu(k, r) for r in ELLIPSES])) for k in levels}
        columns = {f"{k.lower()}_hu": value for k, value in per_level.items()}
        columns["ax_l1_l4_hu"] = float(np.mean(list(per_level.values()))) if levels else float("nan")
        columns["hu_3d_l1_l4"] = (
            float(np.mean([self.hu(k, "body_trabecular") for k in levels])) if levels else float("nan")
        )
        return columns

    def to_frame(self) -> pd.DataFrame:
        """One row per complete level and region: `level, region, plane, hu_mean`."""
        return pd.DataFrame(list(self._rows()), columns=["level", "region", "plane", "hu_mean"])

    def _rows(self) -> Iterator[tuple[str, str, str, float]]:
        for level in self.complete_levels:
            for region in REGIONS:
                yield level, region, "endplate", self.hu(level, region)

    def geometry_frame(self) -> pd.DataFrame:
        """One row per vertebra: label, centre, endplate points and normals, pedicle axes, LPS mm."""
        rows = []
        for g in self.geometry.values():
            row: dict[str, object] = {"level": g.level, "label": g.label, "is_complete": g.is_complete}
            vectors = {"centre": g.centre_mm}
            for name, (point, normal) in (("superior", g.superior_endplate), ("inferior", g.inferior_endplate)):
                vectors[f"{name}_endplate"], vectors[f"{name}_endplate_normal"] = point, normal
            for side, (isthmus, direction) in g.pedicles.items():
                vectors[f"pedicle_{side}"], vectors[f"pedicle_{side}_direction"] = isthmus, direction
            for name, vector in vectors.items():
                unit = "" if name.endswith(("normal", "direction")) else "_mm"
                row.update({f"{name}_{axis}{unit}": float(vector[k]) for k, axis in enumerate("xyz")})
            rows.append(row)
        return pd.DataFrame(rows)


def _inset_distance(
    vertebra: Vertebra, local: NDArray[np.float64], inset_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Signed distance to the inset body: negative where an ellipsoid with the inset's half axes fits.

    The ellipsoid's reach towards a wall with unit normal n is sqrt(sum (inset_i n_i)^2).
    """
    u, v, w = local.astype(np.float32).T
    distance = vertebra.body.distances(u, v, w)[0].astype(np.float64)
    if max(inset_mm) - min(inset_mm) < 1e-6:
        return distance + inset_mm[0]
    h = 0.2
    gradient = np.empty_like(local)
    for k, shift in enumerate(np.eye(3) * h):
        ahead = vertebra.body.distances(*(local + shift).astype(np.float32).T)[0]
        behind = vertebra.body.distances(*(local - shift).astype(np.float32).T)[0]
        gradient[:, k] = (ahead - behind) / (2.0 * h)
    normal = gradient @ vertebra.frame.axes.T
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    reach = np.linalg.norm(normal * np.asarray(inset_mm), axis=1)
    return distance + reach


def _section_inset_distance(
    vertebra: Vertebra, local: NDArray[np.float64], inset_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Signed distance to the trabecular area of a slice: the wall inset in the plane, clear of the bony endplate."""
    u, v, w = local.astype(np.float32).T
    _, wall, cap = vertebra.body.distances(u, v, w)
    return np.maximum(wall + max(inset_mm[:2]), cap + _ENDPLATE_CLEARANCE_MM).astype(np.float64)


def _slice_plane(
    vertebra: Vertebra, region: str, plane: Plane
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """A point of the slice on the body's axis, and the directions to the left and backwards in it, LPS."""
    superior, inferior = (_endplate(vertebra, is_superior) for is_superior in (True, False))
    if region == "ellipse_mid":
        point = (superior[0] + inferior[0]) / 2.0
        normal = superior[1] - inferior[1]
    else:
        anchor, outward = superior if region == "ellipse_superior" else inferior
        point = anchor - outward * _ENDPLATE_DISTANCE_MM
        normal = outward if region == "ellipse_superior" else -outward
    if plane == "axial":
        normal = np.array([0.0, 0.0, 1.0])
    normal = normal / np.linalg.norm(normal)
    back = vertebra.frame.axes[:, 1] - normal * (vertebra.frame.axes[:, 1] @ normal)
    back /= np.linalg.norm(back)
    return point, np.cross(back, normal), back


def _endplate(vertebra: Vertebra, superior: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    point, normal = vertebra.body.endplate_plane(superior)
    return vertebra.frame.to_lps(point[None])[0], vertebra.frame.axes @ normal


def _geometry(vertebra: Vertebra, image: SyntheticImage) -> VertebraGeometry:
    steps = image.direction * np.asarray(image.spacing_mm)
    corners = vertebra.frame.to_lps(vertebra.body.box(margin_mm=0.0).corners())
    indices = np.linalg.solve(steps, (corners - np.asarray(image.origin_mm)).T)
    limits = np.array(image.voxels.shape[::-1])[:, None] - 0.5
    return VertebraGeometry(
        level=vertebra.level,
        label=vertebra.label,
        centre_mm=vertebra.frame.to_lps(np.asarray(body_centroid(vertebra.body))[None])[0],
        axes=vertebra.frame.axes,
        superior_endplate=_endplate(vertebra, True),
        inferior_endplate=_endplate(vertebra, False),
        pedicles={
            side: (vertebra.frame.to_lps(axis.isthmus_mm[None])[0], vertebra.frame.axes @ axis.direction)
            for side, axis in vertebra.pedicles.items()
        },
        is_complete=bool(np.all((indices > -0.5) & (indices < limits))),
    )


@lru_cache(maxsize=256)
def body_centroid(body: BodyShape) -> tuple[float, float, float]:
    """Centroid of a body in its own frame, mm, from points 1 mm apart."""
    box = body.box(margin_mm=0.0)
    axes = [np.arange(lo, hi, 1.0, dtype=np.float32) for lo, hi in zip(box.lower, box.upper, strict=True)]
    u, v, w = np.meshgrid(*axes, indexing="ij")
    inside = body.distances(u, v, w)[0] < 0.0
    return float(u[inside].mean()), float(v[inside].mean()), float(w[inside].mean())
