"""Section `thresholds`: cut-offs that classify, and never touch a measurement."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from spongiosa.config.base import Section

CutOffHu = Annotated[float, Field(ge=-200, le=600)]


class ThresholdsSettings(Section):
    """Cut-offs with their sources; a changed cut-off re-runs studies and report, never a measurement."""

    hu_osteoporosis: float = Field(
        100.0,
        ge=-200,
        le=600,
        description="HU at or below which the HU index of a study counts as low. [HU] Source: the mean of L1-L4 at "
        "120 kVp in the HU-DXA concordance study; other kVp, kernels and regions need a cut-off of their own.",
    )
    hu_cutoffs: tuple[CutOffHu, ...] = Field(
        (90.0, 100.0, 110.0, 120.0, 130.0),
        min_length=1,
        max_length=50,
        description="Cut-offs of the threshold sensitivity table, ascending; a patient is positive at or below. [HU]",
    )
    hu_gray_zone: tuple[CutOffHu, CutOffHu] = Field(
        (100.0, 150.0),
        description="The zone of uncertain HU: above the first value and at or below the second. [HU]",
    )
    t_osteoporosis: float = Field(
        -2.5,
        ge=-6,
        le=0,
        description="T-score at or below which DXA counts as osteoporosis. [SD] Source: WHO Technical Report Series "
        "843 (1994).",
    )
    t_osteopenia: float = Field(
        -1.0,
        ge=-5,
        le=1,
        description="T-score below which bone mass counts as low (osteopenia down to `t_osteoporosis`). [SD] Source: "
        "WHO Technical Report Series 843 (1994).",
    )
    vbmd_osteoporosis_mg_cm3: float = Field(
        80.0,
        ge=0,
        le=400,
        description="Trabecular vBMD of L1-L2 below which QCT counts as osteoporosis. [mg/cm3] Source: ACR-SPR-SSR "
        "practice parameter for musculoskeletal quantitative CT.",
    )
    vbmd_osteopenia_mg_cm3: float = Field(
        120.0,
        ge=0,
        le=500,
        description="Trabecular vBMD of L1-L2 at or below which QCT counts as osteopenia. [mg/cm3] Source: ACR-SPR-SSR "
        "practice parameter for musculoskeletal quantitative CT.",
    )

    vbmd_material: Literal["K2HPO4", "HA"] = Field(
        "K2HPO4",
        description="The mineral for which the cut-offs of vBMD hold. A value of another mineral gets no class but the "
        "reason `other_material`. Source: the cut-offs of 80 and 120 mg/cm3 were set with phantoms of K2HPO4.",
    )

    @model_validator(mode="after")
    def _ascending(self) -> ThresholdsSettings:
        if list(self.hu_cutoffs) != sorted(set(self.hu_cutoffs)):
            raise ValueError("thresholds.hu_cutoffs must ascend without repetition, for example [90, 100, 110]")
        if self.hu_gray_zone[0] >= self.hu_gray_zone[1]:
            raise ValueError("thresholds.hu_gray_zone must ascend, for example [100, 150]")
        if self.t_osteoporosis >= self.t_osteopenia:
            raise ValueError("thresholds.t_osteoporosis must lie below thresholds.t_osteopenia")
        if self.vbmd_osteoporosis_mg_cm3 >= self.vbmd_osteopenia_mg_cm3:
            raise ValueError("thresholds.vbmd_osteoporosis_mg_cm3 must lie below thresholds.vbmd_osteopenia_mg_cm3")
        return self
