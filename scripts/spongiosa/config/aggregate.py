"""Section `aggregate`: from levels to patients."""

from __future__ import annotations

from pydantic import Field

from spongiosa.config.base import Section


class AggregateSettings(Section):
    """Rules of the derived indices."""

    minimum_levels: int = Field(
        2, ge=1, le=4, description="Valid levels of L1-L4 that a mean over levels needs at least. [levels]"
    )
