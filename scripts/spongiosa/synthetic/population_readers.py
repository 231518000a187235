"""Readers of a sampled cohort: manual measurements that scatter about the workflow's by a published reliability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from spongiosa.synthetic.population_marginals import Floats
from spongiosa.synthetic.presets import Origin

_L1_L4: Final = ("L1", "L2", "L3", "L4")
_SLICES: Final = ("ellipse_superior", "ellipse_mid", "ellipse_inferior")
_BOTH: Final = ("left", "right")
_PLACE_SCATTER: Final = {
    "hu_mean": 6.0,
    "vbmd_mean_mg_cm3": 5.0,
}  # of slices, levels or sides about their mean; assumed
_READER_BIAS: Final = 0.15  # of the reader's error; the second reader reads higher by it, assumed


@dataclass(frozen=True)
class ReadingPlan:
    """What two readers measured again.

    `column` is a column of the sampled table whose value the workflow found there, `{level}` standing for the level in
    small letters; `patients` how many were read (None: all), the first reader twice where `is_repeated`.  `icc` is the
    reliability of a single reading of a patient's mean, (A,1).
    """

    regions: tuple[str, ...]
    levels: tuple[str, ...]
    sides: tuple[str, ...]
    quantity: str
    column: str
    patients: int | None
    is_repeated: bool
    icc: float
    origin: Origin
    source: str

    @property
    def places(self) -> list[tuple[str, str, str]]:
        return [(region, level, side) for region in self.regions for level in self.levels for side in self.sides]


_NONE: Final = ("none",)
_VBMD: Final = "vbmd_mean_mg_cm3"

READING_PLANS: Final[dict[str, tuple[ReadingPlan, ...]]] = {
    "hu_dxa_concordance": (
        ReadingPlan(_SLICES, _L1_L4, _NONE, "hu_mean", "{level}_hu", 30, True, 0.95, "assumed", "no ICC is at hand"),
    ),
    "roi_shapes": tuple(
        ReadingPlan(
            (f"shape_{shape}",), _L1_L4, _NONE, "hu_mean", f"{shape}_{{level}}_hu", None, False, 0.96, "assumed",
            "two readers of every patient; no ICC is at hand",
        )
        for shape in ("round", "oval", "right", "left", "front")
    ),
    "qct_loosening": (
        ReadingPlan(
            ("body_central",), ("L5",), _NONE, _VBMD, "l5_body_vbmd_mg_cm3", 20, False, 0.914, "printed", "ICC .914"
        ),
        ReadingPlan(
            ("pedicle",), ("L5",), _BOTH, _VBMD, "l5_pedicle_vbmd_mg_cm3", 20, False, 0.887, "printed", "ICC .887"
        ),
        ReadingPlan(
            ("trajectory",), ("L5",), _BOTH, _VBMD, "l5_trajectory_vbmd_mg_cm3", 20, False, 0.901, "printed", "ICC .901"
        ),
    ),
    "fracture_3d_hu": (
        ReadingPlan(
            ("body_trabecular",), _L1_L4, _NONE, "hu_mean", "hu_3d_l1_l4", 40, True, 0.955, "printed", "ICC .955"
        ),
        ReadingPlan(_SLICES, _L1_L4, _NONE, "hu_mean", "{level}_hu", 40, True, 0.95, "assumed", "no ICC is at hand"),
    ),
}  # fmt: skip


def sample_readings(table: pd.DataFrame, plans: tuple[ReadingPlan, ...], seed: int) -> pd.DataFrame:
    """Readings with the columns of cohort/readers.parquet, `software_value` being what the workflow measured."""
    generator = np.random.default_rng([seed, len(table), 23])
    parts = [_of_plan(table, plan, generator) for plan in plans]
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(session="preop", modality="ct", software_reason=None).astype({"software_reason": "string"})


def _of_plan(table: pd.DataFrame, plan: ReadingPlan, generator: np.random.Generator) -> pd.DataFrame:
    count = len(table) if plan.patients is None else min(plan.patients, len(table))
    chosen = np.sort(generator.choice(len(table), count, replace=False))
    people = table.iloc[chosen]
    software = _software_values(people, plan, generator)
    # ICC = s^2 / (s^2 + e^2) of the patients' means; the error of one place is larger, as a mean's is smaller.
    error = np.sqrt((1 - plan.icc) / plan.icc) * software.mean(axis=1).std(ddof=1) * np.sqrt(len(plan.places))
    parts = []
    trials = (("A", 1), ("A", 2), ("B", 1)) if plan.is_repeated else (("A", 1), ("B", 1))
    for reader, trial in trials:
        bias = _READER_BIAS * error if reader == "B" else 0.0
        values = software + bias + error * generator.standard_normal(software.shape)
        for position, (region, level, side) in enumerate(plan.places):
            parts.append(
                pd.DataFrame(
                    {
                        "patient_id": people["patient_id"].to_numpy(),
                        "reader": reader,
                        "trial": trial,
                        "level": level,
                        "region": region,
                        "side": side,
                        "quantity": plan.quantity,
                        "value": np.round(values[:, position], 1),
                        "software_value": software[:, position],
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _software_values(people: pd.DataFrame, plan: ReadingPlan, generator: np.random.Generator) -> Floats:
    """What the workflow found at each place, shape (patients, places), scattering about the column's value."""
    by_place = np.column_stack(
        [people[plan.column.format(level=level.lower())].to_numpy(dtype=float) for _, level, _ in plan.places]
    )
    scatter = generator.standard_normal(by_place.shape)
    scatter -= scatter.mean(axis=1, keepdims=True)
    return np.asarray(by_place + _PLACE_SCATTER[plan.quantity] * scatter)
