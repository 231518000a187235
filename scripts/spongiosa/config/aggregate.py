"""Section `aggregate`: from levels to patients."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from spongiosa.config.base import Section


class AggregateSettings(Section):
    """Rules of the derived indices."""

    minimum_levels: int = Field(
        2, ge=1, le=4, description="Valid levels of L1-L4 that a mean over levels needs at least. [levels]"
    )
    session: str = Field(
        "preop", pattern="^[A-Za-z0-9]+$", description="Session whose CT gives the indices of patients.parquet."
    )
    minimum_body_hu_for_ratio: float = Field(
        10.0, ge=1, le=100, description="The HU ratio is missing where the HU of the body is below this. [HU]"
    )
    left_out_levels: tuple[
        Literal["treated_levels", "fractured_levels", "cemented_levels", "level_exclusions"], ...
    ] = Field(
        ("treated_levels", "fractured_levels", "cemented_levels", "level_exclusions"),
        max_length=4,
        description="Columns of the clinical table whose levels enter no index of that patient: the mean rests on the "
        "other levels, and `levels_left_out` names them. Their values stay in measurements.parquet.",
    )
    highest_fracture_grade: int | None = Field(
        None,
        ge=0,
        le=3,
        description="Vertebrae whose measured deformity (Genant's grade by heights) is above this grade enter no "
        "index; null keeps all. [grade]",
    )
