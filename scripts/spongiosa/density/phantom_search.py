"""Where the rods of a phantom are in a scan.

The rods are cylinders that run along the patient within 20 degrees.  Their course is found by following round spots
from slab to slab; averaged along it, the scan shows even faint rods; the phantom's layout, moved, turned, mirrored and
scaled within its tolerance, says which spot is which rod.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.config.calibration import PhantomDetectionSettings
from spongiosa.config.phantoms import PhantomSettings
from spongiosa.density.phantom_axes import Bundle, parallel_bundles, straight_tracks
from spongiosa.density.phantom_layout import Disc, Look, Match, further_rods, matches
from spongiosa.density.phantom_rings import Spot, round_spots
from spongiosa.density.phantom_rods import RodAxes
from spongiosa.volume import FloatArray, Volume

#: Thickness of the slabs in which spots are followed; rods move by at most a third of it within one.  [mm]
SLAB_MM = 8.0
#: Contrast below which a spot in a slab, or in the average over all slices, is noise.  [HU]
SLAB_CONTRAST_HU = 12.0
AVERAGE_CONTRAST_HU = 2.5
#: Blur of the edges in a slab, which is noisy, and in the average, where the phantom's own edges are near.  [mm]
SLAB_EDGE_MM = 1.3
AVERAGE_EDGE_MM = 0.9
#: Spots kept per image, the roundest first.
SPOTS_PER_SLAB = 48
SPOTS_OF_AVERAGE = 60
#: The radii that are tried, as shares of the phantom's own.
RADII_OF_NOMINAL = (0.8, 0.9, 1.0, 1.1, 1.2)
RADII_OF_CERTIFICATE = (0.95, 1.0, 1.05)
#: Rods of a preset whose diameter is not certain are looked at this far inside at first.
SURE_SHARE_OF_RADIUS = 0.85
#: Pixels that share their noise.
CORRELATED_PIXELS = 4.0
#: No rod of a phantom lies nearer to the middle of a vertebral body; vessels and kidneys do.  [mm]
NEAREST_TO_SPINE_MM = 50.0
#: Vertebral range beyond the outermost bodies' centres: half a body.  [mm]
BEYOND_CENTRES_MM = 15.0


@dataclass(frozen=True)
class Found:
    """An assignment of rods, the rods as lines through the scan, and how many rods are seen beside them."""

    match: Match
    axes: RodAxes
    further_rods: int


class PhantomSearch:
    """The search for the rods of one phantom in one scan, whose axes lie along left, posterior and superior."""

    def __init__(
        self, scan: Volume, spine: SpineDescription, phantom: PhantomSettings, rules: PhantomDetectionSettings
    ) -> None:
        self.scan, self.phantom, self.rules = scan, phantom, rules
        dx, dy, dz = scan.geometry.spacing_mm
        self._pixel_mm = (float(dy), float(dx))
        self._slice_mm = float(dz)
        centres = np.array([x.frame.centre_mm for x in spine.vertebrae if x.frame is not None]).reshape(-1, 3)
        indices = scan.geometry.indices_zyx(centres)
        self.slices = _vertebral_slices(indices[:, 0], scan.geometry.shape[0], self._slice_mm)
        self._spine_uv_mm = indices[:, :0:-1] * np.array([dx, dy])
        self._spine_height_mm = (indices[:, 0] - self._middle) * self._slice_mm
        radii = RADII_OF_NOMINAL if phantom.layout_tolerance > 0.1 else RADII_OF_CERTIFICATE
        self._radii = tuple(share * phantom.rod_diameter_mm / 2 for share in radii)
        self.spots_seen = 0

    @property
    def _middle(self) -> float:
        return (self.slices.start + self.slices.stop - 1) / 2

    @property
    def range_mm(self) -> float:
        """Length of the vertebral range."""
        return len(self.slices) * self._slice_mm

    def by_course(self) -> Iterator[list[Found]]:
        """Assignments along each course that the rods may have, the likeliest course first, the best first in each."""
        slabs = self._slabs()
        spots = [
            (self._height((slices.start + slices.stop - 1) / 2), self._away_from_spine(self._spots_of_slab(slices)))
            for slices in slabs
        ]
        for bundle in parallel_bundles(straight_tracks(spots), len(slabs)):
            yield self._found_along(bundle, slabs)

    def _found_along(self, bundle: Bundle, slabs: Sequence[range]) -> list[Found]:
        slices = range(slabs[bundle.first].start, slabs[bundle.last].stop)
        average = self._averaged(slices, bundle.course)
        spots = self._away_from_spine(self._spots_of_average(average))
        self.spots_seen = max(self.spots_seen, len(spots))
        radius = self.phantom.rod_diameter_mm / 2
        core = SURE_SHARE_OF_RADIUS * radius if self.phantom.layout_tolerance > 0.1 else radius
        look = looked_at(average, self._pixel_mm, max(core - self.rules.core_margin_mm, 2.0), core, radius)
        return [
            Found(match, self._axes(match, bundle), further_rods(match, spots, look))
            for match in (matches(spots, self.phantom, look, self.rules) if spots else [])
        ]

    def _slabs(self) -> list[range]:
        step = max(1, round(SLAB_MM / self._slice_mm))
        starts = range(self.slices.start, max(self.slices.stop - step + 1, self.slices.start + 1), step)
        return [range(start, min(start + step, self.slices.stop)) for start in starts]

    def _height(self, index: float) -> float:
        return float(index - self._middle) * self._slice_mm

    def _spots_of_slab(self, slices: range) -> list[Spot]:
        image = self._averaged(slices, np.zeros(2))
        return round_spots(image, self._pixel_mm, self._radii, SLAB_EDGE_MM, SLAB_CONTRAST_HU, SPOTS_PER_SLAB)

    def _spots_of_average(self, image: NDArray[np.floating]) -> list[Spot]:
        return round_spots(image, self._pixel_mm, self._radii, AVERAGE_EDGE_MM, AVERAGE_CONTRAST_HU, SPOTS_OF_AVERAGE)

    def _averaged(self, slices: range, course: FloatArray) -> NDArray[np.float32]:
        """Mean of the slices, each moved back along the course to where the rods are in the middle of the range."""
        total = np.zeros(self.scan.voxels.shape[1:], np.float64)
        for index in slices:
            image = self.scan.voxels[index]
            height = self._height(index)
            shift = (-course[1] * height / self._pixel_mm[0], -course[0] * height / self._pixel_mm[1])
            if max(abs(shift[0]), abs(shift[1])) > 0.2:
                image = ndimage.shift(image.astype(np.float32), shift, order=1, mode="nearest")
            total += image
        return (total / len(slices)).astype(np.float32)

    def _away_from_spine(self, spots: Sequence[Spot]) -> list[Spot]:
        if len(self._spine_uv_mm) == 0:
            return list(spots)
        return [spot for spot in spots if np.hypot(*(self._spine_uv_mm - spot.place_mm).T).min() >= NEAREST_TO_SPINE_MM]

    def _axes(self, match: Match, bundle: Bundle) -> RodAxes:
        """The rods as lines through the grid of the scan."""
        return RodAxes(
            places_mm=match.places_mm,
            course=bundle.course,
            middle_slice=self._middle,
            core_radius_mm=max(min(match.radius_mm, self.phantom.rod_diameter_mm / 2) - self.rules.core_margin_mm, 2.0),
        )


def _vertebral_slices(indices: FloatArray, slice_count: int, slice_mm: float) -> range:
    """Slices from half a body above the first vertebra's centre to half a body below the last; all without a spine."""
    if len(indices) == 0:
        return range(slice_count)
    beyond = BEYOND_CENTRES_MM / slice_mm
    first = int(np.clip(np.floor(indices.min() - beyond), 0, slice_count - 1))
    last = int(np.clip(np.ceil(indices.max() + beyond), first, slice_count - 1))
    return range(first, last + 1)


def looked_at(
    image: NDArray[np.floating], pixel_mm: tuple[float, float], core_mm: float, section_mm: float, radius_mm: float
) -> Look:
    """What lies at places of an image: the disc within `core_mm`, what surely is of the rod, within `section_mm`, and
    the ring from 1.5 to 3.5 mm beyond the rod."""
    rows, columns = image.shape
    reach_mm = radius_mm + 3.5

    def look(place_mm: FloatArray) -> Disc | None:
        u, v = float(place_mm[0]), float(place_mm[1])
        inside_u = core_mm <= u <= (columns - 1) * pixel_mm[1] - core_mm
        inside_v = core_mm <= v <= (rows - 1) * pixel_mm[0] - core_mm
        if not (inside_u and inside_v):
            return None
        top, bottom = (int(np.clip(round((v + s * reach_mm) / pixel_mm[0]), 0, rows - 1)) for s in (-1, 1))
        left, right = (int(np.clip(round((u + s * reach_mm) / pixel_mm[1]), 0, columns - 1)) for s in (-1, 1))
        part = image[top : bottom + 1, left : right + 1]
        y, x = np.ogrid[top : bottom + 1, left : right + 1]
        distance = np.hypot(y * pixel_mm[0] - v, x * pixel_mm[1] - u)
        core = part[distance <= core_mm]
        around = part[(distance >= radius_mm + 1.5) & (distance <= reach_mm)]
        if core.size < 3 or around.size < 3:
            return None
        sd = float(core.std())
        return Disc(
            hu=float(core.mean()),
            sd_hu=sd,
            se_hu=sd * (CORRELATED_PIXELS / core.size) ** 0.5,
            section_sd_hu=float(part[distance <= section_mm].std()),
            around_hu=float(np.median(around)),
        )

    return look
