"""The indices of the studies: from regions and levels to one value per patient.

Every index has, beside its value, `<index>_levels_used` (how many levels it rests on) and `<index>_reason` (why it is
missing).  Classes that follow from a threshold are made by the studies, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from spongiosa.anatomy.levels import L1_TO_L4, LUMBAR
from spongiosa.outcome import Reason, Status

if TYPE_CHECKING:
    from spongiosa.config.aggregate import AggregateSettings

SLICES = ("ellipse_superior", "ellipse_mid", "ellipse_inferior")
SHAPES = {
    "oval": "shape_oval",
    "round": "shape_round",
    "front": "shape_front",
    "left": "shape_left",
    "right": "shape_right",
}

#: A level's mean over its three slices needs at least this many of them: one alone is no mean of the body.
MINIMUM_SLICES = 2

#: The level of the HU ratio, and those that replace it in this order (study 003; the order is our decision).
RATIO_LEVELS = ("L3", "L2", "L4")


@dataclass(frozen=True)
class Index:
    """A value of one patient, or the reason why it is missing."""

    value: float | None
    levels_used: int
    reason: Reason | None = None


class PatientMeasurements:
    """The valid measurements of one patient's scan, by level and region."""

    def __init__(self, rows: pd.DataFrame) -> None:
        is_default = (rows["variant"] == "default") & (rows["status"] == Status.OK)
        self._rows = rows[is_default]

    def values(self, levels: Iterable[str], regions: Iterable[str], quantity: str) -> pd.DataFrame:
        """Columns level, region, side and value of the measurements that have the quantity."""
        rows = self._rows
        chosen = rows[rows["level"].isin(list(levels)) & rows["region"].isin(list(regions)) & rows[quantity].notna()]
        return chosen[["level", "region", "side", quantity]].rename(columns={quantity: "value"})


def three_slice_mean(measured: PatientMeasurements, levels: Iterable[str], minimum_levels: int) -> Index:
    """Mean over all slices of the three-slice ellipses, each slice with the same weight (study 000: 12 slices).

    A level counts when at least two of its three slices were measured.
    """
    slices = measured.values(levels, SLICES, "hu_mean")
    counts = slices.groupby("level")["value"].transform("size")
    slices = slices[counts >= MINIMUM_SLICES]
    return _mean_over_levels(slices, minimum_levels)


def region_mean(
    measured: PatientMeasurements, levels: Iterable[str], region: str, quantity: str, minimum_levels: int
) -> Index:
    """Mean over levels of a region; left and right of a level are averaged first."""
    sides = measured.values(levels, [region], quantity)
    per_level = sides.groupby("level")[["value"]].mean().reset_index()
    return _mean_over_levels(per_level, minimum_levels)


def _mean_over_levels(values: pd.DataFrame, minimum_levels: int) -> Index:
    levels_used = int(values["level"].nunique())
    if levels_used == 0:
        return Index(None, 0, Reason.NOT_MEASURED)
    if levels_used < minimum_levels:
        return Index(None, levels_used, Reason.TOO_FEW_LEVELS)
    return Index(float(values["value"].mean()), levels_used)


def derive_indices(scans: pd.DataFrame, measurements: pd.DataFrame, settings: AggregateSettings) -> pd.DataFrame:
    """One row per patient of the cohort, sorted: every index of the contract with its levels and reason.

    `scans` and `measurements` are the tables of the cohort.  The indices come from the CT of `settings.session`; a
    patient without it, or whose scan left, has no values and says why.
    """
    of_session = scans[(scans["session"] == settings.session) & (scans["modality"] == "ct")].set_index("patient_id")
    rows_of = _rows_of_patients(measurements, settings.session)
    table = []
    for patient_id in sorted(scans["patient_id"].unique()):
        reason = _scan_reason(of_session, patient_id)
        measured = PatientMeasurements(rows_of[patient_id]) if reason is None and patient_id in rows_of else None
        if measured is not None:
            indices = _indices_of_patient(measured, settings)
        else:
            indices = {name: Index(None, 0, reason or Reason.NOT_MEASURED) for name in INDICES}
        level = _ratio_level(measured) if measured is not None else None
        table.append({"patient_id": patient_id} | _columns(indices) | {"hu_ratio_level": level})
    return _typed(pd.DataFrame(table))


def joined_patients(indices: pd.DataFrame, clinical: pd.DataFrame | None) -> pd.DataFrame:
    """The wide table: clinical columns, then indices; what the clinical table states (such as `pbq`) wins."""
    if clinical is None:
        return indices
    stated = set(clinical.columns) - {"patient_id"}
    own = [name for name in indices.columns if name.removesuffix("_reason").removesuffix("_levels_used") not in stated]
    return indices[["patient_id"]].merge(clinical, how="left", on="patient_id").merge(indices[own], on="patient_id")


def _rows_of_patients(measurements: pd.DataFrame, session: str) -> dict[str, pd.DataFrame]:
    if measurements.empty:
        return {}
    rows = measurements[(measurements["session"] == session) & (measurements["modality"] == "ct")]
    return {str(patient_id): of_patient for patient_id, of_patient in rows.groupby("patient_id")}


def _scan_reason(of_session: pd.DataFrame, patient_id: str) -> Reason | None:
    if patient_id not in of_session.index:
        return Reason.NOT_MEASURED
    scan = of_session.loc[patient_id]
    return None if scan["status"] == Status.OK else Reason(str(scan["reason"]))


def _indices_of_patient(measured: PatientMeasurements, settings: AggregateSettings) -> dict[str, Index]:
    return {name: compute(measured, settings) for name, compute in INDICES.items()}


def _ratio_level(measured: PatientMeasurements) -> str | None:
    """The first of L3, L2, L4 that has both the three-slice mean and the screw trajectory."""
    for level in RATIO_LEVELS:
        body = three_slice_mean(measured, [level], 1)
        trajectory = region_mean(measured, [level], "trajectory", "hu_mean", 1)
        if body.value is not None and trajectory.value is not None:
            return level
    return None


def _hu_ratio(measured: PatientMeasurements, settings: AggregateSettings) -> Index:
    """ST-HU / B-HU at the same level (study 003); undefined where B-HU is near or below zero."""
    level = _ratio_level(measured)
    if level is None:
        return Index(None, 0, Reason.NOT_MEASURED)
    body = three_slice_mean(measured, [level], 1).value
    trajectory = region_mean(measured, [level], "trajectory", "hu_mean", 1).value
    if body is None or trajectory is None:
        return Index(None, 0, Reason.NOT_MEASURED)
    if body < settings.minimum_body_hu_for_ratio:
        return Index(None, 1, Reason.BODY_HU_NEAR_ZERO)
    return Index(trajectory / body, 1)


def _at_ratio_level(compute: Callable[[PatientMeasurements, str], Index]) -> IndexFunction:
    def at_level(measured: PatientMeasurements, _settings: AggregateSettings) -> Index:
        level = _ratio_level(measured)
        return Index(None, 0, Reason.NOT_MEASURED) if level is None else compute(measured, level)

    return at_level


def _vbmd(levels: tuple[str, ...], region: str, minimum_levels: int) -> IndexFunction:
    """Mean vBMD of a region; where HU are there and vBMD is not, the reason is the missing calibration."""

    def compute(measured: PatientMeasurements, _settings: AggregateSettings) -> Index:
        index = region_mean(measured, levels, region, "vbmd_mean_mg_cm3", minimum_levels)
        if index.value is None and not measured.values(levels, [region], "hu_mean").empty:
            return Index(None, index.levels_used, Reason.NOT_CALIBRATED)
        return index

    return compute


IndexFunction = Callable[[PatientMeasurements, "AggregateSettings"], Index]

_L1_L4 = tuple(level.name for level in L1_TO_L4)


def _of_shape(region: str) -> IndexFunction:
    return lambda measured, settings: region_mean(measured, _L1_L4, region, "hu_mean", settings.minimum_levels)


def _of_level(level: str) -> IndexFunction:
    return lambda measured, _settings: three_slice_mean(measured, [level], 1)


def _of_later_module(_measured: PatientMeasurements, _settings: AggregateSettings) -> Index:
    return Index(None, 0, Reason.MODULE_ABSENT)


#: Every index by its column name.
INDICES: dict[str, IndexFunction] = {
    "ax_l1_l4_hu": lambda measured, settings: three_slice_mean(measured, _L1_L4, settings.minimum_levels),
    "hu_3d_l1_l4": _of_shape("body_trabecular"),
    **{f"{level.name.lower()}_hu": _of_level(level.name) for level in LUMBAR if level.name != "L6"},
    **{f"{name}_l1_l4_hu": _of_shape(region) for name, region in SHAPES.items()},
    "vbmd_l1_l2_mg_cm3": _vbmd(("L1", "L2"), "body_central", 2),
    "l5_body_vbmd_mg_cm3": _vbmd(("L5",), "body_central", 1),
    "l5_pedicle_vbmd_mg_cm3": _vbmd(("L5",), "pedicle", 1),
    "l5_trajectory_vbmd_mg_cm3": _vbmd(("L5",), "trajectory", 1),
    "b_hu": _at_ratio_level(lambda measured, level: three_slice_mean(measured, [level], 1)),
    "st_hu": _at_ratio_level(lambda measured, level: region_mean(measured, [level], "trajectory", "hu_mean", 1)),
    "hu_ratio": _hu_ratio,
    "pbq": _of_later_module,
    "vbq": _of_later_module,
}


def _columns(indices: dict[str, Index]) -> dict[str, float | int | str | None]:
    columns: dict[str, float | int | str | None] = {}
    for name, index in indices.items():
        columns[name] = index.value
        columns[f"{name}_levels_used"] = index.levels_used
        columns[f"{name}_reason"] = str(index.reason) if index.reason is not None else None
    return columns


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    kinds = {"_reason": "string", "_levels_used": "Int64", "_level": "string", "patient_id": "string"}
    return table.astype(
        {
            column: next((kind for end, kind in kinds.items() if column.endswith(end)), "Float64")
            for column in table.columns
        }
    )
