"""Semi-quantitative grading of vertebral fractures from the heights of the bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from spongiosa.regions.heights import BodyHeights

#: Loss of height at which grades 1, 2 and 3 begin.
#: Source: Genant et al., J Bone Miner Res 1993; 8: 1137-1148 (mild 20-25 %, moderate 25-40 %, severe above 40 %).
GRADE_LIMITS = (0.20, 0.25, 0.40)

#: A body whose posterior height lost this share of the greatest loss is crushed.
CRUSH_SHARE = 0.5


class FractureType(StrEnum):
    """Which height is lost most."""

    NONE = "none"
    WEDGE = "wedge"
    BICONCAVE = "biconcave"
    CRUSH = "crush"


@dataclass(frozen=True)
class Deformity:
    """Type, grade (0-3) and the largest relative loss of height."""

    type: FractureType
    grade: int
    loss: float


def grade_deformities(heights: Sequence[BodyHeights | None], neighbours: int) -> list[Deformity | None]:
    """Deformity of each vertebra, given the heights in order; None where there is nothing to compare with.

    Expected heights are the medians over up to `neighbours` complete vertebrae on each side.  The loss in the middle
    counts in posterior heights, because a normal middle is lower.  A body is a crush when its posterior height is lost
    too (half of the greatest loss), a wedge when it lost most in front, biconcave when it lost most in the middle.
    """
    return [_deformity(own, _expected(heights, index, neighbours)) for index, own in enumerate(heights)]


def _expected(heights: Sequence[BodyHeights | None], index: int, count: int) -> tuple[float, float, float] | None:
    above = [other for other in heights[:index] if other is not None][-count:]
    below = [other for other in heights[index + 1 :] if other is not None][:count]
    neighbours = [(other.anterior_mm, other.middle_mm, other.posterior_mm) for other in (*above, *below)]
    if not neighbours:
        return None
    anterior, middle, posterior = np.median(neighbours, axis=0)
    return float(anterior), float(middle), float(posterior)


def _deformity(own: BodyHeights | None, expected: tuple[float, float, float] | None) -> Deformity | None:
    if own is None or expected is None:
        return None
    measured = (own.anterior_mm, own.middle_mm, own.posterior_mm)
    references = (expected[0], expected[2], expected[2])
    anterior, middle, posterior = (
        (should - is_) / reference for is_, should, reference in zip(measured, expected, references, strict=True)
    )
    loss = max(anterior, middle, posterior)
    grade = sum(loss >= limit for limit in GRADE_LIMITS)
    if grade == 0:
        return Deformity(FractureType.NONE, 0, loss)
    if posterior >= CRUSH_SHARE * loss:
        return Deformity(FractureType.CRUSH, grade, loss)
    return Deformity(FractureType.WEDGE if anterior >= middle else FractureType.BICONCAVE, grade, loss)
