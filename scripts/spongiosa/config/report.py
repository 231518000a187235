"""Section `report`: the report's wording and size."""

from __future__ import annotations

from pydantic import Field

from spongiosa.config.base import Section


class ReportSettings(Section):
    """The HTML report."""

    title: str = Field("Vertebral bone density from CT", max_length=200, description="Title of the report.")
