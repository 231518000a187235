"""The whole configuration."""

from __future__ import annotations

from pydantic import Field, model_validator

from spongiosa.config.aggregate import AggregateSettings
from spongiosa.config.base import Section
from spongiosa.config.calibration import CalibrationSettings
from spongiosa.config.clinical import ClinicalSettings
from spongiosa.config.cohort import CohortSettings
from spongiosa.config.contrast import ContrastSettings
from spongiosa.config.convert import ConvertSettings
from spongiosa.config.extract import ExtractSettings
from spongiosa.config.internal_calibration import InternalCalibrationSettings
from spongiosa.config.localise import LocaliseSettings
from spongiosa.config.quality import QualitySettings
from spongiosa.config.readers import ReadersSettings
from spongiosa.config.regions import RegionsSettings
from spongiosa.config.report import ReportSettings
from spongiosa.config.review import ReviewSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.config.studies import StudiesSettings
from spongiosa.config.thresholds import ThresholdsSettings


class Configuration(Section):
    """config.yaml: every section with its defaults."""

    output_dir: str = Field("results", description="Folder of all results.")
    seed: int = Field(2026, ge=0, le=2**32 - 1, description="Seed of every random step.")
    cohort: CohortSettings = Field(description="Which scans there are, and how they are shared out to jobs.")
    clinical: ClinicalSettings = Field(default_factory=ClinicalSettings, description="The clinical table.")
    series: SeriesSettings = Field(default_factory=SeriesSettings, description="Which DICOM series is measured.")
    convert: ConvertSettings = Field(default_factory=ConvertSettings, description="How a series becomes a volume.")
    localise: LocaliseSettings = Field(default_factory=LocaliseSettings, description="How vertebrae are found.")
    regions: RegionsSettings = Field(default_factory=RegionsSettings, description="What is measured in a vertebra.")
    calibration: CalibrationSettings = Field(default_factory=CalibrationSettings, description="From HU to mg/cm3.")
    internal_calibration: InternalCalibrationSettings = Field(
        default_factory=InternalCalibrationSettings, description="Calibration by the patient's own tissues."
    )
    contrast: ContrastSettings = Field(default_factory=ContrastSettings, description="The phase of contrast medium.")
    quality: QualitySettings = Field(default_factory=QualitySettings, description="Which scans can be trusted.")
    extract: ExtractSettings = Field(default_factory=ExtractSettings, description="The statistics of a region.")
    review: ReviewSettings = Field(default_factory=ReviewSettings, description="Review pictures and corrections.")
    aggregate: AggregateSettings = Field(default_factory=AggregateSettings, description="From levels to patients.")
    readers: ReadersSettings = Field(default_factory=ReadersSettings, description="Manual measurements.")
    thresholds: ThresholdsSettings = Field(default_factory=ThresholdsSettings, description="Cut-offs that classify.")
    studies: StudiesSettings = Field(default_factory=StudiesSettings, description="The analyses.")
    report: ReportSettings = Field(default_factory=ReportSettings, description="The report.")

    @model_validator(mode="after")
    def _one_material(self) -> Configuration:
        """Cut-offs of one mineral that a user set are not applied to values of another."""
        own_cutoffs = {"vbmd_osteoporosis_mg_cm3", "vbmd_osteopenia_mg_cm3"} & self.thresholds.model_fields_set
        of_values, of_cutoffs = self.calibration.material, self.thresholds.vbmd_material
        if own_cutoffs and of_values not in (None, of_cutoffs):
            raise ValueError(
                f"thresholds.{min(own_cutoffs)} holds for {of_cutoffs} (thresholds.vbmd_material), but the calibration "
                f"gives mg/cm3 of {of_values}: set cut-offs for {of_values} and thresholds.vbmd_material to it"
            )
        return self
