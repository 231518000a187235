"""Checks that every source of labels must pass: order, spacing, and bone under the mask."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray
from spongiosa.anatomy.levels import CRANIAL_TO_CAUDAL, FIRST_UNNUMBERED, Level, level_name
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume, bounding_box, resampled

#: Distance of the centres of adjacent vertebrae, mm, from the smallest adult to a tall one with margin for fractures.
THORACIC_PITCH_MM = (12.0, 45.0)
LUMBAR_PITCH_MM = (18.0, 52.0)
#: The label 26 may hold the first sacral segment or the whole sacrum.
SACRAL_PITCH_MM = (18.0, 85.0)
#: HU above which a voxel counts as bone, and the least share of a vertebra that is.
BONE_HU = 150
MINIMAL_BONE_SHARE = 0.10
#: Bone stands out so many times more by one of two headers than by the other: that one is right.
DECIDING_GAIN = 1.5

_REGULAR: list[Level] = [level for level in CRANIAL_TO_CAUDAL if level not in (Level.T13, Level.L6)]


def steps_between(upper: int, lower: int) -> int:
    """How many vertebrae down from `upper` to `lower`; negative upwards.  T13 and L6 count only when they are named.

    Unnumbered vertebrae (101, 102, ...) count by their numbers.
    """
    if upper >= FIRST_UNNUMBERED or lower >= FIRST_UNNUMBERED:
        return lower - upper
    ranks: list[Level] = list(_REGULAR)
    for extra, above in ((Level.T13, Level.T12), (Level.L6, Level.L5)):
        if extra in (upper, lower):
            ranks.insert(ranks.index(above) + 1, extra)
    return ranks.index(Level(lower)) - ranks.index(Level(upper))


def _pitch_limits_mm(lower: int) -> tuple[float, float]:
    """Least and largest distance of a vertebra from the one above it."""
    if lower == Level.S1:
        return SACRAL_PITCH_MM
    return LUMBAR_PITCH_MM if lower >= Level.L1 else THORACIC_PITCH_MM


def check_order(centres: Mapping[int, FloatArray]) -> tuple[str, ...]:
    """Check labels against the places of their bodies' centres (LPS mm); returns flags for the scan.

    Raises `Excluded(LABELS_IMPLAUSIBLE)` when the order along the body is not that of the levels, or two neighbours are
    nearer or farther than vertebrae can be.
    """
    by_height = sorted(centres, key=lambda label: -centres[label][2])
    skipped = False
    for upper, lower in itertools.pairwise(by_height):
        steps = steps_between(upper, lower)
        names = f"{level_name(upper)} and {level_name(lower)}"
        if steps <= 0:
            raise Excluded(
                Reason.LABELS_IMPLAUSIBLE,
                f"{level_name(upper)} lies above {level_name(lower)} in the label map: is the scheme right, or is the "
                "map upside down?",
            )
        pitch = float(np.linalg.norm(centres[upper] - centres[lower])) / steps
        lowest, highest = _pitch_limits_mm(lower)
        if not lowest <= pitch <= highest:
            raise Excluded(
                Reason.LABELS_IMPLAUSIBLE,
                f"The centres of {names} are {pitch * steps:.0f} mm apart, which {steps} vertebral "
                f"step{'s' if steps > 1 else ''} cannot be.",
            )
        skipped |= steps > 1
    return ("levels_missing_in_labels",) if skipped else ()


def check_headers(scan: Volume, labels: Volume) -> None:
    """Compare the places of a label map by its own header and, where the matrices are equal, by that of the scan.

    Raises `Excluded(LABELS_OFF_GRID)` when bone stands out much more under the map with the header of the scan: one of
    the two says the wrong way round, as when LPS and RAS are mistaken for each other or an origin is lost.
    """
    if labels.geometry.shape != scan.geometry.shape or labels.geometry.is_same_as(scan.geometry):
        return
    places = [Volume(labels.voxels, scan.geometry), resampled(labels, scan.geometry, "nearest", 0)]
    by_scan, by_itself = (inside - around for inside, around in (_bone_shares(scan, place) for place in places))
    if by_scan > DECIDING_GAIN * max(by_itself, MINIMAL_BONE_SHARE):
        raise Excluded(
            Reason.LABELS_OFF_GRID,
            "The label map lies on bone with the header of the scan, but not with its own: one of the two headers is "
            "wrong (are LPS and RAS mistaken for each other?).",
        )


def check_on_bone(scan: Volume, vertebrae: Volume) -> dict[str, float]:
    """Compare the share of bone under the mask with that in a shell 4 to 8 mm around it; returns both.

    Raises `Excluded(LABELS_OFF_GRID)` when the mask does not lie on bone.
    """
    inside, around = _bone_shares(scan, vertebrae)
    if inside < MINIMAL_BONE_SHARE or inside < 1.5 * around:
        raise Excluded(
            Reason.LABELS_OFF_GRID,
            f"The label map does not lie on bone: {100 * inside:.0f} % of its voxels are above {BONE_HU} HU, and "
            f"{100 * around:.0f} % of those around it; is it the map of another scan?",
        )
    return {"bone_share_inside": round(inside, 4), "bone_share_around": round(around, 4)}


def _bone_shares(scan: Volume, vertebrae: Volume) -> tuple[float, float]:
    """Share of bone under the mask and in the shell around it; 0 for an empty mask."""
    if not (vertebrae.voxels > 0).any():
        return 0.0, 0.0
    lower, upper = bounding_box(vertebrae.voxels > 0)
    margin = np.ceil(9.0 / np.array(scan.geometry.spacing_mm[::-1])).astype(int)
    stride = np.maximum(1, np.floor(1.5 / np.array(scan.geometry.spacing_mm[::-1]))).astype(int)
    steps = tuple(slice(None, None, int(step)) for step in stride)
    mask = vertebrae.cropped(lower - margin, upper + margin).voxels[steps] > 0
    hu = scan.cropped(lower - margin, upper + margin).voxels[steps]
    sampling = np.array(scan.geometry.spacing_mm[::-1]) * stride
    distance = ndimage.distance_transform_edt(~mask, sampling=sampling)
    shell = (distance > 4.0) & (distance < 8.0)
    inside = float((hu[mask] > BONE_HU).mean())
    around = float((hu[shell] > BONE_HU).mean()) if shell.any() else 0.0
    return inside, around
