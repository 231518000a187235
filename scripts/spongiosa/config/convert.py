"""Section `convert`: how a series becomes a volume in HU."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from spongiosa.config.base import Section


class ConvertSettings(Section):
    """Assembly of the volume."""

    fill_missing_slices: bool = Field(
        False, description="Interpolate missing slices linearly (flagged) instead of excluding the scan."
    )
    maximum_missing_run: int = Field(
        2,
        ge=1,
        le=50,
        description="Longest run of neighbouring missing slices that fill_missing_slices may interpolate. [slices]",
    )
    spacing_tolerance_mm: float = Field(
        0.1,
        gt=0,
        le=1,
        description="How far a slice may lie from its place in a regular stack before the spacing counts as uneven. "
        "Headers round positions. [mm]",
    )
    variable_spacing: Literal["resample", "exclude"] = Field(
        "resample",
        description="Slices at uneven distances: interpolate them linearly to the usual distance (flagged), as long as "
        "no gap exceeds series.maximum_slice_spacing_mm, or exclude the scan.",
    )
    gantry_tilt: Literal["resample", "exclude"] = Field(
        "resample",
        description="A tilted gantry: shift each slice within its plane into an orthogonal grid by linear "
        "interpolation (flagged), or exclude the scan.",
    )
    patient_age: Literal["drop", "bands", "years"] = Field(
        "drop",
        description="Whether the age at the scan may leave the header, for the scan's JSON file, series.parquet and, "
        "where the clinical table has no age, patients.parquet: not at all, as its band of five years (the lower end; "
        "in patients.parquet the middle), or in years; 90 and above are 90 in either case.",
    )
    patient_sex: Literal["drop", "keep"] = Field(
        "drop", description="Whether the sex may leave the header, for the same places as the age."
    )
    dates: Literal["drop", "offset"] = Field(
        "drop",
        description="Whether the date of the scan may leave the header: not at all, or as a count of days from a day "
        "that only the project's secret tells, so that intervals (CT to DXA, CT to CT) are true and no date is known.",
    )
    keep: Literal["full", "lumbar", "none"] = Field(
        "full",
        description="What is kept of a converted scan once all its stages are done: all of it; the box around "
        "everything that was measured; or nothing. A stage that has to run again converts the DICOM again, for those "
        "scans only.",
    )
    maximum_megavoxels: float = Field(
        1000.0, gt=0, le=20_000, description="A volume with more voxels than this is refused. [million voxels]"
    )
