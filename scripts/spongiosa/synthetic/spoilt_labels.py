"""Label maps spoilt in the ways in which maps that people hand in are spoilt, and the scan under them.

Each function takes the labels of a patient scanned by `SCANNER` (VerSe integers, axes z, y, x) and returns spoilt ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spongiosa.anatomy.levels import Level
from spongiosa.synthetic.parameters import ScannerParameters

Labels = NDArray[np.uint8]
Spoiler = Callable[[Labels], Labels]

#: The patient lies 3 mm beside the middle of the field of view, as nobody lies exactly in it.
SCANNER = ScannerParameters(
    rows=256,
    columns=256,
    pixel_spacing_mm=1.3,
    slice_thickness_mm=3.0,
    slice_spacing_mm=3.0,
    cranial_level="T12",
    off_centre_mm=(3.0, 0.0),
)

_SAMPLING_MM = (SCANNER.slice_spacing_mm, SCANNER.pixel_spacing_mm, SCANNER.pixel_spacing_mm)


def sound(labels: Labels) -> Labels:
    """As they are."""
    return labels


def one_level_too_high(labels: Labels) -> Labels:
    """Every vertebra has the name of the one above; without the sacrum, which would be too long for an L5."""
    moved = {level: level - 1 for level in range(Level.T12, Level.L5 + 1)}
    return _renamed(labels, moved | {Level.S1: 0})


def a_level_skipped(labels: Labels) -> Labels:
    """L3 to L5 called L4 to L6: the step from L2 to L4 is one vertebra high."""
    return _renamed(labels, {level: level + 1 for level in (Level.L3, Level.L4, Level.L5)})


def a_level_twice(labels: Labels) -> Labels:
    """L3 called L2."""
    return _renamed(labels, {Level.L3: Level.L2})


def neighbours_mixed(labels: Labels) -> Labels:
    """The lower half of L2 belongs to L3."""
    mixed = labels.copy()
    slices = np.flatnonzero((labels == Level.L2).any(axis=(1, 2)))
    lower = slices[: len(slices) // 2]
    mixed[lower] = _renamed(labels[lower], {Level.L2: Level.L3})
    return mixed


def with_strays(labels: Labels) -> Labels:
    """Some hundred stray voxels of L4 in the abdomen."""
    spoilt = labels.copy()
    spoilt[10:14, 60:70, 60:70] = Level.L4
    return spoilt


def porous(labels: Labels) -> Labels:
    """A tenth of the voxels is missing."""
    return np.where(np.random.default_rng(1).random(labels.shape) < 0.1, 0, labels).astype(np.uint8)


def in_stripes(labels: Labels) -> Labels:
    """Every third row and column of voxels is missing."""
    broken = labels.copy()
    broken[:, :, ::3] = 0
    broken[:, ::3] = 0
    return broken


def left_half_only(labels: Labels) -> Labels:
    """One half of the field of view is empty."""
    half = labels.copy()
    half[:, :, : labels.shape[2] // 2] = 0
    return half


def head_to_feet(labels: Labels) -> Labels:
    """The slices stand in the reverse order."""
    return labels[::-1]


def front_to_back(labels: Labels) -> Labels:
    """Front and back are exchanged."""
    return labels[:, ::-1]


def left_to_right(labels: Labels) -> Labels:
    """Left and right are exchanged about the middle of the field of view."""
    return labels[:, :, ::-1]


def left_to_right_in_place(labels: Labels) -> Labels:
    """Left and right are exchanged about the middle of the map itself."""
    present = np.flatnonzero((labels > 0).any(axis=(0, 1)))
    own = (slice(None), slice(None), slice(present[0], present[-1] + 1))
    mirrored = np.zeros_like(labels)
    mirrored[own] = labels[own][:, :, ::-1]
    return mirrored


def moved_sideways(labels: Labels) -> Labels:
    """18 mm to the side."""
    return np.roll(labels, 14, axis=2)


def moved_down(labels: Labels) -> Labels:
    """15 mm down."""
    return np.roll(labels, -5, axis=0)


def swollen(labels: Labels) -> Labels:
    """Grown by 6 mm into the soft tissue."""
    from scipy import ndimage

    distance, nearest = ndimage.distance_transform_edt(labels == 0, sampling=_SAMPLING_MM, return_indices=True)
    return np.where(distance < 6.0, labels[tuple(nearest)], 0).astype(np.uint8)


def eroded(labels: Labels) -> Labels:
    """The outer 4 mm are missing."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(labels > 0, sampling=_SAMPLING_MM)
    return np.where(depth > 4.0, labels, 0).astype(np.uint8)


def _renamed(labels: Labels, names: dict[int, int]) -> Labels:
    table = np.arange(256, dtype=np.uint8)
    table[list(names)] = list(names.values())
    return table[labels]
