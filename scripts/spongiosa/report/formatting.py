"""How numbers are printed: fixed decimals, true minus signs, P values, intervals, counts with shares.

A missing number is printed as an en dash; whoever prints it adds the reason (`exhibits.Footnotes`).
"""

from __future__ import annotations

import math

MISSING = "\N{EN DASH}"


def number(value: float | None, decimals: int = 1) -> str:
    """`value` with fixed decimals and a minus sign of the width of a plus; None (does not apply) as a gap."""
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return MISSING if math.isnan(value) else ("∞" if value > 0 else "\N{MINUS SIGN}∞")
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "\N{MINUS SIGN}")


def whole(value: float) -> str:
    """A count with a thin space between thousands."""
    return MISSING if math.isnan(value) else f"{round(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def p_value(p: float) -> str:
    """Three decimals, "< 0.001" below, so that no P is ever printed as 0.000."""
    if math.isnan(p):
        return MISSING
    if p < 0.001:
        return "< 0.001"
    return "> 0.999" if p > 0.999 else f"{p:.3f}"


def percent(share: float, decimals: int = 1) -> str:
    """A share between 0 and 1 as a percentage."""
    return MISSING if math.isnan(share) else f"{number(100 * share, decimals)} %"


def count_share(count: int, total: int) -> str:
    """ "36 (60.0 %)"; only the count where the total is 0."""
    return f"{whole(count)} ({percent(count / total)})" if total else whole(count)


def interval(low: float, high: float, decimals: int = 3) -> str:
    """ "0.614 to 0.781": "to", because a dash beside a minus sign misleads."""
    if math.isnan(low) or math.isnan(high):
        return MISSING
    return f"{number(low, decimals)} to {number(high, decimals)}"


def estimate_interval(estimate: float, low: float, high: float, decimals: int = 3) -> str:
    """ "0.700 (0.614 to 0.781)"; without limits only the estimate."""
    if math.isnan(estimate) or math.isnan(low) or math.isnan(high):
        return number(estimate, decimals)
    return f"{number(estimate, decimals)} ({interval(low, high, decimals)})"


def mean_sd(mean: float, sd: float, decimals: int = 1) -> str:
    """ "72.4 ± 8.2"."""
    return number(mean, decimals) if math.isnan(sd) else f"{number(mean, decimals)} ± {number(sd, decimals)}"


def median_quartiles(median: float, q1: float, q3: float, decimals: int = 1) -> str:
    """ "71.0 (65.0, 78.5)"."""
    return f"{number(median, decimals)} ({number(q1, decimals)}, {number(q3, decimals)})"
