"""Faults of the chosen series that decide whether, and how, its slices become a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.stack import Spacing, Stack, spacing_of
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import FloatArray

DRIFT_TOLERANCE_MM: Final = 0.5
"""Slices whose first pixels drift less than this over the whole stack lie on a straight table: half a pixel or so."""
STEEPEST_TILT_DEGREES: Final = 45.0
"""No gantry tilts further than 30 degrees; beyond this the positions are wrong, or it is no stack at all."""
_LOWEST_SOFT_TISSUE_HU: Final = -50
_PLAUSIBLE_TISSUE_HU: Final = (-200, 300)
_LEAST_TISSUE_FRACTION: Final = 0.005


@dataclass(frozen=True)
class Plan:
    """What has to be done with a stack: `drift_mm` (n, 2) is how far each plane lies along its column and row direction
    from the first one; `flags` are passed on to every measurement."""

    spacing: Spacing
    drift_mm: FloatArray
    is_tilted: bool
    flags: tuple[str, ...]


def plan_stack(stack: Stack, series: SeriesSettings, settings: ConvertSettings) -> Plan:
    """Raises `Excluded`: TOO_FEW_SLICES, TOO_LARGE, MISSING_SLICES, VARIABLE_SPACING, GANTRY_TILT, in that order."""
    if len(stack.planes) < max(2, series.minimum_slices):
        raise Excluded(
            Reason.TOO_FEW_SLICES,
            f"Only {len(stack.planes)} usable slices; at least {series.minimum_slices} are needed "
            "(series.minimum_slices).",
        )
    spacing = spacing_of(stack, settings.spacing_tolerance_mm)
    first = stack.first
    assert first.rows and first.columns
    extent = float(stack.locations_mm[-1] - stack.locations_mm[0])
    refuse_too_large(first.rows * first.columns * int(extent / spacing.usual_mm + 1), settings)
    flags = [*_judge_spacing(stack, spacing, series, settings)]
    offsets = stack.positions_mm - stack.positions_mm[0]
    drift = np.stack([offsets @ stack.column_direction, offsets @ stack.row_direction], axis=1)
    is_tilted = bool(np.abs(drift).max() > DRIFT_TOLERANCE_MM)
    if is_tilted:
        _judge_tilt(stack.tilt_degrees, settings)
        flags.append("gantry_tilt_resampled")
    return Plan(spacing, drift, is_tilted, tuple(flags))


def refuse_too_large(voxels: int, settings: ConvertSettings) -> None:
    """Raises `Excluded(TOO_LARGE)`; called before the memory is allocated."""
    if voxels > settings.maximum_megavoxels * 1e6:
        raise Excluded(
            Reason.TOO_LARGE,
            f"The volume would hold {voxels / 1e6:.0f} million voxels, more than the {settings.maximum_megavoxels:g} "
            "million of convert.maximum_megavoxels.",
        )


def _judge_spacing(stack: Stack, spacing: Spacing, series: SeriesSettings, settings: ConvertSettings) -> list[str]:
    if spacing.is_regular:
        return []
    if spacing.steps is not None:
        longest = max(spacing.steps) - 1
        if not settings.fill_missing_slices or longest > settings.maximum_missing_run:
            raise Excluded(Reason.MISSING_SLICES, _missing_sentence(stack, spacing, longest, settings))
        return ["missing_slices_interpolated"]
    smallest, largest = float(spacing.distances_mm.min()), float(spacing.distances_mm.max())
    found = f"The distance between neighbouring slices varies from {smallest:.2f} to {largest:.2f} mm"
    if settings.variable_spacing == "exclude":
        raise Excluded(
            Reason.VARIABLE_SPACING, f"{found}; set convert.variable_spacing to `resample` to interpolate them."
        )
    if largest > series.maximum_slice_spacing_mm:
        raise Excluded(
            Reason.VARIABLE_SPACING,
            f"{found}, more than the {series.maximum_slice_spacing_mm:g} mm of series.maximum_slice_spacing_mm that "
            "may be interpolated.",
        )
    return ["variable_spacing_resampled"]


def _missing_sentence(stack: Stack, spacing: Spacing, longest: int, settings: ConvertSettings) -> str:
    assert spacing.steps is not None
    gaps = [index for index, step in enumerate(spacing.steps) if step > 1]
    total = len(stack.planes) + spacing.missing
    gap_mm = float(spacing.distances_mm[gaps[0]])
    where = stack.places([gaps[0], gaps[0] + 1])
    others = f" and at {len(gaps) - 1} more place{'s' if len(gaps) > 2 else ''}" if len(gaps) > 1 else ""
    verb = "is" if spacing.missing == 1 else "are"
    advice = (
        "set convert.fill_missing_slices to interpolate, or export the series again"
        if longest <= settings.maximum_missing_run
        else f"a run of {longest} is more than convert.maximum_missing_run may interpolate; export the series again"
    )
    return (
        f"{spacing.missing} of {total} slices {verb} missing between {where} (a gap of {gap_mm:.1f} mm where "
        f"{spacing.usual_mm:.1f} mm is usual){others}; {advice}."
    )


def _judge_tilt(tilt_degrees: float, settings: ConvertSettings) -> None:
    if tilt_degrees > STEEPEST_TILT_DEGREES:
        raise Excluded(
            Reason.GANTRY_TILT,
            f"The slice positions lie {tilt_degrees:.1f} degrees off the slices' normal, more than any gantry tilts; "
            "the positions in the header are wrong.",
        )
    if settings.gantry_tilt == "exclude":
        raise Excluded(
            Reason.GANTRY_TILT,
            f"The gantry was tilted by {tilt_degrees:.1f} degrees; set convert.gantry_tilt to `resample`.",
        )


def refuse_undecodable(stack: Stack, undecodable: Sequence[int], settings: ConvertSettings) -> None:
    """Raises `Excluded(UNDECODABLE)` unless the planes may be interpolated like missing ones."""
    count, total = len(undecodable), len(stack.planes)
    is_end = undecodable[0] == 0 or undecodable[-1] == total - 1
    if count == total:
        raise Excluded(
            Reason.UNDECODABLE,
            f"None of the {total} slices could be decoded: the pixel data are damaged or compressed in an unknown way.",
        )
    if not settings.fill_missing_slices or is_end:
        raise Excluded(
            Reason.UNDECODABLE,
            f"{count} of {total} slices could not be decoded, the first at {stack.places([undecodable[0]])}: the pixel "
            "data are damaged or cut short; copy the series again"
            + ("." if is_end else ", or set convert.fill_missing_slices."),
        )


def refuse_implausible_hu(hu: NDArray[Any]) -> None:
    """Raises `Excluded(IMPLAUSIBLE_HU)` for values that no CT of a patient has.

    A patient has tissue between fat and soft bone, and fat or air around it: a scan without any value below -50 HU, or
    with next to none between -200 and 300 HU, has lost its rescale intercept or is not CT.
    """
    sample = hu[:: max(1, hu.shape[0] // 64), :: max(1, hu.shape[1] // 128), :: max(1, hu.shape[2] // 128)]
    lowest, highest = float(np.percentile(sample, 0.1)), float(np.percentile(sample, 99.9))
    low, high = _PLAUSIBLE_TISSUE_HU
    tissue = float(np.mean((sample >= low) & (sample <= high)))
    if lowest > _LOWEST_SOFT_TISSUE_HU or tissue < _LEAST_TISSUE_FRACTION:
        raise Excluded(
            Reason.IMPLAUSIBLE_HU,
            f"The values range from {lowest:.0f} to {highest:.0f} and {100 * tissue:.1f} % of them lie between {low} "
            f"and {high}: not the Hounsfield units of a patient. Check the rescale intercept, or whether this is a CT.",
        )
