"""What a perfect measurement would find: geometry, and means of the noise-free continuous field over ideal regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spongiosa.synthetic.image import SyntheticImage
from spongiosa.synthetic.palette import Palette
from spongiosa.synthetic.patient import SyntheticPatient
from spongiosa.synthetic.placed import Ellipse, Shape
from spongiosa.synthetic.tissue import DensityPalette, Tissues
from spongiosa.synthetic.truth_regions import ELLIPSES, SIDED, IdealRegions, Plane, Side, endplate
from spongiosa.synthetic.vertebra import Vertebra
from spongiosa.synthetic.vertebra_shape import BodyShape

_INSET_MM: Final = 5.0
L1_TO_L4: Final = ("L1", "L2", "L3", "L4")
INDEX_REGIONS: Final = (*ELLIPSES, "body_trabecular")
"""The regions that the indices of the cohort are made of."""


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
    _cache: dict[tuple[str, str, Plane, Side], tuple[float, float]] = field(default_factory=dict, repr=False)

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

    def regions(self, level: str) -> IdealRegions:
        """The ideal regions of a level. Raises `KeyError` for an unknown level."""
        return IdealRegions(self.patient.vertebrae[level], self.inset_mm)

    def hu(self, level: str, region: str, plane: Plane = "endplate", side: Side = "none") -> float:
        """Mean HU of a region of one level; missing (nan) when nothing is left inside the inset.

        `plane` says whether ellipses are parallel to the endplate (mid: to the body's middle plane) or axial.
        Raises `KeyError` for an unknown level or region.
        """
        return self._means(level, region, plane, side)[0]

    def native_hu(self, level: str, region: str, plane: Plane = "endplate", side: Side = "none") -> float:
        """Mean HU of a region as it would be without contrast medium; equals `hu` in a native scan."""
        return self._mean(level, region, self.region_points(level, region, plane, side), Tissues(self.kvp))

    def density_mg_cm3(self, level: str, region: str, plane: Plane = "endplate", side: Side = "none") -> float:
        """Mean density of hydroxyapatite over a region, compact bone included where the region reaches it."""
        return self._means(level, region, plane, side)[1]

    def hu_over(self, shape: Shape, step_mm: float = 0.4) -> float:
        """Mean HU of the continuous field over exactly a placed geometry (`placed`), wherever it lies."""
        points, weights = shape.samples(step_mm)
        return float(np.average(self.patient.hu_at(points, self.kvp), weights=weights)) if len(points) else float("nan")

    def region_points(
        self, level: str, region: str, plane: Plane = "endplate", side: Side = "none"
    ) -> NDArray[np.float64]:
        """LPS points, shape (n, 3), that fill a region evenly, 0.4 mm apart in a volume and 0.2 mm in a plane."""
        return self.regions(level).points(region, plane, side)

    def contains(self, level: str, points_lps_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points, shape (n, 3), lie in `body_trabecular` of a level."""
        return self.regions(level).contains(points_lps_mm)

    def ellipse(self, level: str, region: str, plane: Plane = "endplate") -> Ellipse | None:
        """The ideal ellipse of a slice, or None when the inset leaves no area there."""
        return self.regions(level).ellipse(region, plane)

    def cohort_columns(self, levels: Sequence[str] = L1_TO_L4) -> dict[str, float]:
        """`ax_l1_l4_hu`, `hu_3d_l1_l4` and per level `<level>_hu`: what a perfect run would write for the patient.

        Levels that are not complete in the image, or whose regions are empty (a crushed body), are left out of the
        means, as a measurement would have to; `levels` leaves out more, such as those with cement or metal.
        """
        kept = [k for k in levels if k in self.complete_levels]
        slices = {k: _mean_of([self.hu(k, region) for region in ELLIPSES]) for k in kept}
        columns = {f"{k.lower()}_hu": value for k, value in slices.items()}
        columns["ax_l1_l4_hu"] = _mean_of(list(slices.values()))
        columns["hu_3d_l1_l4"] = _mean_of([self.hu(k, "body_trabecular") for k in kept])
        return columns

    def to_frame(self, regions: Sequence[str] = INDEX_REGIONS) -> pd.DataFrame:
        """One row per complete level, region and side; `truth_regions.REGIONS` are all that there are.

        Columns: `level, region, side, plane, hu_mean, density_mg_cm3` (hydroxyapatite), `k2hpo4_mg_cm3` (what a phantom
        of K2HPO4 rods would give, `Tissues.k2hpo4_equivalent`), `marrow_fat_fraction`.
        """
        return pd.DataFrame(list(self._rows(regions)))

    def _rows(self, regions: Sequence[str]) -> Iterator[dict[str, object]]:
        tissues = Tissues(self.kvp)
        sides: tuple[Side, ...] = ("left", "right")
        for level in self.complete_levels:
            for region in regions:
                for side in sides if region in SIDED else ("none",):
                    hu = self.hu(level, region, "endplate", side)
                    yield {
                        "level": level,
                        "region": region,
                        "side": side,
                        "plane": "endplate",
                        "hu_mean": hu,
                        "density_mg_cm3": self.density_mg_cm3(level, region, "endplate", side),
                        "k2hpo4_mg_cm3": tissues.k2hpo4_equivalent(hu),
                        "marrow_fat_fraction": self.patient.vertebrae[level].bone.marrow_fat_fraction,
                    }

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
            row.update(_columns(vectors))
            rows.append(row)
        return pd.DataFrame(rows)

    def screws_frame(self) -> pd.DataFrame:
        """One row per screw: `level, side, diameter_mm, length_mm, halo_mm`, entry and tip, LPS mm."""
        rows = [
            {
                "level": s.level,
                "side": s.side,
                "diameter_mm": s.diameter_mm,
                "length_mm": float(np.linalg.norm(s.tip_mm - s.entry_mm)),
                "halo_mm": s.halo_mm,
                **_columns({"entry": s.entry_mm, "tip": s.tip_mm}),
            }
            for s in self.patient.screws
        ]
        return pd.DataFrame(rows)

    def _means(self, level: str, region: str, plane: Plane, side: Side) -> tuple[float, float]:
        """Mean HU and mean density of hydroxyapatite; evaluated once."""
        key = (level, region, plane, side)
        if key not in self._cache:
            points = self.region_points(level, region, plane, side)
            palettes: tuple[Palette, ...] = (self.patient.tissues(self.kvp), DensityPalette())
            hu, density = (self._mean(level, region, points, palette) for palette in palettes)
            self._cache[key] = (hu, density)
        return self._cache[key]

    def _mean(self, level: str, region: str, points: NDArray[np.float64], palette: Palette) -> float:
        if len(points) == 0:
            return float("nan")
        if region in SIDED:
            values = self.patient.values_at(points, palette)
        else:
            values = self.patient.vertebra_values_at(level, points, palette)
        return float(np.mean(values, dtype=np.float64))


def _mean_of(values: list[float]) -> float:
    """Mean of the values that are there; nan when none is."""
    there = [value for value in values if not np.isnan(value)]
    return float(np.mean(there)) if there else float("nan")


def _columns(vectors: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    """`<name>_x_mm` ... for places and `<name>_x` ... for directions."""
    columns = {}
    for name, vector in vectors.items():
        unit = "" if name.endswith(("normal", "direction")) else "_mm"
        columns.update({f"{name}_{axis}{unit}": float(vector[k]) for k, axis in enumerate("xyz")})
    return columns


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
        superior_endplate=endplate(vertebra, True),
        inferior_endplate=endplate(vertebra, False),
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
