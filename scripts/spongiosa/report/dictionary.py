"""What the columns of cohort/patients.parquet mean, and the words of the report."""

from __future__ import annotations

import pandas as pd

_OF_LEVELS = "mean of the valid levels of L1-L4 (at least aggregate.minimum_levels)"

#: Column, unit, meaning.
INDICES: tuple[tuple[str, str, str], ...] = (
    ("ax_l1_l4_hu", "HU", f"Three ellipses per vertebra, every slice with one weight; {_OF_LEVELS}"),
    ("hu_3d_l1_l4", "HU", f"3D-HU: the whole trabecular volume of the body; {_OF_LEVELS}"),
    ("l1_hu ... l5_hu", "HU", "Mean of the three ellipses of one vertebra (at least two of them)"),
    ("oval_l1_l4_hu", "HU", f"Oval at mid-height in the anterior two-thirds; {_OF_LEVELS}"),
    ("round_l1_l4_hu", "HU", f"Circle at mid-height in the anterior two-thirds; {_OF_LEVELS}"),
    ("front_l1_l4_hu", "HU", f"Central third of the width at mid-height; {_OF_LEVELS}"),
    ("left_l1_l4_hu", "HU", f"The patient's left third at mid-height; {_OF_LEVELS}"),
    ("right_l1_l4_hu", "HU", f"The patient's right third at mid-height; {_OF_LEVELS}"),
    ("oval_l1_hu ... right_l4_hu", "HU", "The same five shapes of one vertebra"),
    ("ax_l1_l4_hu_referenced, hu_3d_l1_l4_referenced, l1_hu_referenced ...", "HU",
     "As without the ending, referenced to the nominal HU of the phantom's rods; missing without them"),
    ("vbmd_l1_l2_mg_cm3", "mg/cm³", "Volumetric BMD of the central body (QCT), mean of L1 and L2"),
    ("l5_body_vbmd_mg_cm3", "mg/cm³", "Volumetric BMD of the central body of L5"),
    ("l5_pedicle_vbmd_mg_cm3", "mg/cm³", "Volumetric BMD of the pedicles of L5, mean of left and right"),
    ("l5_trajectory_vbmd_mg_cm3", "mg/cm³", "Volumetric BMD along the screw trajectories of L5, mean of both sides"),
    ("b_hu", "HU", "Body HU (three ellipses) of the level of the HU ratio: L3, else L2, else L4"),
    ("st_hu", "HU", "HU along the screw trajectories of the same level, mean of left and right"),
    ("hu_ratio", "", "st_hu / b_hu at hu_ratio_level; missing where b_hu is near zero"),
    ("hu_ratio_level", "", "The level of b_hu, st_hu and hu_ratio"),
    ("pbq", "", "MRI pedicle bone quality: signal of the pedicle marrow over that of cerebrospinal fluid"),
    ("vbq", "", "MRI vertebral bone quality: signal of the body marrow over that of cerebrospinal fluid"),
    ("manufacturer, kvp, kernel, slice_thickness_mm, contrast_phase", "", "How the CT of the session was made; kvp in "
     "kV, thickness in mm"),
    ("kernel_class", "", "Soft, standard, sharp or unknown, by the name of the kernel"),
    ("calibration_method, calibration_reason", "", "How HU became mg/cm³, or the code of why they did not"),
    ("vbmd_material", "", "The mineral of the densities: K2HPO4 or HA (hydroxyapatite)"),
    ("levels_left_out", "", "Levels that the clinical table or a reader leaves out of every index"),
    ("<index>_levels_used", "levels", "How many levels the index rests on"),
    ("<index>_reason", "", "Why the index is missing: a code of the list of reasons; empty where it is there"),
)  # fmt: skip


#: Words of the report that not every reader uses daily.
GLOSSARY: tuple[tuple[str, str], ...] = (
    ("HU", "Hounsfield unit: attenuation in CT, 0 for water, −1000 for air. It depends on tube voltage and kernel."),
    ("Three-slice HU", "Mean of three ellipses in the trabecular bone of a vertebra: below the superior endplate, in "
     "the middle, above the inferior endplate."),
    ("3D-HU", "Mean of the whole trabecular volume of the vertebral body."),
    ("vBMD", "Volumetric bone mineral density in mg/cm³: HU calibrated by a phantom, a scanner or the patient's own "
     "tissues. Missing where nothing calibrates."),
    ("T-score", "Bone density by DXA in standard deviations from young adults; −2.5 or less is osteoporosis."),
    ("AUC", "Area under the ROC curve: the chance that a patient with the event is ranked before one without it; "
     "0.5 is chance, 1 is perfect."),
    ("Youden index", "Sensitivity + specificity − 1; the cut-off at which it is greatest. Chosen on the same patients "
     "it flatters."),
    ("PPV, NPV", "Share of the positive (negative) calls that are right; both change with how common the event is."),
    ("Kappa", "Agreement beyond chance: 0 is chance, 1 is perfect."),
    ("ICC (A,1), (C,1)", "Intraclass correlation of single readings: absolute agreement, and consistency."),
    ("OR", "Odds ratio: factor by which the odds of the event change per unit, or against the reference."),
    ("CI", "Confidence interval: the values that the data do not contradict."),
    ("P", "How often chance alone gives a difference at least this large. Not the size of an effect."),
    ("Calibration", "Whether predicted risks come true: intercept in the large 0 and slope 1 are ideal."),
    ("Optimism", "How much better a model looks on its own patients than on new ones, by bootstrap; corrected values "
     "have it taken off."),
    ("Brier score", "Mean squared distance of predicted risk and outcome: 0 is perfect."),
    ("Net benefit", "True positives less false positives weighed by the odds of the threshold, per patient."),
)  # fmt: skip


def index_dictionary() -> pd.DataFrame:
    """Columns Column, Unit, Meaning."""
    return pd.DataFrame(INDICES, columns=["Column", "Unit", "Meaning"])
