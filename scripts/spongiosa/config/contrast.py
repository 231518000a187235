"""Section `contrast`: the phase of a contrast medium, and what it adds to the HU of bone."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from spongiosa.config.base import Section

Phase = Literal["none", "arterial", "portal_venous", "delayed"]
EnhancedPhase = Literal["arterial", "portal_venous", "delayed"]


class PhaseOffset(Section):
    """HU that a phase adds to trabecular bone."""

    hu: float = Field(ge=-50, le=100, description="HU above the native scan; it is taken off. [HU]")
    source: str = Field(min_length=5, description="Where the figure is from; it stands in the methods of the report.")


class ContrastSettings(Section):
    """Recognition of the phase, and the correction of HU."""

    minimum_confidence: float = Field(
        0.6,
        ge=0,
        lt=1,
        description="Below this confidence the phase is left open (missing). [fraction]",
    )
    adjusts_hu: bool = Field(
        False,
        description="Fill `hu_contrast_adjusted_mean`, the HU less the offset of the phase. Off by default: persons "
        "differ by more (SD 19 HU) than the offset; the raw HU are always kept.",
    )
    offsets: dict[EnhancedPhase, PhaseOffset] = Field(
        {
            "portal_venous": PhaseOffset(
                hu=11.2,
                source="Pickhardt et al., Osteoporos Int 2016; 27: 147-152: L1, 157 adults, +11.2 HU (SD 19.2)",
            )
        },
        description="Offset of each phase with its source; a phase that is not named is not adjusted, and its value is "
        "missing.",
    )
