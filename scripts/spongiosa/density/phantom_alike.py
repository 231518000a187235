"""Phantoms whose rods lie on the same line: which of them it is, as far as the distances of the rods can say.

Rods of 0, 100 and 200 mg/cm3 and rods of 0, 75 and 150 mg/cm3 have HU on straight lines of credible slopes both ways
round, so that HU alone never tell that the wrong name was given; the values would be wrong by a third.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from spongiosa.config.calibration import PhantomDetectionSettings
from spongiosa.config.phantoms import PhantomSettings
from spongiosa.density.phantom_layout import OFF_LAYOUT_MM, hu_ranges, incredible
from spongiosa.density.phantom_lines import fit_rods
from spongiosa.volume import FloatArray

#: The layout of the phantom that was named is in doubt when its distances are wrong by more than this share, and that
#: of another one fits when they are wrong by less than this.  Between the two lies what the nominal distances of the
#: presets cannot decide.
IN_DOUBT, FITS = 0.2, 0.1


def likelier_phantom(
    places_mm: FloatArray,
    hu: FloatArray,
    phantom: PhantomSettings,
    known: Mapping[str, PhantomSettings],
    rules: PhantomDetectionSettings,
) -> str | None:
    """The name of the known phantom that these rods are likelier to be than `phantom`; None without such a one.

    `places_mm`, shape (n, 2), and `hu`, shape (n,), of the rods in the order of `phantom`.  Another phantom is likelier
    when its line is credible too and its layout fits, while that of `phantom` is in doubt.  None when a rod is missing.
    """
    if not np.isfinite(hu).all() or _misfit(places_mm, phantom) <= IN_DOUBT:
        return None
    rank = np.argsort(np.argsort(_expected_hu(phantom, rules), kind="stable"), kind="stable")
    for name, other in sorted(known.items()):
        if len(other.rods) != len(phantom.rods) or other == phantom:
            continue
        # A line that rises puts the rods of both in one order; `of_other` has those of `other` in its own.
        of_other = np.argsort(rank)[np.argsort(np.argsort(_expected_hu(other, rules), kind="stable"), kind="stable")]
        if _misfit(places_mm[of_other], other) <= FITS and incredible(fit_rods(hu[of_other], other), rules) is None:
            return name
    return None


def _expected_hu(phantom: PhantomSettings, rules: PhantomDetectionSettings) -> FloatArray:
    """HU of the rods in the middle of what a credible line can give them."""
    return np.asarray(hu_ranges(phantom, rules).mean(axis=1))


def _misfit(places_mm: FloatArray, phantom: PhantomSettings) -> float:
    """Share by which the layout must be scaled to fit the places; infinite where no scale makes it fit."""
    layout = np.array([rod.position_mm for rod in phantom.rods])
    measured, stated = _distances_mm(places_mm), _distances_mm(layout)
    scale = float(measured @ stated / (stated @ stated))
    is_alike = float(np.abs(measured - scale * stated).max()) <= 2 * OFF_LAYOUT_MM
    return abs(scale - 1.0) if is_alike else float("inf")


def _distances_mm(places_mm: FloatArray) -> NDArray[np.float64]:
    return np.array(
        [np.hypot(*(places_mm[one] - places_mm[other])) for one, other in combinations(range(len(places_mm)), 2)]
    )
