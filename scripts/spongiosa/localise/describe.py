"""From label maps to the description of the spine: frame, truncation and flags of every vertebra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray, Plane, Vertebra, unit_vector
from spongiosa.anatomy.levels import Level, level_name
from spongiosa.localise.frames import fit_frame, frame_from_planes
from spongiosa.volume import Volume

#: Robust SD of an endplate surface about its plane beyond which the plane is not trusted, mm.
UNEVEN_ENDPLATE_MM = 2.5
_MINIMAL_POSTERIOR_VOXELS = 50
_POSTERIOR = np.array([0.0, 1.0, 0.0])
_SUPERIOR = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class LabelBox:
    """Where a label lies in the arrays."""

    label: int
    box: tuple[slice, slice, slice]


def label_boxes(labels: Volume, margin: int = 1) -> list[LabelBox]:
    """Boxes of all labels, widened by `margin` voxels, in ascending order of the label."""
    boxes = []
    for number, found in enumerate(ndimage.find_objects(labels.voxels), start=1):
        if found is not None:
            wide = tuple(
                slice(max(part.start - margin, 0), min(part.stop + margin, size))
                for part, size in zip(found, labels.voxels.shape, strict=True)
            )
            boxes.append(LabelBox(number, (wide[0], wide[1], wide[2])))
    return boxes


def crop_of(labels: Volume, item: LabelBox) -> Volume:
    """The 0/1 mask of one label in its box."""
    part = labels.cropped(np.array([side.start for side in item.box]), np.array([side.stop for side in item.box]))
    return Volume((part.voxels == item.label).astype(np.uint8), part.geometry)


def superior_hints(centres: Mapping[int, FloatArray], cranial_to_caudal: list[int]) -> dict[int, FloatArray]:
    """Direction along the column at each vertebra, from its neighbours; straight up for a lone one."""
    hints = {}
    for place, label in enumerate(cranial_to_caudal):
        above = cranial_to_caudal[max(place - 1, 0)]
        below = cranial_to_caudal[min(place + 1, len(cranial_to_caudal) - 1)]
        along = centres[above] - centres[below]
        hints[label] = unit_vector(along) if np.linalg.norm(along) > 5.0 else _SUPERIOR
    return hints


def posterior_hint(body_centre: FloatArray, whole: Volume, body_voxels: Volume) -> FloatArray:
    """From the body to the middle of the posterior elements; the patient's back where there are none."""
    behind = (whole.voxels > 0) & ~(body_voxels.voxels > 0)
    if int(behind.sum()) < _MINIMAL_POSTERIOR_VOXELS:
        return _POSTERIOR
    offset = whole.geometry.points_mm(np.argwhere(behind)).mean(axis=0) - body_centre
    return unit_vector(offset) if np.linalg.norm(offset) > 5.0 else _POSTERIOR


def describe(
    vertebrae: Volume,
    bodies: Volume,
    truncated: frozenset[int],
    confidence: Mapping[int, float],
    flags: Mapping[int, tuple[str, ...]],
    planes: Mapping[int, tuple[Plane, Plane, float]] | None = None,
) -> tuple[Vertebra, ...]:
    """Frame and state of every label of `bodies`, from cranial to caudal (by the height of the bodies' centres).

    The endplate planes (superior, inferior, robust SD mm) are fitted to the label map unless they are given: a surface
    found below the size of a voxel says more than its voxels.
    """
    boxes = {item.label: item for item in label_boxes(bodies)}
    crops = {label: crop_of(bodies, item) for label, item in boxes.items()}
    centres = {
        label: crop.geometry.points_mm(np.argwhere(crop.voxels > 0)).mean(axis=0) for label, crop in crops.items()
    }
    order = sorted(centres, key=lambda label: -centres[label][2])
    hints = superior_hints(centres, order)
    whole_boxes = {item.label: item for item in label_boxes(vertebrae)}
    described = []
    for label in order:
        item = whole_boxes[label]
        whole = crop_of(vertebrae, item)
        body = crop_of(bodies, LabelBox(label, item.box))
        # The sacrum has no inferior endplate: planes fitted to its first segment would mean nothing.
        is_sacrum = label == Level.S1
        fitted = None
        if not is_sacrum:
            backwards = posterior_hint(centres[label], whole, body)
            given = None if planes is None else planes.get(label)
            fitted = (
                fit_frame(crops[label], hints[label], backwards)
                if given is None
                else frame_from_planes(*given, backwards)
            )
        own_flags = list(flags.get(label, ()))
        if fitted is None and not is_sacrum:
            own_flags.append("frame_missing")
        elif fitted is not None and fitted.endplate_residual_mm > UNEVEN_ENDPLATE_MM:
            own_flags.append("uneven_endplates")
        if label in truncated:
            own_flags.append("truncated")
        described.append(
            Vertebra(
                label=label,
                level=level_name(label),
                frame=None if fitted is None else fitted.frame,
                confidence=confidence[label],
                is_truncated=label in truncated,
                flags=tuple(own_flags),
            )
        )
    return tuple(described)
