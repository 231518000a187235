"""What the nomogram study has beside its preset: scoliosis, where the fusion ends, alignment, missing values.

None of it is printed but the number of patients with scoliosis; all else is assumed, with no effect on loosening.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from spongiosa.synthetic.population import as_recorded, sample_population
from spongiosa.synthetic.presets import Preset

SCOLIOSIS_PATIENTS: Final = 43  # printed
_MISSING: Final = {"pbq": 0.04, "hu_ratio": 0.03, "goutallier": 0.02}  # shares of the patients, assumed
_TECHNIQUES: Final = {"TLIF": 0.5, "PLIF": 0.35, "OLIF": 0.15}  # assumed
#: Share of fusions that end at L4 or above, at L5, at the sacrum; longer fusions end lower (assumed).
_TERMINAL: Final = {False: (0.35, 0.40, 0.25), True: (0.10, 0.40, 0.50)}
_LONG_FUSION: Final = 3


def sample_fusion_cohort(preset: Preset, seed: int) -> pd.DataFrame:
    """The preset's patients as recorded, and `SCOLIOSIS_PATIENTS` more of the same kind who have scoliosis.

    Predictors are missing at random in the shares of `_MISSING`.
    """
    generator = np.random.default_rng([seed, preset.patients, 37])
    usual = as_recorded(sample_population(preset, preset.patients, seed)).assign(scoliosis=False)
    # Another seed below 2**32, so that the added patients are not the first ones again.
    others = as_recorded(sample_population(preset, SCOLIOSIS_PATIENTS, (seed + 1) % 2**32)).assign(scoliosis=True)
    first = preset.patients + 1
    others["patient_id"] = [f"P{number:03d}" for number in range(first, first + len(others))]
    table = pd.concat([usual, others], ignore_index=True).astype({"patient_id": usual["patient_id"].dtype})
    count = len(table)
    is_long = np.asarray(table["fused_levels"], dtype=np.float64) >= _LONG_FUSION
    incidence = generator.normal(50.0, 10.0, count)
    tilt = 0.4 * incidence + generator.normal(0.0, 7.0, count)
    table = table.assign(
        terminal_segment=[str(generator.choice(["L4", "L5", "S1"], p=_TERMINAL[bool(long)])) for long in is_long],
        technique=generator.choice(list(_TECHNIQUES), count, p=list(_TECHNIQUES.values())),
        pelvic_incidence_deg=incidence.round(1),
        pelvic_tilt_deg=tilt.round(1),
        sacral_slope_deg=(incidence.round(1) - tilt.round(1)).round(1),
        lumbar_lordosis_deg=(0.6 * incidence + generator.normal(8.0, 10.0, count)).round(1),
    )
    for column, share in _MISSING.items():
        table[column] = table[column].mask(pd.Series(generator.random(count) < share))
    return table
