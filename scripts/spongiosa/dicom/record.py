"""What is known about one series of an input: a row of cohort/series.parquet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from spongiosa.config.convert import ConvertSettings
from spongiosa.dicom.grouping import FoundSeries, SeriesName
from spongiosa.dicom.headers import FrameHeader
from spongiosa.dicom.identity import PatientIdentity
from spongiosa.dicom.privacy import acquisition_fields, personal_fields, scan_date
from spongiosa.dicom.stack import Stack, spacing_of, stack_frames
from spongiosa.outcome import Excluded, Reason

Orientation = Literal["axial", "sagittal", "coronal", "oblique"]
#: A tilted gantry and slices along a disc stay below.
_OBLIQUE_FROM_DEGREES = 30.0


@dataclass(frozen=True)
class SeriesGeometry:
    """Size and place of a series; None where the headers do not say it.

    `length_mm` is the extent in the head-foot direction including the outer halves of the end slices, `lowest_z_mm` and
    `highest_z_mm` its ends (LPS).
    """

    rows: int
    columns: int
    row_spacing_mm: float
    column_spacing_mm: float
    orientation: Orientation
    slice_spacing_mm: float | None
    smallest_spacing_mm: float | None
    largest_spacing_mm: float | None
    missing_slices: int
    is_regular: bool
    tilt_degrees: float
    length_mm: float
    lowest_z_mm: float
    highest_z_mm: float


@dataclass(frozen=True)
class SeriesRecord:
    """One series, or one volume file, of an input.

    `fault` says why it cannot be measured; `explanation` why it was chosen, or why not.  `personal` holds what the
    configuration lets pass of age, sex and day; `days_from_reference` (from the DXA or surgery to the scan) serves the
    choice and leaves only where days may.
    """

    name: SeriesName
    kind: Literal["dicom", "volume_file"]
    modality: str
    images: int
    slices: int
    duplicates: int
    geometry: SeriesGeometry | None
    fault: Excluded | None = None
    acquisition: Mapping[str, Any] = field(default_factory=dict)
    personal: Mapping[str, Any] = field(default_factory=dict)
    days_from_reference: int | None = None
    is_chosen: bool = False
    explanation: str = ""

    @property
    def series_key(self) -> str:
        return self.name.key

    def to_row(self) -> dict[str, Any]:
        """A flat row: the same columns for every series."""
        geometry = dict.fromkeys(SeriesGeometry.__annotations__) | (asdict(self.geometry) if self.geometry else {})
        return {
            "series_key": self.series_key,
            "kind": self.kind,
            "series_modality": self.modality,
            "is_chosen": self.is_chosen,
            "reason": self.fault.reason.value if self.fault else None,
            "explanation": self.explanation,
            "images": self.images,
            "slices": self.slices,
            "duplicates": self.duplicates,
            **geometry,
            **{name: self.acquisition.get(name) for name in ACQUISITION_COLUMNS},
            **{name: self.personal.get(name) for name in PERSONAL_COLUMNS},
        }


ACQUISITION_COLUMNS = (
    "slice_thickness_mm",
    "kvp",
    "tube_current_ma",
    "exposure_mas",
    "kernel",
    "kernel_class",
    "manufacturer",
    "contrast_agent",
    "image_type",
    "body_part",
    "patient_position",
    "transfer_syntax",
)

#: Null unless `convert.patient_age`, `convert.patient_sex` and `convert.dates` let them pass.
PERSONAL_COLUMNS = ("age_years", "sex", "scan_day")


def record_series(
    series: FoundSeries, fault: Excluded | None, convert: ConvertSettings, patient: PatientIdentity
) -> SeriesRecord:
    """Describe one series; a fault of its geometry becomes the record's unless it has one already."""
    frames = series.frames
    geometry, slices, duplicates = None, len(frames), 0
    try:
        stack = stack_frames(frames)
    except Excluded as geometry_fault:
        fault = fault or geometry_fault
    else:
        geometry, slices, duplicates = describe_stack(stack), len(stack.planes), stack.duplicates
    acquisition = acquisition_fields(frames[0])
    return SeriesRecord(
        series.name,
        "dicom",
        acquisition["modality"],
        len(frames),
        slices,
        duplicates,
        geometry,
        fault,
        acquisition,
        personal_fields(frames[0], convert, patient),
        _days_from_reference(frames[0], patient),
    )


def _days_from_reference(first: FrameHeader, patient: PatientIdentity) -> int | None:
    scanned = scan_date(first)
    if scanned is None or patient.reference_day is None:
        return None
    return patient.day(scanned) - patient.reference_day


def describe_stack(stack: Stack) -> SeriesGeometry:
    """Matrix, spacings and extent of a stack of slices, in mm and LPS."""
    first = stack.first
    assert first.rows and first.columns and first.pixel_spacing_mm
    is_single = len(stack.planes) < 2
    spacing = None if is_single else spacing_of(stack)
    thickness = spacing.usual_mm if spacing else (first.slice_thickness_mm or 0.0)
    lowest, highest = _head_foot_range(stack, thickness)
    return SeriesGeometry(
        rows=first.rows,
        columns=first.columns,
        row_spacing_mm=first.pixel_spacing_mm[0],
        column_spacing_mm=first.pixel_spacing_mm[1],
        orientation=orientation_of(stack),
        slice_spacing_mm=round(spacing.usual_mm, 4) if spacing else None,
        smallest_spacing_mm=round(float(spacing.distances_mm.min()), 4) if spacing else None,
        largest_spacing_mm=round(float(spacing.distances_mm.max()), 4) if spacing else None,
        missing_slices=spacing.missing if spacing else 0,
        is_regular=spacing.is_regular if spacing else True,
        tilt_degrees=round(stack.tilt_degrees, 2),
        length_mm=round(highest - lowest, 2),
        lowest_z_mm=round(lowest, 2),
        highest_z_mm=round(highest, 2),
    )


def orientation_of(stack: Stack) -> Orientation:
    """The body plane that the images lie in, oblique from 30 degrees off every one."""
    names: tuple[Orientation, ...] = ("sagittal", "coronal", "axial")
    nearest = int(np.argmax(np.abs(stack.normal)))
    degrees_off = float(np.degrees(np.arccos(min(1.0, abs(float(stack.normal[nearest]))))))
    return names[nearest] if degrees_off < _OBLIQUE_FROM_DEGREES else "oblique"


def _head_foot_range(stack: Stack, thickness_mm: float) -> tuple[float, float]:
    """Ends of the volume along z: of the plane centres of an axial stack (tilted or not), else of the corners."""
    half = abs(float(stack.normal[2])) * thickness_mm / 2
    if orientation_of(stack) == "axial":
        heights = stack.centres_mm[[0, -1], 2]
        return float(heights.min()) - half, float(heights.max()) + half
    first = stack.first
    assert first.rows and first.columns and first.pixel_spacing_mm
    along_row = stack.row_direction[2] * first.pixel_spacing_mm[1] * first.columns
    along_column = stack.column_direction[2] * first.pixel_spacing_mm[0] * first.rows
    corners = [
        start + a + b for start in stack.positions_mm[[0, -1], 2] for a in (0, along_row) for b in (0, along_column)
    ]
    return float(min(corners)) - half, float(max(corners)) + half


def has_reason(record: SeriesRecord, reason: Reason) -> bool:
    """Whether a series cannot be used for this reason."""
    return record.fault is not None and record.fault.reason is reason
