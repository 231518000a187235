"""Which reason wins when an input has several faults.

An input is judged from the outside in: what can be opened, what it holds, whose it is, then series by series from the
header to the pixels.  The first fault met on that way is the reason.  Where several series all have a fault, the reason
is that of the series that came furthest: a folder with a scout and a CT whose slices are missing is excluded for the
missing slices.
"""

from __future__ import annotations

from typing import Final

from spongiosa.outcome import Excluded, Reason

#: The order in which faults are looked for.  docs/dicom_traps.tsv shows it at work.
REASONS_IN_ORDER: Final[tuple[Reason, ...]] = (
    # the input as a whole
    Reason.INPUT_MISSING,
    Reason.ARCHIVE_REFUSED,
    Reason.NO_DICOM,
    Reason.SEVERAL_PATIENTS,
    # a series, by its headers (index)
    Reason.WRONG_MODALITY,
    Reason.LOCALIZER_ONLY,
    Reason.HEADER_INCOMPLETE,
    Reason.MIXED_ORIENTATION,
    Reason.MIXED_GEOMETRY,
    Reason.TOO_FEW_SLICES,
    Reason.NO_SUITABLE_SERIES,
    # the chosen series (conversion)
    Reason.TOO_LARGE,
    Reason.MISSING_SLICES,
    Reason.VARIABLE_SPACING,
    Reason.GANTRY_TILT,
    Reason.UNDECODABLE,
    Reason.CONFLICTING_SLICES,
    Reason.IMPLAUSIBLE_HU,
)


def rank(reason: Reason) -> int:
    """Place of a reason in the order; a higher rank was met later.  Raises `ValueError` for reasons of other stages."""
    return REASONS_IN_ORDER.index(reason)


def furthest(faults: list[Excluded]) -> Excluded:
    """The fault that stands for all, of at least one: the one met last; the first of equals."""
    return max(faults, key=lambda fault: rank(fault.reason))
