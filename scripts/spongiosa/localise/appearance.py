"""What a column's own bodies and discs look like, as costs of a second search for its plates.

A deeply dished or crushed plate is no straight line, and the search by lines alone may let its vertebra take the disc
beyond it.  Once most plates are found, the scan itself says how bright its marrow and its discs are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spongiosa.anatomy.frame import FloatArray

#: Left out at the ends of a body and of a disc, where their plates are, mm.
BODY_MARGIN_MM, DISC_MARGIN_MM = 4, 2
#: So many bodies and discs of their own are needed to say what bodies and discs look like.
LEAST_SAMPLES = 3
#: Marrow and disc must differ by this many SDs of the marrow along the column, and of the discs from each other, and by
#: this many HU; else their brightness says nothing.
LEAST_CONTRAST_SD, LEAST_CONTRAST_HU = 1.8, 15.0
#: Cost of a millimetre of disc within a body, and of body within a disc.
WEIGHT_APPEARANCE = 0.4


@dataclass(frozen=True)
class Appearance:
    """How much every millimetre of the column looks like a disc (0) or like a body (1), cumulated: entry k is the sum
    over the first k millimetres, of what speaks against a body (`disc_mm`) and against a disc (`body_mm`).
    """

    disc_mm: FloatArray
    body_mm: FloatArray

    def against_bodies(self, starts: FloatArray, stops: FloatArray) -> FloatArray:
        """Cost of bodies with these superior and inferior plates (samples, shapes that broadcast)."""
        return WEIGHT_APPEARANCE * _between(self.disc_mm, starts + BODY_MARGIN_MM, stops - BODY_MARGIN_MM)

    def against_discs(self, starts: FloatArray, stops: FloatArray) -> FloatArray:
        """Cost of discs between these plates (samples, shapes that broadcast)."""
        return WEIGHT_APPEARANCE * _between(self.body_mm, starts + DISC_MARGIN_MM, stops - DISC_MARGIN_MM)


def _between(cumulated: FloatArray, starts: FloatArray, stops: FloatArray) -> FloatArray:
    last = len(cumulated) - 1
    first, end = (np.clip(places, 0, last).astype(int) for places in (starts, np.maximum(stops, starts)))
    part: FloatArray = cumulated[end] - cumulated[first]
    return part


def learnt_appearance(
    middle_hu: FloatArray, bodies_mm: list[tuple[float, float]], discs_mm: list[tuple[float, float]]
) -> Appearance | None:
    """What bodies and discs look like in the middle of the column (`middle_hu`, shape (n,), HU, one sample per mm).

    `bodies_mm` and `discs_mm` are the places of their plates as first found: most of them are right, so that medians
    are.  None where marrow and discs are alike, or too few are in view.
    """
    marrow = _samples(middle_hu, bodies_mm, BODY_MARGIN_MM)
    between = _samples(middle_hu, discs_mm, DISC_MARGIN_MM)
    if min(len(marrow), len(between)) < LEAST_SAMPLES:
        return None
    marrow_hu = float(np.median([np.median(part) for part in marrow]))
    discs_hu = np.array([np.median(part) for part in between])
    disc_hu = float(np.median(discs_hu))
    spread_hu = 1.4826 * max(
        float(np.median(np.abs(np.concatenate(marrow) - marrow_hu))), float(np.median(np.abs(discs_hu - disc_hu)))
    )
    contrast_hu = marrow_hu - disc_hu
    if abs(contrast_hu) < max(LEAST_CONTRAST_SD * spread_hu, LEAST_CONTRAST_HU):
        return None
    likeness = np.nan_to_num(np.clip((middle_hu - disc_hu) / contrast_hu, 0.0, 1.0), nan=0.5)
    return Appearance(*(np.concatenate([[0.0], np.cumsum(part)]) for part in (1.0 - likeness, likeness)))


def _samples(middle_hu: FloatArray, stretches_mm: list[tuple[float, float]], margin_mm: int) -> list[FloatArray]:
    parts = [middle_hu[round(start) + margin_mm : max(round(stop) - margin_mm, 0)] for start, stop in stretches_mm]
    return [part[np.isfinite(part)] for part in parts if np.isfinite(part).any()]
