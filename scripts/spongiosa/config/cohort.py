"""Section `cohort`: which scans there are, and how they are shared out to jobs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from spongiosa.config.base import Section

#: The value of `pseudonymise` that stands for the project's secret.
PROJECT_SECRET = "project"


class CohortSettings(Section):
    """Where the scans come from and how many patients make one job."""

    manifest: str | None = Field(
        None,
        description="Table of the scans (TSV, CSV or Parquet), one row per scan; columns in config/README.md. Relative "
        "paths in it start from the folder of the manifest.",
    )
    dicom_root: str | None = Field(
        None, description="Instead of a manifest: a folder whose direct subfolders are the patients (one CT each)."
    )
    sites: dict[str, str] = Field(
        {},
        description="Instead of a manifest: cohorts that several sites computed apart, name of the site -> its results "
        "folder. Their tables are merged with a column `site`; studies and report follow without any image.",
    )
    site_ids: Literal["refuse", "prefix"] = Field(
        "refuse",
        description="When two sites have the same patient_id: `refuse` the merge, or `prefix` every patient_id with "
        "the name of its site.",
    )
    allow_different_sites: bool = Field(
        False,
        description="Merge sites although package versions, code or measuring settings differ; the log names what "
        "differs.",
    )
    screw_axes: str | None = Field(
        None,
        description="Table of planned or seen screws (TSV, CSV, XLSX or Parquet), one row per screw: trajectories "
        "follow them instead of the pedicle's axis; columns in config/README.md.",
    )
    patients_per_job: int = Field(
        1,
        ge=1,
        le=10_000,
        description="Patients that share one job. 1 on a workstation; 20-100 on a cluster. Changing it recomputes "
        "nothing: patients that were seen before stay in their unit.",
    )
    secret: str | None = Field(
        None,
        description="Path of a file whose content (at least 16 characters) is the project's secret: the key of series "
        "keys and of day counts. Without it the environment variable SPONGIOSA_SECRET counts, and without that the "
        "file .spongiosa/secret where the workflow is started, which the first run makes. Keep it, and keep it apart "
        "from the results.",
    )
    pseudonymise: str | None = Field(
        None,
        description="Every patient_id is replaced by a keyed hash (HMAC-SHA256, first 12 hex digits) in all outputs: "
        "`project` keys it with the project's secret, anything else is the path of a file whose content is a key of "
        "its own (at least 16 characters).",
    )
    fingerprint: Literal["auto", "start", "refresh"] = Field(
        "auto",
        description="When sizes and times of the input files are looked at, so that a replaced image is seen: `start` "
        "at every start, `refresh` only by the target refresh_inputs, `auto` at start up to 2,000 scans.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> CohortSettings:
        if (self.manifest is not None) + (self.dicom_root is not None) + bool(self.sites) != 1:
            raise ValueError("give exactly one of cohort.manifest, cohort.dicom_root and cohort.sites")
        return self

    @model_validator(mode="before")
    @classmethod
    def _pseudonyms_by_the_project_secret(cls, data: Any) -> Any:
        """`pseudonymise: project` means the file of the secret where one is named."""
        is_asked = isinstance(data, dict) and data.get("pseudonymise") == PROJECT_SECRET and data.get("secret")
        return {**data, "pseudonymise": data["secret"]} if is_asked else data
