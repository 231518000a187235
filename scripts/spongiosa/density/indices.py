"""The indices of the studies: from regions and levels to one value per patient.

Every index has, beside its value, `<index>_levels_used` (how many levels it rests on) and `<index>_reason` (why it is
missing).  Classes that follow from a threshold are made by the studies, not here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spongiosa.anatomy.levels import L1_TO_L4, LUMBAR
from spongiosa.outcome import Reason, Status

if TYPE_CHECKING:
    from spongiosa.config.aggregate import AggregateSettings

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

QUANTITIES = ("hu_mean", "hu_referenced_mean", "vbmd_mean_mg_cm3")

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


class CohortMeasurements:
    """The valid default measurements of all patients, one value per patient, level and region.

    Every index is computed for all patients at once: patient by patient a cohort of 100,000 takes hours.
    """

    def __init__(self, rows: pd.DataFrame, patients: pd.Index) -> None:
        """`rows` are measurements of one session of the `patients` (sorted, unique)."""
        valid = rows[(rows["variant"] == "default") & (rows["status"] == Status.OK)]
        number = patients.get_indexer(pd.Index(valid["patient_id"]))
        is_wanted = (number >= 0) & valid["level"].notna().to_numpy(dtype=bool)
        valid, number = valid[is_wanted], number[is_wanted]
        self.patients = patients
        #: Why the patient's scan has no density line, by patient; missing where it has one, or where nothing says.
        self.calibration_reason = _first_of_patient(valid, "calibration_reason", patients)
        level, self._levels = pd.factorize(valid["level"])
        region, self._regions = pd.factorize(valid["region"])
        #: Patients, levels and regions; the last place of the latter two stays empty, for what nobody has (index -1).
        shape = (len(patients), len(self._levels) + 1, len(self._regions) + 1)
        cell = np.ravel_multi_index((number, level, region), shape)
        #: By quantity, of `shape`: sums over the sides that were measured, and how many these are.
        self._sums: dict[str, FloatArray] = {}
        self._counts: dict[str, FloatArray] = {}
        for quantity in QUANTITIES:
            values = _real_or_nothing(valid, quantity)
            for kept, weights in ((self._sums, np.nan_to_num(values)), (self._counts, ~np.isnan(values))):
                summed = np.bincount(cell, weights, minlength=math.prod(shape)).reshape(shape)
                kept[quantity] = summed.astype(np.float64, copy=False)

    def three_slice_mean(self, levels: Iterable[str], minimum_levels: int, quantity: str = "hu_mean") -> pd.DataFrame:
        """Mean over all slices of the three-slice ellipses, each slice with the same weight (study 000: 12 slices).

        A level counts when at least two of its three slices were measured.
        """
        cells = self._cells(levels, SLICES)
        sums, slices = (table[quantity][cells].sum(axis=2) for table in (self._sums, self._counts))
        is_enough = slices >= MINIMUM_SLICES
        mean = _quotient((sums * is_enough).sum(axis=1), (slices * is_enough).sum(axis=1))
        return self._index(mean, is_enough.sum(axis=1), minimum_levels)

    def region_mean(self, levels: Iterable[str], region: str, quantity: str, minimum_levels: int) -> pd.DataFrame:
        """Mean over levels of a region; left and right of a level are averaged first."""
        cells = self._cells(levels, [region])
        sums, sides = (table[quantity][cells][:, :, 0] for table in (self._sums, self._counts))
        levels_measured = (sides > 0).sum(axis=1)
        of_levels = np.nan_to_num(_quotient(sums, sides))
        return self._index(_quotient(of_levels.sum(axis=1), levels_measured), levels_measured, minimum_levels)

    def nothing(self, reason: Reason) -> pd.DataFrame:
        """The index that no patient has."""
        return pd.DataFrame({"value": np.nan, "levels_used": 0, "reason": str(reason)}, index=self._numbers)

    @cached_property
    def ratio_level(self) -> pd.DataFrame:
        """The level of the HU ratio with its three-slice mean and its trajectory: the first of L3, L2, L4 with both."""
        chosen = pd.DataFrame({"level": None, "body": np.nan, "trajectory": np.nan}, index=self._numbers)
        chosen["level"] = chosen["level"].astype(object)
        for level in reversed(RATIO_LEVELS):
            body = self.three_slice_mean([level], 1)["value"]
            trajectory = self.region_mean([level], "trajectory", "hu_mean", 1)["value"]
            has_both = body.notna() & trajectory.notna()
            chosen.loc[has_both, "level"] = level
            chosen.loc[has_both, "body"] = body
            chosen.loc[has_both, "trajectory"] = trajectory
        return chosen

    @property
    def _numbers(self) -> pd.RangeIndex:
        return pd.RangeIndex(len(self.patients))

    def _cells(self, levels: Iterable[str], regions: Iterable[str]) -> tuple[NDArray[np.intp], ...]:
        """Where all patients have these levels and regions, for tables of the shape of `_sums`."""
        level = self._levels.get_indexer(pd.Index(list(levels)))
        region = self._regions.get_indexer(pd.Index(list(regions)))
        return np.ix_(np.arange(len(self.patients)), level, region)

    def _index(self, mean: FloatArray, levels_used: NDArray[np.int64], minimum_levels: int) -> pd.DataFrame:
        is_enough = levels_used >= minimum_levels
        too_few = np.where(levels_used == 0, str(Reason.NOT_MEASURED), str(Reason.TOO_FEW_LEVELS))
        return pd.DataFrame(
            {
                "value": np.where(is_enough, mean, np.nan),
                "levels_used": levels_used,
                "reason": pd.Series(too_few, dtype=object).where(~is_enough, None),
            },
            index=self._numbers,
        )


def _first_of_patient(rows: pd.DataFrame, column: str, patients: pd.Index) -> pd.Series[str]:
    """The first text of a column that each of `patients` has, numbered as they are; null where there is none."""
    if column not in rows:
        return pd.Series(None, index=pd.RangeIndex(len(patients)), dtype=object)
    known = rows[["patient_id", column]].dropna().drop_duplicates("patient_id").set_index("patient_id")[column]
    return known.astype(object).reindex(patients).reset_index(drop=True)


def _quotient(sums: FloatArray, counts: FloatArray) -> FloatArray:
    """Means; NaN where nothing was counted."""
    means: FloatArray = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means


def _real_or_nothing(rows: pd.DataFrame, quantity: str) -> FloatArray:
    """The column as float64; NaN throughout where this table does not have it."""
    if quantity not in rows:
        return np.full(len(rows), np.nan)
    return rows[quantity].to_numpy(dtype=float, na_value=np.nan)


def derive_indices(
    scans: pd.DataFrame,
    measurements: pd.DataFrame,
    settings: AggregateSettings,
    left_out: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per patient of the cohort, sorted: every index of the contract with its levels and reason.

    `scans` and `measurements` are the tables of the cohort.  The indices come from the CT of `settings.session`; a
    patient without it, or whose scan left, has no values and says why.  Levels that `left_out` names (columns
    patient_id, level) enter no index of that patient.
    """
    patients = pd.Index(sorted(scans["patient_id"].unique()), dtype="object")
    of_session = scans[(scans["session"] == settings.session) & (scans["modality"] == "ct")]
    of_session = of_session.set_index("patient_id").reindex(patients)
    has_left = (of_session["status"] != Status.OK).fillna(value=True).to_numpy(dtype=bool)
    scan_reasons = of_session["reason"].fillna(str(Reason.NOT_MEASURED)).astype(object).to_numpy()
    rows = _rows_of_session(measurements, settings.session)
    measured = CohortMeasurements(without_levels(rows, left_out), patients[~has_left])
    complete = None if left_out is None or left_out.empty else CohortMeasurements(rows, patients[~has_left])
    columns: dict[str, Any] = {"patient_id": patients}
    for name, compute in INDICES.items():
        index = compute(measured, settings)
        if complete is not None:
            is_left_out = index["value"].isna() & compute(complete, settings)["value"].notna()
            index.loc[is_left_out, "reason"] = str(Reason.LEVEL_LEFT_OUT)
        columns[name] = _spread(index["value"], has_left, np.nan)
        columns[f"{name}_levels_used"] = _spread(index["levels_used"], has_left, 0)
        columns[f"{name}_reason"] = _spread(index["reason"], has_left, scan_reasons[has_left])
    columns["hu_ratio_level"] = _spread(measured.ratio_level["level"], has_left, None)
    return _typed(pd.DataFrame(columns))


def _spread(values: pd.Series[Any], has_left: BoolArray, of_those_who_left: Any) -> NDArray[Any]:
    """Values of the patients who stayed, joined with those of the patients who left, in the order of all."""
    spread = np.empty(len(has_left), dtype=object)
    spread[~has_left] = values.to_numpy(dtype=object)
    spread[has_left] = of_those_who_left
    return spread


def without_levels(rows: pd.DataFrame, left_out: pd.DataFrame | None) -> pd.DataFrame:
    """`rows` without those whose patient and level stand in `left_out`."""
    if left_out is None or left_out.empty or rows.empty:
        return rows
    pairs = ["patient_id", "level"]
    is_left_out = pd.MultiIndex.from_frame(rows[pairs].astype(object)).isin(
        pd.MultiIndex.from_frame(left_out[pairs].astype(object))
    )
    return rows[~is_left_out]


def _rows_of_session(measurements: pd.DataFrame, session: str) -> pd.DataFrame:
    if measurements.empty:
        return pd.DataFrame(columns=["patient_id", "level", "region", "variant", "status", *QUANTITIES])
    return measurements[(measurements["session"] == session) & (measurements["modality"] == "ct")]


def _hu_ratio(measured: CohortMeasurements, settings: AggregateSettings) -> pd.DataFrame:
    """ST-HU / B-HU at the same level (study 003); undefined where B-HU is near or below zero."""
    chosen = measured.ratio_level
    index = _at_ratio_level("trajectory")(measured, settings)
    is_near_zero = chosen["body"] < settings.minimum_body_hu_for_ratio
    index["value"] = (chosen["trajectory"] / chosen["body"]).where(~is_near_zero)
    index.loc[is_near_zero, "reason"] = str(Reason.BODY_HU_NEAR_ZERO)
    return index


def _at_ratio_level(quantity: str) -> IndexFunction:
    def at_level(measured: CohortMeasurements, _settings: AggregateSettings) -> pd.DataFrame:
        values = measured.ratio_level[quantity]
        index = measured.nothing(Reason.NOT_MEASURED)
        has_level = values.notna()
        index["value"] = values
        index["levels_used"] = has_level.astype("int64")
        index["reason"] = index["reason"].astype(object).where(~has_level, None)
        return index

    return at_level


def _vbmd(levels: tuple[str, ...], region: str, minimum_levels: int) -> IndexFunction:
    """Mean vBMD of a region; where HU are there and vBMD is not, the reason is that of the missing calibration."""

    def compute(measured: CohortMeasurements, _settings: AggregateSettings) -> pd.DataFrame:
        index = measured.region_mean(levels, region, "vbmd_mean_mg_cm3", minimum_levels)
        has_hu = measured.region_mean(levels, region, "hu_mean", 1)["value"].notna()
        is_without_line = (index["levels_used"] == 0) & has_hu
        reason = measured.calibration_reason.fillna(str(Reason.NOT_CALIBRATED))
        index.loc[is_without_line, "reason"] = reason[is_without_line]
        return index

    return compute


IndexFunction = Callable[[CohortMeasurements, "AggregateSettings"], pd.DataFrame]
"""Columns value, levels_used and reason (why the value is missing), one row per patient."""

_L1_L4 = tuple(level.name for level in L1_TO_L4)
_L1_L5 = tuple(level.name for level in LUMBAR if level.name != "L6")


def _of_shape(region: str) -> IndexFunction:
    return lambda measured, settings: measured.region_mean(_L1_L4, region, "hu_mean", settings.minimum_levels)


def _of_shape_at(region: str, level: str) -> IndexFunction:
    return lambda measured, _settings: measured.region_mean([level], region, "hu_mean", 1)


def _referenced(raw: IndexFunction, referenced: IndexFunction) -> IndexFunction:
    """Phantom-referenced HU; where raw HU are there and these are not, the phantom was refused, or it has no nominal
    HU."""

    def compute(measured: CohortMeasurements, settings: AggregateSettings) -> pd.DataFrame:
        index = referenced(measured, settings)
        is_without_scale = index["value"].isna() & raw(measured, settings)["value"].notna()
        refused = measured.calibration_reason.replace(str(Reason.NOT_CALIBRATED), None)
        index.loc[is_without_scale, "reason"] = refused.fillna(str(Reason.NO_NOMINAL_ROD_HU))[is_without_scale]
        return index

    return compute


def _axial(levels: tuple[str, ...], quantity: str) -> IndexFunction:
    """The three-slice mean of one level, or of several with the configured minimum."""
    return lambda measured, settings: measured.three_slice_mean(
        levels, 1 if len(levels) == 1 else settings.minimum_levels, quantity
    )


def _volume(quantity: str) -> IndexFunction:
    return lambda measured, settings: measured.region_mean(_L1_L4, "body_trabecular", quantity, settings.minimum_levels)


def _of_later_module(measured: CohortMeasurements, _settings: AggregateSettings) -> pd.DataFrame:
    return measured.nothing(Reason.MODULE_ABSENT)


#: Every index by its column name.
INDICES: dict[str, IndexFunction] = {
    "ax_l1_l4_hu": _axial(_L1_L4, "hu_mean"),
    "hu_3d_l1_l4": _volume("hu_mean"),
    **{f"{level.lower()}_hu": _axial((level,), "hu_mean") for level in _L1_L5},
    **{f"{name}_l1_l4_hu": _of_shape(region) for name, region in SHAPES.items()},
    **{
        f"{name}_{level.lower()}_hu": _of_shape_at(region, level) for name, region in SHAPES.items() for level in _L1_L4
    },
    "ax_l1_l4_hu_referenced": _referenced(_axial(_L1_L4, "hu_mean"), _axial(_L1_L4, "hu_referenced_mean")),
    "hu_3d_l1_l4_referenced": _referenced(_volume("hu_mean"), _volume("hu_referenced_mean")),
    **{
        f"{level.lower()}_hu_referenced": _referenced(
            _axial((level,), "hu_mean"), _axial((level,), "hu_referenced_mean")
        )
        for level in _L1_L5
    },
    "vbmd_l1_l2_mg_cm3": _vbmd(("L1", "L2"), "body_central", 2),
    "l5_body_vbmd_mg_cm3": _vbmd(("L5",), "body_central", 1),
    "l5_pedicle_vbmd_mg_cm3": _vbmd(("L5",), "pedicle", 1),
    "l5_trajectory_vbmd_mg_cm3": _vbmd(("L5",), "trajectory", 1),
    "b_hu": _at_ratio_level("body"),
    "st_hu": _at_ratio_level("trajectory"),
    "hu_ratio": _hu_ratio,
    "pbq": _of_later_module,
    "vbq": _of_later_module,
}


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    kinds = {"_reason": "string", "_levels_used": "Int64", "_level": "string", "patient_id": "string"}
    return table.astype(
        {
            column: next((kind for end, kind in kinds.items() if column.endswith(end)), "Float64")
            for column in table.columns
        }
    )
