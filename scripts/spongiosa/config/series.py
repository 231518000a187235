"""Section `series`: which DICOM series of a folder is measured."""

from __future__ import annotations

from pydantic import Field

from spongiosa.config.base import Section


class SeriesSettings(Section):
    """Requirements and preferences for the series of a scan."""

    minimum_slices: int = Field(4, ge=2, le=1000, description="Series with fewer slices are not considered. [slices]")
    maximum_slice_spacing_mm: float = Field(
        6.0, gt=0, le=20, description="Series with a larger distance between slices are not considered. [mm]"
    )
