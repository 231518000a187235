"""Section `extract`: the statistics of a region."""

from __future__ import annotations

from pydantic import Field

from spongiosa.config.base import Section


class ExtractSettings(Section):
    """When a region is large enough to be measured."""

    minimum_effective_voxels: float = Field(
        20.0,
        ge=1,
        le=10_000,
        description="A region whose summed voxel weights are fewer gets a reason instead of a value. [voxels]",
    )
    excluded_flags: tuple[str, ...] = Field(
        ("metal", "cement"),
        description="Levels with one of these flags get a reason instead of values: `metal`, `cement`, `sclerosis`, "
        "`bone_island`, `fractured`, `partial_volume` (that of a region), or any flag of the localiser.",
    )
