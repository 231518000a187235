"""How the endplates of a column are tilted, made steady by what anatomy allows from one plate to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spongiosa.anatomy.frame import FloatArray, unit_vector

#: Wedge of body and of the disc below it in the sagittal plane, degrees, positive where higher in front.  Their sums
#: follow the lordosis per segment of 324 adults (Sci Rep 2022, doi 10.1038/s41598-022-21840-x, table 2: L1-L2 1, L2-L3
#: 6, L3-L4 9, L4-L5 13, L5-S1 22, SD 4 to 8); the shares follow the heights in front and behind of Zhou et al. (Eur
#: Spine J 2000;9:242-248); rounded.
WEDGES_DEG: dict[str, tuple[float, float]] = {
    "T11": (-3.5, 1.0),
    "T12": (-3.5, 2.0),
    "L1": (-2.5, 4.0),
    "L2": (-1.0, 6.0),
    "L3": (0.5, 8.0),
    "L4": (2.0, 10.5),
    "L5": (7.5, 13.0),
    "L6": (7.5, 13.0),
}
THORACIC_WEDGES_DEG = (-3.0, 0.5)
#: SD of these between persons and, in the frontal plane, about 0: sagittal, frontal; degrees.
BODY_SD_DEG, DISC_SD_DEG = (4.0, 2.5), (4.0, 3.0)
#: SD of a tilt that was measured in thick slices, degrees: half a slice over the depth of a body.
MEASURED_SD_DEG = 4.0
#: Multiples of their SD from which a measured tilt counts less as a mistake, and a wedge less as a fracture.
MISTAKEN, FRACTURED = 2.0, 1.5
_ROUNDS = 30


@dataclass(frozen=True)
class TiltedPlate:
    """A plate of the vertebra number `vertebra` (counted from cranial): its level, which plate, and the unit normal."""

    vertebra: int
    level: str
    is_superior: bool
    normal: FloatArray


def steady_normals(plates: Sequence[TiltedPlate]) -> list[FloatArray]:
    """Normals (LPS, unit, superior) of the plates of a column, in order, after their tilts agree with each other.

    The most probable tilts given those that were measured and the usual wedges of bodies and discs, in the sagittal
    and the frontal plane of the scan each for itself.  Both a measurement and a body's wedge may be far off (Cauchy's
    weights, iteratively reweighted least squares): the first is a mistake, the second a fracture, which several
    measurements must show.
    """
    if not plates:
        return []
    measured = np.array([_tilts_deg(plate.normal) for plate in plates])
    steady = np.stack([_steadied(plates, measured[:, axis], axis) for axis in (0, 1)], axis=-1)
    return [_normal(tilts) for tilts in steady]


def _steadied(plates: Sequence[TiltedPlate], measured: FloatArray, axis: int) -> FloatArray:
    """Tilts in one plane (`axis` 0: sagittal, 1: frontal), degrees."""
    links = [_link(plates, place, axis) for place in range(len(plates) - 1)]
    rows, usual, sd, is_body = [], [], [], []
    for place, link in enumerate(links):
        if link is None:
            continue
        row = np.zeros(len(plates))
        row[place], row[place + 1] = -1.0, 1.0
        rows.append(row)
        usual.append(link[0])
        sd.append(link[1])
        is_body.append(plates[place].vertebra == plates[place + 1].vertebra)
    design = np.concatenate([np.eye(len(plates)), np.array(rows).reshape(-1, len(plates))])
    wanted = np.concatenate([measured, usual])
    spread = np.concatenate([np.full(len(plates), MEASURED_SD_DEG), sd])
    limit = np.concatenate([np.full(len(plates), MISTAKEN), np.where(is_body, FRACTURED, np.inf)])
    weight = np.ones(len(wanted))
    for _ in range(_ROUNDS):
        root = np.sqrt(weight) / spread
        tilts: FloatArray = np.linalg.lstsq(design * root[:, None], wanted * root, rcond=None)[0]
        weight = 1.0 / (1.0 + ((wanted - design @ tilts) / (limit * spread)) ** 2)
    return tilts


def _link(plates: Sequence[TiltedPlate], place: int, axis: int) -> tuple[float, float] | None:
    """Usual change of the tilt from a plate to the next, and its SD, degrees; None where a plate between is unseen."""
    one, other = plates[place], plates[place + 1]
    usual = WEDGES_DEG.get(one.level, THORACIC_WEDGES_DEG)
    if one.vertebra == other.vertebra:
        return (usual[0] if axis == 0 else 0.0), BODY_SD_DEG[axis]
    if other.vertebra == one.vertebra + 1 and not one.is_superior and other.is_superior:
        return (usual[1] if axis == 0 else 0.0), DISC_SD_DEG[axis]
    return None


def _tilts_deg(normal: FloatArray) -> FloatArray:
    """Rise of a plate towards the back and towards the left, degrees, against the axial plane."""
    tilts: FloatArray = np.degrees(np.arctan2(-normal[[1, 0]], normal[2]))
    return tilts


def _normal(tilts_deg: FloatArray) -> FloatArray:
    back, left = np.tan(np.radians(tilts_deg))
    return unit_vector(np.array([-left, -back, 1.0]))
