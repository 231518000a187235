"""The patients of the nomogram study: derived columns, and how its baseline table describes them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spongiosa.report.variables import Variable, demographic_variables
from spongiosa.statistics.terms import Category
from spongiosa.studies.flow_table import numbers
from spongiosa.studies.outcome_baseline import YES_NO

T_SCORES = ("t_score_lumbar", "t_score_femoral_neck", "t_score_total_hip")
DXA_CLASSES = ("normal", "osteopenia", "osteoporosis")
#: More techniques than this are not tabulated: the column is free text.
MOST_TECHNIQUES = 6
#: Groups of the lowest instrumented vertebra, as the study of the nomogram has them.
TERMINAL_GROUPS = {"L1": "L4 or above", "L2": "L4 or above", "L3": "L4 or above", "L4": "L4 or above", "L5": "L5",
                   "S1": "S1 or below", "S2": "S1 or below", "ilium": "S1 or below"}  # fmt: skip
TERMINAL = Category("terminal_group", ("L4 or above", "L5", "S1 or below"), "L4 or above")


def with_derived_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with `dxa_class` and, where it has the lowest instrumented vertebra, `terminal_group`.

    Goutallier grades become whole numbers: a table with gaps has them as 1.0, which is no name of a grade.
    """
    if "goutallier" in frame:
        frame = frame.assign(goutallier=numbers(frame, "goutallier").astype("Int64"))
    return with_dxa_class(with_terminal_group(frame))


def with_terminal_group(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with `terminal_group` (L4 or above, L5, S1 or below) where it has the lowest instrumented vertebra."""
    if "terminal_segment" not in frame:
        return frame
    groups = frame["terminal_segment"].map(TERMINAL_GROUPS, na_action="ignore")
    return frame.assign(terminal_group=groups.astype("object").where(groups.notna(), None))


def with_groups(frame: pd.DataFrame, event: pd.Series) -> pd.DataFrame:
    """The table with `group`: event or none."""
    return frame.assign(group=event.map({True: "event", False: "none"}))


def with_dxa_class(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with `dxa_class` of the lowest valid T-score: osteoporosis < -2.5, osteopenia -2.5 to -1.0."""
    sites = [numbers(frame, site) for site in T_SCORES]
    lowest = pd.concat(sites, axis=1).min(axis=1)
    classes = np.select([lowest < -2.5, lowest <= -1.0, lowest > -1.0], DXA_CLASSES[::-1], default="")
    return frame.assign(dxa_class=pd.Series(classes, index=frame.index).where(lowest.notna(), None))


def baseline_variables(frame: pd.DataFrame) -> list[Variable]:
    """The rows of Table 1."""
    grades = {str(grade): str(grade) for grade in range(5)}
    techniques = frame["technique"].dropna().astype(str).unique().tolist() if "technique" in frame else []
    tabulated = [
        Variable("technique", "Technique", categories={name: name for name in sorted(techniques)})
    ] if 1 < len(techniques) <= MOST_TECHNIQUES else []  # fmt: skip
    return [
        *demographic_variables(),
        Variable("diabetes", "Diabetes", categories=YES_NO),
        Variable("t_score_lumbar", "Lumbar T-score", "SD", 2),
        Variable("dxa_class", "DXA class", categories={name: name for name in DXA_CLASSES}),
        Variable("fused_levels", "Fused levels"),
        *tabulated,
        Variable("terminal_group", "Lowest instrumented vertebra", categories={one: one for one in TERMINAL.levels}),
        Variable("pelvic_incidence_deg", "Pelvic incidence", "°"),
        Variable("pelvic_tilt_deg", "Pelvic tilt", "°"),
        Variable("sacral_slope_deg", "Sacral slope", "°"),
        Variable("lumbar_lordosis_deg", "Lumbar lordosis", "°"),
        Variable("pbq", "PBQ", "", 2),
        Variable("b_hu", "B-HU", "HU"),
        Variable("st_hu", "ST-HU", "HU"),
        Variable("hu_ratio", "HU ratio", "", 2),
        Variable("goutallier", "Goutallier grade", categories=grades),
    ]
