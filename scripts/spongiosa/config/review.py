"""Section `review`: pictures for review, and the corrections of readers."""

from __future__ import annotations

from pydantic import Field

from spongiosa.config.base import Section


class ReviewSettings(Section):
    """The review pictures and the overrides."""

    overrides: str | None = Field(
        None, description="Table of corrections (TSV) by readers; columns and actions in config/README.md."
    )
