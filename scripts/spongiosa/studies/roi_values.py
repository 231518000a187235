"""Whose HU the ROI comparison analyses: those of the workflow, or the mean of the readers; and who is analysed."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from spongiosa.anatomy.levels import L1_TO_L4
from spongiosa.config.studies import RoiComparisonSettings
from spongiosa.outcome import Reason
from spongiosa.studies.flow_table import apply_criteria, without_index
from spongiosa.studies.hu_dxa_groups import lowest_t_score
from spongiosa.studies.readings import Target, mean_of_readers

SHAPE_LABELS = {"round": "Round", "oval": "Oval", "right": "Right", "left": "Left", "front": "Front"}
SINGLE_LEVELS = tuple(level.name for level in L1_TO_L4)
LEVELS = (*(level.lower() for level in SINGLE_LEVELS), "l1_l4")


@dataclass(frozen=True)
class ShapeCohort:
    """The analysed patients with `low_t_score`; `shapes` maps the columns of the means to their labels."""

    frame: pd.DataFrame
    flow: pd.DataFrame
    sites: tuple[str, ...]
    shapes: dict[str, str]


def targets(settings: RoiComparisonSettings) -> tuple[Target, ...]:
    """What readers measured again: every shape at L1-L4."""
    return tuple(
        Target(shape, f"{SHAPE_LABELS[shape]} HU", "HU", "hu_mean", (f"shape_{shape}",), SINGLE_LEVELS)
        for shape in settings.shapes
    )


def form_shape_cohort(
    patients: pd.DataFrame, settings: RoiComparisonSettings, readers: pd.DataFrame | None
) -> ShapeCohort:
    """Patients with all shapes and a T-score, with HU of the source that `settings.values` names."""
    shapes = {f"{shape}_l1_l4_hu": SHAPE_LABELS[shape] for shape in settings.shapes}
    frame = patients.reset_index(drop=True).copy()
    if settings.values == "readers":
        frame = _with_readers(frame, settings, readers)
    sites = tuple(s for s in settings.t_score_sites if f"t_score_{s}" in frame and frame[f"t_score_{s}"].notna().any())
    frame = frame.join(lowest_t_score(frame, sites))
    criteria = [criterion for column in shapes for criterion in without_index(frame, column)]
    criteria.append(("no_t_score", frame["low_t_score"].isna(), "no T-score."))
    analysed, flow = apply_criteria(frame, criteria)
    known = [column for column in shapes if column in analysed]
    return ShapeCohort(analysed.astype(dict.fromkeys(known, "float64")), flow, sites, shapes)


def _with_readers(frame: pd.DataFrame, settings: RoiComparisonSettings, readers: pd.DataFrame | None) -> pd.DataFrame:
    """The frame with the readers' mean in place of the workflow's HU, per level and over L1-L4."""
    names = frame["patient_id"].astype("str")
    replaced = {}
    for target in targets(settings):
        by_level = pd.DataFrame(index=names)
        if readers is not None:
            values = mean_of_readers(readers, target, names.tolist()).reset_index()
            by_level = values.pivot_table(index="patient_id", columns="level", values="value")
            by_level.index = by_level.index.astype("str")
        by_level = by_level.reindex(index=names, columns=list(SINGLE_LEVELS)).reset_index(drop=True).astype("float64")
        for level in SINGLE_LEVELS:
            replaced[f"{target.key}_{level.lower()}_hu"] = by_level[level]
        counted = by_level.notna().sum(axis=1)
        column = f"{target.key}_l1_l4_hu"
        replaced[column] = by_level.mean(axis=1).where(counted >= settings.minimum_levels)
        reason = pd.Series(str(Reason.TOO_FEW_LEVELS), index=frame.index).mask(counted == 0, str(Reason.NOT_MEASURED))
        replaced[f"{column}_reason"] = reason.mask(counted >= settings.minimum_levels)
    return frame.assign(**replaced)
