"""Section `report`: the report's wording and size."""

from __future__ import annotations

from pydantic import Field

from spongiosa.config.base import Section


class ReportSettings(Section):
    """The HTML report."""

    title: str = Field("Vertebral bone density from CT", max_length=200, description="Title of the report.")
    thumbnails: int = Field(
        24,
        ge=0,
        le=500,
        description="Review pictures of scans with remarks (excluded, failed, flagged) that are shown as thumbnails; "
        "where there are more, the seed decides which. All others are links. [pictures]",
    )
    thumbnails_sampled: int = Field(
        12,
        ge=0,
        le=500,
        description="Review pictures of scans without remarks that are shown as thumbnails, sampled by the seed. "
        "[pictures]",
    )
    thumbnail_width_px: int = Field(320, ge=80, le=1200, description="Width of a thumbnail. [pixels]")
    rows_shown: int = Field(
        25, ge=5, le=1000, description="Rows of a long table that are shown before `show all` is pressed. [rows]"
    )
    patients_listed: int = Field(
        2000,
        ge=0,
        le=200_000,
        description="Rows of the report's long lists (patients, scans that left); all of them are in cohort/. [rows]",
    )
