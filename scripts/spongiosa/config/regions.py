"""Section `regions`: what is measured in each vertebra."""

from __future__ import annotations

from pydantic import Field

from spongiosa.config.base import Section


class RegionsSettings(Section):
    """Levels and regions."""

    levels: tuple[str, ...] = Field(
        ("T12", "L1", "L2", "L3", "L4", "L5"), description="Levels that are measured, where they are in view."
    )
