"""Section `regions`: what is measured in each vertebra."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from spongiosa.anatomy.levels import Level
from spongiosa.config.base import Section


class EllipseSettings(Section):
    """The three-slice ellipses: below the superior endplate, at mid-height, above the inferior endplate."""

    margin_mm: float = Field(
        5.0,
        ge=0,
        le=12,
        description="Inset of the trabecular area from the outer edge of the body's section; along each voxel axis at "
        "least two voxels. [mm]",
    )
    endplate_offset_mm: float = Field(
        4.0, ge=2, le=8, description="Distance of the outer two planes from the endplate surface. [mm]"
    )
    fraction: float = Field(
        1.0, gt=0.2, le=1, description="Semi-axes as a fraction of the largest inscribed ellipse's. [fraction]"
    )
    posterior_exclusion: float = Field(
        0.2,
        ge=0,
        le=0.6,
        description="Posterior share of the body's depth that the mid-height ellipse avoids, for the basivertebral "
        "vein. [fraction]",
    )


class TrabecularSettings(Section):
    """The whole trabecular body (3D-HU)."""

    margin_mm: float = Field(
        5.0,
        ge=0,
        le=12,
        description="Inset from the outer surface of the body, endplates included; along each voxel axis at least two "
        "voxels. [mm]",
    )


class FractureSettings(Section):
    """Grading of fractures from the heights of the bodies."""

    neighbours: int = Field(
        2,
        ge=1,
        le=5,
        description="Complete vertebrae on each side whose median heights say what to expect. [vertebrae]",
    )


class RegionsSettings(Section):
    """Levels and regions."""

    levels: tuple[str, ...] = Field(
        ("T12", "L1", "L2", "L3", "L4", "L5"), description="Levels that are measured, where they are in view."
    )
    plane: Literal["axial", "endplate"] = Field(
        "axial",
        description="Plane of the slice regions. `axial`: the scan's own axial slice, as on a PACS; `endplate`: the "
        "oblique plane parallel to the endplate.",
    )
    ellipse: EllipseSettings = Field(default_factory=EllipseSettings, description="The three-slice ellipses.")
    trabecular: TrabecularSettings = Field(
        default_factory=TrabecularSettings, description="The whole trabecular body (3D-HU)."
    )
    fracture: FractureSettings = Field(
        default_factory=FractureSettings, description="Grading of fractures from the heights of the bodies."
    )

    @field_validator("levels")
    @classmethod
    def _known_levels(cls, levels: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [level for level in levels if level not in Level.__members__]
        if unknown:
            raise ValueError(f"unknown level {', '.join(unknown)}; allowed are T1-T13, L1-L6, S1")
        if len(set(levels)) != len(levels):
            raise ValueError("a level is named twice")
        return levels
