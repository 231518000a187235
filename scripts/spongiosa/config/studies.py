"""Section `studies`: which analyses are made, and with which choices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from spongiosa.config.base import Section

TScoreSite = Literal["lumbar", "femoral_neck", "total_hip"]
AgeYears = Annotated[float, Field(ge=18, le=120)]


class StudySettings(Section):
    """What every study has."""

    enabled: bool = Field(False, description="Make this study (needs a clinical table).")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Coverage of every confidence interval. [share]")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="Two-sided P below which a difference is marked. [share]")
    bootstrap_draws: int = Field(
        2000, ge=100, le=100_000, description="Stratified resamples of the bootstrap intervals. [resamples]"
    )


class HuDxaConcordanceSettings(StudySettings):
    """Concordance of HU and DXA."""

    enabled: bool = Field(False, description="Make this study (needs the clinical table with T-scores).")
    index: str = Field(
        "ax_l1_l4_hu", pattern=r"^[a-z][a-z0-9_]*$", description="Column of patients.parquet that is compared. [HU]"
    )
    t_score_sites: tuple[TScoreSite, ...] = Field(
        ("lumbar", "femoral_neck"),
        min_length=1,
        max_length=3,
        description="Sites whose lowest T-score is the DXA reference (the lowest of those a patient has).",
    )
    minimum_age_years: AgeYears | None = Field(
        50.0,
        description="Youngest age that is analysed, as T-scores classify from 50 years; null for none. [years] A "
        "patient whose age is not given stays in and is counted in the notes.",
    )
    maximum_ct_dxa_interval_days: float | None = Field(
        92.0,
        gt=0,
        le=3650,
        description="Longest time between CT and DXA; null for none. [days] Applies where the column "
        "`ct_dxa_interval_days` is given.",
    )
    age_bands_years: tuple[AgeYears, ...] = Field(
        (60.0, 70.0, 80.0),
        max_length=10,
        description="Borders of the age strata, ascending, lower end included. [years]",
    )

    @model_validator(mode="after")
    def _distinct(self) -> HuDxaConcordanceSettings:
        if len(set(self.t_score_sites)) != len(self.t_score_sites):
            raise ValueError("t_score_sites names a site twice")
        if list(self.age_bands_years) != sorted(set(self.age_bands_years)):
            raise ValueError("age_bands_years must ascend without repetition, for example [60, 70, 80]")
        return self


class StudiesSettings(Section):
    """The studies by name."""

    hu_dxa_concordance: HuDxaConcordanceSettings = Field(
        default_factory=HuDxaConcordanceSettings, description="Concordance of opportunistic HU with DXA."
    )
