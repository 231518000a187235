"""A proportion with Wilson's confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spongiosa.statistics.samples import StatisticsError, normal_quantile


@dataclass(frozen=True)
class Proportion:
    """`count` of `total`; where `total` is 0 the estimate and the limits are NaN and `reason` says so."""

    count: int
    total: int
    estimate: float
    ci_low: float
    ci_high: float
    method: str
    reason: str = ""


def proportion(count: int, total: int, *, confidence: float = 0.95, of: str = "patients") -> Proportion:
    """Wilson's score interval without continuity correction.

        centre = (p + z^2 / 2n) / (1 + z^2 / n),   half width = z / (1 + z^2 / n) * sqrt(p (1 - p) / n + z^2 / 4n^2)

    `of` names the denominator in the reason given when it is empty.  Raises `StatisticsError` unless
    0 <= count <= total.  Source: Wilson, J Am Stat Assoc 22 (1927) 209-212.
    """
    z = normal_quantile(confidence)
    if not 0 <= count <= total:
        raise StatisticsError(f"{count} of {total} is no proportion.")
    method = f"Wilson score interval, {confidence:.0%}"
    if total == 0:
        return Proportion(count, total, math.nan, math.nan, math.nan, method, reason=f"There are no {of}.")
    share = count / total
    shrink = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / shrink
    half_width = z / shrink * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    # The limits at 0 and n are exactly 0 and 1; rounding must not make them -1e-17.
    low = 0.0 if count == 0 else centre - half_width
    high = 1.0 if count == total else centre + half_width
    return Proportion(count, total, share, low, high, method)
