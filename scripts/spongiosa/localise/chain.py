"""The bodies of a chain of vertebrae: surfaces, voxels, and shares of the column."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spongiosa.anatomy.frame import FloatArray
from spongiosa.anatomy.levels import FIRST_UNNUMBERED, Level
from spongiosa.localise.column_tilts import TiltedPlate, steady_normals
from spongiosa.localise.cut_ends import open_ended
from spongiosa.localise.evidence import PIVOT_MM
from spongiosa.localise.facing_plates import LEAST_SLICE_MM, with_facing_plates, with_plate_turned
from spongiosa.localise.numbering import BODY_AND_DISC_MM, DISC_RANGE_MM, Numbering, Segment
from spongiosa.localise.plates import PLATE_REACH_MM
from spongiosa.localise.posterior import Span
from spongiosa.localise.straighten import ColumnCurve
from spongiosa.localise.surfaces import BodySurface, endplate_planes, find_surface, refined_frame
from spongiosa.localise.walls import Ellipse
from spongiosa.volume import Volume

#: A plate found at the first look moves outwards by no more than this at the second, mm.
SECOND_LOOK_MM = 3.0
#: A section unlike the median of its neighbours' by more than this (left, posterior, half width, half depth) is looked
#: for again near theirs, mm.
UNLIKE_MM = np.array([5.0, 5.0, 5.0, 4.5])
#: The plates of thick slices are fitted this many times, each time about the tilts of the fit before.
FITS_OF_THICK_SLICES = 2


@dataclass(frozen=True)
class FoundVertebra:
    """A vertebra of the chain with its surface and its voxels."""

    segment: Segment
    surface: BodySurface
    label: int
    is_partial: bool

    @property
    def top_mm(self) -> float:
        """Upper end along the column."""
        if self.segment.superior_mm is not None:
            return self.segment.superior_mm
        return (self.segment.inferior_mm or 0.0) - 30.0

    @property
    def bottom_mm(self) -> float:
        """Lower end along the column."""
        return self.segment.inferior_mm if self.segment.inferior_mm is not None else self.top_mm + 30.0


def find_bodies(scan: Volume, curve: ColumnCurve, numbering: Numbering, is_known: bool) -> list[FoundVertebra]:
    """Body surfaces of the chain, from cranial to caudal; labels by level, or 101, 102, ... when it is unknown.

    Sections unlike those of their neighbours are looked for again near these; then every whole vertebra is looked at
    in the frame that its surface has: the column's own may be 20 degrees off at L5.  In thick slices the plates on
    either side of a disc are fitted together in the end.
    """
    segments = [
        (place, segment)
        for place, segment in enumerate(numbering.segments)
        if not is_known or segment.level in Level.__members__
    ]
    first: dict[int, BodySurface] = {}
    for place, segment in segments:
        frame = _local_frame(curve, segment, numbering.scale)
        surface = find_surface(scan, *frame, _room_outside(numbering.segments, place))
        if surface is not None:
            first[place] = surface
    for place, section in _unlike_neighbours(first, numbering.segments).items():
        frame = _local_frame(curve, numbering.segments[place], numbering.scale)
        again = find_surface(scan, *frame, _room_outside(numbering.segments, place), section)
        first[place] = first[place] if again is None else again
    found: list[FoundVertebra] = []
    for place, segment in segments:
        surface = first.get(place)
        if surface is None:
            continue
        if _is_whole(segment):
            surface = _second_look(scan, surface, _room_outside(numbering.segments, place))
        elif segment.level != "S1":
            surface = open_ended(scan, surface, is_superior=segment.superior_mm is None)
        label = int(Level[segment.level]) if is_known else FIRST_UNNUMBERED + len(found)
        is_partial = segment.superior_mm is None or segment.inferior_mm is None
        found.append(FoundVertebra(segment, surface, label, is_partial))
    if float(np.linalg.norm(scan.geometry.steps_mm, axis=0).max()) < LEAST_SLICE_MM:
        return found
    return _with_plates_of_thick_slices(scan, found)


def _with_plates_of_thick_slices(scan: Volume, found: list[FoundVertebra]) -> list[FoundVertebra]:
    """The vertebrae with the plates at every disc fitted together, from and about tilts that agree along the column."""
    for _ in range(FITS_OF_THICK_SLICES):
        found = _fitted_at_discs(scan, _with_steady_tilts(found))
    return found


def _with_steady_tilts(found: list[FoundVertebra]) -> list[FoundVertebra]:
    """The vertebrae with each plate turned about its middle to the tilt that the whole column makes probable."""
    places = [
        (place, is_superior)
        for place, item in enumerate(found)
        for is_superior in (True, False)
        if (item.segment.superior_mm if is_superior else item.segment.inferior_mm) is not None
    ]
    planes = [endplate_planes(item.surface)[:2] for item in found]
    plates = [
        TiltedPlate(place, found[place].segment.level, is_superior, planes[place][0 if is_superior else 1].normal)
        for place, is_superior in places
    ]
    steady = list(found)
    for plate, normal in zip(plates, steady_normals(plates), strict=True):
        item = steady[plate.vertebra]
        steady[plate.vertebra] = replace(item, surface=with_plate_turned(item.surface, plate.is_superior, normal))
    return steady


def _fitted_at_discs(scan: Volume, found: list[FoundVertebra]) -> list[FoundVertebra]:
    fitted = list(found)
    for place in range(len(found) - 1):
        upper, lower = fitted[place], fitted[place + 1]
        if upper.segment.inferior_mm is None or lower.segment.superior_mm is None:
            continue
        if lower.segment.superior_mm - upper.segment.inferior_mm > DISC_RANGE_MM[1]:
            continue
        above, below = with_facing_plates(scan, upper.surface, lower.surface)
        fitted[place], fitted[place + 1] = replace(upper, surface=above), replace(lower, surface=below)
    return fitted


def _unlike_neighbours(surfaces: dict[int, BodySurface], segments: tuple[Segment, ...]) -> dict[int, Ellipse]:
    """For every section that is unlike its neighbours', the median of theirs."""
    sections = {place: surface.ellipse.as_array() for place, surface in surfaces.items() if _is_whole(segments[place])}
    unlike = {}
    for place, own in sections.items():
        others = [section for other, section in sections.items() if 0 < abs(other - place) <= 2]
        if len(others) < 2:
            continue
        usual = np.median(others, axis=0)
        if (np.abs(own - usual) > UNLIKE_MM).any():
            unlike[place] = Ellipse(*(float(value) for value in usual))
    return unlike


def _room_outside(segments: tuple[Segment, ...], place: int) -> tuple[float, float]:
    """Half of the discs above and below a vertebra of the chain, mm, with a millimetre to spare."""
    room = [PLATE_REACH_MM, PLATE_REACH_MM]
    own = segments[place]
    if place > 0 and own.superior_mm is not None:
        above = segments[place - 1].inferior_mm
        room[0] = room[0] if above is None else min(room[0], (own.superior_mm - above) / 2 + 1.0)
    if place + 1 < len(segments) and own.inferior_mm is not None:
        below = segments[place + 1].superior_mm
        room[1] = room[1] if below is None else min(room[1], (below - own.inferior_mm) / 2 + 1.0)
    return room[0], room[1]


def _is_whole(segment: Segment) -> bool:
    return segment.superior_mm is not None and segment.inferior_mm is not None


def _second_look(scan: Volume, surface: BodySurface, outward_mm: tuple[float, float]) -> BodySurface:
    centre, axes, half_height = refined_frame(surface)
    near = (min(outward_mm[0], SECOND_LOOK_MM), min(outward_mm[1], SECOND_LOOK_MM))
    section = replace(surface.ellipse, left_mm=0.0, back_mm=0.0)
    again = find_surface(scan, centre, axes, half_height, near, section)
    return surface if again is None else again


def _local_frame(curve: ColumnCurve, segment: Segment, scale: float) -> tuple[FloatArray, FloatArray, float]:
    """Rough centre (LPS), axes (rows left, posterior, superior) and half height of a vertebra of the chain."""
    usual = BODY_AND_DISC_MM["L5" if segment.level == "L6" else segment.level][0] * scale
    top, bottom = segment.superior_mm, segment.inferior_mm
    tilts = [segment.superior_tilt_deg, segment.inferior_tilt_deg]
    if top is None and bottom is not None:
        top, tilts[0] = bottom - usual, tilts[1]
    elif bottom is None and top is not None:
        bottom, tilts[1] = top + usual, tilts[0]
    if top is None or bottom is None:
        raise ValueError("a segment without any plate")
    middle = (top + bottom) / 2
    place = int(np.clip(round(middle), 0, len(curve.points_mm) - 1))
    tilt = np.radians(sum(tilts) / 2)
    superior = curve.superior[place] * np.cos(tilt) - curve.posterior[place] * np.sin(tilt)
    left = curve.left[place]
    axes = np.stack([left, np.cross(superior, left), superior])
    centre = curve.lps_mm(np.array([middle]), np.zeros(1), np.full(1, PIVOT_MM))[0]
    return centre, axes, float((bottom - top) * np.cos(tilt) / 2)


def spans_of(found: list[FoundVertebra]) -> list[Span]:
    """Shares of the column between the middles of the discs."""
    spans = []
    for place, item in enumerate(found):
        top = item.top_mm
        bottom = item.bottom_mm
        if place > 0:
            top = (top + found[place - 1].bottom_mm) / 2
        if place + 1 < len(found):
            bottom = (bottom + found[place + 1].top_mm) / 2
        spans.append(Span(item.label, top, bottom, item.segment.level[0] in "CT"))
    return spans
