"""Write the data sets on which R and this package must agree (run by make_reference.sh; no patient behind them).

concordance  180 patients: whole-number HU with ties, T-scores, age, BMI, sex, four groups
loosening    313 patients, 45 loosened by design of the seed study: four predictors, screws fused, centre
missing      the loosening patients with a fifth of some predictors missing
small        12 patients in three groups of 3, 4 and 5, most values tied
separation   40 patients: one perfect and one useless predictor, one quasi-separating level
levels       60 patients x 4 levels: several regions, clustered
readers      24 subjects rated by 3 readers, graded by 2, measured twice
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

SEED = 20250101


def concordance(rng: np.random.Generator) -> pd.DataFrame:
    n = 180
    bone = rng.normal(0, 1, n)
    age = np.clip(72 - 3 * bone + rng.normal(0, 7, n), 50, 95).round()
    hu = np.clip(112 + 32 * bone + rng.normal(0, 14, n), 15, 260).round()
    t_lumbar = (-1.2 + 1.1 * bone + rng.normal(0, 0.9, n)).round(1)
    t_neck = (-1.9 + 0.6 * bone + rng.normal(0, 0.7, n)).round(1)
    lowest = np.minimum(t_lumbar, t_neck)
    dxa, low_hu = lowest <= -2.5, hu <= 100
    return pd.DataFrame(
        {
            "hu": hu,
            "age": age,
            "bmi": (24 + 0.8 * bone + rng.gamma(4, 1.6, n) - 6).round(1),
            "female": (rng.random(n) < 0.6).astype(int),
            "t_lumbar": t_lumbar,
            "t_neck": t_neck,
            "t_low": lowest,
            "osteoporosis": dxa.astype(int),
            "low_hu": low_hu.astype(int),
            "group": 2 * dxa.astype(int) + low_hu.astype(int),
            "site": rng.choice(["hip", "spine", "tie"], n, p=[0.6, 0.3, 0.1]),
        }
    )


def loosening(rng: np.random.Generator) -> pd.DataFrame:
    n = 313
    age = np.clip(rng.normal(62, 9, n), 35, 88).round()
    pbq = np.clip(rng.normal(2.9, 0.5, n), 1.5, 5).round(2)
    ratio = np.clip(rng.normal(1.5, 0.35, n), 0.6, 3).round(2)
    grade = rng.choice([1, 2, 3, 4], n, p=[0.2, 0.58, 0.1, 0.12])
    effect = np.array([-1.2, -0.8, 0.4, 0.0])[grade - 1]
    logits = -2.2 + 0.06 * (age - 62) + 1.3 * (pbq - 2.9) - 1.8 * (ratio - 1.5) + effect + 0.65
    return pd.DataFrame(
        {
            "age": age,
            "pbq": pbq,
            "hu_ratio": ratio,
            "goutallier": grade,
            "fused_levels": rng.integers(1, 6, n),
            "diabetes": (rng.random(n) < 0.2).astype(int),
            "bmi": rng.normal(24.5, 3.2, n).round(1),
            "centre": rng.integers(1, 25, n),
            "loosening": (rng.random(n) < expit(logits)).astype(int),
        }
    )


def with_gaps(complete: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Missing at random: older patients lack MRI more often."""
    table = complete.astype(object).copy()
    chance = expit(-1.6 + 0.05 * (complete["age"].to_numpy() - 62))
    table.loc[rng.random(len(table)) < chance, "pbq"] = np.nan
    table.loc[rng.random(len(table)) < 0.12, "hu_ratio"] = np.nan
    table.loc[rng.random(len(table)) < 0.10, "diabetes"] = np.nan
    table.loc[rng.random(len(table)) < 0.05, "bmi"] = np.nan
    return table


def small(rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "group": list("aaabbbbccccc"),
            "value": [1, 1, 2, 2, 2, 3, 3, 1, 3, 3, 4, 4],
            "other": rng.normal(0, 1, 12).round(2),
            "event": [0, 0, 0, 1, 0, 0, 1, 0, 1, 1, 1, 1],
        }
    )


def separation(rng: np.random.Generator) -> pd.DataFrame:
    n = 40
    event = np.repeat([0, 1], [26, 14])
    level = rng.choice(["x", "y"], n)
    level[-3:] = "z"
    return pd.DataFrame(
        {
            "perfect": np.where(event == 1, 60, 100) + rng.integers(-15, 16, n),
            "useless": rng.normal(0, 1, n).round(2),
            "helpful": (rng.normal(0, 1, n) + 0.8 * event).round(2),
            "level": level,
            "event": event,
        }
    )


def levels(rng: np.random.Generator) -> pd.DataFrame:
    patients, per_patient = 60, 4
    patient = np.repeat(np.arange(patients), per_patient)
    level = np.tile(np.arange(1, per_patient + 1), patients)
    own = rng.normal(0, 25, patients)[patient]
    age = rng.normal(70, 8, patients).round()[patient]
    hu = 120 + own - 1.1 * (age - 70) - 3 * (level - 2.5) + rng.normal(0, 12, patient.size)
    table = pd.DataFrame(
        {
            "patient": patient,
            "level": level,
            "age": age,
            "hu": hu.round(1),
            "oval": (hu + rng.normal(0, 6, patient.size)).round(),
            "round": (hu + 3 + rng.normal(0, 6, patient.size)).round(),
            "front": (hu - 2 + rng.normal(0, 8, patient.size)).round(),
        }
    )
    susceptible = rng.normal(0, 2.5, patients)[patient]
    table["fracture"] = (rng.random(patient.size) < expit(-1.2 - 0.02 * (hu - 110) + susceptible)).astype(int)
    keep = rng.random(patient.size) > 0.07
    return table[keep].reset_index(drop=True)


def readers(rng: np.random.Generator) -> pd.DataFrame:
    n = 24
    truth = rng.normal(110, 35, n)
    grade = np.clip(rng.integers(1, 5, n), 1, 4)
    return pd.DataFrame(
        {
            "reader_1": (truth + rng.normal(0, 8, n)).round(1),
            "reader_2": (truth + 4 + rng.normal(0, 9, n)).round(1),
            "reader_3": (1.05 * truth - 3 + rng.normal(0, 10, n)).round(1),
            "grade_1": grade,
            "grade_2": np.clip(grade + rng.choice([-1, 0, 0, 0, 1], n), 1, 4),
        }
    )


def main(folder: Path) -> None:
    rng = np.random.default_rng(SEED)
    complete = loosening(rng)
    tables = {
        "loosening": complete,
        "missing": with_gaps(complete, rng),
        "concordance": concordance(rng),
        "small": small(rng),
        "separation": separation(rng),
        "levels": levels(rng),
        "readers": readers(rng),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data")
