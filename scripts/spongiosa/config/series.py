"""Section `series`: which DICOM series of a folder is measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from spongiosa.config.base import Section

Preference = Literal[
    "complete",
    "original_axial",
    "lumbar_coverage",
    "no_contrast",
    "kernel",
    "slice_thickness",
    "most_slices",
    "nearest_date",
]
KernelClass = Literal["standard", "soft", "sharp", "unknown"]


class SeriesSettings(Section):
    """Requirements and preferences for the series of a scan."""

    minimum_slices: int = Field(4, ge=2, le=1000, description="Series with fewer slices are not considered. [slices]")
    maximum_slice_spacing_mm: float = Field(
        6.0, gt=0, le=20, description="Series with a larger distance between slices are not considered. [mm]"
    )
    preferences: tuple[Preference, ...] = Field(
        (
            "complete",
            "original_axial",
            "lumbar_coverage",
            "no_contrast",
            "kernel",
            "slice_thickness",
            "most_slices",
            "nearest_date",
        ),
        min_length=1,
        description="What decides between several usable series, the most important first; the next counts only where "
        "the former are equal. `complete`: no missing slice; `original_axial`: as scanned, not reformatted; "
        "`lumbar_coverage`: longer, up to sufficient_length_mm, and between equal lengths with a stated body part that "
        "has a lumbar spine; `no_contrast`: before contrast agent; `kernel`: earlier in kernel_order; "
        "`slice_thickness`: nearest to preferred_slice_thickness_mm; `most_slices`; `nearest_date`: nearest to the "
        "date that nearest_to names.",
    )
    nearest_to: Literal["dxa_date", "surgery_date"] = Field(
        "dxa_date",
        description="Column of the clinical table to which `nearest_date` compares the date of a scan; without it, or "
        "for a patient without a date, that preference decides nothing.",
    )
    kernel_order: tuple[KernelClass, ...] = Field(
        ("standard", "soft", "unknown", "sharp"),
        min_length=1,
        description="Classes of reconstruction kernels, the preferred first; a class that is not listed comes last. "
        "Sharp (bone, lung) kernels overshoot at edges and raise the noise of HU.",
    )
    sufficient_length_mm: float = Field(
        250.0,
        gt=0,
        le=2000,
        description="A series this long in the head-foot direction covers the lumbar spine; longer is not better. [mm]",
    )
    preferred_slice_thickness_mm: float = Field(
        1.0, gt=0, le=10, description="Slice thickness that is preferred between otherwise equal series. [mm]"
    )
    maximum_files: int = Field(
        100_000, ge=1, le=10_000_000, description="A scan with more files than this is refused. [files]"
    )
    maximum_archive_gb: float = Field(
        20.0, gt=0, le=1000, description="An archive (zip) that unpacks to more than this is refused. [GB]"
    )

    @field_validator("preferences", "kernel_order")
    @classmethod
    def _named_once(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(values)) != len(values):
            raise ValueError("each name may stand in the order only once")
        return values
