"""Section `regions`: what is measured in each vertebra."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from spongiosa.anatomy.levels import Level
from spongiosa.config.base import Section

#: Every region of a vertebra that can be measured.
REGION_NAMES = (
    *("ellipse_superior", "ellipse_mid", "ellipse_inferior"),
    *("shape_oval", "shape_round", "shape_front", "shape_left", "shape_right"),
    *("body_trabecular", "body_central", "pedicle", "trajectory", "trajectory_rectangle"),
    *("endplate_superior", "endplate_inferior"),
    *("quadrant_anterior_left", "quadrant_anterior_right", "quadrant_posterior_left", "quadrant_posterior_right"),
    "body_whole",
)


#: Inset of a slice's trabecular area.  [mm]
SectionMargin = Annotated[
    float,
    Field(
        ge=0,
        le=12,
        description="Inset of the trabecular area from the outer edge of the body's section; along each voxel axis at "
        "least one and a half voxels. [mm]",
    ),
]


class EllipseSettings(Section):
    """The three-slice ellipses: below the superior endplate, at mid-height, above the inferior endplate."""

    margin_mm: SectionMargin = 5.0
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
        description="Posterior share of the body's depth that the mid-height ellipse and region A avoid, for the "
        "basivertebral vein. [fraction]",
    )


class TrabecularSettings(Section):
    """The whole trabecular body (3D-HU)."""

    margin_mm: float = Field(
        5.0,
        ge=0,
        le=12,
        description="Inset from the outer surface of the body, endplates included; along each voxel axis at least one "
        "and a half voxels. [mm]",
    )


class MidSliceSettings(Section):
    """The five shapes of the slice at mid-height (oval, round, front, left, right)."""

    margin_mm: SectionMargin = 5.0
    anterior_share: float = Field(
        2 / 3,
        gt=0.3,
        le=1,
        description="Anterior share of the inner depth that bears oval, round and front. [fraction]",
    )
    front_share: float = Field(
        1 / 3,
        gt=0.1,
        lt=0.9,
        description="Central share of the inner width that is the front; left and right are what is beside it. "
        "[fraction]",
    )


class CentralSettings(Section):
    """The central cylinder of quantitative CT (region A)."""

    height_mm: float = Field(9.0, ge=2, le=20, description="Height of the cylinder. [mm]")
    fraction: float = Field(
        0.7, gt=0.2, le=1, description="Semi-axes as a fraction of the largest inscribed ellipse's. [fraction]"
    )


class EndplateLayerSettings(Section):
    """The layers of trabecular bone next to the endplates."""

    start_mm: float = Field(
        2.0,
        ge=1,
        le=10,
        description="Where the layer begins below the endplate's surface; at least a voxel and 1 mm. [mm]",
    )
    thickness_mm: float = Field(4.0, ge=1, le=12, description="Thickness of the layer. [mm]")


class PedicleSettings(Section):
    """The pedicle (region B)."""

    margin_mm: float = Field(
        3.5,
        ge=0,
        le=6,
        description="Inset from the outer surface of the pedicle: its cortex of about 1.5 mm, and 2 mm over which "
        "kernels smear it or dig a trough beside it. [mm]",
    )
    least_margin_mm: float = Field(
        2.75,
        ge=0,
        le=6,
        description="In a narrow pedicle the inset gives way down to this, so that a semi-axis of 0.75 mm remains; at "
        "most `margin_mm`. [mm]",
    )
    length_mm: float = Field(10.0, ge=2, le=20, description="Length along the pedicle's axis, about its isthmus. [mm]")


class TrajectorySettings(Section):
    """The screw trajectory (region C, ST-HU)."""

    diameter_mm: float = Field(6.5, ge=3, le=10, description="Diameter of the cylinder: that of the screw. [mm]")
    length_mm: float = Field(45.0, ge=20, le=70, description="Length from entry to tip: that of the screw. [mm]")
    margin_mm: float = Field(
        2.75,
        ge=0,
        le=6,
        description="Parts of the cylinder nearer than this to the outer surface of the vertebra are left out: a "
        "cortex of up to 1.5 mm, and what kernels blur beside it; 0 keeps the whole cylinder, with the cortex that the "
        "screw meets. [mm]",
    )


class AvoidanceSettings(Section):
    """What regions of the body leave out: the basivertebral vein, sclerosis, bone islands and ingrown spurs."""

    method: Literal["none", "hu_gradient"] = Field(
        "none",
        description="`none` measures all bone inside the margins. `hu_gradient` leaves out groups of voxels that are, "
        "smoothed, much darker or brighter than the body's spongy bone, and their borders where HU change steeply; "
        "`rejected_fraction` says how much of the region that was.",
    )
    dark_hu: float = Field(
        60.0, ge=10, le=500, description="Smoothed HU so far below the body's median are left out: veins. [HU]"
    )
    dense_hu: float = Field(
        100.0, ge=10, le=1000, description="Smoothed HU so far above the body's median are left out. [HU]"
    )
    gradient_hu_mm: float = Field(
        25.0, ge=1, le=500, description="Steeper changes beside such a group are its border, and left out. [HU/mm]"
    )
    smoothing_mm: float = Field(
        1.5,
        ge=0.5,
        le=5,
        description="Standard deviation of the smoothing, so that noise is not taken for a finding; borders are sought "
        "this far around a group. [mm]",
    )
    smallest_volume_mm3: float = Field(
        40.0, ge=0, le=5000, description="Smaller groups are noise or texture and stay in. [mm3]"
    )


class FlagSettings(Section):
    """What makes a vertebra's flags from its HU."""

    depth_mm: float = Field(
        3.0,
        ge=1,
        le=10,
        description="Dense voxels are looked for this far below the surface; along each voxel axis at least one "
        "and a half voxels. [mm]",
    )
    metal_hu: float = Field(2500.0, ge=1500, le=4000, description="Metal from here; titanium exceeds the scale. [HU]")
    metal_volume_mm3: float = Field(20.0, ge=0, le=5000, description="Smallest volume of metal in a body. [mm3]")
    cement_hu: float = Field(800.0, ge=500, le=2500, description="Bone cement from here. [HU]")
    cement_volume_mm3: float = Field(500.0, ge=0, le=20_000, description="Smallest connected volume of cement. [mm3]")
    dense_hu: float = Field(300.0, ge=150, le=1000, description="Dense bone from here at least. [HU]")
    dense_above_median_hu: float = Field(
        200.0, ge=50, le=1000, description="Dense bone exceeds the median of the body's spongy bone by this. [HU]"
    )
    dense_volume_mm3: float = Field(60.0, ge=0, le=20_000, description="Smallest connected volume of dense bone. [mm3]")
    island_volume_mm3: float = Field(
        600.0, ge=0, le=20_000, description="Dense bone below this volume is a bone island, above it sclerosis. [mm3]"
    )


class FractureSettings(Section):
    """Grading of fractures from the heights of the bodies."""

    neighbours: int = Field(
        2,
        ge=1,
        le=5,
        description="Complete vertebrae on each side whose median heights say what to expect. [vertebrae]",
    )


def _known_regions(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in REGION_NAMES]
    if unknown:
        raise ValueError(f"unknown region {', '.join(unknown)}; known are {', '.join(REGION_NAMES)}")
    return names


class VariantSettings(Section):
    """Some regions once more, with other parameters; a part that is not given stays that of `regions`."""

    measured: tuple[str, ...] = Field(description="Regions that are measured with these parameters.")
    plane: Literal["axial", "endplate"] | None = Field(None, description="As `regions.plane`.")
    ellipse: EllipseSettings | None = Field(None, description="As `regions.ellipse`.")
    trabecular: TrabecularSettings | None = Field(None, description="As `regions.trabecular`.")
    mid_slice: MidSliceSettings | None = Field(None, description="As `regions.mid_slice`.")
    central: CentralSettings | None = Field(None, description="As `regions.central`.")
    endplate_layer: EndplateLayerSettings | None = Field(None, description="As `regions.endplate_layer`.")
    pedicle: PedicleSettings | None = Field(None, description="As `regions.pedicle`.")
    trajectory: TrajectorySettings | None = Field(None, description="As `regions.trajectory`.")
    avoidance: AvoidanceSettings | None = Field(None, description="As `regions.avoidance`.")

    _known = field_validator("measured")(_known_regions)


class RegionsSettings(Section):
    """Levels and regions."""

    levels: tuple[str, ...] = Field(
        ("T12", "L1", "L2", "L3", "L4", "L5"), description="Levels that are measured, where they are in view."
    )
    measured: tuple[str, ...] = Field(REGION_NAMES, description="Regions that are measured in each vertebra.")
    plane: Literal["axial", "endplate"] = Field(
        "axial",
        description="Plane of the slice regions. `axial`: the scan's own axial slice, as on a PACS; `endplate`: the "
        "oblique plane parallel to the endplate.",
    )
    ellipse: EllipseSettings = Field(default_factory=EllipseSettings, description="The three-slice ellipses.")
    trabecular: TrabecularSettings = Field(
        default_factory=TrabecularSettings, description="The whole trabecular body (3D-HU)."
    )
    mid_slice: MidSliceSettings = Field(
        default_factory=MidSliceSettings, description="The five shapes of the slice at mid-height."
    )
    central: CentralSettings = Field(default_factory=CentralSettings, description="The central cylinder of QCT.")
    endplate_layer: EndplateLayerSettings = Field(
        default_factory=EndplateLayerSettings, description="The layers of trabecular bone next to the endplates."
    )
    pedicle: PedicleSettings = Field(default_factory=PedicleSettings, description="The pedicle.")
    trajectory: TrajectorySettings = Field(default_factory=TrajectorySettings, description="The screw trajectory.")
    avoidance: AvoidanceSettings = Field(
        default_factory=AvoidanceSettings, description="What regions of the body leave out."
    )
    flags: FlagSettings = Field(default_factory=FlagSettings, description="Flags of a vertebra from its HU.")
    fracture: FractureSettings = Field(
        default_factory=FractureSettings, description="Grading of fractures from the heights of the bodies."
    )
    variants: dict[str, VariantSettings] = Field(
        default_factory=dict,
        description="Further parameter sets by name; their rows carry the name in the column `variant`.",
        examples=[{"oblique": {"measured": ["ellipse_mid"], "plane": "endplate"}}],
    )

    _known = field_validator("measured")(_known_regions)

    @field_validator("variants")
    @classmethod
    def _named(cls, variants: dict[str, VariantSettings]) -> dict[str, VariantSettings]:
        if "default" in variants:
            raise ValueError("`default` is the name of the parameters of `regions` itself")
        return variants

    @field_validator("levels")
    @classmethod
    def _known_levels(cls, levels: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [level for level in levels if level not in Level.__members__]
        if unknown:
            raise ValueError(f"unknown level {', '.join(unknown)}; allowed are T1-T13, L1-L6, S1")
        if len(set(levels)) != len(levels):
            raise ValueError("a level is named twice")
        return levels

    def with_variant(self, variant: VariantSettings) -> RegionsSettings:
        """These settings with the parts that a variant gives."""
        given = {name: value for name, value in variant if name != "measured" and value is not None}
        return self.model_copy(update=given)
