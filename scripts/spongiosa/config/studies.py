"""Section `studies`: which analyses are made, and with which choices."""

from __future__ import annotations

from pydantic import Field

from spongiosa.config.base import Section


class HuDxaConcordanceSettings(Section):
    """Concordance of HU and DXA."""

    enabled: bool = Field(False, description="Make this study (needs the clinical table with T-scores).")


class StudiesSettings(Section):
    """The studies by name."""

    hu_dxa_concordance: HuDxaConcordanceSettings = Field(
        default_factory=HuDxaConcordanceSettings, description="Concordance of opportunistic HU with DXA."
    )
