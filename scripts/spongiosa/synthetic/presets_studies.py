"""Cohorts after the five studies: what each printed, what follows from it, and what had to be assumed.

Papers are named by their subject as in the studies of the workflow. HU are those of 120 kVp. Signs: T-scores, HU and
vBMD rise together; an area under the curve below one half means that low values mark the event.
"""

from __future__ import annotations

from typing import Final

from spongiosa.synthetic.population_marginals import Event, Grades, LogNormal, Normal, TruncatedNormal
from spongiosa.synthetic.presets import Column, Preset, Relation

_STATURE: Final = Column("stature_z", Normal(0.0, 1.0), "assumed", "1.53 +- 0.06 m (women), 1.66 +- 0.06 m (men)")

HU_DXA_CONCORDANCE: Final = Preset(
    name="hu_dxa_concordance",
    paper="HU of L1-L4 against DXA, discordance (180 patients before surgery)",
    patients=180,
    columns=(
        Column("is_female", Event(0.70), "assumed", "no count of the sexes is at hand"),
        Column("age_years", TruncatedNormal(72.4, 8.2, low=50.0), "printed", "72.4 +- 8.2, at least 50 years"),
        _STATURE,
        Column("bmi_kg_m2", TruncatedNormal(24.1, 4.1, low=16.0), "derived", "pooled over the printed groups' BMI"),
        Column("ax_l1_l4_hu", LogNormal(124.9, 48.8), "derived", "62 of 180 at most 100 HU, 45 of 180 above 150 HU"),
        Column(
            "t_score_lumbar", Normal(-0.5, 1.5), "derived", "with the neck: 60 of 180 lowest T <= -2.5, r .505 with HU"
        ),
        Column("t_score_femoral_neck", Normal(-1.98, 1.0), "derived", "as the lumbar T-score; hip decides mostly"),
        Column("t_score_total_hip", Normal(-1.4, 1.05), "assumed", "not measured there"),
    ),
    relations=(
        Relation("ax_l1_l4_hu", "t_score_lumbar", "pearson", 0.664, "printed", "r .664"),
        Relation("ax_l1_l4_hu", "t_score_femoral_neck", "spearman", 0.450, "printed", "rho .450"),
        Relation("t_score_lumbar", "t_score_femoral_neck", "latent", 0.50, "assumed"),
        Relation("t_score_femoral_neck", "t_score_total_hip", "latent", 0.80, "assumed"),
        Relation("ax_l1_l4_hu", "t_score_total_hip", "latent", 0.45, "assumed"),
        Relation("t_score_lumbar", "t_score_total_hip", "latent", 0.50, "assumed"),
        Relation("age_years", "ax_l1_l4_hu", "latent", -0.35, "assumed"),
        Relation("age_years", "t_score_femoral_neck", "latent", -0.30, "assumed"),
        Relation("bmi_kg_m2", "t_score_femoral_neck", "latent", 0.30, "assumed"),
        Relation("bmi_kg_m2", "t_score_lumbar", "latent", 0.25, "assumed"),
        Relation("is_female", "t_score_lumbar", "latent", -0.30, "assumed"),
        Relation("is_female", "t_score_femoral_neck", "latent", -0.20, "assumed"),
    ),
)

ROI_SHAPES: Final = Preset(
    name="roi_shapes",
    paper="five ROI shapes on one mid-slice against DXA class (100 patients)",
    patients=100,
    columns=(
        Column("is_female", Event(0.83), "printed", "83 women, 17 men"),
        Column("age_years", TruncatedNormal(62.0, 9.0, low=40.0), "assumed", "no figure is at hand"),
        _STATURE,
        Column("bmi_kg_m2", TruncatedNormal(24.5, 3.5, low=16.0), "assumed", "no figure is at hand"),
        Column("t_score_lumbar", Normal(-1.63, 1.425), "derived", "27 osteoporosis, 40 osteopenia, 33 normal of 100"),
        Column("oval_l1_l4_hu", TruncatedNormal(105.0, 55.0, low=-20.0), "assumed", "around its cut-offs 92 and 97 HU"),
        Column("round_l1_l4_hu", TruncatedNormal(109.0, 55.0, low=-20.0), "assumed", "around its 88 and 118 HU"),
        Column("front_l1_l4_hu", TruncatedNormal(109.0, 56.0, low=-20.0), "assumed", "around its 92 and 121 HU"),
        Column(
            "left_l1_l4_hu", TruncatedNormal(118.0, 55.0, low=-20.0), "assumed", "around its cut-offs 111 and 125 HU"
        ),
        Column("right_l1_l4_hu", TruncatedNormal(114.0, 55.0, low=-20.0), "assumed", "around its 106 and 108 HU"),
    ),
    relations=(
        *(
            Relation(f"{shape}_l1_l4_hu", "t_score_lumbar", "spearman", rho, "derived", "printed: all rho above .75")
            for shape, rho in (("oval", 0.77), ("round", 0.77), ("front", 0.77), ("left", 0.79), ("right", 0.77))
        ),
        *(
            Relation(f"{first}_l1_l4_hu", f"{second}_l1_l4_hu", "latent", value, "assumed")
            for first, second, value in (
                ("oval", "round", 0.985),
                ("oval", "front", 0.975),
                ("oval", "left", 0.95),
                ("oval", "right", 0.95),
                ("round", "front", 0.98),
                ("round", "left", 0.945),
                ("round", "right", 0.945),
                ("front", "left", 0.94),
                ("front", "right", 0.94),
                ("left", "right", 0.93),
            )
        ),
        Relation("age_years", "t_score_lumbar", "latent", -0.30, "assumed"),
        Relation("age_years", "oval_l1_l4_hu", "latent", -0.30, "assumed"),
        Relation("age_years", "round_l1_l4_hu", "latent", -0.30, "assumed"),
        Relation("age_years", "front_l1_l4_hu", "latent", -0.30, "assumed"),
        Relation("age_years", "left_l1_l4_hu", "latent", -0.30, "assumed"),
        Relation("age_years", "right_l1_l4_hu", "latent", -0.30, "assumed"),
    ),
)

QCT_LOOSENING: Final = Preset(
    name="qct_loosening",
    paper="vBMD of body, pedicle and trajectory of L5 against screw loosening (186 patients)",
    patients=186,
    columns=(
        Column("is_female", Event(97 / 186), "printed", "97 women, 89 men"),
        Column("age_years", TruncatedNormal(64.60, 9.06, low=50.0), "printed", "64.60 +- 9.06, above 50 years"),
        _STATURE,
        Column("bmi_kg_m2", TruncatedNormal(25.0, 3.3, low=16.0), "assumed", "no figure is at hand"),
        Column("t_score_lumbar", Normal(-1.0, 1.5), "assumed", "no figure is at hand"),
        Column("t_score_total_hip", Normal(-1.2, 1.0), "assumed", "around the cut-off -1.45"),
        Column("l5_body_vbmd_mg_cm3", TruncatedNormal(102.0, 30.0, low=10.0), "assumed", "around the cut-off 90.05"),
        Column(
            "l5_pedicle_vbmd_mg_cm3", TruncatedNormal(148.0, 38.0, low=15.0), "assumed", "around the cut-off 136.00"
        ),
        Column(
            "l5_trajectory_vbmd_mg_cm3", TruncatedNormal(128.0, 32.0, low=15.0), "assumed", "around the cut-off 119.50"
        ),
        Column("loosening", Event(63 / 186), "printed", "63 of 186"),
        Column("diabetes", Event(0.18), "assumed", "no figure is at hand"),
        Column("hypertension", Event(0.40), "assumed", "no figure is at hand"),
        Column("smoker", Event(0.22), "assumed", "no figure is at hand"),
    ),
    relations=(
        Relation("l5_body_vbmd_mg_cm3", "loosening", "auc", 1 - 0.682, "printed", "AUC .682"),
        Relation("l5_pedicle_vbmd_mg_cm3", "loosening", "auc", 1 - 0.714, "printed", "AUC .714"),
        Relation("l5_trajectory_vbmd_mg_cm3", "loosening", "auc", 1 - 0.736, "printed", "AUC .736"),
        Relation("t_score_total_hip", "loosening", "auc", 1 - 0.596, "printed", "AUC .596"),
        Relation(
            "l5_body_vbmd_mg_cm3", "l5_pedicle_vbmd_mg_cm3", "latent", 0.75, "assumed", "too collinear for one model"
        ),
        Relation("l5_body_vbmd_mg_cm3", "l5_trajectory_vbmd_mg_cm3", "latent", 0.80, "assumed", "as body and pedicle"),
        Relation(
            "l5_pedicle_vbmd_mg_cm3", "l5_trajectory_vbmd_mg_cm3", "latent", 0.85, "assumed", "as body and pedicle"
        ),
        Relation("t_score_lumbar", "t_score_total_hip", "latent", 0.50, "assumed"),
        Relation("t_score_lumbar", "l5_body_vbmd_mg_cm3", "latent", 0.50, "assumed"),
        Relation("t_score_lumbar", "l5_pedicle_vbmd_mg_cm3", "latent", 0.45, "assumed"),
        Relation("t_score_lumbar", "l5_trajectory_vbmd_mg_cm3", "latent", 0.45, "assumed"),
        Relation("t_score_total_hip", "l5_body_vbmd_mg_cm3", "latent", 0.45, "assumed"),
        Relation("t_score_total_hip", "l5_pedicle_vbmd_mg_cm3", "latent", 0.40, "assumed"),
        Relation("t_score_total_hip", "l5_trajectory_vbmd_mg_cm3", "latent", 0.40, "assumed"),
        Relation("age_years", "l5_body_vbmd_mg_cm3", "latent", -0.40, "assumed"),
        Relation("age_years", "l5_pedicle_vbmd_mg_cm3", "latent", -0.30, "assumed"),
        Relation("age_years", "l5_trajectory_vbmd_mg_cm3", "latent", -0.30, "assumed"),
        Relation("age_years", "t_score_total_hip", "latent", -0.25, "assumed"),
    ),
)

HU_RATIO_NOMOGRAM: Final = Preset(
    name="hu_ratio_nomogram",
    paper="age, PBQ, HU ratio and Goutallier grade against screw loosening (313 patients)",
    patients=313,
    columns=(
        Column("is_female", Event(0.58), "assumed", "no figure is at hand"),
        Column(
            "age_years", TruncatedNormal(62.0, 10.0, low=18.0), "assumed", "at least 18 years; the nomogram shows 70"
        ),
        _STATURE,
        Column("bmi_kg_m2", TruncatedNormal(24.8, 3.4, low=16.0), "assumed", "no figure is at hand"),
        Column("t_score_lumbar", Normal(-1.3, 1.5), "assumed", "no figure is at hand"),
        Column("b_hu", LogNormal(125.0, 42.0), "assumed", "no figure is at hand"),
        Column("hu_ratio", LogNormal(1.75, 0.40), "assumed", "the nomogram shows 1.5"),
        Column("pbq", LogNormal(3.3, 0.65), "assumed", "the nomogram shows 3.8"),
        Column("goutallier", Grades((1, 2, 3, 4), (52, 220, 10, 31)), "printed", "52, 220, 10, 31 in grades 1-4, no 0"),
        Column("fused_levels", Grades((1, 2, 3, 4, 5), (120, 105, 50, 25, 13)), "assumed", "no figure is at hand"),
        Column("diabetes", Event(0.17), "assumed", "no figure is at hand"),
        Column("loosening", Event(45 / 313), "printed", "45 of 313"),
    ),
    relations=(
        Relation("hu_ratio", "pbq", "spearman", 0.039, "printed", "rho .039"),
        Relation("age_years", "loosening", "auc", 0.69, "derived", "with the next three: AUC .904 of their model"),
        Relation("hu_ratio", "loosening", "auc", 1 - 0.77, "derived", "as age"),
        Relation("pbq", "loosening", "auc", 0.73, "derived", "as age"),
        Relation("goutallier", "loosening", "latent", 0.35, "derived", "as age"),
        Relation("b_hu", "loosening", "auc", 1 - 0.65, "assumed"),
        Relation("fused_levels", "loosening", "latent", 0.15, "assumed"),
        Relation("age_years", "goutallier", "latent", 0.20, "assumed", "tolerance of the four .905-.985"),
        Relation("age_years", "pbq", "latent", 0.15, "assumed", "as age and Goutallier"),
        Relation("age_years", "b_hu", "latent", -0.40, "assumed"),
        Relation("b_hu", "t_score_lumbar", "latent", 0.60, "assumed"),
        Relation("b_hu", "pbq", "latent", -0.30, "assumed"),
        Relation("b_hu", "hu_ratio", "latent", -0.10, "assumed"),
        Relation("age_years", "t_score_lumbar", "latent", -0.25, "assumed"),
    ),
)

FRACTURE_3D_HU: Final = Preset(
    name="fracture_3d_hu",
    paper="3D-HU and HU against new vertebral fracture after augmentation (349 women)",
    patients=349,
    columns=(
        Column("is_female", Event(1.0), "printed", "postmenopausal women only"),
        Column("age_years", TruncatedNormal(70.37, 9.01, low=50.0), "printed", "70.37 +- 9.01, at least 50 years"),
        _STATURE,
        Column("bmi_kg_m2", TruncatedNormal(23.2, 3.4, low=16.0), "assumed", "no figure is at hand"),
        Column("t_score_lumbar", Normal(-2.6, 1.1), "assumed", "no figure is at hand"),
        Column(
            "hu_3d_l1_l4", TruncatedNormal(69.4, 25.5, low=-40.0), "derived", "OR .927 per HU, AUC .877, cut-off 56.3"
        ),
        Column(
            "ax_l1_l4_hu", TruncatedNormal(64.0, 28.0, low=-40.0), "derived", "AUC .823 and cut-off 51.4, SD assumed"
        ),
        Column("multiple_fracture", Event(0.12), "assumed", "no figure is at hand"),
        Column("diabetes", Event(0.15), "assumed", "no figure is at hand"),
        Column("hypertension", Event(0.35), "assumed", "no figure is at hand"),
        Column("new_fracture", Event(61 / 349), "printed", "61 of 349"),
    ),
    relations=(
        Relation("hu_3d_l1_l4", "t_score_lumbar", "pearson", 0.628, "printed", "r .628"),
        Relation("ax_l1_l4_hu", "t_score_lumbar", "pearson", 0.570, "printed", "r .570"),
        Relation("hu_3d_l1_l4", "new_fracture", "auc", 1 - 0.877, "printed", "AUC .877"),
        Relation("ax_l1_l4_hu", "new_fracture", "auc", 1 - 0.823, "printed", "AUC .823"),
        Relation("hu_3d_l1_l4", "ax_l1_l4_hu", "latent", 0.92, "assumed"),
        Relation("t_score_lumbar", "new_fracture", "auc", 1 - 0.72, "assumed"),
        Relation("age_years", "hu_3d_l1_l4", "latent", -0.35, "assumed"),
        Relation("age_years", "ax_l1_l4_hu", "latent", -0.35, "assumed"),
        Relation("age_years", "new_fracture", "auc", 0.60, "assumed"),
        Relation("age_years", "t_score_lumbar", "latent", -0.20, "assumed"),
        Relation("multiple_fracture", "new_fracture", "latent", 0.20, "assumed"),
        Relation("multiple_fracture", "hu_3d_l1_l4", "latent", -0.15, "assumed"),
        Relation("multiple_fracture", "ax_l1_l4_hu", "latent", -0.15, "assumed"),
    ),
)

STUDY_PRESETS: Final = {
    preset.name: preset for preset in (HU_DXA_CONCORDANCE, ROI_SHAPES, QCT_LOOSENING, HU_RATIO_NOMOGRAM, FRACTURE_3D_HU)
}
