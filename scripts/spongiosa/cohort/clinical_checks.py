"""Contradictions between the columns of the clinical table, which betray a wrong sign, unit or column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from spongiosa.cohort.faults import Fault

if TYPE_CHECKING:
    import pandas as pd

_TABLE = "clinical table"
T_SCORES = ("t_score_lumbar", "t_score_femoral_neck", "t_score_total_hip")
#: So many T-scores that all lie above 0 are no cohort that is examined for its bone.  Assumed; patients of seed studies
#: have a mean of -0.5 to -2.6, and of the healthy every second lies below 0.
FEWEST_FOR_SIGN = 8
#: A young-adult mean below 90 % and a T-score above +1 cannot be of the same bone (1 SD is 10 to 15 %).
LOW_YAM_PERCENT, HIGH_T_SCORE = 90.0, 1.0
#: PI = PT + SS holds by geometry; what rounding and three separate readings leave of it. [degrees]
PELVIC_TOLERANCE_DEG = 5.0
#: Share by which a stated BMI may differ from weight / height^2: rounding of the height to 1 cm makes 1.3 %.
BMI_TOLERANCE = 0.1


def contradictions(clinical: pd.DataFrame, source_of: Mapping[str, str]) -> list[Fault]:
    """One fault per row whose columns contradict each other, and per row of T-scores that lost their sign.

    `clinical` holds the parsed cells, indexed by the row of the file; `source_of` names the user's columns.
    """
    faults = _lost_signs(clinical, source_of)
    for score in T_SCORES:
        yam = score.replace("t_score", "yam") + "_percent"
        if {score, yam} <= set(clinical.columns):
            wrong = (clinical[yam] < LOW_YAM_PERCENT) & (clinical[score] > HIGH_T_SCORE)
            sentence = (
                f"{score} is above {HIGH_T_SCORE:g} but {yam} below {LOW_YAM_PERCENT:g} %: is the minus sign lost?"
            )
            faults += _faults(wrong, source_of[score], sentence)
    if {"pelvic_incidence_deg", "pelvic_tilt_deg", "sacral_slope_deg"} <= set(clinical.columns):
        gap = clinical["pelvic_incidence_deg"] - clinical["pelvic_tilt_deg"] - clinical["sacral_slope_deg"]
        sentence = f"pelvic incidence is not pelvic tilt + sacral slope (within {PELVIC_TOLERANCE_DEG:g} degrees)."
        faults += _faults(gap.abs() > PELVIC_TOLERANCE_DEG, source_of["pelvic_incidence_deg"], sentence)
    if {"height_m", "weight_kg", "bmi_kg_m2"} <= set(clinical.columns):
        computed = clinical["weight_kg"] / clinical["height_m"] ** 2
        wrong = (clinical["bmi_kg_m2"] / computed - 1).abs() > BMI_TOLERANCE
        sentence = f"the BMI differs from weight / height^2 by more than {BMI_TOLERANCE:.0%}."
        faults += _faults(wrong, source_of["bmi_kg_m2"], sentence)
    return faults


def _lost_signs(clinical: pd.DataFrame, source_of: Mapping[str, str]) -> list[Fault]:
    faults = []
    for score in (name for name in T_SCORES if name in clinical.columns):
        values = clinical[score].dropna()
        if len(values) >= FEWEST_FOR_SIGN and bool((values > 0).all()):
            sentence = (
                f"{score}: all {len(values)} T-scores are positive, as if their minus sign were lost; T-scores below "
                "the young adult mean are negative."
            )
            faults += _faults(clinical[score] > 0, source_of[score], sentence)
    return faults


def _faults(wrong: pd.Series, column: str, sentence: str) -> list[Fault]:
    rows = wrong.index[wrong.fillna(value=False).to_numpy(dtype=bool)]
    return [Fault(_TABLE, int(row), column, sentence) for row in rows]
