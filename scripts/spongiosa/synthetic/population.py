"""Sampling a cohort: a table of clinical data, bone and outcomes that hang together as in a published study.

Every quantity is a transform of one variable of a multivariate normal distribution (a Gaussian copula), outcomes
included: an event happens where its own variable passes the threshold that gives the published rate, and its
correlation with a marker is the one that gives the published area under the curve.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from spongiosa.synthetic.morphometry import density_trend
from spongiosa.synthetic.population_marginals import Event, Floats
from spongiosa.synthetic.presets import Preset
from spongiosa.synthetic.presets_demo import DEMO
from spongiosa.synthetic.presets_studies import STUDY_PRESETS

PRESETS: Final[dict[str, Preset]] = {**STUDY_PRESETS, DEMO.name: DEMO}

_STATURE_M: Final = {"female": (1.53, 0.06), "male": (1.66, 0.06)}  # older Japanese and Chinese adults, assumed
_YOUNG_ADULT: Final = {  # g/cm2, mean and SD of young women, of the size of the Japanese reference of 2012; assumed
    "lumbar": (0.989, 0.112),
    "femoral_neck": (0.790, 0.090),
    "total_hip": (0.875, 0.100),
}
_SHAPES: Final = ("oval", "round", "front", "left", "right")
_LUMBAR_LEVELS: Final = ("L1", "L2", "L3", "L4")
_LEVEL_SD_HU: Final = 9.0  # scatter of a level about the patient's trend, assumed


def sample_population(preset: Preset, patients: int, seed: int) -> pd.DataFrame:
    """A cohort of `patients` independent draws, one row each; columns of the data contract, nothing rounded.

    `patient_id` (P001 ...), `sex` (female | male), body measures, T-scores with the BMD and YAM that follow from them,
    `ax_l1_l4_hu` with `l1_hu` ... `l4_hu` where the preset has HU, and the preset's other columns.
    """
    generator = np.random.default_rng([seed, patients])
    return _table(preset, preset.latent_model.draw(patients, generator), generator)


def sample_matched_population(preset: Preset, patients: int, seed: int) -> pd.DataFrame:
    """As `sample_population`, but the latent variables of this very sample have the preset's means and correlations.

    For cohorts so small that chance would hide what the study shows. Raises `ValueError` for cohorts of fewer patients
    than the preset has columns.
    """
    generator = np.random.default_rng([seed, patients])
    return _table(preset, preset.latent_model.draw_matched(patients, generator), generator)


def as_recorded(table: pd.DataFrame) -> pd.DataFrame:
    """The table as a hospital writes it down: ages in whole years, T-scores to 0.1, BMD to 0.001 g/cm2, HU to 0.1."""
    return table.round({name: count for name in table if (count := _recorded_digits(str(name))) is not None})


def _recorded_digits(column: str) -> int | None:
    """Decimals with which a column is written down; None for text and events."""
    digits = {"age_years": 0, "height_m": 2, "weight_kg": 1, "bmi_kg_m2": 1, "pbq": 2, "hu_ratio": 3}
    if column.startswith("bmd"):
        return 3
    if column.startswith(("t_score", "yam", "hu_3d")) or column.endswith(("_hu", "_vbmd_mg_cm3")):
        return 1
    return digits.get(column)


def _table(preset: Preset, latent: Floats, generator: np.random.Generator) -> pd.DataFrame:
    sampled = {column.name: column.marginal.values(latent[:, i]) for i, column in enumerate(preset.columns)}
    table = pd.DataFrame({"patient_id": [f"P{number:03d}" for number in range(1, len(latent) + 1)]})
    table["age_years"] = sampled.pop("age_years")
    table["sex"] = np.where(sampled.pop("is_female") > 0.5, "female", "male")
    table = table.assign(**_body(table["sex"], sampled.pop("stature_z"), sampled.pop("bmi_kg_m2")))
    for name, values in sampled.items():
        is_event = isinstance(preset.column(name).marginal, Event)
        table[name] = values.astype(bool) if is_event else values
    if "goutallier" in table:
        table["goutallier"] = table["goutallier"].astype(int)
    if "fused_levels" in table:
        table["fused_levels"] = table["fused_levels"].astype(int)
    if "hu_ratio" in table:
        table["st_hu"] = table["hu_ratio"] * table["b_hu"]
    return table.assign(**_areal_density(table), **_levels(table, generator), **_shapes_of_levels(table, generator))


def _body(sex: pd.Series, stature_z: Floats, bmi_kg_m2: Floats) -> dict[str, Floats]:
    mean, sd = (np.array([_STATURE_M[each][part] for each in sex]) for part in (0, 1))
    height_m = mean + sd * stature_z
    return {"height_m": height_m, "weight_kg": bmi_kg_m2 * height_m**2, "bmi_kg_m2": bmi_kg_m2}


def _areal_density(table: pd.DataFrame) -> dict[str, pd.Series]:
    """BMD [g/cm2] = young mean + T x young SD, and YAM [%] = 100 BMD / young mean, per site with a T-score."""
    found = {}
    for site, (mean, sd) in _YOUNG_ADULT.items():
        if f"t_score_{site}" not in table:
            continue
        density = (mean + sd * table[f"t_score_{site}"]).clip(lower=0.25)
        found[f"bmd_{site}_g_cm2"] = density
        if site != "total_hip":
            found[f"yam_{site}_percent"] = 100.0 * density / mean
    return found


def _levels(table: pd.DataFrame, generator: np.random.Generator) -> dict[str, Floats]:
    """HU of L1 ... L4 about their mean: the published trend of density over the levels, and a scatter that cancels."""
    if "ax_l1_l4_hu" not in table:
        return {}
    trend = np.array([density_trend(level) for level in _LUMBAR_LEVELS])
    mean_hu = table["ax_l1_l4_hu"].to_numpy()[:, None]
    scatter = _LEVEL_SD_HU * generator.standard_normal((len(table), len(trend)))
    scatter -= scatter.mean(axis=1, keepdims=True)
    values = mean_hu + np.maximum(mean_hu, 20.0) * (trend - trend.mean()) + scatter
    return {f"{level.lower()}_hu": values[:, i] for i, level in enumerate(_LUMBAR_LEVELS)}


def _shapes_of_levels(table: pd.DataFrame, generator: np.random.Generator) -> dict[str, Floats]:
    """HU of each shape, and DXA BMD, at L1 ... L4 about their means, where the preset has the shapes.

    HU follow the trend of density over the levels and scatter by `_LEVEL_SD_HU`, BMD rises caudally (assumed); both
    scatters cancel over the four levels, so that the means are those of the preset.
    """
    shapes = [name for name in _SHAPES if f"{name}_l1_l4_hu" in table]
    if not shapes:
        return {}
    trend = np.array([density_trend(level) for level in _LUMBAR_LEVELS])
    # A level's texture is seen by every shape, the rest of the scatter by one of them.
    shared = _centred(generator.standard_normal((len(table), len(trend))))
    found: dict[str, Floats] = {}
    for shape in shapes:
        own = _centred(generator.standard_normal((len(table), len(trend))))
        mean_hu = table[f"{shape}_l1_l4_hu"].to_numpy()[:, None]
        scatter = _LEVEL_SD_HU * (np.sqrt(0.7) * shared + np.sqrt(0.3) * own)
        values = mean_hu + np.maximum(mean_hu, 20.0) * (trend - trend.mean()) + scatter
        found |= {f"{shape}_{level.lower()}_hu": values[:, i] for i, level in enumerate(_LUMBAR_LEVELS)}
    mean, _ = _YOUNG_ADULT["lumbar"]
    bmd = mean + _YOUNG_ADULT["lumbar"][1] * table["t_score_lumbar"].to_numpy()[:, None]
    scatter = 0.04 * _centred(generator.standard_normal((len(table), len(trend))))
    values = np.maximum(bmd + np.array([-0.06, 0.0, 0.02, 0.04]) + scatter, 0.25)
    return found | {f"bmd_{level.lower()}_g_cm2": values[:, i] for i, level in enumerate(_LUMBAR_LEVELS)}


def _centred(values: Floats) -> Floats:
    return np.asarray(values - values.mean(axis=1, keepdims=True))
