"""Section `quality`: which scans can be trusted."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from spongiosa.config.base import Section
from spongiosa.config.series import KernelClass

#: A range in which a quantity of the scan is good; an open end is null.
Limit = tuple[float | None, float | None]

#: Quantities of a scan that a range judges.
LIMITED = (
    *("kvp", "slice_thickness_mm", "slice_spacing_mm", "noise_sd_hu", "streak_index", "metal_mm3"),
    *("gantry_tilt_degrees", "table_height_mm"),
)

Rule = Literal[
    "kvp",
    "slice_thickness_mm",
    "slice_spacing_mm",
    "noise_sd_hu",
    "streak_index",
    "metal_mm3",
    "gantry_tilt_degrees",
    "table_height_mm",
    "kernel",
    "missing_slices",
]


class QualitySettings(Section):
    """Rules about the scan as a whole: lowest and highest good value, null for no limit.

    A quantity that is not known breaks no rule.
    """

    exclude: tuple[Rule, ...] = Field(
        (),
        description="Rules that exclude a scan which breaks them, with the reason `scan_quality`. A broken rule that "
        "is not named here flags every row of the scan (`quality_kvp` ...).",
    )
    ignore: tuple[Rule, ...] = Field((), description="Rules that do nothing; the quantity is still recorded.")
    kvp: Limit = Field(
        (115.0, 125.0),
        description="Tube voltage. HU thresholds hold for 120 kVp, calibrated densities for any. [kVp]",
    )
    slice_thickness_mm: Limit = Field(
        (None, 5.0), description="Slice thickness: thicker slices mix endplate and spongiosa. [mm]"
    )
    slice_spacing_mm: Limit = Field((None, 5.0), description="Distance of the slices. [mm]")
    noise_sd_hu: Limit = Field(
        (None, 50.0),
        description="Noise: SD of the quietest of blood, muscle and fat. A mean over 1000 voxels is then good to about "
        "5 HU, as neighbouring voxels share their noise. [HU]",
    )
    streak_index: Limit = Field(
        (None, 2.0),
        description="Noise of the worst twentieth of the slices relative to the median slice: streaks from metal, or "
        "from arms or hips beside the trunk. [ratio]",
    )
    metal_mm3: Limit = Field((None, 50.0), description="Volume above 2800 HU. [mm3]")
    gantry_tilt_degrees: Limit = Field((None, 1.0), description="Tilt of the gantry, either way. [degrees]")
    table_height_mm: Limit = Field(
        (None, None),
        description="Height of the table as the header has it. Its zero differs between makers, so that a limit "
        "belongs to one scanner. [mm]",
    )
    good_kernels: tuple[KernelClass, ...] = Field(
        ("soft", "standard", "unknown"),
        min_length=1,
        description="Rule `kernel`: classes of reconstruction kernels that are good. Sharp ones raise the noise and "
        "ring at the cortex.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> QualitySettings:
        for name in LIMITED:
            low, high = getattr(self, name)
            if low is not None and high is not None and low > high:
                raise ValueError(f"quality.{name} must ascend, for example [null, 5]")
        both = set(self.exclude) & set(self.ignore)
        if both:
            raise ValueError(f"quality: {', '.join(sorted(both))} cannot both exclude and be ignored")
        return self
