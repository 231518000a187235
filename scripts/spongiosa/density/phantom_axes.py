"""In which direction the rods of a phantom run: round spots followed from slice to slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spongiosa.density.phantom_rings import Spot
from spongiosa.volume import FloatArray

#: Steepest course of a rod against the slices' normal: 0.36 is 20 degrees.  [mm per mm]
STEEPEST = 0.36

#: How far a spot may lie from where its track leads, and how much its HU may change.
STRAY_MM = 2.0
STRAY_HU = 40.0

#: Scatter of a track's spots about their line, above which it is no straight rod.  [mm]
ROUGHEST_MM = 1.2

#: Tracks with a course that differs by less run in parallel.  [mm per mm]
PARALLEL = 0.02

#: Fewest slabs that a rod must be seen in, and gap that a track may have.
FEWEST_SLABS = 3
WIDEST_GAP = 2


@dataclass(frozen=True)
class Track:
    """A straight row of spots: place at height 0 and course, (u, v) in mm and mm per mm, and the slabs it spans."""

    place_mm: FloatArray
    course: FloatArray
    first: int
    last: int
    hits: int
    roundness: float


def straight_tracks(slabs: Sequence[tuple[float, Sequence[Spot]]]) -> list[Track]:
    """Tracks through the spots of slabs (height in mm, spots), in the order of the slabs."""
    heights = np.array([height for height, _ in slabs])
    taken: set[tuple[int, int]] = set()
    tracks = []
    for start in range(len(slabs) - FEWEST_SLABS + 1):
        for number, spot in enumerate(slabs[start][1]):
            if (start, number) in taken:
                continue
            hits = _followed(slabs, start, number, spot)
            if len(hits) < FEWEST_SLABS:
                continue
            taken.update(hits)
            members = [slabs[slab][1][index] for slab, index in hits]
            places = np.array([member.place_mm for member in members])
            at = heights[[slab for slab, _ in hits]]
            course, place = np.polyfit(at, places, 1)
            rough = float(np.sqrt(((places - (place + at[:, None] * course)) ** 2).sum(axis=1).mean()))
            if rough <= ROUGHEST_MM and float(np.abs(course).max()) <= STEEPEST:
                roundness = float(np.mean([member.roundness for member in members]))
                tracks.append(Track(place, course, hits[0][0], hits[-1][0], len(hits), roundness))
    return tracks


def _followed(
    slabs: Sequence[tuple[float, Sequence[Spot]]], start: int, number: int, spot: Spot
) -> list[tuple[int, int]]:
    """(slab, spot) of the spots that continue one, by nearest neighbour along the course so far."""
    hits, last_slab, last = [(start, number)], start, spot
    first_height = slabs[start][0]
    for slab in range(start + 1, len(slabs)):
        if slab - last_slab > WIDEST_GAP + 1:
            break
        height, spots = slabs[slab]
        step = height - slabs[last_slab][0]
        course = (last.place_mm - spot.place_mm) / (slabs[last_slab][0] - first_height) if len(hits) > 2 else 0.0
        reach = STRAY_MM + (0.0 if len(hits) > 2 else STEEPEST * abs(step))
        expected = last.place_mm + np.asarray(course) * step
        nearest, found = reach, -1
        for index, other in enumerate(spots):
            if abs(other.hu - last.hu) > STRAY_HU or (other.contrast_hu > 0) != (last.contrast_hu > 0):
                continue
            distance = float(np.hypot(*(other.place_mm - expected)))
            if distance < nearest:
                nearest, found = distance, index
        if found >= 0:
            hits.append((slab, found))
            last_slab, last = slab, spots[found]
    return hits


@dataclass(frozen=True)
class Bundle:
    """Parallel tracks: their common course, and the slabs that they span."""

    course: FloatArray
    first: int
    last: int
    strength: float


def parallel_bundles(tracks: Sequence[Track], slab_count: int, most: int = 6) -> list[Bundle]:
    """Courses that the rods may have, the best supported first; each over all slabs, and over those it was seen in.

    Straight along the slices' normal comes last even where no track was found.
    """
    bundles: list[Bundle] = []
    left = sorted(tracks, key=lambda track: -track.hits * track.roundness)
    while left and len(bundles) < most:
        members = [track for track in left if np.abs(track.course - left[0].course).max() <= PARALLEL]
        left = [track for track in left if np.abs(track.course - left[0].course).max() > PARALLEL]
        weights = [track.hits**2 * track.roundness for track in members]
        course = np.average([track.course for track in members], axis=0, weights=weights)
        strength = float(sum(weights))
        bundles.append(Bundle(course, 0, slab_count - 1, strength))
        spans = {(track.first, track.last) for track in sorted(members, key=lambda track: -track.roundness)[:4]}
        bundles += [Bundle(course, *span, strength / 2) for span in sorted(spans) if span != (0, slab_count - 1)]
    bundles.append(Bundle(np.zeros(2), 0, slab_count - 1, 0.0))
    return sorted(bundles, key=lambda bundle: -bundle.strength)
