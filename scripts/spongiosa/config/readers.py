"""Section `readers`: manual measurements for agreement analyses."""

from __future__ import annotations

from pydantic import Field

from spongiosa.config.base import Section


class ReadersSettings(Section):
    """Table of manual measurements."""

    table: str | None = Field(None, description="Manual measurements (TSV, CSV, Parquet); columns in config/README.md.")
