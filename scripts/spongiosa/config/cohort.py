"""Section `cohort`: which scans there are, and how they are shared out to jobs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from spongiosa.config.base import Section


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
    patients_per_job: int = Field(
        1,
        ge=1,
        le=10_000,
        description="Patients that share one job. 1 on a workstation; 20-100 on a cluster. Changing it recomputes "
        "nothing: patients that were seen before stay in their unit.",
    )
    pseudonymise: str | None = Field(
        None,
        description="Path of a file whose content is a secret key (at least 16 characters). When given, every "
        "patient_id is replaced by a keyed hash (HMAC-SHA256, first 12 hex digits) in all outputs.",
    )
    fingerprint: Literal["auto", "start", "refresh"] = Field(
        "auto",
        description="When sizes and times of the input files are looked at, so that a replaced image is seen: `start` "
        "at every start, `refresh` only by the target refresh_inputs, `auto` at start up to 2,000 scans.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> CohortSettings:
        if (self.manifest is None) == (self.dicom_root is None):
            raise ValueError("give exactly one of cohort.manifest and cohort.dicom_root")
        return self
