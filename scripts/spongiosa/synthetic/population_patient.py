"""From a row of a sampled cohort to the body of that patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.tissue import density_for_hu

_LUMBAR_LEVELS: Final = ("L1", "L2", "L3", "L4")
_SPARSEST_MG_CM3: Final = 5.0  # bone can't be less than nearly empty marrow


def patient_parameters(row: Mapping[str, Any], seed: int) -> PatientParameters:
    """Anatomy of a sampled patient: L1-L4 show the row's HU at 120 kVp in their trabecular core.

    Needs `sex`, `age_years`, `height_m`, `bmi_kg_m2` and `l1_hu` ... `l4_hu`; `t_score_lumbar` thins the cortex and
    `goutallier` grades the muscle where given. What a table does not know (lordosis, disc height, marrow fat,
    calcified aorta) scatters by `seed` about usual values, which are assumed.
    Raises `KeyError` for a row without HU per level (its preset has none).
    """
    generator = np.random.default_rng([seed, 17])
    age_years = float(row["age_years"])
    fat = float(np.clip(0.35 + 0.0045 * (age_years - 50.0) + generator.normal(0.0, 0.05), 0.2, 0.7))
    level_density = {
        level: max(_SPARSEST_MG_CM3, density_for_hu(float(row[f"{level.lower()}_hu"]), fat)) for level in _LUMBAR_LEVELS
    }
    lordosis_deg = float(np.clip(generator.normal(46.0, 8.0), 28.0, 64.0))
    t_score = float(row.get("t_score_lumbar", -1.0))
    return PatientParameters(
        sex="F" if row["sex"] == "female" else "M",
        age_years=age_years,
        stature_m=float(row["height_m"]),
        bmi_kg_m2=float(row["bmi_kg_m2"]),
        trabecular_density_mg_cm3=float(np.mean(list(level_density.values()))),
        level_density_mg_cm3=level_density,
        marrow_fat_fraction=fat,
        cortical_thickness_mm=float(np.clip(0.65 + 0.08 * t_score, 0.35, 0.9)),
        endplate_thickness_mm=float(np.clip(0.75 + 0.06 * t_score, 0.45, 0.95)),
        lordosis_deg=lordosis_deg,
        sacral_slope_deg=float(np.clip(0.55 * lordosis_deg + generator.normal(12.0, 3.0), 22.0, 55.0)),
        kyphosis_deg=float(np.clip(generator.normal(38.0, 6.0), 24.0, 54.0)),
        disc_height_factor=float(np.clip(generator.normal(1.0 - 0.003 * (age_years - 60.0), 0.05), 0.8, 1.1)),
        goutallier_grade=int(row.get("goutallier", 1)),
        aortic_calcification=float(np.clip((age_years - 50.0) / 60.0 + generator.normal(0.0, 0.1), 0.0, 0.8)),
    )
