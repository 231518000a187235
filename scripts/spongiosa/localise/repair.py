"""Repair of imported labels that mix neighbours: split along the discs that were found in the image."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray, Plane, unit_vector
from spongiosa.anatomy.levels import FIRST_UNNUMBERED, Level, level_name
from spongiosa.localise.checks import check_order
from spongiosa.localise.describe import describe, label_boxes
from spongiosa.localise.label_files import touches_border
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded
from spongiosa.volume import Volume

#: A body that bears this share of another label, besides its main one, is mixed; its main label must hold that share.
MIXED_SHARE, MAIN_SHARE = 0.12, 0.50
#: Of a body found in the image, this share must be labelled at all, else there is nothing to split.
LABELLED_SHARE = 0.5
#: Confidence that a repaired vertebra keeps: its level is the map's, its border the image's.
REPAIRED_CONFIDENCE = 0.75

#: Flags of the import that a repair of borders does not lift; those of the frame are found anew.
_KEPT = ("fragmented", "holes_filled", "porous", "body_derived_without_canal", "small")


@dataclass(frozen=True)
class _Slab:
    """Between two discs of the image: the label that holds most of the body there, and the limiting planes."""

    label: int
    above: Plane | None
    below: Plane | None

    def contains(self, points_mm: FloatArray) -> NDArray[np.bool_]:
        """Whether LPS points lie between the planes."""
        inside = np.ones(len(points_mm), dtype=bool)
        if self.above is not None:
            inside &= self.above.signed_distance_mm(points_mm) <= 0.0
        if self.below is not None:
            inside &= self.below.signed_distance_mm(points_mm) > 0.0
        return inside


def split_at_discs(spine: LocalisedSpine, opinion: LocalisedSpine) -> LocalisedSpine:
    """Give voxels that bear a neighbour's label the label of the body between the same two discs.

    The discs are those between the bodies of `opinion`, which were found in the image; its levels are not used.  Only
    bodies whose main label is beyond doubt and unique are repaired, and only in what bears one of the mixed labels.
    Repaired vertebrae carry the flag `split_at_disc`, and the gate `repaired` names them.
    """
    slabs, mixed = _slabs(spine.vertebrae, opinion)
    if not mixed:
        return spine
    bodies, vertebrae = spine.bodies.voxels.copy(), spine.vertebrae.voxels.copy()
    # The cut at the pedicles may have left out what bore a neighbour's label: the image's bodies bring it back.
    in_body = (bodies > 0) | ((opinion.bodies.voxels > 0) & (vertebrae > 0))
    places = np.argwhere(in_body & np.isin(vertebrae, list(mixed)))
    points = spine.bodies.geometry.points_mm(places)
    for slab in slabs:
        own = tuple(places[slab.contains(points)].T)
        bodies[own] = slab.label
        vertebrae[own] = slab.label
    _share_arches(vertebrae, bodies, mixed)
    return _described(spine, Volume(vertebrae, spine.vertebrae.geometry), Volume(bodies, spine.bodies.geometry), mixed)


def _slabs(vertebrae: Volume, opinion: LocalisedSpine) -> tuple[list[_Slab], set[int]]:
    """The slabs of the image with their labels, and the labels that are mixed up; nothing where it is ambiguous."""
    found = [v for v in opinion.description.vertebrae if v.frame is not None and v.label != Level.S1]
    discs = [
        _between(upper.frame.inferior_endplate, lower.frame.superior_endplate)
        for upper, lower in itertools.pairwise(found)
        if upper.frame is not None and lower.frame is not None
    ]
    slabs: list[_Slab] = []
    mixed: set[int] = set()
    for place, vertebra in enumerate(found):
        inside = vertebrae.voxels[opinion.bodies.voxels == vertebra.label]
        counts = np.bincount(inside[inside > 0], minlength=256)
        if inside.size == 0 or counts.sum() < LABELLED_SHARE * inside.size:
            continue
        main = int(counts.argmax())
        if counts[main] < MAIN_SHARE * counts.sum():
            continue
        slabs.append(_Slab(main, discs[place - 1] if place > 0 else None, discs[place] if place < len(discs) else None))
        others = {int(label) for label in np.flatnonzero(counts >= MIXED_SHARE * counts.sum())} - {main}
        if others:
            mixed |= others | {main}
    names = [slab.label for slab in slabs]
    if len(set(names)) < len(names) or not mixed <= set(names):
        return [], set()
    return [slab for slab in slabs if slab.label in mixed], mixed


def _between(upper: Plane, lower: Plane) -> Plane:
    return Plane((upper.point_mm + lower.point_mm) / 2, unit_vector(upper.normal + lower.normal))


def _share_arches(vertebrae: NDArray[np.uint8], bodies: NDArray[np.uint8], mixed: set[int]) -> None:
    """Posterior elements of the mixed labels that do not join their body go to the one that they join (in place)."""
    for label in sorted(mixed):
        found = ndimage.find_objects((vertebrae == label).astype(np.uint8))
        if not found or found[0] is None:
            continue
        box = found[0]
        part = vertebrae[box] == label
        components, count = ndimage.label(part, np.ones((3, 3, 3)))
        own = set(np.unique(components[part & (bodies[box] == label)])) - {0}
        for number in set(range(1, count + 1)) - own:
            piece = components == number
            around = vertebrae[box][ndimage.binary_dilation(piece, iterations=2) & ~piece]
            near = np.bincount(around[np.isin(around, list(mixed))], minlength=256)
            vertebrae[box][piece] = int(near.argmax()) if near.any() else 0


def _described(spine: LocalisedSpine, vertebrae: Volume, bodies: Volume, mixed: set[int]) -> LocalisedSpine:
    before = {vertebra.label: vertebra for vertebra in spine.description.vertebrae}
    points = {
        item.label: bodies.geometry.points_mm(
            np.argwhere(bodies.voxels[item.box] == item.label) + [side.start for side in item.box]
        )
        for item in label_boxes(bodies)
    }
    try:
        check_order({label: at.mean(axis=0) for label, at in points.items()})
    except Excluded:
        return spine
    described = describe(
        vertebrae,
        bodies,
        frozenset(label for label, at in points.items() if touches_border(at, bodies.geometry)),
        {
            label: min(before[label].confidence, REPAIRED_CONFIDENCE) if label in mixed else before[label].confidence
            for label in points
        },
        {
            label: (*(flag for flag in before[label].flags if flag in _KEPT), *(("split_at_disc",) * (label in mixed)))
            for label in points
        },
    )
    names = ", ".join(level_name(label) for label in sorted(mixed) if label < FIRST_UNNUMBERED)
    description = replace(
        spine.description,
        vertebrae=described,
        confidence=min(vertebra.confidence for vertebra in described),
        gates={**spine.description.gates, "repaired": names},
    )
    return LocalisedSpine(vertebrae, bodies, description)
