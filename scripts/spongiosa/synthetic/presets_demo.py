"""The cohort of the demo: the concordance study's bone, with the quantities of the other studies beside it."""

from __future__ import annotations

from typing import Final

from spongiosa.synthetic.population_marginals import Event, Grades, LogNormal
from spongiosa.synthetic.presets import Column, Preset, Relation
from spongiosa.synthetic.presets_studies import HU_DXA_CONCORDANCE

_FURTHER_COLUMNS: Final = (
    Column("goutallier", Grades((1, 2, 3, 4), (52, 220, 10, 31)), "printed", "hu_ratio_nomogram: 52, 220, 10, 31"),
    Column("pbq", LogNormal(3.3, 0.65), "assumed", "hu_ratio_nomogram: the nomogram shows 3.8"),
    Column("loosening", Event(63 / 186), "printed", "qct_loosening: 63 of 186"),
    Column("new_fracture", Event(61 / 349), "printed", "fracture_3d_hu: 61 of 349"),
)
_FURTHER_RELATIONS: Final = (
    Relation("ax_l1_l4_hu", "loosening", "auc", 1 - 0.736, "derived", "qct_loosening: AUC .736 of trajectory vBMD"),
    Relation("ax_l1_l4_hu", "new_fracture", "auc", 1 - 0.823, "printed", "fracture_3d_hu: AUC .823"),
    Relation("loosening", "new_fracture", "latent", 0.25, "assumed"),
    Relation("t_score_lumbar", "loosening", "latent", -0.25, "assumed"),
    Relation("t_score_lumbar", "new_fracture", "latent", -0.40, "assumed"),
    Relation("t_score_femoral_neck", "loosening", "latent", -0.20, "assumed"),
    Relation("t_score_femoral_neck", "new_fracture", "latent", -0.30, "assumed"),
    Relation("t_score_total_hip", "loosening", "latent", -0.20, "assumed"),
    Relation("t_score_total_hip", "new_fracture", "latent", -0.30, "assumed"),
    Relation("pbq", "loosening", "latent", 0.35, "assumed"),
    Relation("pbq", "ax_l1_l4_hu", "latent", -0.25, "assumed"),
    Relation("goutallier", "age_years", "latent", 0.20, "assumed"),
)

DEMO: Final = Preset(
    name="demo",
    paper="none: a demonstration after hu_dxa_concordance",
    patients=16,
    columns=HU_DXA_CONCORDANCE.columns + _FURTHER_COLUMNS,
    relations=HU_DXA_CONCORDANCE.relations + _FURTHER_RELATIONS,
)
