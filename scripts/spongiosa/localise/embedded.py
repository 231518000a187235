"""The embedded localiser: from a CT to vertebrae with levels, or a refusal with its reason."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from spongiosa.anatomy.frame import SpineDescription, Vertebra
from spongiosa.anatomy.levels import FIRST_UNNUMBERED, LUMBAR
from spongiosa.localise import gates
from spongiosa.localise.chain import FoundVertebra, find_bodies, spans_of
from spongiosa.localise.describe import LabelBox, describe, label_boxes
from spongiosa.localise.evidence import ColumnEvidence
from spongiosa.localise.level_names import named
from spongiosa.localise.painting import painted
from spongiosa.localise.pose import description_turned
from spongiosa.localise.posterior import whole_vertebrae
from spongiosa.localise.search import find_column
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.localise.straighten import ColumnCurve
from spongiosa.localise.surfaces import endplate_planes
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume

#: A shorter stretch of spine cannot hold a complete lumbar vertebra with its discs, mm.
SHORTEST_COLUMN_MM = 55.0
LEAST_CONFIDENCE = 0.3
#: The confidence of a vertebra whose level nobody knows is never high.
UNNUMBERED_CONFIDENCE = 0.5
#: Plates of neighbours that are nearer than this: one of them may lie on the other vertebra.
THINNEST_DISC_MM = 1.0
#: Falls of HU at the wall and at the fainter plate below which a surface is hardly seen, and what its confidence keeps.
FAINT_WALL_HU, FAINT_PLATE_HU, FAINT_SHARE = 30.0, 20.0, 0.7
#: Height against the higher neighbour, and angle between the plates, beyond which a plate is doubted.
RAISED, GAPING_DEG = 1.2, 22.0


def localise_embedded(scan: Volume) -> LocalisedSpine:
    """Find, segment and number the vertebrae of a CT in HU.

    Raises `Excluded`: HEAD_SCAN, NO_SPINE, FIELD_OF_VIEW, NO_LUMBAR_VERTEBRA, IMPLAUSIBLE_SPACING,
    IMPLAUSIBLE_ORIENTATION, LOW_CONFIDENCE.  With an unknown level the vertebrae are delivered as 101, 102, ... and the
    flag `level_unknown`.
    """
    column = find_column(scan)
    evidence, numbering = column.evidence, column.numbering
    if gates.is_thorax_to_the_end(evidence):
        raise Excluded(
            Reason.NO_LUMBAR_VERTEBRA,
            "The spine is in view, but ribs leave it down to the lower edge of the scan.",
        )
    if numbering is None:
        raise _too_short(evidence)
    values = gates.gate_values(column.track, numbering, evidence, column.anchors)
    margin = values["margin_to_other_numbering"]
    chain = named(numbering, evidence, column.anchors, float(margin) if isinstance(margin, (int, float)) else 0.0)
    if column.anchors.count < 2 and gates.ribs_to_the_end(chain.numbering, evidence):
        raise Excluded(
            Reason.NO_LUMBAR_VERTEBRA,
            "The spine is in view, but down to its lowest complete vertebra every one bears a rib.",
        )
    found = find_bodies(column.scan, column.curve, chain.numbering, chain.is_known)
    _check_lumbar(found, chain.is_known, evidence)
    values |= _check_size(found)
    gaps = gaps_mm(found)
    values["widest_gap_mm"] = round(max(gaps, default=0.0), 1)
    heights = [None if item.is_partial else item.bottom_mm - item.top_mm for item in found]
    if gates.lacks_vertebra(heights, gaps):
        flags = ("level_unknown", "gap_in_column")
        found = [replace(item, label=FIRST_UNNUMBERED + place) for place, item in enumerate(found)]
        chain = replace(chain, is_known=False, flags=flags)
    confidence = gates.chain_confidence(values)
    if confidence < LEAST_CONFIDENCE:
        raise Excluded(
            Reason.LOW_CONFIDENCE,
            f"The vertebrae are found with a confidence of {confidence:.2f} only; give a label map for this scan.",
        )
    level_confidence = chain.confidence if chain.is_known else UNNUMBERED_CONFIDENCE
    spine = _assembled(column.scan, column.curve, found, confidence * level_confidence, chain.flags, values)
    return LocalisedSpine(
        Volume(spine.vertebrae.voxels, scan.geometry),
        Volume(spine.bodies.voxels, scan.geometry),
        description_turned(spine.description, column.turn.T),
    )


def _too_short(evidence: ColumnEvidence) -> Excluded:
    length = int(evidence.visible.sum())
    return Excluded(Reason.FIELD_OF_VIEW, f"Only {length} mm of the spine are in view; no complete vertebra fits.")


def _check_size(found: list[FoundVertebra]) -> dict[str, float | bool | str | None]:
    """Median width, depth and height of the complete bodies, mm.

    Raises `Excluded(IMPLAUSIBLE_SPACING)` when they are smaller or larger than any adult's, or out of proportion.
    """
    complete = [item for item in found if not item.is_partial]
    width = float(np.median([item.surface.width_mm for item in complete]))
    depth = float(np.median([item.surface.depth_mm for item in complete]))
    height = float(np.median([item.bottom_mm - item.top_mm for item in complete]))
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


def _check_lumbar(found: list[FoundVertebra], is_known: bool, evidence: ColumnEvidence) -> None:
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
    found: list[FoundVertebra],
    confidence: float,
    flags: tuple[str, ...],
    values: dict[str, float | bool | str | None],
) -> LocalisedSpine:
    bodies = painted(scan.geometry, [(item.label, item.surface) for item in found])
    vertebrae = whole_vertebrae(scan, bodies, curve, spans_of(found))
    boxes = {item.label: item for item in label_boxes(bodies, margin=0)}
    present = [item for item in found if item.label in boxes]
    truncated = frozenset(item.label for item in present if item.is_partial and item.segment.level != "S1") | frozenset(
        item.label for item in present if _is_cut(boxes[item.label], bodies)
    )
    truncated |= {item.label for item in (present[0], present[-1]) if item.surface.plate_fall_hu < FAINT_PLATE_HU}
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


def gaps_mm(found: list[FoundVertebra]) -> list[float]:
    """Distances between the facing plates of neighbours, mm, from cranial to caudal."""
    planes = [endplate_planes(item.surface) for item in found]
    return [
        float((upper[1].point_mm - lower[0].point_mm) @ upper[1].normal) for upper, lower in itertools.pairwise(planes)
    ]


def flagged_by_neighbours(vertebrae: tuple[Vertebra, ...]) -> tuple[Vertebra, ...]:
    """Flag vertebrae much higher than both neighbours, with plates that gape, or with no disc or more than one between
    them and a neighbour: a plate may lie elsewhere.

    A fracture lowers a vertebra; nothing but a mistaken plate raises it by a quarter.
    """
    doubted = _beside_odd_disc(vertebrae)
    flagged = []
    for place, vertebra in enumerate(vertebrae):
        near = [other.frame for other in vertebrae[max(place - 1, 0) : place + 2] if other is not vertebra]
        heights = [frame.height_mm for frame in near if frame is not None]
        frame = vertebra.frame
        if frame is not None and heights and not vertebra.is_truncated:
            planes = float(np.clip(frame.superior_endplate.normal @ frame.inferior_endplate.normal, -1.0, 1.0))
            gapes = bool(np.degrees(np.arccos(planes)) > GAPING_DEG)
            if gapes or frame.height_mm > RAISED * max(heights) or vertebra.label in doubted:
                flags = (*vertebra.flags, "unlike_its_neighbours")
                vertebra = replace(vertebra, flags=flags, confidence=round(0.7 * vertebra.confidence, 4))
        flagged.append(vertebra)
    return tuple(flagged)


def _beside_odd_disc(vertebrae: tuple[Vertebra, ...]) -> set[int]:
    """Labels of neighbours whose facing plates are nearer than any disc is thin or further apart than any is thick,
    measured midway between the bodies.
    """
    doubted: set[int] = set()
    for upper, lower in itertools.pairwise(vertebrae):
        if upper.frame is None or lower.frame is None:
            continue
        above, below = upper.frame.inferior_endplate, lower.frame.superior_endplate
        middle = (above.point_mm + below.point_mm) / 2
        thickness = below.signed_distance_mm(middle) - above.signed_distance_mm(middle)
        if not THINNEST_DISC_MM <= thickness <= gates.WIDEST_DISC_MM:
            doubted |= {upper.label, lower.label}
    return doubted


def _is_cut(box: LabelBox, labels: Volume) -> bool:
    """Whether a label reaches the outermost voxels of the grid."""
    return any(side.start == 0 or side.stop == size for side, size in zip(box.box, labels.voxels.shape, strict=True))


def _with_surface_flags(vertebra: Vertebra, found: list[FoundVertebra]) -> Vertebra:
    """Flag a vertebra whose wall or plates are hardly seen."""
    surface = next(item.surface for item in found if item.label == vertebra.label)
    flags = list(vertebra.flags)
    if surface.wall_fall_hu < FAINT_WALL_HU or surface.plate_fall_hu < FAINT_PLATE_HU:
        flags.append("faint_surface")
        return replace(vertebra, flags=tuple(flags), confidence=round(FAINT_SHARE * vertebra.confidence, 4))
    return vertebra
