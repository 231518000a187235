"""Section `studies`: which analyses are made, and with which choices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from spongiosa.config.base import Section
from spongiosa.config.coefficients import CoefficientsFile

TScoreSite = Literal["lumbar", "femoral_neck", "total_hip"]
Shape = Literal["round", "oval", "right", "left", "front"]
AgeYears = Annotated[float, Field(ge=18, le=120)]
ColumnName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
CutOffHu = Annotated[float, Field(ge=-200, le=600)]


class StudySettings(Section):
    """What every study has."""

    enabled: bool = Field(False, description="Make this study (needs a clinical table).")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Coverage of every confidence interval. [share]")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="Two-sided P below which a difference is marked. [share]")
    bootstrap_draws: int = Field(
        2000, ge=100, le=100_000, description="Stratified resamples of the bootstrap intervals. [resamples]"
    )


class PicturesSettings(Section):
    """Pictures of the study's regions on a scan."""

    patient: str = Field(
        "auto",
        pattern=r"^[A-Za-z0-9]+$",
        description="Whose scan is shown. `auto`: the patient nearest to the median of the study's main value, of "
        "those without remarks; or the id of a patient as the outputs name them; `none` for no pictures.",
    )
    illustrate: bool = Field(
        True,
        description="Where the cohort has no such image (MR, CT at follow-up, tables alone), draw a synthetic patient, "
        "named as such; false leaves the picture out, with its reason.",
    )


class PicturedStudySettings(StudySettings):
    """What a study with pictures of its regions has."""

    pictures: PicturesSettings = Field(
        default_factory=PicturesSettings, description="Pictures of the study's regions on a scan."
    )


class HuDxaConcordanceSettings(StudySettings):
    """Concordance of HU and DXA."""

    enabled: bool = Field(False, description="Make this study (needs the clinical table with T-scores).")
    index: ColumnName = Field("ax_l1_l4_hu", description="Column of patients.parquet that is compared. [HU]")
    hu: Literal["raw", "referenced"] = Field(
        "raw",
        description="`referenced`: the phantom-referenced HU of `index` (its column with the ending `_referenced`), "
        "which need nominal rod HU of the phantom; patients without them leave with that reason.",
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

    @property
    def hu_column(self) -> str:
        """The column of patients.parquet that is compared."""
        return self.index if self.hu == "raw" else f"{self.index}_referenced"

    @model_validator(mode="after")
    def _distinct(self) -> HuDxaConcordanceSettings:
        _refuse_repetition("t_score_sites", self.t_score_sites)
        _refuse_disorder("age_bands_years", self.age_bands_years)
        return self


class ScreeningSettings(StudySettings):
    """How many patients fall below which HU, and who might be asked back."""

    enabled: bool = Field(False, description="Make this summary (needs no clinical table; better with age and sex).")
    index: ColumnName = Field("l1_hu", description="Column of patients.parquet that is screened. [HU]")
    low_hu: CutOffHu = Field(
        110.0,
        description="HU at or below which a patient is on the list for recall. [HU] Source: Pickhardt et al., Ann "
        "Intern Med 158 (2013) 588-595, L1 at 120 kVp: specificity above 90 % for DXA osteoporosis.",
    )
    high_hu: CutOffHu = Field(
        160.0,
        description="HU above which osteoporosis is unlikely. [HU] Source: Pickhardt et al. 2013, L1 at 120 kVp: "
        "sensitivity of 90 % for DXA osteoporosis.",
    )
    age_bands_years: tuple[AgeYears, ...] = Field(
        (50.0, 60.0, 70.0, 80.0),
        max_length=10,
        description="Borders of the age strata, ascending, lower end included. [years]",
    )

    @model_validator(mode="after")
    def _ordered(self) -> ScreeningSettings:
        _refuse_disorder("age_bands_years", self.age_bands_years)
        if self.low_hu >= self.high_hu:
            raise ValueError("low_hu must lie below high_hu")
        return self


class RoiComparisonSettings(PicturedStudySettings):
    """Five shapes of the region of interest against the DXA class."""

    enabled: bool = Field(False, description="Make this study (needs T-scores and the shape regions).")
    shapes: tuple[Shape, ...] = Field(
        ("round", "oval", "right", "left", "front"),
        min_length=2,
        max_length=5,
        description="Shapes that are compared, in the order of the tables.",
    )
    values: Literal["workflow", "readers"] = Field(
        "workflow",
        description="Whose HU are analysed: those of the workflow, or the mean of the readers of `readers.table` "
        "(first trials).",
    )
    minimum_levels: int = Field(
        2, ge=1, le=4, description="Levels of L1-L4 that a mean of readers needs at least. [levels]"
    )
    t_score_sites: tuple[TScoreSite, ...] = Field(
        ("lumbar", "femoral_neck", "total_hip"),
        min_length=1,
        max_length=3,
        description="Sites whose lowest T-score gives the class (the lowest of those a patient has).",
    )

    @model_validator(mode="after")
    def _distinct(self) -> RoiComparisonSettings:
        _refuse_repetition("shapes", self.shapes)
        _refuse_repetition("t_score_sites", self.t_score_sites)
        return self


class NewFractureSettings(PicturedStudySettings):
    """3D-HU and three-slice HU against new vertebral fractures."""

    enabled: bool = Field(False, description="Make this study (needs the column `new_fracture`).")
    candidates: tuple[ColumnName, ...] = Field(
        ("age_years", "bmi_kg_m2", "hypertension", "diabetes", "multiple_fracture", "thoracolumbar_junction",
         "hu_3d_l1_l4"),
        min_length=1,
        max_length=30,
        description="Columns tried one by one; those below `enter_below` enter the multivariable model. HU and T-score "
        "are left out on purpose, as they say the same as 3D-HU.",
    )  # fmt: skip
    enter_below: float = Field(
        0.05, gt=0, le=1, description="Univariable P below which a column enters the multivariable model. [share]"
    )
    time_to_event: bool = Field(
        False,
        description="Add Cox regression of the columns that entered the model, on `event_months` of patients with a "
        "new fracture and `follow_up_months` of the others.",
    )


class ScrewLooseningQctSettings(PicturedStudySettings):
    """vBMD of body, pedicle and trajectory of L5 against screw loosening."""

    enabled: bool = Field(False, description="Make this study (needs the column `loosening` and calibrated vBMD).")
    enter_below: float = Field(
        0.1, gt=0, le=1, description="Univariable P below which a column may enter a model. [share]"
    )


class ScrewLooseningNomogramSettings(PicturedStudySettings):
    """A model of screw loosening from age, PBQ, HU ratio and Goutallier grade, and its nomogram."""

    enabled: bool = Field(False, description="Make this study (needs the column `loosening`).")
    linear: tuple[ColumnName, ...] = Field(
        ("age_years", "bmi_kg_m2", "fused_levels", "pbq", "hu_ratio"),
        min_length=1,
        max_length=20,
        description="Numeric columns that are candidates, each linear on the logit; goutallier comes as categories.",
    )
    a_priori: tuple[ColumnName, ...] = Field(
        ("age_years", "fused_levels", "pbq", "hu_ratio", "goutallier"),
        max_length=20,
        description="Columns that enter the multivariable model whatever their univariable P.",
    )
    goutallier_reference: int = Field(4, ge=0, le=4, description="Goutallier grade that the others are compared with.")
    enter_below: float = Field(
        0.05, gt=0, le=1, description="Univariable P below which a column enters the multivariable model. [share]"
    )
    stay_below: float = Field(
        0.05, gt=0, le=1, description="P in the multivariable model below which a column stays. [share]"
    )
    imputations: int = Field(5, ge=1, le=100, description="Completed data sets of the multiple imputation. [sets]")
    validation_draws: int = Field(
        200,
        ge=10,
        le=5000,
        description="Bootstrap resamples of the internal validation; each repeats imputation and selection. "
        "[resamples]",
    )
    coefficients: CoefficientsFile = Field(
        None,
        description="YAML file with a published model that is validated on these patients (source, intercept, terms; "
        "see config/README.md); null for none. No coefficient is built in.",
    )


class StudiesSettings(Section):
    """The studies by name."""

    hu_dxa_concordance: HuDxaConcordanceSettings = Field(
        default_factory=HuDxaConcordanceSettings, description="Concordance of opportunistic HU with DXA."
    )
    screening: ScreeningSettings = Field(
        default_factory=ScreeningSettings, description="Screening summary with the list for recall."
    )
    roi_comparison: RoiComparisonSettings = Field(
        default_factory=RoiComparisonSettings, description="Five shapes of the region of interest."
    )
    new_fracture_3d_hu: NewFractureSettings = Field(
        default_factory=NewFractureSettings, description="3D-HU against new vertebral fractures."
    )
    screw_loosening_qct: ScrewLooseningQctSettings = Field(
        default_factory=ScrewLooseningQctSettings, description="vBMD of L5 against screw loosening."
    )
    screw_loosening_nomogram: ScrewLooseningNomogramSettings = Field(
        default_factory=ScrewLooseningNomogramSettings, description="Model and nomogram of screw loosening."
    )


def _refuse_repetition(name: str, values: tuple[str, ...]) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"{name} names an entry twice")


def _refuse_disorder(name: str, values: tuple[float, ...]) -> None:
    if list(values) != sorted(set(values)):
        raise ValueError(f"{name} must ascend without repetition, for example [60, 70, 80]")
