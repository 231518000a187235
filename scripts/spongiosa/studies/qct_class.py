"""The classes of quantitative CT: trabecular vBMD of L1-L2 against its cut-offs, of one mineral only."""

from __future__ import annotations

import pandas as pd

from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.outcome import Reason

DENSITY = "vbmd_l1_l2_mg_cm3"
CLASSES = ("normal", "osteopenia", "osteoporosis")


def qct_classes(patients: pd.DataFrame, thresholds: ThresholdsSettings) -> pd.DataFrame:
    """`qct_class` and `qct_class_reason` (why it is missing), one row per row of `patients`, same index.

    `patients` has `vbmd_l1_l2_mg_cm3` and `vbmd_material`.  Osteoporosis below the first cut-off, osteopenia from it up
    to and including the second, by the ACR-SPR-SSR practice parameter (80 and 120 mg/cm3 of K2HPO4).  A value of
    another mineral than that of the cut-offs, or of an unknown one, is not classified.
    """
    density = patients[DENSITY].astype("Float64")
    material = patients["vbmd_material"].astype("string")
    is_measured = density.notna().to_numpy(dtype=bool)
    is_of_cutoffs = (material == thresholds.vbmd_material).fillna(value=False).to_numpy(dtype=bool)
    found = pd.Series(pd.NA, index=patients.index, dtype="string")
    reason = pd.Series(pd.NA, index=patients.index, dtype="string")
    values = density.to_numpy(dtype=float, na_value=float("nan"))
    is_classed = is_measured & is_of_cutoffs
    found[is_classed] = "normal"
    found[is_classed & (values <= thresholds.vbmd_osteopenia_mg_cm3)] = "osteopenia"
    found[is_classed & (values < thresholds.vbmd_osteoporosis_mg_cm3)] = "osteoporosis"
    reason[~is_measured] = str(Reason.NOT_MEASURED)
    reason[is_measured & ~is_of_cutoffs] = str(Reason.OTHER_MATERIAL)
    return pd.DataFrame({"qct_class": found, "qct_class_reason": reason})
