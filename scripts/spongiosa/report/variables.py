"""The variables that describe a patient, with label, unit and decimals as tables print them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

SITE_LABELS = {"lumbar": "Lumbar spine", "femoral_neck": "Femoral neck", "total_hip": "Total hip"}
SEX_LABELS = {"female": "Female", "male": "Male"}


@dataclass(frozen=True)
class Variable:
    """A column of the patient table; with `categories` (value -> label) it is counted, without it is averaged."""

    column: str
    label: str
    unit: str = ""
    decimals: int = 1
    categories: dict[str, str] = field(default_factory=dict)

    @property
    def heading(self) -> str:
        """The label with its unit: "Age [years]"."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


def demographic_variables() -> list[Variable]:
    """Age, sex, height, weight and body mass index."""
    return [
        Variable("age_years", "Age", "years"),
        Variable("sex", "Sex", categories=SEX_LABELS),
        Variable("height_m", "Height", "m", 2),
        Variable("weight_kg", "Weight", "kg"),
        Variable("bmi_kg_m2", "Body mass index", "kg/m²"),
    ]


def dxa_variables(sites: Sequence[str]) -> list[Variable]:
    """BMD, T-score and young-adult mean of each site."""
    return [
        variable
        for site in sites
        for variable in (
            Variable(f"bmd_{site}_g_cm2", f"{SITE_LABELS[site]} BMD", "g/cm²", 3),
            Variable(f"t_score_{site}", f"{SITE_LABELS[site]} T-score", "SD", 2),
            Variable(f"yam_{site}_percent", f"{SITE_LABELS[site]} young-adult mean", "%", 0),
        )
    ]


def present(variables: Sequence[Variable], frame: pd.DataFrame) -> list[Variable]:
    """The variables of which the table has at least one value."""
    return [v for v in variables if v.column in frame.columns and bool(frame[v.column].notna().any())]


def index_label(column: str) -> str:
    """A readable name of a derived index, the column's own name where there is none."""
    known = {
        "ax_l1_l4_hu": "Mean HU of L1-L4 (three-slice ellipses)",
        "hu_3d_l1_l4": "3D-HU of L1-L4 (trabecular volume)",
        "oval_l1_l4_hu": "Mean HU of L1-L4 (oval)",
        "round_l1_l4_hu": "Mean HU of L1-L4 (round)",
        "front_l1_l4_hu": "Mean HU of L1-L4 (front)",
        "left_l1_l4_hu": "Mean HU of L1-L4 (left)",
        "right_l1_l4_hu": "Mean HU of L1-L4 (right)",
    }
    if column in known:
        return known[column]
    level = column.removesuffix("_hu").upper()
    return f"{level} HU" if column.endswith("_hu") and len(level) <= 3 else column
