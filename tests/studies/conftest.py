"""Cohorts of patients for the studies: one with the printed counts, one random, one of fourteen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest


def printed_counts_cohort() -> pd.DataFrame:
    """180 patients with the counts printed in the HU-DXA study: groups 94 / 36 / 24 / 26, 73 in the gray zone.

    HU <= 100: 62 patients, 26 discordant (36 DXA+, 26 DXA-); 100 to 150: 73, 17 discordant; above 150: 45, 7
    discordant.  Values inside a zone are spread evenly and carry no further meaning.
    """
    rows = []
    for hu_from, hu_to, dxa_positive, dxa_negative in ((60, 100, 36, 26), (101, 150, 17, 56), (151, 220, 7, 38)):
        for count, t_score in ((dxa_positive, -3.0), (dxa_negative, -1.2)):
            rows += [(hu, t_score) for hu in np.linspace(hu_from, hu_to, count)]
    frame = pd.DataFrame(rows, columns=["ax_l1_l4_hu", "t_score_femoral_neck"])
    return frame.assign(
        patient_id=[f"P{number:03d}" for number in range(len(frame))],
        t_score_lumbar=frame["t_score_femoral_neck"] + 0.4,
        age_years=np.linspace(50, 88, len(frame)),
        sex=["female", "female", "male"] * 60,
    )


def random_cohort(count: int, seed: int) -> pd.DataFrame:
    """Patients whose HU, T-scores, age and BMI relate as in the field, some values missing."""
    rng = np.random.default_rng(seed)
    age = rng.normal(72, 8, count).clip(51, 92)
    latent = rng.normal(0, 1, count) - (age - 72) / 16
    hu = 118 + 32 * latent + rng.normal(0, 18, count)
    frame = pd.DataFrame(
        {
            "patient_id": [f"R{number:05d}" for number in range(count)],
            "age_years": age.round(1),
            "sex": rng.choice(["female", "male"], count, p=[0.62, 0.38]),
            "height_m": rng.normal(1.58, 0.08, count).round(2),
            "weight_kg": rng.normal(58, 9, count).round(1),
            "ax_l1_l4_hu": hu,
            "t_score_lumbar": (-1.4 + 0.9 * latent + rng.normal(0, 0.9, count)).round(1),
            "t_score_femoral_neck": (-1.8 + 0.7 * latent + rng.normal(0, 0.7, count)).round(1),
        }
    )
    frame["bmi_kg_m2"] = frame["weight_kg"] / frame["height_m"] ** 2
    frame["bmd_lumbar_g_cm2"] = 1.05 + 0.12 * frame["t_score_lumbar"]
    frame["yam_lumbar_percent"] = (100 + 11 * frame["t_score_lumbar"]).round()
    for level, shift in (("l1", 6), ("l2", 2), ("l3", -3), ("l4", -5)):
        frame[f"{level}_hu"] = hu + shift + rng.normal(0, 10, count)
    frame["ax_l1_l4_hu_reason"] = None
    missing = rng.random(count) < 0.05
    frame.loc[missing, "ax_l1_l4_hu"] = np.nan
    frame.loc[missing, "ax_l1_l4_hu_reason"] = "too_few_levels"
    frame.loc[rng.random(count) < 0.06, "t_score_lumbar"] = np.nan
    frame.loc[rng.random(count) < 0.06, "bmi_kg_m2"] = np.nan
    return frame


@pytest.fixture(scope="session")
def printed_counts() -> pd.DataFrame:
    return printed_counts_cohort()


@pytest.fixture(scope="session")
def random_patients() -> Callable[[int, int], pd.DataFrame]:
    """A cohort of the given size and seed."""
    return random_cohort


@pytest.fixture(scope="session")
def two_hundred() -> pd.DataFrame:
    return random_cohort(200, seed=3)


@pytest.fixture(scope="session")
def fourteen() -> pd.DataFrame:
    return random_cohort(14, seed=5)
