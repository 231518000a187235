"""The embedded localiser: from a CT to vertebrae with levels, or a refusal with its reason."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spongiosa.anatomy.frame import FloatArray, SpineDescription, Vertebra
from spongiosa.anatomy.levels import FIRST_UNNUMBERED, LUMBAR, Level
from spongiosa.localise import gates
from spongiosa.localise.canal import CanalTrack, track_canal
from spongiosa.localise.describe import describe
from spongiosa.localise.evidence import PIVOT_MM, ColumnEvidence, gather_evidence
from spongiosa.localise.label_files import touches_border
from spongiosa.localise.numbering import BODY_AND_DISC_MM, Numbering, Segment, number_column
from spongiosa.localise.posterior import Span, whole_vertebrae
from spongiosa.localise.skull import skull_slices
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.localise.straighten import ColumnCurve, column_curve, straightened
from spongiosa.localise.surfaces import PLATE_REACH_MM, BodySurface, endplate_planes, find_surface, refined_frame
from spongiosa.localise.working_grid import working_copy
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume

#: A shorter stretch of spine cannot hold a complete lumbar vertebra with its discs, mm.
SHORTEST_COLUMN_MM = 55.0
#: Median score of a track that is no spine.
NO_CANAL_SCORE = 0.5
#: A numbering whose rival is cheaper than this much more is not certain.
SMALLEST_MARGIN = 1.5
LEAST_CONFIDENCE = 0.3
#: The confidence of a vertebra whose level nobody knows is never high.
UNNUMBERED_CONFIDENCE = 0.5
#: A plate found at the first look moves outwards by no more than this at the second, mm.
SECOND_LOOK_MM = 3.0
#: Height against the higher neighbour, and angle between the plates, beyond which a plate is doubted.
RAISED, GAPING_DEG = 1.2, 22.0


@dataclass(frozen=True)
class _Found:
    """A vertebra of the chain with its surface and its voxels."""

    segment: Segment
    surface: BodySurface
    label: int
    is_partial: bool


def localise_embedded(scan: Volume) -> LocalisedSpine:
    """Find, segment and number the vertebrae of a CT in HU.

    Raises `Excluded`: HEAD_SCAN, NO_SPINE, FIELD_OF_VIEW, NO_LUMBAR_VERTEBRA, IMPLAUSIBLE_SPACING, LOW_CONFIDENCE.
    With an unknown level the vertebrae are delivered as 101, 102, ... and the flag `level_unknown`.
    """
    working = working_copy(scan)
    track = _tracked(working)
    curve = column_curve(track)
    column = straightened(working, curve, (-50.0, 60.0), 80.0)
    evidence = gather_evidence(column, float(np.abs(scan.geometry.steps_mm[2]).max()))
    if gates.is_thorax_to_the_end(evidence):
        raise Excluded(
            Reason.NO_LUMBAR_VERTEBRA,
            "The spine is in view, but ribs leave it down to the lower edge of the scan.",
        )
    numbering = number_column(evidence)
    if numbering is None:
        raise _too_short(evidence)
    anchors = gates.find_anchors(numbering, evidence)
    values = gates.gate_values(track, numbering, evidence, anchors)
    is_known, level_confidence, flags = _judge_levels(anchors, values)
    if "anchors_disagree" in flags:
        numbering = counted_from_ribs(numbering, anchors)
    confidence = gates.chain_confidence(values)
    if not anchors.has_sacrum and gates.ribs_to_the_end(numbering, evidence):
        raise Excluded(
            Reason.NO_LUMBAR_VERTEBRA,
            "The spine is in view, but down to its lowest complete vertebra every one bears a rib.",
        )
    found = _surfaces(scan, curve, numbering, is_known)
    _check_lumbar(found, is_known, evidence)
    values |= _check_size(found)
    if confidence < LEAST_CONFIDENCE:
        raise Excluded(
            Reason.LOW_CONFIDENCE,
            f"The vertebrae are found with a confidence of {confidence:.2f} only; give a label map for this scan.",
        )
    return _assembled(
        scan, curve, found, confidence * (level_confidence if is_known else UNNUMBERED_CONFIDENCE), flags, values
    )


def _tracked(working: Volume) -> CanalTrack:
    """The canal below the skull.  Raises `Excluded(HEAD_SCAN)` or `Excluded(NO_SPINE)`."""
    skull = skull_slices(working)
    spacing = working.geometry.spacing_mm[2]
    has_head = skull.sum() * spacing > 20.0
    below = working
    if has_head:
        lowest = int(np.flatnonzero(skull)[0])
        below = working.cropped(np.array([0, 0, 0]), np.array([lowest, *working.voxels.shape[1:]]))
    track = track_canal(below) if below.voxels.shape[0] * spacing >= 20.0 else None
    if has_head and (track is None or track.length_mm < 250.0):
        raise Excluded(Reason.HEAD_SCAN, "The scan shows the head, and no lumbar spine below it.")
    if track is None or float(np.median(track.scores)) < NO_CANAL_SCORE:
        raise Excluded(Reason.NO_SPINE, "No vertebral canal was found in the scan.")
    return track


def _too_short(evidence: ColumnEvidence) -> Excluded:
    length = int(evidence.visible.sum())
    return Excluded(Reason.FIELD_OF_VIEW, f"Only {length} mm of the spine are in view; no complete vertebra fits.")


def _check_size(found: list[_Found]) -> dict[str, float | bool | str | None]:
    """Median width, depth and height of the complete bodies, mm.

    Raises `Excluded(IMPLAUSIBLE_SPACING)` when they are smaller or larger than any adult's, or out of proportion.
    """
    complete = [item for item in found if not item.is_partial]
    width = float(np.median([item.surface.width_mm for item in complete]))
    depth = float(np.median([item.surface.depth_mm for item in complete]))
    height = float(np.median([_bottom(item) - _top(item) for item in complete]))
    for value, limits, name in (
        (width, gates.WIDTH_MM, "wide"),
        (depth, gates.DEPTH_MM, "deep"),
        (height, gates.HEIGHT_MM, "high"),
    ):
        if not limits[0] <= value <= limits[1]:
            raise Excluded(
                Reason.IMPLAUSIBLE_SPACING,
                f"The vertebral bodies are {value:.0f} mm {name}, where adults' are {limits[0]:.0f} to "
                f"{limits[1]:.0f} mm; "
                "is the spacing in the header right?",
            )
    return {
        "body_width_mm": round(width, 1),
        "body_depth_mm": round(depth, 1),
        "body_height_mm": round(height, 1),
    }


def _judge_levels(
    anchors: gates.Anchors, values: dict[str, float | bool | str | None]
) -> tuple[bool, float, tuple[str, ...]]:
    """Whether the levels are known, how surely, and the flags of the scan."""
    margin = values["margin_to_other_numbering"]
    margin = float(margin) if isinstance(margin, (int, float)) else 0.0
    if not anchors.has_sacrum and anchors.lowest_rib_offset is None:
        return False, 0.0, ("level_unknown",)
    offset = anchors.lowest_rib_offset
    if anchors.has_sacrum and offset in (-1, 1):
        # Four or six lumbar vertebrae, or a rib too many or too few: counted by convention, and a person must look.
        return True, 0.6, ("anchors_disagree", "four_lumbar_vertebrae" if offset == 1 else "six_lumbar_vertebrae")
    if anchors.has_sacrum and offset not in (None, 0):
        return False, 0.0, ("level_unknown", "anchors_disagree")
    if not anchors.has_sacrum and anchors.lowest_rib_offset != 0:
        return False, 0.0, ("level_unknown",)
    if margin < SMALLEST_MARGIN:
        return True, 0.6, ("numbering_ambiguous",)
    both = anchors.has_sacrum and anchors.lowest_rib_offset == 0
    return True, 0.97 if both else 0.9, ()


def counted_from_ribs(numbering: Numbering, anchors: gates.Anchors) -> Numbering:
    """The numbering by convention: the vertebra of the lowest rib is T12, count down; the sacrum keeps its name."""
    names = [*[name for name in BODY_AND_DISC_MM if name != "S1"], "L6"]
    segments = tuple(
        segment
        if segment.level == "S1"
        else replace(segment, level=names[names.index(segment.level) - (anchors.lowest_rib_offset or 0)])
        for segment in numbering.segments
    )
    return replace(numbering, segments=segments)


def _surfaces(scan: Volume, curve: ColumnCurve, numbering: Numbering, is_known: bool) -> list[_Found]:
    """Body surfaces of the chain, from cranial to caudal; labels by level, or 101, 102, ... when it is unknown."""
    found: list[_Found] = []
    for place, segment in enumerate(numbering.segments):
        if is_known and segment.level not in Level.__members__:
            continue
        centre, axes, half_height = _local_frame(curve, segment, numbering.scale)
        outward = _room_outside(numbering.segments, place)
        surface = find_surface(scan, centre, axes, half_height, -half_height, outward)
        if surface is not None and _is_whole(segment):
            # A second look in the frame that the surface has: the column's own may be 20 degrees off at L5.
            surface = _second_look(scan, surface, outward)
        if surface is None:
            continue
        label = int(Level[segment.level]) if is_known else FIRST_UNNUMBERED + len(found)
        is_partial = segment.superior_mm is None or segment.inferior_mm is None
        found.append(_Found(segment, surface, label, is_partial))
    return found


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
    again = find_surface(scan, centre, axes, half_height, -half_height, near)
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


def _check_lumbar(found: list[_Found], is_known: bool, evidence: ColumnEvidence) -> None:
    """Raises `Excluded` when no complete lumbar (or, unnumbered, no complete) vertebra is in view."""
    complete = [item for item in found if not item.is_partial]
    if int(evidence.visible.sum()) < SHORTEST_COLUMN_MM or not complete:
        raise _too_short(evidence)
    if is_known and not any(item.label in {int(level) for level in LUMBAR} for item in complete):
        names = ", ".join(item.segment.level for item in found)
        raise Excluded(
            Reason.NO_LUMBAR_VERTEBRA, f"The spine is in view from {names}, without a complete lumbar vertebra."
        )


def _assembled(
    scan: Volume,
    curve: ColumnCurve,
    found: list[_Found],
    confidence: float,
    flags: tuple[str, ...],
    values: dict[str, float | bool | str | None],
) -> LocalisedSpine:
    bodies = _painted(scan, found)
    vertebrae = whole_vertebrae(scan, bodies, curve, _spans(found))
    present = [item for item in found if (bodies.voxels == item.label).any()]
    truncated = frozenset(item.label for item in present if item.is_partial and item.segment.level != "S1") | frozenset(
        item.label for item in present if _is_cut(item, bodies)
    )
    described = describe(
        vertebrae,
        bodies,
        truncated,
        {item.label: round(confidence * (0.8 if item.label in truncated else 1.0), 4) for item in present},
        {},
        {item.label: endplate_planes(item.surface) for item in present},
    )
    described = tuple(_with_surface_flags(vertebra, present) for vertebra in described)
    described = flagged_by_neighbours(described)
    description = SpineDescription("embedded", round(confidence, 4), described, flags, values)
    return LocalisedSpine(vertebrae, bodies, description)


def flagged_by_neighbours(vertebrae: tuple[Vertebra, ...]) -> tuple[Vertebra, ...]:
    """Flag vertebrae much higher than both neighbours, or with plates that gape: a plate may lie on a neighbour.

    A fracture lowers a vertebra; nothing but a mistaken plate raises it by a quarter.
    """
    flagged = []
    for place, vertebra in enumerate(vertebrae):
        near = [other.frame for other in vertebrae[max(place - 1, 0) : place + 2] if other is not vertebra]
        heights = [frame.height_mm for frame in near if frame is not None]
        frame = vertebra.frame
        if frame is not None and heights and not vertebra.is_truncated:
            planes = float(np.clip(frame.superior_endplate.normal @ frame.inferior_endplate.normal, -1.0, 1.0))
            if frame.height_mm > RAISED * max(heights) or np.degrees(np.arccos(planes)) > GAPING_DEG:
                flags = (*vertebra.flags, "unlike_its_neighbours")
                vertebra = replace(vertebra, flags=flags, confidence=round(0.7 * vertebra.confidence, 4))
        flagged.append(vertebra)
    return tuple(flagged)


def _painted(scan: Volume, found: list[_Found]) -> Volume:
    """The bodies on the grid of the scan; where two overlap, the voxel stays with the first."""
    voxels = np.zeros(scan.voxels.shape, dtype=np.uint8)
    steps = np.linalg.norm(scan.geometry.steps_mm, axis=0)[::-1]
    for item in found:
        at = scan.geometry.indices_zyx(item.surface.centre_mm)
        lower = np.clip(np.floor(at - 46.0 / steps).astype(int), 0, scan.voxels.shape)
        upper = np.clip(np.ceil(at + 46.0 / steps).astype(int) + 1, lower, scan.voxels.shape)
        shape = tuple(int(n) for n in upper - lower)
        if min(shape) == 0:
            continue
        indices = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 3) + lower
        inside = item.surface.inside(scan.geometry.points_mm(indices)).reshape(shape)
        view = voxels[tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))]
        view[inside & (view == 0)] = item.label
    return Volume(voxels, scan.geometry)


def _spans(found: list[_Found]) -> list[Span]:
    """Shares of the column between the middles of the discs."""
    spans = []
    for place, item in enumerate(found):
        top = _top(item)
        bottom = _bottom(item)
        if place > 0:
            top = (top + _bottom(found[place - 1])) / 2
        if place + 1 < len(found):
            bottom = (bottom + _top(found[place + 1])) / 2
        spans.append(Span(item.label, top, bottom, item.segment.level[0] in "CT"))
    return spans


def _top(item: _Found) -> float:
    if item.segment.superior_mm is not None:
        return item.segment.superior_mm
    return (item.segment.inferior_mm or 0.0) - 30.0


def _bottom(item: _Found) -> float:
    return item.segment.inferior_mm if item.segment.inferior_mm is not None else _top(item) + 30.0


def _is_cut(item: _Found, bodies: Volume) -> bool:
    mask = np.argwhere(bodies.voxels == item.label)
    return touches_border(bodies.geometry.points_mm(mask), bodies.geometry)


def _with_surface_flags(vertebra: Vertebra, found: list[_Found]) -> Vertebra:
    """Flag a vertebra whose wall or plates are hardly seen."""
    surface = next(item.surface for item in found if item.label == vertebra.label)
    flags = list(vertebra.flags)
    if surface.wall_fall_hu < 30.0 or surface.plate_fall_hu < 20.0:
        flags.append("faint_surface")
    return replace(vertebra, flags=tuple(flags))
