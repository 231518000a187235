"""What the columns of cohort/patients.parquet mean: the indices, their units and how they are made."""

from __future__ import annotations

import pandas as pd

_OF_LEVELS = "mean of the valid levels of L1-L4 (at least aggregate.minimum_levels)"

#: Column, unit, meaning.
INDICES: tuple[tuple[str, str, str], ...] = (
    ("ax_l1_l4_hu", "HU", f"Three ellipses per vertebra, every slice with one weight; {_OF_LEVELS}"),
    ("hu_3d_l1_l4", "HU", f"3D-HU: the whole trabecular volume of the body; {_OF_LEVELS}"),
    ("l1_hu ... l5_hu", "HU", "Mean of the three ellipses of one vertebra (at least two of them)"),
    ("oval_l1_l4_hu", "HU", f"Oval at mid-height in the anterior two-thirds; {_OF_LEVELS}"),
    ("round_l1_l4_hu", "HU", f"Circle at mid-height in the anterior two-thirds; {_OF_LEVELS}"),
    ("front_l1_l4_hu", "HU", f"Central third of the width at mid-height; {_OF_LEVELS}"),
    ("left_l1_l4_hu", "HU", f"The patient's left third at mid-height; {_OF_LEVELS}"),
    ("right_l1_l4_hu", "HU", f"The patient's right third at mid-height; {_OF_LEVELS}"),
    ("vbmd_l1_l2_mg_cm3", "mg/cm³", "Volumetric BMD of the central body (QCT), mean of L1 and L2"),
    ("l5_body_vbmd_mg_cm3", "mg/cm³", "Volumetric BMD of the central body of L5"),
    ("l5_pedicle_vbmd_mg_cm3", "mg/cm³", "Volumetric BMD of the pedicles of L5, mean of left and right"),
    ("l5_trajectory_vbmd_mg_cm3", "mg/cm³", "Volumetric BMD along the screw trajectories of L5, mean of both sides"),
    ("b_hu", "HU", "Body HU (three ellipses) of the level of the HU ratio: L3, else L2, else L4"),
    ("st_hu", "HU", "HU along the screw trajectories of the same level, mean of left and right"),
    ("hu_ratio", "", "st_hu / b_hu at hu_ratio_level; missing where b_hu is near zero"),
    ("pbq", "", "MRI pedicle bone quality: signal of the pedicle marrow over that of cerebrospinal fluid"),
    ("vbq", "", "MRI vertebral bone quality: signal of the body marrow over that of cerebrospinal fluid"),
    ("<index>_levels_used", "levels", "How many levels the index rests on"),
    ("<index>_reason", "", "Why the index is missing: a code of the list of reasons; empty where it is there"),
)  # fmt: skip


def index_dictionary() -> pd.DataFrame:
    """Columns Column, Unit, Meaning."""
    return pd.DataFrame(INDICES, columns=["Column", "Unit", "Meaning"])
