"""Single screws and acquisitions of a sampled cohort; what a study did not print is assumed."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

_LEVELS: Final = ("L4", "L5")  # one segment fused, four screws; the segment is assumed
_SIDES: Final = ("left", "right")
_SCATTER_MG_CM3: Final = {"body": 3.0, "pedicle": 12.0, "trajectory": 9.0}  # of a side about the patient, assumed
_L4_SHIFT_MG_CM3: Final = -4.0  # assumed
_LOGIT_PER_SD: Final = (
    1.2  # how much likelier the sparser screws of a patient with loosening are the loose ones, assumed
)

#: What the studies state of their scanners; of the others nothing is at hand.
PRINTED_ACQUISITION: Final[dict[str, dict[str, str | float]]] = {
    "hu_dxa_concordance": {"manufacturer": "Siemens", "kvp": 120.0, "slice_thickness_mm": 3.0, "kernel_class": "sharp"},
    "roi_shapes": {"kvp": 120.0, "slice_thickness_mm": 2.5},
    "qct_loosening": {"manufacturer": "Siemens"},
    "hu_ratio_nomogram": {"kvp": 120.0},
    "fracture_3d_hu": {"kvp": 120.0, "slice_thickness_mm": 0.63},
}
_SECOND_SITE_SHARE: Final = 0.3  # assumed; without any effect on bone or outcome


def sample_screws(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Four screws per patient with the columns of cohort/screws.parquet.

    A patient with `loosening` has at least one loose screw, likelier the sparser ones; others have none.  Needs the
    three densities of L5.
    """
    generator = np.random.default_rng([seed, len(table), 29])
    rows = []
    for person in table.to_dict("records"):
        screws = []
        for level in _LEVELS:
            shift = 0.0 if level == "L5" else _L4_SHIFT_MG_CM3
            body = person["l5_body_vbmd_mg_cm3"] + shift + _SCATTER_MG_CM3["body"] * generator.standard_normal()
            for side in _SIDES:
                screw = {"patient_id": person["patient_id"], "level": level, "side": side, "body_vbmd_mg_cm3": body}
                for name in ("pedicle", "trajectory"):
                    scatter = _SCATTER_MG_CM3[name] * generator.standard_normal()
                    screw[f"{name}_vbmd_mg_cm3"] = person[f"l5_{name}_vbmd_mg_cm3"] + shift + scatter
                screws.append(screw)
        values = np.array([screw["trajectory_vbmd_mg_cm3"] for screw in screws])
        sparseness = (values.mean() - values) / _SCATTER_MG_CM3["trajectory"]
        is_loose = generator.random(len(screws)) < 1 / (1 + np.exp(0.3 - _LOGIT_PER_SD * sparseness))
        is_loose[int(np.argmin(values))] = True
        rows += [
            screw | {"loosening": bool(one and person["loosening"])}
            for screw, one in zip(screws, is_loose, strict=True)
        ]
    return pd.DataFrame(rows).astype({"patient_id": "string", "loosening": "boolean"})


def with_acquisition(table: pd.DataFrame, preset: str, seed: int) -> pd.DataFrame:
    """The table with the acquisition that the study printed, and a site (assumed) that changes nothing."""
    generator = np.random.default_rng([seed, len(table), 31])
    site = np.where(generator.random(len(table)) < _SECOND_SITE_SHARE, "B", "A")
    return table.assign(**PRINTED_ACQUISITION.get(preset, {}), site=site)
