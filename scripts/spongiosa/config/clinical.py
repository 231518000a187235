"""Section `clinical`: the clinical table and the names of its columns."""

from __future__ import annotations

from pydantic import Field

from spongiosa.config.base import Section


class ClinicalSettings(Section):
    """The clinical table; without one, the run measures and reports what needs no clinical data."""

    table: str | None = Field(None, description="Clinical table (CSV, TSV, XLSX or Parquet), one row per patient.")
    screws: str | None = Field(
        None,
        description="Table of single screws (CSV, TSV, XLSX or Parquet), one row per screw, for the per-screw analysis "
        "of loosening; columns in config/README.md.",
    )
    allow_unmatched: bool = Field(
        False, description="Accept rows of patients who have no scan in the cohort (they are left out)."
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Names: column of the data dictionary (config/data_dictionary.tsv) -> column of your table. A "
        "column that already has its dictionary name needs no entry.",
        examples=[{"age_years": "Age", "t_score_lumbar": "T L1-L4"}],
    )
