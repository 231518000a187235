"""Import of an existing label map, in any scheme and on any grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray, SpineDescription
from spongiosa.anatomy.levels import Level
from spongiosa.localise.checks import check_headers, check_on_bone, check_order
from spongiosa.localise.describe import crop_of, describe, label_boxes, superior_hints
from spongiosa.localise.label_files import (
    LabelMap,
    on_grid_of,
    read_label_map,
    relabelled,
    touches_border,
    voxel_counts,
)
from spongiosa.localise.pedicle_cut import body_of_vertebra, core_of_vertebra
from spongiosa.localise.schemes import SCHEMES, LabelScheme, scheme_by_order, scheme_named
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume, bounding_box

#: A body voxel farther than this from every numbered vertebra belongs to none of them, mm.
NUMBERING_REACH_MM = 6.0
#: A vertebra smaller than this is a fragment, mm3 (a lumbar vertebra holds 30,000 mm3 and more, T1 about 8,000).
MINIMAL_VERTEBRA_MM3 = 1500.0
MINIMAL_BODY_MM3 = 800.0
#: A piece at the edge of the scan without a canal may be a spinous process or a facet up to this size, mm3.
MINIMAL_CUT_MM3 = 6000.0
#: Pieces smaller than this share of their vertebra are dropped as stray voxels.
STRAY_SHARE = 0.05

#: Gaps up to this width in a label are holes when this share of what is near them bears the label, mm; holes of less
#: than that share of the label are left alone: notches of a sound map at 3 mm make up 2 to 2.5 % of it.
NARROW_GAP_MM, SURROUNDED_SHARE, HOLE_SHARE = 4.0, 0.42, 0.04
#: Gaps of more than this share of the label are no lost voxels but a broken map, all of whose narrow gaps are closed.
POROUS_SHARE = 0.35

#: Confidence of an imported level that passes every check: a label map can be wrong in ways that geometry cannot show.
IMPORTED_CONFIDENCE = 0.95
_PENALTY = {"fragmented": 0.15, "holes_filled": 0.1, "porous": 0.35, "body_derived_without_canal": 0.2, "small": 0.25}


@dataclass
class _Part:
    """One vertebra during the import: flags found so far."""

    flags: list[str]

    @property
    def confidence(self) -> float:
        return max(IMPORTED_CONFIDENCE - sum(_PENALTY.get(flag, 0.0) for flag in self.flags), 0.1)


def import_labels(
    scan: Volume, labels: Path, body_labels: Path | None = None, label_scheme: str | None = None
) -> LocalisedSpine:
    """Vertebrae, bodies and their description from label maps of another tool.

    `label_scheme` is a name of `schemes.SCHEMES` or a YAML file; without it the order of the integers along the body
    decides between VerSe and TotalSegmentator.  Bodies come from `body_labels` where given, else they are cut out of
    the whole vertebrae at the pedicles.  Raises `Excluded` with LABELS_UNREADABLE, LABELS_OFF_GRID or
    LABELS_IMPLAUSIBLE.
    """
    source = read_label_map(labels)
    scheme = _scheme_of(source, label_scheme)
    numbered = relabelled(source.volume, {old: int(level) for old, level in scheme.levels.items()})
    if not (numbered.voxels > 0).any():
        raise Excluded(
            Reason.LABELS_IMPLAUSIBLE,
            f"No vertebra of the scheme {scheme.name} is in the label map; is it the right one?",
        )
    check_headers(scan, numbered)
    vertebrae = on_grid_of(scan.geometry, numbered)
    parts = {item.label: _Part([]) for item in label_boxes(vertebrae)}
    vertebrae = _without_fragments(_without_holes(vertebrae, parts), parts)
    bodies = (
        _given_bodies(read_label_map(body_labels), scheme, scan, vertebrae)
        if body_labels is not None
        else _cut_bodies(vertebrae, parts)
    )
    np.copyto(vertebrae.voxels, bodies.voxels, where=bodies.voxels > 0)
    vertebrae, bodies = _with_bodies_only(vertebrae, bodies)
    points = {
        item.label: (crop := crop_of(bodies, item)).geometry.points_mm(np.argwhere(crop.voxels > 0))
        for item in label_boxes(bodies)
    }
    scan_flags = check_order({label: at.mean(axis=0) for label, at in points.items()})
    gates = check_on_bone(scan, vertebrae)
    truncated = frozenset(
        label
        for label, at in points.items()
        if touches_border(at, scan.geometry) or touches_border(at, source.volume.geometry)
    )
    described = describe(
        vertebrae,
        bodies,
        truncated,
        {label: parts[label].confidence for label in points},
        {label: tuple(parts[label].flags) for label in points},
    )
    description = SpineDescription(
        method="labels",
        confidence=min(vertebra.confidence for vertebra in described),
        vertebrae=described,
        flags=scan_flags,
        gates={"label_scheme": scheme.name, "bodies_given": body_labels is not None, **gates},
    )
    return LocalisedSpine(vertebrae, bodies, description)


def _scheme_of(source: LabelMap, label_scheme: str | None) -> LabelScheme:
    if label_scheme is not None:
        return scheme_named(label_scheme)
    if source.level_by_label is not None:
        return LabelScheme("dicom_seg", source.level_by_label, SCHEMES["verse"].unnumbered_body_labels)
    heights = {
        label: float(source.volume.geometry.points_mm(np.argwhere(source.volume.voxels == label)).mean(axis=0)[2])
        for label in source.labels
    }
    return scheme_by_order(sorted(heights, key=heights.__getitem__))


def _without_holes(vertebrae: Volume, parts: dict[int, _Part]) -> Volume:
    """Fill what a label encloses, and gaps in it narrower than `NARROW_GAP_MM`; more than a little of it is flagged."""
    filled = vertebrae.voxels.copy()
    spacing = np.array(vertebrae.geometry.spacing_mm[::-1])
    reach = np.maximum(1, np.rint(NARROW_GAP_MM / 2.0 / spacing)).astype(int)
    margin = int(reach.max()) + 1
    for item in label_boxes(vertebrae, margin=margin):
        view = filled[item.box]
        mask = view == item.label
        closed = ndimage.binary_closing(np.pad(mask, margin), np.ones(2 * reach + 1, dtype=bool))
        whole = ndimage.binary_fill_holes(closed)[tuple(slice(margin, -margin) for _ in range(3))]
        # The canal stays open: only what bone of the label surrounds on four sides in its neighbourhood is a hole.
        surrounded = ndimage.uniform_filter(mask.astype(np.float32), size=tuple(2 * reach + 1)) > SURROUNDED_SHARE
        gaps = whole & (view == 0)
        is_porous = gaps.sum() > POROUS_SHARE * mask.sum()
        added = gaps if is_porous else gaps & surrounded
        if added.sum() > HOLE_SHARE * mask.sum():
            view[added] = item.label
            parts[item.label].flags.append("porous" if is_porous else "holes_filled")
    return Volume(filled, vertebrae.geometry)


def _without_fragments(vertebrae: Volume, parts: dict[int, _Part]) -> Volume:
    """Drop stray pieces of every label, and labels that are only fragments."""
    cleaned = vertebrae.voxels.copy()
    for item in label_boxes(vertebrae):
        view = cleaned[item.box]
        mask = view == item.label
        components, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
        sizes = np.bincount(components.ravel())[1:]
        keep = sizes >= STRAY_SHARE * sizes.sum()
        if count > 1:
            view[mask & ~np.concatenate([[False], keep])[components]] = 0
        if keep.sum() > 1:
            parts[item.label].flags.append("fragmented")
        if sizes.sum() * vertebrae.geometry.voxel_volume_mm3 < MINIMAL_VERTEBRA_MM3:
            view[mask] = 0
    return Volume(cleaned, vertebrae.geometry)


def _given_bodies(source: LabelMap, scheme: LabelScheme, scan: Volume, vertebrae: Volume) -> Volume:
    """The second map on the scan's grid; an unnumbered one takes its numbers from the nearest whole vertebra."""
    numbered = {old: int(level) for old, level in scheme.levels.items() if old in source.labels}
    unnumbered = scheme.unnumbered_body_labels & set(source.labels)
    if unnumbered and not set(numbered) & set(range(int(Level.T12), int(Level.L6))):
        mask = on_grid_of(scan.geometry, relabelled(source.volume, dict.fromkeys(unnumbered, 1)))
        return _numbered_from(vertebrae, mask)
    if not numbered:
        raise Excluded(Reason.LABELS_IMPLAUSIBLE, "No vertebral body of the scheme is in the map of bodies.")
    return on_grid_of(scan.geometry, relabelled(source.volume, numbered))


def _numbered_from(vertebrae: Volume, bodies: Volume) -> Volume:
    """Give every body voxel the label of the nearest vertebra within reach, and drop what has none."""
    lower, upper = bounding_box((vertebrae.voxels > 0) | (bodies.voxels > 0))
    near = vertebrae.cropped(lower, upper)
    part = bodies.cropped(lower, upper).voxels > 0
    distance, nearest = ndimage.distance_transform_edt(
        near.voxels == 0, sampling=near.geometry.spacing_mm[::-1], return_indices=True
    )
    labels = np.where(part & (distance <= NUMBERING_REACH_MM), near.voxels[tuple(nearest)], 0)
    result = np.zeros_like(vertebrae.voxels)
    result[tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))] = labels
    return Volume(result, vertebrae.geometry)


def _cut_bodies(vertebrae: Volume, parts: dict[int, _Part]) -> Volume:
    """Bodies cut out of whole vertebrae at the pedicles."""
    items = label_boxes(vertebrae, margin=2)
    voxel_mm3 = vertebrae.geometry.voxel_volume_mm3
    crops = {item.label: crop_of(vertebrae, item) for item in items}
    cores = {label: core_of_vertebra(crop) for label, crop in crops.items()}
    hints = superior_hints(cores, sorted(cores, key=lambda label: -cores[label][2]))
    bodies = np.zeros_like(vertebrae.voxels)
    for item in items:
        crop = crops[item.label]
        backwards: FloatArray = crop.geometry.points_mm(np.argwhere(crop.voxels > 0)).mean(axis=0) - cores[item.label]
        body = body_of_vertebra(crop, hints[item.label], backwards)
        if body is None:
            # No canal behind the core: the map holds bodies only, or the scan shows only a tip of the arch.
            body = crop.voxels > 0
            points = crop.geometry.points_mm(np.argwhere(body))
            if len(points) * voxel_mm3 < MINIMAL_CUT_MM3 and touches_border(points, vertebrae.geometry):
                continue
            parts[item.label].flags.append("body_derived_without_canal")
        bodies[item.box][_closed(body)] = item.label
    return Volume(bodies, vertebrae.geometry)


def _closed(body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(body)
    return filled


def _with_bodies_only(vertebrae: Volume, bodies: Volume) -> tuple[Volume, Volume]:
    """Drop vertebrae without a body of sensible size from both maps: arches at the edge of the scan.

    Raises `Excluded(LABELS_IMPLAUSIBLE)` when none is left.
    """
    counts = voxel_counts(bodies)
    kept = counts * bodies.geometry.voxel_volume_mm3 >= MINIMAL_BODY_MM3
    kept[0] = False
    if not kept.any():
        raise Excluded(Reason.LABELS_IMPLAUSIBLE, "No label holds a vertebral body of plausible size.")
    table = np.where(kept, np.arange(256), 0).astype(np.uint8)
    return Volume(table[vertebrae.voxels], vertebrae.geometry), Volume(table[bodies.voxels], bodies.geometry)
