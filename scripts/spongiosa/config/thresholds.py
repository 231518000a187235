"""Section `thresholds`: cut-offs that classify, and never touch a measurement."""

from __future__ import annotations

from pydantic import Field

from spongiosa.config.base import Section


class ThresholdsSettings(Section):
    """Cut-offs with their sources."""

    hu_osteoporosis: float = Field(
        100.0, ge=0, le=400, description="HU at or below which `ax_l1_l4_hu` counts as low. [HU]"
    )
