"""Section `convert`: how a series becomes a volume in HU."""

from __future__ import annotations

from pydantic import Field

from spongiosa.config.base import Section


class ConvertSettings(Section):
    """Assembly of the volume."""

    fill_missing_slices: bool = Field(
        False, description="Interpolate missing slices linearly (flagged) instead of excluding the scan."
    )
