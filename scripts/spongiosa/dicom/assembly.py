"""The chosen series of an input as one volume on its own grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.defects import (
    Plan,
    plan_stack,
    refuse_implausible_hu,
    refuse_too_large,
    refuse_undecodable,
)
from spongiosa.dicom.headers import FrameHeader
from spongiosa.dicom.identity import PatientIdentity
from spongiosa.dicom.index import NOBODY, find_series
from spongiosa.dicom.planes import decode_planes
from spongiosa.dicom.privacy import LOSSY_SYNTAXES, acquisition_fields, personal_fields
from spongiosa.dicom.regrid import fill_gaps, resample_planes, shift_planes
from spongiosa.dicom.sources import Source, list_sources
from spongiosa.dicom.stack import Stack, stack_frames
from spongiosa.dicom.volume_file import is_volume_file, read_volume_file, volume_name
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import AIR_HU, Geometry, Volume

_INT16: Final = np.iinfo(np.int16)


@dataclass(frozen=True)
class AssembledScan:
    """A volume (CT: int16 HU; MR: int16 or float32 signal) and its white-listed acquisition fields, JSON-able.

    `acquisition["flags"]` lists what was done to the slices: `gantry_tilt_resampled`, `missing_slices_interpolated`,
    `variable_spacing_resampled`, `duplicates_dropped`, `lossy_compression`.
    """

    volume: Volume
    acquisition: dict[str, Any]


def assemble_input(
    path: Path,
    modality: str,
    series_key: str,
    series: SeriesSettings,
    settings: ConvertSettings,
    threads: int = 1,
    patient: PatientIdentity = NOBODY,
) -> AssembledScan:
    """The series called `series_key` below `path`, in HU (CT) or signal (MR).

    Voxels keep their values and planes; only a tilted gantry, uneven spacing or (where configured) missing slices are
    interpolated, and flagged.
    Raises `Excluded`: those of `sources.list_sources`, and the conversion part of `faults.REASONS_IN_ORDER`.
    """
    sources = list_sources(Path(path), series)
    frames = find_series(sources, series_key, threads, patient)
    if frames:
        scan = assemble_frames(frames, modality, series, settings, threads, patient)
    else:
        scan = _assemble_volume_file(_volume_called(sources, series_key, patient), modality, settings)
    if modality.upper() == "CT":
        refuse_implausible_hu(scan.volume.voxels)
    return scan


def _volume_called(sources: list[Source], key: str, patient: PatientIdentity) -> Source:
    for source in sources:
        if is_volume_file(source) and volume_name(source, patient).key == key:
            return source
    raise Excluded(
        Reason.NO_SUITABLE_SERIES,
        "The series that was chosen is not in the input any more; run again so that the input is looked at anew.",
    )


def _assemble_volume_file(source: Source, modality: str, settings: ConvertSettings) -> AssembledScan:
    volume = read_volume_file(source)
    refuse_too_large(volume.voxels.size, settings)
    spacing = volume.geometry.spacing_mm
    acquisition = _spacing_fields(spacing) | {"modality": modality.upper(), "flags": []}
    return AssembledScan(Volume(_stored_compactly(volume.voxels, modality), volume.geometry), acquisition)


def _stored_compactly(voxels: NDArray[Any], modality: str) -> NDArray[Any]:
    """CT as whole HU in int16; MR in int16 where that loses nothing, else float32."""
    if not np.isfinite(voxels).all():
        voxels = np.nan_to_num(voxels, nan=float(AIR_HU), posinf=float(_INT16.max), neginf=float(AIR_HU))
    rounded: NDArray[Any] = np.clip(np.rint(voxels), _INT16.min, _INT16.max).astype(np.int16)
    if modality.upper() == "CT" or np.array_equal(rounded, voxels):
        return rounded
    signal_values: NDArray[Any] = voxels.astype(np.float32)
    return signal_values


def assemble_frames(
    frames: list[FrameHeader],
    modality: str,
    series: SeriesSettings,
    settings: ConvertSettings,
    threads: int = 1,
    patient: PatientIdentity = NOBODY,
) -> AssembledScan:
    """The frames of one series as a volume, whether or not its values look like a patient's.  Raises `Excluded`."""
    stack = stack_frames(frames)
    plan = plan_stack(stack, series, settings)
    voxels, undecodable = decode_planes(stack, modality, threads)
    if undecodable:
        refuse_undecodable(stack, undecodable, settings)
        stack, voxels = stack.without(undecodable), np.delete(voxels, undecodable, axis=0)
        plan = plan_stack(stack, series, settings)
    if modality.upper() != "CT":
        voxels = _stored_compactly(voxels, modality)
    volume = _on_regular_grid(stack, plan, voxels, float(AIR_HU) if modality.upper() == "CT" else 0.0)
    acquisition = acquisition_fields(stack.first) | _spacing_fields(volume.geometry.spacing_mm)
    acquisition |= personal_fields(stack.first, settings, patient)
    if acquisition["slice_thickness_mm"] is None:
        acquisition["slice_thickness_mm"] = stack.first.slice_thickness_mm
    flags = list(plan.flags)
    if stack.duplicates:
        flags.append("duplicates_dropped")
    if acquisition["transfer_syntax"] in LOSSY_SYNTAXES:
        flags.append("lossy_compression")
    acquisition |= {"flags": flags, "gantry_tilt_degrees": round(stack.tilt_degrees, 2), "slices": len(stack.planes)}
    return AssembledScan(volume, acquisition)


def _spacing_fields(spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """`pixel_spacing_mm` is the side of the square with the pixel's area, for pixels that are not square."""
    column_spacing, row_spacing, slice_spacing = (float(value) for value in spacing_mm)
    return {
        "slice_spacing_mm": round(slice_spacing, 6),
        "pixel_spacing_mm": round(float(np.sqrt(column_spacing * row_spacing)), 6),
        "row_spacing_mm": round(row_spacing, 6),
        "column_spacing_mm": round(column_spacing, 6),
    }


def _on_regular_grid(stack: Stack, plan: Plan, voxels: NDArray[Any], outside: float) -> Volume:
    first = stack.first
    assert first.pixel_spacing_mm
    row_spacing, column_spacing = first.pixel_spacing_mm
    origin = stack.positions_mm[0]
    if plan.is_tilted:
        offsets_px = plan.drift_mm / np.array([row_spacing, column_spacing])
        voxels, (rows_before, columns_before) = shift_planes(voxels, offsets_px, outside)
        origin = origin + rows_before * row_spacing * stack.column_direction
        origin = origin + columns_before * column_spacing * stack.row_direction
    spacing = plan.spacing
    if spacing.steps is None:
        extent = float(stack.locations_mm[-1] - stack.locations_mm[0])
        wanted = stack.locations_mm[0] + spacing.usual_mm * np.arange(int(extent / spacing.usual_mm + 1e-6) + 1)
        voxels = resample_planes(voxels, stack.locations_mm, wanted)
    elif spacing.missing:
        voxels = fill_gaps(voxels, spacing.steps)
    depth, rows, columns = voxels.shape
    geometry = Geometry(
        shape=(depth, rows, columns),
        spacing_mm=(column_spacing, row_spacing, float(spacing.usual_mm)),
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        direction=np.stack([stack.row_direction, stack.column_direction, stack.normal], axis=1),
    )
    return Volume(voxels, geometry)
